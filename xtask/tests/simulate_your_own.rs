//! `docs/SIMULATE_YOUR_OWN.md`, followed word by word in a crate outside of the workspace.
//!
//! A nested build, because nothing less shows that the page's manifest, its configuration and its code are enough:
//! inside of the workspace the flag and the versions are there anyway. It has a target folder of its own, so it waits
//! for nobody, and a second run finds what the first one built. Nothing is downloaded: the versions are those of the
//! workspace's lock file. It takes about a minute of one core from nothing: the crate's own dependencies are few.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PAGE: &str = include_str!("../../docs/SIMULATE_YOUR_OWN.md");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// What replaces the flags of a configuration file. The page's reader has none of them.
const FLAGS: [&str; 4] = ["RUSTFLAGS", "RUSTDOCFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_ENCODED_RUSTDOCFLAGS"];

/// A block of the page.
struct Block {
    language: String,
    /// The file it is, if the line before says so.
    path: Option<String>,
    text: String,
}

/// All blocks of the page, in its order.
fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = PAGE.lines();
    let mut said = "";
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let path = said.strip_prefix('`').and_then(|said| said.strip_suffix("`:")).map(String::from);
            blocks.push(Block { language: language.into(), path, text: text.join("\n") + "\n" });
            said = "";
        } else if !line.is_empty() {
            said = line;
        }
    }
    blocks
}

/// An empty folder outside of the workspace, with the repository and a crate's folder in it. Removed at the end.
struct Outside(PathBuf);

impl Outside {
    fn new(name: &str) -> Self {
        let root = fs::canonicalize(ROOT).unwrap();
        // The same path each time, so that what was built for it is found again; another one for each checkout.
        let checkout = root.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "-");
        let folder = std::env::temp_dir().join(format!("outlive-outside{checkout}-{name}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("ledger")).unwrap();
        std::os::unix::fs::symlink(&root, folder.join("outlive")).unwrap();
        fs::copy(root.join("Cargo.lock"), folder.join("ledger/Cargo.lock")).unwrap();
        Self(folder)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join("ledger").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Runs cargo in the crate's folder.
    fn cargo(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO"));
        FLAGS.iter().for_each(|variable| {
            command.env_remove(variable);
        });
        command.args(words).current_dir(self.0.join("ledger")).env("CARGO_NET_OFFLINE", "true");
        // Nobody debugs them here, and it takes half of the time.
        command.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_INCREMENTAL", "0");
        command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside"));
        command.output().unwrap()
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn who_follows_the_page_sees_what_it_says() {
    let outside = Outside::new("page");
    let blocks = blocks();
    let (mut ran, mut edited) = (0, 0);
    for (place, block) in blocks.iter().enumerate() {
        match (block.language.as_str(), &block.path) {
            (_, Some(path)) => outside.write(path, &block.text),
            ("sh", None) => {
                let words: Vec<&str> = block.text.split_whitespace().collect();
                assert_eq!(words[0], "cargo", "a command of cargo, and one alone: {words:?}");
                let output = outside.cargo(&words[1..]);
                assert!(output.status.success(), "{words:?}:\n{}", text(&output.stderr));
                assert_eq!(text(&output.stdout), blocks[place + 1].text, "what {words:?} prints");
                assert_eq!(text(&output.stderr), "", "{words:?}: no warning either");
                ran += 1;
            }
            ("diff", None) => {
                let lines: Vec<&str> = block.text.lines().collect();
                let [path, old, new] = lines[..] else { panic!("a file, a line and its replacement: {lines:?}") };
                let file = outside.0.join("ledger").join(path);
                let before = fs::read_to_string(&file).unwrap();
                assert_eq!(before.matches(&old[1..]).count(), 1, "{old}");
                fs::write(&file, before.replace(&old[1..], &new[1..])).unwrap();
                edited += 1;
            }
            // What was printed, or how folders lie. Code without a file's name would be compiled by nobody.
            ("text", None) => {}
            (language, None) => panic!("a block of {language} without the name of its file:\n{}", block.text),
        }
    }
    assert_eq!((ran, edited), (4, 1), "commands and changes of the page");
}

#[test]
fn a_build_without_the_flag_ends_with_one_error_that_says_what_to_do() {
    let outside = Outside::new("flag");
    let configured = blocks().into_iter().filter_map(|block| Some((block.path?, block.text)));
    for (path, content) in configured.filter(|(path, _)| !path.starts_with(".cargo/")) {
        outside.write(&path, &content);
    }
    let check = outside.cargo(&["check", "--example", "hello"]);
    assert!(!check.status.success(), "it is built without its runtime");
    let said = text(&check.stderr);
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error")).collect();
    let expected = "error: outlive-sim needs `--cfg madsim`, and this build is without it.";
    assert!(errors.len() == 2 && errors[0] == expected, "one error, and cargo's own that it ends here:\n{said}");
    for part in [".cargo/config.toml", "rustflags = [\"--cfg\", \"madsim\"]", "RUSTFLAGS", "even an empty one"] {
        assert!(said.contains(part), "{part}:\n{said}");
    }
    assert!(PAGE.contains("\"outlive-sim needs `--cfg madsim`\""), "the page quotes it");
    // What only reads manifests works.
    let metadata = outside.cargo(&["metadata", "--format-version", "1", "--quiet"]);
    assert!(metadata.status.success(), "{}", text(&metadata.stderr));
}

#[test]
fn the_first_program_of_the_page_is_the_example_of_the_repository() {
    let hello = blocks().into_iter().find(|block| block.path.as_deref() == Some("examples/hello.rs")).unwrap();
    let example = include_str!("../../sim/examples/hello.rs");
    assert_eq!(hello.text, example, "docs/SIMULATE_YOUR_OWN.md and sim/examples/hello.rs differ");
    assert!(example.lines().count() <= 60, "an example to begin with is short");
}
