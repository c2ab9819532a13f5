//! Reads modules ahead on a second thread, so that a plan made for the first time takes half as long.
//!
//! It follows the import statements as they stand in the text, the last one first, while the plan begins
//! with the first: the two meet in the middle. What is read is only remembered; whether a module runs
//! is the plan's to say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustc_hash::FxHashSet;

use crate::host::{Files, WinPath};
use crate::source::{Stmt, StmtKind};

/// So many modules read for the first time mean that most are.
pub(super) const WORTHWHILE: u64 = 24;

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
        let read = move || Reader { files, sys_path, seen: FxHashSet::default() }.read(dotted, &stopped);
        let thread = std::thread::Builder::new().stack_size(crate::source::STACK).spawn(read).ok()?;
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
}

impl Reader {
    fn read(&mut self, dotted: String, stop: &AtomicBool) {
        let mut waiting = vec![dotted];
        while let Some(dotted) = waiting.pop() {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            if !self.seen.insert(dotted.clone()) {
                continue;
            }
            let Some((file, is_package)) = self.find(&dotted) else {
                continue;
            };
            if let Ok(script) = self.files.script(&file) {
                let package = if is_package { dotted.as_str() } else { parent(&dotted) };
                imports(&script.body, package, &mut waiting);
            }
        }
    }

    /// The source file of a module, where packages are plain folders.
    fn find(&self, dotted: &str) -> Option<(WinPath, bool)> {
        let tail = dotted.replace('.', "/");
        self.sys_path.iter().find_map(|folder| {
            let base = folder.join(&tail);
            let init = base.join("__init__.py");
            if self.files.is_folder(&base) && self.files.is_file(&init) {
                return Some((init, true));
            }
            let source = folder.join(&format!("{tail}.py"));
            self.files.is_file(&source).then_some((source, false))
        })
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
                let Some(base) = super::walk::absolute_name(package, *level, module) else {
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
