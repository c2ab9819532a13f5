//! `whydll explain`

use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::target::TargetArguments;
use super::{CommandError, ReportFormat, print};
use crate::check::{ExplainError, ExplainedImport, Precedence};
use crate::traceback;

#[derive(Args)]
pub struct ExplainArguments {
    /// A file that contains the traceback, possibly among other output (default: standard input)
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    target: TargetArguments,
    /// The package whose import failed, if the traceback doesn't name it
    #[arg(long = "import", value_name = "NAME", value_parser = super::module_name)]
    import: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

pub fn run(arguments: ExplainArguments) -> Result<ExitCode, CommandError> {
    let (name, bytes) = read_input(arguments.file.as_deref())?;
    let read = traceback::read(&traceback::decoded(&bytes));
    let traceback = read.map_err(|error| CommandError::Traceback { path: name.clone(), error })?;
    let precedence = match arguments.target.python {
        Some(_) => Precedence::Target,
        None => Precedence::Traceback,
    };
    let failed =
        ExplainedImport::of(&traceback, &arguments.target.target(), precedence, arguments.import.as_deref());
    let failed = failed.map_err(|error| match error {
        ExplainError::Target(error) => CommandError::from(error),
        ExplainError::NoImport => CommandError::NoImport { path: name },
    })?;
    let report = failed.report(super::check::diagnoses(&failed.target));
    let explanation = failed.explanation();
    let text = match arguments.format {
        ReportFormat::Text => explanation.text(&report),
        ReportFormat::Json => explanation.json(&report),
        ReportFormat::Markdown => report.redactor().markdown(&explanation.markdown(&report)),
    };
    failed.target.store_facts();
    print(&text)?;
    Ok(ExitCode::from(u8::from(report.has_errors())))
}

/// Reads the file, or standard input, and returns its name and contents.
fn read_input(file: Option<&Path>) -> Result<(String, Vec<u8>), CommandError> {
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
    source.take(traceback::MAX_LENGTH + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > traceback::MAX_LENGTH {
        return Err(unreadable(std::io::Error::other("too long for a traceback")));
    }
    Ok((name.unwrap_or_else(|| "standard input".to_owned()), bytes))
}
