//! The options that select an environment and a machine: `--python`, `--host`, and related ones.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::environment::{InterpreterSpec, OpenTarget, Target};
use crate::host::{HostSpec, WinPath};

/// The options that select an environment and a machine.
#[derive(Args)]
pub struct TargetArguments {
    /// The interpreter, or the folder of an environment
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    #[command(flatten)]
    pub machine: MachineArguments,
}

/// The options that select a machine.
#[derive(Args)]
pub struct MachineArguments {
    /// The machine: live (this Windows), a folder with a Windows system drive, a snapshot file,
    /// windows-10, windows-11, windows-11+vcredist, windows-11-arm64, or windows-11-arm64+vcredist
    #[arg(long)]
    host: Option<HostSpec>,
    /// PATH of the process that will run Python, separated by semicolons
    #[arg(long, value_name = "DIRS")]
    path: Option<String>,
    /// A folder to use as drive C: of a built-in host
    #[arg(long, value_name = "FOLDER")]
    drive: Option<PathBuf>,
}

impl TargetArguments {
    /// Returns the target: the named interpreter, or the one that is selected for the current
    /// folder.
    pub fn target(&self) -> Target {
        let current = || InterpreterSpec::Search(std::env::current_dir().ok());
        self.machine.target(self.python.clone().map_or_else(current, InterpreterSpec::Named))
    }
}

impl MachineArguments {
    /// Returns the target with this interpreter.
    pub fn target(&self, interpreter: InterpreterSpec) -> Target {
        Target {
            interpreter,
            host: self.host.clone(),
            drive: self.drive.clone(),
            search_path: self.path.clone(),
        }
    }
}

/// Returns the path of `name` on the analysed machine if it is a file of this system; otherwise
/// takes `name` itself as a Windows path.
pub fn path_of(target: &OpenTarget, name: &str) -> WinPath {
    if Path::new(name).exists() { target.host.path_of(Path::new(name)) } else { WinPath::new(name) }
}
