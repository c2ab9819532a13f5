//! Two Pythons, one answer: the same installed packages are imported by a real CPython and followed by the plan.
//!
//! The plan is given Linux's answers for `sys.platform` and its like, so that the Python at hand can be asked. It tells by audit
//! events which native modules it loads (`trace.py`).

pub mod comparison;
pub mod known_differences;
pub mod real;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use whydll::cpython::{Finder, Interpreter};
use whydll::environment::{Environment, PythonVersion};
use whydll::host::{FactCache, Host, WinPath};
use whydll::plan::{Event, Plan};

/// What an import runs and loads, in order, each file once; paths are relative to the folder of packages.
#[derive(Debug, Default)]
pub struct Import {
    /// Native modules.
    pub natives: Vec<String>,
    /// Python modules.
    pub modules: Vec<String>,
    /// The files that the code of a native module leads to, and that native module.
    pub by_native: BTreeMap<String, String>,
    /// What cannot be known, with its place.
    pub unknown: Vec<String>,
    /// How it fails.
    pub error: Option<String>,
}

/// A Python of Linux whose imports the plan follows.
pub struct Followed {
    host: Host,
    environment: Environment,
    folder: WinPath,
}

impl Followed {
    /// The Python that told `told` of itself, with the packages in `folder`.
    pub fn new(told: &real::Told, folder: &str) -> Followed {
        let host = Host::named("windows-11", Arc::new(FactCache::default())).expect("it is built in");
        let version: PythonVersion = told.version.parse().expect("a Python knows its version");
        let path = |text: &String| WinPath::new(text.clone());
        let environment = Environment::of_linux(
            path(&told.executable),
            version,
            path(&told.prefix),
            told.search.iter().map(path).collect(),
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

/// Keeps what comes first.
#[derive(Default)]
pub struct Once(HashSet<String>);

impl Once {
    /// Adds a path in `folder` that is not there yet; nothing where it lies elsewhere.
    pub fn add(&mut self, path: Option<&str>, list: &mut Vec<String>) {
        if let Some(path) = path.map(|path| path.replace('\\', "/"))
            && self.0.insert(path.clone())
        {
            list.push(path);
        }
    }
}
