//! A machine recorded into one file: every fact that a diagnosis read, and no file's contents.
//!
//! A [`Recorder`] stands between a diagnosis and the files of a machine and writes down each answer.
//! Replayed on any system, the same questions get the same answers, so the findings are the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::files::{FileError, Files, Folder, ImageFacts, ImageFault};
use super::path::WinPath;
use super::{ApiSets, Host, HostKind};
use crate::image::Machine;
use crate::source::Script;

/// Version of the format. Older ones stay readable; newer ones are refused.
const VERSION: u32 = 1;

/// More than any real snapshot unpacks to, in bytes.
const LARGEST: u64 = 512 << 20;

/// The recorded machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Snapshot {
    whydll_snapshot: u32,
    /// The interpreter that was diagnosed.
    interpreter: WinPath,
    windows: Option<String>,
    machine: Machine,
    windows_directory: WinPath,
    known_dlls: BTreeSet<String>,
    api_sets: ApiSets,
    variables: BTreeMap<String, String>,
    facts: Facts,
}

/// Answers by path.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Facts {
    folders: BTreeMap<WinPath, Result<Arc<Folder>, FileError>>,
    sizes: BTreeMap<WinPath, Result<u64, FileError>>,
    texts: BTreeMap<WinPath, Result<Arc<str>, FileError>>,
    images: BTreeMap<WinPath, Result<Arc<ImageFacts>, ImageFault>>,
    scripts: BTreeMap<WinPath, Result<Arc<Script>, FileError>>,
    archives: BTreeMap<WinPath, Result<Arc<Vec<String>>, FileError>>,
}

/// A snapshot that cannot be replayed or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The file cannot be read or written.
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    /// It is cut short, damaged, or something else altogether.
    #[error("{path} is no snapshot that can be read: {reason}")]
    Damaged { path: String, reason: String },
    /// Made by a newer program.
    #[error("{path} is a snapshot of format {found}; this program reads formats up to {VERSION}: get a newer whydll")]
    TooNew { path: String, found: u32 },
}

/// Opens a recorded machine.
pub fn open(path: &Path) -> Result<Host, SnapshotError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| SnapshotError::File {
        path: name.clone(),
        reason: error.to_string(),
    })?;
    read(BufReader::new(file), &name)
}

/// Reads a recorded machine; `name` is for messages.
pub fn read(mut input: impl Read, name: &str) -> Result<Host, SnapshotError> {
    let damaged = |reason: String| SnapshotError::Damaged { path: name.to_owned(), reason };
    let mut bytes = Vec::new();
    let mut head = [0; 2];
    let begun = input.read(&mut head).map_err(|error| damaged(error.to_string()))?;
    let mut all = std::io::Cursor::new(head[..begun].to_vec()).chain(input);
    let unpacked = if head == [0x1f, 0x8b] {
        flate2::read::GzDecoder::new(all).take(LARGEST).read_to_end(&mut bytes)
    } else {
        all.by_ref().take(LARGEST).read_to_end(&mut bytes)
    };
    unpacked.map_err(|error| damaged(error.to_string()))?;
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Head {
        whydll_snapshot: u32,
    }
    let depth = nesting(&bytes);
    if depth > DEEPEST {
        return Err(damaged(format!("it is nested {depth} levels deep")));
    }
    let head: Head = parse(&bytes).map_err(|error| damaged(error.to_string()))?;
    if head.whydll_snapshot > VERSION {
        return Err(SnapshotError::TooNew { path: name.to_owned(), found: head.whydll_snapshot });
    }
    let snapshot: Snapshot = parse(&bytes).map_err(|error| damaged(error.to_string()))?;
    Ok(Host {
        kind: HostKind::Snapshot,
        windows_version: snapshot.windows,
        machine: snapshot.machine,
        windows_directory: snapshot.windows_directory,
        known_dlls: Arc::new(snapshot.known_dlls),
        api_sets: Arc::new(snapshot.api_sets),
        variables: snapshot.variables,
        recorded_interpreter: Some(snapshot.interpreter),
        files: Arc::new(Recorded::new(snapshot.facts)),
        disk: None,
    })
}

/// Deepest nesting of a snapshot: that of the longest chain of `elif` in a module.
const DEEPEST: usize = 2_000;

/// Reads JSON without `serde_json`'s own limit of 128 levels, which modules exceed. [`nesting`] is the limit.
fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> serde_json::Result<T> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    json.disable_recursion_limit();
    let value = T::deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// How deep brackets nest, outside of strings.
fn nesting(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut quoted = false;
    let mut escaped = false;
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Files that write down what they are asked.
pub struct Recorder {
    files: Arc<dyn Files>,
    facts: Mutex<Facts>,
}

impl Recorder {
    /// `host`, with everything that is read from it written down.
    pub fn over(host: &Host) -> (Host, Arc<Recorder>) {
        let recorder = Arc::new(Recorder { files: host.files.clone(), facts: Mutex::default() });
        let recorded = Host { files: recorder.clone(), ..host.clone() };
        (recorded, recorder)
    }

    /// Writes the snapshot, as compressed JSON.
    pub fn write(&self, host: &Host, interpreter: &WinPath, path: &Path) -> Result<(), SnapshotError> {
        let failed = |reason: String| SnapshotError::File { path: path.display().to_string(), reason };
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (file, text) in &mut facts.texts {
            if let Ok(text) = text {
                *text = essence(file, text);
            }
        }
        let snapshot = Snapshot {
            whydll_snapshot: VERSION,
            interpreter: interpreter.clone(),
            windows: host.windows_version.clone(),
            machine: host.machine,
            windows_directory: host.windows_directory.clone(),
            known_dlls: (*host.known_dlls).clone(),
            api_sets: (*host.api_sets).clone(),
            variables: host.variables.clone(),
            facts,
        };
        let file = File::create(path).map_err(|error| failed(error.to_string()))?;
        let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::best());
        serde_json::to_writer(&mut packed, &snapshot).map_err(|error| failed(error.to_string()))?;
        packed.finish().map_err(|error| failed(error.to_string()))?;
        Ok(())
    }

    fn note<T: Clone>(
        &self,
        shelf: impl FnOnce(&mut Facts) -> &mut BTreeMap<WinPath, T>,
        path: &WinPath,
        answer: T,
    ) -> T {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        shelf(&mut facts).insert(path.clone(), answer.clone());
        answer
    }
}

/// What of a text a diagnosis reads: of RECORD the native files and the top-level names, of METADATA the
/// headers. The rest stays on the recorded machine.
fn essence(file: &WinPath, text: &Arc<str>) -> Arc<str> {
    match file.file_name() {
        "RECORD" => {
            let mut seen = BTreeSet::new();
            let kept = text.lines().filter(|line| {
                let path = line.split(',').next().unwrap_or_default().to_ascii_lowercase();
                let native = [".pyd", ".dll", ".so", ".exe"].iter().any(|suffix| path.ends_with(suffix));
                let top = path.split('/').next().unwrap_or_default().to_owned();
                native || (path.ends_with(".py") && seen.insert(top))
            });
            kept.flat_map(|line| [line, "\n"]).collect::<String>().into()
        }
        "METADATA" | "PKG-INFO" => {
            text.split("\n\n").next().unwrap_or_default().into()
        }
        _ => text.clone(),
    }
}

impl Files for Recorder {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        self.note(|facts| &mut facts.folders, path, self.files.folder(path))
    }

    fn size(&self, path: &WinPath) -> Result<u64, FileError> {
        self.note(|facts| &mut facts.sizes, path, self.files.size(path))
    }

    fn text(&self, path: &WinPath) -> Result<Arc<str>, FileError> {
        self.note(|facts| &mut facts.texts, path, self.files.text(path))
    }

    fn image(&self, path: &WinPath) -> Result<Arc<ImageFacts>, ImageFault> {
        self.note(|facts| &mut facts.images, path, self.files.image(path))
    }

    fn script(&self, path: &WinPath) -> Result<Arc<Script>, FileError> {
        self.note(|facts| &mut facts.scripts, path, self.files.script(path))
    }

    fn archive(&self, path: &WinPath) -> Result<Arc<Vec<String>>, FileError> {
        self.note(|facts| &mut facts.archives, path, self.files.archive(path))
    }
}

/// Files of which only the recorded answers are known.
struct Recorded {
    folders: HashMap<WinPath, Result<Arc<Folder>, FileError>>,
    facts: Facts,
}

impl Recorded {
    fn new(mut facts: Facts) -> Recorded {
        let folders = std::mem::take(&mut facts.folders).into_iter().collect();
        Recorded { folders, facts }
    }
}

fn recall<T: Clone, E: From<FileError> + Clone>(
    shelf: &BTreeMap<WinPath, Result<T, E>>,
    path: &WinPath,
) -> Result<T, E> {
    shelf.get(path).cloned().unwrap_or_else(|| Err(FileError::NotRecorded.into()))
}

impl Files for Recorded {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        self.folders.get(path).cloned().unwrap_or(Err(FileError::NotRecorded))
    }

    fn size(&self, path: &WinPath) -> Result<u64, FileError> {
        recall(&self.facts.sizes, path)
    }

    fn text(&self, path: &WinPath) -> Result<Arc<str>, FileError> {
        recall(&self.facts.texts, path)
    }

    fn image(&self, path: &WinPath) -> Result<Arc<ImageFacts>, ImageFault> {
        recall(&self.facts.images, path)
    }

    fn script(&self, path: &WinPath) -> Result<Arc<Script>, FileError> {
        recall(&self.facts.scripts, path)
    }

    fn archive(&self, path: &WinPath) -> Result<Arc<Vec<String>>, FileError> {
        recall(&self.facts.archives, path)
    }
}
