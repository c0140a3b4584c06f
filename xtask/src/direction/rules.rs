//! The rules of direction, pure: a workspace goes in, findings come out.

use super::{Source, Workspace};

/// A package that must not ask for another.
struct Ban {
    package: &'static str,
    /// Each stands for its family as well: `madsim` also bans `madsim-tokio`.
    must_not_know: &'static [&'static str],
    because: &'static str,
}

const BANS: &[Ban] = &[
    Ban {
        package: "outlive",
        must_not_know: &["outlive-sim", "outlive-scenarios", "madsim", "xtask"],
        because: "the queue must not know what tests it; `scenarios/` is where both meet",
    },
    Ban {
        package: "outlive-sim",
        must_not_know: &["outlive", "outlive-scenarios", "turso_core", "xtask"],
        because: "the simulator is for any system; what belongs to this one stands in `scenarios/`",
    },
    Ban {
        package: "outlive-trial",
        must_not_know: &["outlive-scenarios", "turso_core", "xtask"],
        because: "who tests a handler builds this, and should not build all that tests the queue",
    },
    Ban {
        package: "outlive-scenarios",
        must_not_know: &["xtask"],
        because: "xtask drives the others, and nobody drives xtask",
    },
];

/// Words that must not occur in the Rust files of a folder, in code or in comments.
struct Silence {
    folder: &'static str,
    must_not_say: &'static [&'static str],
    because: &'static str,
}

const SILENCES: &[Silence] = &[
    Silence {
        folder: "queue/",
        must_not_say: &["madsim", "outlive_sim", "outlive_scenarios"],
        because: "the queue never names its simulator: what differs there goes through a trait of `host`",
    },
    Silence {
        folder: "sim/",
        must_not_say: &["outlive::", "turso_core", "outlive_scenarios"],
        because: "the simulator never names the queue: what knows both stands in `scenarios/`",
    },
];

/// The folder whose code must be the same in production and in simulation, and what it must
/// therefore not be configured by.
const SAME_CODE: &str = "queue/";
const CONFIGURATIONS: &[&str] = &["simulation", "madsim"];

/// What is wrong with `workspace`, a line each.
pub fn findings(workspace: &Workspace) -> Vec<String> {
    let mut findings = missing(workspace);
    findings.extend(manifests(workspace));
    for source in &workspace.sources {
        findings.extend(words(source));
        findings.extend(configurations(source));
    }
    findings.extend(below(workspace));
    findings
}

/// A rule about nothing would hold for ever.
fn missing(workspace: &Workspace) -> Vec<String> {
    let mut findings = Vec::new();
    for Ban { package, .. } in BANS {
        if !workspace.packages.iter().any(|known| known.name == *package) {
            findings.push(format!("no package `{package}`: was it renamed? The rules name it"));
        }
    }
    for Silence { folder, .. } in SILENCES {
        if !workspace.sources.iter().any(|source| source.path.starts_with(folder)) {
            findings.push(format!("no Rust file in {folder}: was it renamed? The rules name it"));
        }
    }
    if !workspace.below_the_queue.iter().any(|name| name == "outlive") {
        findings.push("the tree of `outlive` does not begin with `outlive`: it was not read".into());
    }
    findings
}

fn manifests(workspace: &Workspace) -> Vec<String> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        for dependency in &package.dependencies {
            for ban in BANS.iter().filter(|ban| ban.package == package.name) {
                if ban.must_not_know.iter().any(|banned| is_of_family(&dependency.name, banned)) {
                    findings.push(format!(
                        "package `{}` depends on `{}` ({}): {}",
                        package.name, dependency.name, dependency.kind, ban.because
                    ));
                }
            }
            if !BANS.iter().any(|ban| ban.package == package.name) && dependency.name == "xtask" {
                findings.push(format!("package `{}` depends on `xtask`: nobody may", package.name));
            }
        }
    }
    findings
}

fn words(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    for silence in SILENCES.iter().filter(|silence| source.path.starts_with(silence.folder)) {
        for (line, number) in source.text.lines().zip(1..) {
            for word in silence.must_not_say.iter().filter(|word| line.contains(**word)) {
                findings.push(format!("{}:{number}: says `{word}`: {}", source.path, silence.because));
            }
        }
    }
    findings
}

fn configurations(source: &Source) -> Vec<String> {
    if !source.path.starts_with(SAME_CODE) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (line, number) in source.text.lines().zip(1..) {
        for name in CONFIGURATIONS.iter().filter(|name| is_configured_by(line, name)) {
            findings.push(format!(
                "{}:{number}: is compiled differently under `{name}`: what is simulated must be what is shipped",
                source.path
            ));
        }
    }
    findings
}

fn below(workspace: &Workspace) -> Vec<String> {
    let banned = ["madsim", "outlive-sim", "outlive-scenarios", "xtask"];
    let names = workspace.below_the_queue.iter();
    names
        .filter(|name| banned.iter().any(|banned| is_of_family(name, banned)))
        .map(|name| {
            format!("the queue is built from `{name}`. To see how: cargo tree -p outlive -e normal --all-features")
        })
        .collect()
}

/// Whether `name` is `family` or begins with it and a hyphen.
fn is_of_family(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Whether `line` has a `cfg(…)`, `cfg!(…)` or `cfg_attr(…)` with `name` as a word in it.
fn is_configured_by(line: &str, name: &str) -> bool {
    let is_inside = |at: usize| ["cfg(", "cfg!(", "cfg_attr("].iter().any(|opening| line[..at].contains(opening));
    let is_part_of_word = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(name).any(|(at, _)| {
        is_inside(at) && !line[..at].ends_with(is_part_of_word) && !line[at + name.len()..].starts_with(is_part_of_word)
    })
}
