//! Recording of what a diagnosis reads. Strings are set aside until a replay shows whether the
//! snapshot needs them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use super::essence::essence;
use super::facts::Facts;
use super::finished::FinishedSnapshot;
use super::notation::{Notated, with_constants};
use super::users::{Users, homes_of};
use super::{Recorded, Snapshot, SnapshotError, VERSION, damaged, package_of};
use crate::host::fact::{AnyAnswer, AnyFact, AnyValue, FactKey};
use crate::host::facts::{ImageOf, ModulesIn, ScriptOf, TextOf};
use crate::host::fault::{FileError, ImageFault};
use crate::host::files::Files;
use crate::host::folder::{Entry, EntryKind, Folder};
use crate::host::path::WinPath;
use crate::host::variables::OF_ENVIRONMENTS;
use crate::host::{Host, HostKind};
use crate::source::{LeftOut, Script, Span, Stmt, StmtKind, Try, placeholders};

/// Files that record every answer.
pub struct Recorder {
    files: Arc<dyn Files>,
    facts: Mutex<Facts>,
}

impl Recorder {
    /// Returns `host` with all reads recorded.
    pub fn over(host: &Host) -> (Host, Arc<Recorder>) {
        let recorder = Arc::new(Recorder { files: host.files.clone(), facts: Mutex::default() });
        let recorded = Host { files: recorder.clone(), ..host.clone() };
        (recorded, recorder)
    }

    /// Returns what was recorded so far. `prefixes` are the directories of the environment; of the
    /// directories above them, only the path down to the environment is included.
    pub fn recording(&self, host: &Host, prefixes: &[&WinPath]) -> Recording {
        let mut facts = self.facts().clone();
        remove_neighbours(&mut facts, prefixes);
        let folders = &facts.folders;
        facts.kinds.retain(|path, _| {
            let is_inside = prefixes.iter().any(|prefix| path.is_within(prefix));
            !is_inside || path.parent().is_none_or(|folder| !folders.contains_key(&folder))
        });
        facts.remove_usual();
        let mut recording = Recording::default();
        facts.update::<TextOf>(|file, text| {
            essence(file, text, &mut |text| recording.texts.placeholder(text)).into()
        });
        for (name, value) in &host.variables {
            let value = if is_read(name) { value.clone() } else { recording.texts.placeholder(value) };
            recording.variables.insert(name.clone(), value);
        }
        let mut numbers: HashMap<String, usize> = HashMap::new();
        for (key, script) in facts.all::<ScriptOf>() {
            let path = path_of(key);
            let module = match script {
                Ok(script) => {
                    let mut module = script.clone();
                    let is_called =
                        |definition: &LeftOut| facts.has(&ScriptOf::at(&path.with_part(definition.at)).key());
                    forget_places(&mut module.body, &is_called);
                    let mut module = Notated(Arc::new(module)).to_value();
                    with_constants(&mut module, &mut |text| Some(recording.texts.placeholder(text)));
                    Ok(*numbers.entry(module.to_string()).or_insert_with(|| {
                        recording.modules.push(MarkedModule::new(module));
                        recording.modules.len() - 1
                    }))
                }
                Err(fault) => Err(fault.clone().into()),
            };
            recording.scripts.insert(path, module);
        }
        facts.remove_all::<ScriptOf>();
        Recording { facts, ..recording }
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files for Recorder {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        let folder = self.files.folder(path);
        self.facts().folders.insert(path.clone(), folder.clone());
        folder
    }

    /// Records the kind only, because the listing of the directory may contain much else.
    fn kind(&self, path: &WinPath) -> Option<EntryKind> {
        let kind = self.files.kind(path);
        self.facts().kinds.insert(path.clone(), kind);
        kind
    }

    fn answer(&self, fact: &dyn AnyFact) -> AnyAnswer {
        let answer = self.files.answer(fact);
        self.facts().insert(fact.key(), answer.clone());
        answer
    }
}

/// Returns the path by which a script is requested.
fn path_of(key: &FactKey) -> WinPath {
    match key.detail.as_str() {
        "" => key.file.clone(),
        part => WinPath::new(format!("{}|{part}", key.file)),
    }
}

/// A recording in which a placeholder replaces each string whose need is determined by a replay:
/// constants of modules, values of variables, strings in files.
#[derive(Default)]
pub struct Recording {
    facts: Facts,
    modules: Vec<MarkedModule>,
    /// The index into `modules` by path.
    scripts: BTreeMap<WinPath, Result<usize, FileError>>,
    variables: BTreeMap<String, String>,
    texts: MarkedStrings,
}

impl Recording {
    /// Returns the number of strings that are withheld unless a replay needs them. Each string has
    /// a number below it.
    pub fn texts(&self) -> usize {
        self.texts.all.len()
    }

    /// Groups these strings by the package or file that contains them, or the variables; the
    /// smallest groups come first. Strings with several owners form one group.
    pub fn by_owner(&self, texts: &BTreeSet<usize>) -> Vec<Vec<usize>> {
        let mut owners: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        let mut add = |number: usize, owner: &str| {
            if texts.contains(&number) {
                owners.entry(number).or_default().insert(owner.to_owned());
            }
        };
        for (path, script) in &self.scripts {
            let Some(module) = script.as_ref().ok().and_then(|number| self.modules.get(*number)) else {
                continue;
            };
            let owner = package_of(path.as_str());
            module.placeholders.iter().for_each(|number| add(*number, &owner));
        }
        for (key, text) in self.facts.all::<TextOf>() {
            let numbers = text.into_iter().flat_map(|text| placeholders::numbers_in(text));
            numbers.for_each(|number| add(number, key.file.as_str()));
        }
        for value in self.variables.values() {
            placeholders::numbers_in(value).for_each(|number| add(number, "variables"));
        }
        let mut parts: BTreeMap<BTreeSet<String>, Vec<usize>> = BTreeMap::new();
        for (number, mut owners) in owners {
            if owners.len() > 1 {
                owners.clear();
            }
            parts.entry(owners).or_default().push(number);
        }
        let mut parts: Vec<Vec<usize>> = parts.into_values().collect();
        parts.sort_by_key(Vec::len);
        parts
    }

    /// Returns the modules that are neither in these directories nor in another environment: those
    /// of the user's own projects.
    pub fn modules_outside(&self, folders: &[WinPath]) -> Vec<&WinPath> {
        let is_outside = |path: &&WinPath| {
            !folders.iter().any(|folder| path.is_within(folder)) && !self.is_of_environment(path)
        };
        let modules = self.scripts.iter().filter(|(_, script)| script.is_ok()).map(|(path, _)| path);
        modules.filter(is_outside).collect()
    }

    /// Whether a file is in a site-packages directory, or in the `Lib` or the `python38.zip` next
    /// to a `python.exe`.
    fn is_of_environment(&self, file: &WinPath) -> bool {
        let has_python = |folder: &WinPath| {
            let listing = self.facts.folders.get(folder).and_then(|listing| listing.as_ref().ok());
            listing.is_some_and(|listing| listing.has_file("python.exe"))
        };
        std::iter::successors(file.parent(), WinPath::parent).any(|folder| {
            let name = folder.file_name();
            let is_library = name.eq_ignore_ascii_case("lib") || is_python_zip(name);
            name.eq_ignore_ascii_case("site-packages")
                || is_library && folder.parent().is_some_and(|above| has_python(&above))
        })
    }

    /// Returns the facts and variables in which these strings replace their placeholders and all
    /// other placeholders remain.
    fn restored(&self, kept: &BTreeSet<usize>) -> (Facts, BTreeMap<String, String>) {
        let mut facts = self.facts.clone();
        facts.update::<TextOf>(|_, text| self.texts.restored(text, kept).into());
        let variables = self.variables.iter();
        let variables = variables.map(|(name, value)| (name.clone(), self.texts.restored(value, kept)));
        (facts, variables.collect())
    }

    /// Returns `host` as a snapshot with these strings would replay it.
    pub fn replayed(
        &self,
        host: &Host,
        interpreter: &WinPath,
        kept: &BTreeSet<usize>,
    ) -> Result<Host, SnapshotError> {
        let (mut facts, variables) = self.restored(kept);
        let modules: serde_json::Result<Vec<_>> =
            self.modules.iter().map(|module| module.script(&self.texts, kept)).collect();
        let modules = modules.map_err(damaged)?;
        let module = |number: usize| modules.get(number).cloned();
        for (path, script) in &self.scripts {
            let script = script.clone().and_then(|number| module(number).ok_or(FileError::NotRecorded));
            let script = script.map(|script| script as AnyValue).map_err(ImageFault::from);
            facts.insert(ScriptOf::at(path).key(), script);
        }
        Ok(Host {
            kind: HostKind::Snapshot { is_exact: true },
            variables,
            recorded_variables: host.usual_variables(interpreter, host.machine),
            recorded_roaming_data: host.roaming_data(),
            recorded_new_path: host.has_new_path(),
            recorded_interpreter: Some(interpreter.clone()),
            files: Arc::new(Recorded(facts)),
            disk: None,
            ..host.clone()
        })
    }

    /// Returns the snapshot with these strings. With `keep_names`, the names of users, servers, and
    /// companies aren't replaced.
    pub fn finished(
        self,
        host: &Host,
        interpreter: &WinPath,
        kept: &BTreeSet<usize>,
        keep_names: bool,
    ) -> Result<FinishedSnapshot, SnapshotError> {
        let mut users = users_of(host, &self);
        let (mut facts, variables) = self.restored(kept);
        if !keep_names {
            redact_homes(&mut facts, &mut users);
        }
        let snapshot = Snapshot {
            whydll_snapshot: VERSION,
            is_inexact: false,
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
            modules: self.modules.iter().map(|module| module.restored(&self.texts, kept)).collect(),
            scripts: self.scripts,
            facts,
        };
        let json = serde_json::to_string(&snapshot).map_err(damaged)?;
        FinishedSnapshot::new(json, (!keep_names).then_some(users))
    }
}

/// A recorded module.
struct MarkedModule {
    /// The module in the snapshot's notation, with placeholders.
    notation: Value,
    /// The numbers of these placeholders.
    placeholders: BTreeSet<usize>,
    /// The last script that was read from the notation, and the strings in it. Most replays don't
    /// change a module.
    read: RefCell<Option<(BTreeSet<usize>, Arc<Script>)>>,
}

impl MarkedModule {
    fn new(notation: Value) -> MarkedModule {
        let mut placeholders = BTreeSet::new();
        with_constants(&mut notation.clone(), &mut |text| {
            placeholders.extend(placeholders::numbers_in(text));
            None
        });
        MarkedModule { notation, placeholders, read: RefCell::default() }
    }

    /// Returns the notation in which these strings replace their placeholders.
    fn restored(&self, texts: &MarkedStrings, kept: &BTreeSet<usize>) -> Value {
        let mut notation = self.notation.clone();
        with_constants(&mut notation, &mut |text| Some(texts.restored(text, kept)));
        notation
    }

    /// Returns the script in which these strings replace their placeholders.
    fn script(&self, texts: &MarkedStrings, kept: &BTreeSet<usize>) -> serde_json::Result<Arc<Script>> {
        let present = &self.placeholders & kept;
        let mut read = self.read.borrow_mut();
        match &*read {
            Some((before, script)) if *before == present => Ok(script.clone()),
            _ => {
                let script = Notated::deserialize(self.restored(texts, &present))?.0;
                *read = Some((present, script.clone()));
                Ok(script)
            }
        }
    }
}

/// The strings that placeholders stand for, without duplicates.
#[derive(Default)]
struct MarkedStrings {
    all: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl MarkedStrings {
    /// Returns the placeholder for a string. An empty string stays as it is: being empty may
    /// influence the import, and reveals nothing.
    fn placeholder(&mut self, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        let number = self.numbers.get(text).copied().unwrap_or_else(|| {
            self.all.push(text.to_owned());
            self.numbers.insert(text.to_owned(), self.all.len() - 1);
            self.all.len() - 1
        });
        placeholders::placeholder(number)
    }

    /// Replaces the placeholders of the kept strings in `text`.
    fn restored(&self, text: &str, kept: &BTreeSet<usize>) -> String {
        placeholders::restored(text, |number| kept.get(&number).map(|number| self.all[*number].as_str()))
    }
}

/// Removes unrelated names from directories above the environment, which were only listed on the
/// way to it, and from directories of users and programs, which were only listed to find other
/// environments.
fn remove_neighbours(facts: &mut Facts, prefixes: &[&WinPath]) {
    let listed = facts.folders.iter().filter(|(_, listing)| listing.is_ok()).map(|(path, _)| path);
    let read = facts.all::<TextOf>().filter(|(_, text)| text.is_ok()).map(|(key, _)| &key.file);
    let images = facts.all::<ImageOf>().map(|(key, _)| &key.file);
    let modules = facts.all::<ScriptOf>().map(|(key, _)| &key.file);
    let archives = facts.all::<ModulesIn>().map(|(key, _)| &key.file);
    let loaded = images.chain(modules).chain(archives);
    let asked = facts.kinds.iter().filter(|(_, kind)| kind.is_some()).map(|(path, _)| path);
    let accessed = listed.chain(read).chain(loaded).chain(asked).chain(prefixes.iter().copied());
    let accessed: Vec<WinPath> = accessed.cloned().collect();
    for (folder, listing) in &mut facts.folders {
        let inside = prefixes.iter().any(|prefix| folder.is_within(prefix));
        let above = prefixes.iter().any(|prefix| prefix.is_within(folder));
        if let (Ok(listing), false, true) = (listing, inside, above || is_shared(folder)) {
            let leads_down = |entry: &&Entry| {
                let path = folder.join(&entry.name);
                accessed.iter().any(|accessed| accessed.is_within(&path))
            };
            let kept = listing.entries().into_iter().filter(leads_down).cloned();
            *listing = Arc::new(Folder::new(kept));
        }
    }
}

/// Replaces the names of home directories in listings by those that are used in paths.
fn redact_homes(facts: &mut Facts, users: &mut Users) {
    for (folder, listing) in &mut facts.folders {
        let Ok(listing) = listing else { continue };
        let entries = listing.entries().into_iter();
        let names: Vec<Option<String>> =
            entries.map(|entry| users.redacted_entry(folder, &entry.name)).collect();
        if names.iter().any(Option::is_some) {
            let entries = listing.entries().into_iter().cloned().zip(names);
            let redacted = entries.map(|(entry, name)| Entry { name: name.unwrap_or(entry.name), ..entry });
            *listing = Arc::new(Folder::new(redacted));
        }
    }
}

/// Whether a directory has entries of many users or programs: `C:\`, `C:\Users`, `C:\Users\me` and
/// some directories in it, `C:\Program Files`, `C:\ProgramData`.
fn is_shared(folder: &WinPath) -> bool {
    let folder = folder.as_str().to_ascii_lowercase();
    let parts: Vec<&str> = folder.split(['/', '\\']).filter(|part| !part.is_empty()).skip(1).collect();
    match parts.as_slice() {
        [] | ["users"] | ["users", _] | ["users", _, "desktop" | "downloads"] => true,
        [only] => only.starts_with("program"),
        _ => false,
    }
}

/// Collects the users whose directories are mentioned in a recording. Only paths are used, because
/// in them it is clear where a name ends.
fn users_of(host: &Host, Recording { facts, scripts, .. }: &Recording) -> Users {
    let mut users = Users::with_homes(homes_of(host), &host.windows_directory);
    let images = facts.all::<ImageOf>().map(|(key, _)| &key.file);
    for path in facts.folders.keys().chain(images).chain(scripts.keys()) {
        users.add_from_path(path.as_str());
    }
    for python in host.registered_pythons.iter() {
        users.add_from_path(python.executable.as_str());
    }
    for folder in host.variables.values().chain([&host.running.path]).flat_map(|value| value.split(';')) {
        users.add_from_path(folder);
    }
    users
}

/// Whether WhyDLL's own rules read this variable, as opposed to only a program that asks for it.
fn is_read(name: &str) -> bool {
    const READ: [&str; 13] = [
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
    ];
    READ.contains(&name)
        || OF_ENVIRONMENTS.contains(&name)
        || ["CUDA_PATH", "PY_PYTHON"].iter().any(|family| name.starts_with(family))
}

/// Removes the places of functions that were not called, because a replay cannot request them. Only
/// their names are kept.
fn forget_places(body: &mut [Stmt], is_called: &impl Fn(&LeftOut) -> bool) {
    for stmt in body {
        match &mut stmt.kind {
            StmtKind::LeftOut(definitions) => {
                let definitions_kept = definitions.iter().map(|definition| match is_called(definition) {
                    true => definition.clone(),
                    false => LeftOut { at: Span::default(), ..definition.clone() },
                });
                *definitions = Arc::new(definitions_kept.collect());
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

/// Whether a name is that of an embeddable Python's standard library, such as `python38.zip`.
fn is_python_zip(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.strip_prefix("python")
        .and_then(|rest| rest.strip_suffix(".zip"))
        .is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit()))
}
