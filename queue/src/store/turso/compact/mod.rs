//! A file without the pages that nothing is in: those at its end are moved to where they are.
//!
//! It is done in rounds. A round is a commit like any other, written into the empty log without the database, which
//! does not do this: the next opening recovers it, and the next checkpoint moves it into the file and cuts that. A crash
//! leaves a file with a part of the way behind it.
//!
//! Pages are moved as they are: what is half empty stays so. A page is named by one other, or by a row of the schema; where, is
//! found out by a walk over the whole file, which must account for each page of it.

mod log;
#[cfg(test)]
mod tests;
mod tree;

use super::layout::Layout;
use super::lock::beside;
use super::sums::{is_whole, seal};
use super::wal::{FRAME_HEADER_BYTES, HEADER_BYTES, directory};
use crate::host::{Disk, DiskFile, Host, OpenMode, Operation, random_u64};
use crate::store::{Compaction, StoreError};
use log::log;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use tree::{Kind, Pointer, freelist, freelist_leaves_max, pointers};

/// See the module.
pub struct FileCompaction<H: Host> {
    host: H,
    path: PathBuf,
    file: <H::Disk as Disk>::File,
    layout: Layout,
    /// Of each page, by its number, what names it, if it is one that something is in.
    names: Vec<Option<Name>>,
    /// Pages that nothing is in.
    free: BTreeSet<u32>,
    /// Pages that a round writes, and a few more.
    round_pages: usize,
}

/// What names a page.
#[derive(Clone, Copy)]
struct Name {
    /// The page in which it stands.
    page: u32,
    pointer: Pointer,
}

/// Pages as they are to be after a round.
type Changed = BTreeMap<u32, Vec<u8>>;

/// What it takes to move a page: its new place, and what names it; and so that it is worth it.
const PAGES_MOVED_MIN: usize = 4;

/// Where the database keeps its lock, in bytes; it never writes to the page of that.
const LOCK_BYTE: u64 = 1 << 30;

impl<H: Host> FileCompaction<H> {
    /// Walks over the file, whose log must be empty, and whose lock the caller holds.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it is not understood to the last page: then it is left alone.
    pub async fn begin(host: H, path: PathBuf, round_pages: usize) -> Result<Self, StoreError> {
        let broken = |error: io::Error| StoreError::Broken(format!("{}: {error}", path.display()));
        let file = host.disk().open(&path, OpenMode::Existing).map_err(broken)?;
        let layout = Layout::read(&file).map_err(broken)?;
        let names = vec![None; layout.pages as usize + 1];
        let mut compaction = Self { host, path, file, layout, names, free: BTreeSet::new(), round_pages };
        if layout.has_pointer_map {
            return Err(compaction.odd(1, "it keeps a map of its pages, as SQLite's auto-vacuum does"));
        }
        compaction.find_free(layout.first_free).await?;
        // A file without a free page need not be understood.
        if !compaction.free.is_empty() {
            compaction.find_names().await?;
        }
        Ok(compaction)
    }

    async fn find_free(&mut self, first: u32) -> Result<(), StoreError> {
        let mut trunk = (first != 0).then_some(first);
        while let Some(number) = trunk {
            self.add_free(number, number)?;
            let page = self.page(&Changed::new(), number).await?;
            let (next, leaves) = freelist(&page, self.layout.usable()).map_err(|odd| self.odd(number, &odd))?;
            for leaf in leaves {
                self.add_free(number, leaf)?;
            }
            trunk = next;
        }
        Ok(())
    }

    fn add_free(&mut self, trunk: u32, number: u32) -> Result<(), StoreError> {
        if !(2..=self.layout.pages).contains(&number) || !self.free.insert(number) {
            return Err(
                self.odd(trunk, &format!("it counts page {number} as free, which is not there or counted already"))
            );
        }
        Ok(())
    }

    /// Finds what names each page.
    async fn find_names(&mut self) -> Result<(), StoreError> {
        let mut left = vec![(1, Kind::Schema)];
        while let Some((number, kind)) = left.pop() {
            for pointer in self.pointers_in(number, kind, &self.page(&Changed::new(), number).await?)? {
                let to = pointer.to;
                let is_there = (2..=self.layout.pages).contains(&to) && !self.free.contains(&to);
                if !is_there || self.names[to as usize].is_some() {
                    return Err(
                        self.odd(number, &format!("it names page {to}, which is not there, is free, or has a name"))
                    );
                }
                self.names[to as usize] = Some(Name { page: number, pointer });
                left.push((to, pointer.kind));
            }
        }
        let is_known = |page: &u32| self.names[*page as usize].is_some() || self.free.contains(page);
        match (2..=self.layout.pages).find(|page| !is_known(page) && !self.is_never_written(*page)) {
            Some(page) => Err(self.odd(page, "nothing names it")),
            None => Ok(()),
        }
    }

    /// Moves pages until the round is full, and commits that.
    async fn move_some(&mut self) -> Result<bool, StoreError> {
        self.check_file()?;
        if self.free.is_empty() {
            return Ok(false);
        }
        let most = self.pages_in_a_round()?;
        let mut changed = Changed::new();
        loop {
            let last = self.layout.pages;
            if self.free.remove(&last) || self.is_never_written(last) {
                changed.remove(&last);
                self.layout.pages -= 1;
            } else if let Some(to) = self.free.first().copied().filter(|_| changed.len() + 1 < most) {
                self.move_page(&mut changed, last, to).await?;
            } else {
                break;
            }
        }
        self.write_free(&mut changed);
        let mut first = self.page(&changed, 1).await?;
        self.layout.write_into(&mut first);
        changed.insert(1, first);
        self.commit(changed).await?;
        Ok(true)
    }

    /// Whether the file is as it was left: what a round has moved is lost if its log is, and then pages are elsewhere than where
    /// they are taken to be.
    fn check_file(&self) -> Result<(), StoreError> {
        let broken = |why: String| StoreError::Broken(format!("{}: {why}", self.path.display()));
        let found = Layout::read(&self.file).map_err(|error| broken(error.to_string()))?;
        let length = self.file.length().map_err(|error| broken(error.to_string()))?;
        if found == self.layout && length == self.bytes() {
            return Ok(());
        }
        Err(broken(format!("it has {} pages and {length} bytes, and was left with {}", found.pages, self.layout.pages)))
    }

    /// How many pages are moved with one commit, for whose log there must be room.
    fn pages_in_a_round(&self) -> Result<usize, StoreError> {
        let error = |error: io::Error| StoreError::Broken(format!("{}: {error}", self.path.display()));
        let room = self.host.disk().free_bytes(directory(&self.path)).map_err(error)?;
        let frame_bytes = self.layout.page_bytes + FRAME_HEADER_BYTES;
        let frames = usize::try_from(room).unwrap_or(usize::MAX).saturating_sub(HEADER_BYTES) / frame_bytes;
        // The first page, and the list of those that are free.
        let always = 1 + self.free.len().div_ceil(freelist_leaves_max(self.layout.usable()) + 1);
        match frames.saturating_sub(always) {
            0..PAGES_MOVED_MIN => {
                let (path, needed) = (self.path.display(), (always + PAGES_MOVED_MIN) * frame_bytes);
                let why = format!("to make {path} smaller takes {needed} bytes first, and the disk has {room}");
                Err(StoreError::Refused(why))
            }
            room => Ok(self.round_pages.min(room)),
        }
    }

    async fn move_page(&mut self, changed: &mut Changed, from: u32, to: u32) -> Result<(), StoreError> {
        let name = self.names[from as usize].take().expect("each page that is not free has a name");
        let page = self.page(changed, from).await?;
        for pointer in self.pointers_in(from, name.pointer.kind, &page)? {
            let named = self.names[pointer.to as usize].as_mut();
            named.expect("it was found by this very name").page = to;
        }
        changed.remove(&from);
        changed.insert(to, page);
        let mut naming = self.page(changed, name.page).await?;
        // It is the smaller number, and so fits into what the greater took.
        let number = u64::from(to).to_be_bytes();
        naming[name.pointer.range()].copy_from_slice(&number[8 - usize::from(name.pointer.width)..]);
        changed.insert(name.page, naming);
        self.names[to as usize] = Some(Name { pointer: Pointer { to, ..name.pointer }, ..name });
        self.free.remove(&to);
        self.free.insert(from);
        Ok(())
    }

    /// Writes down which pages are free.
    fn write_free(&mut self, changed: &mut Changed) {
        let free: Vec<u32> = self.free.iter().copied().collect();
        let trunks: Vec<&[u32]> = free.chunks(freelist_leaves_max(self.layout.usable()) + 1).collect();
        for (place, trunk) in trunks.iter().enumerate() {
            let next = trunks.get(place + 1).map_or(0, |next| next[0]);
            let (number, leaves) = trunk.split_first().expect("a chunk is not empty");
            let count = u32::try_from(leaves.len()).expect("they fit into a page");
            let words = [next, count].into_iter().chain(leaves.iter().copied());
            let mut page: Vec<u8> = words.flat_map(u32::to_be_bytes).collect();
            page.resize(self.layout.page_bytes, 0);
            changed.insert(*number, page);
        }
        self.layout.first_free = free.first().copied().unwrap_or(0);
        self.layout.free_pages = u32::try_from(free.len()).expect("no more than there are pages");
    }

    async fn commit(&self, mut changed: Changed) -> Result<(), StoreError> {
        if self.layout.has_sums() {
            changed.iter_mut().for_each(|(number, page)| seal(*number, page));
        }
        let salts = random_u64(&self.host);
        let salts = [(salts >> 32) as u32, salts as u32];
        let log = log(&changed, self.layout.pages, self.layout.page_bytes, salts);
        let disk = self.host.disk();
        let path = beside(&self.path, "-wal");
        let broken = |error: io::Error| StoreError::Broken(format!("{}: {error}", path.display()));
        let file = disk.open(&path, OpenMode::Any).map_err(broken)?;
        if file.length().map_err(broken)? != 0 {
            return Err(StoreError::Broken(format!("{} is not empty, but was a moment ago", path.display())));
        }
        disk.pace(Operation::Write).await;
        file.write_at(0, &log).map_err(broken)?;
        disk.pace(Operation::Sync).await;
        file.sync().map_err(broken)
    }

    fn pointers_in(&self, number: u32, kind: Kind, page: &[u8]) -> Result<Vec<Pointer>, StoreError> {
        pointers(number, kind, page, self.layout.usable()).map_err(|odd| self.odd(number, &odd))
    }

    /// A page as it is in this round.
    async fn page(&self, changed: &Changed, number: u32) -> Result<Vec<u8>, StoreError> {
        if let Some(page) = changed.get(&number) {
            return Ok(page.clone());
        }
        let broken = |error: io::Error| StoreError::Broken(format!("{}: page {number}: {error}", self.path.display()));
        let mut page = vec![0; self.layout.page_bytes];
        let offset = u64::from(number - 1) * self.layout.page_bytes as u64;
        self.host.disk().pace(Operation::Read).await;
        if self.file.read_at(offset, &mut page).map_err(broken)? < page.len() {
            return Err(self.odd(number, "it is not there"));
        }
        // A page that is free need not be one that was ever written.
        if self.layout.has_sums() && !self.free.contains(&number) && !is_whole(number, &page) {
            let path = self.path.display();
            return Err(StoreError::Refused(format!(
                "{path} is damaged: page {number} is not as it was written. It is left as it is; restore it from a backup"
            )));
        }
        Ok(page)
    }

    fn is_never_written(&self, number: u32) -> bool {
        LOCK_BYTE / self.layout.page_bytes as u64 + 1 == u64::from(number)
    }

    fn odd(&self, page: u32, found: &str) -> StoreError {
        let path = self.path.display();
        StoreError::Refused(format!("{path} is left as it is, because page {page} is not understood: {found}"))
    }
}

impl<H: Host> Compaction for FileCompaction<H> {
    fn bytes(&self) -> u64 {
        u64::from(self.layout.pages) * self.layout.page_bytes as u64
    }

    fn round(&mut self) -> Pin<Box<dyn Future<Output = Result<bool, StoreError>> + '_>> {
        Box::pin(self.move_some())
    }
}
