//! `whydll chain`

use std::process::ExitCode;

use clap::Args;

use super::target::TargetArguments;
use super::{CommandError, Format, print};
use crate::{diagnosis, report};

#[derive(Args)]
pub struct ChainArguments {
    /// A package, or the path of a .pyd or .dll
    #[arg(value_name = "TARGET")]
    name: String,
    #[command(flatten)]
    target: TargetArguments,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn run(arguments: ChainArguments) -> Result<ExitCode, CommandError> {
    let target = arguments.target.resolve()?;
    let path = target.path_of(&arguments.name);
    let is_file = ["pyd", "dll", "so"].iter().any(|extension| path.has_extension(extension));
    if is_file && !target.host.files.is_file(&path) {
        return Err(CommandError::NoTarget(arguments.name));
    }
    let name = if is_file { path.as_str() } else { &arguments.name };
    let chain = diagnosis::chain(&target.host, &target.environment, name);
    target.remember();
    print(&match arguments.format {
        Format::Text => report::chain_text(&chain),
        Format::Json => report::chain_json(&chain),
    })?;
    Ok(ExitCode::from(u8::from(chain.error.is_some())))
}
