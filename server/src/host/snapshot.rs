//! A machine recorded in one file: every fact that a diagnosis read.
//!
//! A [`Recorder`] between a diagnosis and the files of a machine stores each answer. A replay on
//! any system gives the same answers, and therefore the same findings.

mod essence;
mod facts;
mod finished;
mod json;
mod notation;
mod recording;
mod redactor;
mod secrets;
mod users;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use lzma_rust2::XzReader;
use serde::{Deserialize, Serialize};

use super::fact::{AnyAnswer, AnyFact, AnyValue};
use super::facts::ScriptOf;
use super::fault::FileError;
use super::files::Files;
use super::folder::{EntryKind, Folder};
use super::path::WinPath;
use super::{ApiSets, Host, HostKind, MachineFacts, RegisteredPython};
use crate::image::Machine;
use crate::source::placeholders;
use facts::Facts;
pub use finished::{FinishedSnapshot, SnapshotContents};
use json::{MAX_DEPTH, nesting, parse};
use notation::Notated;
pub use recording::{Recorder, Recording};
pub use redactor::Redactor;

/// The version of the format. Older versions stay readable; newer ones are refused. Version 1
/// stored modules and directories with named fields and was compressed with gzip.
const VERSION: u32 = 2;

/// The maximum unpacked size in bytes. Real snapshots are smaller.
const MAX_BYTES: u64 = 512 << 20;

/// The maximum memory for unpacking, in KiB. WhyDLL compresses with a dictionary of 8 MiB and `xz
/// -9` uses one of 64 MiB, but a malicious file may require 4 GiB.
const MAX_MEMORY: u32 = 80 << 10;

/// The stored form of a recorded machine.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Snapshot<M> {
    whydll_snapshot: u32,
    /// Whether a replay gives another result than the recorded diagnosis.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_inexact: bool,
    /// The interpreter that was diagnosed.
    interpreter: WinPath,
    windows: Option<String>,
    machine: Machine,
    windows_directory: WinPath,
    known_dlls: BTreeSet<String>,
    api_sets: ApiSets,
    variables: BTreeMap<String, String>,
    /// The [`Host::usual_variables`] of the recorded machine.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    usual_variables: BTreeMap<String, String>,
    /// The [`Host::roaming_data`] of the recorded machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roaming_data: Option<WinPath>,
    /// Whether its processes have the PATH of a new Windows, see [`Host::has_new_path`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    new_path: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    registered_pythons: Vec<RegisteredPython>,
    #[serde(default)]
    running: MachineFacts,
    /// The contents of modules. Many modules have the same.
    modules: Vec<M>,
    /// The index into `modules` by path.
    scripts: BTreeMap<WinPath, Result<usize, FileError>>,
    facts: Facts,
}

/// The reason why a snapshot cannot be replayed or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The file cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The path of the file.
        path: String,
        /// The message of the error.
        reason: String,
    },
    /// The file is truncated, damaged, or not a snapshot.
    #[error("can't read snapshot {path}: {reason}")]
    Damaged {
        /// The path of the snapshot file, or `in memory`.
        path: String,
        /// The message of the error, such as that of the JSON parser.
        reason: String,
    },
    /// The snapshot would contain a secret.
    #[error(
        "no snapshot was written: it would contain what looks like {kind} (“{around}…”), \
         and snapshots are made to be shared"
    )]
    Secret {
        /// The kind of secret, with its article: `a token`.
        kind: &'static str,
        /// The first characters of the secret.
        around: String,
    },
    /// The snapshot would contain modules of the user's own projects.
    #[error(
        "no snapshot was written: this import runs your own modules ({}), \
         and snapshots are made to be shared. To include what these modules do, use {asked}",
        listed(.modules)
    )]
    OwnModules {
        /// The paths of the modules.
        modules: Vec<WinPath>,
        /// The option that includes them.
        asked: &'static str,
    },
    /// A newer version of WhyDLL wrote the snapshot.
    #[error(
        "{path} is a snapshot in format {found}, but this whydll reads formats up to {VERSION} only: \
         update whydll"
    )]
    TooNew {
        /// The path of the snapshot file.
        path: String,
        /// The format version of the snapshot.
        found: u32,
    },
}

/// Names the first of these paths and counts the others.
fn listed(paths: &[WinPath]) -> String {
    match paths {
        [one] => one.to_string(),
        [first, more @ ..] => format!("{first} and {} more", more.len()),
        [] => String::new(),
    }
}

/// Opens the file of a recorded machine.
pub fn open(path: &Path) -> Result<Host, SnapshotError> {
    let name = path.display().to_string();
    let file = File::open(path)
        .map_err(|error| SnapshotError::File { path: name.clone(), reason: error.to_string() })?;
    read(BufReader::new(file), &name)
}

/// Reads a recorded machine. `name` is the name of the snapshot in error messages.
pub fn read(input: impl Read, name: &str) -> Result<Host, SnapshotError> {
    let damaged = |reason: String| SnapshotError::Damaged { path: name.to_owned(), reason };
    let bytes = unpacked(input).map_err(|error| damaged(error.to_string()))?;
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Head {
        whydll_snapshot: u32,
    }
    let depth = nesting(&bytes);
    if depth > MAX_DEPTH {
        return Err(damaged(format!("it is nested {depth} levels deep")));
    }
    let head: Head = parse(&bytes).map_err(|error| damaged(error.to_string()))?;
    match head.whydll_snapshot {
        0 => return Err(damaged("format 0 does not exist".to_owned())),
        1..=VERSION => {}
        found => return Err(SnapshotError::TooNew { path: name.to_owned(), found }),
    }
    let snapshot: Snapshot<Notated> = parse(&bytes).map_err(|error| damaged(error.to_string()))?;
    let mut facts = snapshot.facts;
    for (path, module) in snapshot.scripts {
        let script = match module {
            Ok(number) => {
                let module = snapshot.modules.get(number);
                Ok(module.ok_or_else(|| damaged(format!("no module {number}")))?.0.clone() as AnyValue)
            }
            Err(error) => Err(error.into()),
        };
        facts.insert(ScriptOf::at(&path).key(), script);
    }
    Ok(Host {
        kind: HostKind::Snapshot { is_exact: !snapshot.is_inexact },
        windows_version: snapshot.windows,
        machine: snapshot.machine,
        windows_directory: snapshot.windows_directory,
        known_dlls: Arc::new(snapshot.known_dlls),
        api_sets: Arc::new(snapshot.api_sets),
        variables: snapshot.variables,
        recorded_variables: snapshot.usual_variables,
        recorded_roaming_data: snapshot.roaming_data,
        recorded_new_path: snapshot.new_path,
        registered_pythons: Arc::new(snapshot.registered_pythons),
        running: snapshot.running,
        recorded_interpreter: Some(snapshot.interpreter),
        files: Arc::new(Recorded(facts)),
        disk: None,
    })
}

/// Unpacks the JSON, which may be compressed with xz, or with gzip as in version 1 of the format.
fn unpacked(mut input: impl Read) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    input.by_ref().take(6).read_to_end(&mut head)?;
    let all = std::io::Cursor::new(head.clone()).chain(input);
    let mut bytes = Vec::new();
    if head == *b"\xfd7zXZ\0" {
        XzReader::new_mem_limit(all, false, MAX_MEMORY).take(MAX_BYTES).read_to_end(&mut bytes)?;
    } else if head.starts_with(b"\x1f\x8b") {
        flate2::read::GzDecoder::new(all).take(MAX_BYTES).read_to_end(&mut bytes)?;
    } else {
        all.take(MAX_BYTES).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Converts the error of a snapshot in memory that cannot be turned into JSON, or back.
fn damaged(error: serde_json::Error) -> SnapshotError {
    SnapshotError::Damaged { path: "in memory".to_owned(), reason: error.to_string() }
}

/// Returns the package of a module: its name in site-packages, or else its directory.
fn package_of(path: &str) -> String {
    let mut parts =
        path.split(['/', '\\']).skip_while(|part| !part.eq_ignore_ascii_case("site-packages")).skip(1);
    let folder = || WinPath::new(path).parent().map(|folder| folder.to_string()).unwrap_or_default();
    parts.next().map_or_else(folder, |package| package.trim_end_matches(".py").to_owned())
}

/// Files for which only the recorded answers exist.
struct Recorded(Facts);

impl Files for Recorded {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        placeholders::record_read(path.as_str());
        self.0.folders.get(path).cloned().unwrap_or(Err(FileError::NotRecorded))
    }

    fn kind(&self, path: &WinPath) -> Option<EntryKind> {
        placeholders::record_read(path.as_str());
        let listed = || self.folder(&path.parent()?).ok()?.entry(path.file_name()).map(|entry| entry.kind);
        match (self.0.kinds.get(path), path.parent()) {
            (Some(known), _) => *known,
            (None, Some(_)) => listed(),
            (None, None) => self.folder(path).is_ok().then_some(EntryKind::Folder),
        }
    }

    fn answer(&self, fact: &dyn AnyFact) -> AnyAnswer {
        let key = fact.key();
        placeholders::record_read(key.file.as_str());
        placeholders::record_read(&key.detail);
        self.0.answer(&key)
    }
}

#[cfg(test)]
mod tests;
