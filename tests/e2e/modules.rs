//! Compares the native modules and DLLs that `whydll chain` lists with those that a real Python
//! loads under Wine (`tests/real/modules`): the same ones, in the same order. Differences are
//! listed here by name with their reason, and must exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use end_to_end::{on, real, text, whydll};
use serde_json::Value;

/// Files that WhyDLL loads differently from Python.
struct Difference {
    environment: &'static str,
    reason: &'static str,
    files: &'static [&'static str],
}

const HIDDEN: &str = "`truth` hides it, because Wine never answers it";

const IN_ORDER_OF_HASHES: &str = "NumPy's names come in the order of their hashes, another one in every process; \
    `truth` holds it fast";

/// Files that Python loads and WhyDLL doesn't.
const UNSEEN: &[Difference] = &[];

/// Files that WhyDLL loads and Python doesn't.
const INVENTED: &[Difference] =
    &[Difference { environment: "complete-2.21", reason: HIDDEN, files: &["_wmi.pyd"] }];

/// Files that both load, at different times.
const MOVED: &[Difference] = &[Difference {
    environment: "complete-2.21",
    reason: IN_ORDER_OF_HASHES,
    files: &[
        "lib/site-packages/charset_normalizer/cd.cp313-win_amd64.pyd",
        "lib/site-packages/charset_normalizer/md.cp313-win_amd64.pyd",
        "unicodedata.pyd",
    ],
}];

#[test]
#[ignore = "needs tests/real/setup"]
fn whydll_loads_what_python_loads() {
    let lists = lists();
    assert!(lists.len() >= 16, "lists are missing");
    let mut used = BTreeSet::new();
    let mut wrong = String::new();
    for list in &lists {
        let (environment, package) = (list.environment.as_str(), list.package.as_str());
        let predicted = predicted(environment, &list.drive(), package);
        let lines = compare(environment, &list.files, &predicted, &mut used);
        let correlation = correlation(&list.files, &predicted);
        println!(
            "{environment}: import {package}: Python loads {}, WhyDLL {}, rank correlation {correlation:.4}",
            list.files.len(),
            predicted.len()
        );
        if !lines.is_empty() {
            let _ = writeln!(wrong, "{environment}: import {package}\n{lines}");
        }
    }
    for (kind, differences) in [("unseen", UNSEEN), ("invented", INVENTED), ("moved", MOVED)] {
        for difference in differences {
            for file in difference.files {
                if !used.contains(&(kind, difference.environment.to_owned(), (*file).to_owned())) {
                    let (environment, reason) = (difference.environment, difference.reason);
                    let _ =
                        writeln!(wrong, "{environment}: {file} is not {kind} any more, although {reason}");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// The files that a real Python loaded, each after those that it needs.
struct List {
    environment: String,
    package: String,
    files: Vec<String>,
}

impl List {
    /// Returns the machine that the list was measured on.
    fn drive(&self) -> String {
        let drive = if self.environment == "complete" { "drive-with" } else { "drive-with-ucrt" };
        drive.to_owned()
    }
}

fn lists() -> Vec<List> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("real/modules");
    let entries = |folder: &Path| {
        let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let mut lists = Vec::new();
    for environment in entries(&folder) {
        for file in entries(&environment) {
            let files = fs::read_to_string(&file).unwrap();
            lists.push(List {
                environment: environment.file_name().unwrap().to_string_lossy().into_owned(),
                package: file.file_stem().unwrap().to_string_lossy().into_owned(),
                files: files.lines().filter(|path| !is_of_windows(path)).map(str::to_owned).collect(),
            });
        }
    }
    lists
}

/// Returns unexpected differences. Known ones are added to `used`.
fn compare(
    environment: &str,
    truth: &[String],
    predicted: &[String],
    used: &mut BTreeSet<(&'static str, String, String)>,
) -> String {
    let mut lines = String::new();
    let both = |list: &[String], other: &[String]| -> Vec<String> {
        list.iter().filter(|file| other.contains(file)).cloned().collect()
    };
    for (kind, known, list, other) in
        [("unseen", UNSEEN, truth, predicted), ("invented", INVENTED, predicted, truth)]
    {
        for file in list.iter().filter(|file| !other.contains(file)) {
            used.insert((kind, environment.to_owned(), file.clone()));
            if !is_known(known, environment, file) {
                let _ = writeln!(lines, "  {kind}: {file}");
            }
        }
    }
    // The order, without files that are known to be loaded at another time.
    let (truth, predicted) = (both(truth, predicted), both(predicted, truth));
    let steady = |list: &[String], except: Option<&String>| -> Vec<String> {
        let is_steady = |file: &&String| Some(*file) == except || !is_known(MOVED, environment, file);
        list.iter().filter(is_steady).cloned().collect()
    };
    let (real, ours) = (steady(&truth, None), steady(&predicted, None));
    if let Some(at) = (0..real.len()).find(|at| real[*at] != ours[*at]) {
        let _ = writeln!(lines, "  moved: after {} files Python loads {}", at, real[at]);
        let _ = writeln!(lines, "         {}and WhyDLL  {}", " ".repeat(at.to_string().len()), ours[at]);
    }
    for file in &truth {
        if steady(&truth, Some(file)) != steady(&predicted, Some(file)) {
            used.insert(("moved", environment.to_owned(), file.clone()));
        }
    }
    lines
}

fn is_known(differences: &[Difference], environment: &str, file: &str) -> bool {
    differences.iter().any(|known| known.environment == environment && known.files.contains(&file))
}

/// Returns the files that WhyDLL loads for an import, each after those that it needs, in the order
/// of Wine's trace.
fn predicted(environment: &str, drive: &str, package: &str) -> Vec<String> {
    let chain = chain(environment, drive, package);
    let modules = chain["modules"].as_array().unwrap();
    let mut needed: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
    for module in modules {
        needed.entry(module["requiredBy"].as_str()).or_default().push(module["path"].as_str().unwrap());
    }
    let mut order = Vec::new();
    append(None, &needed, &mut order);
    assert_eq!(order.len(), modules.len());
    let files: Vec<String> = order.iter().map(|path| relative(environment, path)).collect();
    // Wine reports the program itself first, although its DLLs are loaded before it is complete.
    let (program, others): (Vec<String>, Vec<String>) =
        files.into_iter().filter(|file| !is_of_windows(file)).partition(|file| file == "python.exe");
    [program, others].concat()
}

fn append<'a>(
    above: Option<&'a str>,
    needed: &BTreeMap<Option<&'a str>, Vec<&'a str>>,
    order: &mut Vec<&'a str>,
) {
    for path in needed.get(&above).map(Vec::as_slice).unwrap_or_default() {
        append(Some(path), needed, order);
        order.push(path);
    }
}

/// Returns Spearman's correlation: 1 if both have the same order.
fn correlation(truth: &[String], predicted: &[String]) -> f64 {
    let common: Vec<&String> = truth.iter().filter(|file| predicted.contains(file)).collect();
    let ours: Vec<&String> = predicted.iter().filter(|file| truth.contains(file)).collect();
    let distance = |(at, file): (usize, &&String)| {
        let other = ours.iter().position(|ours| ours == file).unwrap();
        (at as f64 - other as f64).powi(2)
    };
    let squares: f64 = common.iter().enumerate().map(distance).sum();
    let count = common.len() as f64;
    1.0 - 6.0 * squares / (count * (count * count - 1.0))
}

/// Each module is required by one that is loaded before it, up to a file that Python names.
#[test]
#[ignore = "needs tests/real/setup"]
fn whydll_reports_the_module_that_requires_another() {
    let chain = chain("complete", "drive-with", "tensorflow");
    let mut loaded = BTreeSet::new();
    for module in chain["modules"].as_array().unwrap() {
        if let Some(required_by) = module["requiredBy"].as_str() {
            assert!(loaded.contains(required_by), "{module}");
        }
        assert!(!module["reason"].as_str().unwrap().is_empty());
        loaded.insert(module["path"].as_str().unwrap());
    }
}

fn chain(environment: &str, drive: &str, package: &str) -> Value {
    let mut command = ["chain", package, "--format", "json"].map(str::to_owned).to_vec();
    command.extend(on(environment, drive));
    let answer = whydll(command);
    assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{environment}: {package}");
    let chain = answer.json();
    assert_eq!(chain["loaded"], true);
    chain
}

/// Returns a path as the lists have it: in lower case, relative to the environment or to Windows.
fn relative(environment: &str, path: &str) -> String {
    let environment = text(&real(environment)) + "/";
    let path = path.strip_prefix(&environment).unwrap_or(path).to_lowercase().replace('\\', "/");
    path.strip_prefix("c:/windows/").unwrap_or(&path).to_owned()
}

/// Whether a path is one of Windows' own DLLs, which are Wine's here, except for the C runtime of
/// one machine. Those of the redistributable are in the same directory.
fn is_of_windows(path: &str) -> bool {
    let file = path.strip_prefix("system32/");
    file.is_some_and(|file| {
        !["msvcp140", "vcruntime140", "concrt140"].iter().any(|runtime| file.starts_with(runtime))
    })
}
