//! Reads modules ahead on a second thread, so that a plan made for the first time takes half as long.
//!
//! It follows the import statements as they stand in the text, the last one first, while the plan begins
//! with the first: the two meet in the middle. What is read is only remembered; whether a module runs
//! is the plan's to say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::host::{EntryKind, Files, WinPath};
use crate::source::{Stmt, StmtKind};

/// So many modules read for the first time mean that most are.
pub(super) const WORTHWHILE: u64 = 3;

/// A thread that reads ahead until it is dropped.
pub(super) struct Ahead {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    /// Begins with the module `dotted`; none if no thread can be had.
    pub fn start(files: Arc<dyn Files>, sys_path: Vec<WinPath>, dotted: String) -> Option<Ahead> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let read = move || {
            let (seen, packages) = Default::default();
            Reader { files, sys_path, seen, packages }.read(dotted, &stopped)
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
    seen: FxHashSet<String>,
    /// The folders of the packages that were found.
    packages: FxHashMap<String, WinPath>,
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
            if let Some((file, is_package)) = self.find(&dotted)
                && let Ok(script) = self.files.script(&file)
            {
                let package = if is_package { dotted.as_str() } else { parent(&dotted) };
                imports(&script.body, package, &mut waiting);
            }
            self.seen.insert(dotted);
        }
    }

    /// The source file of a module, where packages are plain folders. Only packages are looked into: most of
    /// what modules import from each other are no modules.
    fn find(&mut self, dotted: &str) -> Option<(WinPath, bool)> {
        let Some((package, name)) = dotted.rsplit_once('.') else {
            return self.sys_path.iter().find_map(|folder| self.find_in(folder, dotted));
        };
        let folder = self.package(package)?;
        self.find_in(&folder, name)
    }

    /// The folder of a package.
    fn package(&mut self, dotted: &str) -> Option<WinPath> {
        if let Some(known) = self.packages.get(dotted) {
            return Some(known.clone());
        }
        let ends = dotted.match_indices('.').map(|(at, _)| at).chain([dotted.len()]);
        let mut folder = None;
        for package in ends.filter_map(|end| dotted.get(..end)) {
            folder = match self.packages.get(package) {
                Some(known) => Some(known.clone()),
                None => {
                    let (init, is_package) = match (&folder, package.rsplit_once('.')) {
                        (Some(outer), Some((_, name))) => self.find_in(outer, name)?,
                        _ => self.find(package)?,
                    };
                    let found = init.parent().filter(|_| is_package)?;
                    self.packages.insert(package.to_owned(), found.clone());
                    Some(found)
                }
            };
        }
        folder
    }

    fn find_in(&self, folder: &WinPath, name: &str) -> Option<(WinPath, bool)> {
        let listing = self.files.folder(folder).ok()?;
        let source = format!("{name}.py");
        match listing.entry(name).map(|entry| entry.kind) {
            Some(EntryKind::Folder) => {
                let init = folder.join(name).join("__init__.py");
                self.files.is_file(&init).then_some((init, true))
            }
            _ => listing.has_file(&source).then(|| (folder.join(&source), false)),
        }
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
                found.extend(names.map(|(name, _)| format!("{base}.{name}")));
            }
            StmtKind::If { then, otherwise, .. } => {
                imports(then, package, found);
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
