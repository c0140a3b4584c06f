//! A page of the documentation, followed word by word in a crate outside of the workspace.
//!
//! A nested build, because nothing less shows that the page's manifest, its configuration and its code are enough:
//! inside of the workspace the flag and the versions are there anyway. It has a target folder of its own, so it waits
//! for nobody, and a second run finds what the first one built. Nothing is downloaded: the versions are those of the
//! workspace's lock file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// What replaces the flags of a configuration file. The page's reader has none of them.
const FLAGS: [&str; 4] = ["RUSTFLAGS", "RUSTDOCFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_ENCODED_RUSTDOCFLAGS"];

/// A block of a page.
pub struct Block {
    pub language: String,
    /// The file it is, if the line before says so.
    pub path: Option<String>,
    pub text: String,
}

/// All blocks of a page, in its order.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
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
pub struct Outside {
    folder: PathBuf,
    /// The crate's folder, from there.
    of_crate: &'static str,
}

impl Outside {
    /// For a test of this name.
    pub fn new(name: &str, of_crate: &'static str) -> Self {
        let root = fs::canonicalize(ROOT).unwrap();
        // The same path each time, so that what was built for it is found again; another one for each checkout.
        let checkout = root.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "-");
        let folder = std::env::temp_dir().join(format!("outlive-outside{checkout}-{name}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join(of_crate)).unwrap();
        std::os::unix::fs::symlink(&root, folder.join("outlive")).unwrap();
        fs::copy(root.join("Cargo.lock"), folder.join(of_crate).join("Cargo.lock")).unwrap();
        Self { folder, of_crate }
    }

    /// A file of the crate.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.join(self.of_crate).join(path)
    }

    /// Writes one.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Runs cargo in the crate's folder.
    pub fn cargo(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO"));
        FLAGS.iter().for_each(|variable| {
            command.env_remove(variable);
        });
        command.args(words).current_dir(self.path("")).env("CARGO_NET_OFFLINE", "true");
        // Nobody debugs them here, and it takes half of the time.
        command.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_INCREMENTAL", "0");
        command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside"));
        command.output().unwrap()
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What a program said.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Follows a page: writes its files, runs its commands, makes its changes. `same` compares what a command has printed with what
/// the page says. How many commands and changes there were.
pub fn follow(page: &str, outside: &Outside, same: impl Fn(&str, &str)) -> (usize, usize) {
    let blocks = blocks(page);
    let (mut ran, mut edited) = (0, 0);
    for (place, block) in blocks.iter().enumerate() {
        match (block.language.as_str(), &block.path) {
            (_, Some(path)) => outside.write(path, &block.text),
            ("sh", None) => {
                let words: Vec<&str> = block.text.split_whitespace().collect();
                assert_eq!(words[0], "cargo", "a command of cargo, and one alone: {words:?}");
                let output = outside.cargo(&words[1..]);
                assert!(output.status.success(), "{words:?}:\n{}", text(&output.stderr));
                same(&text(&output.stdout), &blocks[place + 1].text);
                assert_eq!(text(&output.stderr), "", "{words:?}: no warning either");
                ran += 1;
            }
            ("diff", None) => {
                let lines: Vec<&str> = block.text.lines().collect();
                let [path, old, new] = lines[..] else { panic!("a file, a line and its replacement: {lines:?}") };
                let file = outside.path(path);
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
    (ran, edited)
}
