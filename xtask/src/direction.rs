//! `cargo xtask direction`: the queue knows no simulator, and the simulator no queue.
//!
//! Three readings, because each misses what another sees: the manifests (every kind of dependency,
//! also those of tests), the source text (a `cfg` or a path needs no dependency of its own), and
//! the whole tree below the queue (what its dependencies bring).

mod read;
mod rules;
#[cfg(test)]
mod tests;

use crate::code::Code;

/// What the check looks at: plain data, so that a test can bring a workspace that is wrong.
#[derive(Debug, Default)]
pub struct Workspace {
    /// Its packages, with what their manifests ask for.
    pub packages: Vec<Package>,
    /// The Rust files of its packages.
    pub sources: Vec<Source>,
    /// Names of the packages that a program with the queue in it is built from.
    pub below_the_queue: Vec<String>,
}

/// One package of the workspace.
#[derive(Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// What its manifest asks for, of any kind and for any platform.
    pub dependencies: Vec<Dependency>,
}

/// One line of a manifest.
#[derive(Debug)]
pub struct Dependency {
    /// The real name of the package, whatever the manifest renames it to.
    pub name: String,
    /// `normal`, `dev` or `build`.
    pub kind: String,
}

/// One Rust file.
#[derive(Debug)]
pub struct Source {
    /// Its path from the root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Checks this workspace.
///
/// # Errors
/// It could not be read. A finding is no error: it is printed.
pub fn run() -> anyhow::Result<Code> {
    let workspace = read::workspace()?;
    let findings = rules::findings(&workspace);
    if findings.is_empty() {
        println!(
            "the direction holds: {} packages, {} source files, {} packages below the queue",
            workspace.packages.len(),
            workspace.sources.len(),
            workspace.below_the_queue.len()
        );
        return Ok(Code::GOOD);
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    eprintln!("\nthe direction of dependencies is broken. To see it alone: cargo xtask direction");
    Ok(Code::FOUND)
}
