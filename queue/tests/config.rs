//! `outlive serve --config FILE`: what it says is done, and what it says wrongly is refused where it stands.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests are about the real machine")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

fn place(config: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("outlive.toml"), config).unwrap();
    directory
}

fn serve(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outlive"));
    command.current_dir(directory).args(["serve", "jobs.db", "--config", "outlive.toml"]).args(arguments);
    command
}

/// What a server says that does not start.
fn refused(config: &str, arguments: &[&str]) -> String {
    let directory = place(config);
    let Output { status, stderr, .. } = serve(directory.path(), arguments).output().unwrap();
    assert!(!status.success(), "it was not refused");
    assert!(!directory.path().join("jobs.db").exists(), "a file was made all the same");
    String::from_utf8(stderr).unwrap()
}

/// The first line of a server that starts; it is ended then.
fn started(config: &str, arguments: &[&str], files: &[(&str, &str)]) -> String {
    let directory = place(config);
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let mut serving = serve(directory.path(), arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let read = BufReader::new(serving.stdout.take().unwrap()).read_line(&mut line);
    serving.kill().unwrap();
    serving.wait().unwrap();
    read.unwrap();
    line
}

#[test]
fn a_whole_file_is_done_as_it_says() {
    let config = r#"
        [server]
        listen = "0.0.0.0:0"
        token_file = "token"
        names = ["jobs.example.org"]
        connections_max = 10
        body_bytes_max = 100000
        patience = "10s"

        [queue]
        page_bytes = 8192

        [queue.retention]
        completed = "1d"
    "#;
    let line = started(config, &[], &[("token", "0123456789abcdef\n")]);
    assert!(line.starts_with("serving jobs.db at http://0.0.0.0:"), "{line}");
}

/// The block of TOML in the guide, of which it says that it is what there is by default.
#[test]
fn the_file_that_the_guide_shows_is_the_default() {
    let guide = include_str!("../../docs/GUIDE.md");
    let (_, rest) = guide.split_once("\n```toml\n").expect("the guide shows one");
    let (shown, _) = rest.split_once("\n```\n").expect("a block that begins has an end");
    let read: toml::Table = shown.parse().unwrap();
    let queue: outlive::Options = read["queue"].clone().try_into().unwrap();
    assert_eq!(queue, outlive::Options::default());
    let line = started(shown, &["--listen", "127.0.0.1:0"], &[]);
    assert!(line.starts_with("serving jobs.db at http://127.0.0.1:"), "{line}");
}

#[test]
fn what_is_said_on_the_command_line_goes_before_what_a_file_says() {
    let line = started("[server]\nlisten = '0.0.0.0:0'\n", &["--listen", "127.0.0.1:0"], &[]);
    assert!(line.starts_with("serving jobs.db at http://127.0.0.1:"), "{line}");
    // This port 0 is the file's: without a token others must not reach it.
    let why = refused("[server]\nlisten = '0.0.0.0:0'\n", &[]);
    assert!(why.contains("0.0.0.0:0 can be reached by other machines, and no token was given"), "{why}");
}

#[test]
fn what_nobody_knows_is_refused_where_it_stands() {
    insta::assert_snapshot!(refused("[queue]\npage_size = 4096\n", &[]));
}

#[test]
fn a_value_that_is_none_is_refused_where_it_stands() {
    insta::assert_snapshot!(refused("[queue.retention]\ncompleted = \"a while\"\n", &[]));
}

#[test]
fn a_value_beyond_its_limit_is_refused_with_the_remedy() {
    let why = refused("[queue.retention]\ndiscarded = \"1ms\"\n", &["--listen", "127.0.0.1:0"]);
    assert!(why.contains("the retention of discarded jobs is 1ms, but the limit is 1s or more"), "{why}");
}

#[test]
fn how_long_things_are_kept_can_be_said_on_the_command_line() {
    let line = started("", &["--listen", "127.0.0.1:0", "--keep", "completed=1d", "--keep", "discarded=forever"], &[]);
    assert!(line.starts_with("serving jobs.db at"), "{line}");
    let why = refused("", &["--keep", "waiting=1d"]);
    assert!(why.contains("\"waiting\" is no state in which a job ends; choose one of completed, discarded"), "{why}");
    let why = refused("", &["--keep", "completed=long"]);
    assert!(why.contains("\"long\" is no duration"), "{why}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let output = serve(directory.path(), &[]).output().unwrap();
    let why = String::from_utf8(output.stderr).unwrap();
    assert!(why.contains("can't read the configuration outlive.toml"), "{why}");
}
