//! Locations of installed packages and modules: `importlib`, `pkgutil`, `pkg_resources`,
//! `sysconfig`, `site`.

use std::rc::Rc;

use super::super::import::traced;
use super::super::value::{Exception, Module, Record, Value};
use super::super::{Place, Plan};
use crate::cpython::Found;
use crate::environment::{Distribution, Environment, Platform};
use crate::host::{EntryKind, WinPath};
use crate::image::Machine;
use crate::source::{Name, top_level};

type Outcome = Result<Value, Rc<Exception>>;

/// The classes of the objects whose attributes are provided here.
const SPEC: &str = "importlib.machinery.ModuleSpec";
const DISTRIBUTION: &str = "importlib.metadata.Distribution";
const MODULE_INFO: &str = "pkgutil.ModuleInfo";
const FILE_FINDER: &str = "importlib.machinery.FileFinder";

/// The maximum number of distributions whose versions are recorded.
const MAX_REQUESTED_VERSIONS: usize = 100;

/// Whether an object has a method that [`Plan::call_machinery_method`] implements.
pub(in crate::plan) fn has_method(record: &Record, name: &str) -> bool {
    record.class == FILE_FINDER && name == "find_spec"
}

/// Returns the `__spec__` of a module.
pub(in crate::plan) fn spec_of_module(module: &Module) -> Value {
    spec_of(&module.name, module.file.clone(), module.path.clone())
}

impl Plan<'_> {
    /// Calls a function of these modules. Returns `None` if `name` isn't one of them.
    pub(super) fn call_machinery(
        &mut self,
        name: &str,
        arguments: &[Value],
        keywords: &[(Name, Value)],
        place: &Place,
    ) -> Result<Option<Value>, Rc<Exception>> {
        let keyword = |wanted: &str| keywords.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let first = arguments.first().or_else(|| keyword("name")).unwrap_or(&Value::Unknown);
        let second = arguments.get(1);
        let text = first.text();
        Ok(Some(match name {
            "importlib.util.find_spec" => match &text {
                Some(name) => {
                    let package = second.or_else(|| keyword("package")).and_then(Value::text);
                    match super::resolve_relative(name, package.as_deref()) {
                        Some(dotted) => self.find_spec(&dotted, place)?,
                        None => Value::Unknown,
                    }
                }
                None => Value::Unknown,
            },
            "importlib.resources.files" | "importlib_resources.files" => {
                self.folder_of_package(first).map_or(Value::Unknown, |folder| Value::path(&folder))
            }
            "importlib.resources.as_file" | "importlib_resources.as_file" => {
                Value::NullContext(Rc::new(first.clone()))
            }
            "importlib.resources.path" | "importlib_resources.path" => {
                let file = self.folder_of_package(first).zip(second.and_then(Value::text));
                let file = file.map_or(Value::Unknown, |(folder, name)| Value::path(&folder.join(&name)));
                Value::NullContext(Rc::new(file))
            }
            "pkg_resources.resource_filename" => {
                match (self.folder_of_package(first), second.and_then(Value::text)) {
                    (Some(folder), Some(name)) => Value::str(folder.join(&name).as_str()),
                    (Some(folder), None) => Value::Below(folder.as_str().into()),
                    _ => Value::Unknown,
                }
            }
            "pkg_resources.resource_exists" | "pkg_resources.resource_isdir" => {
                let path = self.folder_of_package(first).zip(second.and_then(Value::text));
                let path = path.map(|(folder, name)| folder.join(&name));
                let only_folders = name.ends_with("isdir");
                self.kind_is(path, |kind| match kind {
                    Some(EntryKind::Folder) => true,
                    Some(EntryKind::File) => !only_folders,
                    None => false,
                })
            }
            "importlib.metadata.version" | "importlib_metadata.version" => match &text {
                Some(name) => {
                    let version = self.distribution(name, place)?.version.clone();
                    if let Some(version) = &version
                        && self.requested_versions.len() < MAX_REQUESTED_VERSIONS
                    {
                        self.requested_versions.push(((&**name).into(), version.as_str().into()));
                    }
                    version.map_or(Value::Unknown, Value::str)
                }
                None => Value::Unknown,
            },
            "importlib.metadata.distribution" | "importlib_metadata.distribution" => match &text {
                Some(name) => {
                    let found = self.distribution(name, place)?;
                    let version = found.version.as_ref().map_or(Value::Unknown, Value::str);
                    let folder = Value::path(&found.location);
                    let attributes = vec![
                        ("version", version),
                        ("name", Value::str(&found.name)),
                        ("location", folder),
                        ("files", self.files_of(found)),
                    ];
                    Value::Record(Rc::new(Record { class: DISTRIBUTION, attributes }))
                }
                None => Value::Unknown,
            },
            "importlib.metadata.files" | "importlib_metadata.files" => match &text {
                Some(name) => {
                    let found = self.distribution(name, place)?;
                    self.files_of(found)
                }
                None => Value::Unknown,
            },
            "pkgutil.extend_path" => self.extended_path(first, second),
            "pkgutil.iter_modules" => self.modules_in(first, second.or_else(|| keyword("prefix"))),
            "sysconfig.get_config_var" | "distutils.sysconfig.get_config_var" => match &text {
                Some(name) => self.config_var(name),
                None => Value::Unknown,
            },
            "sysconfig.get_config_vars" | "distutils.sysconfig.get_config_vars" => match arguments {
                [] => Value::Unknown,
                names => Value::list(
                    names
                        .iter()
                        .map(|name| name.text().map_or(Value::Unknown, |name| self.config_var(&name)))
                        .collect(),
                ),
            },
            "struct.calcsize" => match text.as_deref() {
                Some("P") => Value::Int(if self.is_32_bit() { 4 } else { 8 }),
                _ => Value::Unknown,
            },
            "sysconfig.get_platform" => self.platform_name(),
            "sysconfig.get_path" => text.map_or(Value::Unknown, |name| self.installation_path(&name)),
            "sysconfig.get_paths" => {
                let names = ["stdlib", "platstdlib", "purelib", "platlib", "include", "scripts", "data"];
                let pairs = names.map(|name| (Value::str(name), self.installation_path(name)));
                Value::Dict(Rc::new(pairs.to_vec().into()))
            }
            "site.getsitepackages" => {
                let environment = self.interpreter.environment;
                let folders = [&environment.prefix].into_iter().chain(site_packages(environment));
                Value::list(folders.map(|folder| Value::str(folder.as_str())).collect())
            }
            "site.getusersitepackages" => {
                let folder = &self.interpreter.environment.user_site;
                folder.as_ref().map_or(Value::Unknown, |folder| Value::str(folder.as_str()))
            }
            "site.getuserbase" => self.config_var("userbase"),
            // Programs use it to look for an extension module.
            "importlib.machinery.FileFinder" => match &text {
                Some(_) => {
                    let attributes = vec![("path", first.clone())];
                    Value::Record(Rc::new(Record { class: FILE_FINDER, attributes }))
                }
                None => Value::Unknown,
            },
            _ => return Ok(None),
        }))
    }

    /// Calls a method of such an object: `FileFinder(folder, …).find_spec(name)`.
    pub(super) fn call_machinery_method(&mut self, object: &Record, arguments: &[Value]) -> Value {
        let folder = object.get("path").and_then(|path| path.text()).map(|path| WinPath::new(&*path));
        let Some((folder, name)) = folder.zip(arguments.first().and_then(Value::text)) else {
            return Value::Unknown;
        };
        let last = name.rsplit('.').next().unwrap_or_default();
        let suffixes = self.interpreter.environment.extension_suffixes();
        let files = &self.interpreter.process.host().files;
        let mut paths = suffixes.iter().map(|suffix| folder.join(&format!("{last}{suffix}")));
        let found = paths.find(|path| files.is_file(path));
        found.map_or(Value::None, |path| spec_of(&name, Some(path), None))
    }

    /// Returns the spec of a module, or Python's `None` if it isn't found. Finding a submodule
    /// imports its parents.
    fn find_spec(&mut self, name: &str, place: &Place) -> Outcome {
        if let Some(module) = self.modules.get(name).cloned() {
            return Ok(spec_of(name, module.file.clone(), module.path.clone()));
        }
        let found = match name.rsplit_once('.') {
            None => self.finder.top_level(name, &self.sys_path),
            Some((parent, child)) => {
                let parent = self.import_dotted(parent, place)?;
                match &parent.path {
                    Some(path) => self.finder.submodule(child, path),
                    None if parent.open.get() => return Ok(Value::Unknown),
                    None => {
                        let text = format!("__path__ attribute not found on '{}'", parent.name);
                        let exception = Exception::new("ModuleNotFoundError", Some(text.into()));
                        return Err(traced(Rc::new(exception), place));
                    }
                }
            }
        };
        Ok(match found {
            Found::NotFound { .. } => Value::None,
            Found::Source(file) => spec_of(name, Some(file), None),
            Found::Extension { path, folder } => spec_of(name, Some(path), folder.map(|folder| vec![folder])),
            Found::Package { init, folder } => spec_of(name, Some(init), Some(vec![folder])),
            Found::Namespace(portions) => spec_of(name, None, Some(portions)),
            Found::Builtin | Found::Opaque { .. } | Found::Inaccessible(_) => {
                Value::Record(Rc::new(Record { class: SPEC, attributes: vec![("name", Value::str(name))] }))
            }
        })
    }

    /// Returns the folder of a package, given as a module or by name. For any other module, returns
    /// the folder that contains it.
    fn folder_of_package(&mut self, package: &Value) -> Option<WinPath> {
        let of_module = |module: &Module| match &module.path {
            Some(path) => path.first().cloned(),
            None => module.file.as_ref().and_then(WinPath::parent),
        };
        if let Value::Module(module) = package {
            return of_module(module);
        }
        let name = package.text()?;
        if let Some(module) = self.modules.get(&*name) {
            return of_module(module);
        }
        let tail = name.split_once('.').map(|(_, tail)| tail.replace('.', "/"));
        let top = match self.finder.top_level(top_level(&name), &self.sys_path) {
            Found::Package { folder, .. } => folder,
            Found::Namespace(portions) => portions.first()?.clone(),
            _ => return None,
        };
        Some(tail.map_or(top.clone(), |tail| top.join(&tail)))
    }

    fn distribution(&self, name: &str, place: &Place) -> Result<&'_ Distribution, Rc<Exception>> {
        self.interpreter.environment.find(name).ok_or_else(|| {
            let text = format!("No package metadata was found for {name}");
            let bases = vec!["ModuleNotFoundError".into(), "ImportError".into()];
            let exception = Exception { bases, ..Exception::new("PackageNotFoundError", Some(text.into())) };
            traced(Rc::new(exception), place)
        })
    }

    /// Evaluates `distribution.files`: paths relative to the installation folder, each with its own
    /// `locate()`.
    fn files_of(&self, distribution: &Distribution) -> Value {
        const MAX: usize = 20_000;
        let files = &*self.interpreter.process.host().files;
        let Ok(record) = distribution.expected_files(files) else { return Value::Unknown };
        if record.len() > MAX {
            return Value::Unknown;
        }
        let below = |path: &WinPath| path.below(&distribution.location).map(Value::path_of_text);
        Value::list(record.iter().filter_map(|row| below(&row.path)).collect())
    }

    /// Evaluates `pkgutil.extend_path(__path__, __name__)`: adds the packages of that name along
    /// `sys.path`.
    fn extended_path(&mut self, path: &Value, name: Option<&Value>) -> Value {
        let (Some(mut entries), Some(name)) = (path.items(), name.and_then(Value::text)) else {
            return Value::Unknown;
        };
        // For a subpackage, the path of its parent is searched.
        let (folders, last) = match name.rsplit_once('.') {
            None => (self.sys_path.clone(), &*name),
            Some((parent, last)) => match self.modules.get(parent).and_then(|parent| parent.path.clone()) {
                Some(path) => (path, last),
                None => return path.clone(),
            },
        };
        let files = self.interpreter.process.host().files.clone();
        for folder in folders {
            let folder = folder.join(last);
            let is_known =
                entries.iter().any(|entry| entry.text().is_some_and(|entry| WinPath::new(&*entry) == folder));
            if !is_known && files.is_file(&folder.join("__init__.py")) {
                entries.push(Value::str(folder.as_str()));
            }
        }
        Value::list(entries)
    }

    /// Evaluates `pkgutil.iter_modules(path, prefix)`.
    fn modules_in(&mut self, path: &Value, prefix: Option<&Value>) -> Value {
        let prefix = match prefix {
            None => "".into(),
            Some(prefix) => match prefix.text() {
                Some(prefix) => prefix,
                None => return Value::Unknown,
            },
        };
        let Some(folders) = path.items() else { return Value::Unknown };
        let suffixes = self.interpreter.environment.extension_suffixes();
        let files = self.interpreter.process.host().files.clone();
        let mut seen: Vec<String> = Vec::new();
        let mut modules = Vec::new();
        for folder in folders {
            let Some(folder) = folder.text().map(|folder| WinPath::new(&*folder)) else {
                return Value::Unknown;
            };
            let Ok(listing) = files.folder(&folder) else { continue };
            let mut names: Vec<(String, bool)> = Vec::new();
            for entry in listing.entries() {
                let module = match entry.kind {
                    EntryKind::Folder => files
                        .is_file(&folder.join(&entry.name).join("__init__.py"))
                        .then(|| (entry.name.clone(), true)),
                    EntryKind::File => {
                        let stem = [".py", ".pyc"].into_iter().chain(suffixes.iter().map(String::as_str));
                        let mut stems = stem.filter_map(|suffix| entry.name.strip_suffix(suffix));
                        stems.next().map(|stem| (stem.to_owned(), false))
                    }
                };
                names.extend(module.filter(|(name, _)| name != "__init__" && !name.contains('.')));
            }
            // Python lists a folder in alphabetical order here.
            names.sort();
            for (name, is_package) in names {
                if seen.contains(&name) {
                    continue;
                }
                let attributes = vec![
                    ("module_finder", Value::Unknown),
                    ("name", Value::str(format!("{prefix}{name}"))),
                    ("ispkg", Value::Bool(is_package)),
                ];
                seen.push(name);
                modules.push(Value::Record(Rc::new(Record { class: MODULE_INFO, attributes })));
            }
        }
        Value::list(modules)
    }

    /// Returns a configuration variable of Python on Windows (`Lib/sysconfig`: `_init_config_vars`,
    /// `_init_non_posix`).
    fn config_var(&self, name: &str) -> Value {
        let environment = self.interpreter.environment;
        let version = &environment.version;
        let path = |path: &WinPath| Value::str(path.as_str());
        match name {
            "prefix" | "exec_prefix" | "base" | "platbase" => path(&environment.prefix),
            "installed_base" | "installed_platbase" => path(&environment.base_prefix),
            "userbase" => self.user_base(),
            "py_version_short" => Value::str(version.series().to_string()),
            "py_version_nodot" | "VERSION" => Value::str(format!("{}{}", version.major, version.minor)),
            "platlibdir" => Value::str("DLLs"),
            "LIBDEST" | "BINLIBDEST" => path(&environment.base_prefix.join("Lib")),
            "BINDIR" => match environment.interpreter.parent() {
                Some(folder) => path(&folder),
                None => Value::Unknown,
            },
            "LIBDIR" => path(&environment.base_prefix.join("libs")),
            "INCLUDEPY" => path(&environment.base_prefix.join("Include")),
            "EXE" => Value::str(".exe"),
            "EXT_SUFFIX" | "SO" => match environment.extension_suffixes().into_iter().next() {
                Some(suffix) => Value::str(suffix),
                None => Value::Unknown,
            },
            "abiflags" if (version.major, version.minor) < (3, 14) => Value::str(""),
            "Py_GIL_DISABLED" if (version.major, version.minor) >= (3, 13) => {
                Value::Int(i64::from(environment.free_threaded))
            }
            "Py_DEBUG" | "WITH_PYMALLOC" | "LDLIBRARY" | "LIBRARY" | "MULTIARCH" | "Py_ENABLE_SHARED" => {
                Value::None
            }
            _ => Value::Unknown,
        }
    }

    /// Evaluates `sysconfig.get_platform()`.
    fn platform_name(&self) -> Value {
        let environment = self.interpreter.environment;
        match (environment.platform, environment.machine) {
            (Platform::Linux, _) => Value::str("linux-x86_64"),
            (_, Machine::X86) => Value::str("win32"),
            (_, Machine::Arm64) => Value::str("win-arm64"),
            _ => Value::str("win-amd64"),
        }
    }

    /// Returns the base folder of per-user installations (`Lib/site.py`: `_getuserbase`).
    fn user_base(&self) -> Value {
        match self.variable(&Value::str("PYTHONUSERBASE")) {
            Value::None => {}
            folder => return folder,
        }
        if let Some(site) = &self.interpreter.environment.user_site {
            // `Python\Python313\site-packages`
            let base = site.parent().and_then(|folder| folder.parent());
            return base.map_or(Value::Unknown, |base| Value::str(base.as_str()));
        }
        match self.variable(&Value::str("APPDATA")) {
            Value::Str(folder) => Value::str(WinPath::new(&*folder).join("Python").as_str()),
            // If the user's folder is unknown, so are its contents.
            _ => Value::Unknown,
        }
    }

    /// Evaluates `sysconfig.get_path(name)` for the schemes `nt` and `venv`.
    fn installation_path(&self, name: &str) -> Value {
        let environment = self.interpreter.environment;
        let below = |prefix: &WinPath, tail: &str| Value::str(prefix.join(tail).as_str());
        match name {
            "stdlib" | "platstdlib" => below(&environment.base_prefix, "Lib"),
            "purelib" | "platlib" => below(&environment.prefix, r"Lib\site-packages"),
            "include" | "platinclude" => below(&environment.base_prefix, "Include"),
            "scripts" => below(&environment.prefix, "Scripts"),
            "data" => Value::str(environment.prefix.as_str()),
            _ => Value::Unknown,
        }
    }
}

impl Record {
    /// Calls a method of such an object.
    pub fn call(&self, method: &str, arguments: &[Value]) -> Value {
        match (self.class, method) {
            (DISTRIBUTION, "locate_file") => {
                let folder = self.get("location").and_then(|folder| folder.text());
                match (folder, arguments.first().and_then(Value::text)) {
                    (Some(folder), Some(file)) => Value::path(&WinPath::new(&*folder).join(&file)),
                    (Some(folder), None) => Value::Below(folder),
                    _ => Value::Unknown,
                }
            }
            _ => Value::Unknown,
        }
    }
}

/// Returns the `site-packages` folders of the environment itself.
fn site_packages(environment: &Environment) -> impl Iterator<Item = &WinPath> {
    environment.site_packages.iter().filter(|folder| folder.is_within(&environment.prefix))
}

fn spec_of(name: &str, file: Option<WinPath>, path: Option<Vec<WinPath>>) -> Value {
    let parent = if path.is_some() { name } else { name.rsplit_once('.').map_or("", |(parent, _)| parent) };
    let origin = file.map_or(Value::None, |file| Value::str(file.as_str()));
    let folders = path.map_or(Value::None, |folders| {
        Value::list(folders.iter().map(|folder| Value::str(folder.as_str())).collect())
    });
    let attributes = vec![
        ("name", Value::str(name)),
        ("has_location", Value::Bool(!matches!(origin, Value::None))),
        ("origin", origin),
        ("submodule_search_locations", folders),
        ("parent", Value::str(parent)),
        ("loader", Value::Known("importlib.machinery.Loader".into())),
    ];
    Value::Record(Rc::new(Record { class: SPEC, attributes }))
}
