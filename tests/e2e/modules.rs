//! The native modules and DLLs that `whydll chain` lists, against those that a real Python loads under Wine
//! (`tests/real/modules`): the same ones, in the same order. What differs stands here by name, with its reason, and must
//! differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use end_to_end::{on, real, text, whydll};
use serde_json::Value;

/// Files that are not where, or when, Python has them.
struct Difference {
    environment: &'static str,
    reason: &'static str,
    files: &'static [&'static str],
}

const HIDDEN: &str = "`truth` hides it, because Wine never answers it";

const IN_ORDER_OF_HASHES: &str = "NumPy's names come in the order of their hashes, another one in every process; \
    `truth` holds it fast";

/// Python loads them, and WhyDLL does not.
const UNSEEN: &[Difference] = &[];

/// WhyDLL loads them, and Python does not.
const INVENTED: &[Difference] =
    &[Difference { environment: "complete-2.21", reason: HIDDEN, files: &["_wmi.pyd"] }];

/// Both load them, at different times.
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
fn whydll_loads_what_python_loads() {
    let lists = lists();
    assert!(lists.len() >= 16, "lists are gone");
    let mut used = BTreeSet::new();
    let mut wrong = String::new();
    for list in &lists {
        let (environment, package) = (list.environment.as_str(), list.package.as_str());
        let predicted = predicted(environment, &list.drive(), package);
        let told = compare(environment, &list.files, &predicted, &mut used);
        let correlation = correlation(&list.files, &predicted);
        println!(
            "{environment}: import {package}: Python loads {}, WhyDLL {}, rank correlation {correlation:.4}",
            list.files.len(),
            predicted.len()
        );
        if !told.is_empty() {
            let _ = writeln!(wrong, "{environment}: import {package}\n{told}");
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

/// What a real Python loaded, file by file, each after those that it needs.
struct List {
    environment: String,
    package: String,
    files: Vec<String>,
}

impl List {
    /// The machine that it was measured on.
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

/// What differs and is not known to; `used` learns which known differences there are.
fn compare(
    environment: &str,
    truth: &[String],
    predicted: &[String],
    used: &mut BTreeSet<(&'static str, String, String)>,
) -> String {
    let mut told = String::new();
    let both = |list: &[String], other: &[String]| -> Vec<String> {
        list.iter().filter(|file| other.contains(file)).cloned().collect()
    };
    for (kind, known, list, other) in
        [("unseen", UNSEEN, truth, predicted), ("invented", INVENTED, predicted, truth)]
    {
        for file in list.iter().filter(|file| !other.contains(file)) {
            used.insert((kind, environment.to_owned(), file.clone()));
            if !is_known(known, environment, file) {
                let _ = writeln!(told, "  {kind}: {file}");
            }
        }
    }
    // In their order, those that are known to be moved left out.
    let (truth, predicted) = (both(truth, predicted), both(predicted, truth));
    let steady = |list: &[String], except: Option<&String>| -> Vec<String> {
        let is_steady = |file: &&String| Some(*file) == except || !is_known(MOVED, environment, file);
        list.iter().filter(is_steady).cloned().collect()
    };
    let (real, ours) = (steady(&truth, None), steady(&predicted, None));
    if let Some(at) = (0..real.len()).find(|at| real[*at] != ours[*at]) {
        let _ = writeln!(told, "  moved: after {} files Python loads {}", at, real[at]);
        let _ = writeln!(told, "         {}and WhyDLL  {}", " ".repeat(at.to_string().len()), ours[at]);
    }
    for file in &truth {
        if steady(&truth, Some(file)) != steady(&predicted, Some(file)) {
            used.insert(("moved", environment.to_owned(), file.clone()));
        }
    }
    told
}

fn is_known(differences: &[Difference], environment: &str, file: &str) -> bool {
    differences.iter().any(|known| known.environment == environment && known.files.contains(&file))
}

/// What WhyDLL loads for an import: each file after those that it needs, as Wine's loader tells it.
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
    // Of the program itself Wine tells first, although its DLLs are loaded before it is done.
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

/// Spearman's: 1 where both have the same order.
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
fn whydll_says_who_requires_a_module() {
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

/// As the lists write it: in lower case, relative to the environment or to Windows.
fn relative(environment: &str, path: &str) -> String {
    let environment = text(&real(environment)) + "/";
    let path = path.strip_prefix(&environment).unwrap_or(path).to_lowercase().replace('\\', "/");
    path.strip_prefix("c:/windows/").unwrap_or(&path).to_owned()
}

/// Windows' own DLLs, for which Wine has others, but for the C runtime of one machine. Those of the redistributable lie beside
/// them.
fn is_of_windows(path: &str) -> bool {
    let file = path.strip_prefix("system32/");
    file.is_some_and(|file| {
        !["msvcp140", "vcruntime140", "concrt140"].iter().any(|runtime| file.starts_with(runtime))
    })
}
