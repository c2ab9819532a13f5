//! How far an import was followed: what of it is not known, and what was therefore not reached.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::cpython::{CtypesMode, Interpreter, LoadError};
use crate::environment::{Distribution, Environment};
use crate::host::{Files, WinPath};
use crate::loader::{Cause, Fault};
use crate::plan::{Event, LoadFailure, LoadKind, Place, Plan, Step};

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

/// A distribution that loads what is not known, and the statement of one of its `__init__.py` that does so in a loop.
struct Loader<'e> {
    distribution: &'e Distribution,
    loop_at: Option<Place>,
}

impl Coverage {
    /// Of the steps of an import from the one numbered `first` on. Besides, what a distribution cannot load whose `__init__.py` loads
    /// everything in a folder: that fails unless it is left out of the loop.
    pub(super) fn of(
        plan: &Plan<'_>,
        environment: &Environment,
        files: &dyn Files,
        first: usize,
    ) -> (Coverage, Vec<LoadFailure>) {
        let mut coverage = Coverage::default();
        let mut loaders: Vec<Loader<'_>> = Vec::new();
        for step in plan.steps().iter().skip(first) {
            let Some(what) = what_is_not_known(step) else { continue };
            let gap = Gap { file: step.at.file.clone(), line: step.at.line, what };
            if coverage.gaps.len() >= MOST_GAPS || coverage.gaps.contains(&gap) {
                continue;
            }
            if let (Event::UnknownLoad(_), Some(file)) = (&step.event, &gap.file)
                && let Some(distribution) = environment.owner_of(file, files)
            {
                let is_init = step.repeated && file.file_name().eq_ignore_ascii_case("__init__.py");
                let loop_at = is_init.then(|| step.at.clone());
                match loaders.iter_mut().find(|known| std::ptr::eq(known.distribution, distribution)) {
                    Some(known) => known.loop_at = known.loop_at.take().or(loop_at),
                    None => loaders.push(Loader { distribution, loop_at }),
                }
            }
            coverage.gaps.push(gap);
        }
        let interpreter = plan.interpreter();
        let modules = interpreter.process.modules().iter();
        let loaded: BTreeSet<String> = modules.map(|module| module.path.key()).collect();
        let mut failures = Vec::new();
        for Loader { distribution, loop_at } in loaders {
            let missed = not_reached(distribution, &loaded, files);
            if missed.is_empty() {
                continue;
            }
            let tried: Vec<(&WinPath, LoadError)> = missed
                .iter()
                .take(MOST_FILES)
                .filter_map(|file| Some((file, why_not(&mut interpreter.clone(), file)?)))
                .collect();
            coverage.not_reached.push(NotReached {
                distribution: distribution.name.clone(),
                files: missed.iter().take(MOST_FILES).cloned().collect(),
                count: missed.len(),
                failing: tried
                    .iter()
                    .filter_map(|(file, error)| {
                        Some(Failing { file: (*file).clone(), why: sentence(error.fault()?) })
                    })
                    .collect(),
            });
            let Some(at) = loop_at else { continue };
            // What is imported is not loaded by a loop over libraries.
            failures.extend(tried.into_iter().filter(|(file, _)| file.has_extension("dll")).map(
                |(file, error)| {
                    let (class, text) = interpreter.ctypes_sentence(file.as_str(), &error);
                    LoadFailure {
                        target: file.as_str().to_owned(),
                        kind: LoadKind::Ctypes,
                        at: at.clone(),
                        error,
                        sentence: format!("{class}: {text}"),
                        uncertain: true,
                        doubt: None,
                    }
                },
            ));
        }
        (coverage, failures)
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

/// The native files of a distribution that are not among those `loaded`, whose paths are folded.
fn not_reached(owner: &Distribution, loaded: &BTreeSet<String>, files: &dyn Files) -> Vec<WinPath> {
    let rows = owner.expected_files(files).unwrap_or_default();
    rows.into_iter().map(|row| row.path).filter(|path| !loaded.contains(&path.key())).collect()
}

/// Why a file cannot be loaded; none if it can, or was built for another Python, which nobody loads it into.
fn why_not(interpreter: &mut Interpreter<'_>, file: &WinPath) -> Option<LoadError> {
    let result = if file.has_extension("pyd") {
        interpreter.load_extension(file)
    } else if file.has_extension("dll") {
        interpreter.load_library(file.as_str(), CtypesMode::default())
    } else {
        return None;
    };
    result.err().filter(|error| error.fault().is_some())
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
