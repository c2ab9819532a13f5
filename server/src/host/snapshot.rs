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

use super::files::{Entry, FileError, Files, Folder, ImageFacts, ImageFault};
use super::path::WinPath;
use super::{ApiSets, Host, HostKind, RegisteredPython, Running};
use crate::image::{Binding, Export, Machine, Symbol};
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    registered_pythons: Vec<RegisteredPython>,
    #[serde(default)]
    running: Running,
    /// What modules do; many are alike.
    modules: Vec<Arc<Script>>,
    /// Which of them stands at a path.
    scripts: BTreeMap<WinPath, Result<usize, FileError>>,
    facts: Facts,
}

/// Answers by path.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Facts {
    folders: BTreeMap<WinPath, Result<Arc<Folder>, FileError>>,
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
    #[error(
        "{path} is a snapshot of format {found}; this program reads formats up to {VERSION}: get a newer whydll"
    )]
    TooNew { path: String, found: u32 },
}

/// Opens a recorded machine.
pub fn open(path: &Path) -> Result<Host, SnapshotError> {
    let name = path.display().to_string();
    let file = File::open(path)
        .map_err(|error| SnapshotError::File { path: name.clone(), reason: error.to_string() })?;
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
    let mut snapshot: Snapshot = parse(&bytes).map_err(|error| damaged(error.to_string()))?;
    for (path, module) in snapshot.scripts {
        let script = match module {
            Ok(number) => Ok(snapshot
                .modules
                .get(number)
                .cloned()
                .ok_or_else(|| damaged(format!("no module {number}")))?),
            Err(error) => Err(error),
        };
        snapshot.facts.scripts.insert(path, script);
    }
    Ok(Host {
        kind: HostKind::Snapshot,
        windows_version: snapshot.windows,
        machine: snapshot.machine,
        windows_directory: snapshot.windows_directory,
        known_dlls: Arc::new(snapshot.known_dlls),
        api_sets: Arc::new(snapshot.api_sets),
        variables: snapshot.variables,
        registered_pythons: Arc::new(snapshot.registered_pythons),
        running: snapshot.running,
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
    ///
    /// `prefixes` are the folders of the environment; of the folders above them only the way down is told.
    pub fn write(
        &self,
        host: &Host,
        interpreter: &WinPath,
        prefixes: &[&WinPath],
        path: &Path,
    ) -> Result<(), SnapshotError> {
        let failed = |reason: String| SnapshotError::File { path: path.display().to_string(), reason };
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        hide_neighbours(&mut facts, prefixes);
        facts.held.retain(|_, held| *held != Ok(false));
        facts.instructions.retain(|_, needed| !matches!(needed, Ok(needed) if needed.is_empty()));
        facts.bindings.retain(|_, binding| !matches!(binding, Ok(found) if **found == Binding::default()));
        for (file, text) in &mut facts.texts {
            if let Ok(text) = text {
                *text = essence(file, text);
            }
        }
        let mut modules = Vec::new();
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let mut scripts = BTreeMap::new();
        for (path, script) in &facts.scripts {
            let module = match script {
                Ok(script) => {
                    let told = serde_json::to_string(&**script).map_err(|error| failed(error.to_string()))?;
                    Ok(*numbers.entry(told).or_insert_with(|| {
                        modules.push(script.clone());
                        modules.len() - 1
                    }))
                }
                Err(error) => Err(error.clone()),
            };
            scripts.insert(path.clone(), module);
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
            registered_pythons: (*host.registered_pythons).clone(),
            running: host.running.clone(),
            modules,
            scripts,
            facts,
        };
        let file = File::create(path).map_err(|error| failed(error.to_string()))?;
        let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::best());
        serde_json::to_writer(&mut packed, &snapshot).map_err(|error| failed(error.to_string()))?;
        packed.finish().map_err(|error| failed(error.to_string()))?;
        Ok(())
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
    let seen: Vec<WinPath> = listed.chain(read).chain(prefixes.iter().copied()).cloned().collect();
    for (folder, listing) in &mut facts.folders {
        let inside = prefixes.iter().any(|prefix| folder.is_within(prefix));
        let above = prefixes.iter().any(|prefix| prefix.is_within(folder));
        if let (Ok(listing), false, true) = (listing, inside, above || is_of_many(folder)) {
            let leads_down = |entry: &&Entry| {
                let path = folder.join(&entry.name);
                seen.iter().any(|seen| seen.is_within(&path))
            };
            *listing = Arc::new(Folder::new(listing.entries().into_iter().filter(leads_down).cloned()));
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
                let first = path.strip_prefix(&top).is_some_and(|rest| rest == "/__init__.py");
                native || first || (path.ends_with(".py") && seen.insert(top))
            });
            // That there is a hash counts, but not which.
            let rows = kept.map(|line| match (line.find(",sha256="), line.rfind(',')) {
                (Some(hash), Some(size)) if hash < size => {
                    format!("{},withheld={}\n", &line[..hash], &line[size..])
                }
                _ => format!("{line}\n"),
            });
            rows.collect::<String>().into()
        }
        "METADATA" | "PKG-INFO" => text.split("\n\n").next().unwrap_or_default().into(),
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
        let folders = std::mem::take(&mut facts.folders).into_iter().collect();
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

    fn binding(&self, importer: &WinPath, dll: &str, exporter: &WinPath) -> Result<Arc<Binding>, ImageFault> {
        let known = self.facts.bindings.get(&binding_key(importer, dll, exporter));
        known.cloned().unwrap_or_else(|| Ok(Arc::default()))
    }

    fn export(&self, path: &WinPath, symbol: &Symbol) -> Result<Option<Export>, ImageFault> {
        recall(&self.facts.exports, &export_key(path, symbol))
    }

    fn script(&self, path: &WinPath) -> Result<Arc<Script>, FileError> {
        recall(&self.facts.scripts, path)
    }

    /// What is not recorded was not asked, or not there.
    fn holds(&self, path: &WinPath, text: &str) -> Result<bool, FileError> {
        self.facts.held.get(&held_key(path, text)).cloned().unwrap_or(Ok(false))
    }

    fn instructions(&self, path: &WinPath) -> Result<Arc<BTreeSet<String>>, ImageFault> {
        self.facts.instructions.get(path).cloned().unwrap_or_else(|| Ok(Arc::default()))
    }

    fn archive(&self, path: &WinPath) -> Result<Arc<Vec<String>>, FileError> {
        recall(&self.facts.archives, path)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use world::World;

    use super::*;
    use crate::diagnosis::{Diagnosis, Import, diagnose};
    use crate::environment::Environment;
    use crate::testing::{diagnosed, on_large_stack};

    const STORY: &str = "
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg/__init__.py   text
            import os, glob, ctypes
            for dll in glob.glob(os.path.join(os.path.dirname(__file__), '*.dll')):
                ctypes.WinDLL(dll)
            try:
                from . import optional
            except ImportError:
                pass
            from . import native
        /Python/Lib/site-packages/pkg/native.cp38-win_amd64.pyd   imports msvcp140.dll, helper.dll
        /Python/Lib/site-packages/pkg/optional.pyd  imports cudart64_101.dll
        /Python/Lib/site-packages/pkg/helper.dll
        /Python/Lib/site-packages/pkg-1.0.dist-info/METADATA   text
            Metadata-Version: 2.1
            Name: pkg
            Version: 1.0

            A description that stays at home.
        /Python/Lib/site-packages/pkg-1.0.dist-info/RECORD     text
            pkg/__init__.py,sha256=x,20
            pkg/helper.dll,sha256=x,7
            pkg/gone.dll,sha256=x,7
            secret_plans/secret.txt,sha256=x,20
        /cuda/cudart64_101.dll
        path /cuda
        import pkg
    ";

    /// The snapshot of a world's diagnosis, and that diagnosis.
    fn recorded(text: &str) -> (Vec<u8>, Diagnosis) {
        let world = World::new(text).unwrap();
        let (host, environment, told) = diagnosed(&world);
        let (host, recorder) = Recorder::over(&host);
        on_large_stack(|| {
            let environment = Environment::at(&environment.interpreter, &*host.files).unwrap();
            diagnose(&host, &environment, &[Import::first("pkg")]);
        });
        let file = world.root().join("machine.json.gz");
        let prefixes = [&environment.prefix, &environment.base_prefix];
        recorder.write(&host, &environment.interpreter, &prefixes, &file).unwrap();
        (std::fs::read(file).unwrap(), told)
    }

    fn replayed(snapshot: &[u8]) -> Result<Diagnosis, SnapshotError> {
        let host = read(snapshot, "machine.json.gz")?;
        let interpreter = host.recorded_interpreter.clone().unwrap();
        Ok(on_large_stack(|| {
            let environment = Environment::at(&interpreter, &*host.files).unwrap();
            diagnose(&host, &environment, &[Import::first("pkg")])
        }))
    }

    fn unpacked(snapshot: &[u8]) -> String {
        let mut text = String::new();
        flate2::read::GzDecoder::new(snapshot).read_to_string(&mut text).unwrap();
        text
    }

    fn refused(snapshot: &[u8], expected: Expect) {
        match read(snapshot, "machine.json.gz") {
            Ok(_) => panic!("it was read"),
            Err(error) => expected.assert_eq(&error.to_string()),
        }
    }

    #[test]
    fn a_recorded_machine_gives_the_same_diagnosis() {
        let (snapshot, told) = recorded(STORY);
        let again = replayed(&snapshot).unwrap();
        assert_eq!(told.findings.len(), 3);
        assert_eq!(again.findings, told.findings);
        assert_eq!((again.packages, again.health), (told.packages, told.health));
    }

    #[test]
    fn what_files_hold_is_recorded_without_the_files() {
        let story = "
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py   text
                from . import shape_pb2
            /Python/Lib/site-packages/pkg/shape_pb2.py  text
                _SHAPE = _descriptor.Descriptor(
                  fields=[
                    _descriptor.FieldDescriptor(  # a remark that stays at home
                      name='size')])
            /Python/Lib/site-packages/protobuf-4.25.3.dist-info/METADATA   text
                Name: protobuf
            /Python/Lib/site-packages/google/_upb/_message.pyd
            import pkg
        ";
        let (snapshot, told) = recorded(story);
        assert_eq!(told.findings.len(), 1);
        assert_eq!(replayed(&snapshot).unwrap().findings, told.findings);
        assert!(!unpacked(&snapshot).contains("stays at home"));
    }

    #[test]
    fn what_only_a_running_machine_tells_is_recorded() {
        let long = "d".repeat(240);
        let story = format!(
            "
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py   text
                try:
                    from . import native
                except ImportError:
                    pass
                from . import {long}
            /Python/Lib/site-packages/pkg/{long}.pyd
            /Python/Lib/site-packages/pkg/native.pyd    uses avx, imports msvcp140.dll
            short paths
            processor sse3
            registered 14.38.33130.0
            import pkg
            "
        );
        let (snapshot, told) = recorded(&story);
        let codes: Vec<&str> = told.findings.iter().map(|finding| finding.code.name()).collect();
        assert_eq!(codes, ["path-too-long", "missing-vc-runtime", "unsupported-cpu"]);
        assert!(told.findings.iter().any(|finding| finding.evidence.contains("The registry says")));
        assert_eq!(replayed(&snapshot).unwrap().findings, told.findings);
    }

    #[test]
    fn a_snapshot_need_not_be_compressed() {
        let (snapshot, told) = recorded(STORY);
        let text = unpacked(&snapshot);
        assert_eq!(replayed(text.as_bytes()).unwrap().findings, told.findings);
    }

    #[test]
    fn what_a_diagnosis_does_not_need_stays_on_the_machine() {
        let text = unpacked(&recorded(STORY).0);
        for secret in ["A description that stays at home", "secret.txt"] {
            assert!(!text.contains(secret), "{secret} is in the snapshot");
        }
    }

    #[test]
    fn what_was_not_recorded_is_not_known() {
        let (snapshot, _) = recorded(STORY);
        let host = read(&*snapshot, "machine.json.gz").unwrap();
        let elsewhere = WinPath::new(r"C:\nowhere\a.dll");
        assert_eq!(host.files.size(&elsewhere), Err(FileError::NotRecorded));
        assert_eq!(host.files.text(&elsewhere), Err(FileError::NotRecorded));
        assert!(host.files.image(&elsewhere).is_err() && host.files.script(&elsewhere).is_err());
        assert!(host.files.folder(&elsewhere).is_err() && host.files.archive(&elsewhere).is_err());
    }

    #[test]
    fn a_snapshot_of_a_newer_program_says_so() {
        refused(
            br#"{"whydllSnapshot": 99, "anything": ["new"]}"#,
            expect![
                "machine.json.gz is a snapshot of format 99; this program reads formats up to 1: get a newer whydll"
            ],
        );
    }

    #[test]
    fn what_is_no_snapshot_is_refused_with_a_reason() {
        refused(
            b"",
            expect![
                "machine.json.gz is no snapshot that can be read: EOF while parsing a value at line 1 column 0"
            ],
        );
        refused(
            b"{",
            expect![
                "machine.json.gz is no snapshot that can be read: EOF while parsing an object at line 1 column 1"
            ],
        );
        refused(
            b"MZ\x90\0 a program",
            expect!["machine.json.gz is no snapshot that can be read: expected value at line 1 column 1"],
        );
        refused(
            br#"{"whydllSnapshot": 1}"#,
            expect![
                "machine.json.gz is no snapshot that can be read: missing field `interpreter` at line 1 column 21"
            ],
        );
        refused(
            br#"{"whydllSnapshot": -1}"#,
            expect![
                "machine.json.gz is no snapshot that can be read: invalid value: integer `-1`, expected u32 at line 1 column 21"
            ],
        );
        refused(
            b"\x1f\x8b and no more of it",
            expect!["machine.json.gz is no snapshot that can be read: invalid gzip header"],
        );
        refused(
            b"\x1f\x8b",
            expect!["machine.json.gz is no snapshot that can be read: unexpected end of file"],
        );
        refused(
            "[".repeat(1_000_000).as_bytes(),
            expect!["machine.json.gz is no snapshot that can be read: it is nested 1000000 levels deep"],
        );
    }

    #[test]
    fn a_snapshot_cut_short_anywhere_is_refused() {
        let (snapshot, _) = recorded(STORY);
        let lengths = (0..snapshot.len()).step_by(snapshot.len() / 50);
        for length in lengths.chain([snapshot.len() - 1]) {
            let error = read(&snapshot[..length], "machine.json.gz").err();
            assert!(matches!(error, Some(SnapshotError::Damaged { .. })), "{length} bytes: {error:?}");
        }
    }

    #[test]
    fn a_damaged_snapshot_is_refused() {
        let (snapshot, _) = recorded(STORY);
        for at in (0..snapshot.len()).step_by(snapshot.len() / 200) {
            let mut damaged = snapshot.clone();
            damaged[at] ^= 0x55;
            // The header holds a time and flags that nobody checks, and a repetition may be taken from another place that
            // says the same. Whatever else changes is noticed.
            if read(&*damaged, "machine.json.gz").is_ok() {
                assert!(at < 10 || unpacked(&damaged) == unpacked(&snapshot), "byte {at} was not noticed");
            }
        }
    }

    #[test]
    fn a_snapshot_of_hostile_facts_does_no_harm() {
        let text = unpacked(&recorded(STORY).0);
        let hostile = [
            text.replace("site-packages", "site-packages\u{0}"),
            text.replace(r"C:\\", ""),
            text.replace("native", ""),
            text.replace("1000", "-1"),
            text.replace(".dll", ""),
        ];
        for text in hostile {
            let Ok(host) = read(text.as_bytes(), "machine.json.gz") else {
                continue;
            };
            let Some(interpreter) = host.recorded_interpreter.clone() else {
                continue;
            };
            on_large_stack(|| {
                if let Ok(environment) = Environment::at(&interpreter, &*host.files) {
                    diagnose(&host, &environment, &[Import::first("pkg")]);
                }
            });
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error_with_its_name() {
        let error = open(Path::new("/nowhere/machine.json.gz")).err().unwrap();
        assert!(
            matches!(error, SnapshotError::File { .. })
                && error.to_string().contains("/nowhere/machine.json.gz")
        );
    }
}
