//! A snapshot that isn't written yet, so that it can be checked, replayed, and reviewed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::Path;

use lzma_rust2::{XzOptions, XzWriter};
use serde::Deserialize;
use serde_json::Value;

use super::json::parse;
use super::notation::with_constants;
use super::secrets::secret_in;
use super::users::{Users, strings_of};
use super::{SnapshotError, damaged, package_of, read};
use crate::host::Host;
use crate::source::placeholders;

/// A complete snapshot in memory.
pub struct FinishedSnapshot {
    json: String,
    /// The number of users, servers, and companies whose names were replaced.
    pub renamed: usize,
}

impl FinishedSnapshot {
    /// Creates a snapshot from its JSON. The names of `users` are replaced.
    pub(super) fn new(mut json: String, users: Option<Users>) -> Result<FinishedSnapshot, SnapshotError> {
        let mut renamed = 0;
        if let Some(mut users) = users {
            json = users.redacted_json(&json);
            renamed = users.count();
        }
        for string in strings_of(&json) {
            if let Some(kind) = secret_in(&string) {
                // Show the secret only, without the path or notation around it.
                let mut words = string.split(|c: char| c.is_whitespace() || "\\'|".contains(c));
                let word = words.find(|word| secret_in(word).is_some()).unwrap_or(&string);
                let around = word.chars().take(SHOWN_SECRET_CHARS).collect();
                return Err(SnapshotError::Secret { kind, around });
            }
        }
        Ok(FinishedSnapshot { json, renamed })
    }

    /// Marks the snapshot as inexact, so that a replay warns that it lacks something.
    pub fn inexact(mut self) -> FinishedSnapshot {
        self.json = self.json.replacen('{', r#"{"isInexact":true,"#, 1);
        self
    }

    /// Returns the machine as the snapshot replays it.
    pub fn replayed(&self) -> Result<Host, SnapshotError> {
        read(self.json.as_bytes(), "in memory")
    }

    /// Writes the snapshot, compressed with xz.
    pub fn write(&self, path: &Path) -> Result<(), SnapshotError> {
        let write = || -> std::io::Result<()> {
            let mut packed = XzWriter::new(File::create(path)?, XzOptions::with_preset(PRESET))?;
            packed.write_all(self.json.as_bytes())?;
            packed.finish().map(drop)
        };
        write().map_err(|error| SnapshotError::File {
            path: path.display().to_string(),
            reason: error.to_string(),
        })
    }

    /// Returns the contents other than names and paths, for the user's review before sharing the
    /// snapshot.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`] if it cannot be read, because it must not appear to be empty.
    pub fn contents(&self) -> Result<SnapshotContents, SnapshotError> {
        #[derive(Deserialize)]
        struct Whole {
            variables: BTreeMap<String, String>,
            modules: Vec<Value>,
            scripts: BTreeMap<String, Result<usize, Value>>,
            facts: Texts,
        }
        #[derive(Deserialize)]
        struct Texts {
            folders: BTreeMap<String, Result<Names, Value>>,
            images: BTreeMap<String, Value>,
            texts: BTreeMap<String, Result<String, Value>>,
        }
        let whole = parse::<Whole>(self.json.as_bytes()).map_err(damaged)?;
        let mut contents = SnapshotContents {
            variables: whole.variables,
            folders: whole
                .facts
                .folders
                .into_iter()
                .filter_map(|(path, it)| Some((path, names_of(it.ok()?))))
                .collect(),
            images: whole.facts.images.into_keys().collect(),
            modules: whole.scripts.keys().cloned().collect(),
            ..SnapshotContents::default()
        };
        let texts = whole.facts.texts.into_iter();
        contents.files.extend(texts.filter_map(|(file, text)| Some((file, text.ok()?))));
        // A string that occurs in several packages is listed for the first one only.
        let mut seen = BTreeSet::new();
        for (path, number) in &whole.scripts {
            let Some(module) = number.as_ref().ok().and_then(|number| whole.modules.get(*number)) else {
                continue;
            };
            with_constants(&mut module.clone(), &mut |string| {
                if !string.is_empty()
                    && !placeholders::is_placeholder(string)
                    && seen.insert(string.to_owned())
                {
                    contents.constants.entry(package_of(path)).or_default().insert(string.to_owned());
                }
                None
            });
        }
        Ok(contents)
    }
}

/// The contents of a snapshot that the user may want to review.
#[derive(Debug, Default)]
pub struct SnapshotContents {
    /// The environment variables.
    pub variables: BTreeMap<String, String>,
    /// The directories, and the names in them.
    pub folders: BTreeMap<String, Vec<String>>,
    /// The PE files whose facts are recorded.
    pub images: Vec<String>,
    /// The Python modules whose effects on import are recorded.
    pub modules: Vec<String>,
    /// The recorded parts of text files.
    pub files: BTreeMap<String, String>,
    /// The strings in modules, by package.
    pub constants: BTreeMap<String, BTreeSet<String>>,
}

/// The names of the directories and of the files in a directory, as [`super::facts`] serializes
/// them.
type Names = (Vec<String>, Vec<String>);

fn names_of((folders, files): Names) -> Vec<String> {
    folders.into_iter().map(|folder| format!("{folder}\\")).chain(files).collect()
}

/// The number of characters that are shown of a string with a secret, so that the user can find it.
const SHOWN_SECRET_CHARS: usize = 8;

/// The compression preset: xz's own default.
const PRESET: u32 = 6;
