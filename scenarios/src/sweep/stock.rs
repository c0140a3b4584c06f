//! Stock SQLite as a second reader of every image: the file is sound, and it shows the same rows.

use crate::image::{TABLES, dump};
use crate::workload::PATH;
use outlive_sim::SimDisk;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder for one image at a time, in memory where there is a file system in memory.
pub struct Stock {
    folder: PathBuf,
}

const IN_MEMORY: &str = "/dev/shm";

impl Stock {
    /// A folder of this process.
    ///
    /// # Errors
    /// It can't be made.
    pub fn new() -> std::io::Result<Self> {
        let in_memory = Path::new(IN_MEMORY);
        let parent = if in_memory.is_dir() { in_memory.to_owned() } else { std::env::temp_dir() };
        let folder = parent.join(format!("outlive-sweep-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// What is wrong with the file of an image; `None` if there is no file yet.
    pub fn check(&self, disk: &SimDisk) -> Option<Result<(), String>> {
        let database = disk.read_all(PATH).ok()?;
        Some(self.compare(disk, &database))
    }

    fn compare(&self, disk: &SimDisk, database: &[u8]) -> Result<(), String> {
        let path = self.folder.join("queue.db");
        let error = |error: std::io::Error| format!("the image can't be written to {}: {error}", path.display());
        for leftover in ["queue.db-shm", "queue.db-wal"] {
            drop(fs::remove_file(self.folder.join(leftover)));
        }
        fs::write(&path, database).map_err(error)?;
        if let Ok(log) = disk.read_all(&format!("{PATH}-wal")) {
            fs::write(self.folder.join("queue.db-wal"), log).map_err(error)?;
        }
        let theirs = read(&path).map_err(|error| format!("stock SQLite: {error}"))?;
        let ours = dump(disk, PATH)?;
        match theirs.iter().zip(&ours).find(|(theirs, ours)| theirs != ours) {
            Some((theirs, ours)) => Err(format!("stock SQLite reads {theirs}, and the checkers read {ours}")),
            None if theirs.len() != ours.len() => {
                Err(format!("stock SQLite reads {} rows, and the checkers read {}", theirs.len(), ours.len()))
            }
            None => Ok(()),
        }
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        // A folder of temporary files that stays behind hurts nobody.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn read(path: &Path) -> rusqlite::Result<Vec<String>> {
    let connection = Connection::open(path)?;
    let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if sound != "ok" {
        return Ok(vec![format!("a file that is not sound: {sound}")]);
    }
    let mut lines = Vec::new();
    for table in TABLES {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}"))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let mut line = table.to_owned();
            for column in 0..columns {
                line.push(' ');
                line.push_str(&cell(row.get_ref(column)?));
            }
            lines.push(line);
        }
    }
    lines.sort();
    Ok(lines)
}

fn cell(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "-".into(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(text) => format!("{:?}", String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => format!("{bytes:?}"),
    }
}
