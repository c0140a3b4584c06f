//! What may be chosen about a server.

use crate::limits;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Fewest bytes of a token: what can be guessed is none.
const TOKEN_BYTES_MIN: usize = 16;

/// What may be chosen about a server.
#[derive(Clone, PartialEq, Eq)]
pub struct ServeOptions {
    /// What callers must show in `Authorization: Bearer …`. Without one, only this machine's
    /// programs may reach the server.
    pub token: Option<String>,
    /// Names, beside its address, under which callers know the server: what they may say in `Host`.
    pub names: Vec<String>,
    /// Connections at once; more wait until one ends.
    pub connections_max: usize,
    /// Largest body of a request, in bytes.
    pub body_bytes_max: usize,
    /// How long a request may take to arrive, and a connection may be idle.
    pub patience: Duration,
    /// What `GET /metrics` answers. Without it there is nothing at that path.
    pub metrics: Option<Renderer>,
}

/// Writes down the figures of the process, in the text format of Prometheus: what the recorder has that the program
/// has installed. The server knows none of its own.
#[derive(Clone)]
pub struct Renderer(Arc<dyn Fn() -> String + Send + Sync>);

impl Renderer {
    /// What `render` writes down, each time that somebody asks. It must not take long: it runs beside the connections.
    pub fn new(render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(render))
    }

    pub(super) fn render(&self) -> String {
        (self.0)()
    }
}

impl PartialEq for Renderer {
    /// Whether it is a clone of the same one.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Renderer {}

impl std::fmt::Debug for Renderer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Renderer")
    }
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Others could reach it, and it would trust them.
    #[error(
        "{address} can be reached by other machines, and no token was given: anybody could enqueue, claim and read \
         jobs; give a token of {TOKEN_BYTES_MIN} bytes or more, or serve at 127.0.0.1"
    )]
    NoToken {
        /// The address asked for.
        address: String,
    },
    /// The token can be guessed.
    #[error("the token has {bytes} bytes, but {TOKEN_BYTES_MIN} are the least; try `openssl rand -hex 16`")]
    ShortToken {
        /// Its length.
        bytes: usize,
    },
    /// The address can't be had.
    #[error("can't listen at {address}: {error}")]
    Listen {
        /// The address asked for.
        address: String,
        /// What the system said.
        error: io::Error,
    },
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            token: None,
            names: Vec::new(),
            connections_max: 1_024,
            body_bytes_max: limits::PAYLOAD_BYTES_DEFAULT * 2,
            patience: Duration::from_secs(60),
            metrics: None,
        }
    }
}

impl std::fmt::Debug for ServeOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A token must not end up in a log.
        let token = self.token.as_ref().map(|_| "…");
        f.debug_struct("ServeOptions")
            .field("token", &token)
            .field("names", &self.names)
            .field("connections_max", &self.connections_max)
            .field("body_bytes_max", &self.body_bytes_max)
            .field("patience", &self.patience)
            .field("metrics", &self.metrics)
            .finish()
    }
}

impl ServeOptions {
    /// Whether a server with these may listen at `address`. [`Server::start`](super::Server::start)
    /// asks it too; a program asks before it makes a file.
    ///
    /// # Errors
    /// [`ServeError::NoToken`], [`ServeError::ShortToken`].
    pub fn check(&self, address: &str) -> Result<(), ServeError> {
        match &self.token {
            Some(token) if token.len() < TOKEN_BYTES_MIN => Err(ServeError::ShortToken { bytes: token.len() }),
            None if !is_loopback(address) => Err(ServeError::NoToken { address: address.to_owned() }),
            _ => Ok(()),
        }
    }
}

/// Whether only this machine's programs can reach an address. A name that has to be looked up may
/// come to anything, but for the one that every machine has.
fn is_loopback(address: &str) -> bool {
    if let Ok(address) = address.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = address.rsplit_once(':').map_or(address, |(name, _)| name);
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_can_reach_needs_a_token_that_is_hard_to_guess() {
        let with = |token: Option<&str>| ServeOptions { token: token.map(Into::into), ..ServeOptions::default() };
        for address in ["127.0.0.1:0", "127.8.8.8:80", "[::1]:7400", "localhost:7400"] {
            with(None).check(address).unwrap();
        }
        for address in ["0.0.0.0:7400", "[::]:7400", "10.0.0.1:7400", "example.org:7400", "localhost.example.org:1"] {
            let refused = with(None).check(address).unwrap_err();
            assert!(matches!(refused, ServeError::NoToken { .. }), "{address}: {refused}");
            with(Some("0123456789abcdef")).check(address).unwrap();
            let refused = with(Some("0123456789abcde")).check(address).unwrap_err();
            assert!(matches!(refused, ServeError::ShortToken { bytes: 15 }), "{refused}");
        }
    }

    #[test]
    fn a_token_is_not_in_what_is_printed_of_the_options() {
        let options = ServeOptions { token: Some("0123456789abcdef".into()), ..ServeOptions::default() };
        assert!(!format!("{options:?}").contains("0123"), "{options:?}");
    }
}
