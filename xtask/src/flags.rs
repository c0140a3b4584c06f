//! Keeps `--cfg madsim` where the environment would remove it.
//!
//! The flag stands in `.cargo/config.toml`, and a flags variable in the environment, even an empty
//! one, replaces that file's flags instead of adding to them. The simulator would then be built
//! without its runtime. So whichever of these variables is set gets the flag as well, and keeps
//! what it had. A variable that is not set stays unset: setting it would hide the file.

use std::env;
use std::ffi::{OsStr, OsString};
use std::process::Command;

/// The variables that replace flags of `.cargo/config.toml`, and what separates the flags in each.
const VARIABLES: [(&str, &str); 4] = [
    ("RUSTFLAGS", " "),
    ("RUSTDOCFLAGS", " "),
    ("CARGO_ENCODED_RUSTFLAGS", "\u{1f}"),
    ("CARGO_ENCODED_RUSTDOCFLAGS", "\u{1f}"),
];

/// Gives `command` the flag in every flags variable that this process was started with.
pub fn restore(command: &mut Command) {
    for (variable, separator) in VARIABLES {
        if let Some(flags) = env::var_os(variable) {
            command.env(variable, with_madsim(&flags, separator));
        }
    }
}

fn with_madsim(flags: &OsStr, separator: &str) -> OsString {
    let text = flags.to_string_lossy();
    let words: Vec<&str> = text.split(separator).filter(|word| !word.is_empty()).collect();
    if words.windows(2).any(|pair| pair == ["--cfg", "madsim"]) || words.contains(&"--cfg=madsim") {
        return flags.to_owned();
    }
    let mut all = flags.to_owned();
    if !words.is_empty() {
        all.push(separator);
    }
    all.push(["--cfg", "madsim"].join(separator));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_is_added_once_and_nothing_is_lost() {
        for (separator, before, after) in [
            (" ", "", "--cfg madsim"),
            (" ", "-C target-cpu=native", "-C target-cpu=native --cfg madsim"),
            (" ", "--cfg madsim -Dwarnings", "--cfg madsim -Dwarnings"),
            (" ", "--cfg=madsim", "--cfg=madsim"),
            (" ", "--cfg madsim2", "--cfg madsim2 --cfg madsim"),
            ("\u{1f}", "", "--cfg\u{1f}madsim"),
            ("\u{1f}", "-Dwarnings", "-Dwarnings\u{1f}--cfg\u{1f}madsim"),
            ("\u{1f}", "--cfg\u{1f}madsim", "--cfg\u{1f}madsim"),
        ] {
            assert_eq!(with_madsim(before.as_ref(), separator), after, "{before:?}");
        }
    }
}
