//! Streams of a host, as hyper reads and writes them.

use hyper::rt::{Read, ReadBufCursor, Write};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes taken from a stream at a time, at the most.
const CHUNK_BYTES: usize = 8 << 10;

/// A stream, as hyper reads and writes it.
pub struct HyperStream<S> {
    stream: S,
    chunk: Box<[u8; CHUNK_BYTES]>,
}

impl<S> HyperStream<S> {
    /// Wraps a stream.
    pub fn new(stream: S) -> Self {
        Self { stream, chunk: Box::new([0; CHUNK_BYTES]) }
    }
}

impl<S: AsyncRead + Unpin> Read for HyperStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, mut target: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // By way of a buffer of ours: hyper's own is not initialised, and only `unsafe` code may
        // lend it out.
        let most = target.remaining().min(CHUNK_BYTES);
        let mut buffer = ReadBuf::new(&mut this.chunk[..most]);
        ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buffer))?;
        target.put_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Write for HyperStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
