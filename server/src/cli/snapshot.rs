//! `whydll snapshot`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::target::TargetArguments;
use super::{CommandError, print};
use crate::diagnosis::{Consent, Import, record};
use crate::host::snapshot::Recorder;
use crate::report;

#[derive(Args)]
pub struct SnapshotArguments {
    /// The file to write
    #[arg(short, long, value_name = "FILE", required_unless_present = "show")]
    output: Option<PathBuf>,
    /// Write nothing, and print what would be in it
    #[arg(long, conflicts_with = "output")]
    show: bool,
    #[command(flatten)]
    target: TargetArguments,
    /// A package whose diagnosis is recorded (default: tensorflow)
    #[arg(long = "import", value_name = "NAME", value_parser = super::module_name)]
    imports: Vec<String>,
    /// Keep the names of users, servers and companies in paths, which are replaced otherwise
    #[arg(long)]
    keep_names: bool,
    /// Include what modules do that lie outside of the environment, as those of your own projects
    #[arg(long)]
    own_modules: bool,
}

/// What whoever sends it should know.
const INEXACT: &str = "a replay of this snapshot says something else than a check of the machine, because of something that it does not hold: \
                       send the output of the check along";

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
    let consent = Consent { names: arguments.keep_names, own_modules: arguments.own_modules };
    let recorded = record(&recorder, &target.host, &target.environment, &asked, consent, "--own-modules")?;
    if !recorded.is_exact {
        eprintln!("whydll: {INEXACT}");
    }
    let Some(output) = arguments.output else {
        print(report::contents(&recorded)?.trim_end())?;
        return Ok(ExitCode::SUCCESS);
    };
    recorded.snapshot.write(&output)?;
    let names = match recorded.snapshot.renamed {
        0 => "",
        _ => "; names of users and servers are replaced (--keep-names keeps them)",
    };
    let texts = match recorded.texts {
        0 => String::new(),
        all => format!(", with {} of {all} texts that stand in modules, files and variables", recorded.kept),
    };
    let imports = imports.join("`, `import ");
    print(&format!("{} records `import {imports}`{texts}{names}", output.display()))?;
    Ok(ExitCode::SUCCESS)
}
