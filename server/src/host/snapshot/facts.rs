//! The facts in a snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::Error as _;
use serde::ser::{Error as _, SerializeMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::json::parse;
use crate::host::fact::{AnyAnswer, Fact, FactKey, FactKind};
use crate::host::facts::recorded;
use crate::host::fault::{FileError, ImageFault};
use crate::host::folder::{Entry, EntryKind, Folder};
use crate::host::path::WinPath;

/// The recorded answers.
#[derive(Default, Clone)]
pub(super) struct Facts {
    /// The kinds of paths whose directories were not listed.
    pub kinds: BTreeMap<WinPath, Option<EntryKind>>,
    pub folders: BTreeMap<WinPath, Result<Arc<Folder>, FileError>>,
    answers: BTreeMap<FactKey, AnyAnswer>,
}

impl Facts {
    /// Records an answer.
    pub fn insert(&mut self, key: FactKey, answer: AnyAnswer) {
        self.answers.insert(key, answer);
    }

    /// Returns the recorded answer, or the usual one, which isn't recorded.
    pub fn answer(&self, key: &FactKey) -> AnyAnswer {
        let usual = || key.kind.usual().ok_or_else(|| FileError::NotRecorded.into());
        self.answers.get(key).cloned().unwrap_or_else(usual)
    }

    /// Whether there is an answer to a question.
    pub fn has(&self, key: &FactKey) -> bool {
        self.answers.contains_key(key)
    }

    /// Removes the usual answers.
    pub fn remove_usual(&mut self) {
        self.answers.retain(|key, answer| !key.kind.is_usual(answer));
    }

    /// Returns all answers about a fact.
    pub fn all<F: Fact>(&self) -> impl Iterator<Item = (&FactKey, Result<&F::Answer, &ImageFault>)> {
        let answers = self.answers.iter().filter(|(key, _)| key.kind == FactKind::of::<F>());
        answers.filter_map(|(key, answer)| match answer {
            Ok(value) => Some((key, Ok(value.downcast_ref()?))),
            Err(fault) => Some((key, Err(fault))),
        })
    }

    /// Replaces the answers of a fact.
    pub fn update<F: Fact>(&mut self, mut new: impl FnMut(&WinPath, &F::Answer) -> F::Answer) {
        let answers = self.answers.iter_mut().filter(|(key, _)| key.kind == FactKind::of::<F>());
        for (key, answer) in answers {
            let Ok(value) = answer else { continue };
            if let Some(known) = value.downcast_ref() {
                *value = Arc::new(new(&key.file, known));
            }
        }
    }

    /// Removes the answers of a fact.
    pub fn remove_all<F: Fact>(&mut self) {
        self.answers.retain(|key, _| key.kind != FactKind::of::<F>());
    }
}

/// Returns the key of an answer in its table.
fn text_of(FactKey { file, detail, .. }: &FactKey) -> String {
    if detail.is_empty() { file.as_str().to_owned() } else { [&file.key(), "|", detail].concat() }
}

impl Serialize for Facts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tables = serializer.serialize_map(None)?;
        tables.serialize_entry("kinds", &self.kinds)?;
        let folders = self.folders.iter();
        let listings = folders.map(|(path, folder)| (path, folder.as_ref().map(|folder| listing(folder))));
        tables.serialize_entry("folders", &listings.collect::<BTreeMap<_, _>>())?;
        for kind in recorded() {
            let mut table = BTreeMap::new();
            for (key, answer) in self.answers.iter().filter(|(key, _)| key.kind == kind) {
                table.insert(text_of(key), kind.to_json(answer).map_err(S::Error::custom)?);
            }
            tables.serialize_entry(kind.name, &table)?;
        }
        tables.end()
    }
}

impl<'de> Deserialize<'de> for Facts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Facts, D::Error> {
        let tables = BTreeMap::<String, &'de RawValue>::deserialize(deserializer)?;
        let mut facts = Facts::default();
        if let Some(kinds) = tables.get("kinds") {
            facts.kinds = parse(kinds.get().as_bytes()).map_err(D::Error::custom)?;
        }
        if let Some(folders) = tables.get("folders") {
            let folders: BTreeMap<WinPath, Result<Listing, FileError>> =
                parse(folders.get().as_bytes()).map_err(D::Error::custom)?;
            let folders = folders.into_iter();
            facts.folders = folders.map(|(path, listing)| (path, listing.map(Listing::folder))).collect();
        }
        for kind in recorded() {
            let Some(table) = tables.get(kind.name) else { continue };
            for (key, answer) in kind.table_from_json(table.get()).map_err(D::Error::custom)? {
                let (file, detail) = key.split_once('|').unwrap_or((&key, ""));
                let key = FactKey { kind, file: WinPath::new(file), detail: detail.to_owned() };
                facts.answers.insert(key, answer);
            }
        }
        Ok(facts)
    }
}

/// Returns the stored form of a listing: the names of its directories, and those of its files.
fn listing(folder: &Folder) -> (Vec<&str>, Vec<&str>) {
    let entries = folder.entries();
    let names =
        |kind| entries.iter().filter(|entry| entry.kind == kind).map(|entry| entry.name.as_str()).collect();
    (names(EntryKind::Folder), names(EntryKind::File))
}

/// The stored form of a listing. Version 1 of the format stored it with named fields.
#[derive(Deserialize)]
#[serde(untagged)]
enum Listing {
    Names(Vec<String>, Vec<String>),
    First(Folder),
}

impl Listing {
    fn folder(self) -> Arc<Folder> {
        let entries = |names: Vec<String>, kind| names.into_iter().map(move |name| Entry { name, kind });
        Arc::new(match self {
            Listing::Names(folders, files) => {
                Folder::new(entries(folders, EntryKind::Folder).chain(entries(files, EntryKind::File)))
            }
            Listing::First(folder) => folder,
        })
    }
}
