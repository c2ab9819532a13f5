//! The Visual C++ runtime: the DLLs of Microsoft's redistributable, and how to install them.

use std::ops::RangeInclusive;

use crate::action::{Action, Command};
use crate::environment::{EnvironmentKind, Installer};
use crate::host::{Change, WinPath, redistributable};
use crate::image::{FileVersion, Machine};

use super::Case;
use super::fix::{Burden, Fix, FixEffect};
use super::origins::OlderRuntime;

/// The DLLs whose version is taken as that of the runtime, in order of preference.
pub const MAIN: [&str; 2] = ["msvcp140.dll", "vcruntime140.dll"];

/// The contents of the wheel of `msvc-runtime` that pip selects for a range of Python versions;
/// read from the wheels on PyPI on 2026-11-29.
struct OfPypi {
    /// The minor versions of Python 3.
    python: RangeInclusive<u16>,
    /// The version of the DLLs.
    version: FileVersion,
    /// The DLL that it installs into `sys.prefix` in addition to those of [`in_prefix`].
    also: Option<&'static str>,
}

const OF_PYPI: [OfPypi; 5] = [
    OfPypi { python: 6..=7, version: FileVersion([14, 29, 30133, 0]), also: Some("vcruntime140_1.dll") },
    OfPypi { python: 8..=8, version: FileVersion([14, 34, 31931, 0]), also: None },
    OfPypi {
        python: 9..=10,
        version: FileVersion([14, 42, 34433, 0]),
        also: Some("vcruntime140_threads.dll"),
    },
    OfPypi {
        python: 11..=11,
        version: FileVersion([14, 44, 35211, 0]),
        also: Some("vcruntime140_threads.dll"),
    },
    OfPypi {
        python: 12..=15,
        version: FileVersion([14, 51, 36247, 0]),
        also: Some("vcruntime140_threads.dll"),
    },
];

/// The DLLs that are installed into `Scripts` but not into `sys.prefix`.
const IN_SCRIPTS: [&str; 2] = ["vcruntime140.dll", "vcruntime140_1.dll"];

/// Returns the DLLs that `vc14_runtime` of conda-forge and `vcomp14` install into the environment's
/// directory and its `Library\bin`: all but MFC (conda-forge/vc-feedstock, build of 2026-06-13).
fn of_conda() -> impl Iterator<Item = &'static str> {
    redistributable::DLLS.into_iter().filter(|name| !name.starts_with("mfc"))
}

/// Returns the DLLs that all the wheels install into both `sys.prefix` and `Scripts`.
fn in_prefix() -> impl Iterator<Item = &'static str> {
    of_conda().filter(|name| !name.starts_with("vcruntime140"))
}

const VERSION_OF_CONDA: FileVersion = FileVersion([14, 51, 36231, 0]);

/// Whether a DLL is part of the redistributable.
pub fn contains(dll: &str) -> bool {
    redistributable::contains(dll)
}

/// Returns the human-readable name with the architecture to choose.
pub fn name(machine: Machine) -> String {
    format!("Microsoft Visual C++ v14 Redistributable ({})", architecture(machine))
}

fn architecture(machine: Machine) -> &'static str {
    match machine {
        Machine::X86 => "x86",
        Machine::Arm64 => "arm64",
        _ => "x64",
    }
}

/// Returns the ways to install it.
pub fn fixes(case: &Case<'_>) -> Vec<Fix> {
    let environment = case.environment;
    let mut fixes: Vec<Fix> = Vec::new();
    if environment.kind == EnvironmentKind::Conda {
        fixes.push(from_conda(case));
    }
    let of_pypi = from_pypi(case);
    // If both need an administrator, Microsoft's own installer comes first.
    let is_last = of_pypi.as_ref().is_some_and(|fix| fix.burden == Burden::Administrator);
    let (first, last) = if is_last { (None, of_pypi) } else { (of_pypi, None) };
    fixes.extend(first);
    fixes.push(from_microsoft(case));
    fixes.extend(last);
    fixes
}

/// Returns a fix that installs an older runtime, which the current one doesn't replace.
pub fn older(case: &Case<'_>, runtime: &OlderRuntime) -> Fix {
    let machine = case.environment.machine;
    let title = format!("Download and install the {}, as an administrator", runtime.redistributable(machine));
    let fix = Fix::new(title, Action::Open(runtime.url(machine).to_owned()));
    let fix = match runtime.effect(machine, &case.host.system_directory(machine)) {
        Some(effect) => fix.with_effect(effect),
        None => fix.untestable("its DLLs are found only through a manifest of the module"),
    };
    fix.with_burden(Burden::Administrator)
}

/// Returns a fix that runs Microsoft's own installer (permanent links of "Latest supported Visual
/// C++ Redistributable downloads").
fn from_microsoft(case: &Case<'_>) -> Fix {
    let machine = case.environment.machine;
    let system = case.host.system_directory(machine);
    let version = Some(redistributable::NEWEST);
    let effect = FixEffect::of_files(redistributable::DLLS.iter().filter_map(|name| {
        let machine = redistributable::installed(name, machine, case.host.machine)?;
        Some((system.join(name), Change::Image { machine, version, size: 0 }))
    }));
    let url = format!("https://aka.ms/vc14/vc_redist.{}.exe", architecture(machine));
    let title = format!("Download and install the {}, as an administrator", name(machine));
    Fix::new(title, Action::Open(url)).with_effect(effect).with_burden(Burden::Administrator)
}

/// Returns a fix that installs the package on PyPI. Its DLLs must be next to the executable of the
/// process. In a virtual environment, that is usually the executable of the base Python.
fn from_pypi(case: &Case<'_>) -> Option<Fix> {
    let environment = case.environment;
    let files = &*case.host.files;
    let machine = environment.machine;
    // The wheels for 32-bit Pythons contain x64 DLLs since 14.34, and the Store's directory isn't
    // writable.
    let is_for = machine == Machine::X64 || machine == Machine::Arm64 && environment.version.at_least(3, 11);
    if !is_for || environment.base_kind == EnvironmentKind::Store {
        return None;
    }
    let wheel = OF_PYPI.iter().find(|wheel| wheel.python.contains(&environment.version.minor))?;
    let is_own = environment.application_directory.is_within(&environment.prefix);
    let (installer, prefix) = match is_own {
        true => (environment.installer(files)?, &environment.prefix),
        false => (environment.installer_of_base(files)?, &environment.base_prefix),
    };
    let is_there = files
        .folder(&prefix.join("Lib\\site-packages"))
        .is_ok_and(|listing| listing.entries().iter().any(|entry| entry.name.starts_with("msvc_runtime-")));
    let is_installed =
        is_there || environment.kind != EnvironmentKind::Venv && environment.find("msvc-runtime").is_some();
    // The newest version may be installed already but lack its DLLs.
    let command = match is_installed {
        true => {
            installer.reinstall("msvc-runtime", None).unwrap_or_else(|| installer.upgrade("msvc-runtime"))
        }
        false => installer.install(&["msvc-runtime"]),
    };
    let scripts = prefix.join("Scripts");
    let names = in_prefix().chain(wheel.also);
    let in_scripts = in_prefix().chain(IN_SCRIPTS).map(|name| scripts.join(name));
    let effect = new_files(names.map(|name| prefix.join(name)).chain(in_scripts), machine, wheel.version);
    let into = match (environment.kind == EnvironmentKind::Venv, is_own) {
        (true, false) => format!("the Python that this environment was created with ({prefix})"),
        _ => "this Python".to_owned(),
    };
    let is_protected = environment.is_protected(prefix);
    let remark = if is_protected { ", as an administrator" } else { " (no administrator needed)" };
    let verb = if is_installed { "Update" } else { "Install" };
    let with = match &installer {
        Installer::Pip { .. } => " with pip".to_owned(),
        other => case.with_installer(other),
    };
    let preposition = if is_installed { "of" } else { "into" };
    let title = format!("{verb} the runtime {preposition} {into}{with}{remark}");
    let burden = if is_protected { Burden::Administrator } else { Burden::Small };
    let action = case.run_with(&installer, &title, command);
    Some(Fix::new(title, action).with_effect(effect).with_burden(burden))
}

/// Returns a fix that installs the package of conda-forge.
pub fn from_conda(case: &Case<'_>) -> Fix {
    let environment = case.environment;
    let prefix = &environment.base_prefix;
    let installer = environment.conda(&*case.host.files);
    let command = match &installer {
        Installer::Conda { program, prefix } => {
            Command::new(program, ["install", "-p", prefix.as_str(), "-c", "conda-forge", "vc14_runtime"])
        }
        other => other.install(&["vc14_runtime"]),
    };
    let folders = [prefix.clone(), prefix.join("Library\\bin")];
    let paths = folders.iter().flat_map(|folder| of_conda().map(|name| folder.join(name)));
    let effect = new_files(paths, environment.machine, VERSION_OF_CONDA);
    let title = format!("Install the current runtime into this environment{}", installer.with());
    Fix::new(title, Action::Run(command)).with_effect(effect)
}

fn new_files(paths: impl Iterator<Item = WinPath>, machine: Machine, version: FileVersion) -> FixEffect {
    let version = Some(version);
    FixEffect::of_files(paths.map(|path| (path, Change::Image { machine, version, size: 0 })))
}
