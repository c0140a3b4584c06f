//! TCP, on the control thread's reactor.
//!
//! It must never run on a handler's thread: a handler that blocks it would delay every heartbeat.

use super::super::network::{Listener, Network};
use super::control::Control;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// The machine's TCP.
#[derive(Clone)]
pub struct OsNetwork {
    control: Arc<Control>,
}

/// A TCP connection.
#[derive(Debug)]
pub struct OsStream(TcpStream);

/// A TCP socket that connections arrive at.
#[derive(Debug)]
pub struct OsListener(TcpListener);

impl OsNetwork {
    pub(super) fn new(control: Arc<Control>) -> Self {
        Self { control }
    }

    /// Does `work` on the control thread, whose reactor its sockets then belong to.
    async fn on_control<T: Send + 'static>(
        &self,
        work: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        let (sender, done) = tokio::sync::oneshot::channel();
        let task = Control::spawn(&self.control, async move {
            // Whoever asked may have left.
            drop(sender.send(work.await));
        });
        let _cancel = CancelOnDrop(task);
        done.await.unwrap_or_else(|_| Err(io::Error::other("the thread for sockets has ended")))
    }
}

struct CancelOnDrop(tokio::task::AbortHandle);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Network for OsNetwork {
    type Stream = OsStream;
    type Listener = OsListener;

    async fn connect(&self, address: &str) -> io::Result<OsStream> {
        let address = address.to_owned();
        self.on_control(async move { TcpStream::connect(address).await.and_then(ready) }).await
    }

    async fn listen(&self, address: &str) -> io::Result<OsListener> {
        let address = address.to_owned();
        self.on_control(async move { TcpListener::bind(address).await.map(OsListener) }).await
    }
}

/// Requests and answers are short, and each is waited for.
fn ready(stream: TcpStream) -> io::Result<OsStream> {
    stream.set_nodelay(true)?;
    Ok(OsStream(stream))
}

impl Listener for OsListener {
    type Stream = OsStream;

    async fn accept(&mut self) -> io::Result<(OsStream, String)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((ready(stream)?, peer.to_string()))
    }

    fn address(&self) -> String {
        self.0.local_addr().map_or_else(|error| format!("an unknown address ({error})"), |address| address.to_string())
    }
}

impl AsyncRead for OsStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for OsStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
