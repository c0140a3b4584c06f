//! Streams of bytes between processes.

use std::future::Future;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};

/// Streams of bytes, as this process can make and take them.
pub trait Network: Clone + Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;
    /// Where connections arrive.
    type Listener: Listener<Stream = Self::Stream>;

    /// Connects to `address`, a name or number and a port: `127.0.0.1:7400`.
    ///
    /// It may take for ever, as a network may: the caller bounds it.
    ///
    /// # Errors
    /// What the system says: nothing was sent.
    fn connect(&self, address: &str) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Takes connections at `address`.
    ///
    /// # Errors
    /// The address is not this machine's, or somebody else's already.
    fn listen(&self, address: &str) -> impl Future<Output = io::Result<Self::Listener>> + Send;
}

/// Where connections arrive.
pub trait Listener: Send + 'static {
    /// A connection.
    type Stream;

    /// The next connection, and who made it, in words.
    ///
    /// # Errors
    /// What the system says. The next call may succeed: a process that is out of descriptors has
    /// some again when a connection ends.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, String)>> + Send;

    /// The address, with the port that the system chose if it was asked to.
    fn address(&self) -> String;
}
