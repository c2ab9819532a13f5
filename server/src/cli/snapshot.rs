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
    /// Print what the snapshot would contain, and write nothing
    #[arg(long, conflicts_with = "output")]
    show: bool,
    #[command(flatten)]
    target: TargetArguments,
    /// A package whose diagnosis is recorded (default: tensorflow)
    #[arg(long = "import", value_name = "NAME", value_parser = super::module_name)]
    imports: Vec<String>,
    /// Keep the names of users, servers, and companies in paths instead of replacing them
    #[arg(long)]
    keep_names: bool,
    /// Include what modules outside the environment do, such as those of your own projects
    #[arg(long)]
    own_modules: bool,
}

/// The warning about a snapshot whose replay differs from the original diagnosis.
const INEXACT: &str = "a replay of this snapshot gives a different result than a check of the machine, \
                       because the snapshot doesn't contain everything: attach the output of the check as \
                       well";

pub fn run(arguments: SnapshotArguments) -> Result<ExitCode, CommandError> {
    let mut recorder: Option<Arc<Recorder>> = None;
    let target = arguments.target.target().open_through(|host| {
        let (recorded, over) = Recorder::over(&host);
        recorder = Some(over);
        recorded
    })?;
    let imports = super::or_tensorflow(arguments.imports);
    let recorded_imports: Vec<Import> = imports.iter().map(|name| Import::first(name)).collect();
    let Some(recorder) = recorder else { return Ok(ExitCode::SUCCESS) };
    let consent = Consent { names: arguments.keep_names, own_modules: arguments.own_modules };
    let recorded =
        record(&recorder, &target.host, &target.environment, &recorded_imports, consent, "--own-modules")?;
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
    let strings = match recorded.withholdable {
        0 => String::new(),
        all => format!(", with {} of {all} strings from modules, files, and variables", recorded.included),
    };
    let imports = imports.join("`, `import ");
    print(&format!("{} records `import {imports}`{strings}{names}", output.display()))?;
    Ok(ExitCode::SUCCESS)
}
