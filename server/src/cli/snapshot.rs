//! `whydll snapshot`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::target::TargetArguments;
use super::{CommandError, print};
use crate::diagnosis::{Import, record};
use crate::host::snapshot::Recorder;

#[derive(Args)]
pub struct SnapshotArguments {
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    target: TargetArguments,
    /// A package whose diagnosis is recorded (default: tensorflow)
    #[arg(long = "import", value_name = "NAME", value_parser = super::module_name)]
    imports: Vec<String>,
    /// Keep the names of users and home folders, which are replaced otherwise
    #[arg(long)]
    keep_names: bool,
}

pub fn run(arguments: SnapshotArguments) -> Result<ExitCode, CommandError> {
    let mut recorder: Option<Arc<Recorder>> = None;
    let target = arguments.target.resolve_with(|host| {
        let (recorded, over) = Recorder::over(&host);
        recorder = Some(over);
        recorded
    })?;
    let imports = super::or_tensorflow(arguments.imports);
    let asked: Vec<Import> = imports.iter().map(|name| Import::first(name)).collect();
    let Some(recorder) = recorder else { return Ok(ExitCode::SUCCESS) };
    let (keep, output) = (arguments.keep_names, &arguments.output);
    let recorded = record(&recorder, &target.host, &target.environment, &asked, keep, output)?;
    let names = match recorded.renamed {
        0 => "",
        _ => "; the names of users are replaced (--keep-names keeps them)",
    };
    let texts = match recorded.constants {
        0 => String::new(),
        all => format!(", with {} of the {all} texts that stand in its modules", recorded.kept),
    };
    let imports = imports.join("`, `import ");
    print(&format!("{} records `import {imports}`{texts}{names}", output.display()))?;
    Ok(ExitCode::SUCCESS)
}
