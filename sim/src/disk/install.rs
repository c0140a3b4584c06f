//! Puts files on an empty disk as a crash may have left them: some of it durable, some pending.

use std::collections::BTreeMap;
use std::path::Path;

use super::SimDisk;
use super::contents::Contents;
use super::directory::FileId;
use super::pages::Image;
use super::platters::Platters;
use super::record::{Author, DiskChange, DurableFiles, FileNumber};

/// The layers of one file.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    pub(crate) durable: Image,
    /// What is read, if a failed sync made it differ by more than what is pending.
    pub(crate) diverged: Option<Image>,
}

/// What is put on a disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Installed {
    /// Files whose names are durable.
    pub(crate) named: DurableFiles,
    /// Every file that has a name, durable or not.
    pub(crate) files: BTreeMap<FileNumber, Layers>,
    /// What no sync has made durable, in order.
    pub(crate) pending: Vec<(FileNumber, DiskChange)>,
}

impl SimDisk {
    /// Puts files on this disk, and begins its record before what is pending, so that the record
    /// knows the fate of that too.
    ///
    /// # Panics
    /// If there is a file already.
    pub(crate) fn install(&self, installed: &Installed) {
        let mut platters = self.0.platters.lock().unwrap();
        assert!(platters.visible_paths().is_empty(), "files are installed on an empty disk");
        let mut numbers: BTreeMap<FileNumber, FileId> = BTreeMap::new();
        for (path, number, image) in &installed.named {
            platters.add_durable(path, Contents::durable(image.clone()));
            let (name, _) = platters.intern(Path::new(&**path)).expect("it was a path");
            numbers.insert(*number, platters.find(name).expect("it was added"));
        }
        platters.begin_record();
        let author = Author::NOBODY;
        let intern = |platters: &mut Platters, path: &str| platters.intern(Path::new(path)).expect("it was a path").0;
        let diverge = |platters: &mut Platters, number: &FileNumber, file: FileId| {
            if let Some(Layers { diverged: Some(cache), .. }) = installed.files.get(number) {
                platters.diverge(file, author, cache);
            }
        };
        // What is pending comes after it: over a cache that has it already it changes nothing.
        for (number, file) in &numbers {
            diverge(&mut platters, number, *file);
        }
        for (number, change) in &installed.pending {
            match change {
                DiskChange::Create { path } => {
                    let name = intern(&mut platters, path);
                    let image = installed.files.get(number).map_or_else(Image::default, |it| it.durable.clone());
                    platters.create_durable(name, author, &image);
                    let file = platters.find(name).expect("it was made");
                    numbers.insert(*number, file);
                    diverge(&mut platters, number, file);
                }
                DiskChange::Rename { from, to } => {
                    let (from, to) = (intern(&mut platters, from), intern(&mut platters, to));
                    platters.rename_new(from, to, author).expect("it was renamed before");
                }
                DiskChange::Remove { path } => {
                    let name = intern(&mut platters, path);
                    platters.remove(name, author).expect("it was removed before");
                }
                DiskChange::Write { offset, bytes, .. }
                | DiskChange::FailedWrite { offset, bytes, .. }
                | DiskChange::MisdirectedWrite { offset, bytes, .. } => {
                    platters.write(numbers[number], author, *offset, bytes);
                }
                DiskChange::SetLength { length, .. } => platters.set_length(numbers[number], author, *length),
                other => unreachable!("{other:?} is never pending"),
            }
        }
    }
}
