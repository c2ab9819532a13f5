//! Real modules: the native modules that `import tensorflow` loads, in order, and the faults that
//! they can have.
//!
//! The program is in the directory of `python.exe`, so that the application directory is Python's.
//! The environments, the redistributables, and the machine are those of `tests/real/setup`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::probe::Machine;
use crate::program::Program;

/// A release of TensorFlow, and the Python that it is installed in.
#[derive(Debug)]
pub struct Release {
    /// Its version.
    pub version: &'static str,
    /// The name of the environment.
    environment: &'static str,
    /// Its `pythonXY.dll`.
    python: &'static str,
    /// The image that holds TensorFlow itself, below `site-packages/tensorflow`.
    main: &'static str,
    /// The modules that the import loads, in order.
    loads: &'static [&'static str],
}

/// The oldest release that is tested.
pub const TENSORFLOW_2_3: Release = Release {
    version: "2.3.0",
    environment: "complete",
    python: "python38.dll",
    main: "python/_pywrap_tensorflow_internal.pyd",
    loads: &[
        "/python/_ctypes.pyd",
        // tensorflow/python/platform/self_check.py
        "msvcp140.dll",
        "msvcp140_1.dll",
        "<tensorflow>/python/_pywrap_tensorflow_internal.pyd",
        "<tensorflow>/python/_pywrap_tfe.pyd",
    ],
};

/// The newest release for Windows.
pub const TENSORFLOW_2_21: Release = Release {
    version: "2.21.0",
    environment: "complete-2.21",
    python: "python313.dll",
    main: "python/_pywrap_tensorflow_common.dll",
    loads: &[
        "/python/_ctypes.pyd",
        "/python/_hashlib.pyd",
        "/python/_socket.pyd",
        "/python/_ssl.pyd",
        "msvcp140.dll",
        "msvcp140_1.dll",
        "<tensorflow>/python/_pywrap_tensorflow_internal.pyd",
        "<tensorflow>/python/_pywrap_tfe.pyd",
        "<tensorflow>/lite/python/_pywrap_tensorflow_interpreter_wrapper.pyd",
    ],
};

/// Something that is wrong with an environment.
#[derive(Debug)]
pub struct Fault {
    /// A description in words.
    pub title: &'static str,
    /// The release that can have it; `None` for all.
    release: Option<&'static str>,
    /// The Python whose flags are used.
    as_python: AsPython,
    changes: &'static [Change],
}

/// The flags with which Python loads modules.
#[derive(Debug, Clone, Copy)]
enum AsPython {
    /// From 3.8 on.
    Modern,
    /// Up to 3.7.
    Altered,
}

/// A change to a healthy environment or machine. In its paths `<main>`, `<python>`, `<tensorflow>`,
/// and `<system>` stand for the paths of the release and the machine.
#[derive(Debug)]
enum Change {
    Delete(&'static str),
    /// Puts a DLL of a redistributable into a directory, under its own name: directory,
    /// redistributable, name.
    Put(&'static str, &'static str, &'static str),
    /// Copies an existing file.
    Copy(&'static str, &'static str),
    Cut(&'static str, usize),
    Text(&'static str),
    Unreadable(&'static str),
    /// Replaces a file by a 32-bit DLL.
    Replace32(&'static str),
    Path(&'static str),
}

use AsPython::{Altered, Modern};
use Change::{Copy, Cut, Delete, Path as OnPath, Put, Replace32, Text, Unreadable};

const NEW: &str = "redistributable";
const V14_34: &str = "redistributable-14.34";
const V14_29: &str = "redistributable-14.29";
const X86: &str = "redistributable-32";
const ONLY_2_21: Option<&str> = Some("2.21.0");

/// All files that the redistributable installs into System32.
const ALL: &str = "<system>/*";

/// All faults.
#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    fault("nothing", None, Modern, &[]),
    fault("nothing, as Python 3.7 loads", None, Altered, &[]),
    fault("no redistributable", None, Modern, &[Delete(ALL)]),
    fault("no redistributable, as Python 3.7 loads", None, Altered, &[Delete(ALL)]),
    fault("msvcp140.dll is absent", None, Modern, &[Delete("<system>/msvcp140.dll")]),
    fault("msvcp140_1.dll is absent", None, Modern, &[Delete("<system>/msvcp140_1.dll")]),
    fault("vcruntime140.dll is absent from Python's folder", None, Modern, &[Delete("/python/vcruntime140.dll")]),
    fault("vcruntime140_1.dll is absent everywhere", None, Modern, &[Delete("<system>/vcruntime140_1.dll"), Delete("/python/vcruntime140_1.dll")]),
    fault("vcruntime140_threads.dll is absent", None, Modern, &[Delete("<system>/vcruntime140_threads.dll")]),
    fault("msvcp140*.dll only on PATH", None, Modern, &[Delete("<system>/msvcp140.dll"), Delete("<system>/msvcp140_1.dll"), Put("/extra", NEW, "msvcp140.dll"), Put("/extra", NEW, "msvcp140_1.dll"), OnPath("/extra")]),
    fault("msvcp140*.dll only on PATH, as Python 3.7 loads", None, Altered, &[Delete("<system>/msvcp140.dll"), Delete("<system>/msvcp140_1.dll"), Put("/extra", NEW, "msvcp140.dll"), Put("/extra", NEW, "msvcp140_1.dll"), OnPath("/extra")]),
    fault("the main DLL is absent", None, Modern, &[Delete("<main>")]),
    fault("the main DLL is a 32-bit one", None, Modern, &[Replace32("<main>")]),
    fault("the main DLL is cut", None, Modern, &[Cut("<main>", 4096)]),
    fault("the main DLL is empty", None, Modern, &[Cut("<main>", 0)]),
    fault("the main DLL is a text file", None, Modern, &[Text("<main>")]),
    fault("the main DLL may not be read", None, Modern, &[Unreadable("<main>")]),
    fault("python3XX.dll is absent", None, Modern, &[Delete("<python>")]),
    fault("libffi is absent", None, Modern, &[Delete("/python/libffi-7.dll"), Delete("/python/libffi-8.dll")]),
    fault("a 32-bit msvcp140.dll in Python's folder", None, Modern, &[Put("/python", X86, "msvcp140.dll")]),
    fault("a 32-bit msvcp140.dll in Python's folder and nowhere else", None, Modern, &[Put("/python", X86, "msvcp140.dll"), Delete("<system>/msvcp140.dll")]),
    fault("an empty msvcp140.dll in Python's folder", None, Modern, &[Put("/python", NEW, "msvcp140.dll"), Cut("/python/msvcp140.dll", 0)]),
    fault("an msvcp140.dll in Python's folder that may not be read", None, Modern, &[Put("/python", NEW, "msvcp140.dll"), Unreadable("/python/msvcp140.dll")]),
    fault("msvcp140.dll 14.29 in Python's folder", None, Modern, &[Put("/python", V14_29, "msvcp140.dll")]),
    fault("msvcp140.dll 14.34 in Python's folder", None, Modern, &[Put("/python", V14_34, "msvcp140.dll")]),
    fault("msvcp140.dll 14.29 in System32", None, Modern, &[Delete("<system>/msvcp140.dll"), Put("<system>", V14_29, "msvcp140.dll")]),
    fault("a second msvcp140.dll in Python's folder", None, Modern, &[Put("/python", NEW, "msvcp140.dll")]),
    fault("a second msvcp140.dll next to TensorFlow's modules", None, Modern, &[Put("<tensorflow>/python", NEW, "msvcp140.dll")]),
    fault("a second main DLL in Python's folder", ONLY_2_21, Modern, &[Copy("<tensorflow>/lite/python/pywrap_tflite_common.dll", "/python/pywrap_tflite_common.dll")]),
    fault("pywrap_tflite_common.dll is absent", ONLY_2_21, Modern, &[Delete("<tensorflow>/lite/python/pywrap_tflite_common.dll")]),
];

const fn fault(
    title: &'static str,
    release: Option<&'static str>,
    as_python: AsPython,
    changes: &'static [Change],
) -> Fault {
    Fault { title, release, as_python, changes }
}

impl Fault {
    /// Whether a release can have this fault.
    pub fn concerns(&self, release: &Release) -> bool {
        self.release.is_none_or(|version| version == release.version)
    }

    /// Whether nothing is changed.
    pub fn is_none(&self) -> bool {
        self.changes.is_empty()
    }

    /// Returns the loads of the import.
    ///
    /// # Errors
    /// A directive is unknown.
    pub fn program(&self, release: &Release) -> Result<Program, String> {
        let (by_path, by_name) = match self.as_python {
            Modern => ("modern", "ctypes"),
            Altered => ("altered", "plain"),
        };
        let mut directives = vec!["application /python".to_owned()];
        directives.extend(self.changes.iter().filter_map(|change| match change {
            OnPath(folder) => Some(format!("path {folder}")),
            _ => None,
        }));
        directives.extend(release.loads.iter().map(|name| {
            let how = if name.contains('/') { by_path } else { by_name };
            format!("load {} {how}", release.path(name))
        }));
        Program::read(&directives)
    }
}

impl Release {
    fn path(&self, path: &str) -> String {
        path.replace("<main>", &format!("<tensorflow>/{}", self.main))
            .replace("<python>", &format!("/python/{}", self.python))
            .replace("<tensorflow>", "/python/Lib/site-packages/tensorflow")
            .replace("<system>", SYSTEM)
    }
}

const SYSTEM: &str = "/windows/system32";

/// The directories that `tests/real/setup` made.
pub struct Real {
    folder: PathBuf,
}

impl Real {
    /// Finds them, given the directory that `setup` prints.
    ///
    /// # Errors
    /// One of them does not exist.
    pub fn at(environments: &Path) -> Result<Real, String> {
        let folder = environments.parent().unwrap_or(environments).to_owned();
        let real = Real { folder };
        let needed = [real.machine(), real.redistributable(V14_29), environments.join("complete-2.21")];
        match needed.iter().find(|needed| !needed.is_dir()) {
            Some(missing) => Err(format!("{} is missing; run tests/real/setup", missing.display())),
            None => Ok(real),
        }
    }

    /// Returns a Wine prefix in which the files of the redistributable are real or absent, never
    /// Wine's own.
    pub fn machine(&self) -> PathBuf {
        self.folder.join("wine/with")
    }

    fn redistributable(&self, name: &str) -> PathBuf {
        self.folder.join("redistributables").join(name)
    }

    /// Replaces the release and the redistributable on a machine, and makes the changes of a fault.
    /// Returns the files whose modules are compared.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn install(
        &self,
        machine: &impl Machine,
        release: &Release,
        fault: &Fault,
    ) -> io::Result<Vec<String>> {
        let environment = self.folder.join("environments").join(release.environment);
        for folder in ["/python", "/extra"].map(|folder| machine.path(folder)) {
            if folder.exists() {
                fs::remove_dir_all(folder)?;
            }
        }
        let python = machine.path("/python");
        link_images(&environment, &python, false)?;
        link_images(&environment.join(TENSORFLOW), &python.join(TENSORFLOW), true)?;
        let redistributable = names(&self.redistributable(NEW))?;
        for name in &redistributable {
            put(&self.redistributable(NEW).join(name), &machine.path(SYSTEM).join(name))?;
        }
        for change in fault.changes {
            self.make(change, machine, release, &redistributable)?;
        }
        let mut files = Vec::new();
        for folder in ["/python", "/extra"] {
            list(&machine.path(folder), folder, &mut files)?;
        }
        files.extend(redistributable.iter().map(|name| format!("{SYSTEM}/{name}")));
        Ok(files)
    }

    fn make(
        &self,
        change: &Change,
        machine: &impl Machine,
        release: &Release,
        names: &[String],
    ) -> io::Result<()> {
        let at = |path: &str| machine.path(&release.path(path));
        match change {
            Delete(ALL) => names.iter().try_for_each(|name| remove(&at("<system>").join(name))),
            Delete(path) => remove(&at(path)),
            Put(folder, redistributable, name) => {
                put(&self.redistributable(redistributable).join(name), &at(folder).join(name))
            }
            // A hard link to the same file would be the same module.
            Copy(from, to) => fs::copy(at(from), at(to)).map(drop),
            Cut(path, length) => {
                let mut start = vec![0; *length];
                io::Read::read_exact(&mut fs::File::open(at(path))?, &mut start)?;
                write(&at(path), &start)
            }
            Text(path) => write(&at(path), "This is not a DLL.\r\n".repeat(1000).as_bytes()),
            Unreadable(path) => {
                write(&at(path), b"unreadable")?;
                close(&at(path))
            }
            Replace32(path) => put(&self.redistributable(X86).join("msvcp140.dll"), &at(path)),
            OnPath(_) => Ok(()),
        }
    }
}

const TENSORFLOW: &str = "Lib/site-packages/tensorflow";

/// Hard-links the images of a directory, and optionally of those below it.
fn link_images(from: &Path, to: &Path, below: bool) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        let is_image = path
            .extension()
            .is_some_and(|extension| ["pyd", "dll", "exe"].iter().any(|known| extension == *known));
        if entry.file_type()?.is_dir() {
            if below {
                link_images(&path, &copy, below)?;
            }
        } else if is_image {
            fs::create_dir_all(to)?;
            fs::hard_link(path, copy)?;
        }
    }
    Ok(())
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// Replaces a file. Files are shared by hard links, so none is ever written in place.
fn put(from: &Path, to: &Path) -> io::Result<()> {
    remove(to)?;
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    fs::copy(from, to).map(drop)
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    remove(path)?;
    fs::write(path, content)
}

/// Removes everybody's permission to read a file.
///
/// # Errors
/// `chmod` fails or does not exist.
pub fn close(path: &Path) -> io::Result<()> {
    let status = Command::new("chmod").arg("000").arg(path).status()?;
    status.success().then_some(()).ok_or_else(|| io::Error::other(format!("chmod: {status}")))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn list(folder: &Path, name: &str, files: &mut Vec<String>) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        match entry.file_type()?.is_dir() {
            true => list(&entry.path(), &name, files)?,
            false => files.push(name),
        }
    }
    Ok(())
}
