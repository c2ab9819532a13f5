//! `whydll environments`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{CommandError, Format, print};
use crate::diagnosis::{ALWAYS_WATCHED, package};
use crate::environment::discovery::{self, Search};
use crate::host::session;
use crate::report::{self, Environments, Listed};

#[derive(Args)]
pub struct EnvironmentsArguments {
    /// The folder to select a Python for (default: the current one)
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// The machine, as for `check`
    #[arg(long)]
    host: Option<String>,
    /// PATH of that machine, separated by semicolons
    #[arg(long, value_name = "DIRS")]
    path: Option<String>,
    /// A folder to use as drive C: of a built-in host
    #[arg(long, value_name = "FOLDER")]
    drive: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn run(arguments: EnvironmentsArguments) -> Result<ExitCode, CommandError> {
    let folder = arguments.folder.or_else(|| std::env::current_dir().ok());
    if let Some(folder) = folder.as_ref().filter(|folder| !folder.is_dir()) {
        let reason = "not a directory".to_owned();
        return Err(CommandError::Document { path: folder.display().to_string(), reason });
    }
    let (host, assumed) =
        discovery::machine(arguments.host.as_deref(), arguments.drive.as_deref(), folder.as_deref())?;
    let host = match &arguments.path {
        Some(path) => host.with_variable("PATH", path),
        None => host,
    };
    let folder = folder.filter(|_| !host.kind.is_snapshot()).map(|folder| host.path_of(&folder));
    let activated = session::activated().filter(|_| !host.kind.is_snapshot());
    let activated = activated.map(|activated| host.path_of(&activated));
    let search = Search::on(&host).in_folder(folder.clone()).with_activated(activated).thorough();
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
