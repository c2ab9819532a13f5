//! A machine recorded into one file: every fact that a diagnosis read.
//!
//! A [`Recorder`] stands between a diagnosis and the files of a machine and writes down each answer.
//! Replayed on any system, the same questions get the same answers, so the findings are the same.

mod essence;
mod notation;
mod redactor;
mod secrets;
mod users;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use lzma_rust2::{XzOptions, XzReader, XzWriter};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::files::{Entry, EntryKind, FileError, Files, Folder, ImageFacts, ImageFault};
use super::path::WinPath;
use super::{ApiSets, Host, HostKind, RegisteredPython, Running};
use crate::image::{Binding, Export, Machine, Symbol};
use crate::source::{LeftOut, Script, Span, Stmt, StmtKind, Try, withheld};
use essence::essence;
use notation::{Notated, with_constants};
pub use redactor::Redactor;
use secrets::secret_in;
use users::{Users, strings_of};

/// Version of the format. Older ones stay readable; newer ones are refused. The first told modules and folders field by field, and
/// was packed by gzip.
const VERSION: u32 = 2;

/// More than any real snapshot unpacks to, in bytes.
const LARGEST: u64 = 512 << 20;

/// What unpacking may cost, in KiB. We pack with a dictionary of 8 MiB, `xz -9` with one of 64 MiB, and a hostile file may ask for 4 GiB.
const MEMORY: u32 = 80 << 10;

/// So many characters of a text that holds a secret are shown, to find it by.
const SHOWN_OF_SECRET: usize = 8;

/// How hard is tried to make it small: xz's own default.
const PRESET: u32 = 6;

/// The recorded machine.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Snapshot<M> {
    whydll_snapshot: u32,
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
    /// Its [`Host::roaming_data`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roaming_data: Option<WinPath>,
    /// Whether its processes have the PATH of a new Windows, see [`Host::has_new_path`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    new_path: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    registered_pythons: Vec<RegisteredPython>,
    #[serde(default)]
    running: Running,
    /// What modules do; many are alike.
    modules: Vec<M>,
    /// Which of them stands at a path.
    scripts: BTreeMap<WinPath, Result<usize, FileError>>,
    facts: Facts,
}

/// Answers by path.
#[derive(Default, Clone, Serialize, Deserialize)]
struct Facts {
    /// What paths name whose folders were not listed.
    #[serde(default)]
    kinds: BTreeMap<WinPath, Option<EntryKind>>,
    folders: BTreeMap<WinPath, Result<Listing, FileError>>,
    sizes: BTreeMap<WinPath, Result<u64, FileError>>,
    texts: BTreeMap<WinPath, Result<Arc<str>, FileError>>,
    images: BTreeMap<WinPath, Result<Arc<ImageFacts>, ImageFault>>,
    /// By importer, name of the import, and exporter; those where everything is found are left out.
    #[serde(default)]
    bindings: BTreeMap<String, Result<Arc<Binding>, ImageFault>>,
    /// By image and symbol.
    #[serde(default)]
    exports: BTreeMap<String, Result<Option<Export>, ImageFault>>,
    /// By file and text; those that do not hold it are left out.
    #[serde(default)]
    held: BTreeMap<String, Result<bool, FileError>>,
    /// Those that need nothing special are left out.
    #[serde(default)]
    instructions: BTreeMap<WinPath, Result<Arc<BTreeSet<String>>, ImageFault>>,
    #[serde(skip)]
    scripts: BTreeMap<WinPath, Result<Arc<Script>, FileError>>,
    archives: BTreeMap<WinPath, Result<Arc<Vec<String>>, FileError>>,
}

/// A folder, told by the names of the folders in it and those of the files.
#[derive(Clone)]
struct Listing(Arc<Folder>);

impl Serialize for Listing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = self.0.entries();
        let names = |kind| -> Vec<&str> {
            entries.iter().filter(|entry| entry.kind == kind).map(|entry| entry.name.as_str()).collect()
        };
        (names(EntryKind::Folder), names(EntryKind::File)).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Listing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Listing, D::Error> {
        let value = Value::deserialize(deserializer)?;
        // The first format told it field by field.
        if value.is_object() {
            return serde_json::from_value(value)
                .map(|folder| Listing(Arc::new(folder)))
                .map_err(D::Error::custom);
        }
        let (folders, files): (Vec<String>, Vec<String>) =
            serde_json::from_value(value).map_err(D::Error::custom)?;
        let entries = |names: Vec<String>, kind| names.into_iter().map(move |name| Entry { name, kind });
        let entries = entries(folders, EntryKind::Folder).chain(entries(files, EntryKind::File));
        Ok(Listing(Arc::new(Folder::new(entries))))
    }
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
    /// It would hold a secret.
    #[error(
        "no snapshot was written: what would be in it holds what looks like {kind}, in “{around}…”. Snapshots are made to be sent to others"
    )]
    Secret { kind: &'static str, around: String },
    /// It would have modules of a person's own projects.
    #[error(
        "no snapshot was written: this import runs modules of your own ({}), and snapshots are made to be sent to others. Include what these do with {asked}",
        listed(.modules)
    )]
    OwnModules {
        /// Their files.
        modules: Vec<WinPath>,
        /// How that is asked for.
        asked: &'static str,
    },
    /// Made by a newer program.
    #[error(
        "{path} is a snapshot of format {found}; this program reads formats up to {VERSION}: get a newer whydll"
    )]
    TooNew { path: String, found: u32 },
}

/// The first few of these paths.
fn listed(paths: &[WinPath]) -> String {
    match paths {
        [one] => one.to_string(),
        [first, more @ ..] => format!("{first} and {} more", more.len()),
        [] => String::new(),
    }
}

/// Opens a recorded machine.
pub fn open(path: &Path) -> Result<Host, SnapshotError> {
    let name = path.display().to_string();
    let file = File::open(path)
        .map_err(|error| SnapshotError::File { path: name.clone(), reason: error.to_string() })?;
    read(BufReader::new(file), &name)
}

/// Reads a recorded machine; `name` is for messages.
pub fn read(input: impl Read, name: &str) -> Result<Host, SnapshotError> {
    let damaged = |reason: String| SnapshotError::Damaged { path: name.to_owned(), reason };
    let bytes = unpacked(input).map_err(|error| damaged(error.to_string()))?;
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
    match head.whydll_snapshot {
        0 => return Err(damaged("there is no format 0".to_owned())),
        1..=VERSION => {}
        found => return Err(SnapshotError::TooNew { path: name.to_owned(), found }),
    }
    let snapshot: Snapshot<Notated> = parse(&bytes).map_err(|error| damaged(error.to_string()))?;
    let mut facts = snapshot.facts;
    for (path, module) in snapshot.scripts {
        let script = match module {
            Ok(number) => {
                let module = snapshot.modules.get(number);
                Ok(module.ok_or_else(|| damaged(format!("no module {number}")))?.0.clone())
            }
            Err(error) => Err(error),
        };
        facts.scripts.insert(path, script);
    }
    Ok(Host {
        kind: HostKind::Snapshot,
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
        files: Arc::new(Recorded::new(facts)),
        disk: None,
    })
}

/// The JSON, which may be packed by xz, or by gzip as the first format was.
fn unpacked(mut input: impl Read) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    input.by_ref().take(6).read_to_end(&mut head)?;
    let all = std::io::Cursor::new(head.clone()).chain(input);
    let mut bytes = Vec::new();
    if head == *b"\xfd7zXZ\0" {
        XzReader::new_mem_limit(all, false, MEMORY).take(LARGEST).read_to_end(&mut bytes)?;
    } else if head.starts_with(b"\x1f\x8b") {
        flate2::read::GzDecoder::new(all).take(LARGEST).read_to_end(&mut bytes)?;
    } else {
        all.take(LARGEST).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
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

/// What was recorded, with a mark in the place of each text whose need a replay shows: constants of modules, values of variables, texts
/// in files.
#[derive(Default)]
pub struct Recording {
    facts: Facts,
    /// What modules do, in our notation.
    modules: Vec<Value>,
    /// Which of them stands at a path.
    scripts: BTreeMap<WinPath, Result<usize, FileError>>,
    variables: BTreeMap<String, String>,
    texts: Texts,
}

/// The texts that marks stand for, each once.
#[derive(Default)]
struct Texts {
    all: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Texts {
    /// The mark of a text. Whether one is empty may decide what is done, and gives nothing away.
    fn mark(&mut self, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        let number = self.numbers.get(text).copied().unwrap_or_else(|| {
            self.all.push(text.to_owned());
            self.numbers.insert(text.to_owned(), self.all.len() - 1);
            self.all.len() - 1
        });
        withheld::mark(number)
    }

    /// A text with those that are kept in the place of their marks.
    fn restored(&self, text: &str, kept: &BTreeSet<usize>) -> String {
        withheld::restored(text, |number| kept.get(&number).map(|number| self.all[*number].as_str()))
    }
}

impl Recording {
    /// How many texts are withheld as long as a replay does not need them. Each has a number below this one.
    pub fn texts(&self) -> usize {
        self.texts.all.len()
    }

    /// The modules that lie in none of these folders, nor in another environment: those of a person's own projects.
    pub fn modules_outside(&self, folders: &[WinPath]) -> Vec<&WinPath> {
        let is_outside = |path: &&WinPath| {
            !folders.iter().any(|folder| path.is_within(folder)) && !self.is_of_environment(path)
        };
        let modules = self.scripts.iter().filter(|(_, script)| script.is_ok()).map(|(path, _)| path);
        modules.filter(is_outside).collect()
    }

    /// Whether a file lies in some site-packages, or in the `Lib` or the `python38.zip` beside a `python.exe`.
    fn is_of_environment(&self, file: &WinPath) -> bool {
        let has_python = |folder: &WinPath| {
            let listing = self.facts.folders.get(folder).and_then(|listing| listing.as_ref().ok());
            listing.is_some_and(|listing| listing.0.has_file("python.exe"))
        };
        std::iter::successors(file.parent(), WinPath::parent).any(|folder| {
            let name = folder.file_name();
            let is_library = name.eq_ignore_ascii_case("lib") || is_python_zip(name);
            name.eq_ignore_ascii_case("site-packages")
                || is_library && folder.parent().is_some_and(|above| has_python(&above))
        })
    }

    /// With these texts, and without marks for them.
    fn restored(&self, kept: &BTreeSet<usize>) -> (Vec<Value>, Facts, BTreeMap<String, String>) {
        let mut modules = self.modules.clone();
        for module in &mut modules {
            with_constants(module, &mut |text| Some(self.texts.restored(text, kept)));
        }
        let mut facts = self.facts.clone();
        for text in facts.texts.values_mut().flatten() {
            *text = self.texts.restored(text, kept).into();
        }
        let variables = self.variables.iter();
        let variables = variables.map(|(name, value)| (name.clone(), self.texts.restored(value, kept)));
        (modules, facts, variables.collect())
    }

    /// `host` as the snapshot with these texts replays it.
    pub fn replayed(
        &self,
        host: &Host,
        interpreter: &WinPath,
        kept: &BTreeSet<usize>,
    ) -> Result<Host, SnapshotError> {
        let (modules, mut facts, variables) = self.restored(kept);
        let modules: Result<Vec<Notated>, serde_json::Error> =
            modules.into_iter().map(Notated::deserialize).collect();
        let modules = modules.map_err(damaged)?;
        let module = |number: usize| modules.get(number).map(|module| module.0.clone());
        facts.scripts.extend(self.scripts.iter().map(|(path, script)| {
            let script = script.clone().and_then(|number| module(number).ok_or(FileError::NotRecorded));
            (path.clone(), script)
        }));
        Ok(Host {
            kind: HostKind::Snapshot,
            variables,
            recorded_variables: host.usual_variables(interpreter, host.machine),
            recorded_roaming_data: host.roaming_data(),
            recorded_new_path: host.has_new_path(),
            recorded_interpreter: Some(interpreter.clone()),
            files: Arc::new(Recorded::new(facts)),
            disk: None,
            ..host.clone()
        })
    }

    /// The snapshot with these texts. Users, servers and companies keep their names with `keep_names`.
    pub fn finished(
        self,
        host: &Host,
        interpreter: &WinPath,
        kept: &BTreeSet<usize>,
        keep_names: bool,
    ) -> Result<Finished, SnapshotError> {
        let mut users = users_of(host, &self);
        let (modules, mut facts, variables) = self.restored(kept);
        if !keep_names {
            hide_homes(&mut facts, &mut users);
        }
        let snapshot = Snapshot {
            whydll_snapshot: VERSION,
            interpreter: interpreter.clone(),
            windows: host.windows_version.clone(),
            machine: host.machine,
            windows_directory: host.windows_directory.clone(),
            known_dlls: (*host.known_dlls).clone(),
            api_sets: (*host.api_sets).clone(),
            variables,
            usual_variables: host.usual_variables(interpreter, host.machine),
            roaming_data: host.roaming_data(),
            new_path: host.has_new_path(),
            registered_pythons: (*host.registered_pythons).clone(),
            running: host.running.clone(),
            modules,
            scripts: self.scripts,
            facts,
        };
        let json = serde_json::to_string(&snapshot).map_err(damaged)?;
        let json = if keep_names { json } else { users.hidden_in_json(&json) };
        for text in strings_of(&json) {
            if let Some(kind) = secret_in(&text) {
                // Without the path or the notation that it stands in.
                let mut words = text.split(|c: char| c.is_whitespace() || "\\'|".contains(c));
                let word = words.find(|word| secret_in(word).is_some()).unwrap_or(&text);
                let around = word.chars().take(SHOWN_OF_SECRET).collect();
                return Err(SnapshotError::Secret { kind, around });
            }
        }
        Ok(Finished { json, renamed: if keep_names { 0 } else { users.met() } })
    }
}

/// The snapshot that is being made cannot be turned into JSON, or back.
fn damaged(error: serde_json::Error) -> SnapshotError {
    SnapshotError::Damaged { path: "the snapshot".to_owned(), reason: error.to_string() }
}

/// A snapshot that is not written yet.
pub struct Finished {
    json: String,
    /// How many users, servers and companies were given other names.
    pub renamed: usize,
}

impl Finished {
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

/// `python38.zip`, the standard library of an embeddable Python.
fn is_python_zip(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.strip_prefix("python")
        .and_then(|rest| rest.strip_suffix(".zip"))
        .is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit()))
}

/// What a module belongs to: the package in site-packages, or else the folder.
fn package_of(path: &str) -> String {
    let mut parts =
        path.split(['/', '\\']).skip_while(|part| !part.eq_ignore_ascii_case("site-packages")).skip(1);
    let folder = || WinPath::new(path).parent().map(|folder| folder.to_string()).unwrap_or_default();
    parts.next().map_or_else(folder, |package| package.trim_end_matches(".py").to_owned())
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

    /// What was written down so far. `prefixes` are the folders of the environment; of the folders above them only the way down
    /// is recorded.
    pub fn recording(&self, host: &Host, prefixes: &[&WinPath]) -> Recording {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        hide_neighbours(&mut facts, prefixes);
        let folders = &facts.folders;
        facts.kinds.retain(|path, _| {
            let is_inside = prefixes.iter().any(|prefix| path.is_within(prefix));
            !is_inside || path.parent().is_none_or(|folder| !folders.contains_key(&folder))
        });
        facts.held.retain(|_, held| *held != Ok(false));
        facts.instructions.retain(|_, needed| !matches!(needed, Ok(needed) if needed.is_empty()));
        facts.bindings.retain(|_, binding| !matches!(binding, Ok(found) if **found == Binding::default()));
        let mut recording = Recording::default();
        for (file, text) in &mut facts.texts {
            if let Ok(text) = text {
                *text = essence(file, text, &mut |text| recording.texts.mark(text)).into();
            }
        }
        for (name, value) in &host.variables {
            let value = if is_read(name) { value.clone() } else { recording.texts.mark(value) };
            recording.variables.insert(name.clone(), value);
        }
        let mut numbers: HashMap<String, usize> = HashMap::new();
        for (path, script) in &facts.scripts {
            let module = match script {
                Ok(script) => {
                    let mut module = (**script).clone();
                    let is_called =
                        |definition: &LeftOut| facts.scripts.contains_key(&path.with_part(definition.at));
                    forget_places(&mut module.body, &is_called);
                    let mut module = Notated(Arc::new(module)).in_notation();
                    with_constants(&mut module, &mut |text| Some(recording.texts.mark(text)));
                    Ok(*numbers.entry(module.to_string()).or_insert_with(|| {
                        recording.modules.push(module);
                        recording.modules.len() - 1
                    }))
                }
                Err(error) => Err(error.clone()),
            };
            recording.scripts.insert(path.clone(), module);
        }
        facts.scripts.clear();
        Recording { facts, ..recording }
    }

    fn note<K: Clone + Ord, T: Clone>(
        &self,
        shelf: impl FnOnce(&mut Facts) -> &mut BTreeMap<K, T>,
        asked: &K,
        answer: T,
    ) -> T {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        shelf(&mut facts).insert(asked.clone(), answer.clone());
        answer
    }
}

/// Folders above the environment were listed only on the way to it, and those of users and programs only to find other
/// environments: what else lies there is nobody's business.
fn hide_neighbours(facts: &mut Facts, prefixes: &[&WinPath]) {
    let listed = facts.folders.iter().filter(|(_, listing)| listing.is_ok()).map(|(path, _)| path);
    let read = facts.texts.iter().filter(|(_, text)| text.is_ok()).map(|(path, _)| path);
    let loaded = facts.images.keys().chain(facts.scripts.keys()).chain(facts.archives.keys());
    let asked = facts.kinds.iter().filter(|(_, kind)| kind.is_some()).map(|(path, _)| path);
    let seen = listed.chain(read).chain(loaded).chain(asked).chain(prefixes.iter().copied());
    let seen: Vec<WinPath> = seen.cloned().collect();
    for (folder, listing) in &mut facts.folders {
        let inside = prefixes.iter().any(|prefix| folder.is_within(prefix));
        let above = prefixes.iter().any(|prefix| prefix.is_within(folder));
        if let (Ok(listing), false, true) = (listing, inside, above || is_of_many(folder)) {
            let leads_down = |entry: &&Entry| {
                let path = folder.join(&entry.name);
                seen.iter().any(|seen| seen.is_within(&path))
            };
            let kept = listing.0.entries().into_iter().filter(leads_down).cloned();
            *listing = Listing(Arc::new(Folder::new(kept)));
        }
    }
}

/// Where this user's home and that of whoever is logged in lie.
fn homes_of(host: &Host) -> impl Iterator<Item = WinPath> {
    let mut homes: Vec<WinPath> = host.variables.get("USERPROFILE").map(WinPath::new).into_iter().collect();
    if host.kind != HostKind::Snapshot {
        homes.extend(std::env::home_dir().map(|home| host.path_of(&home)));
    }
    homes.into_iter().filter(|home| home.is_absolute() && *home != WinPath::new("/root"))
}

/// The users whose folders a recorded machine tells of: where they are told as paths, since it is clear there where a name ends.
fn users_of(host: &Host, Recording { facts, scripts, .. }: &Recording) -> Users {
    let mut users = Users::with_homes(homes_of(host), &host.windows_directory);
    for path in facts.folders.keys().chain(facts.images.keys()).chain(scripts.keys()) {
        users.meet(path.as_str());
    }
    for python in host.registered_pythons.iter() {
        users.meet(python.executable.as_str());
    }
    for folder in host.variables.values().chain([&host.running.path]).flat_map(|value| value.split(';')) {
        users.meet(folder);
    }
    users
}

/// Whether rules of ours read this variable, and not only a program that asks for it.
fn is_read(name: &str) -> bool {
    const READ: [&str; 24] = [
        "APPDATA",
        "LOCALAPPDATA",
        "USERPROFILE",
        "PATH",
        "SYSTEMROOT",
        "WINDIR",
        "SYSTEMDRIVE",
        "PROGRAMFILES",
        "PROGRAMDATA",
        "PROCESSOR_ARCHITECTURE",
        "PYTHONPATH",
        "PYTHONUSERBASE",
        "PYTHONNOUSERSITE",
        "CONDA_EXE",
        "CONDA_ENVS_PATH",
        "CONDA_ENVS_DIRS",
        "PIXI_HOME",
        "MAMBA_ROOT_PREFIX",
        "UV_PYTHON_INSTALL_DIR",
        "WORKON_HOME",
        "POETRY_CACHE_DIR",
        "POETRY_VIRTUALENVS_PATH",
        "PYENV",
        "PYENV_ROOT",
    ];
    READ.contains(&name) || ["CUDA_PATH", "PY_PYTHON"].iter().any(|family| name.starts_with(family))
}

/// Nobody can ask a replay for a function that was not called: of those the names are kept alone.
fn forget_places(body: &mut [Stmt], is_called: &impl Fn(&LeftOut) -> bool) {
    for stmt in body {
        match &mut stmt.kind {
            StmtKind::LeftOut(definitions) => {
                let kept = definitions.iter().map(|definition| match is_called(definition) {
                    true => definition.clone(),
                    false => LeftOut { at: Span::default(), ..definition.clone() },
                });
                *definitions = Arc::new(kept.collect());
            }
            StmtKind::If { then, otherwise, .. } => {
                forget_places(then, is_called);
                forget_places(otherwise, is_called);
            }
            StmtKind::For { body, otherwise, .. } => {
                forget_places(body, is_called);
                forget_places(otherwise, is_called);
            }
            StmtKind::Class { body, .. } | StmtKind::While { body, .. } | StmtKind::With { body, .. } => {
                forget_places(body, is_called);
            }
            StmtKind::Try(attempt) => {
                let Try { body, handlers, otherwise, finally } = &mut **attempt;
                for block in [body, otherwise, finally] {
                    forget_places(block, is_called);
                }
                handlers.iter_mut().for_each(|handler| forget_places(&mut handler.body, is_called));
            }
            _ => {}
        }
    }
}

/// Homes are called in the folders that hold them as they are called in paths.
fn hide_homes(facts: &mut Facts, users: &mut Users) {
    for (folder, listing) in &mut facts.folders {
        let Ok(listing) = listing else { continue };
        let entries = listing.0.entries().into_iter();
        let names: Vec<Option<String>> = entries.map(|entry| users.hidden_in(folder, &entry.name)).collect();
        if names.iter().any(Option::is_some) {
            let entries = listing.0.entries().into_iter().cloned().zip(names);
            let told = entries.map(|(entry, name)| Entry { name: name.unwrap_or(entry.name), ..entry });
            *listing = Listing(Arc::new(Folder::new(told)));
        }
    }
}

/// `C:\`, `C:\Users`, `C:\Users\me` and what lies open there, `C:\Program Files`, `C:\ProgramData`.
fn is_of_many(folder: &WinPath) -> bool {
    let folder = folder.as_str().to_ascii_lowercase();
    let parts: Vec<&str> = folder.split(['/', '\\']).filter(|part| !part.is_empty()).skip(1).collect();
    match parts.as_slice() {
        [] | ["users"] | ["users", _] | ["users", _, "desktop" | "downloads"] => true,
        [only] => only.starts_with("program"),
        _ => false,
    }
}

impl Files for Recorder {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        let answer = self.files.folder(path);
        self.note(|facts| &mut facts.folders, path, answer.map(Listing)).map(|listing| listing.0)
    }

    /// Without a listing of its folder, in which there may be much else.
    fn kind(&self, path: &WinPath) -> Option<EntryKind> {
        self.note(|facts| &mut facts.kinds, path, self.files.kind(path))
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

    fn binding(&self, importer: &WinPath, dll: &str, exporter: &WinPath) -> Result<Arc<Binding>, ImageFault> {
        let answer = self.files.binding(importer, dll, exporter);
        self.note(|facts| &mut facts.bindings, &binding_key(importer, dll, exporter), answer)
    }

    fn export(&self, path: &WinPath, symbol: &Symbol) -> Result<Option<Export>, ImageFault> {
        self.note(|facts| &mut facts.exports, &export_key(path, symbol), self.files.export(path, symbol))
    }

    fn script(&self, path: &WinPath) -> Result<Arc<Script>, FileError> {
        self.note(|facts| &mut facts.scripts, path, self.files.script(path))
    }

    fn holds(&self, path: &WinPath, text: &str) -> Result<bool, FileError> {
        self.note(|facts| &mut facts.held, &held_key(path, text), self.files.holds(path, text))
    }

    fn instructions(&self, path: &WinPath) -> Result<Arc<BTreeSet<String>>, ImageFault> {
        self.note(|facts| &mut facts.instructions, path, self.files.instructions(path))
    }

    fn archive(&self, path: &WinPath) -> Result<Arc<Vec<String>>, FileError> {
        self.note(|facts| &mut facts.archives, path, self.files.archive(path))
    }
}

/// No path of Windows holds a `|`.
fn binding_key(importer: &WinPath, dll: &str, exporter: &WinPath) -> String {
    format!("{}|{dll}|{}", importer.key(), exporter.key())
}

fn export_key(path: &WinPath, symbol: &Symbol) -> String {
    format!("{}|{symbol}", path.key())
}

fn held_key(path: &WinPath, text: &str) -> String {
    format!("{}|{text}", path.key())
}

/// Files of which only the recorded answers are known.
struct Recorded {
    folders: HashMap<WinPath, Result<Arc<Folder>, FileError>>,
    facts: Facts,
}

impl Recorded {
    fn new(mut facts: Facts) -> Recorded {
        let folders = std::mem::take(&mut facts.folders).into_iter();
        let folders = folders.map(|(path, folder)| (path, folder.map(|listing| listing.0))).collect();
        Recorded { folders, facts }
    }
}

fn recall<K: Ord, T: Clone, E: From<FileError> + Clone>(
    shelf: &BTreeMap<K, Result<T, E>>,
    asked: &K,
) -> Result<T, E> {
    shelf.get(asked).cloned().unwrap_or_else(|| Err(FileError::NotRecorded.into()))
}

impl Files for Recorded {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        withheld::note(path.as_str());
        self.folders.get(path).cloned().unwrap_or(Err(FileError::NotRecorded))
    }

    fn kind(&self, path: &WinPath) -> Option<EntryKind> {
        withheld::note(path.as_str());
        let listed = || self.folder(&path.parent()?).ok()?.entry(path.file_name()).map(|entry| entry.kind);
        match (self.facts.kinds.get(path), path.parent()) {
            (Some(known), _) => *known,
            (None, Some(_)) => listed(),
            (None, None) => self.folder(path).is_ok().then_some(EntryKind::Folder),
        }
    }

    fn size(&self, path: &WinPath) -> Result<u64, FileError> {
        withheld::note(path.as_str());
        recall(&self.facts.sizes, path)
    }

    fn text(&self, path: &WinPath) -> Result<Arc<str>, FileError> {
        withheld::note(path.as_str());
        recall(&self.facts.texts, path)
    }

    fn image(&self, path: &WinPath) -> Result<Arc<ImageFacts>, ImageFault> {
        withheld::note(path.as_str());
        recall(&self.facts.images, path)
    }

    fn binding(&self, importer: &WinPath, dll: &str, exporter: &WinPath) -> Result<Arc<Binding>, ImageFault> {
        let known = self.facts.bindings.get(&binding_key(importer, dll, exporter));
        known.cloned().unwrap_or_else(|| Ok(Arc::default()))
    }

    fn export(&self, path: &WinPath, symbol: &Symbol) -> Result<Option<Export>, ImageFault> {
        recall(&self.facts.exports, &export_key(path, symbol))
    }

    fn script(&self, path: &WinPath) -> Result<Arc<Script>, FileError> {
        withheld::note(path.as_str());
        recall(&self.facts.scripts, path)
    }

    /// What is not recorded was not asked, or not there.
    fn holds(&self, path: &WinPath, text: &str) -> Result<bool, FileError> {
        withheld::note(path.as_str());
        withheld::note(text);
        self.facts.held.get(&held_key(path, text)).cloned().unwrap_or(Ok(false))
    }

    fn instructions(&self, path: &WinPath) -> Result<Arc<BTreeSet<String>>, ImageFault> {
        self.facts.instructions.get(path).cloned().unwrap_or_else(|| Ok(Arc::default()))
    }

    fn archive(&self, path: &WinPath) -> Result<Arc<Vec<String>>, FileError> {
        withheld::note(path.as_str());
        recall(&self.facts.archives, path)
    }
}

#[cfg(test)]
mod tests;
