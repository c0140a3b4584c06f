//! `cargo xtask absent`: no program of a plain build holds the name of a planted bug.
//!
//! The names come from the planted program itself, by way of the note that `cargo xtask mutants`
//! leaves; that chore also proves that a program which does hold them is found out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::code::Code;
use crate::{build, planted, tree};

/// Builds the plain programs and searches every one of them.
pub fn run() -> anyhow::Result<Code> {
    let names = planted::recorded()?;
    let simulate = build::plain("simulate")?;
    let folder = tree::programs()?;
    let programs = programs_in(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    if !programs.contains(&simulate) {
        bail!("{} is not among the programs of {}: nothing was searched", simulate.display(), folder.display());
    }
    let wrong = search(&programs, &names)?;
    for (program, name) in &wrong {
        eprintln!("{} holds the name of a planted bug: {name}", program.display());
    }
    if !wrong.is_empty() {
        eprintln!(
            "the code of a planted bug, and any text that names one, belongs behind the feature `planted`; a program \
             that the workspace no longer has can simply be removed. To see it alone: cargo xtask absent"
        );
        return Ok(Code::FOUND);
    }
    println!("{} names of planted bugs in none of {} programs", names.len(), programs.len());
    Ok(Code::GOOD)
}

/// The executable regular files that lie directly in `folder`, in order.
fn programs_in(folder: &Path) -> std::io::Result<BTreeSet<PathBuf>> {
    let mut programs = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() && is_executable(&entry)? {
            programs.insert(entry.path());
        }
    }
    Ok(programs)
}

#[cfg(unix)]
fn is_executable(entry: &fs::DirEntry) -> std::io::Result<bool> {
    Ok(std::os::unix::fs::PermissionsExt::mode(&entry.metadata()?.permissions()) & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(entry: &fs::DirEntry) -> std::io::Result<bool> {
    Ok(entry.path().extension().is_some_and(|extension| extension == std::env::consts::EXE_EXTENSION))
}

fn search<'names>(
    programs: &BTreeSet<PathBuf>,
    names: &'names BTreeSet<String>,
) -> anyhow::Result<Vec<(PathBuf, &'names str)>> {
    let mut wrong = Vec::new();
    for program in programs {
        let bytes = planted::read(program)?;
        wrong.extend(planted::found_in(&bytes, names).into_iter().map(|name| (program.clone(), name)));
    }
    Ok(wrong)
}

#[cfg(all(test, unix))]
mod tests {
    use std::env;
    use std::process;

    use super::*;

    #[test]
    fn only_executables_of_the_folder_itself_are_searched_and_a_name_in_one_is_found() {
        let folder = env::temp_dir().join(format!("outlive-xtask-absent-{}", process::id()));
        fs::create_dir_all(folder.join("deps")).unwrap();
        for (name, mode, text) in [
            ("guilty", 0o755, "…late-sync…"),
            ("innocent", 0o755, "nothing"),
            ("notes.d", 0o644, "late-sync"),
            ("deps/older", 0o755, "late-sync"),
        ] {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        }

        let programs = programs_in(&folder).unwrap();
        let names = BTreeSet::from(["late-sync".to_owned(), "other".to_owned()]);
        let wrong = search(&programs, &names);
        fs::remove_dir_all(&folder).unwrap();

        assert_eq!(programs, BTreeSet::from([folder.join("guilty"), folder.join("innocent")]));
        assert_eq!(wrong.unwrap(), [(folder.join("guilty"), "late-sync")]);
    }
}
