//! The queue's ban list is only as good as its entries: this keeps the ones that determinism and
//! the crash tests rest on. That clippy obeys the list is clippy's own affair.

use std::collections::BTreeMap;
use std::fs;

const REQUIRED: &[&str] = &[
    "std::time::SystemTime::now",
    "std::time::Instant::now",
    "std::thread::spawn",
    "std::thread::sleep",
    "std::thread::Builder::new",
    "std::fs::File::open",
    "std::fs::File::create",
    "std::fs::File::options",
    "std::fs::OpenOptions::new",
    "std::fs::read",
    "std::fs::write",
    "std::fs::rename",
    "std::fs::remove_file",
    "std::fs::metadata",
    "std::path::Path::exists",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::hash::RandomState",
    "tokio::spawn",
    "tokio::task::spawn",
    "tokio::task::spawn_blocking",
    "tokio::time::sleep",
    "tokio::time::timeout",
    "tokio::time::interval",
    "tokio::runtime::Builder",
    "tokio::runtime::Runtime",
    "tokio::runtime::Handle",
    "tokio::fs::File",
    "tokio::net::TcpStream",
    "rand::rng",
];

/// Banned paths with their reasons.
fn entries() -> BTreeMap<String, String> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../queue/clippy.toml");
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("the ban list {file}: {error}"));
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with("{ "));
    lines.map(|line| (field(line, "path"), field(line, "reason"))).collect()
}

fn field(line: &str, name: &str) -> String {
    let (_, after) = line.split_once(&format!("{name} = \"")).unwrap_or_else(|| panic!("no {name}: {line}"));
    after.split_once('"').unwrap_or_else(|| panic!("{name} has no end: {line}")).0.to_owned()
}

#[test]
fn the_queue_may_not_reach_past_its_host() {
    let entries = entries();
    let missing: Vec<_> = REQUIRED.iter().filter(|path| !entries.contains_key(**path)).collect();
    assert!(missing.is_empty(), "no longer banned in queue/clippy.toml: {missing:?}");
}

#[test]
fn every_ban_names_what_to_use_instead() {
    for (path, reason) in entries() {
        assert!(reason.split(' ').count() >= 2, "{path}: {reason:?} helps nobody");
    }
}

#[test]
fn a_list_nearer_to_the_queue_does_not_hide_this_one() {
    // Clippy reads one file alone: `.clippy.toml` would win over `clippy.toml` in the same folder.
    let hidden = concat!(env!("CARGO_MANIFEST_DIR"), "/../queue/.clippy.toml");
    assert!(!fs::exists(hidden).unwrap(), "{hidden} takes the place of the ban list");
}
