//! Where a planted bug may stand between the queue and its outside. In a default build nothing
//! stands there.

#[cfg(not(feature = "planted"))]
mod calm {
    use crate::host::SimHost;
    use outlive::Options;
    use outlive::protocol::Service;
    use outlive::store::turso::TursoStorage;
    use std::sync::Arc;

    /// The host as it is.
    pub fn host(host: SimHost) -> SimHost {
        host
    }

    /// The storage as it is.
    pub fn storage(host: &SimHost, path: &str) -> TursoStorage<SimHost> {
        TursoStorage::new(host.clone(), path)
    }

    /// The options as they are.
    pub fn options(options: &Options) -> Options {
        options.clone()
    }

    /// The engine as it is.
    pub fn service(_host: &SimHost, service: Arc<dyn Service>) -> Arc<dyn Service> {
        service
    }

    /// The client as it is.
    pub fn remote(service: Arc<dyn Service>) -> Arc<dyn Service> {
        service
    }
}

#[cfg(not(feature = "planted"))]
pub use calm::{host, options, remote, service, storage};

#[cfg(feature = "planted")]
pub use crate::planted::{host, options, remote, service, storage};
