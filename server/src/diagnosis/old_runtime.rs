//! A VC++ runtime that is older than a module requires: how it is recognized and described. It has
//! one of two codes, depending on whether a better copy exists elsewhere.

use super::case::Case;
use super::finding::{Finding, Winner};
use super::fix::Fix;
use super::problem::{Culprit, Problem};
use super::redistributable;
use super::wording::{first_symbols, windows_error};
use crate::host::WinPath;
use crate::image::{FileVersion, Symbol};
use crate::loader::{Cause, Crash, DependencyTarget, Fault, Link, ModuleId, Process, Provider};

/// The copy that is too old.
pub(super) struct OldRuntime<'p> {
    pub provider: &'p Provider,
    importer: Option<&'p Link>,
    needs: Needs<'p>,
    /// When the importing module crashes.
    crash: Crash,
    /// The Win32 code of the failure, if Windows reports one.
    code: Option<u32>,
}

/// The importing module's requirement for the runtime.
enum Needs<'p> {
    Version(FileVersion),
    Symbols(&'p [Symbol]),
}

impl<'p> OldRuntime<'p> {
    /// Returns the old runtime that causes a problem, if one does.
    pub fn of(problem: &'p Problem) -> Option<OldRuntime<'p>> {
        let fault = problem.fault()?;
        let (provider, needs, crash) = match &fault.cause {
            Cause::OutdatedRuntime { provider, needs, crash, .. } => {
                (provider, Needs::Version(*needs), *crash)
            }
            Cause::MissingExport { provider, symbols, forwarder: None }
                if redistributable::contains(provider.path.file_name()) =>
            {
                (provider, Needs::Symbols(symbols), Crash::AtStart)
            }
            _ => return None,
        };
        Some(OldRuntime { provider, importer: fault.importer(), needs, crash, code: problem.code })
    }

    /// Returns another copy on this machine that satisfies the requirement.
    pub fn better_copy(&self, case: &Case<'_>) -> Option<WinPath> {
        let files = &*case.host.files;
        case.other_copies(&self.provider.path).into_iter().find(|copy| match &self.needs {
            Needs::Version(needs) => version_of(case, copy).is_some_and(|version| version >= *needs),
            Needs::Symbols(symbols) => {
                symbols.iter().all(|symbol| matches!(files.export(copy, symbol), Ok(Some(_))))
            }
        })
    }

    /// Returns fixes that avoid the old copy: update the package that contains it, or rename the
    /// file.
    pub fn fixes_without(&self, case: &Case<'_>) -> Vec<Fix> {
        let path = &self.provider.path;
        let owner = case.environment.owner_of(path, &*case.host.files);
        owner.and_then(|owner| case.update(owner)).into_iter().chain([case.set_aside(path)]).collect()
    }

    /// Returns the old copy, if Windows uses it because it was loaded earlier.
    pub fn winner(&self, case: &Case<'_>) -> Option<Winner> {
        let path = &self.provider.path;
        let needs = case.short_of(self.importer);
        self.provider.was_loaded.then(|| Winner {
            path: path.clone(),
            advice_if_both_orders_fail: format!(
                "Update the package or program that installed {}, or use it and {needs} in separate \
                 processes: the import fails in either order.",
                case.short(path)
            ),
        })
    }

    /// Describes what is wrong and how we know. The advice must be set already. It is qualified if
    /// nothing is known to fail.
    pub fn describe(&self, case: &Case<'_>, better: Option<WinPath>, finding: &mut Finding) {
        let importer = case.short_of(self.importer);
        let path = &self.provider.path;
        let name = path.file_name();
        let version = version_of(case, path).map_or("an unknown version".to_owned(), |v| v.to_string());
        let (what, how) = match (&self.needs, self.crash) {
            (Needs::Version(needs), Crash::AtStart | Crash::AtInit) => {
                let needs = format!("{}.{}", needs.0[0], needs.0[1]);
                let when = match self.crash {
                    Crash::AtInit => {
                        "Windows loads it, and it locks mutexes when Python initializes it (`PyInit_…`)"
                    }
                    _ => "It locks mutexes when it starts",
                };
                (
                    format!("{importer} needs {name} {needs} or newer, but gets {version} and crashes in it"),
                    format!("{when}, as only code for {name} {needs} or newer does, and {path} is older"),
                )
            }
            (Needs::Version(toolset), Crash::Never) => (
                format!(
                    "{importer} was built with a newer compiler ({}.{}) than the {name} that it gets \
                     ({version})",
                    toolset.0[0], toolset.0[1]
                ),
                format!("The file's header and the version of {path} show this"),
            ),
            (Needs::Symbols(symbols), _) => (
                format!("{importer} needs a newer {name} than {version}"),
                format!("It imports {}, which {path} does not export", first_symbols(symbols)),
            ),
        };
        finding.what = match self.crash {
            Crash::AtStart => format!("{}: {what}.", case.consequence(finding.severity)),
            Crash::AtInit => format!(
                "`import {}` will end the process with an access violation, which cannot be caught: {what}.",
                case.import
            ),
            Crash::Never => format!("{what}."),
        };
        let code = windows_error(self.code);
        let would_do = better.map_or(String::new(), |copy| {
            let version = version_of(case, &copy).map_or(String::new(), |version| format!(" {version}"));
            format!(" {copy}{version} would do.")
        });
        let registry = case.registry_mismatch();
        let why = case.why_found(self.provider);
        finding.evidence = format!("{how}{code}; {why}.{would_do}{registry}");
        if self.crash == Crash::Never {
            finding.is_note = true;
            if let Some(runtime) = finding.chain.last_mut() {
                runtime.remark = Some("is older than the compiler".to_owned());
            }
            let guarantee =
                "This usually works, but Microsoft guarantees it only if the runtime is at least as new.";
            finding.advice = format!("{guarantee} If something crashes: {}", lower_first(&finding.advice));
        }
    }
}

/// Returns the module with the newest toolset among those that are newer than the runtime that they
/// use. That isn't covered by Microsoft's compatibility guarantee ("C++ binary compatibility
/// 2015–2022"), but it isn't a predictable failure. Only `msvcp140.dll` counts: every Python
/// includes a `vcruntime140.dll` of its own age, which works well with newer code. Modules with
/// numbers below `first` were loaded by earlier imports.
pub(super) fn older_than_toolset(case: &Case<'_>, process: &Process, first: usize) -> Option<Problem> {
    let mut newest: Option<(FileVersion, ModuleId, ModuleId)> = None;
    for (id, module) in process.modules().iter().enumerate().skip(first) {
        for dependency in &module.dependencies {
            let (DependencyTarget::Loaded(runtime) | DependencyTarget::AlreadyLoaded(runtime, _)) =
                dependency.target
            else {
                continue;
            };
            if !dependency.name.eq_ignore_ascii_case("msvcp140.dll") {
                continue;
            }
            let linker = case.host.files.image(&module.path).map_or((0, 0), |image| image.linker);
            let toolset = FileVersion([u16::from(linker.0), u16::from(linker.1), 0, 0]);
            let version = version_of(case, &process.modules()[runtime].path);
            // lld always writes 14.0, whatever it links for.
            let is_older = version.is_some_and(|version| version.0[0] == toolset.0[0] && version < toolset);
            if is_older && newest.is_none_or(|(known, ..)| toolset > known) {
                newest = Some((toolset, id, runtime));
            }
        }
    }
    let (needs, module, runtime) = newest?;
    let module = &process.modules()[module];
    let mut provider = process.provider(runtime);
    provider.was_loaded = !provider.importers.iter().any(|link| link.path.as_ref() == Some(&module.path));
    let version = version_of(case, &provider.path)?;
    let link = |path: &WinPath| Link { name: path.file_name().to_owned(), path: Some(path.clone()) };
    let chain = vec![link(&module.path), link(&provider.path)];
    let fault =
        Fault { chain, cause: Cause::OutdatedRuntime { provider, version, needs, crash: Crash::Never } };
    Some(Problem {
        culprit: Culprit::Image(fault),
        trace: Vec::new(),
        loaded_by: None,
        sentence: None,
        code: None,
    })
}

/// Returns the file version of an image.
fn version_of(case: &Case<'_>, path: &WinPath) -> Option<FileVersion> {
    case.host.files.image(path).ok()?.version
}

fn lower_first(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}
