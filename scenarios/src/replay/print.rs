//! What came of a file, for a person.

use super::Replay;
use crate::scn::Scenario;
use std::fmt::Write;

/// The report of one file: a line if it passed, else its story, what was wrong, and why.
pub fn print_replay(scenario: &Scenario, file: &str, replay: &Replay, why: &[String]) -> String {
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes it");
    let verdict = match replay {
        _ if replay.passed() => "passed",
        _ if !replay.unmet.is_empty() || !replay.violations.is_empty() => "FAILED",
        _ if replay.broken.is_some() => "BROKEN",
        _ => "STALE",
    };
    let (simulated, wall) = (replay.simulated.as_secs_f64(), replay.wall.as_secs_f64());
    line(format!("{verdict}  {file}  ({simulated:.0} s in {wall:.2} s)"));
    if replay.passed() {
        return text;
    }
    for why in &scenario.why {
        line(format!("  {}", why.as_str()));
    }
    line(String::new());
    replay.story.iter().for_each(|told| line(format!("  {told}")));
    line(String::new());
    replay.broken.iter().for_each(|why| line(format!("  BROKEN: {why}")));
    for stale in &replay.stale {
        line(format!("  STALE: {stale}"));
    }
    for unmet in &replay.unmet {
        line(format!("  NOT AS EXPECTED, {unmet}"));
    }
    for violation in &replay.violations {
        line(format!("  VIOLATION of {}: {}", violation.clause, violation.sentence));
    }
    if !why.is_empty() {
        line("  why:".into());
        why.iter().for_each(|told| line(format!("  {told}")));
    }
    line(format!("  run it again: cargo xtask replay {file}"));
    text
}
