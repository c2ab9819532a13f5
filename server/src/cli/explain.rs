//! `whydll explain`

use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::target::{Target, TargetArguments};
use super::{CommandError, ReportFormat, check, print};
use crate::diagnosis::Import;
use crate::host::session::at_home;
use crate::report::Explanation;
use crate::traceback::{self, Traceback};

#[derive(Args)]
pub struct ExplainArguments {
    /// A file that the traceback stands in, among other things perhaps (default: standard input)
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    target: TargetArguments,
    /// The package whose import failed, where the traceback does not tell
    #[arg(long = "import", value_name = "NAME", value_parser = super::module_name)]
    import: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

pub fn run(arguments: ExplainArguments) -> Result<ExitCode, CommandError> {
    let (name, bytes) = text_of(arguments.file.as_deref())?;
    let read = traceback::read(&traceback::decoded(&bytes));
    let traceback = read.map_err(|error| CommandError::Traceback { path: name.clone(), error })?;
    let (target, same_environment) = target_of(&arguments.target, &traceback)?;
    let asked = match &arguments.import {
        Some(named) => Import::first(named),
        None => Import::of_traceback(&traceback, &target.environment, &*target.host.files)
            .ok_or(CommandError::NoImport { path: name })?,
    };
    let report = check::check_imports(&target, std::slice::from_ref(&asked));
    let explanation = Explanation { traceback: &traceback, import: Some(&asked.name), same_environment };
    let text = match arguments.format {
        ReportFormat::Text => explanation.text(&report),
        ReportFormat::Json => explanation.json(&report),
        ReportFormat::Markdown => report.redactor().markdown(&explanation.markdown(&report)),
    };
    let failed = report.has_errors();
    target.remember();
    print(&text)?;
    Ok(ExitCode::from(u8::from(failed)))
}

/// Its name, and what stands in it.
fn text_of(file: Option<&Path>) -> Result<(String, Vec<u8>), CommandError> {
    let name = file.filter(|file| *file != Path::new("-")).map(|file| file.display().to_string());
    let unreadable = |error: std::io::Error| CommandError::Document {
        path: name.clone().unwrap_or_else(|| "standard input".to_owned()),
        reason: error.to_string(),
    };
    let mut bytes = Vec::new();
    let source: Box<dyn Read> = match &name {
        Some(name) => Box::new(File::open(name).map_err(unreadable)?),
        None => {
            if std::io::stdin().is_terminal() {
                let end = if cfg!(windows) { "Ctrl+Z and Enter" } else { "Ctrl+D" };
                let _ = writeln!(anstream::stderr(), "Paste the traceback, then press {end}.");
            }
            Box::new(std::io::stdin())
        }
    };
    source.take(traceback::LONGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > traceback::LONGEST {
        return Err(unreadable(std::io::Error::other("it is too long for a traceback")));
    }
    Ok((name.unwrap_or_else(|| "standard input".to_owned()), bytes))
}

/// The environment that was named; else the one that the traceback tells of, if this machine has it; else the one that is meant
/// here. And whether that is the traceback's.
fn target_of(
    arguments: &TargetArguments,
    traceback: &Traceback,
) -> Result<(Target, Option<bool>), CommandError> {
    let Some(environment) = traceback.environment.as_deref().map(at_home) else {
        return Ok((arguments.resolve()?, None));
    };
    if arguments.python.is_some() {
        let target = arguments.resolve()?;
        let is_same = target.host.path_of(&environment) == target.environment.prefix;
        return Ok((target, Some(is_same)));
    }
    match (TargetArguments { python: Some(environment), ..arguments.clone() }).resolve() {
        Ok(target) => Ok((target, Some(true))),
        Err(_) => Ok((arguments.resolve()?, Some(false))),
    }
}
