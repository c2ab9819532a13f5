//! Prefetches modules on a second thread, which halves the time of an uncached import.
//!
//! It follows the import statements in the source from the last to the first, while the plan starts
//! with the first: the two meet in the middle. The Python source, compiled modules, and native
//! modules that it reads are only cached. Whether a module runs is decided by the plan.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::environment::Environment;
use crate::host::{Disk, EntryKind, Files, Folder, Host, WinPath};
use crate::source::{Expr, Stmt, StmtKind, absolute_name};

/// After this many uncached modules, assume that the cache is cold.
const COLD_CACHE_MODULES: u64 = 3;

/// Reads what an import will need, on a thread of its own.
pub struct Prefetcher {
    /// The machine's disk. `None` if there is none, and so nothing to read ahead.
    disk: Option<Arc<Disk>>,
    /// The extensions of native modules.
    suffixes: Vec<String>,
    running: Option<RunningPrefetch>,
}

/// The thread. It ends when this is dropped.
struct RunningPrefetch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Prefetcher {
    /// Creates a prefetcher, which hasn't started yet.
    pub fn new(host: &Host, environment: &Environment) -> Prefetcher {
        Prefetcher { disk: host.untracked(), suffixes: environment.extension_suffixes(), running: None }
    }

    /// Starts with the module `dotted` if the cache turns out to be cold, unless it already runs.
    pub fn start_if_cold(&mut self, dotted: &str, sys_path: &[WinPath]) {
        if self.running.is_none()
            && let Some(disk) = &self.disk
            && disk.modules_read() >= COLD_CACHE_MODULES
        {
            self.running = self.start(disk.clone(), dotted.to_owned(), sys_path.to_vec());
        }
    }

    /// Stops. It may be started again.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Returns `None` if no thread can be created.
    fn start(
        &self,
        files: Arc<dyn Files>,
        dotted: String,
        sys_path: Vec<WinPath>,
    ) -> Option<RunningPrefetch> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let suffixes = self.suffixes.clone();
        let read = move || {
            let (seen, packages) = Default::default();
            PrefetchThread { files, sys_path, suffixes, seen, packages }.read(dotted, &stopped)
        };
        let thread = std::thread::Builder::new()
            .name("prefetch".to_owned())
            .stack_size(crate::source::STACK)
            .spawn(read)
            .ok()?;
        Some(RunningPrefetch { stop, thread: Some(thread) })
    }
}

impl Drop for RunningPrefetch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // The plan hits and reports the same error.
            let _ = thread.join();
        }
    }
}

struct PrefetchThread {
    files: Arc<dyn Files>,
    sys_path: Vec<WinPath>,
    suffixes: Vec<String>,
    seen: FxHashSet<String>,
    /// The packages by dotted name. `None` for a name that isn't a package.
    packages: FxHashMap<String, Option<Package>>,
}

/// A directory, or its counterpart in a zip archive.
#[derive(Clone)]
struct Package {
    path: WinPath,
    content: Content,
}

#[derive(Clone)]
enum Content {
    Folder(Arc<Folder>),
    Archive {
        modules: Arc<Vec<String>>,
        /// The path inside the archive, empty at the top.
        inside: String,
    },
}

impl Package {
    /// Opens an entry of `sys.path`.
    fn on_path(path: &WinPath, files: &dyn Files) -> Option<Package> {
        let archive = |modules| Content::Archive { modules, inside: String::new() };
        let content = match files.folder(path) {
            Ok(folder) => Content::Folder(folder),
            Err(_) => path.in_archive().and_then(|(archive, _)| files.archive(&archive).ok()).map(archive)?,
        };
        Some(Package { path: path.clone(), content })
    }

    /// Returns the path of a file in the package, if it exists.
    fn file(&self, name: &str) -> Option<WinPath> {
        let is_there = match &self.content {
            Content::Folder(folder) => folder.has_file(name),
            Content::Archive { modules, inside } => {
                let path = within(inside, name);
                modules.binary_search_by(|known| known.as_str().cmp(&path)).is_ok()
            }
        };
        is_there.then(|| self.path.join(name))
    }

    /// Returns a directory in the package, which may be a subpackage.
    fn package(&self, name: &str, files: &dyn Files) -> Option<Package> {
        let path = self.path.join(name);
        let content = match &self.content {
            Content::Folder(folder) => {
                folder.entry(name).filter(|entry| entry.kind == EntryKind::Folder)?;
                Content::Folder(files.folder(&path).ok()?)
            }
            Content::Archive { modules, inside } => {
                Content::Archive { modules: modules.clone(), inside: within(inside, name) }
            }
        };
        Some(Package { path, content })
    }

    fn init(&self) -> Option<WinPath> {
        ["__init__.py", "__init__.pyc"].into_iter().find_map(|name| self.file(name))
    }
}

fn within(inside: &str, name: &str) -> String {
    if inside.is_empty() { name.to_owned() } else { [inside, "/", name].concat() }
}

enum FoundModule {
    /// A source file or a compiled module.
    Module(WinPath),
    /// A package with its `__init__`.
    Package(Package, WinPath),
    Extension(WinPath),
}

impl PrefetchThread {
    fn read(&mut self, dotted: String, stop: &AtomicBool) {
        let mut pending = vec![dotted];
        while let Some(dotted) = pending.pop() {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            // Names that most modules import were already seen.
            if self.seen.contains(&dotted) {
                continue;
            }
            // A package runs before its modules.
            let package = parent(&dotted);
            if !package.is_empty() && !self.seen.contains(package) {
                pending.push(package.to_owned());
            }
            match self.find(&dotted) {
                Some(FoundModule::Module(file)) => self.follow(&file, parent(&dotted), &mut pending),
                Some(FoundModule::Package(_, init)) => self.follow(&init, &dotted, &mut pending),
                Some(FoundModule::Extension(file)) => {
                    let _ = self.files.image(&file);
                }
                None => {}
            }
            self.seen.insert(dotted);
        }
    }

    fn follow(&self, file: &WinPath, package: &str, pending: &mut Vec<String>) {
        if let Ok(script) = self.files.script(file) {
            imports(&script.body, package, pending);
        }
    }

    /// Finds the module of a dotted name. Only packages are searched: most names that modules
    /// import from one another aren't modules.
    fn find(&mut self, dotted: &str) -> Option<FoundModule> {
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
        // Iterates from the front, because the number of parts may exceed the maximum recursion
        // depth.
        let ends = dotted.match_indices('.').map(|(at, _)| at).chain([dotted.len()]);
        let mut around: Option<Package> = None;
        for dotted in ends.filter_map(|end| dotted.get(..end)) {
            if !self.packages.contains_key(dotted) {
                let found = match &around {
                    Some(around) => self.find_in(around, dotted.rsplit('.').next().unwrap_or_default()),
                    None => self.find_on_path(dotted),
                };
                let package = match found {
                    Some(FoundModule::Package(package, _)) => Some(package),
                    _ => None,
                };
                self.packages.insert(dotted.to_owned(), package);
            }
            around = Some(self.packages.get(dotted).cloned().flatten()?);
        }
        around
    }

    fn find_on_path(&self, name: &str) -> Option<FoundModule> {
        let entries = self.sys_path.iter().filter_map(|path| Package::on_path(path, &*self.files));
        entries.into_iter().find_map(|entry| self.find_in(&entry, name))
    }

    fn find_in(&self, package: &Package, name: &str) -> Option<FoundModule> {
        if let Some(found) = package.package(name, &*self.files)
            && let Some(init) = found.init()
        {
            return Some(FoundModule::Package(found, init));
        }
        let file = |suffix: &str| package.file(&[name, suffix].concat());
        let extension = || self.suffixes.iter().find_map(|suffix| file(suffix)).map(FoundModule::Extension);
        file(".py").or_else(|| file(".pyc")).map(FoundModule::Module).or_else(extension)
    }
}

fn parent(dotted: &str) -> &str {
    dotted.rsplit_once('.').map_or("", |(parent, _)| parent)
}

/// Collects the modules that a block may import, in order.
fn imports(body: &[Stmt], package: &str, found: &mut Vec<String>) {
    for stmt in body {
        match &stmt.kind {
            StmtKind::Import { module, .. } => found.push(module.to_string()),
            StmtKind::ImportFrom { level, module, names } => {
                if let Some(base) = absolute_name(package, *level, module) {
                    let names = names.iter().filter(|(name, _)| name != "*");
                    let names = names.map(|(name, _)| [&base, ".", name].concat());
                    found.extend(std::iter::once(base.to_string()).chain(names));
                }
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

/// Whether a condition is `TYPE_CHECKING`. Large packages have half of their imports under it.
fn is_for_type_checkers(test: &Expr) -> bool {
    matches!(test, Expr::Name(name) | Expr::Attribute(_, name) if name == "TYPE_CHECKING")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Cursor, Write};
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::time::SystemTime;

    use super::PrefetchThread;
    use crate::host::{Disk, WinPath};

    #[test]
    fn modules_in_folders_and_archives_are_prefetched() {
        let root = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bytes).unwrap();
            // A file that was modified a moment ago isn't cached.
            fs::File::options()
                .append(true)
                .open(path)
                .unwrap()
                .set_modified(SystemTime::UNIX_EPOCH)
                .unwrap();
        };
        put("site/pkg/__init__.py", b"import lib.part, absent\nfrom .sub import name\n");
        put("site/pkg/sub/__init__.py", b"from ..plain import *\n");
        put("site/pkg/plain.py", b"if TYPE_CHECKING:\n    from . import unread\n");
        put("site/pkg/unread.py", b"");
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let modules =
            [("lib/__init__.py", "import top"), ("lib/part.py", ""), ("top.py", ""), ("other.py", "")];
        for (name, text) in modules {
            archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(text.as_bytes()).unwrap();
        }
        put("python38.zip", archive.finish().unwrap().get_ref());

        let path = |native: &str| WinPath::from_native(&root.path().join(native));
        let disk = Arc::new(Disk::new(Arc::default()));
        let mut reader = PrefetchThread {
            files: disk.clone(),
            sys_path: vec![path("python38.zip"), path("site")],
            suffixes: vec![".pyd".to_owned()],
            seen: Default::default(),
            packages: Default::default(),
        };
        reader.read("pkg".to_owned(), &AtomicBool::new(false));
        assert_eq!(disk.modules_read(), 6);
        let of_folders = ["site/pkg/__init__.py", "site/pkg/sub/__init__.py", "site/pkg/plain.py"];
        let archived = ["python38.zip/lib/__init__.py", "python38.zip/lib/part.py", "python38.zip/top.py"];
        for module in of_folders.into_iter().chain(archived) {
            reader.files.script(&path(module)).unwrap();
        }
        assert_eq!(disk.modules_read(), 6);
    }
}
