//! What a diagnosis reads is written down, and those texts are put aside of which it is not known yet whether a snapshot needs them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use super::essence::essence;
use super::finished::Finished;
use super::notation::{Notated, with_constants};
use super::users::{Users, homes_of};
use super::{
    Facts, Listing, Recorded, Snapshot, SnapshotError, VERSION, binding_key, damaged, export_key, held_key,
    package_of,
};
use crate::host::files::{Entry, EntryKind, FileError, Files, Folder, ImageFacts, ImageFault};
use crate::host::path::WinPath;
use crate::host::{Host, HostKind};
use crate::image::{Binding, Export, Symbol};
use crate::source::{LeftOut, Script, Span, Stmt, StmtKind, Try, withheld};

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
                        recording.modules.push(Module::new(module));
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

/// What was recorded, with a mark in the place of each text whose need a replay shows: constants of modules, values of variables, texts
/// in files.
#[derive(Default)]
pub struct Recording {
    facts: Facts,
    modules: Vec<Module>,
    /// Which of them stands at a path.
    scripts: BTreeMap<WinPath, Result<usize, FileError>>,
    variables: BTreeMap<String, String>,
    texts: Texts,
}

impl Recording {
    /// How many texts are withheld as long as a replay does not need them. Each has a number below this one.
    pub fn texts(&self) -> usize {
        self.texts.all.len()
    }

    /// These texts, by the package or the file that has them, or the variables; the smallest parts first. Those that several have are
    /// one part.
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
            module.marks.iter().for_each(|number| add(*number, &owner));
        }
        for (path, text) in &self.facts.texts {
            let text = text.as_deref().unwrap_or_default();
            withheld::numbers_in(text).for_each(|number| add(number, path.as_str()));
        }
        for value in self.variables.values() {
            withheld::numbers_in(value).for_each(|number| add(number, "variables"));
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

    /// Facts and variables with these texts, and without marks for them.
    fn restored(&self, kept: &BTreeSet<usize>) -> (Facts, BTreeMap<String, String>) {
        let mut facts = self.facts.clone();
        for text in facts.texts.values_mut().flatten() {
            *text = self.texts.restored(text, kept).into();
        }
        let variables = self.variables.iter();
        let variables = variables.map(|(name, value)| (name.clone(), self.texts.restored(value, kept)));
        (facts, variables.collect())
    }

    /// `host` as the snapshot with these texts replays it.
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
        facts.scripts.extend(self.scripts.iter().map(|(path, script)| {
            let script = script.clone().and_then(|number| module(number).ok_or(FileError::NotRecorded));
            (path.clone(), script)
        }));
        Ok(Host {
            kind: HostKind::Snapshot { is_exact: true },
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
        let (mut facts, variables) = self.restored(kept);
        if !keep_names {
            hide_homes(&mut facts, &mut users);
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
        Finished::new(json, (!keep_names).then_some(users))
    }
}

/// What a module does.
struct Module {
    /// In our notation, with marks.
    notation: Value,
    /// The numbers of these.
    marks: BTreeSet<usize>,
    /// What it was read as last, and the texts that it had: most replays leave a module as it was.
    read: RefCell<Option<(BTreeSet<usize>, Arc<Script>)>>,
}

impl Module {
    fn new(notation: Value) -> Module {
        let mut marks = BTreeSet::new();
        with_constants(&mut notation.clone(), &mut |text| {
            marks.extend(withheld::numbers_in(text));
            None
        });
        Module { notation, marks, read: RefCell::default() }
    }

    /// In our notation, with these of its texts.
    fn restored(&self, texts: &Texts, kept: &BTreeSet<usize>) -> Value {
        let mut notation = self.notation.clone();
        with_constants(&mut notation, &mut |text| Some(texts.restored(text, kept)));
        notation
    }

    /// The same, read.
    fn script(&self, texts: &Texts, kept: &BTreeSet<usize>) -> serde_json::Result<Arc<Script>> {
        let had = &self.marks & kept;
        let mut read = self.read.borrow_mut();
        match &*read {
            Some((before, script)) if *before == had => Ok(script.clone()),
            _ => {
                let script = Notated::deserialize(self.restored(texts, &had))?.0;
                *read = Some((had, script.clone()));
                Ok(script)
            }
        }
    }
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

/// `python38.zip`, the standard library of an embeddable Python.
fn is_python_zip(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.strip_prefix("python")
        .and_then(|rest| rest.strip_suffix(".zip"))
        .is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit()))
}
