//! The check is only worth something if it fails: every case is a workspace that is right but for
//! one thing, and the words that the finding must have.

use super::read::packages_of;
use super::rules::findings;
use super::{Dependency, Package, Source, Workspace};

fn right() -> Workspace {
    let package = |name: &str, dependencies: &[&str]| Package {
        name: name.into(),
        dependencies: dependencies.iter().map(|name| dependency(name, "normal")).collect(),
    };
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    Workspace {
        packages: vec![
            package("outlive", &["turso_core", "tokio"]),
            package("outlive-sim", &["madsim", "rand"]),
            package("outlive-trial", &["outlive", "outlive-sim"]),
            package("outlive-scenarios", &["outlive", "outlive-sim", "outlive-trial", "turso_core"]),
            package("xtask", &["clap"]),
        ],
        sources: vec![
            source("queue/src/lib.rs", "//! Time may be simulated.\n#[cfg(unix)]\nmod os;\nmod simulation_notes;\n"),
            source("sim/src/lib.rs", "#[cfg(madsim)]\nuse outlive_sim::run;\n"),
            source("scenarios/src/lib.rs", "use madsim::time;\nuse outlive::Outlive;\nuse outlive_sim::run;\n"),
        ],
        below_the_queue: vec!["outlive".into(), "turso_core".into()],
    }
}

fn dependency(name: &str, kind: &str) -> Dependency {
    Dependency { name: name.into(), kind: kind.into() }
}

#[test]
fn the_right_direction_has_no_finding() {
    assert_eq!(findings(&right()), Vec::<String>::new());
}

#[test]
fn a_dependency_against_the_direction_is_found_whatever_its_kind() {
    for (package, banned, kind) in [
        ("outlive", "outlive-sim", "dev"),
        ("outlive", "outlive-scenarios", "dev"),
        ("outlive", "madsim", "normal"),
        ("outlive", "madsim-tokio", "normal"),
        ("outlive", "xtask", "build"),
        ("outlive-sim", "outlive", "dev"),
        ("outlive-sim", "outlive-scenarios", "dev"),
        ("outlive-sim", "turso_core", "normal"),
        ("outlive-sim", "xtask", "dev"),
        ("outlive-trial", "outlive-scenarios", "dev"),
        ("outlive-trial", "xtask", "normal"),
        ("outlive-scenarios", "xtask", "dev"),
    ] {
        let mut workspace = right();
        let from = workspace.packages.iter_mut().find(|known| known.name == package).unwrap();
        from.dependencies.push(dependency(banned, kind));
        only(&workspace, &format!("package `{package}` depends on `{banned}` ({kind})"));
    }
}

#[test]
fn nobody_depends_on_xtask_not_even_a_package_that_no_rule_names() {
    let mut workspace = right();
    workspace.packages.push(Package { name: "new".into(), dependencies: vec![dependency("xtask", "dev")] });
    only(&workspace, "package `new` depends on `xtask`");
}

#[test]
fn a_word_against_the_direction_is_found_in_its_line() {
    for (path, line, found) in [
        ("queue/src/engine/mod.rs", "    // madsim cannot do this", "queue/src/engine/mod.rs:2: says `madsim`"),
        ("queue/tests/a.rs", "use outlive_sim::Seed;", "queue/tests/a.rs:2: says `outlive_sim`"),
        ("queue/src/a.rs", "use outlive_scenarios::x;", "queue/src/a.rs:2: says `outlive_scenarios`"),
        ("sim/src/world.rs", "use outlive::host::Host;", "sim/src/world.rs:2: says `outlive::`"),
        ("sim/tests/a.rs", "turso_core::IO", "sim/tests/a.rs:2: says `turso_core`"),
    ] {
        only(&with_line(path, line), found);
    }
}

#[test]
fn the_queue_is_not_compiled_differently_in_simulation() {
    for line in [
        "#[cfg(simulation)]",
        "#[cfg(not(simulation))]",
        "#[cfg(feature = \"simulation\")]",
        "#[cfg_attr(all(test, simulation), ignore)]",
        "if cfg!(simulation) {",
    ] {
        only(&with_line("queue/src/a.rs", line), "queue/src/a.rs:2: is compiled differently under `simulation`");
    }
    for line in ["// a simulation may", "#[cfg(unix)] mod simulations;", "#[cfg(madsimulation_off)]"] {
        let found = findings(&with_line("queue/src/a.rs", line));
        assert!(!found.iter().any(|finding| finding.contains("compiled differently")), "{line}: {found:?}");
    }
    let both = findings(&with_line("queue/src/a.rs", "#[cfg(madsim)]"));
    assert!(both.iter().any(|finding| finding.contains("compiled differently under `madsim`")), "{both:?}");
}

#[test]
fn what_a_dependency_of_the_queue_brings_is_found() {
    let mut workspace = right();
    workspace.below_the_queue.push("madsim-macros".into());
    only(&workspace, "the queue is built from `madsim-macros`");
}

#[test]
fn a_rule_about_something_that_is_gone_is_a_finding() {
    let mut workspace = right();
    workspace.packages.retain(|package| package.name != "outlive-sim");
    only(&workspace, "no package `outlive-sim`");

    let mut workspace = right();
    workspace.sources.retain(|source| !source.path.starts_with("queue/"));
    only(&workspace, "no Rust file in queue/");

    let mut workspace = right();
    workspace.below_the_queue.clear();
    only(&workspace, "the tree of `outlive` does not begin with `outlive`");
}

#[test]
fn what_cargo_prints_is_read_with_the_real_names_and_kinds() {
    let packages = packages_of(
        r#"{"packages": [{"name": "outlive", "dependencies": [
            {"name": "madsim", "rename": "tokio", "kind": null},
            {"name": "outlive-sim", "rename": null, "kind": "dev"}]}]}"#,
    )
    .unwrap();
    let read: Vec<_> = packages[0].dependencies.iter().map(|found| (&*found.name, &*found.kind)).collect();
    assert_eq!((&*packages[0].name, read), ("outlive", vec![("madsim", "normal"), ("outlive-sim", "dev")]));
    assert!(packages_of(r#"{"packages": [{"name": "outlive"}]}"#).is_err(), "a missing list is not an empty one");
}

fn with_line(path: &str, line: &str) -> Workspace {
    let mut workspace = right();
    workspace.sources.push(Source { path: path.into(), text: format!("//! First line.\n{line}\n") });
    workspace
}

fn only(workspace: &Workspace, words: &str) {
    let findings = findings(workspace);
    assert_eq!(findings.len(), 1, "{words}: {findings:?}");
    assert!(findings[0].starts_with(words), "{words}: {findings:?}");
}
