//! Starts cargo, and the programs that it built.
//!
//! Every child goes through here, so that the flags are the same for each, and so that every
//! failure says which command shows it alone.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, bail};

use crate::code::Code;
use crate::flags;

/// The cargo that started this program.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    flags::restore(&mut command);
    command
}

/// Runs `command` to its end, with its output where this program's goes.
pub fn wait(command: &mut Command) -> anyhow::Result<Code> {
    let status = command.status().with_context(|| format!("cannot start `{}`", shown(command)))?;
    Ok(status.into())
}

/// Becomes `command`, so that a signal meant for it reaches it. Returns its code where a process
/// cannot become another.
pub fn become_program(mut command: Command) -> anyhow::Result<Code> {
    #[cfg(unix)]
    {
        let error = std::os::unix::process::CommandExt::exec(&mut command);
        Err(error).with_context(|| format!("cannot start `{}`", shown(&command)))
    }
    #[cfg(not(unix))]
    wait(&mut command)
}

/// What `command` prints to its standard output.
///
/// # Errors
/// It could not be started, or ended with anything but success.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let Output { status, stdout, stderr } =
        command.output().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status}):\n{}", shown(command), String::from_utf8_lossy(&stderr).trim_end());
    }
    String::from_utf8(stdout).with_context(|| format!("the output of `{}` is not text", shown(command)))
}

/// `program` with the arguments that the caller was given.
pub fn program(program: &Path, first: &[&str], passed: &[OsString]) -> Command {
    let mut command = Command::new(program);
    command.args(first).args(passed);
    command
}

/// `command` as a person would type it.
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem().unwrap_or_default();
    let words = [program].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
