//! Compares two Pythons: the same installed packages are imported by a real CPython and followed by
//! the plan.
//!
//! The plan uses Linux's values for `sys.platform` and so on, so that a Python on Linux can be the
//! reference. Audit events show which native modules it loads (`trace.py`).

pub mod comparison;
pub mod known_differences;
pub mod real;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use whydll::cpython::{Finder, Interpreter};
use whydll::environment::{Environment, PythonVersion};
use whydll::host::{FactCache, Host, WinPath};
use whydll::plan::{Event, Plan};

/// The files that an import runs and loads, in order, each once. Paths are relative to the
/// directory of packages.
#[derive(Debug, Default)]
pub struct Import {
    /// Native modules.
    pub natives: Vec<String>,
    /// Python modules.
    pub modules: Vec<String>,
    /// The files that the code of a native module imports, each with that module.
    pub by_native: BTreeMap<String, String>,
    /// The steps that are unknown, each with its place.
    pub unknown: Vec<String>,
    /// The exception that it ends with.
    pub error: Option<String>,
}

/// A Python on Linux whose imports the plan follows.
pub struct Followed {
    host: Host,
    environment: Environment,
    folder: WinPath,
}

impl Followed {
    /// Describes the Python that `trace` is from, with the packages in `folder`.
    pub fn new(trace: &real::Trace, folder: &str) -> Followed {
        let host = Host::named("windows-11", Arc::new(FactCache::default())).expect("it is built in");
        let version: PythonVersion = trace.version.parse().expect("a Python knows its version");
        let path = |text: &String| WinPath::new(text.clone());
        let environment = Environment::of_linux(
            path(&trace.executable),
            version,
            path(&trace.prefix),
            trace.search.iter().map(path).collect(),
            &*host.files,
        );
        Followed { host, environment, folder: WinPath::new(folder) }
    }

    /// Follows `import name`.
    pub fn import(&self, name: &str) -> Import {
        let interpreter = Interpreter::start(&self.host, &self.environment).expect("Linux starts everything");
        let mut plan = Plan::new(interpreter, Finder::new(&self.environment, &self.host));
        let imported = plan.import(name);
        let mut import = Import { error: imported.error.map(|error| error.sentence), ..Import::default() };
        let (mut natives, mut modules) = (Once::default(), Once::default());
        for step in plan.steps() {
            match &step.event {
                Event::Extension { path, .. } => natives.add(path.below(&self.folder), &mut import.natives),
                Event::Module { path, .. } => modules.add(path.below(&self.folder), &mut import.modules),
                Event::Unknown(what) | Event::UnknownLoad(what) => {
                    import.unknown.push(format!("{}: {what}", step.at));
                }
                Event::NotFound(module) => {
                    import.unknown.push(format!("{}: no module {module} is found", step.at));
                }
                Event::Library { .. } | Event::DirectoryAdded(_) => {}
            }
        }
        import
    }
}

/// Lists of files, without repetitions.
#[derive(Default)]
pub struct Once(HashSet<String>);

impl Once {
    /// Adds a path in `folder`, unless it is in the list already. Ignores other paths.
    pub fn add(&mut self, path: Option<&str>, list: &mut Vec<String>) {
        if let Some(path) = path.map(|path| path.replace('\\', "/"))
            && self.0.insert(path.clone())
        {
            list.push(path);
        }
    }
}
