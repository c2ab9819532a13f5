//! # outdated-vc-runtime
//!
//! The Visual C++ runtime on this machine is older than what a module was built for.
//!
//! ## What it means
//! A module that was built with a newer Microsoft compiler may not run with an older `msvcp140.dll`. Since Visual Studio 2022 17.10
//! (runtime 14.40) the difference is deadly: code built since then locks its mutexes in a way that an older `msvcp140.dll`
//! does not understand, and crashes as soon as it starts. Python says "A dynamic link library (DLL) initialization routine failed"
//! (error 1114), or it just ends. TensorFlow from 2.18.1 on is such code. An older runtime can also lack a function altogether
//! (error 127).
//!
//! Short of that, Microsoft promises only that a runtime serves code of the same or an older compiler. Where that promise is
//! broken and nothing is known to fail, this is a hint.
//!
//! ## How we know
//! The load was simulated. The version stands in the DLL that would be loaded; what a module needs shows in what it imports:
//! `_Mtx_lock` without `_Mtx_init_in_situ` comes from a compiler whose mutexes need runtime 14.40.
//!
//! ## What to do
//! Install the current Microsoft Visual C++ Redistributable 2015–2022: it replaces the older one. Without administrator
//! rights: `python -m pip install --upgrade msvc-runtime`.

use crate::diagnosis::case::list;
use crate::diagnosis::{Case, ChainLink, Code, Finding, Problem, Severity, redistributable};
use crate::host::WinPath;
use crate::image::FileVersion;
use crate::loader::{Answer, Cause, Fault, ModuleId, Process, Provider};

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    problem.fault().is_some_and(|fault| too_old(fault).is_some())
}

/// The copy of the runtime that a fault blames.
pub(super) fn too_old(fault: &Fault) -> Option<&Provider> {
    match &fault.cause {
        Cause::OutdatedRuntime { provider, .. } => Some(provider),
        Cause::MissingExport { provider, forwarder: None, .. }
            if redistributable::contains(provider.path.file_name()) =>
        {
            Some(provider)
        }
        _ => None,
    }
}

pub(super) fn tell(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(problem) = problems.first() else {
        return;
    };
    let Some(told) = problem.fault().and_then(|fault| Told::of(case, fault)) else {
        return;
    };
    finding.what = format!("{}: {}.", case.consequence(finding.severity), told.what);
    finding.evidence =
        format!("{}{}; {}.", told.evidence, told.code(problem), case.why_this_one(told.provider));
    cure(case, finding);
}

fn cure(case: &Case<'_>, finding: &mut Finding) {
    finding.advice =
        "Install the current one, or put it beside this Python with `pip install --upgrade msvc-runtime`."
            .to_owned();
    finding.fixes = redistributable::fixes(case.environment);
}

/// What this code and [`conflicting_vc_runtime`](super::conflicting_vc_runtime) say alike.
pub(super) struct Told<'f> {
    pub provider: &'f Provider,
    pub what: String,
    pub evidence: String,
}

impl<'f> Told<'f> {
    pub fn of(case: &Case<'_>, fault: &'f Fault) -> Option<Told<'f>> {
        let provider = too_old(fault)?;
        let name = provider.path.file_name();
        let version = version_of(case, &provider.path).map_or(String::new(), |version| format!(" {version}"));
        let importer = case.short_of(fault.importer());
        let (what, evidence) = match &fault.cause {
            Cause::OutdatedRuntime { needs, .. } => {
                let needs = format!("{}.{}", needs.0[0], needs.0[1]);
                (
                    format!(
                        "{importer} needs {name} {needs} or newer, but gets{version} and crashes as it starts"
                    ),
                    format!(
                        "It locks mutexes as only code for {name} from {needs} on does, and {} is older",
                        provider.path
                    ),
                )
            }
            Cause::MissingExport { symbols, .. } => {
                let names: Vec<String> = symbols.iter().take(3).map(|symbol| format!("`{symbol}`")).collect();
                (
                    format!("{importer} needs a newer {name} than{version}"),
                    format!("It imports {}, which {} does not export", list(&names, "and"), provider.path),
                )
            }
            _ => return None,
        };
        Some(Told { provider, what, evidence })
    }

    pub fn code(&self, problem: &Problem) -> String {
        problem.code.map_or(String::new(), |code| format!(" (Windows error {code})"))
    }
}

/// Modules that are loaded and linked by a newer toolset than the runtime that serves them: outside of what Microsoft
/// promises ("C++ binary compatibility 2015–2022"), but no failure that can be foreseen. Only `msvcp140.dll` counts: every
/// Python brings a `vcruntime140.dll` of its own age, and it serves newer code well.
pub(in crate::diagnosis) fn older_than_toolset(case: &Case<'_>, process: &Process) -> Option<Finding> {
    let files = &*case.host.files;
    let mut newest: Option<((u8, u8), ModuleId, ModuleId)> = None;
    for (id, module) in process.modules().iter().enumerate() {
        for dependency in &module.dependencies {
            let (Answer::Loaded(runtime) | Answer::AlreadyLoaded(runtime, _)) = dependency.answer else {
                continue;
            };
            if !dependency.name.eq_ignore_ascii_case("msvcp140.dll") {
                continue;
            }
            let linker = files.image(&module.path).map_or((0, 0), |image| image.linker);
            let version = version_of(case, &process.modules()[runtime].path);
            let is_older = version.is_some_and(|v| v.0[0] == 14 && v.0[1] < u16::from(linker.1));
            // lld says 14.0, whatever it links for.
            if linker.0 == 14 && is_older && newest.is_none_or(|(known, ..)| linker > known) {
                newest = Some((linker, id, runtime));
            }
        }
    }
    let (linker, module, runtime) = newest?;
    let (module, mut provider) = (&process.modules()[module], process.provider(runtime));
    provider.was_loaded = !provider.brought_by.iter().any(|link| link.path.as_ref() == Some(&module.path));
    let version = version_of(case, &provider.path)?;
    let toolset = FileVersion([u16::from(linker.0), u16::from(linker.1), 0, 0]);
    let better = case
        .other_copies(&provider.path)
        .into_iter()
        .find(|copy| version_of(case, copy).is_some_and(|version| version >= toolset));
    let (code, severity) = match better {
        Some(_) => (Code::ConflictingVcRuntime, Severity::Information),
        None => (Code::OutdatedVcRuntime, Severity::Hint),
    };
    let mut finding = case.finding(code, &[], severity, None);
    let built = format!("{}.{}", linker.0, linker.1);
    finding.dlls = vec![module_name(&provider.path)];
    finding.chain = [module.path.clone(), provider.path.clone()]
        .map(|path| ChainLink { name: module_name(&path), path: Some(path) })
        .into();
    finding.what = format!(
        "{} was built with a newer compiler ({built}) than the msvcp140.dll that it gets ({version}).",
        case.short(&module.path),
    );
    let instead = better.as_ref().map_or(String::new(), |copy| format!(" {copy} is newer."));
    finding.evidence = format!(
        "The file's header and the version of {} say so; {}.{instead}",
        provider.path,
        case.why_this_one(&provider)
    );
    match better {
        Some(_) => super::conflicting_vc_runtime::cure(case, &provider, &mut finding),
        None => cure(case, &mut finding),
    }
    let promise = "It usually works, but Microsoft promises it only for a runtime that is at least as new.";
    finding.advice = format!("{promise} If something crashes: {}", lower_first(&finding.advice));
    Some(finding)
}

fn lower_first(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

fn module_name(path: &WinPath) -> String {
    path.file_name().to_owned()
}

/// The version that a file says it has.
pub(super) fn version_of(case: &Case<'_>, path: &WinPath) -> Option<FileVersion> {
    case.host.files.image(path).ok()?.version
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::check;

    #[test]
    fn code_with_constexpr_mutexes_meets_an_older_runtime() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/msvcp140.dll                  version 14.29.30133.0, exports _Mtx_lock, _Mtx_unlock, _Mtx_init_in_situ
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports core.dll
            /Python/Lib/site-packages/pkg/core.dll       imports msvcp140.dll!_Mtx_lock, msvcp140.dll!_Mtx_unlock
            import pkg
            "#,
            expect![[r#"
                error outdated-vc-runtime: msvcp140.dll
                  `import pkg` will fail: pkg/core.dll needs msvcp140.dll 14.40 or newer, but gets 14.29.30133.0 and crashes as it starts.
                  It locks mutexes as only code for msvcp140.dll from 14.40 on does, and C:\Python\msvcp140.dll is older (Windows error 1114); this copy is taken by the rule "application directory" (pkg/__init__.py:1 → pkg/native.pyd → pkg/core.dll).
                  Install the current one, or put it beside this Python with `pip install --upgrade msvc-runtime`.
                  Python: ImportError: DLL load failed while importing native: A dynamic link library (DLL) initialization routine failed.
                  * Download the Microsoft Visual C++ Redistributable 2015–2022 (x64) | https://aka.ms/vs/17/release/vc_redist.x64.exe
                  - Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
            "#]],
        );
    }

    #[test]
    fn older_code_and_newer_runtimes_are_well() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/msvcp140.dll             version 14.40.33810.0, exports _Mtx_lock, _Mtx_unlock, _Mtx_init_in_situ
            /Python/Lib/site-packages/a.pyd  imports msvcp140.dll!_Mtx_lock
            /Python/Lib/site-packages/b.pyd  imports msvcp140.dll!_Mtx_lock, msvcp140.dll!_Mtx_init_in_situ
            import a
            import b
            "#,
            expect![[r#"
                healthy
                healthy
            "#]],
        );
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/msvcp140.dll             version 14.0.24210.0, exports _Mtx_lock, _Mtx_unlock, _Mtx_init_in_situ
            /Python/Lib/site-packages/b.pyd  imports msvcp140.dll!_Mtx_lock, msvcp140.dll!_Mtx_init_in_situ
            import b
            "#,
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn a_newer_compiler_than_the_runtime_is_a_hint() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/msvcp140.dll             version 14.16.27033.0
            /Python/Lib/site-packages/a.pyd  imports msvcp140.dll, linker 14.29
            /Python/Lib/site-packages/b.pyd  imports msvcp140.dll, linker 14.16
            /Python/Lib/site-packages/c.pyd  imports msvcp140.dll, linker 14.0
            import a
            import b
            import c
            machine windows-11+vcredist
            import a
            "#,
            expect![[r#"
                hint outdated-vc-runtime: msvcp140.dll
                  a.pyd was built with a newer compiler (14.29) than the msvcp140.dll that it gets (14.16.27033.0).
                  The file's header and the version of C:\Python\msvcp140.dll say so; this copy is taken by the rule "application directory" (a.pyd).
                  It usually works, but Microsoft promises it only for a runtime that is at least as new. If something crashes: install the current one, or put it beside this Python with `pip install --upgrade msvc-runtime`.
                  * Download the Microsoft Visual C++ Redistributable 2015–2022 (x64) | https://aka.ms/vs/17/release/vc_redist.x64.exe
                  - Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
                healthy
                healthy
                information conflicting-vc-runtime: msvcp140.dll
                  a.pyd was built with a newer compiler (14.29) than the msvcp140.dll that it gets (14.16.27033.0).
                  The file's header and the version of C:\Python\msvcp140.dll say so; this copy is taken by the rule "application directory" (a.pyd). C:\Windows\System32\msvcp140.dll is newer.
                  It usually works, but Microsoft promises it only for a runtime that is at least as new. If something crashes: replace or remove the older copy beside Python.
                  * Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
            "#]],
        );
    }

    #[test]
    fn a_runtime_that_lacks_a_function() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/vcruntime140_1.dll       version 14.20.27508.0, exports __CxxFrameHandler4
            /Python/Lib/site-packages/a.pyd  imports vcruntime140_1.dll!__CxxFrameHandler4, vcruntime140_1.dll!__NLG_Return2
            import a
            "#,
            expect![[r#"
                error outdated-vc-runtime: vcruntime140_1.dll
                  `import a` will fail: a.pyd needs a newer vcruntime140_1.dll than 14.20.27508.0.
                  It imports `__NLG_Return2`, which C:\Python\vcruntime140_1.dll does not export (Windows error 127); this copy is taken by the rule "application directory" (a.pyd).
                  Install the current one, or put it beside this Python with `pip install --upgrade msvc-runtime`.
                  Python: ImportError: DLL load failed while importing a: The specified procedure could not be found.
                  * Download the Microsoft Visual C++ Redistributable 2015–2022 (x64) | https://aka.ms/vs/17/release/vc_redist.x64.exe
                  - Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
            "#]],
        );
    }
}
