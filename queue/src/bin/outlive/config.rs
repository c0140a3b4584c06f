//! The file of `outlive serve --config`: what may be chosen, all of it optional.

use outlive::Options;
use outlive::server::{Renderer, ServeOptions};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a file says.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the queue's file is opened with.
    pub queue: Options,
    /// What the server does.
    pub server: ServerConfig,
}

/// What a file says of the server.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Where to listen.
    pub listen: Option<String>,
    /// The file with the token; from the configuration's own folder, unless its path is absolute.
    pub token_file: Option<PathBuf>,
    /// Names under which callers know the server.
    pub names: Vec<String>,
    connections_max: Option<usize>,
    body_bytes_max: Option<usize>,
    #[serde(deserialize_with = "duration")]
    patience: Option<Duration>,
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Where in it is what that can't be read, and why.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("can't read the configuration {}: {error}", path.display()))?;
        let mut config: Self = toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        if let (Some(token_file), Some(folder)) = (&mut config.server.token_file, path.parent()) {
            *token_file = folder.join(&*token_file);
        }
        Ok(config)
    }
}

impl ServerConfig {
    /// The options of a server, with this token, these names beside the file's own, and these figures.
    pub fn options(self, token: Option<String>, names: Vec<String>, metrics: Renderer) -> ServeOptions {
        let default = ServeOptions::default();
        ServeOptions {
            token,
            names: self.names.into_iter().chain(names).collect(),
            connections_max: self.connections_max.unwrap_or(default.connections_max),
            body_bytes_max: self.body_bytes_max.unwrap_or(default.body_bytes_max),
            patience: self.patience.unwrap_or(default.patience),
            metrics: Some(metrics),
        }
    }
}

fn duration<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parsed = humantime::parse_duration(&text);
    parsed.map(Some).map_err(|why| serde::de::Error::custom(format!("{text:?} is no duration ({why}), such as 60s")))
}
