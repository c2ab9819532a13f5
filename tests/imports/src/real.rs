//! Imports in a real CPython.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use whydll::host::WinPath;

use super::{Import, Once};

/// The output of `trace.py`.
#[derive(Debug, Deserialize)]
pub struct Trace {
    /// `sys.executable`
    pub executable: String,
    /// `3.11.7`
    pub version: String,
    /// `sys.prefix`
    pub prefix: String,
    /// `sys.path` before the import.
    pub search: Vec<String>,
    natives: Vec<Loaded>,
    modules: Vec<Loaded>,
    /// The exception that ends the import, if one does.
    error: Option<String>,
}

/// A file, and the native module whose code imports it, if one does. No Python source shows such an
/// import.
type Loaded = (String, Option<String>);

/// Imports `name` in a fresh process, with the packages in `folder` and no others.
pub fn import(folder: &Path, name: &str) -> Trace {
    let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("trace.py");
    let output = Command::new("python3")
        .args(["-s", "-S", "-B"])
        .arg(trace)
        .arg(folder)
        .arg(name)
        .env_remove("PYTHONPATH")
        .env_remove("PYTHONHOME")
        // The order of a set depends on the hashes of its strings, which differ between processes by default.
        .env("PYTHONHASHSEED", "0")
        .stdin(Stdio::null())
        .output()
        .expect("python3 is missing: install it with `apt-get install python3`");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("import {name}: {error}\n{}", String::from_utf8_lossy(&output.stderr));
    })
}

impl Trace {
    /// Returns the files in `folder` that the import ran and loaded.
    pub fn import(&self, folder: &str) -> Import {
        let folder = WinPath::new(folder);
        let mut by_native = BTreeMap::new();
        let mut below = |files: &[Loaded]| {
            let (mut once, mut list) = (Once::default(), Vec::new());
            for (file, native) in files {
                let file = WinPath::new(file.clone());
                let Some(file) = file.below(&folder) else { continue };
                once.add(Some(file), &mut list);
                if let Some(native) = native {
                    let native = WinPath::new(native.clone());
                    let native = native.below(&folder).unwrap_or(native.as_str()).to_owned();
                    by_native.entry(file.to_owned()).or_insert(native);
                }
            }
            list
        };
        let (natives, modules) = (below(&self.natives), below(&self.modules));
        Import { natives, modules, by_native, unknown: Vec::new(), error: self.error.clone() }
    }
}
