//! Compares what a real CPython loads on import with the plan, for the most used native packages.
//!
//!     tests/imports/setup       # installs them; the last line is their directory
//!     WHYDLL_IMPORTS=FOLDER cargo test -p imports -- --include-ignored
//!     WHYDLL_IMPORTS=FOLDER cargo test -p imports -- --include-ignored --verbose numpy cv2
//!
//! Imports by the code of native modules (such as Cython's) are in no Python source and are left
//! out of both lists; the table has their number. All others must be found, none may be invented,
//! and the order of first loads must be nearly the same (a rank correlation of 0.98), except for
//! those that `known_differences.rs` lists by name, each with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use imports::comparison::Comparison;
use imports::known_differences::{INVENTED, Known, MISSED, REORDERED, of};
use imports::{Followed, Import, real};

/// Imports, each in a fresh process.
const IMPORTS: &[&str] = &[
    "numpy",
    "numpy.random",
    "pandas",
    "scipy",
    "scipy.linalg",
    "scipy.sparse",
    "scipy.stats",
    "cryptography.fernet",
    "pydantic",
    "aiohttp",
    "yarl",
    "multidict",
    "frozenlist",
    "lxml.etree",
    "PIL.Image",
    "yaml",
    "markupsafe",
    "charset_normalizer",
    "sqlalchemy",
    "grpc",
    "psutil",
    "greenlet",
    "regex",
    "pyarrow",
    "orjson",
    "msgpack",
    "rpds",
    "wrapt",
    "matplotlib.pyplot",
    "contourpy",
    "kiwisolver",
    "sklearn",
    "sklearn.linear_model",
    "h5py",
    "cv2",
    "tokenizers",
    "onnxruntime",
    "lightgbm",
    "tiktoken",
    "shapely",
    "bcrypt",
    "zstandard",
    "lz4.frame",
    "httptools",
    "watchfiles",
    "ujson",
    "simplejson",
    "safetensors",
    "sentencepiece",
    "zmq",
    "tornado.websocket",
    "gevent",
    "statsmodels.api",
    "skimage.measure",
    "tables",
    "netCDF4",
    "psycopg2",
    "rapidfuzz",
    "coverage",
    "nacl.bindings",
    "asyncpg",
];

/// An import in Python and in the plan.
struct Row {
    name: String,
    real: Import,
    plan: Import,
}

fn main() -> ExitCode {
    // Python is followed by recursion.
    let run = std::thread::Builder::new().stack_size(whydll::source::STACK).spawn(run);
    match run.expect("a thread can be started").join() {
        Ok(true) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn run() -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--include-ignored") {
        println!("ignored, needs tests/imports/setup: run it with `-- --include-ignored`");
        return true;
    }
    let verbose = arguments.iter().any(|argument| argument == "--verbose");
    let named: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|name| !name.starts_with('-')).collect();
    let folder = std::env::var_os("WHYDLL_IMPORTS").map(PathBuf::from).filter(|folder| folder.is_dir());
    let folder = folder
        .expect("no packages: run `tests/imports/setup` and set WHYDLL_IMPORTS to the folder that it prints");
    let chosen = if named.is_empty() { IMPORTS } else { &named };
    let rows: Vec<Row> = chosen.iter().map(|name| row(name, &folder)).collect();
    report(&rows, verbose, named.is_empty())
}

fn row(name: &str, folder: &Path) -> Row {
    let text = folder.to_str().expect("the tests' paths are Unicode");
    let trace = real::import(folder, name);
    let mut real = trace.import(text);
    let mut plan = Followed::new(&trace, text).import(name);
    let by_native = real.by_native.clone();
    for import in [&mut real, &mut plan] {
        import.natives.retain(|file| !by_native.contains_key(file));
        import.modules.retain(|file| !by_native.contains_key(file));
    }
    Row { name: name.to_owned(), real, plan }
}

/// Prints the table. Returns whether the lists agree.
fn report(rows: &[Row], verbose: bool, all: bool) -> bool {
    println!(
        "{:22} {:>7} {:>7} {:>7} {:>6} {:>10} | {:>7} {:>7} {:>7} {:>6}",
        "import", "native", "missed", "more", "order", "by native", "python", "missed", "more", "order"
    );
    let mut complaints: Vec<String> = Vec::new();
    let mut used: BTreeSet<&'static str> = BTreeSet::new();
    let (mut natives, mut planned) = (0, 0);
    let (mut missed, mut invented): (Vec<String>, Vec<String>) = Default::default();
    for Row { name, real, plan } in rows {
        let native = Comparison::of(&real.natives, &plan.natives);
        let python = Comparison::of(&real.modules, &plan.modules);
        let by_native = real.by_native.keys().filter(|file| file.contains(".so")).count();
        println!(
            "{name:22} {:>7} {:>7} {:>7} {:>6.3} {by_native:>10} | {:>7} {:>7} {:>7} {:>6.3}",
            real.natives.len(),
            native.missed.len(),
            native.invented.len(),
            native.order,
            real.modules.len(),
            python.missed.len(),
            python.invented.len(),
            python.order,
        );
        if verbose {
            for (what, files) in [
                ("missed", &native.missed),
                ("more", &native.invented),
                ("missed", &python.missed),
                ("more", &python.invented),
            ] {
                files.iter().for_each(|file| println!("    {what} {file}"));
            }
            plan.unknown.iter().for_each(|unknown| println!("    {unknown}"));
        }
        natives += real.natives.len();
        planned += plan.natives.len();
        let mut unexplained = |files: &[&str], known: &'static [Known]| {
            let is_unexplained = |file: &&&str| {
                let known = of(known, file);
                used.extend(known.map(|known| known.file));
                known.is_none()
            };
            Vec::from_iter(files.iter().filter(is_unexplained).map(|file| format!("{name}: {file}")))
        };
        missed.extend(unexplained(&native.missed, MISSED));
        invented.extend(unexplained(&native.invented, INVENTED));
        let reordered = (native.order < 0.98).then(|| of(REORDERED, &name.replace('.', "/")));
        if let Some(Some(known)) = reordered {
            used.insert(known.file);
        } else if reordered.is_some() {
            complaints
                .push(format!("{name}: native modules are loaded in another order ({:.3})", native.order));
        }
        if real.error.is_some() || plan.error.is_some() {
            complaints.push(format!("{name}: Python says {:?}, the plan {:?}", real.error, plan.error));
        }
    }
    println!(
        "\n{natives} native modules: {} missed; {planned} planned: {} of them invented",
        missed.len(),
        invented.len()
    );
    imported_by_native_code(rows);
    complaints.extend(missed.iter().map(|file| format!("{file} is missed")));
    complaints.extend(invented.iter().map(|file| format!("{file} is invented")));
    for known in
        MISSED.iter().chain(INVENTED).chain(REORDERED).filter(|known| all && !used.contains(known.file))
    {
        complaints.push(format!("{} is a known difference, but no import shows it", known.file));
    }
    for known in MISSED.iter().chain(INVENTED).chain(REORDERED).filter(|known| used.contains(known.file)) {
        println!("known: {}: {}", known.file, known.reason);
    }
    complaints.iter().for_each(|complaint| println!("FAILED: {complaint}"));
    complaints.is_empty()
}

/// Lists the imports by the code of native modules.
fn imported_by_native_code(rows: &[Row]) {
    let mut by: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (file, native) in
        rows.iter().flat_map(|row| &row.real.by_native).filter(|(file, _)| file.contains(".so"))
    {
        by.entry(stem(native)).or_default().insert(stem(file));
    }
    println!("imported by the code of native modules:");
    for (native, files) in by {
        println!("    {native}: {}", Vec::from_iter(files).join(", "));
    }
}

/// Returns `numpy/random/mtrand` for `numpy/random/mtrand.cpython-311-x86_64-linux-gnu.so`.
fn stem(path: &str) -> &str {
    path.split_once('.').map_or(path, |(stem, _)| stem)
}
