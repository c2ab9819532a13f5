//! `whydll check`

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::target::{Target, TargetArguments};
use super::{CommandError, Format, print};
use crate::diagnosis::{Diagnosis, Import, Severity};
use crate::report::{self, CheckedDocument, Located, Report};
use crate::source::{Document, Guard};

#[derive(Args)]
pub struct CheckArguments {
    /// Python files, or folders of them; without any, the packages that --import names
    #[arg(value_name = "FILES OR FOLDERS")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    target: TargetArguments,
    /// A package to diagnose, or to watch in the files (default: tensorflow)
    #[arg(long = "import", value_name = "NAME", value_parser = super::module_name)]
    imports: Vec<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
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
    let imports = super::or_tensorflow(arguments.imports);
    let report = check(&target, documents, !arguments.files.is_empty(), &imports);
    let text = match arguments.format {
        Format::Text => report::check_text(&report),
        Format::Json => report::check_json(&report),
    };
    let failed = report.has_errors();
    target.remember();
    print(&text)?;
    Ok(ExitCode::from(u8::from(failed)))
}

/// Diagnoses the imports of the documents that are watched; without documents, all of `imports`.
pub fn check<'a>(
    target: &'a Target,
    documents: Vec<CheckedDocument>,
    by_document: bool,
    imports: &[String],
) -> Report<'a> {
    let mut report = Report {
        environment: &target.environment,
        host: &target.host,
        assumed: target.assumed.clone(),
        packages: Vec::new(),
        findings: Vec::new(),
        documents,
    };
    if !by_document {
        let first: Vec<Import> = imports.iter().map(|name| Import::first(name)).collect();
        let diagnosis = target.diagnose(&first);
        report.packages = diagnosis.packages;
        report.findings =
            diagnosis.findings.into_iter().map(|finding| Located { finding, at: None }).collect();
        return report;
    }
    let mut known: HashMap<Import, Diagnosis> = HashMap::new();
    for (at, document) in report.documents.iter_mut().enumerate() {
        for import in Document::parse(&document.text).imports {
            if import.guard == Guard::NotRun || !imports.iter().any(|watched| watched == import.top_level()) {
                continue;
            }
            document.watched_imports += 1;
            if document.watched_imports > MOST_PLACES {
                continue;
            }
            let asked = Import::of(&import);
            let diagnosis = known.entry(asked.clone()).or_insert_with(|| target.diagnose(&[asked]));
            for package in &diagnosis.packages {
                if !report.packages.contains(package) {
                    report.packages.push(package.clone());
                }
            }
            for finding in &diagnosis.findings {
                let mut finding = finding.clone();
                if import.guard == Guard::Handled {
                    finding.severity = finding.severity.max(Severity::Information);
                }
                report.findings.push(Located { finding, at: Some((at, import.range)) });
            }
        }
    }
    report
}

/// Reads a file, or the Python files below a folder: not those of environments, nor what is ignored.
fn read_documents(path: &Path, documents: &mut Vec<CheckedDocument>) -> Result<(), CommandError> {
    if !path.is_dir() {
        documents.push(read_document(path)?);
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
            documents.push(read_document(entry.path())?);
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
