//! A snapshot that is not written yet: it can be looked over, replayed and written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::Path;

use lzma_rust2::{XzOptions, XzWriter};
use serde::Deserialize;
use serde_json::Value;

use super::notation::with_constants;
use super::secrets::secret_in;
use super::users::{Users, strings_of};
use super::{SnapshotError, damaged, package_of, parse, read};
use crate::host::Host;
use crate::source::withheld;

/// A snapshot that is not written yet.
pub struct Finished {
    json: String,
    /// How many users, servers and companies were given other names.
    pub renamed: usize,
}

impl Finished {
    /// Of what a snapshot has as JSON. `users` get other names.
    pub(super) fn new(mut json: String, users: Option<Users>) -> Result<Finished, SnapshotError> {
        let mut renamed = 0;
        if let Some(mut users) = users {
            json = users.hidden_in_json(&json);
            renamed = users.met();
        }
        for text in strings_of(&json) {
            if let Some(kind) = secret_in(&text) {
                // Without the path or the notation that it stands in.
                let mut words = text.split(|c: char| c.is_whitespace() || "\\'|".contains(c));
                let word = words.find(|word| secret_in(word).is_some()).unwrap_or(&text);
                let around = word.chars().take(SHOWN_OF_SECRET).collect();
                return Err(SnapshotError::Secret { kind, around });
            }
        }
        Ok(Finished { json, renamed })
    }

    /// The same snapshot, and whoever replays it learns that it lacks something.
    pub fn inexact(mut self) -> Finished {
        self.json = self.json.replacen('{', r#"{"isInexact":true,"#, 1);
        self
    }

    /// The machine that it replays.
    pub fn replayed(&self) -> Result<Host, SnapshotError> {
        read(self.json.as_bytes(), "the snapshot")
    }

    /// Writes it, packed by xz.
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

    /// What is in it beside names and paths, for a person to look over before it is sent.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`] if it cannot be read: nobody shall take it for empty.
    pub fn contents(&self) -> Result<Contents, SnapshotError> {
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
        let mut contents = Contents {
            variables: whole.variables,
            folders: whole
                .facts
                .folders
                .into_iter()
                .filter_map(|(path, it)| Some((path, names_of(it.ok()?))))
                .collect(),
            images: whole.facts.images.into_keys().collect(),
            modules: whole.scripts.keys().cloned().collect(),
            ..Contents::default()
        };
        let texts = whole.facts.texts.into_iter();
        contents.files.extend(texts.filter_map(|(file, text)| Some((file, text.ok()?))));
        // A text of several packages says nothing about the last of them.
        let mut seen = BTreeSet::new();
        for (path, number) in &whole.scripts {
            let Some(module) = number.as_ref().ok().and_then(|number| whole.modules.get(*number)) else {
                continue;
            };
            with_constants(&mut module.clone(), &mut |text| {
                if !text.is_empty() && !withheld::is_mark(text) && seen.insert(text.to_owned()) {
                    contents.constants.entry(package_of(path)).or_default().insert(text.to_owned());
                }
                None
            });
        }
        Ok(contents)
    }
}

/// What a snapshot has, of what was written by people.
#[derive(Debug, Default)]
pub struct Contents {
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// Folders, and the names in them.
    pub folders: BTreeMap<String, Vec<String>>,
    /// PE files that are described.
    pub images: Vec<String>,
    /// Python modules of which it has what importing them does.
    pub modules: Vec<String>,
    /// What is in it of text files.
    pub files: BTreeMap<String, String>,
    /// The texts in modules, by package.
    pub constants: BTreeMap<String, BTreeSet<String>>,
}

/// The folders and the files in a folder, as a [`Listing`] is written.
type Names = (Vec<String>, Vec<String>);

fn names_of((folders, files): Names) -> Vec<String> {
    folders.into_iter().map(|folder| format!("{folder}\\")).chain(files).collect()
}

/// So many characters of a text that holds a secret are shown, to find it by.
const SHOWN_OF_SECRET: usize = 8;

/// How hard is tried to make it small: xz's own default.
const PRESET: u32 = 6;
