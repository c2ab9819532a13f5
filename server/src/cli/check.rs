//! `whydll check`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::target::{Target, TargetArguments};
use super::{CommandError, ReportFormat, print};
use crate::diagnosis::{Finding, Import, Watch, run_as};
use crate::report::{CheckedDocument, Located, Report};
use crate::source::{Document, Guard, ImportStatement, top_level};

#[derive(Args)]
pub struct CheckArguments {
    /// Python files, or folders of them; without any, the packages that --import names
    #[arg(value_name = "FILES OR FOLDERS")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    target: TargetArguments,
    /// A package to diagnose, or to watch in the files (default: tensorflow; in files all that are
    /// installed with native code, too)
    #[arg(long = "import", value_name = "NAME", value_parser = super::module_name)]
    imports: Vec<String>,
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// More failing imports than anybody reads; a document that repeats one is told so often and no more.
const MOST_PLACES: usize = 1_000;

/// A longer document is not read.
const LONGEST_DOCUMENT: u64 = 64 << 20;

pub fn run(arguments: CheckArguments) -> Result<ExitCode, CommandError> {
    let mut documents = Vec::new();
    for path in &arguments.files {
        read_documents(path, &mut documents)?;
    }
    let target = arguments.target.resolve()?;
    let report = if arguments.files.is_empty() {
        check_packages(&target, &super::or_tensorflow(arguments.imports))
    } else {
        let named = arguments.imports.iter().map(|name| top_level(name).to_owned()).collect();
        let watch = if arguments.imports.is_empty() { Watch::Native } else { Watch::Named(named) };
        check_documents(&target, documents, &watch)
    };
    let text = arguments.format.told(&report);
    let failed = report.has_errors();
    target.remember();
    print(&text)?;
    Ok(ExitCode::from(u8::from(failed)))
}

/// Diagnoses packages by name.
fn check_packages<'a>(target: &'a Target, names: &[String]) -> Report<'a> {
    let first: Vec<Import> = names.iter().map(|name| Import::first(name)).collect();
    let diagnosis = target.diagnoses().of_all(&first);
    let located = diagnosis.findings.into_iter().map(|finding| Located { finding, at: None });
    Report { packages: diagnosis.packages, findings: located.collect(), ..nothing(target) }
}

/// Nothing was checked so far.
fn nothing(target: &Target) -> Report<'_> {
    Report {
        environment: &target.environment,
        host: &target.host,
        assumed: target.assumed.clone(),
        packages: Vec::new(),
        findings: Vec::new(),
        documents: Vec::new(),
    }
}

/// Diagnoses the imports of documents that are watched; each document with the file that it is, if it is one.
pub fn check_documents<'a>(
    target: &'a Target,
    documents: Vec<(CheckedDocument, Option<PathBuf>)>,
    watch: &Watch,
) -> Report<'a> {
    let mut report = nothing(target);
    let mut diagnoses = target.diagnoses();
    for (at, (mut checked, path)) in documents.into_iter().enumerate() {
        let mut document = Document::parse(&checked.text);
        watch.retain(&mut document.imports);
        let path = run_as(&document, path.map(|path| target.host.path_of(&path)));
        let imports = document.imports.iter().filter(|import| import.guard != Guard::NotRun);
        let asked = imports.filter_map(|import| Some((import, watch.import(import, path.as_ref())?)));
        let (places, asked): (Vec<&ImportStatement>, Vec<Import>) = asked.unzip();
        let mut distinct = asked.clone();
        distinct.sort();
        distinct.dedup();
        distinct.truncate(MOST_PLACES);
        let known = diagnoses.of_document(&distinct);
        for (import, asked) in places.into_iter().zip(asked) {
            let Some(diagnosis) = distinct.binary_search(&asked).ok().and_then(|place| known.get(place))
            else {
                continue;
            };
            if diagnosis.packages.is_empty() {
                continue;
            }
            checked.watched_imports += 1;
            if checked.watched_imports > MOST_PLACES {
                continue;
            }
            for package in &diagnosis.packages {
                if !report.packages.contains(package) {
                    report.packages.push(package.clone());
                }
            }
            for finding in &diagnosis.findings {
                let severity = finding.severity_under(finding.severity, import.guard);
                let finding = Finding { severity, ..finding.clone() };
                report.findings.push(Located { finding, at: Some((at, import.range)) });
            }
        }
        report.documents.push(checked);
    }
    report
}

/// Reads a file, or the Python files below a folder: not those of environments, nor what is ignored.
fn read_documents(
    path: &Path,
    documents: &mut Vec<(CheckedDocument, Option<PathBuf>)>,
) -> Result<(), CommandError> {
    if !path.is_dir() {
        documents.push((read_document(path)?, Some(path.to_owned())));
        return Ok(());
    }
    let walk = ignore::WalkBuilder::new(path)
        .require_git(false)
        .filter_entry(|entry| {
            let folder = entry.path();
            let name = entry.file_name();
            !(name == "site-packages" || name == "node_modules" || folder.join("pyvenv.cfg").is_file())
        })
        .sort_by_file_name(Ord::cmp)
        .build();
    for entry in walk {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if documents.is_empty() && fs::read_dir(path).is_err() => {
                return Err(unreadable(path, &error));
            }
            // A folder further down that may not be read holds nothing that this user works on.
            Err(_) => continue,
        };
        let is_python = entry.path().extension().is_some_and(|e| e == "py" || e == "pyw");
        if is_python && entry.file_type().is_some_and(|kind| kind.is_file()) {
            documents.push((read_document(entry.path())?, Some(entry.path().to_owned())));
        }
    }
    Ok(())
}

fn read_document(path: &Path) -> Result<CheckedDocument, CommandError> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if metadata.len() > LONGEST_DOCUMENT {
        return Err(unreadable(path, &format!("it is too large ({} bytes)", metadata.len())));
    }
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(CheckedDocument {
        name: path.display().to_string(),
        text: text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned(),
        watched_imports: 0,
    })
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> CommandError {
    CommandError::Document { path: path.display().to_string(), reason: error.to_string() }
}
