//! A machine as it would be after a change: nothing is written, the files are only answered for differently.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use super::Host;
use super::files::{Entry, EntryKind, FileError, Files, Folder, ImageFacts, ImageFault};
use super::path::WinPath;
use super::reading::Proof;
use crate::image::{Binding, CONSTEXPR_MUTEX, Export, FileVersion, Machine, Symbol};
use crate::source::Script;

/// What becomes of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// It goes. A folder goes with the last file in it, as pip removes folders.
    Gone,
    /// It is an image for this machine, of this version and size, that exports all that is asked of it. What it imports is not known,
    /// and taken to be there.
    Image {
        /// The machine that it is for.
        machine: Machine,
        /// Its file version.
        version: Option<FileVersion>,
        /// Its size in bytes; 0 if that is not known.
        size: u64,
    },
    /// It has the contents that this file has now.
    CopyOf(WinPath),
    /// It is there, and what it holds is not known.
    Unread,
}

/// The files of a machine with some changes laid over them.
pub struct Overlay {
    rest: Arc<dyn Files>,
    changes: FxHashMap<WinPath, Change>,
    /// The names that appear in a folder, and those that go.
    names: FxHashMap<WinPath, Vec<(String, Option<EntryKind>)>>,
    /// The folders above what goes.
    thinned: FxHashSet<WinPath>,
    is_incomplete: AtomicBool,
}

impl Overlay {
    /// `host` after these changes. Of two changes of one file the last one counts.
    pub fn over<'c>(
        host: &Host,
        changes: impl IntoIterator<Item = &'c (WinPath, Change)>,
    ) -> (Host, Arc<Overlay>) {
        let changes: FxHashMap<WinPath, Change> = changes.into_iter().cloned().collect();
        let mut names: FxHashMap<WinPath, Vec<(String, Option<EntryKind>)>> = FxHashMap::default();
        let mut thinned = FxHashSet::default();
        for (path, change) in &changes {
            let Some(folder) = path.parent() else { continue };
            if *change == Change::Gone {
                let above = std::iter::successors(Some(folder.clone()), WinPath::parent);
                for folder in above {
                    if !thinned.insert(folder) {
                        break;
                    }
                }
            }
            let kind = (*change != Change::Gone).then_some(EntryKind::File);
            names.entry(folder).or_default().push((path.file_name().to_owned(), kind));
        }
        // Folders that the new files need.
        let mut folders: Vec<WinPath> =
            names.iter().filter(|(_, names)| comes(names)).map(|(path, _)| path.clone()).collect();
        while let Some(folder) = folders.pop() {
            let Some(parent) = folder.parent() else { continue };
            let entry = (folder.file_name().to_owned(), Some(EntryKind::Folder));
            let is_absent = host.files.folder(&folder) == Err(FileError::NotFound);
            let siblings = names.entry(parent.clone()).or_default();
            if is_absent && !siblings.contains(&entry) {
                siblings.push(entry);
                folders.push(parent);
            }
        }
        let (rest, is_incomplete) = (host.files.clone(), AtomicBool::new(false));
        let overlay = Arc::new(Overlay { rest, changes, names, thinned, is_incomplete });
        (Host { files: overlay.clone(), ..host.clone() }, overlay)
    }

    /// Whether something was asked for whose answer is not known: what is in a file that a change brings, or what a snapshot does not
    /// hold.
    pub fn is_incomplete(&self) -> bool {
        self.is_incomplete.load(Ordering::Relaxed)
    }

    fn not_known<T>(&self) -> Result<T, FileError> {
        self.is_incomplete.store(true, Ordering::Relaxed);
        Err(FileError::NotRecorded)
    }

    /// The answer, and a note if it is that nothing is recorded.
    fn noted<T>(&self, answer: Result<T, FileError>) -> Result<T, FileError> {
        match answer {
            Err(FileError::NotRecorded) => self.not_known(),
            answer => answer,
        }
    }

    fn noted_image<T>(&self, answer: Result<T, ImageFault>) -> Result<T, ImageFault> {
        match answer {
            Err(ImageFault::File(FileError::NotRecorded)) => Ok(self.not_known()?),
            answer => answer,
        }
    }

    fn change(&self, path: &WinPath) -> Option<&Change> {
        if self.changes.is_empty() { None } else { self.changes.get(path) }
    }

    /// Where the contents of a file are to be had; none if only the change tells of them.
    fn source<'p>(&'p self, path: &'p WinPath) -> Result<Option<&'p WinPath>, FileError> {
        match self.change(path) {
            None => Ok(Some(path)),
            Some(Change::CopyOf(source)) => Ok(Some(source)),
            Some(Change::Gone) => Err(FileError::NotFound),
            Some(Change::Unread) => self.not_known(),
            Some(Change::Image { .. }) => Ok(None),
        }
    }

    /// Whether code that locks a `std::mutex` may meet a runtime which comes with a change and is too old for it, see
    /// [`Binding::between`]: which of its locks are taken as it starts is only known where both files are there.
    fn may_crash_in(&self, importer: &WinPath, dll: &str, exporter: &WinPath) -> bool {
        let Some(Change::Image { version: Some(version), .. }) = self.change(exporter) else { return false };
        let holds = |symbol: &str| self.rest.holds(importer, symbol).unwrap_or(true);
        *version < CONSTEXPR_MUTEX
            && dll.eq_ignore_ascii_case("msvcp140.dll")
            && holds("_Mtx_lock\0")
            && !holds("_Mtx_init_in_situ\0")
    }

    /// Whether all that a folder holds goes; what Python compiled from it goes with it.
    fn is_emptied(&self, path: &WinPath) -> bool {
        if !self.thinned.contains(path) {
            return path.file_name().eq_ignore_ascii_case("__pycache__");
        }
        let Ok(listing) = self.rest.folder(path) else { return false };
        let goes = |entry: &Entry| {
            let inner = path.join(&entry.name);
            match entry.kind {
                EntryKind::File => self.change(&inner) == Some(&Change::Gone),
                EntryKind::Folder => self.is_emptied(&inner),
            }
        };
        !self.names.get(path).is_some_and(|names| comes(names)) && listing.unordered().all(goes)
    }
}

/// Whether something appears.
fn comes(names: &[(String, Option<EntryKind>)]) -> bool {
    names.iter().any(|(_, kind)| kind.is_some())
}

impl Files for Overlay {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        if self.change(path) == Some(&Change::Gone) {
            return Err(FileError::NotFound);
        }
        let listed = self.noted(self.rest.folder(path));
        let names = self.names.get(path).map(Vec::as_slice).unwrap_or_default();
        let comes = comes(names);
        if !comes && !self.thinned.contains(path) {
            return listed;
        }
        let listing = match listed {
            Err(FileError::NotFound) if comes => Arc::default(),
            listed => listed?,
        };
        if !comes && self.is_emptied(path) {
            return Err(FileError::NotFound);
        }
        let is_renewed =
            |entry: &&Entry| names.iter().any(|(name, _)| name.eq_ignore_ascii_case(&entry.name));
        let stays = |entry: &&Entry| {
            let inner = path.join(&entry.name);
            let is_emptied = || self.thinned.contains(&inner) && self.is_emptied(&inner);
            !is_renewed(entry) && (entry.kind == EntryKind::File || !is_emptied())
        };
        let new = names.iter().filter_map(|(name, kind)| Some(Entry { name: name.clone(), kind: (*kind)? }));
        Ok(Arc::new(Folder::new(listing.unordered().filter(stays).cloned().chain(new))))
    }

    fn size(&self, path: &WinPath) -> Result<u64, FileError> {
        match self.change(path) {
            Some(Change::Image { size, .. }) => Ok(*size),
            _ => match self.source(path)? {
                Some(source) => self.noted(self.rest.size(source)),
                None => self.not_known(),
            },
        }
    }

    fn text(&self, path: &WinPath) -> Result<Arc<str>, FileError> {
        match self.source(path)? {
            Some(source) => self.noted(self.rest.text(source)),
            None => self.not_known(),
        }
    }

    fn image(&self, path: &WinPath) -> Result<Arc<ImageFacts>, ImageFault> {
        if let Some(Change::Image { machine, version, size }) = self.change(path) {
            let (machine, version, size) = (*machine, *version, *size);
            return Ok(Arc::new(ImageFacts { machine, version, size, ..ImageFacts::default() }));
        }
        let source = self.source(path)?.unwrap_or(path);
        self.noted_image(self.rest.image(source))
    }

    fn script(&self, path: &WinPath) -> Result<Arc<Script>, FileError> {
        let part = path.as_part();
        let module = part.as_ref().map_or(path, |(module, _)| module);
        match self.source(module)? {
            Some(source) if source == module => self.noted(self.rest.script(path)),
            Some(source) => match &part {
                Some((_, place)) => self.noted(self.rest.script(&source.with_part(*place))),
                None => self.noted(self.rest.script(source)),
            },
            None => self.not_known(),
        }
    }

    fn archive(&self, path: &WinPath) -> Result<Arc<Vec<String>>, FileError> {
        match self.source(path)? {
            Some(source) => self.noted(self.rest.archive(source)),
            None => self.not_known(),
        }
    }

    fn binding(&self, importer: &WinPath, dll: &str, exporter: &WinPath) -> Result<Arc<Binding>, ImageFault> {
        match (self.source(importer)?, self.source(exporter)?) {
            (Some(importer), Some(exporter)) => self.noted_image(self.rest.binding(importer, dll, exporter)),
            (Some(importer), None) => {
                if self.may_crash_in(importer, dll, exporter) {
                    return Ok(self.not_known()?);
                }
                Ok(Arc::default())
            }
            (None, _) => Ok(Arc::default()),
        }
    }

    fn export(&self, path: &WinPath, symbol: &Symbol) -> Result<Option<Export>, ImageFault> {
        match self.source(path)? {
            Some(source) => self.noted_image(self.rest.export(source, symbol)),
            None => Ok(Some(Export::Address(0))),
        }
    }

    fn holds(&self, path: &WinPath, text: &str) -> Result<bool, FileError> {
        match self.source(path)? {
            Some(source) => self.noted(self.rest.holds(source, text)),
            None => Ok(false),
        }
    }

    fn instructions(&self, path: &WinPath) -> Result<Arc<BTreeSet<String>>, ImageFault> {
        match self.source(path)? {
            Some(source) => self.noted_image(self.rest.instructions(source)),
            None => Ok(Arc::default()),
        }
    }

    /// What stands here depends on the changes, too: nothing that is read through them is remembered.
    fn proof(&self, _: &WinPath) -> Proof {
        Proof::Nothing
    }

    fn unwitnessed(&self) -> Option<Arc<dyn Files>> {
        Some(self.rest.unwitnessed().unwrap_or_else(|| self.rest.clone()))
    }

    fn modules_read(&self) -> u64 {
        self.rest.modules_read()
    }
}
