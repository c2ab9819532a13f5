//! Which environment, on which machine: `--python`, `--host` and what goes with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::CommandError;
use crate::diagnosis::Diagnoses;
use crate::environment::{Environment, discovery};
use crate::host::{Answers, FactCache, Host, WinPath};

/// Options that name an environment and a machine.
#[derive(Args, Clone, Default)]
pub struct TargetArguments {
    /// The interpreter, or the environment's folder
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// The machine: live (this Windows), a folder that holds a Windows system drive, a snapshot file,
    /// windows-10, windows-11, windows-11+vcredist, windows-11-arm64 or windows-11-arm64+vcredist
    #[arg(long)]
    pub host: Option<String>,
    /// PATH of the process that will run Python, separated by semicolons
    #[arg(long, value_name = "DIRS")]
    pub path: Option<String>,
    /// A folder that stands for drive C: beside a built-in host
    #[arg(long, value_name = "FOLDER")]
    pub drive: Option<PathBuf>,
}

/// The machine and environment that a command is about.
pub struct Target {
    pub host: Host,
    pub environment: Environment,
    /// What was assumed without being told.
    pub assumed: Option<String>,
    cache: Arc<FactCache>,
    /// Where answers are kept for the next run.
    answers: Option<Answers>,
}

impl TargetArguments {
    /// Finds machine and environment.
    pub fn resolve(&self) -> Result<Target, CommandError> {
        self.resolve_with(|host| host)
    }

    /// As [`TargetArguments::resolve`]; the environment is read through what `wrap` makes of the machine.
    pub fn resolve_with(&self, wrap: impl FnOnce(Host) -> Host) -> Result<Target, CommandError> {
        let mut assumed = None;
        // The environment that is activated, or meant in the current folder.
        let meant = || {
            let folder = std::env::current_dir().ok();
            discovery::meant_in(folder.as_deref(), self.host.as_deref(), self.drive.as_deref())
        };
        let python = self.python.clone().or_else(|| self.host.is_none().then(meant).flatten());
        let answers = python.as_deref().and_then(Answers::of);
        let cache = answers.as_ref().map(|answers| FactCache::open(&answers.facts_file()));
        let cache = Arc::new(cache.unwrap_or_default());
        let host = match (&self.host, &python) {
            (Some(name), _) => Host::named_on_drive(name, self.drive.as_deref(), cache.clone())?,
            (None, Some(_)) if cfg!(windows) && self.drive.is_none() => Host::live(cache.clone())?,
            (None, Some(python)) => match Host::drive_of(python) {
                Some(drive) => {
                    assumed = Some(format!("the drive {} that it lies on was assumed", drive.display()));
                    Host::directory(&drive, cache.clone())?
                }
                None => {
                    assumed = Some("assumed, since no --host was given".to_owned());
                    let name = Host::assumed_for(python);
                    Host::named_on_drive(name, self.drive.as_deref(), cache.clone())?
                }
            },
            (None, None) => return Err(CommandError::NoInterpreter),
        };
        let python = match python.or_else(|| host.recorded_interpreter.is_none().then(meant).flatten()) {
            Some(python) => host.path_of(&python),
            None => host.recorded_interpreter.clone().ok_or(CommandError::NoInterpreter)?,
        };
        let host = match &self.path {
            Some(path) => host.with_variable("PATH", path),
            None => host,
        };
        let host = wrap(host);
        let environment = Environment::on(&python, &host)?;
        Ok(Target { host, environment, assumed, cache, answers })
    }
}

impl Target {
    /// A recorded machine and its environment.
    pub fn of_recorded(host: Host, environment: Environment) -> Target {
        Target { host, environment, assumed: None, cache: Arc::default(), answers: None }
    }

    /// The diagnoses of its imports, which may be remembered. The process ends with them.
    pub fn diagnoses(&self) -> Diagnoses<'_> {
        Diagnoses::new(&self.host, &self.environment, self.answers.as_ref()).at_the_end()
    }

    /// Keeps what was learnt for the next run. A cache that cannot be written costs time, nothing else.
    pub fn remember(&self) {
        if let Some(answers) = &self.answers {
            let _ = self.cache.store(&answers.facts_file());
        }
    }

    /// The path of `name` as the machine knows it, if it is a file of ours.
    pub fn path_of(&self, name: &str) -> WinPath {
        if Path::new(name).exists() { self.host.path_of(Path::new(name)) } else { WinPath::new(name) }
    }
}
