//! The options that select an environment and a machine: `--python`, `--host`, and related ones.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::CommandError;
use crate::diagnosis::DiagnosisCache;
use crate::environment::{Environment, discovery};
use crate::host::{AnswerCache, FactCache, Host, WinPath};

/// The options that select an environment and a machine.
#[derive(Args, Clone, Default)]
pub struct TargetArguments {
    /// The interpreter, or the folder of an environment
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// The machine: live (this Windows), a folder with a Windows system drive, a snapshot file,
    /// windows-10, windows-11, windows-11+vcredist, windows-11-arm64, or windows-11-arm64+vcredist
    #[arg(long)]
    pub host: Option<String>,
    /// PATH of the process that will run Python, separated by semicolons
    #[arg(long, value_name = "DIRS")]
    pub path: Option<String>,
    /// A folder to use as drive C: of a built-in host
    #[arg(long, value_name = "FOLDER")]
    pub drive: Option<PathBuf>,
}

/// The machine and the environment that a command works on.
pub struct CommandTarget {
    pub host: Host,
    pub environment: Environment,
    /// What was assumed because no option specified it, human-readable.
    pub assumed: Option<String>,
    cache: Arc<FactCache>,
    /// The answer cache of the environment, which later runs reuse.
    answers: Option<AnswerCache>,
}

impl TargetArguments {
    /// Opens the machine and the environment.
    pub fn resolve(&self) -> Result<CommandTarget, CommandError> {
        self.resolve_with(|host| host)
    }

    /// Like [`TargetArguments::resolve`], but reads the environment through the host that `wrap`
    /// returns.
    pub fn resolve_with(&self, wrap: impl FnOnce(Host) -> Host) -> Result<CommandTarget, CommandError> {
        let mut assumed = None;
        // The activated environment, or the one that is selected for the current folder.
        let selected = || {
            let folder = std::env::current_dir().ok();
            discovery::selected_in(folder.as_deref(), self.host.as_deref(), self.drive.as_deref())
        };
        let python = self.python.clone().or_else(|| self.host.is_none().then(selected).flatten());
        let answers = python.as_deref().and_then(AnswerCache::of);
        let cache = answers.as_ref().map(|answers| FactCache::open(&answers.facts_file()));
        let cache = Arc::new(cache.unwrap_or_default());
        let host = match (&self.host, &python) {
            (Some(name), _) => Host::named_on_drive(name, self.drive.as_deref(), cache.clone())?,
            (None, Some(_)) if cfg!(windows) && self.drive.is_none() => Host::live(cache.clone())?,
            (None, Some(python)) => match Host::drive_of(python) {
                Some(drive) => {
                    assumed = Some(format!("the interpreter's drive {} was assumed", drive.display()));
                    Host::directory(&drive, cache.clone())?
                }
                None => {
                    assumed = Some("assumed because no --host was given".to_owned());
                    let name = Host::assumed_for(python);
                    Host::named_on_drive(name, self.drive.as_deref(), cache.clone())?
                }
            },
            (None, None) => return Err(CommandError::NoInterpreter),
        };
        let python = match python.or_else(|| host.recorded_interpreter.is_none().then(selected).flatten()) {
            Some(python) => host.path_of(&python),
            None => host.recorded_interpreter.clone().ok_or(CommandError::NoInterpreter)?,
        };
        let host = match &self.path {
            Some(path) => host.with_variable("PATH", path),
            None => host,
        };
        let host = wrap(host);
        let environment = Environment::on(&python, &host)?;
        Ok(CommandTarget { host, environment, assumed, cache, answers })
    }
}

impl CommandTarget {
    /// Returns the target for a recorded machine and its environment.
    pub fn of_recorded(host: Host, environment: Environment) -> CommandTarget {
        CommandTarget { host, environment, assumed: None, cache: Arc::default(), answers: None }
    }

    /// Returns the diagnoses of the environment, backed by its answer cache. They are the last work
    /// of the process.
    pub fn diagnoses(&self) -> DiagnosisCache<'_> {
        DiagnosisCache::new(&self.host, &self.environment, self.answers.as_ref()).skip_drop()
    }

    /// Stores the facts that were read for the next run. A cache that can't be written only costs
    /// time.
    pub fn remember(&self) {
        if let Some(answers) = &self.answers {
            let _ = self.cache.store(&answers.facts_file());
        }
    }

    /// Returns the path of `name` on the analysed machine if it is a file of this system; otherwise
    /// takes `name` itself as a Windows path.
    pub fn path_of(&self, name: &str) -> WinPath {
        if Path::new(name).exists() { self.host.path_of(Path::new(name)) } else { WinPath::new(name) }
    }
}
