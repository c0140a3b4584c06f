//! A process's door to the network of its machine, and the ports on which it listens.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use super::Shared;
use super::address::Address;
use super::carrier::Carrier;
use super::stream::SimStream;
use crate::process::Life;
use crate::world::MachineId;

/// One process's door to the network. Clones are the same door.
#[derive(Clone)]
pub struct ProcessNetwork(pub(super) Arc<Door>);

pub(super) struct Door {
    pub(super) shared: Arc<Shared>,
    machine: MachineId,
    pub(super) life: Arc<Life>,
}

impl ProcessNetwork {
    pub(super) fn new(shared: Arc<Shared>, machine: MachineId, life: Arc<Life>) -> Self {
        Self(Arc::new(Door { shared, machine, life }))
    }

    /// Listens on a port of the process's machine. From now on its kernel takes connections, up to
    /// 128 that were not accepted.
    ///
    /// # Errors
    /// `AddrInUse` if the machine has a listener on this port, `InvalidInput` for port 0, and
    /// `BrokenPipe` if the process is dead.
    pub fn listen(&self, port: u16) -> io::Result<SimListener> {
        let Door { shared, machine, life } = &*self.0;
        life.check()?;
        if port == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let address = Address { machine: *machine, port };
        shared.with(|fabric| fabric.listen(life.id(), address))?;
        Ok(SimListener { door: self.clone(), address })
    }

    /// Connects to a port of a machine. Dropping the future gives it up.
    ///
    /// # Errors
    /// `ConnectionRefused` if nobody listens there, `ConnectionReset` for an injected one, `TimedOut`
    /// after 127 s without an answer, `NotFound` if there is no such machine, and `BrokenPipe` if the
    /// process is dead.
    pub async fn connect(&self, to: Address) -> io::Result<SimStream> {
        let Door { shared, machine, life } = &*self.0;
        life.check()?;
        let (end, local) = shared.with(|fabric| fabric.open(life.id(), *machine, to))?;
        // It closes the end again if this future is dropped.
        let stream = SimStream::new(self.clone(), end, local, to);
        if let Some(start) = shared.start.lock().unwrap().take() {
            start(Carrier::new(Arc::clone(shared)));
        }
        poll_fn(|context| {
            life.check()?;
            shared.with(|fabric| fabric.poll_opened(end, context.waker()))
        })
        .await?;
        Ok(stream)
    }

    /// The address that `name:port` stands for, where `name` is a machine's.
    ///
    /// # Errors
    /// `InvalidInput` if it is not of that form, `NotFound` if no machine has that name, and
    /// `BrokenPipe` if the process is dead.
    pub fn resolve(&self, address: &str) -> io::Result<Address> {
        self.0.life.check()?;
        let (name, port) = address.rsplit_once(':').ok_or(io::ErrorKind::InvalidInput)?;
        let port = port.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
        let machine = self.0.shared.with(|fabric| fabric.resolve(name))?;
        Ok(Address { machine, port })
    }
}

impl fmt::Debug for ProcessNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessNetwork").field("process", &self.0.life.id()).finish()
    }
}

/// A port on which a process listens. Dropping it resets the connections that were not accepted.
#[derive(Debug)]
pub struct SimListener {
    door: ProcessNetwork,
    address: Address,
}

impl SimListener {
    /// Where it listens.
    pub fn address(&self) -> Address {
        self.address
    }

    /// The next connection, and the address of who opened it. Connections come in the order in which
    /// they arrived.
    ///
    /// # Errors
    /// `BrokenPipe` if the process is dead.
    pub async fn accept(&self) -> io::Result<(SimStream, Address)> {
        let Door { shared, life, .. } = &*self.door.0;
        poll_fn(|context| {
            life.check()?;
            let accepted = shared.with(|fabric| fabric.poll_accept(self.address, context.waker()));
            accepted.map(|(end, peer)| Ok((SimStream::new(self.door.clone(), end, self.address, peer), peer)))
        })
        .await
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let Door { shared, life, .. } = &*self.door.0;
        // A dead process's ports are free already, and its destructors touch nothing.
        if life.is_alive() {
            shared.with(|fabric| fabric.stop_listening(self.address));
        }
    }
}
