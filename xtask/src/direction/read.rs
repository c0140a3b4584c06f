//! Reads this workspace into the data that the rules look at. Decides nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

use super::{Dependency, Package, Source, Workspace};
use crate::{cargo, tree};

/// Reads manifests, sources and the tree below the queue.
pub fn workspace() -> anyhow::Result<Workspace> {
    Ok(Workspace { packages: packages()?, sources: sources(&tree::root())?, below_the_queue: below_the_queue()? })
}

fn packages() -> anyhow::Result<Vec<Package>> {
    let text = cargo::output(cargo::cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    packages_of(&text).context("`cargo metadata --format-version 1 --no-deps` does not read as it used to")
}

/// The packages in what `cargo metadata` prints.
pub(super) fn packages_of(text: &str) -> anyhow::Result<Vec<Package>> {
    let metadata: Value = serde_json::from_str(text)?;
    list(&metadata, "packages")?
        .iter()
        .map(|package| {
            let dependencies = list(package, "dependencies")?.iter().map(dependency);
            Ok(Package { name: string(package, "name")?, dependencies: dependencies.collect::<anyhow::Result<_>>()? })
        })
        .collect()
}

fn dependency(value: &Value) -> anyhow::Result<Dependency> {
    // An ordinary dependency has a null here.
    let kind = value["kind"].as_str().unwrap_or("normal").to_owned();
    Ok(Dependency { name: string(value, "name")?, kind })
}

fn list<'value>(value: &'value Value, field: &str) -> anyhow::Result<&'value Vec<Value>> {
    value[field].as_array().with_context(|| format!("no list `{field}`"))
}

fn string(value: &Value, field: &str) -> anyhow::Result<String> {
    Ok(value[field].as_str().with_context(|| format!("no text `{field}`"))?.to_owned())
}

fn below_the_queue() -> anyhow::Result<Vec<String>> {
    let words = ["tree", "-p", "outlive", "-e", "normal", "--all-features", "--prefix", "none"];
    let text = cargo::output(cargo::cargo().args(words))?;
    // A package stands there once for each that asks for it.
    let names: BTreeSet<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    Ok(names.into_iter().map(Into::into).collect())
}

fn sources(root: &Path) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for folder in ["queue", "sim"] {
        for path in rust_files(&root.join(folder))? {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let inside = path.strip_prefix(root).expect("it was found below the root");
            let words: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
            sources.push(Source { path: words.join("/"), text });
        }
    }
    Ok(sources)
}

/// The Rust files below `folder`, in order.
fn rust_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
