//! The crash sweep, through the command that a person gives.

use std::process::Command;

fn sweep(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_simulate")).arg("sweep").args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// The number in the first column of the row that begins so.
fn number(report: &str, row: &str) -> u64 {
    let line = report.lines().find(|line| line.starts_with(&format!("| {row} "))).expect(row);
    line.split('|').nth(2).unwrap().trim().parse().unwrap()
}

#[test]
fn every_crash_of_the_smallest_workload_is_recovered_from_and_judged() {
    let (code, report) = sweep(&["five", "--depth", "1"]);
    assert_eq!(code, Some(0), "{report}");
    assert!(report.contains("no violation"), "{report}");
    let [made, distinct, judged] =
        ["images", "distinct images", "recovered and judged"].map(|row| number(&report, row));
    assert!(distinct < made && distinct > 300, "{report}");
    assert_eq!((judged, number(&report, "not visited")), (distinct, 0), "{report}");
    let [stock, settled] = ["opened by stock SQLite", "run to the end"].map(|row| number(&report, row));
    assert!(stock > distinct / 2 && stock <= judged && settled > 20, "{report}");
}

#[test]
fn what_can_not_be_swept_is_named() {
    for (arguments, named) in [
        (&["sixty"][..], "neither a built-in workload"),
        (&["five", "--point", "100000", "--image", "0"], "there is no point 100000"),
        (&["five", "--point", "3", "--image", "nothing"], "has a hash that begins with nothing"),
    ] {
        let (code, report) = sweep(arguments);
        assert_eq!(code, Some(2), "{report}");
        assert!(report.contains(named), "{report}");
    }
}
