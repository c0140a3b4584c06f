//! Jobs to fill a file with, and what rots in it. For the tests of what is done with the file itself.

use outlive::job::State;
use outlive::{Context, Done, Failure, Filter, Job, Outlive};
use serde::{Deserialize, Serialize};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A job with a text.
#[derive(Serialize, Deserialize)]
pub struct Note {
    /// As long as the test wants it to be.
    pub text: String,
}

impl Job for Note {
    const KIND: &'static str = "note";
    type Output = usize;
}

/// Its handler: how long the text is.
pub async fn measure(_: Context, note: Note) -> Result<Done<usize>, Failure> {
    Ok(Done::complete(note.text.len()))
}

/// A folder that is gone with the test, and where in it the queue is to be.
pub fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("queue.db");
    (directory, path)
}

/// The file as it stands once the checkpoint of the last commit is over: whoever is answered next is so after it.
pub async fn settled(outlive: &Outlive, path: &Path) -> Vec<u8> {
    outlive.list(Filter::state(State::Waiting)).all().await.unwrap();
    fs::read(path).unwrap()
}

/// Changes one byte of a file that is in use, and nothing else.
pub fn rot(path: &Path, at: usize, byte: u8) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&[byte], at as u64).unwrap();
}
