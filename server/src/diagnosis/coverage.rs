//! How far an import was followed: what of it is not known, and what was therefore not reached.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::cpython::{CtypesMode, Interpreter, LoadError};
use crate::environment::{Distribution, Environment};
use crate::host::{Files, WinPath};
use crate::loader::{Cause, Fault};
use crate::plan::{Event, Plan, Step};

use super::Package;

/// Of the places in one import no more than these are kept, and of the files of one distribution.
const MOST_GAPS: usize = 50;
const MOST_FILES: usize = 50;

/// How far an import was followed. All of it, if there are no gaps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Where it could not be followed, in order.
    pub gaps: Vec<Gap>,
    /// What is loaded by these places, if anything.
    pub not_reached: Vec<NotReached>,
}

/// A place where an import could not be followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The Python file; none for the program itself.
    pub file: Option<WinPath>,
    /// 1-based.
    pub line: u32,
    /// What is not known, as a sentence without a full stop.
    pub what: String,
}

/// The native files of a distribution that nothing loads as far as the import was followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotReached {
    /// Its name.
    pub distribution: String,
    /// Full paths, the first ones of them.
    pub files: Vec<WinPath>,
    /// How many there are.
    pub count: usize,
    /// Those of `files` that cannot be loaded, should they be.
    pub failing: Vec<Failing>,
}

/// A file that cannot be loaded where an import was followed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// Its full path.
    pub file: WinPath,
    /// Why, as a sentence without a full stop.
    pub why: String,
}

impl Coverage {
    /// Of the steps of an import from the one numbered `first` on.
    pub(super) fn of(
        plan: &Plan<'_>,
        environment: &Environment,
        files: &dyn Files,
        first: usize,
    ) -> Coverage {
        let mut coverage = Coverage::default();
        let mut owners: Vec<&Distribution> = Vec::new();
        for step in plan.steps().iter().skip(first) {
            let Some(what) = what_is_not_known(step) else { continue };
            let gap = Gap { file: step.at.file.clone(), line: step.at.line, what };
            if coverage.gaps.len() >= MOST_GAPS || coverage.gaps.contains(&gap) {
                continue;
            }
            if let (Event::UnknownLoad(_), Some(file)) = (&step.event, &gap.file)
                && let Some(owner) = environment.owner_of(file, files)
                && !owners.iter().any(|known| std::ptr::eq(*known, owner))
            {
                owners.push(owner);
            }
            coverage.gaps.push(gap);
        }
        let interpreter = plan.interpreter();
        let modules = interpreter.process.modules().iter();
        let loaded: BTreeSet<String> = modules.map(|module| module.path.key()).collect();
        let missed = |owner: &&Distribution| not_reached(owner, &loaded, interpreter, files);
        coverage.not_reached = owners.iter().filter_map(missed).collect();
        coverage
    }

    /// Whether all of the import was followed.
    pub fn is_full(&self) -> bool {
        self.gaps.is_empty()
    }

    /// `3 steps in torch/__init__.py are not known`, or none if all is known. `short` says how a file is named.
    fn summary(&self, short: impl Fn(&WinPath) -> String) -> Option<String> {
        let first = self.gaps.first()?;
        let files: BTreeSet<&Option<WinPath>> = self.gaps.iter().map(|gap| &gap.file).collect();
        let count = match self.gaps.len() {
            1 => "1 step".to_owned(),
            count => format!("{count} steps"),
        };
        let place = match (&first.file, files.len()) {
            (Some(file), 1) => short(file),
            (None, 1) => "the program".to_owned(),
            (_, files) => format!("{files} files"),
        };
        let are = if self.gaps.len() == 1 { "is" } else { "are" };
        Some(format!("{count} in {place} {are} not known"))
    }

    /// What goes behind "works" where not all is known: `, as far as it could be followed: …`.
    pub fn extent(&self, short: impl Fn(&WinPath) -> String) -> String {
        self.summary(short)
            .map_or(String::new(), |summary| format!(", as far as it could be followed: {summary}"))
    }
}

/// What a step leaves open. A load that perhaps is never made, and that somebody is ready to do without, leaves nothing open.
fn what_is_not_known(step: &Step) -> Option<String> {
    match &step.event {
        Event::UnknownLoad(what) | Event::Unknown(what) => Some(what.clone()),
        Event::Extension { path, loaded: false, .. } if step.uncertain && !step.guarded => {
            Some(format!("whether {} is loaded, which would fail, is not known", path.file_name()))
        }
        Event::Library { name, loaded: false } if step.uncertain && !step.guarded => {
            let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
            Some(format!("whether {name} is loaded, which would fail, is not known"))
        }
        _ => None,
    }
}

/// The native files of a distribution that are not among those `loaded`, whose paths are folded. Each is tried in a copy of the process.
fn not_reached(
    owner: &Distribution,
    loaded: &BTreeSet<String>,
    interpreter: &Interpreter<'_>,
    files: &dyn Files,
) -> Option<NotReached> {
    let rows = owner.expected_files(files).ok()?;
    let mut missed: Vec<WinPath> =
        rows.into_iter().map(|row| row.path).filter(|path| !loaded.contains(&path.key())).collect();
    let count = missed.len();
    missed.truncate(MOST_FILES);
    let failing = missed.iter().filter_map(|file| {
        Some(Failing { file: file.clone(), why: why_not(&mut interpreter.clone(), file)? })
    });
    let failing = failing.collect();
    (count > 0).then(|| NotReached { distribution: owner.name.clone(), files: missed, count, failing })
}

/// Why a file cannot be loaded; none if it can, or was built for another Python, which nobody loads it into.
fn why_not(interpreter: &mut Interpreter<'_>, file: &WinPath) -> Option<String> {
    let result = if file.has_extension("pyd") {
        interpreter.load_extension(file)
    } else if file.has_extension("dll") {
        interpreter.load_library(file.as_str(), CtypesMode::default())
    } else {
        return None;
    };
    match result {
        Err(LoadError::Windows(failure)) => Some(sentence(&failure.first)),
        Err(LoadError::Crash(fault)) => Some(sentence(&fault)),
        Err(LoadError::OtherPython(_)) | Ok(()) => None,
    }
}

fn sentence(fault: &Fault) -> String {
    let culprit = fault.culprit();
    let importer =
        fault.importer().map_or(String::new(), |importer| format!(", which {} needs,", importer.name));
    match &fault.cause {
        Cause::NotFound { .. } => format!("{culprit}{importer} is not found"),
        Cause::MissingExport { provider, symbols, .. } => {
            let symbol = symbols.first().map_or(String::new(), |symbol| format!(" {symbol}"));
            format!("{} does not export{symbol}", provider.path)
        }
        cause => format!("{culprit}{importer} cannot be loaded (Windows error {})", cause.code()),
    }
}

impl Package {
    /// What goes behind "works" where not all of its import is known, see [`Coverage::extent`]. Files are named as [`Package::short`] does.
    pub fn extent(&self) -> String {
        self.coverage.extent(|file| self.short(file))
    }

    /// The path of a file, relative to the folder that holds the package; of a file elsewhere its name.
    pub fn short(&self, file: &WinPath) -> String {
        let folder = self.path.as_ref().and_then(WinPath::parent);
        match folder.and_then(|folder| file.below(&folder).map(|tail| tail.replace('\\', "/"))) {
            Some(tail) => tail,
            None => file.file_name().to_owned(),
        }
    }
}
