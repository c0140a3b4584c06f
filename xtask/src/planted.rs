//! The names of the planted bugs: asked of a planted program, kept in a note for [`crate::absent`],
//! looked for in programs. The names themselves stand in `scenarios/` alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::{cargo, tree};

/// Asks the planted program `simulate` for its names and notes them.
///
/// # Errors
/// It names none, or a search of its own bytes does not find each: such a search would find
/// nothing anywhere, and its silence would prove nothing.
pub fn record(simulate: &Path) -> anyhow::Result<()> {
    let list = cargo::output(&mut cargo::program(simulate, &["mutants", "--list"], &[]))?;
    let names = parse(&list).context("the list of `simulate mutants --list`")?;
    let missed: Vec<_> = {
        let found = found_in(&read(simulate)?, &names);
        names.iter().filter(|name| !found.contains(name.as_str())).map(String::as_str).collect()
    };
    if !missed.is_empty() {
        bail!(
            "the planted program prints these names but does not hold them as they are, so a search for them in other \
             programs would prove nothing: {}",
            missed.join(", ")
        );
    }
    let note = note()?;
    fs::write(&note, list).with_context(|| format!("cannot write {}", note.display()))
}

/// The names that the last [`record`] noted.
///
/// # Errors
/// There is no note yet, or it is empty.
pub fn recorded() -> anyhow::Result<BTreeSet<String>> {
    let note = note()?;
    let list = fs::read_to_string(&note).with_context(|| {
        format!("no list of planted bugs in {}: `cargo xtask mutants --list` writes it", note.display())
    })?;
    parse(&list).with_context(|| note.display().to_string())
}

/// Which of `names` occur in `bytes`.
pub fn found_in<'names>(bytes: &[u8], names: &'names BTreeSet<String>) -> BTreeSet<&'names str> {
    let mut by_first_byte: [Vec<&str>; 256] = [const { Vec::new() }; 256];
    for name in names {
        by_first_byte[usize::from(name.as_bytes()[0])].push(name);
    }
    let mut found = BTreeSet::new();
    for (at, byte) in bytes.iter().enumerate() {
        for name in &by_first_byte[usize::from(*byte)] {
            if bytes[at..].starts_with(name.as_bytes()) {
                found.insert(*name);
            }
        }
    }
    found
}

/// The bytes of a program.
pub fn read(program: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(program).with_context(|| format!("cannot read {}", program.display()))
}

fn note() -> anyhow::Result<PathBuf> {
    tree::note("planted-names.txt")
}

fn parse(list: &str) -> anyhow::Result<BTreeSet<String>> {
    let names: BTreeSet<String> = list.lines().map(str::trim).filter(|name| !name.is_empty()).map(Into::into).collect();
    if names.is_empty() {
        bail!("it names no planted bug");
    }
    if let Some(name) = names.iter().find(|name| name.contains(char::is_whitespace)) {
        bail!("one name a line is expected, not {name:?}");
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_wherever_it_stands() {
        let names = parse("late-sync\nkey-forgotten\nlate-lease\n").unwrap();
        for (bytes, found) in [
            (&b""[..], &[][..]),
            (b"late-syn\0c late-", &[]),
            (b"late-sync", &["late-sync"]),
            (b"\xff\0llate-lease\0", &["late-lease"]),
            (b"late-late-synckey-forgottenlate-sync", &["key-forgotten", "late-sync"]),
        ] {
            assert_eq!(found_in(bytes, &names).into_iter().collect::<Vec<_>>(), found);
        }
    }

    #[test]
    fn an_empty_list_is_refused() {
        for list in ["", "\n  \n", "two words\n"] {
            assert!(parse(list).is_err(), "{list:?}");
        }
    }
}
