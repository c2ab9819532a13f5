//! The files of a machine as facts: the contents of directories, and what images and Python modules
//! contain.
//!
//! Every access to the disk goes through [`Files`], so that it happens once, can be recorded in a
//! snapshot, and can be watched. No layer above this module opens a file.

use std::sync::Arc;

use super::fact::{AnyAnswer, AnyFact, Fact};
use super::fault::{FileError, ImageFault};
use super::fingerprint::Fingerprint;
use super::folder::{EntryKind, Folder};
use super::path::WinPath;

/// Access to the files of a machine. Names are matched regardless of case. Implementations cache
/// answers, so repeating a call is cheap.
pub trait Files: Send + Sync {
    /// Lists a directory.
    ///
    /// # Errors
    ///
    /// If it doesn't exist or cannot be read.
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError>;

    /// Answers a question about the contents of files. Callers use [`ask`](#method.ask), or a
    /// method named after the fact.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or isn't what the question assumes.
    fn answer(&self, fact: &dyn AnyFact) -> AnyAnswer;

    /// Returns a fingerprint of the file's state when it was first accessed through this value.
    fn fingerprint(&self, _path: &WinPath) -> Fingerprint {
        Fingerprint::Unavailable
    }

    /// Whether `path` is a file. Once its directory has been listed, this doesn't access the disk.
    fn is_file(&self, path: &WinPath) -> bool {
        self.kind(path) == Some(EntryKind::File)
    }

    /// Whether `path` is a directory.
    fn is_folder(&self, path: &WinPath) -> bool {
        self.kind(path) == Some(EntryKind::Folder)
    }

    /// Returns whether `path` is a file or a directory, or `None` if it doesn't exist.
    fn kind(&self, path: &WinPath) -> Option<EntryKind> {
        let Some(parent) = path.parent() else {
            return self.folder(path).is_ok().then_some(EntryKind::Folder);
        };
        let folder = self.folder(&parent).ok()?;
        folder.entry(path.file_name()).map(|entry| entry.kind)
    }
}

impl dyn Files + '_ {
    /// Returns the answer to a question.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or isn't what the question assumes.
    pub fn ask<F: Fact>(&self, fact: F) -> Result<Arc<F::Answer>, F::Fault> {
        let answer = self.answer(&fact)?;
        answer.downcast().map_err(|_| {
            // An implementation of `Files` answered another question.
            ImageFault::from(FileError::Other(format!("{} has an answer of another type", F::NAME))).into()
        })
    }
}
