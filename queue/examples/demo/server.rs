//! The server of act 2: what `outlive serve` does, with the settings of the demo.

use crate::Problem;
use crate::settings::Settings;
use crate::work::FILE;
use outlive::Outlive;
use outlive::server::{ServeOptions, Server};
use std::path::Path;

/// What it says once it serves, before its URL.
pub const SERVING: &str = "serving jobs.db at ";

/// Serves the queue in `folder` until the process is ended.
pub fn run(folder: &Path, address: &str, settings: Settings) -> Result<(), Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let outlive = Outlive::open_with(folder.join(FILE), settings.options()).await?;
        let server = Server::start(&outlive, address, ServeOptions::default()).await?;
        println!("{SERVING}http://{}", server.address());
        std::future::pending().await
    })
}
