//! A VC++ runtime that is older than what a module needs: how it is recognized and told. Whether a better copy lies elsewhere
//! decides which of two codes it is.

use super::case::{Case, Culprit, Problem, first_symbols, windows_error};
use super::finding::{Finding, Winner};
use super::fix::Fix;
use super::redistributable;
use crate::host::WinPath;
use crate::image::{FileVersion, Symbol};
use crate::loader::{Answer, Cause, Crash, Fault, Link, ModuleId, Process, Provider};

/// The copy that is too old.
pub(super) struct OldRuntime<'p> {
    pub provider: &'p Provider,
    importer: Option<&'p Link>,
    needs: Needs<'p>,
    /// When what needs it crashes.
    crash: Crash,
    /// The Win32 code of the failure, if Windows gives one.
    code: Option<u32>,
}

/// What the importing module needs of it.
enum Needs<'p> {
    Version(FileVersion),
    Symbols(&'p [Symbol]),
}

impl<'p> OldRuntime<'p> {
    /// The old runtime that a problem blames, if it is one.
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

    /// Another copy on this machine that has what is needed.
    pub fn better_copy(&self, case: &Case<'_>) -> Option<WinPath> {
        let files = &*case.host.files;
        case.other_copies(&self.provider.path).into_iter().find(|copy| match &self.needs {
            Needs::Version(needs) => version_of(case, copy).is_some_and(|version| version >= *needs),
            Needs::Symbols(symbols) => {
                symbols.iter().all(|symbol| matches!(files.export(copy, symbol), Ok(Some(_))))
            }
        })
    }

    /// Ways to do without the old copy: the package that brings it in another version, or the file out of the way.
    pub fn ways_without(&self, case: &Case<'_>) -> Vec<Fix> {
        let path = &self.provider.path;
        let owner = case.environment.owner_of(path, &*case.host.files);
        owner.and_then(|owner| case.update(owner)).into_iter().chain([case.set_aside(path)]).collect()
    }

    /// The old copy, where it is the one because it was loaded before.
    pub fn winner(&self, case: &Case<'_>) -> Option<Winner> {
        let path = &self.provider.path;
        let needs = case.short_of(self.importer);
        self.provider.was_loaded.then(|| Winner {
            path: path.clone(),
            apart: format!(
                "Update what brings {}, or use it and {needs} in two processes: both orders of import fail.",
                case.short(path)
            ),
        })
    }

    /// Says what is wrong and how we know. The advice is there already; where nothing is known to fail it is put into
    /// proportion.
    pub fn tell(&self, case: &Case<'_>, better: Option<WinPath>, finding: &mut Finding) {
        let importer = case.short_of(self.importer);
        let path = &self.provider.path;
        let name = path.file_name();
        let version = version_of(case, path).map_or("an unknown version".to_owned(), |v| v.to_string());
        let (what, how) = match (&self.needs, self.crash) {
            (Needs::Version(needs), Crash::AtStart | Crash::AtInit) => {
                let needs = format!("{}.{}", needs.0[0], needs.0[1]);
                let when = match self.crash {
                    Crash::AtInit => {
                        "Windows loads it, and it locks mutexes as Python initializes it (`PyInit_…`)"
                    }
                    _ => "It locks mutexes as it starts",
                };
                (
                    format!("{importer} needs {name} {needs} or newer, but gets {version} and crashes in it"),
                    format!("{when}, and as only code for {name} from {needs} on does, and {path} is older"),
                )
            }
            (Needs::Version(toolset), Crash::Never) => (
                format!(
                    "{importer} was built with a newer compiler ({}.{}) than the {name} that it gets ({version})",
                    toolset.0[0], toolset.0[1]
                ),
                format!("The file's header and the version of {path} say so"),
            ),
            (Needs::Symbols(symbols), _) => (
                format!("{importer} needs a newer {name} than {version}"),
                format!("It imports {}, which {path} does not export", first_symbols(symbols)),
            ),
        };
        finding.what = match self.crash {
            Crash::AtStart => format!("{}: {what}.", case.consequence(finding.severity)),
            Crash::AtInit => format!(
                "`import {}` will end the process with an access violation, which nothing catches: {what}.",
                case.import
            ),
            Crash::Never => format!("{what}."),
        };
        let code = windows_error(self.code);
        let would_do = better.map_or(String::new(), |copy| {
            let version = version_of(case, &copy).map_or(String::new(), |version| format!(" {version}"));
            format!(" {copy}{version} would do.")
        });
        let registry = case.registry_disagrees();
        let why = case.why_this_one(self.provider);
        finding.evidence = format!("{how}{code}; {why}.{would_do}{registry}");
        if self.crash == Crash::Never {
            finding.is_note = true;
            if let Some(runtime) = finding.chain.last_mut() {
                runtime.remark = Some("is older than the compiler".to_owned());
            }
            let promise =
                "It usually works, but Microsoft promises it only for a runtime that is at least as new.";
            finding.advice = format!("{promise} If something crashes: {}", lower_first(&finding.advice));
        }
    }
}

/// The module that was linked by the newest toolset among those that are newer than the runtime that serves them: outside of
/// what Microsoft promises ("C++ binary compatibility 2015–2022"), but no failure that can be foreseen. Only `msvcp140.dll`
/// counts: every Python brings a `vcruntime140.dll` of its own age, and it serves newer code well. What was loaded before
/// the module of this number belongs to other imports.
pub(super) fn older_than_toolset(case: &Case<'_>, process: &Process, first: usize) -> Option<Problem> {
    let mut newest: Option<(FileVersion, ModuleId, ModuleId)> = None;
    for (id, module) in process.modules().iter().enumerate().skip(first) {
        for dependency in &module.dependencies {
            let (Answer::Loaded(runtime) | Answer::AlreadyLoaded(runtime, _)) = dependency.answer else {
                continue;
            };
            if !dependency.name.eq_ignore_ascii_case("msvcp140.dll") {
                continue;
            }
            let linker = case.host.files.image(&module.path).map_or((0, 0), |image| image.linker);
            let toolset = FileVersion([u16::from(linker.0), u16::from(linker.1), 0, 0]);
            let version = version_of(case, &process.modules()[runtime].path);
            // lld says 14.0, whatever it links for.
            let is_older = version.is_some_and(|version| version.0[0] == toolset.0[0] && version < toolset);
            if is_older && newest.is_none_or(|(known, ..)| toolset > known) {
                newest = Some((toolset, id, runtime));
            }
        }
    }
    let (needs, module, runtime) = newest?;
    let module = &process.modules()[module];
    let mut provider = process.provider(runtime);
    provider.was_loaded = !provider.brought_by.iter().any(|link| link.path.as_ref() == Some(&module.path));
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

/// The version that a file says it has.
fn version_of(case: &Case<'_>, path: &WinPath) -> Option<FileVersion> {
    case.host.files.image(path).ok()?.version
}

fn lower_first(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}
