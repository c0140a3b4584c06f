//! What docs/GUIDE.md shows of the shell is run as it stands, against the program itself.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this test is about the real machine")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const SERVED_AT: &str = "http://127.0.0.1:7400";

/// Ends the server whatever happens.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().expect("it was started, and nobody waited for it");
        self.0.wait().expect("it was killed");
    }
}

/// The blocks of `markdown` that are marked as shell.
fn shell_blocks(markdown: &str) -> Vec<&str> {
    let blocks = markdown.split("\n```sh\n").skip(1);
    blocks.map(|rest| rest.split_once("\n```\n").expect("a block that begins has an end").0).collect()
}

#[test]
#[ignore = "needs curl; `cargo xtask test --external` runs it"]
fn curl_alone_works_a_job_as_the_guide_shows() {
    let installed = Command::new("curl").arg("--version").output().is_ok();
    assert!(installed, "curl is not installed: sudo apt-get install curl");
    let directory = tempfile::tempdir().unwrap();
    let mut serving = Command::new(env!("CARGO_BIN_EXE_outlive"));
    serving.args(["serve", "jobs.db", "--listen", "127.0.0.1:0"]).current_dir(directory.path());
    let mut server = Server(serving.stdout(Stdio::piped()).spawn().unwrap());
    let mut said = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let url = said.trim().strip_prefix("serving jobs.db at ").unwrap_or_else(|| panic!("it said {said:?}"));

    let blocks = shell_blocks(include_str!("../../docs/GUIDE.md"));
    assert_eq!(blocks.len(), 3, "one block until the claim, one from there, and a transaction");
    let script = blocks.join("\n").replace(SERVED_AT, url);
    let ran = Command::new("sh").args(["-eu", "-c", &script]).output().unwrap();
    let (output, errors) = (String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap());
    assert!(ran.status.success() && errors.is_empty(), "{output}{errors}");
    let lines: Vec<&str> = output.lines().filter(|line| !line.is_empty()).collect();
    let (lines, transaction) = lines.split_at(lines.len().min(6));
    let [enqueued, claimed, started, renewed, completed, explained] = lines[..] else { panic!("{output}") };
    assert_eq!(enqueued, r#"{"job":1,"fresh":true}"#);
    assert!(claimed.contains(r#""payload":{"to":"ada@example.org"}"#), "{claimed}");
    assert_eq!((started, completed), ("{}", "{}"));
    assert_eq!(renewed, r#"{"leases":[{"lease":"renewed","cancel":false}]}"#);
    assert!(explained.contains("Job 1 (mail) completed at "), "{explained}");
    let [begun, made, inserted, follows, committed, settled] = transaction[..] else { panic!("{output}") };
    assert_eq!((begun, follows), (r#"{"place":1}"#, r#"{"job":2,"fresh":true}"#));
    let changed = |rows| format!(r#"{{"columns":[],"rows":[],"changed":{rows}}}"#);
    assert_eq!((made, inserted), (&*changed(0), &*changed(1)));
    assert_eq!([committed, settled], [r#"{"committed":true}"#; 2]);
}
