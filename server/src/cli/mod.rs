//! The command line: turns arguments into a check, a chain, a snapshot, or a server, and an exit
//! status.
//!
//! The exit status is 0 if no import would fail, 1 if at least one error was found, and 2 if the
//! command couldn't run; then one line on standard error says why.

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
use crate::diagnosis::ALWAYS_WATCHED;
use crate::environment::{EnvironmentError, TargetError};
use crate::host::HostError;
use crate::host::snapshot::SnapshotError;
use crate::report::{self, Report};
use crate::source::is_module_name;
use crate::traceback::TracebackError;
use crate::visible::visible;

/// Explains why `import tensorflow` fails on Windows: which DLL is at fault, how that is known, and how
/// to fix it.
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
    /// Explain a traceback, and diagnose the import that failed
    Explain(explain::ExplainArguments),
    /// Draw the DLL tree of packages, .pyd and .dll files
    Chain(chain::ChainArguments),
    /// List the Pythons of a machine, and show which one is selected for a folder
    Environments(environments::EnvironmentsArguments),
    /// Record all facts that a diagnosis reads to one file, which --host can replay on any machine
    Snapshot(snapshot::SnapshotArguments),
    /// Diagnose the built-in recording of a real environment
    Demo(demo::DemoArguments),
}

#[derive(Args)]
struct ServerArguments {
    /// Accepted for editors that pass it; the server always uses standard input and output
    #[arg(long)]
    stdio: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Human-readable
    #[default]
    Text,
    /// Machine-readable
    Json,
}

/// The output format of a report.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// Human-readable
    #[default]
    Text,
    /// Machine-readable
    Json,
    /// For a bug report; user names are replaced
    Markdown,
}

impl ReportFormat {
    fn render(self, report: &Report<'_>) -> String {
        match self {
            ReportFormat::Text => report::check_text(report),
            ReportFormat::Json => report::check_json(report),
            ReportFormat::Markdown => report.redactor().markdown(&report::check_markdown(report)),
        }
    }
}

/// Why a command failed.
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
    #[error("{path}: the traceback doesn't say which import failed: name the package with --import")]
    NoImport { path: String },
    #[error(
        "no Python interpreter found: pass --python, activate an environment, or run whydll in a folder with \
         a .venv"
    )]
    NoInterpreter,
    #[error("nothing to draw: {0} doesn't exist")]
    NoTarget(String),
    #[error("standard output: {0}")]
    Output(#[from] std::io::Error),
    #[error("internal error during analysis; please report it")]
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
        // A closed pipe isn't an error.
        Err(CommandError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "whydll: {}", visible(&error.to_string()));
            ExitCode::from(2)
        }
    }
}

impl From<TargetError> for CommandError {
    fn from(error: TargetError) -> CommandError {
        match error {
            TargetError::Host(error) => CommandError::Host(error),
            TargetError::NoInterpreter => CommandError::NoInterpreter,
            TargetError::Environment(error) => CommandError::Environment(error),
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

/// Runs `work` on a stack of [`STACK`](crate::source::STACK) bytes.
///
/// The analysis of Python is recursive, and the main thread's stack is too small for it. The new
/// stack is on the same thread because the C library's allocator is slower on any other.
fn with_deep_stack(work: impl FnOnce() -> Result<ExitCode, CommandError>) -> Result<ExitCode, CommandError> {
    let caught =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stacker::grow(crate::source::STACK, work)));
    caught.unwrap_or(Err(CommandError::Panicked))
}

/// Returns the packages given with `--import`, or `tensorflow`.
fn or_tensorflow(imports: Vec<String>) -> Vec<String> {
    if imports.is_empty() { vec![ALWAYS_WATCHED.to_owned()] } else { imports }
}

/// Parses a dotted module name, as in an import statement.
fn module_name(name: &str) -> Result<String, String> {
    match is_module_name(name) {
        true => Ok(name.to_owned()),
        false => Err("not a valid module name".to_owned()),
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
