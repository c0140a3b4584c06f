//! The state of a machine's disk: names, files, locks, counters.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::View;
use super::contents::{Contents, Fate};
use super::directory::{Directory, FileId, NameId};
use super::faults::{OperationKind, Speed};
use super::pages::Image;
use super::record::{Author, DiskChange, DurableFiles, FileNumber, Record};
use super::survivors::{Loss, Survivors};
use crate::process::{Life, ProcessId};
use crate::seed::Fork;

/// A path and what is counted by it.
pub(super) struct Name {
    pub(super) path: Arc<str>,
    /// The interned path of its directory.
    directory: NameId,
    operations: [u64; OperationKind::COUNT],
}

/// A file and who has locked it.
pub(super) struct FileState {
    pub(super) contents: Contents,
    /// What it is called now, or was called last.
    pub(super) name: NameId,
    /// The process and the open file that hold the lock.
    lock: Option<(ProcessId, u64)>,
}

/// All of a disk.
#[derive(Default)]
pub(super) struct Platters {
    names: Vec<Name>,
    /// By every spelling that was met.
    by_path: BTreeMap<Arc<str>, NameId>,
    directories: BTreeMap<NameId, Directory>,
    /// By [`FileId`]. Files are never taken out: a removed one may still be open, or come back.
    files: Vec<FileState>,
    lives: Vec<Arc<Life>>,
    pub(super) capacity_bytes: Option<u64>,
    pub(super) speed: Speed,
    pub(super) operations: u64,
    pub(super) refused_full: u64,
    pub(super) slowed: u64,
    pub(super) record: Record,
    handles: u64,
    power_losses: u64,
}

impl Platters {
    /// Looks a path up, and keeps it if it is new; `true` if it was. `/a`, `/./a` and `/a/` are one.
    pub(super) fn intern(&mut self, path: &Path) -> io::Result<(NameId, bool)> {
        let text = path.to_str().ok_or(io::ErrorKind::InvalidInput)?;
        if let Some(name) = self.by_path.get(text) {
            return Ok((*name, false));
        }
        let plain = plain(path)?;
        if plain.to_str() != Some(text) {
            let (name, new) = self.intern(&plain)?;
            self.by_path.insert(text.into(), name);
            return Ok((name, new));
        }
        // The parent first: its own parent in turn, up to the root, which is its own.
        let directory = match plain.parent() {
            Some(parent) => Some(self.intern(parent)?.0),
            None => None,
        };
        let name = NameId(u32::try_from(self.names.len()).expect("fewer names than that"));
        let path: Arc<str> = text.into();
        let operations = [0; OperationKind::COUNT];
        self.names.push(Name { path: Arc::clone(&path), directory: directory.unwrap_or(name), operations });
        self.by_path.insert(path, name);
        Ok((name, true))
    }

    pub(super) fn name(&self, name: NameId) -> &Name {
        &self.names[name.0 as usize]
    }

    pub(super) fn file(&self, file: FileId) -> &FileState {
        &self.files[file.0 as usize]
    }

    pub(super) fn file_mut(&mut self, file: FileId) -> &mut FileState {
        &mut self.files[file.0 as usize]
    }

    /// The directory called `name`. It need not have been made.
    pub(super) fn directory_mut(&mut self, name: NameId) -> &mut Directory {
        self.directories.entry(name).or_default()
    }

    fn parent_mut(&mut self, name: NameId) -> &mut Directory {
        let directory = self.name(name).directory;
        self.directory_mut(directory)
    }

    /// How many changes of names wait for a sync of the directory called `name`.
    pub(super) fn pending_names(&self, name: NameId) -> usize {
        self.directories.get(&name).map_or(0, Directory::pending_count)
    }

    /// The file that a name leads to now.
    pub(super) fn find(&self, name: NameId) -> Option<FileId> {
        self.directories.get(&self.name(name).directory)?.visible().get(&name).copied()
    }

    /// Makes an empty file. Its name waits for a sync of its directory.
    pub(super) fn create(&mut self, name: NameId, author: Author) -> FileId {
        let file = self.add_file(name, Contents::default());
        let path = Arc::clone(&self.name(name).path);
        let place = self.record.note(author, Some(file), || DiskChange::Create { path });
        self.parent_mut(name).link(name, file, place);
        file
    }

    /// Adds a file that is durable, name and all.
    pub(super) fn add_durable(&mut self, path: &str, contents: Contents) {
        let (name, _) = self.intern(Path::new(path)).expect("text is a path");
        let file = self.add_file(name, contents);
        let directory = self.parent_mut(name);
        directory.link(name, file, None);
        directory.sync();
    }

    fn add_file(&mut self, name: NameId, contents: Contents) -> FileId {
        let file = FileId(u32::try_from(self.files.len()).expect("fewer files than that"));
        self.files.push(FileState { contents, name, lock: None });
        file
    }

    pub(super) fn remove(&mut self, name: NameId, author: Author) -> io::Result<()> {
        let file = self.find(name).ok_or(io::ErrorKind::NotFound)?;
        let path = Arc::clone(&self.name(name).path);
        let place = self.record.note(author, Some(file), || DiskChange::Remove { path });
        self.parent_mut(name).unlink(name, place);
        Ok(())
    }

    pub(super) fn rename_new(&mut self, from: NameId, to: NameId, author: Author) -> io::Result<()> {
        if self.name(from).directory != self.name(to).directory {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        self.parent_mut(from).check_rename(from, to)?;
        let file = self.find(from).expect("it can be renamed");
        let paths = [from, to].map(|name| Arc::clone(&self.name(name).path));
        let change = || {
            let [from, to] = paths;
            DiskChange::Rename { from, to }
        };
        let place = self.record.note(author, Some(file), change);
        self.parent_mut(from).rename(from, to, place);
        self.file_mut(file).name = to;
        Ok(())
    }

    /// Counts an operation: its number on this machine, and that of its kind on this name.
    pub(super) fn count(&mut self, name: NameId, kind: OperationKind) -> (u64, u64) {
        self.operations += 1;
        let nth = &mut self.names[name.0 as usize].operations[kind as usize];
        *nth += 1;
        (self.operations, *nth)
    }

    /// The number of a file that is being opened.
    pub(super) fn next_handle(&mut self) -> u64 {
        self.handles += 1;
        self.handles
    }

    pub(super) fn used_bytes(&self) -> u64 {
        let linked = self.directories.values().flat_map(|directory| directory.visible().values());
        linked.map(|file| self.file(*file).contents.cache_image().length()).sum()
    }

    pub(super) fn free_bytes(&self) -> u64 {
        self.capacity_bytes.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used_bytes()))
    }

    /// Refuses growth by `bytes` that the disk has no room for; a new file wants one byte.
    pub(super) fn claim_room(&mut self, bytes: u64) -> io::Result<()> {
        if bytes > 0 && self.capacity_bytes.is_some() && self.free_bytes() < bytes {
            self.refused_full += 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    pub(super) fn try_lock(&mut self, file: FileId, process: ProcessId, handle: u64) -> bool {
        let lock = &mut self.file_mut(file).lock;
        *lock.get_or_insert((process, handle)) == (process, handle)
    }

    pub(super) fn unlock(&mut self, file: FileId, process: ProcessId, handle: u64) {
        let lock = &mut self.file_mut(file).lock;
        if *lock == Some((process, handle)) {
            *lock = None;
        }
    }

    pub(super) fn admit_process(&mut self, life: Arc<Life>) {
        self.lives.retain(|other| other.is_alive());
        assert!(self.lives.iter().all(|other| other.id() != life.id()), "{:?} lives already", life.id());
        self.lives.push(life);
    }

    pub(super) fn end_process(&mut self, process: ProcessId) {
        for life in self.lives.iter().filter(|life| life.id() == process && life.is_alive()) {
            life.end();
            let author = Author { process, tag: 0 };
            self.record.note(author, None, || DiskChange::Crash { process });
        }
        for file in &mut self.files {
            if file.lock.is_some_and(|(owner, _)| owner == process) {
                file.lock = None;
            }
        }
    }

    pub(super) fn lose_power(&mut self, survivors: Survivors, fork: Fork) -> Loss {
        for life in self.lives.drain(..) {
            life.end();
        }
        let fork = fork.key(self.power_losses);
        self.power_losses += 1;
        let (mut loss, mut fate, mut undone) = (Loss::default(), Fate::default(), Vec::new());
        for (name, directory) in &mut self.directories {
            let path = &self.names[name.0 as usize].path;
            let fork = fork.fork("directory").key(xxh3_64(path.as_bytes()));
            loss.entries_lost += directory.lose_power(survivors, fork, &mut fate.kept, &mut undone);
        }
        let mut linked: Vec<Option<NameId>> = vec![None; self.files.len()];
        for (name, file) in self.directories.values().flat_map(Directory::visible) {
            linked[file.0 as usize] = Some(*name);
        }
        for (file, name) in self.files.iter_mut().zip(linked) {
            file.lock = None;
            match name {
                // By its name and not by its number: files made elsewhere change no choice here.
                Some(name) => {
                    file.name = name;
                    let path = &self.names[name.0 as usize].path;
                    let fork = fork.fork("file").key(xxh3_64(path.as_bytes()));
                    file.contents.lose_power(survivors, fork, &mut loss, &mut fate);
                }
                None => file.contents.vanish(&mut fate),
            }
        }
        let Fate { kept, lost, torn, torn_sectors } = fate;
        let change = || DiskChange::PowerLoss { kept, lost, torn, torn_sectors, undone };
        self.record.note(Author::NOBODY, None, change);
        loss
    }

    /// The durable files, unless a change is pending or a failed sync has dropped one.
    pub(super) fn durable_files(&self) -> Option<DurableFiles> {
        let mut files = Vec::new();
        for directory in self.directories.values() {
            if directory.pending_count() > 0 {
                return None;
            }
            for (name, file) in directory.durable() {
                let contents = &self.file(*file).contents;
                if !contents.is_clean() {
                    return None;
                }
                let path = Arc::clone(&self.name(*name).path);
                files.push((path, FileNumber(file.0), contents.durable_image().clone()));
            }
        }
        Some(files)
    }

    /// As [`create`](Platters::create), of a file whose bytes are durable although its name is not.
    pub(super) fn create_durable(&mut self, name: NameId, author: Author, image: &Image) {
        let file = self.create(name, author);
        if image.length() > 0 {
            self.set_length(file, author, image.length());
            self.write(file, author, 0, &image.to_vec());
            self.sync(file, author);
        }
    }

    pub(super) fn image(&self, view: View) -> Platters {
        let mut copy = Platters::default();
        for directory in self.directories.values() {
            let names = match view {
                View::Cache => directory.visible(),
                View::Durable => directory.durable(),
            };
            for (name, file) in names {
                let contents = &self.file(*file).contents;
                let image = match view {
                    View::Cache => contents.cache_image(),
                    View::Durable => contents.durable_image(),
                };
                copy.add_durable(&self.name(*name).path, Contents::durable(image.clone()));
            }
        }
        copy
    }

    pub(super) fn visible_paths(&self) -> Vec<String> {
        let names = self.directories.values().flat_map(|directory| directory.visible().keys());
        let mut paths: Vec<String> = names.map(|name| self.name(*name).path.to_string()).collect();
        paths.sort_unstable();
        paths
    }

    /// The file that a path leads to now.
    pub(super) fn find_path(&self, path: &str) -> Option<FileId> {
        self.find(*self.by_path.get(path)?)
    }

    pub(super) fn read_all(&self, path: &str) -> io::Result<Vec<u8>> {
        let path = plain(Path::new(path))?;
        let file = path.to_str().and_then(|path| self.find_path(path)).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.file(file).contents.cache_image().to_vec())
    }
}

/// A path without its empty and `.` parts. One with `..` is refused: where that leads depends on
/// links, which this disk does not have.
fn plain(path: &Path) -> io::Result<PathBuf> {
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(path.components().filter(|part| *part != Component::CurDir).collect())
}
