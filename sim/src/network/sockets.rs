//! What a kernel does for its processes: sockets, as they call them.

use std::io;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::address::Address;
use super::connection::{EndId, Phase, Side, WINDOW_BYTES};
use super::fabric::{Fabric, Listening};
use super::timers::Alarm;
use super::wire::Message;
use crate::clock::true_time;
use crate::process::ProcessId;
use crate::world::MachineId;

/// How long a kernel waits for the answer to a connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(127);
/// Most bytes of one message.
const CHUNK_BYTES_MAX: usize = 16 << 10;
/// How often a write is cut short although there is room.
const CUT_SHORT: f64 = 0.125;

impl Fabric {
    pub(super) fn listen(&mut self, owner: ProcessId, address: Address) -> io::Result<()> {
        if self.listening.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let listening = Listening { owner, backlog: Default::default(), accepting: Vec::new() };
        self.listening.insert(address, listening);
        self.event("network.listen", Some(owner), &[u64::from(address.machine.0), u64::from(address.port)], &[]);
        Ok(())
    }

    /// Nobody listens there any more. Who was not accepted is turned away.
    pub(super) fn stop_listening(&mut self, address: Address) {
        let Some(listening) = self.listening.remove(&address) else { return };
        self.wakers.released.extend(listening.accepting);
        for connection in listening.backlog {
            self.close(EndId { connection, side: Side::Acceptor });
        }
    }

    /// The next connection that nobody has accepted, and who opened it.
    pub(super) fn poll_accept(&mut self, address: Address, waker: &Waker) -> Poll<(EndId, Address)> {
        let listening = self.listening.get_mut(&address).expect("its listener is there");
        let Some(connection) = listening.backlog.pop_front() else {
            if !listening.accepting.iter().any(|waiting| waiting.will_wake(waker)) {
                listening.accepting.push(waker.clone());
            }
            return Poll::Pending;
        };
        let owner = listening.owner;
        self.event("network.take", Some(owner), &[connection.0], &[]);
        let end = EndId { connection, side: Side::Acceptor };
        self.end_mut(end).taken = true;
        let opener = self.connection(connection).ends[Side::Opener as usize].address;
        Poll::Ready((end, opener))
    }

    /// Begins to connect. The end, and its address.
    pub(super) fn open(&mut self, owner: ProcessId, from: MachineId, to: Address) -> io::Result<(EndId, Address)> {
        if to.machine.0 as usize >= self.names.len() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let connection = self.add_connection(from, to);
        let end = EndId { connection, side: Side::Opener };
        let own = self.end_mut(end);
        own.owner = Some(owner);
        own.taken = true;
        own.phase = Phase::Opening;
        let address = own.address;
        let numbers = [connection.0, u64::from(from.0), u64::from(to.machine.0), u64::from(to.port)];
        self.event("network.open", Some(owner), &numbers, &[]);
        self.send(end, Message::Connect);
        self.set_alarm(true_time() + CONNECT_TIMEOUT, Alarm::ConnectTimeout(connection));
        Ok((end, address))
    }

    /// Whether the connection is established.
    pub(super) fn poll_opened(&mut self, end: EndId, waker: &Waker) -> Poll<io::Result<()>> {
        let connection = self.connections.get_mut(&end.connection).expect("who opens it has an end of it");
        let own = &mut connection.ends[end.side as usize];
        if let Some(error) = own.failed {
            return Poll::Ready(Err(error.into()));
        }
        if own.phase == Phase::Open {
            return Poll::Ready(Ok(()));
        }
        self.wakers.register(&mut own.writer, waker);
        Poll::Pending
    }

    /// Reads what has arrived into `buffer`; 0 at the end of the stream.
    pub(super) fn poll_read(&mut self, end: EndId, buffer: &mut [u8], waker: &Waker) -> Poll<io::Result<usize>> {
        let connection = self.connections.get_mut(&end.connection).expect("who reads has an end of it");
        let own = &mut connection.ends[end.side as usize];
        if let Some(error) = own.failed {
            return Poll::Ready(Err(error.into()));
        }
        if own.received.is_empty() && !own.ended && !buffer.is_empty() {
            self.wakers.register(&mut own.reader, waker);
            return Poll::Pending;
        }
        let count = io::Read::read(&mut own.received, buffer)?;
        let mut filled = count;
        // The queue gives its two halves one by one.
        filled += io::Read::read(&mut own.received, &mut buffer[count..])?;
        own.read += filled;
        // In large steps: a kernel does not announce every byte of room.
        if own.read >= WINDOW_BYTES / 2 && !own.ended {
            let read = std::mem::take(&mut own.read);
            self.send(end, Message::Window(read));
        }
        Poll::Ready(Ok(filled))
    }

    /// Takes what there is room for of `bytes`, or waits for room.
    pub(super) fn poll_write(&mut self, end: EndId, bytes: &[u8], waker: &Waker) -> Poll<io::Result<usize>> {
        let connection = self.connections.get_mut(&end.connection).expect("who writes has an end of it");
        let own = &mut connection.ends[end.side as usize];
        if let Some(error) = own.failed {
            return Poll::Ready(Err(error.into()));
        }
        if own.fin_sent {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let room = WINDOW_BYTES - own.unread;
        if room == 0 {
            self.wakers.register(&mut own.writer, waker);
            return Poll::Pending;
        }
        let wire = &connection.wires[end.side as usize];
        let fork = wire.fork.key(wire.sent).fork("cut short");
        let most = bytes.len().min(room).min(CHUNK_BYTES_MAX);
        let taken = if fork.chance(CUT_SHORT) { 1 + fork.key(0).number() as usize % most } else { most };
        own.unread += taken;
        self.send(end, Message::Chunk(bytes[..taken].to_vec()));
        Poll::Ready(Ok(taken))
    }

    /// Says that the last byte was written. The other direction goes on.
    pub(super) fn shut_down(&mut self, end: EndId) -> io::Result<()> {
        let own = self.end_mut(end);
        if let Some(error) = own.failed {
            return Err(error.into());
        }
        if !std::mem::replace(&mut own.fin_sent, true) {
            self.send(end, Message::Fin);
        }
        Ok(())
    }

    /// The process has this end no more, and the kernel ends the connection.
    pub(super) fn close(&mut self, end: EndId) {
        let connection = self.connections.get_mut(&end.connection).expect("who closes it has an end of it");
        let own = &mut connection.ends[end.side as usize];
        let unread = !own.received.is_empty() || !own.taken;
        own.disown(&mut self.wakers);
        match own.phase {
            Phase::Open if unread => self.send_reset(end),
            Phase::Open => {
                own.phase = Phase::Orphan;
                if !std::mem::replace(&mut own.fin_sent, true) {
                    self.send(end, Message::Fin);
                }
            }
            Phase::Opening => {
                own.phase = Phase::Absent;
                connection.wires[end.side as usize].stop_sending();
            }
            Phase::Absent | Phase::Orphan => {}
        }
        self.tidy(end.connection);
    }

    /// The kernel closes all that a process had, which is dead already.
    pub(super) fn end_process(&mut self, process: ProcessId) {
        let listened = self.listening.iter().filter(|(_, listening)| listening.owner == process);
        let listened: Vec<Address> = listened.map(|(address, _)| *address).collect();
        for address in listened {
            self.stop_listening(address);
        }
        let owned: Vec<EndId> = self.ends().filter(|(_, end)| end.owner == Some(process)).map(|(end, _)| end).collect();
        for end in owned {
            self.close(end);
        }
    }

    /// The machine of a name.
    pub(super) fn resolve(&self, name: &str) -> io::Result<MachineId> {
        let place = self.names.iter().position(|known| *known == name).ok_or(io::ErrorKind::NotFound)?;
        Ok(MachineId(u32::try_from(place).expect("fewer machines than that")))
    }
}
