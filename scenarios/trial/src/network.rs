//! The queue's network traits on a simulated network. Addresses are `machine:port`.

use crate::host::SimHost;
use outlive::host::{Listener, Network, Networked};
use outlive_sim::{ProcessNetwork, SimListener, SimStream};
use std::io;

/// The process's door to the network.
#[derive(Clone)]
pub struct SimWire(pub(crate) ProcessNetwork);

/// A port that the process listens on.
pub struct SimPort {
    listener: SimListener,
    address: String,
}

impl Networked for SimHost {
    type Network = SimWire;

    fn network(&self) -> &SimWire {
        self.wire()
    }
}

impl Network for SimWire {
    type Stream = SimStream;
    type Listener = SimPort;

    async fn connect(&self, address: &str) -> io::Result<SimStream> {
        self.0.connect(self.0.resolve(address)?).await
    }

    async fn listen(&self, address: &str) -> io::Result<SimPort> {
        let listener = self.0.listen(self.0.resolve(address)?.port)?;
        Ok(SimPort { listener, address: address.to_owned() })
    }
}

impl Listener for SimPort {
    type Stream = SimStream;

    async fn accept(&mut self) -> io::Result<(SimStream, String)> {
        let (stream, peer) = self.listener.accept().await?;
        Ok((stream, peer.to_string()))
    }

    fn address(&self) -> String {
        self.address.clone()
    }
}
