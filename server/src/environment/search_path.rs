//! `sys.path`, built as CPython builds it at start-up.
//!
//! First come the entries of `PC/getpathp.c` (up to 3.10) or `Modules/getpath.py` (from 3.11 on).
//! Then `Lib/site.py` adds site-packages and the directories in its `.pth` files. A `._pth` file
//! replaces the first part, and disables the second unless it contains `import site`.
//!
//! Two kinds of entries are missing here: the directory of the script, which Python puts first (see
//! [`Environment::isolated`]), and the application paths of the registry, which are rarely used.
//!
//! [`Environment::isolated`]: super::Environment::isolated

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::host::{FileError, Files, WinPath, profile_of};
use crate::image::Machine;
use crate::source::placeholders;

use super::layout::Layout;
use super::{EnvironmentKind, Note, Surroundings, editable};

/// An entry of `sys.path`. It need not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathEntry {
    /// A directory or a zip archive.
    pub path: WinPath,
    /// The reason why it is on `sys.path`.
    pub origin: Origin,
}

/// The reason why a directory is on `sys.path`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The environment variable `PYTHONPATH`.
    PythonPath,
    /// The archive of the standard library, such as `python38.zip`.
    Zip,
    /// The directory of the standard library's native modules, `DLLs`.
    ExtensionModules,
    /// The directory of the standard library, `Lib`.
    StandardLibrary,
    /// The directory of python.exe.
    ApplicationDirectory,
    /// A line of the `._pth` file.
    PathFile {
        /// The file.
        file: WinPath,
        /// The line, 1-based.
        line: u32,
    },
    /// The prefix itself, which site.py adds on Windows.
    Prefix,
    /// `Lib\site-packages` of a prefix.
    SitePackages,
    /// The user site-packages.
    UserSite,
    /// A line of a `.pth` file.
    Pth {
        /// The file.
        file: WinPath,
        /// The line, 1-based.
        line: u32,
    },
}

/// `sys.path`, and other settings that influence imports.
#[derive(Debug)]
pub(super) struct SearchPath {
    pub entries: Vec<PathEntry>,
    pub isolated: bool,
    pub site: bool,
    pub user_site: Option<WinPath>,
}

/// The maximum number of lines of a `.pth` file. Real files have fewer.
const MAX_PTH_LINES: usize = 10_000;

/// The maximum number of characters that are kept of a line of code in a `.pth` file. No tool
/// writes longer lines.
const MAX_CODE_CHARS: usize = 10_000;

impl SearchPath {
    pub fn of(
        layout: &Layout,
        surroundings: &Surroundings,
        files: &dyn Files,
        notes: &mut Vec<Note>,
    ) -> SearchPath {
        let mut builder = Builder { layout, files, notes, entries: Vec::new(), known: HashSet::new() };
        let (isolated, site) = match &layout.path_file {
            Some(file) => (true, builder.add_path_file(file)),
            None => {
                builder.add_library(surroundings);
                (false, true)
            }
        };
        let mut user_site = None;
        if site {
            user_site = builder.add_site(surroundings, isolated);
        } else if let Some(file) = &layout.path_file {
            builder.notes.push(Note::NoSite { file: file.clone() });
        }
        SearchPath { entries: builder.entries, isolated, site, user_site }
    }
}

struct Builder<'a> {
    layout: &'a Layout,
    files: &'a dyn Files,
    notes: &'a mut Vec<Note>,
    entries: Vec<PathEntry>,
    /// The paths that were already added, called known_paths in site.py.
    known: HashSet<WinPath>,
}

impl Builder<'_> {
    fn add(&mut self, path: WinPath, origin: Origin) {
        let path = path.normalized();
        if self.known.insert(path.clone()) {
            self.entries.push(PathEntry { path, origin });
        }
    }

    /// Adds the entries that are on `sys.path` before site.py runs if there is no `._pth` file.
    fn add_library(&mut self, surroundings: &Surroundings) {
        let layout = self.layout;
        for folder in &surroundings.python_path {
            self.add(folder.clone(), Origin::PythonPath);
        }
        self.add(layout.zip.clone(), Origin::Zip);
        let base = match &layout.venv {
            Some(venv) if venv.legacy => &layout.prefix,
            _ => &layout.base_prefix,
        };
        let dlls = base.join("DLLs");
        if !layout.version.at_least(3, 11) || self.files.is_folder(&dlls) {
            self.add(dlls, Origin::ExtensionModules);
        } else {
            // Since 3.11 the prefix takes the place of `DLLs`, so that native modules next to
            // python.exe take precedence over Lib.
            self.add(base.clone(), Origin::ExtensionModules);
        }
        self.add(base.join("Lib"), Origin::StandardLibrary);
        self.add(layout.home.clone(), Origin::ApplicationDirectory);
    }

    /// Adds the lines of a `._pth` file, which are relative to its directory. Returns whether they
    /// enable site.py.
    fn add_path_file(&mut self, file: &WinPath) -> bool {
        let text = match self.files.text(file) {
            Ok(text) => text,
            Err(reason) => {
                self.notes.push(Note::Unreadable { path: file.clone(), reason });
                return false;
            }
        };
        let folder = file.parent().unwrap_or_else(|| WinPath::new("."));
        // Since 3.11 a comment may follow a path, and spaces are ignored.
        let modern = self.layout.version.at_least(3, 11);
        let mut site = false;
        for (line, text) in numbered(&text) {
            let text = match text.split_once('#') {
                Some((before, _)) if modern => before,
                Some(("", _)) => "",
                _ => text,
            };
            let text = if modern { text.trim() } else { text };
            if text == "import site" {
                site = true;
            } else if text.starts_with("import ") {
                self.notes.push(Note::BadPathFile { file: file.clone(), line });
            } else if !text.is_empty() {
                self.add(folder.join(text), Origin::PathFile { file: file.clone(), line });
            }
        }
        site
    }

    /// Adds the entries of site.py. Returns the user site-packages if they are or would be
    /// searched.
    fn add_site(&mut self, surroundings: &Surroundings, isolated: bool) -> Option<WinPath> {
        let layout = self.layout;
        let mut prefixes = vec![layout.prefix.clone()];
        let mut user_site_enabled = !isolated && !surroundings.no_user_site;
        if let Some(venv) = &layout.venv {
            if venv.legacy {
                // Its own site.py adds the standard library of the Python that it was made with.
                self.add(layout.base_prefix.join("Lib"), Origin::StandardLibrary);
                self.add(layout.base_prefix.join("DLLs"), Origin::ExtensionModules);
            }
            self.add_site_packages(&layout.prefix);
            if venv.system_site_packages {
                prefixes.push(layout.base_prefix.clone());
            } else {
                user_site_enabled = false;
            }
        }
        let user_site = user_site_enabled.then(|| self.add_user_site(surroundings)).flatten();
        for prefix in prefixes {
            self.add_site_packages(&prefix);
        }
        self.note_customization(user_site_enabled);
        user_site
    }

    fn add_site_packages(&mut self, prefix: &WinPath) {
        self.add_site_folder(prefix, Origin::Prefix);
        self.add_site_folder(&prefix.join("Lib").join("site-packages"), Origin::SitePackages);
    }

    /// Adds the user site-packages if their place is known; a guess only results in a note.
    fn add_user_site(&mut self, surroundings: &Surroundings) -> Option<WinPath> {
        let base = match self.layout.base_kind {
            EnvironmentKind::Store => self.store_user_base(surroundings),
            _ => surroundings.user_base.clone(),
        };
        if let Some(base) = base {
            let folder = user_site_below(&base, self.layout);
            self.add_site_folder(&folder, Origin::UserSite);
            return Some(folder);
        }
        let guess = guessed_user_site(self.layout)?;
        self.files.folder(&guess).is_ok().then(|| {
            self.notes.push(Note::UserSite { path: guess.clone() });
            guess
        })
    }

    /// Returns where pip installs with a Python of the Store, whose own directory is
    /// write-protected: `python.exe` sets `PYTHONUSERBASE` (PC/python_uwp.cpp). If the user isn't
    /// known, it is the only one who has this Python.
    fn store_user_base(&self, surroundings: &Surroundings) -> Option<WinPath> {
        let name = self.layout.base_prefix.file_name();
        let (name, publisher) = (name.split_once('_')?.0, name.rsplit_once('_')?.1);
        let below = format!(r"Packages\{name}_{publisher}\LocalCache\local-packages");
        if let Some(local) = &surroundings.local_data {
            return Some(local.join(&below));
        }
        let drive = std::iter::successors(Some(self.layout.base_prefix.clone()), WinPath::parent).last()?;
        let users = drive.join("Users");
        let listing = self.files.folder(&users).ok()?;
        let bases = listing
            .entries()
            .into_iter()
            .map(|user| users.join(&user.name).join(r"AppData\Local").join(&below));
        let mut existing = bases.filter(|base| self.files.folder(base).is_ok());
        existing.next().filter(|_| existing.next().is_none())
    }

    /// Does what site.addsitedir does: adds the directory, if it exists, and the entries of its
    /// `.pth` files.
    fn add_site_folder(&mut self, folder: &WinPath, origin: Origin) {
        let listing = match self.files.folder(folder) {
            Ok(listing) => listing,
            Err(FileError::NotFound | FileError::WrongKind(_)) => return,
            Err(reason) => {
                self.add(folder.clone(), origin);
                self.note(Note::Unreadable { path: folder.clone(), reason });
                return;
            }
        };
        self.add(folder.clone(), origin);
        let modern = self.layout.version.at_least(3, 12);
        let mut names: Vec<&str> = listing
            .entries()
            .into_iter()
            .map(|entry| entry.name.as_str())
            .filter(|name| name.ends_with(".pth") && !(modern && name.starts_with('.')))
            .collect();
        names.sort_unstable();
        for name in names {
            self.add_pth(folder, &folder.join(name));
        }
    }

    /// Does what site.addpackage does: a line is code if it starts with `import`, and otherwise a
    /// path that is added if it exists.
    fn add_pth(&mut self, folder: &WinPath, file: &WinPath) {
        let text = match self.files.text(file) {
            Ok(text) => text,
            Err(reason) => {
                self.note(Note::Unreadable { path: file.clone(), reason });
                return;
            }
        };
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) if self.layout.version.at_least(3, 12) => rest,
            _ => &text,
        };
        for (line, text) in numbered(text) {
            let text = text.trim_end();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            if text.starts_with("import ") || text.starts_with("import\t") {
                let usual = is_usual_code(file.file_name(), text);
                self.note(Note::PthCode { file: file.clone(), line, text: truncated(text), usual });
                continue;
            }
            let path = folder.join(text).normalized();
            if self.files.kind(&path).is_some() {
                self.add(path, Origin::Pth { file: file.clone(), line });
            }
        }
    }

    /// Notes a `sitecustomize` module, which runs at every start and may change anything.
    fn note_customization(&mut self, user_site_enabled: bool) {
        let names: &[&str] =
            if user_site_enabled { &["sitecustomize.py", "usercustomize.py"] } else { &["sitecustomize.py"] };
        for name in names {
            let mut modules = self.entries.iter().map(|entry| entry.path.join(name));
            if let Some(path) = modules.find(|path| self.files.is_file(path)) {
                self.notes.push(Note::Customization { path });
            }
        }
    }

    /// Adds a note once, because site.py processes the directories of a virtual environment twice.
    fn note(&mut self, note: Note) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// Guesses where this Python keeps the user site-packages, if its own path contains the user's
/// profile: `%APPDATA%\Python\Python38\site-packages`.
fn guessed_user_site(layout: &Layout) -> Option<WinPath> {
    let home = profile_of(&layout.interpreter)?;
    let base = ["AppData", "Roaming", "Python"].iter().fold(home, |path, part| path.join(part));
    Some(user_site_below(&base, layout))
}

/// Returns a path such as `Python38\site-packages` below `base`. From 3.10 on, it is named after
/// `sys.winver` (`_get_path` in site.py).
fn user_site_below(base: &WinPath, layout: &Layout) -> WinPath {
    let version = layout.version;
    let build = match layout.machine {
        _ if !version.at_least(3, 10) => "",
        Machine::X86 => "-32",
        Machine::Arm64 => "-arm64",
        Machine::Arm => "-arm32",
        _ => "",
    };
    let threads = if layout.dll.name.free_threaded { "t" } else { "" };
    base.join(&format!("Python{}{}{threads}{build}", version.major, version.minor)).join("site-packages")
}

/// Whether code is known not to change `sys.path` or the DLL directories: setuptools' namespace
/// packages (google, protobuf), its editable installs (which are handled by [`editable`]), its
/// distutils, and the hooks of virtualenv and coverage.
fn is_usual_code(file_name: &str, text: &str) -> bool {
    if file_name.ends_with("-nspkg.pth") || file_name == "distutils-precedence.pth" || text.contains("exec(")
    {
        // These are recognized by the strings in them.
        placeholders::record_read(text);
    }
    let is_namespace =
        file_name.ends_with("-nspkg.pth") && text.contains("types") && text.contains("sys._getframe");
    let is_distutils = file_name == "distutils-precedence.pth" && text.contains("SETUPTOOLS_USE_DISTUTILS");
    let is_virtualenv = file_name == "_virtualenv.pth" && text.trim() == "import _virtualenv";
    let is_coverage =
        text.starts_with("import sys; exec('try: import coverage") || text.contains("process_startup()");
    let is_editable = editable::finder_of(text).is_some();
    is_editable || is_namespace || is_distutils || is_virtualenv || is_coverage
}

/// Returns the lines with their numbers, up to [`MAX_PTH_LINES`].
fn numbered(text: &str) -> impl Iterator<Item = (u32, &str)> {
    (1..).zip(text.lines()).take(MAX_PTH_LINES)
}

fn truncated(text: &str) -> String {
    text.chars().take(MAX_CODE_CHARS).collect()
}
