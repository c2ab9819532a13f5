//! `whydll chain`

use std::process::ExitCode;

use clap::Args;

use super::target::{TargetArguments, path_of};
use super::{CommandError, Format, print};
use crate::environment::OpenTarget;
use crate::{diagnosis, report};

#[derive(Args)]
pub struct ChainArguments {
    /// Packages, or paths of .pyd and .dll files; all are loaded into one process, in this order
    #[arg(value_name = "TARGET", required = true)]
    names: Vec<String>,
    #[command(flatten)]
    target: TargetArguments,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn run(arguments: ChainArguments) -> Result<ExitCode, CommandError> {
    let target = arguments.target.target().open()?;
    let names: Result<Vec<String>, CommandError> =
        arguments.names.iter().map(|name| loadable(&target, name)).collect();
    let names = names?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let chain = diagnosis::chain(&target.host, &target.environment, &names);
    target.store_facts();
    print(&match arguments.format {
        Format::Text => report::chain_text(&chain),
        Format::Json => report::chain_json(&chain),
    })?;
    Ok(ExitCode::from(u8::from(chain.error.is_some())))
}

/// Returns what to load for a command-line name: the path of a file on the analysed machine, or the
/// name of a package.
fn loadable(target: &OpenTarget, name: &str) -> Result<String, CommandError> {
    let path = path_of(target, name);
    let is_file = ["pyd", "dll", "so"].iter().any(|extension| path.has_extension(extension));
    match is_file {
        true if !target.host.files.is_file(&path) => Err(CommandError::NoTarget(name.to_owned())),
        true => Ok(path.as_str().to_owned()),
        false => Ok(name.to_owned()),
    }
}
