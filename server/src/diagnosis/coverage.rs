//! Coverage: how far an import could be followed, and which native files it therefore didn't reach.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::cpython::{CtypesMode, Interpreter, LoadError};
use crate::environment::{Distribution, Environment};
use crate::host::{Files, WinPath};
use crate::loader::{Cause, Fault};
use crate::plan::{Event, LoadFailure, LoadKind, Place, Plan, Step};

/// The maximum number of gaps that are kept per import.
const MOST_GAPS: usize = 50;
/// The maximum number of files that are kept per distribution.
const MOST_FILES: usize = 50;

/// The extent to which an import could be followed. Without gaps, it was followed completely.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The places where it couldn't be followed, in order.
    pub gaps: Vec<Gap>,
    /// The native files that may be loaded at these places.
    pub not_reached: Vec<NotReached>,
}

/// A place where an import couldn't be followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The Python file. `None` for the program itself.
    pub file: Option<WinPath>,
    /// The line number, starting at 1.
    pub line: u32,
    /// What is unknown, as a sentence without a full stop.
    pub what: String,
}

/// The native files of a distribution that the followed part of the import doesn't load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotReached {
    /// The name of the distribution.
    pub distribution: String,
    /// Full paths of the first files.
    pub files: Vec<WinPath>,
    /// The total number of files.
    pub count: usize,
    /// The files of `files` that would fail to load.
    pub failing: Vec<Failing>,
}

/// A file that would fail to load into the process as it is where the import could be followed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// Full path.
    pub file: WinPath,
    /// The reason, as a sentence without a full stop.
    pub why: String,
}

/// A distribution with unknown loads, and the statement in one of its `__init__.py` files that
/// makes them in a loop.
struct Loader<'e> {
    distribution: &'e Distribution,
    loop_at: Option<Place>,
}

impl Coverage {
    /// Computes the coverage of an import whose first step has the number `first`. Also returns the
    /// failures of a distribution whose `__init__.py` loads every DLL of a directory: a DLL that
    /// can't be loaded makes the import fail unless the loop skips it.
    pub(super) fn of(
        plan: &Plan<'_>,
        environment: &Environment,
        files: &dyn Files,
        first: usize,
    ) -> (Coverage, Vec<LoadFailure>) {
        let mut coverage = Coverage::default();
        let mut loaders: Vec<Loader<'_>> = Vec::new();
        for step in plan.steps().iter().skip(first) {
            let Some(what) = unknown_of(step) else { continue };
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
                .filter_map(|file| Some((file, load_error_of(&mut interpreter.clone(), file)?)))
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
            // A loop over libraries doesn't load extension modules.
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

    /// Whether the import was followed completely.
    pub fn is_full(&self) -> bool {
        self.gaps.is_empty()
    }

    /// Returns `3 steps in torch/__init__.py are not known`, or `None` if there are no gaps.
    /// `short` formats a file's path.
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

    /// Returns the text that follows "works" if there are gaps: `, as far as it could be followed:
    /// …`.
    pub fn extent(&self, short: impl Fn(&WinPath) -> String) -> String {
        self.summary(short)
            .map_or(String::new(), |summary| format!(", as far as it could be followed: {summary}"))
    }
}

/// Returns what a step leaves unknown. An uncertain load whose failure is handled leaves nothing
/// unknown.
fn unknown_of(step: &Step) -> Option<String> {
    match &step.event {
        Event::UnknownLoad(what) | Event::Unknown(what) => Some(what.clone()),
        Event::Extension { path, loaded: false, .. } if step.uncertain && !step.guarded => {
            Some(format!("{} may be loaded, which would fail", path.file_name()))
        }
        Event::Library { name, loaded: false } if step.uncertain && !step.guarded => {
            let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
            Some(format!("{name} may be loaded, which would fail"))
        }
        _ => None,
    }
}

/// Returns the native files of a distribution that aren't in `loaded`, a set of case-folded paths.
fn not_reached(owner: &Distribution, loaded: &BTreeSet<String>, files: &dyn Files) -> Vec<WinPath> {
    let rows = owner.expected_files(files).unwrap_or_default();
    rows.into_iter().map(|row| row.path).filter(|path| !loaded.contains(&path.key())).collect()
}

/// Returns why a file can't be loaded. Returns `None` if it can, or if it was built for another
/// Python and so is never loaded into this one.
fn load_error_of(interpreter: &mut Interpreter<'_>, file: &WinPath) -> Option<LoadError> {
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
