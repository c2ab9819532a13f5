//! Files in memory, for tests: a machine's disk described in a string.
//!
//! Each line has a file or directory: its path, two spaces, and its attributes, separated by
//! commas. Parent directories are created automatically.
//!
//! ```text
//! /Py/python.exe      imports python38.dll
//! /Py/python38.dll    version 3.8.10150.1013, machine x86
//! /Py/python38.zip    archive os encodings/utf_8
//! /env/Scripts/       (a directory, possibly empty)
//! /env/pyvenv.cfg     text
//!     home = /Py
//! /env/broken.dll     size 7, not an image
//! /env/secret         denied
//! ```
//!
//! | words | meaning |
//! |---|---|
//! | `machine x86` | an image for another machine than x86_64 |
//! | `version 1.2.3.4` | the file version |
//! | `imports a.dll b.dll`, `delay imports c.dll` | the import tables |
//! | `exports f g=b.h` | exported names and forwarders |
//! | `starts C:\Py\python.exe` | a uv trampoline for this program |
//! | `linker 14.29`, `subsystem 6.0` | further facts of an image |
//! | `size 7` | the size in bytes; by default that of the text, or 1000 |
//! | `not an image` | reading it as an image fails |
//! | `text` | the following indented lines are its contents |
//! | `exact` | the same, without the line ends |
//! | `archive a b/c` | a zip archive with these modules |
//! | `denied` | a file or directory that the user may not read |
//!
//! Blank lines and lines that start with `#` are ignored, except within a text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::fact::{AnyAnswer, AnyFact};
use super::facts::{Contains, ExportOf, ImageFacts, ImageOf, ModulesIn, ScriptOf, SizeOf, TextOf};
use super::fault::FileError;
use super::files::Files;
use super::folder::{Entry, EntryKind, Folder};
use super::path::WinPath;
use crate::image::{Export, FileVersion, ImageError, Machine, Symbol};
use crate::source::{lower, lower_part};

/// A disk that exists only in memory.
#[derive(Debug, Default, Clone)]
pub struct MemoryFiles {
    files: BTreeMap<WinPath, File>,
    folders: BTreeMap<WinPath, Folder>,
    denied: BTreeSet<WinPath>,
}

#[derive(Debug, Clone)]
struct File {
    size: Option<u64>,
    text: Option<String>,
    image: Result<ImageFacts, ImageError>,
    archive: Option<Vec<String>>,
    exports: Vec<String>,
    is_exact: bool,
}

impl MemoryFiles {
    /// Creates the disk that `description` describes.
    ///
    /// # Panics
    ///
    /// If the description is invalid, because it is part of a test.
    pub fn new(description: &str) -> MemoryFiles {
        let mut disk = MemoryFiles::default();
        let mut text_of: Option<WinPath> = None;
        for line in unindented(description).lines() {
            if let Some(path) = &text_of
                && (line.is_empty() || line.starts_with("    "))
            {
                disk.append(path, line.get(4..).unwrap_or_default());
                continue;
            }
            text_of = None;
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (path, words) = line.split_once("  ").unwrap_or((line, ""));
            text_of = disk.add(path.trim_end(), words.trim());
        }
        disk
    }

    /// Adds the files and directories in `description`, replacing existing ones.
    pub fn and(mut self, description: &str) -> MemoryFiles {
        let other = MemoryFiles::new(description);
        for path in other.folders.keys() {
            self.make_folder(path);
        }
        for (path, file) in other.files {
            self.insert(&path, file);
        }
        self.denied.extend(other.denied);
        self
    }

    /// Removes a file or directory.
    ///
    /// # Panics
    ///
    /// If it doesn't exist.
    pub fn without(mut self, path: &str) -> MemoryFiles {
        let path = WinPath::new(path);
        assert!(self.kind(&path).is_some(), "{path} is not on this disk");
        self.files.retain(|file, _| !file.is_within(&path));
        self.folders.retain(|folder, _| !folder.is_within(&path));
        if let Some(parent) = path.parent()
            && let Some(folder) = self.folders.get_mut(&parent)
        {
            let kept = folder.entries().into_iter().cloned();
            let name = path.file_name();
            *folder = Folder::new(kept.filter(|entry| !entry.name.eq_ignore_ascii_case(name)));
        }
        self
    }

    /// Adds the file or directory of a line. Returns its path if its contents follow.
    fn add(&mut self, path_text: &str, words: &str) -> Option<WinPath> {
        let path = WinPath::new(path_text);
        if words == "denied" {
            self.denied.insert(path.clone());
        }
        if path_text.ends_with(['/', '\\']) {
            self.make_folder(&path);
            return None;
        }
        let is_image = ["dll", "pyd", "exe", "so"].iter().any(|e| path.has_extension(e));
        let mut image = ImageFacts { linker: (14, 29), size: 1000, ..ImageFacts::default() };
        let mut file = File {
            size: None,
            text: None,
            image: Err(ImageError::Empty),
            archive: None,
            exports: Vec::new(),
            is_exact: false,
        };
        let mut valid = is_image;
        for words in words.split(',').map(str::trim).filter(|words| !words.is_empty()) {
            let (word, rest) = words.split_once(' ').unwrap_or((words, ""));
            let list = || rest.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            match word {
                "machine" => image.machine = rest.to_owned().try_into().unwrap_or_else(|e| panic!("{e}")),
                "version" => image.version = Some(file_version(rest)),
                "imports" => image.imports = list(),
                "delay" => image.delay_imports = list().split_off(1),
                "exports" => file.exports = list(),
                "starts" => image.starts = Some(rest.to_owned()),
                "linker" => image.linker = pair(rest),
                "subsystem" => image.subsystem_version = pair(rest),
                "size" => file.size = Some(rest.parse().unwrap_or_else(|e| panic!("{words}: {e}"))),
                "not" => valid = false,
                "exact" => {
                    (file.text, file.is_exact, valid) = (Some(String::new()), true, false);
                }
                "text" => (file.text, valid) = (Some(String::new()), false),
                "archive" => file.archive = Some(list()),
                "denied" => {}
                _ => panic!("{path}: `{words}` is not understood"),
            }
        }
        if valid {
            image.size = file.size.unwrap_or(image.size);
            file.image = Ok(image);
        }
        let has_text = file.text.is_some();
        self.insert(&path, file);
        has_text.then_some(path)
    }

    fn append(&mut self, path: &WinPath, line: &str) {
        if let Some(File { text: Some(text), is_exact, .. }) = self.files.get_mut(path) {
            text.push_str(line);
            if !*is_exact {
                text.push('\n');
            }
        }
    }

    fn insert(&mut self, path: &WinPath, file: File) {
        self.files.insert(path.clone(), file);
        self.enter(path, EntryKind::File);
    }

    fn make_folder(&mut self, path: &WinPath) {
        if !self.folders.contains_key(path) {
            self.folders.insert(path.clone(), Folder::default());
            self.enter(path, EntryKind::Folder);
        }
    }

    fn enter(&mut self, path: &WinPath, kind: EntryKind) {
        let Some(parent) = path.parent() else { return };
        self.make_folder(&parent);
        if let Some(folder) = self.folders.get_mut(&parent)
            && folder.entry(path.file_name()).is_none()
        {
            let new = Entry { name: path.file_name().to_owned(), kind };
            *folder = Folder::new(folder.entries().into_iter().cloned().chain([new]));
        }
    }

    fn file(&self, path: &WinPath) -> Result<&File, FileError> {
        if self.denied.contains(path) {
            return Err(FileError::AccessDenied);
        }
        match self.files.get(path) {
            Some(file) => Ok(file),
            None if self.folders.contains_key(path) => Err(FileError::WrongKind("a folder".into())),
            None => Err(FileError::NotFound),
        }
    }
}

impl MemoryFiles {
    fn source(&self, path: &WinPath) -> Result<&str, FileError> {
        Ok(self.file(path)?.text.as_deref().unwrap_or_default())
    }
}

impl Files for MemoryFiles {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        if self.denied.contains(path) {
            return Err(FileError::AccessDenied);
        }
        match self.folders.get(path) {
            Some(folder) => Ok(Arc::new(folder.clone())),
            None if self.files.contains_key(path) => Err(FileError::WrongKind("not a folder".into())),
            None => Err(FileError::NotFound),
        }
    }

    /// Images have no other contents than their description, so that the answer to any other
    /// question is the usual one.
    fn answer(&self, fact: &dyn AnyFact) -> AnyAnswer {
        let usual = fact.kind().usual();
        let fact = fact.as_any();
        if let Some(SizeOf(path)) = fact.downcast_ref() {
            let file = self.file(path)?;
            let of_text = file.text.as_ref().map_or(1000, |text| text.len() as u64);
            Ok(Arc::new(file.size.unwrap_or(of_text)))
        } else if let Some(TextOf(path)) = fact.downcast_ref() {
            Ok(Arc::new(Arc::<str>::from(self.source(path)?)))
        } else if let Some(ImageOf(path)) = fact.downcast_ref() {
            Ok(Arc::new(self.file(path)?.image.clone()?))
        } else if let Some(ScriptOf { file, part }) = fact.downcast_ref() {
            let source = self.source(file)?;
            Ok(Arc::new(part.map_or_else(|| lower(source), |part| lower_part(source, part))))
        } else if let Some(ModulesIn(path)) = fact.downcast_ref() {
            let archive = self.file(path)?.archive.clone();
            Ok(Arc::new(archive.ok_or_else(|| FileError::BadArchive("not one in this test".into()))?))
        } else if let Some(ExportOf { file, symbol }) = fact.downcast_ref() {
            Ok(Arc::new(self.file(file)?.export(symbol)))
        } else if let Some(Contains { file, string }) = fact.downcast_ref() {
            Ok(Arc::new(self.source(file)?.contains(string)))
        } else {
            usual.ok_or_else(|| FileError::NotRecorded.into())
        }
    }
}

impl File {
    fn export(&self, symbol: &Symbol) -> Option<Export> {
        let Symbol::Name(name) = symbol else { return None };
        let mut exports = self.exports.iter().map(|export| export.split_once('=').unwrap_or((export, "")));
        exports.find(|(exported, _)| exported == name).map(|(_, to)| match to.rsplit_once('.') {
            Some((dll, symbol)) => {
                Export::Forward { dll: dll.to_owned(), symbol: Symbol::Name(symbol.to_owned()) }
            }
            None => Export::Address(0),
        })
    }
}

/// Removes the indentation that all lines share.
fn unindented(description: &str) -> String {
    let lines = || description.lines().filter(|line| !line.trim().is_empty());
    let margin = lines().map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    description
        .lines()
        .map(|line| line.get(margin..).unwrap_or_default())
        .fold(String::new(), |text, line| text + line + "\n")
}

fn file_version(text: &str) -> FileVersion {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or_else(|e| panic!("{text}: {e}")));
    FileVersion(std::array::from_fn(|_| parts.next().unwrap_or(0)))
}

fn pair<T: std::str::FromStr>(text: &str) -> (T, T) {
    let (a, b) = text.split_once('.').unwrap_or_else(|| panic!("`{text}` isn't a version"));
    match (a.parse(), b.parse()) {
        (Ok(a), Ok(b)) => (a, b),
        _ => panic!("`{text}` isn't a version"),
    }
}

#[test]
fn a_disk_matches_its_description() {
    let disk = MemoryFiles::new(
        r"
        C:\Py 3\python.exe    imports python38.dll b.dll, linker 14.16, machine x86
        C:\Py 3\note.txt      text
            one

              two
        C:\Py 3\bad.dll       not an image, size 7
        C:\Empty\
        C:\Secret\            denied
        ",
    );
    let files: &dyn Files = &disk;
    let names = |path: &str| {
        let folder = disk.folder(&path.into()).unwrap();
        folder.entries().iter().map(|e| e.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(r"c:\"), ["Empty", "Py 3", "Secret"]);
    assert_eq!(names(r"c:/py 3"), ["bad.dll", "note.txt", "python.exe"]);
    let image = files.image(&r"C:\PY 3\PYTHON.EXE".into()).unwrap();
    assert_eq!((image.machine, image.linker, image.imports.len()), (Machine::X86, (14, 16), 2));
    assert_eq!(&*files.text(&r"C:\Py 3\note.txt".into()).unwrap(), "one\n\n  two\n");
    assert!(files.image(&r"C:\Py 3\bad.dll".into()).is_err());
    assert_eq!(files.size(&r"C:\Py 3\bad.dll".into()), Ok(7));
    assert_eq!(disk.folder(&r"C:\Secret".into()), Err(FileError::AccessDenied));
    let less = disk.clone().without(r"C:\Py 3\bad.dll").and(r"C:\Py 3\new.dll");
    assert!(less.is_file(&r"C:\py 3\NEW.dll".into()) && !less.is_file(&r"C:\Py 3\bad.dll".into()));
}
