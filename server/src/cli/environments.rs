//! `whydll environments`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::target::MachineArguments;
use super::{CommandError, Format, print};
use crate::diagnosis::{ALWAYS_WATCHED, package};
use crate::environment::InterpreterSpec;
use crate::report::{self, Environments, Listed};

#[derive(Args)]
pub struct EnvironmentsArguments {
    /// The folder to select a Python for (default: the current one)
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    machine: MachineArguments,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn run(arguments: EnvironmentsArguments) -> Result<ExitCode, CommandError> {
    let folder = arguments.folder.or_else(|| std::env::current_dir().ok());
    if let Some(folder) = folder.as_ref().filter(|folder| !folder.is_dir()) {
        let reason = "not a directory".to_owned();
        return Err(CommandError::Document { path: folder.display().to_string(), reason });
    }
    let target = arguments.machine.target(InterpreterSpec::Search(folder));
    let (host, assumed) = target.host()?;
    let search = target.search(&host).thorough();
    let folder = search.folder().cloned();
    let chosen = search.selected();
    let found = search.all();
    let listed = found.into_iter().map(|found| {
        let tensorflow =
            found.environment.as_ref().ok().map(|environment| package(&host, environment, ALWAYS_WATCHED));
        Listed { tensorflow: tensorflow.filter(|package| package.path.is_some()), found }
    });
    let environments = Environments { host: &host, assumed, folder, chosen, listed: listed.collect() };
    print(&match arguments.format {
        Format::Text => report::environments_text(&environments),
        Format::Json => report::environments_json(&environments),
    })?;
    Ok(ExitCode::SUCCESS)
}
