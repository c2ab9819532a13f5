//! Arguments → a check, a chain, a snapshot, a server; and the exit status.
//!
//! 0: nothing that would fail · 1: at least one error found · 2: it could not be done, with one line on
//! standard error that says why.

mod chain;
mod check;
mod demo;
mod environments;
mod explain;
mod snapshot;
mod target;

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::check::ReadError;
use crate::diagnosis::ALWAYS;
use crate::environment::EnvironmentError;
use crate::host::HostError;
use crate::host::snapshot::SnapshotError;
use crate::report::{self, Report};
use crate::source::is_module_name;
use crate::traceback::TracebackError;
use crate::visible::visible;

/// Says why `import tensorflow` fails on Windows: which DLL, how we know, what to do.
#[derive(Parser)]
#[command(name = "whydll", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the language server on standard input and output
    Server(ServerArguments),
    /// Diagnose the imports of Python files and notebooks, or of packages by name
    Check(check::CheckArguments),
    /// Say what a traceback says, and diagnose the import that failed
    Explain(explain::ExplainArguments),
    /// Draw the DLL tree of packages, .pyd and .dll files
    Chain(chain::ChainArguments),
    /// List the Pythons of a machine, and which of them is meant in a folder
    Environments(environments::EnvironmentsArguments),
    /// Record all facts that a diagnosis reads into one file, which --host replays anywhere
    Snapshot(snapshot::SnapshotArguments),
    /// Diagnose a recorded real environment that is built in
    Demo(demo::DemoArguments),
}

#[derive(Args)]
struct ServerArguments {
    /// Accepted for editors that pass it; it is the only way there is
    #[arg(long)]
    stdio: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// How a report is told.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// For a bug report, with other names for users
    Markdown,
}

impl ReportFormat {
    fn told(self, report: &Report<'_>) -> String {
        match self {
            ReportFormat::Text => report::check_text(report),
            ReportFormat::Json => report::check_json(report),
            ReportFormat::Markdown => report.redactor().markdown(&report::check_markdown(report)),
        }
    }
}

/// Why a command could not be done.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error("{path}: {reason}")]
    Document { path: String, reason: String },
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{path}: {error}")]
    Traceback { path: String, error: TracebackError },
    #[error("{path}: the traceback does not tell which import failed: name its package with --import")]
    NoImport { path: String },
    #[error("no interpreter: give --python, activate an environment, or run it in a folder with a .venv")]
    NoInterpreter,
    #[error("there is nothing to draw: {0} does not exist")]
    NoTarget(String),
    #[error("standard output: {0}")]
    Output(#[from] std::io::Error),
    #[error("the analysis failed in a way that it should not; please report it")]
    Panicked,
}

/// Runs the program and returns its exit status.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    if let Command::Server(ServerArguments { stdio: _ }) = arguments.command {
        return crate::lsp::serve();
    }
    match with_deep_stack(|| dispatch(arguments.command)) {
        Ok(code) => code,
        // Who closed the pipe has read enough.
        Err(CommandError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "whydll: {}", visible(&error.to_string()));
            ExitCode::from(2)
        }
    }
}

fn dispatch(command: Command) -> Result<ExitCode, CommandError> {
    match command {
        Command::Check(arguments) => check::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Chain(arguments) => chain::run(arguments),
        Command::Environments(arguments) => environments::run(arguments),
        Command::Snapshot(arguments) => snapshot::run(arguments),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Server(_) => Ok(crate::lsp::serve()),
    }
}

/// Python is followed by recursion, for which the main thread's stack is too small. A new stack on the same
/// thread, rather than a new thread, since the C library's allocator is slower on any but the main one.
fn with_deep_stack(work: impl FnOnce() -> Result<ExitCode, CommandError>) -> Result<ExitCode, CommandError> {
    let caught =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stacker::grow(crate::source::STACK, work)));
    caught.unwrap_or(Err(CommandError::Panicked))
}

/// What `--import` names, or else what it is all about.
fn or_tensorflow(imports: Vec<String>) -> Vec<String> {
    if imports.is_empty() { vec![ALWAYS.to_owned()] } else { imports }
}

/// A dotted module name, as an import statement has it.
fn module_name(text: &str) -> Result<String, String> {
    match is_module_name(text) {
        true => Ok(text.to_owned()),
        false => Err("it is no name of a module".to_owned()),
    }
}

fn print(text: &str) -> Result<(), CommandError> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(())
}
