//! Two machines, a server that accepts, a client that connects, and what streams do in one call.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{Address, MachineId, Options, Process, ProcessId, Seed, SimStream, World, run, sleep_true};

pub(super) fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(super) fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A world of two machines.
#[derive(Clone)]
pub(super) struct Net {
    pub(super) world: World,
    pub(super) server: MachineId,
    pub(super) client: MachineId,
}

impl Net {
    pub(super) fn new(world: World) -> Self {
        let (server, client) = (world.add_machine("server"), world.add_machine("client"));
        Self { world, server, client }
    }

    /// Where the server listens.
    pub(super) fn address(&self) -> Address {
        Address { machine: self.server, port: 80 }
    }

    /// Boots a server that ends when `work` on its first connection does.
    pub(super) fn serve<F>(&self, work: impl FnOnce(Process, SimStream) -> F + Send + 'static) -> ProcessId
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.world.boot(self.server, "server", async move |process| {
            let listener = process.network().listen(80).unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            work(process, stream).await;
        })
    }

    /// Boots a server that does `work` on every connection.
    pub(super) fn serve_all<F>(&self, work: impl Fn(Process, SimStream) -> F + Send + 'static) -> ProcessId
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.world.boot(self.server, "server", async move |process| {
            let listener = process.network().listen(80).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                process.spawn("serve", work(process.clone(), stream)).detach();
            }
        })
    }

    /// Boots a client that ends when `work` on its connection does.
    pub(super) fn client<F>(&self, work: impl FnOnce(Process, SimStream) -> F + Send + 'static) -> ProcessId
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let address = self.address();
        self.world.boot(self.client, "client", async move |process| {
            // The server listens first.
            sleep_true(Duration::from_micros(1)).await;
            let stream = process.network().connect(address).await.unwrap();
            work(process, stream).await;
        })
    }

    /// The same; what `work` returned.
    pub(super) async fn ask<T: Send + 'static, F>(
        &self,
        work: impl FnOnce(Process, SimStream) -> F + Send + 'static,
    ) -> T
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.try_ask(move |process, stream| work(process, stream.unwrap())).await
    }

    /// The same, for work on what came of the connect.
    pub(super) async fn try_ask<T: Send + 'static, F>(
        &self,
        work: impl FnOnce(Process, io::Result<SimStream>) -> F + Send + 'static,
    ) -> T
    where
        F: Future<Output = T> + Send + 'static,
    {
        let answer = Arc::new(Mutex::new(None));
        let (inside, address) = (answer.clone(), self.address());
        let process = self.world.boot(self.client, "client", async move |process| {
            sleep_true(Duration::from_micros(1)).await;
            let stream = process.network().connect(address).await;
            let value = work(process, stream).await;
            *inside.lock().unwrap() = Some(value);
        });
        self.world.exited(process).await;
        let answer = answer.lock().unwrap().take();
        answer.unwrap_or_else(|| panic!("the client did not end: {:?}", self.world.panics()))
    }
}

/// Runs a driver between two machines; its value. No process may panic.
pub(super) fn between_two<T: Send, F: Future<Output = T>>(seed: u64, driver: impl FnOnce(Net) -> F + Send) -> T {
    let outcome = run(Seed(seed), Options::default(), async |world| driver(Net::new(world)).await);
    assert_eq!(outcome.panics, []);
    outcome.result.unwrap()
}

/// Reads once, up to `most` bytes.
pub(super) async fn read_some(stream: &mut SimStream, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    let mut buffer = ReadBuf::new(&mut bytes);
    poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut buffer)).await?;
    let count = buffer.filled().len();
    bytes.truncate(count);
    Ok(bytes)
}

/// Reads `count` bytes; an early end is an error.
pub(super) async fn read_exactly(stream: &mut SimStream, count: usize) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    while all.len() < count {
        let bytes = read_some(stream, count - all.len()).await?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        all.extend(bytes);
    }
    Ok(all)
}

pub(super) async fn read_to_end(stream: &mut SimStream) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let bytes = read_some(stream, 10_000).await?;
        if bytes.is_empty() {
            return Ok(all);
        }
        all.extend(bytes);
    }
}

pub(super) async fn write_all(stream: &mut SimStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = poll_fn(|context| Pin::new(&mut *stream).poll_write(context, bytes)).await?;
        bytes = &bytes[count..];
    }
    poll_fn(|context| Pin::new(&mut *stream).poll_flush(context)).await
}

/// How many of `bytes` the stream takes before it makes its writer wait.
pub(super) async fn written_without_waiting(stream: &mut SimStream, bytes: &[u8]) -> usize {
    let mut count = 0;
    poll_fn(|context| {
        while count < bytes.len()
            && let Poll::Ready(written) = Pin::new(&mut *stream).poll_write(context, &bytes[count..])
        {
            count += written.unwrap();
        }
        Poll::Ready(())
    })
    .await;
    count
}

pub(super) async fn shut_down(stream: &mut SimStream) -> io::Result<()> {
    poll_fn(|context| Pin::new(&mut *stream).poll_shutdown(context)).await
}
