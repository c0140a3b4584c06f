//! The program: `outlive serve FILE` and `outlive compact FILE`.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a program runs on the real machine")]

mod config;
mod figures;

use clap::{Args, Parser, Subcommand};
use config::Config;
use outlive::job::State;
use outlive::server::Server;
use outlive::{Compacted, Outlive};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Where a server listens unless it is told otherwise.
const ADDRESS: &str = "127.0.0.1:7400";

/// A crash-safe background job queue in one file.
#[derive(Parser)]
#[command(name = "outlive", version, disable_help_subcommand = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the queue in FILE over HTTP, until the process is ended: any way to end it will do.
    Serve(Serve),
    /// Make FILE smaller while nobody uses it: what its queue has no use for any more goes back to the file system.
    Compact {
        /// The queue's file.
        file: PathBuf,
    },
}

#[derive(Args)]
struct Serve {
    /// The queue's file; it is made if there is none.
    file: PathBuf,
    /// A file of TOML that says what is not said here; docs/GUIDE.md shows one.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen: 127.0.0.1:7400 if nothing says otherwise. Port 0 lets the system choose.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// A file whose first line is the token that callers must show. Needed wherever other machines
    /// can reach the address.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Another name under which callers know this server; may be given more than once.
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// For how long jobs that have ended are kept, such as completed=1d or discarded=forever; may be given for each of
    /// completed, cancelled (a week if not given), discarded and quarantined (thirty days).
    #[arg(long = "keep", value_name = "STATE=DURATION", value_parser = kept)]
    keep: Vec<(State, Option<Duration>)>,
}

/// A state in which jobs end, and for how long those are kept.
fn kept(text: &str) -> Result<(State, Option<Duration>), String> {
    let (state, kept) = text.split_once('=').ok_or("it is STATE=DURATION, such as completed=1d")?;
    let ends = State::ALL.iter().copied().filter(|state| state.is_terminal());
    let state = ends.clone().find(|it| it.as_str() == state).ok_or_else(|| {
        let ends: Vec<&str> = ends.map(State::as_str).collect();
        format!("{state:?} is no state in which a job ends; choose one of {}", ends.join(", "))
    })?;
    if kept == "forever" {
        return Ok((state, None));
    }
    let duration = humantime::parse_duration(kept);
    Ok((state, Some(duration.map_err(|why| format!("{kept:?} is no duration: {why}; 12h and 7d are, or forever"))?)))
}

fn main() -> ExitCode {
    let Line { command } = Line::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without IO needs nothing");
    let done = match command {
        Command::Serve(serve) => runtime.block_on(run(serve)).map(|never| match never {}),
        Command::Compact { file } => runtime.block_on(compact(&file)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(serve: Serve) -> Result<std::convert::Infallible, String> {
    let Serve { file, config, listen, token_file, names, keep } = serve;
    let Config { mut queue, mut server } = config.map(|path| Config::read(&path)).transpose()?.unwrap_or_default();
    let token = token_file.or(server.token_file.take()).map(|path| first_line(&path)).transpose()?;
    let listen = listen.or(server.listen.take()).unwrap_or_else(|| ADDRESS.into());
    let options = server.options(token, names, figures::install()?);
    options.check(&listen).map_err(|error| error.to_string())?;
    for (state, kept) in keep {
        *queue.retention.kept_mut(state).expect("its parser knows those in which jobs end") = kept;
    }
    let outlive = Outlive::open_with(&file, queue).await.map_err(|error| error.to_string())?;
    let server = Server::start(&outlive, &listen, options).await.map_err(|error| error.to_string())?;
    println!("serving {} at http://{}", file.display(), server.address());
    Ok(std::future::pending().await)
}

async fn compact(file: &Path) -> Result<(), String> {
    let Compacted { before_bytes, after_bytes } =
        outlive::compact_file(file).await.map_err(|error| error.to_string())?;
    println!("{} had {before_bytes} bytes, and has {after_bytes}", file.display());
    Ok(())
}

fn first_line(path: &PathBuf) -> Result<String, String> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| format!("can't read the token file {}: {error}", path.display()))?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}
