//! `whydll check`

use std::fs;
use std::io::Write;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::target::{Target, TargetArguments};
use super::{CommandError, ReportFormat, print};
use crate::diagnosis::{Import, Watch, run_as};
use crate::report::{CheckedDocument, Located, Report, Statement};
use crate::source::{Cell, Document, Guard, ImportStatement, code_cells, top_level};

#[derive(Args)]
pub struct CheckArguments {
    /// Python files and notebooks, or folders of them; without any, the packages that --import names
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

/// A file to be checked.
pub struct Program {
    /// Its text; of a notebook the Python cells.
    pub parts: Vec<CheckedDocument>,
    /// The file that it is, if it is one.
    pub path: Option<PathBuf>,
}

/// More failing imports than anybody reads; a file that repeats one is told so often and no more.
const MOST_PLACES: usize = 1_000;

/// A longer document is not read.
const LONGEST_DOCUMENT: u64 = 64 << 20;

pub fn run(arguments: CheckArguments) -> Result<ExitCode, CommandError> {
    let mut programs = Vec::new();
    for path in &arguments.files {
        read_programs(path, &mut programs)?;
    }
    // The process ends with the answer: to take apart what it knows would only cost time.
    let target = ManuallyDrop::new(arguments.target.resolve()?);
    let report = if arguments.files.is_empty() {
        check_packages(&target, &super::or_tensorflow(arguments.imports))
    } else {
        let named = arguments.imports.iter().map(|name| top_level(name).to_owned()).collect();
        let watch = if arguments.imports.is_empty() { Watch::Native } else { Watch::Named(named) };
        check_programs(&target, programs, &watch)
    };
    let text = arguments.format.told(&report);
    let failed = report.has_errors();
    target.remember();
    print(&text)?;
    Ok(ExitCode::from(u8::from(failed)))
}

/// Diagnoses packages by name.
fn check_packages<'a>(target: &'a Target, names: &[String]) -> Report<'a> {
    check_imports(target, &names.iter().map(|name| Import::first(name)).collect::<Vec<Import>>())
}

/// Diagnoses imports that stand in no file.
pub fn check_imports<'a>(target: &'a Target, imports: &[Import]) -> Report<'a> {
    let diagnosis = target.diagnoses().of_all(imports);
    Report::of(&target.environment, &target.host, target.assumed.clone(), diagnosis)
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

/// Diagnoses the imports of files that are watched.
pub fn check_programs<'a>(target: &'a Target, programs: Vec<Program>, watch: &Watch) -> Report<'a> {
    let mut report = nothing(target);
    let mut diagnoses = target.diagnoses();
    for Program { mut parts, path } in programs {
        let first = report.documents.len();
        let mut documents = read(&parts);
        documents.iter_mut().for_each(|document| watch.retain(&mut document.imports));
        let path = run_as(&documents, path.map(|path| target.host.path_of(&path)));
        let imports = documents.iter().enumerate().flat_map(|(part, document)| {
            let run = document.imports.iter().filter(|import| import.guard != Guard::NotRun);
            run.map(move |import| (part, import))
        });
        let asked =
            imports.filter_map(|(part, import)| Some(((part, import), watch.import(import, path.as_ref())?)));
        let (places, asked): (Vec<(usize, &ImportStatement)>, Vec<Import>) = asked.unzip();
        let mut distinct = asked.clone();
        distinct.sort();
        distinct.dedup();
        distinct.truncate(MOST_PLACES);
        let known = diagnoses.proven(&distinct);
        let mut told = 0;
        for ((part, import), asked) in places.into_iter().zip(asked) {
            let Some(diagnosis) = distinct.binary_search(&asked).ok().and_then(|place| known.get(place))
            else {
                continue;
            };
            if diagnosis.packages.is_empty() {
                continue;
            }
            if let Some(checked) = parts.get_mut(part) {
                checked.watched_imports += 1;
            }
            told += 1;
            if told > MOST_PLACES {
                continue;
            }
            for package in &diagnosis.packages {
                if !report.packages.contains(package) {
                    report.packages.push(package.clone());
                }
            }
            let told = diagnosis.findings.iter();
            for finding in told.filter(|finding| !import.ignores.covers(finding.code.name())) {
                let finding = finding.under(finding.severity, import.guard).into_owned();
                report.findings.push(Located { finding, at: Some((first + part, import.range)) });
            }
        }
        for (part, document) in parts.iter_mut().zip(&documents) {
            part.imports_os = document.imports_os;
            part.statements = document.imports.iter().map(Statement::from).collect();
        }
        report.documents.extend(parts);
    }
    report
}

fn read(parts: &[CheckedDocument]) -> Vec<Document> {
    match parts {
        [text] if text.cell.is_none() => vec![Document::parse(&text.text)],
        cells => Document::of_cells(&cells.iter().map(|cell| cell.text.as_str()).collect::<Vec<&str>>()),
    }
}

/// Reads a file, or the Python files and notebooks below a folder: not those of environments, nor what is ignored.
fn read_programs(path: &Path, programs: &mut Vec<Program>) -> Result<(), CommandError> {
    if !path.is_dir() {
        programs.push(read_program(path)?);
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
            Err(error) if programs.is_empty() && fs::read_dir(path).is_err() => {
                return Err(unreadable(path, &error));
            }
            // A folder further down that may not be read holds nothing that this user works on.
            Err(_) => continue,
        };
        let is_program = entry.path().extension().is_some_and(|e| e == "py" || e == "pyw" || e == "ipynb");
        if is_program && entry.file_type().is_some_and(|kind| kind.is_file()) {
            match read_program(entry.path()) {
                // One among many: the others can be checked. Where it alone was named, that is all that there is to say.
                Err(broken @ CommandError::Notebook { .. }) => {
                    let _ = writeln!(anstream::stderr(), "whydll: {broken}; it was left out");
                }
                read => programs.push(read?),
            }
        }
    }
    Ok(())
}

fn read_program(path: &Path) -> Result<Program, CommandError> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if metadata.len() > LONGEST_DOCUMENT {
        return Err(unreadable(path, &format!("it is too large ({} bytes)", metadata.len())));
    }
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let name = path.display().to_string();
    let whole = |text: &str| CheckedDocument::new(name.clone(), text.to_owned());
    let parts = if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("ipynb")) {
        let cells = code_cells(text);
        let cells = cells.map_err(|error| CommandError::Notebook { path: name.clone(), error })?;
        let in_cell = |Cell { index, text }| CheckedDocument { cell: Some(index), ..whole(&text) };
        let cells: Vec<CheckedDocument> = cells.into_iter().map(in_cell).collect();
        // One that has no Python is checked, too.
        if cells.is_empty() { vec![whole("")] } else { cells }
    } else {
        vec![whole(text)]
    };
    Ok(Program { parts, path: Some(path.to_owned()) })
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> CommandError {
    CommandError::Document { path: path.display().to_string(), reason: error.to_string() }
}
