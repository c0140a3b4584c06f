//! A process's end of a connection.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::address::Address;
use super::connection::EndId;
use super::door::ProcessNetwork;

/// A stream of bytes in both directions. Dropping it closes it: the other end reads what was
/// written, and then the end; but it is reset if something was left unread here.
///
/// Reads and writes fail with `ConnectionReset` once the other end, or a fault, has reset the
/// connection, with `TimedOut` once this machine's kernel has given it up, and with `BrokenPipe`
/// once the process is dead. Bytes that had arrived and were not read are then lost. After
/// `shutdown` writes fail with `BrokenPipe`, and reads go on. A flush does nothing: what was
/// written is on its way.
pub struct SimStream {
    door: ProcessNetwork,
    end: EndId,
    local: Address,
    peer: Address,
}

impl SimStream {
    pub(super) fn new(door: ProcessNetwork, end: EndId, local: Address, peer: Address) -> Self {
        Self { door, end, local, peer }
    }

    /// The address of this end.
    pub fn local(&self) -> Address {
        self.local
    }

    /// The address of the other end.
    pub fn peer(&self) -> Address {
        self.peer
    }
}

impl AsyncRead for SimStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let door = &*self.door.0;
        door.life.check()?;
        let unfilled = buffer.initialize_unfilled();
        let read = door.shared.with(|fabric| fabric.poll_read(self.end, unfilled, context.waker()));
        let count = ready!(read)?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let door = &*self.door.0;
        door.life.check()?;
        door.shared.with(|fabric| fabric.poll_write(self.end, bytes, context.waker()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.door.0.life.check())
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let door = &*self.door.0;
        door.life.check()?;
        Poll::Ready(door.shared.with(|fabric| fabric.shut_down(self.end)))
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        let door = &*self.door.0;
        // A dead process's connections are closed already, and its destructors touch nothing.
        if door.life.is_alive() {
            door.shared.with(|fabric| fabric.close(self.end));
        }
    }
}

impl fmt::Debug for SimStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream from {} to {}", self.local, self.peer)
    }
}
