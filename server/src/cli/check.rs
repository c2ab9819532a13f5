//! `whydll check`

use std::io::Write;
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::target::TargetArguments;
use super::{CommandError, ReportFormat, print};
use crate::check::{self, SourceFile, SourceFiles};
use crate::diagnosis::{DiagnosisCache, Import, PackageFilter, SeveritySettings};
use crate::environment::OpenTarget;
use crate::report::Report;
use crate::source::top_level;
use crate::visible::visible;

#[derive(Args)]
pub struct CheckArguments {
    /// Python files and notebooks, or folders of them; without any, the packages given with
    /// --import
    #[arg(value_name = "FILES OR FOLDERS")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    target: TargetArguments,
    /// A package to diagnose, or to watch in the files (default: tensorflow; in files, also every
    /// installed package with native code)
    #[arg(long = "import", value_name = "NAME", value_parser = super::module_name)]
    imports: Vec<String>,
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

pub fn run(arguments: CheckArguments) -> Result<ExitCode, CommandError> {
    let mut programs = SourceFiles::default();
    for path in &arguments.files {
        programs.add(path)?;
    }
    for reason in &programs.skipped {
        let reason = visible(&reason.to_string()).into_owned();
        let _ = writeln!(anstream::stderr(), "whydll: {reason}; skipped");
    }
    // Skip destructors: the process is about to exit.
    let target = ManuallyDrop::new(arguments.target.target().open()?);
    let report = if arguments.files.is_empty() {
        check_packages(&target, &super::or_tensorflow(arguments.imports))
    } else {
        let named = arguments.imports.iter().map(|name| top_level(name).to_owned()).collect();
        let filter =
            if arguments.imports.is_empty() { PackageFilter::Native } else { PackageFilter::Named(named) };
        check_programs(&target, programs.files, &filter)
    };
    let text = arguments.format.render(&report);
    let failed = report.has_errors();
    target.store_facts();
    print(&text)?;
    Ok(ExitCode::from(u8::from(failed)))
}

/// Returns the diagnoses of the environment, backed by its answer cache. They are the last work of the
/// process.
pub fn diagnoses(target: &OpenTarget) -> DiagnosisCache<'_> {
    DiagnosisCache::new(&target.host, &target.environment, target.answers.as_ref()).skip_drop()
}

/// Diagnoses packages by name.
fn check_packages<'a>(target: &'a OpenTarget, names: &[String]) -> Report<'a> {
    check_imports(target, &names.iter().map(|name| Import::first(name)).collect::<Vec<Import>>())
}

/// Diagnoses imports that belong to no file.
pub fn check_imports<'a>(target: &'a OpenTarget, imports: &[Import]) -> Report<'a> {
    let diagnosis = diagnoses(target).diagnose_all(imports);
    Report::of(&target.environment, &target.host, target.assumed.clone(), diagnosis)
}

/// Diagnoses the watched imports of files.
pub fn check_programs<'a>(
    target: &'a OpenTarget,
    programs: Vec<SourceFile>,
    filter: &PackageFilter,
) -> Report<'a> {
    let assumed = target.assumed.clone();
    let mut report = Report::new(&target.environment, &target.host, assumed);
    let severity = &SeveritySettings::default();
    check::check_programs(&mut report, &target.host, &mut diagnoses(target), programs, filter, severity);
    report
}
