//! Runs the program as users do: with arguments, output, and an exit status.
//!
//! `WHYDLL_BIN` names the program (default: the newest one that `cargo build` made), `WHYDLL_REAL`
//! the directory of real environments that `tests/real/setup` and `tests/real/packages` print.
//! Tests that need these environments are ignored by default: `-- --include-ignored` runs them, and
//! then an environment that is missing is an error.

pub mod contract;

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use serde_json::Value;

/// The time limit for every answer.
pub const TIME_LIMIT: Duration = Duration::from_secs(60);

/// The result of a run of the program.
#[derive(Debug)]
pub struct Answer {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Answer {
    /// Parses the output, which must be JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs `whydll` with these arguments.
pub fn whydll<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Answer {
    let mut command = command();
    command.args(arguments);
    answer(command)
}

/// Returns a command for `whydll`, with a cache of the tests' own.
pub fn command() -> Command {
    sheltered(Command::new(&*PROGRAM))
}

/// Returns a command for `whydll` that respects the modes of files even if the tests are run by
/// root.
#[cfg(unix)]
pub fn command_without_privileges() -> Command {
    use std::os::unix::fs::MetadataExt;
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !is_root {
        return command();
    }
    const DROPPED: &str = "-dac_override,-dac_read_search";
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", DROPPED, "--inh-caps", DROPPED]);
    command.arg(&*PROGRAM);
    sheltered(command)
}

/// Runs a command to its end, within the time limit.
pub fn answer(command: Command) -> Answer {
    answer_to(command, Stdio::null())
}

/// The same with something on its standard input.
pub fn answer_to(mut command: Command, input: impl Into<Stdio>) -> Answer {
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let out = reader(child.stdout.take());
    let err = reader(child.stderr.take());
    let start = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if start.elapsed() < TIME_LIMIT => thread::sleep(Duration::from_millis(2)),
            _ => {
                let _ = child.kill();
                panic!("{command:?} did not end within {TIME_LIMIT:?}");
            }
        }
    };
    let [out, err] = [out, err].map(|text| text.join().expect("a reader of output never fails"));
    let status = status.code().unwrap_or_else(|| panic!("{command:?} died: {status}, {err}"));
    Answer { status, out, err }
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.expect("it is piped").read_to_end(&mut bytes).expect("a pipe can be read");
        String::from_utf8(bytes).expect("all output is UTF-8")
    })
}

fn sheltered(mut command: Command) -> Command {
    command.env("WHYDLL_CACHE_DIR", &*CACHE);
    for variable in ["VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH"] {
        command.env_remove(variable);
    }
    command
}

static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    if let Some(program) = env::var_os("WHYDLL_BIN") {
        return PathBuf::from(program);
    }
    let file = format!("whydll{}", env::consts::EXE_SUFFIX);
    let built = ["release", "debug"].map(|profile| target().join(profile).join(&file));
    let newest = built.into_iter().max_by_key(|program| modified(program));
    newest.filter(|program| program.is_file()).expect("no whydll: run `cargo build`, or set WHYDLL_BIN")
});

/// The cache directory, which is empty when a test program begins.
static CACHE: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = env::current_exe().expect("a program knows its file");
    let cache = target().join("tmp").join(program.file_stem().expect("it has a name"));
    let _ = fs::remove_dir_all(&cache);
    cache
});

/// Returns Cargo's target directory: this program is in its `PROFILE/deps`.
fn target() -> PathBuf {
    let program = env::current_exe().expect("a program knows its file");
    program.ancestors().nth(3).expect("it is in target/PROFILE/deps").to_owned()
}

fn modified(file: &Path) -> Option<std::time::SystemTime> {
    fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}

/// Returns a real environment, or the drive of a machine, by its name in `tests/real/README.md`.
pub fn real(name: &str) -> PathBuf {
    let folder = env::var_os("WHYDLL_REAL").map(PathBuf::from);
    folder.map(|folder| folder.join(name)).filter(|real| real.exists()).unwrap_or_else(|| {
        panic!(
            "no real environment {name}: run `tests/real/setup` and `tests/real/packages`, and set WHYDLL_REAL to the \
             folder that they print"
        )
    })
}

/// Returns the value of `--host` for a machine: `drive-…` are real ones, the others are built in.
pub fn host(name: &str) -> String {
    if name.starts_with("drive-") { text(&real(name)) } else { name.to_owned() }
}

/// Returns the options for a real environment and a machine.
pub fn on(environment: &str, machine: &str) -> [String; 4] {
    ["--python".to_owned(), text(&real(environment)), "--host".to_owned(), host(machine)]
}

/// Returns a path as a string.
pub fn text(path: &Path) -> String {
    path.to_str().expect("the tests' paths are Unicode").to_owned()
}

/// An answer of `whydll check --format json` that fulfils the contract.
#[derive(Debug)]
pub struct Report {
    pub status: i32,
    pub json: Value,
}

/// Diagnoses a real environment on a machine, with further arguments.
pub fn check(environment: &str, machine: &str, more: &[&str]) -> Report {
    let mut command = command();
    command.args(["check", "--format", "json"]).args(on(environment, machine)).args(more);
    report(&answer(command))
}

/// Reads the answer of a check that was not refused.
pub fn report(answer: &Answer) -> Report {
    assert_eq!(answer.err, "", "a check that is not refused prints nothing on standard error");
    let report = Report { status: answer.status, json: answer.json() };
    contract::check(&report);
    report
}

impl Report {
    pub fn health(&self) -> &str {
        self.json["health"].as_str().unwrap_or_default()
    }

    pub fn findings(&self) -> &[Value] {
        self.json["findings"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the only finding.
    pub fn finding(&self) -> &Value {
        match self.findings() {
            [finding] => finding,
            findings => panic!("expected one finding, not {}: {findings:#?}", findings.len()),
        }
    }

    /// Returns the only note.
    pub fn note(&self) -> &Value {
        match self.json["notes"].as_array().map(Vec::as_slice) {
            Some([note]) => note,
            notes => panic!("expected one note, not {notes:#?}"),
        }
    }

    /// Whether there are no findings.
    pub fn is_healthy(&self) -> bool {
        self.status == 0 && self.health() == "healthy" && self.findings().is_empty()
    }
}

/// Returns the strings of a JSON array.
pub fn strings(list: &Value) -> Vec<&str> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).collect()
}

/// Returns the last part of a path with any separators, in lower case.
pub fn file_name(path: &str) -> String {
    path.rsplit(['/', '\\']).next().unwrap_or(path).to_lowercase()
}

/// Copies a tree with hard links.
pub fn link_tree(source: &Path, target: &Path) {
    fs::create_dir_all(target).unwrap();
    for entry in fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        let copy = target.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => link_tree(&entry.path(), &copy),
            false => fs::hard_link(entry.path(), copy).unwrap(),
        }
    }
}
