//! Reads modules ahead on a second thread, so that a plan made for the first time takes half as long.
//!
//! It follows the import statements as they stand in the text, the last one first, while the plan begins
//! with the first: the two meet in the middle. What is read, of Python text and of native modules, is only
//! remembered; whether a module runs is the plan's to say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::host::{EntryKind, Files, Folder, WinPath};
use crate::source::{Expr, Stmt, StmtKind};

/// So many modules read for the first time mean that most are.
pub(super) const WORTHWHILE: u64 = 3;

/// A thread that reads ahead until it is dropped.
pub(super) struct Ahead {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    /// Begins with the module `dotted`; none if no thread can be had. `suffixes` are those of native modules.
    pub fn start(
        files: Arc<dyn Files>,
        sys_path: Vec<WinPath>,
        suffixes: Vec<String>,
        dotted: String,
    ) -> Option<Ahead> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let read = move || {
            let (seen, packages) = Default::default();
            Reader { files, sys_path, suffixes, seen, packages }.read(dotted, &stopped)
        };
        let thread = std::thread::Builder::new()
            .name("ahead".to_owned())
            .stack_size(crate::source::STACK)
            .spawn(read)
            .ok()?;
        Some(Ahead { stop, thread: Some(thread) })
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What went wrong there goes wrong in the plan again, where it is told.
            let _ = thread.join();
        }
    }
}

struct Reader {
    files: Arc<dyn Files>,
    sys_path: Vec<WinPath>,
    suffixes: Vec<String>,
    seen: FxHashSet<String>,
    /// What dotted names mean if they are packages; most are modules.
    packages: FxHashMap<String, Option<Package>>,
}

/// A plain folder.
#[derive(Clone)]
struct Package {
    path: WinPath,
    folder: Arc<Folder>,
}

enum Found {
    /// A source file.
    Module(WinPath),
    /// A folder with its `__init__.py`.
    Package(Package),
    Extension(WinPath),
}

impl Reader {
    fn read(&mut self, dotted: String, stop: &AtomicBool) {
        let mut waiting = vec![dotted];
        while let Some(dotted) = waiting.pop() {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            // What most modules import was seen already.
            if self.seen.contains(&dotted) {
                continue;
            }
            match self.find(&dotted) {
                Some(Found::Module(file)) => self.follow(&file, parent(&dotted), &mut waiting),
                Some(Found::Package(package)) => {
                    self.follow(&package.path.join("__init__.py"), &dotted, &mut waiting);
                }
                Some(Found::Extension(file)) => {
                    let _ = self.files.image(&file);
                }
                None => {}
            }
            self.seen.insert(dotted);
        }
    }

    fn follow(&self, file: &WinPath, package: &str, waiting: &mut Vec<String>) {
        if let Ok(script) = self.files.script(file) {
            imports(&script.body, package, waiting);
        }
    }

    /// What a dotted name means, where packages are plain folders. Only packages are looked into: most of what modules
    /// import from each other are no modules.
    fn find(&mut self, dotted: &str) -> Option<Found> {
        match dotted.rsplit_once('.') {
            None => self.find_on_path(dotted),
            Some((package, name)) => {
                let package = self.package(package)?;
                self.find_in(&package, name)
            }
        }
    }

    fn package(&mut self, dotted: &str) -> Option<Package> {
        if let Some(known) = self.packages.get(dotted) {
            return known.clone();
        }
        // From its beginning: a name may have more parts than functions can call each other.
        let ends = dotted.match_indices('.').map(|(at, _)| at).chain([dotted.len()]);
        let mut around: Option<Package> = None;
        for dotted in ends.filter_map(|end| dotted.get(..end)) {
            if !self.packages.contains_key(dotted) {
                let found = match &around {
                    Some(around) => self.find_in(around, dotted.rsplit('.').next().unwrap_or_default()),
                    None => self.find_on_path(dotted),
                };
                let package = match found {
                    Some(Found::Package(package)) => Some(package),
                    _ => None,
                };
                self.packages.insert(dotted.to_owned(), package);
            }
            around = Some(self.packages.get(dotted).cloned().flatten()?);
        }
        around
    }

    fn find_on_path(&self, name: &str) -> Option<Found> {
        self.sys_path.iter().find_map(|path| {
            let folder = self.files.folder(path).ok()?;
            self.find_in(&Package { path: path.clone(), folder }, name)
        })
    }

    fn find_in(&self, package: &Package, name: &str) -> Option<Found> {
        if let Some(EntryKind::Folder) = package.folder.entry(name).map(|entry| entry.kind) {
            let path = package.path.join(name);
            let folder = self.files.folder(&path).ok()?;
            return folder.has_file("__init__.py").then_some(Found::Package(Package { path, folder }));
        }
        let file = |suffix: &str| {
            let file = [name, suffix].concat();
            package.folder.has_file(&file).then(|| package.path.join(&file))
        };
        let extension = || self.suffixes.iter().find_map(|suffix| file(suffix)).map(Found::Extension);
        file(".py").map(Found::Module).or_else(extension)
    }
}

fn parent(dotted: &str) -> &str {
    dotted.rsplit_once('.').map_or("", |(parent, _)| parent)
}

/// The modules that a block may import, in order.
fn imports(body: &[Stmt], package: &str, found: &mut Vec<String>) {
    for stmt in body {
        match &stmt.kind {
            StmtKind::Import { module, .. } => found.push(module.to_string()),
            StmtKind::ImportFrom { level, module, names } => {
                let Some(base) = super::import_statement::absolute_name(package, *level, module) else {
                    continue;
                };
                found.push(base.clone());
                let names = names.iter().filter(|(name, _)| name != "*");
                found.extend(names.map(|(name, _)| [&base, ".", name].concat()));
            }
            StmtKind::If { test, then, otherwise } => {
                if !is_for_type_checkers(test) {
                    imports(then, package, found);
                }
                imports(otherwise, package, found);
            }
            StmtKind::Try(attempt) => {
                imports(&attempt.body, package, found);
                imports(&attempt.otherwise, package, found);
            }
            StmtKind::With { body, .. } => imports(body, package, found),
            _ => {}
        }
    }
}

/// Large packages import half of themselves for type checkers.
fn is_for_type_checkers(test: &Expr) -> bool {
    matches!(test, Expr::Name(name) | Expr::Attribute(_, name) if name == "TYPE_CHECKING")
}
