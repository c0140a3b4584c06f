//! What docs/GUIDE.md shows of the shell is run as it stands, against the program itself.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this test is about the real machine")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const GUIDE: &str = include_str!("../../docs/GUIDE.md");
/// Prints the lease in the answer to a claim.
const TAKES_LEASE: &str = r#"sed 's/.*"lease":\({[^}]*}\).*/\1/'"#;
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

/// What `markdown` says of the shell within its sentences: what begins like this between two backticks.
fn spoken<'a>(markdown: &'a str, beginning: &str) -> Vec<&'a str> {
    let spans = markdown.split('`').skip(1).step_by(2);
    spans.filter(|span| span.starts_with(beginning) && !span.contains('\n')).collect()
}

fn assert_curl() {
    let installed = Command::new("curl").arg("--version").output().is_ok();
    assert!(installed, "curl is not installed: sudo apt-get install curl");
}

/// A server, and where it is.
fn serve(directory: &Path) -> (Server, String) {
    let mut serving = Command::new(env!("CARGO_BIN_EXE_outlive"));
    serving.args(["serve", "jobs.db", "--listen", "127.0.0.1:0"]).current_dir(directory);
    let mut server = Server(serving.stdout(Stdio::piped()).spawn().unwrap());
    let mut said = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let url = said.trim().strip_prefix("serving jobs.db at ").unwrap_or_else(|| panic!("it said {said:?}"));
    (server, url.to_owned())
}

/// What a script prints that asks this server.
fn run(script: &str, url: &str) -> String {
    let ran = Command::new("sh").args(["-eu", "-c", &script.replace(SERVED_AT, url)]).output().unwrap();
    let (output, errors) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8(ran.stderr).unwrap());
    assert!(ran.status.success() && errors.is_empty(), "{output}{errors}");
    output.into_owned()
}

#[test]
#[ignore = "needs curl; `cargo xtask test --external` runs it"]
fn curl_alone_works_a_job_as_the_guide_shows() {
    assert_curl();
    let directory = tempfile::tempdir().unwrap();
    let (_server, url) = serve(directory.path());
    let blocks = shell_blocks(GUIDE);
    assert_eq!(blocks.len(), 3, "one block until the claim, one from there, and a transaction");
    let output = run(&blocks.join("\n"), &url);
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

#[test]
#[ignore = "needs curl; `cargo xtask test --external` runs it"]
fn what_the_guide_asks_for_in_passing_is_understood() {
    assert_curl();
    let directory = tempfile::tempdir().unwrap();
    let (_server, url) = serve(directory.path());
    let (functions, _) =
        shell_blocks(GUIDE)[0].split_once("post enqueue").expect("the first block begins with two functions");
    let claim = |kind: &str| {
        let claim = format!(r#"post claim '{{"worker":"curl","kinds":["{kind}"]}}'"#);
        format!("LEASE=$({claim} | {TAKES_LEASE})\n")
    };
    let mut script = functions.to_owned();
    // Letters whose leases are shown, and the job 7 of which the guide speaks: it is discarded.
    script.push_str(&"post enqueue '{\"kind\":\"letter\"}'\n".repeat(6));
    script.push_str("post enqueue '{\"kind\":\"charge\"}'\n");
    script.push_str(&claim("charge"));
    script.push_str(r#"post fail "{\"lease\":$LEASE,\"message\":\"no\",\"retryable\":false}"; "#);
    let posts = spoken(GUIDE, "post ");
    assert!(posts.len() >= 14, "the guide speaks of more than {posts:?}");
    for post in &posts {
        if post.contains("$LEASE") {
            script.push_str(&claim("letter"));
        }
        script.push_str(&format!("echo; echo '{}'; {post}\n", post.replace('\'', " ")));
    }
    // What waits for its result need not wait long.
    script.push_str("post cancel '{\"job\":7}'\n");
    let output = run(&script, &url);
    assert!(!output.contains("\"effect\""), "{output}");

    let gets = spoken(GUIDE, "GET /");
    assert!(gets.len() >= 9, "the guide speaks of more than {gets:?}");
    for get in gets {
        let path = get.trim_start_matches("GET ");
        let script = format!("curl -sS -o answer -w '%{{http_code}}' '{SERVED_AT}{path}'");
        let script = format!("cd '{}'; {script}", directory.path().display());
        assert_eq!(run(&script, &url), "200", "{get}");
    }
}
