//! `sysconfig`, `site`, and `struct`: facts about the running Python.

use std::rc::Rc;

use super::super::value::Value;
use super::super::world::World;
use super::KnownCall;
use crate::environment::{Environment, Platform};
use crate::host::WinPath;
use crate::image::Machine;
use crate::source::standard::{SiteName, StructName, SysconfigName};

impl World<'_> {
    pub(super) fn call_sysconfig(&self, name: SysconfigName, call: &KnownCall<'_>) -> Value {
        match name {
            SysconfigName::GetPlatform => self.platform_name(),
            SysconfigName::GetPath => {
                call.named().text().map_or(Value::Unknown, |name| self.installation_path(&name))
            }
            SysconfigName::GetPaths => {
                let names = ["stdlib", "platstdlib", "purelib", "platlib", "include", "scripts", "data"];
                let pairs = names.map(|name| (Value::str(name), self.installation_path(name)));
                Value::Dict(Rc::new(pairs.to_vec().into()))
            }
            SysconfigName::GetConfigVar => {
                call.named().text().map_or(Value::Unknown, |name| self.config_var(&name))
            }
            SysconfigName::GetConfigVars => match call.arguments {
                [] => Value::Unknown,
                names => Value::list(
                    names
                        .iter()
                        .map(|name| name.text().map_or(Value::Unknown, |name| self.config_var(&name)))
                        .collect(),
                ),
            },
        }
    }

    pub(super) fn call_site(&self, name: SiteName) -> Value {
        let environment = self.environment();
        match name {
            SiteName::Getsitepackages => {
                let folders = [&environment.prefix].into_iter().chain(site_packages(environment));
                Value::list(folders.map(|folder| Value::str(folder.as_str())).collect())
            }
            SiteName::Getusersitepackages => {
                environment.user_site.as_ref().map_or(Value::Unknown, |folder| Value::str(folder.as_str()))
            }
            SiteName::Getuserbase => self.config_var("userbase"),
            SiteName::Addsitedir => Value::Unknown,
        }
    }

    pub(super) fn call_struct(&self, name: StructName, call: &KnownCall<'_>) -> Value {
        let StructName::Calcsize = name;
        match call.named().text().as_deref() {
            Some("P") => Value::Int(if self.is_32_bit() { 4 } else { 8 }),
            _ => Value::Unknown,
        }
    }

    /// Returns a configuration variable of Python on Windows (`Lib/sysconfig`: `_init_config_vars`,
    /// `_init_non_posix`).
    fn config_var(&self, name: &str) -> Value {
        let environment = self.environment();
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
        let environment = self.environment();
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
        if let Some(site) = &self.environment().user_site {
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
        let environment = self.environment();
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

/// Returns the `site-packages` folders of the environment itself.
fn site_packages(environment: &Environment) -> impl Iterator<Item = &WinPath> {
    environment.site_packages.iter().filter(|folder| folder.is_within(&environment.prefix))
}
