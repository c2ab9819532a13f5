#![doc = include_str!("../../../../docs/codes/missing-export.md")]

use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};

use crate::action::Action;
use crate::diagnosis::wording::{MOST_SYMBOLS, first_symbols, name_of, windows_error};
use crate::diagnosis::{Burden, Case, Finding, Fix, FixEffect, Problem, Winner, redistributable};
use crate::environment::Distribution;
use crate::host::WinPath;
use crate::image::Symbol;
use crate::loader::{Cause, Fault, Provider};

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    problem.fault().is_some_and(|fault| matches!(fault.cause, Cause::MissingExport { .. }))
}

pub(super) fn describe(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some((problem, fault)) = problems.first().and_then(|problem| Some((problem, problem.fault()?)))
    else {
        return;
    };
    let Cause::MissingExport { provider, symbols, forwarder } = &fault.cause else {
        return;
    };
    let more = match symbols.len().saturating_sub(MOST_SYMBOLS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let importer = case.short_of(fault.importer());
    finding.what = format!(
        "{}: {} has no {}{more}, which {importer} imports from it.",
        case.consequence(finding.severity),
        case.short(&provider.path),
        first_symbols(symbols),
    );
    let forwarded = match forwarder {
        Some(forwarder) => format!("It forwards that to {}, which does not exist. ", forwarder.target),
        None => String::new(),
    };
    let code = windows_error(problem.code);
    finding.evidence =
        format!("{forwarded}The exports of {} were read{code}; {}.", provider.path, case.why_found(provider));
    // A DLL of Windows itself is reported as `unsupported-windows`.
    let is_foreign = provider.path.is_within(&case.host.windows_directory)
        && !redistributable::contains(provider.path.file_name());
    if is_foreign {
        finding.advice =
            "Windows does not include a DLL of this name, so another program probably installed \
                          it. Update that program."
                .to_owned();
        finding.fixes.push(case.set_aside(&provider.path));
        finding.fixes.extend(load_first(case, fault, symbols));
        return;
    }
    cure(case, provider, fault.importer().and_then(|link| link.path.as_ref()), finding);
    finding.fixes.extend(load_first(case, fault, symbols));
}

/// Adds fixes that provide a suitable copy.
fn cure(case: &Case<'_>, provider: &Provider, importer: Option<&WinPath>, finding: &mut Finding) {
    let files = &*case.host.files;
    let path = &provider.path;
    let owner = case.environment.owner_of(path, files);
    let asking = importer.and_then(|path| case.owner_of(path));
    finding.advice =
        "Update or remove whatever installed this copy, or install a compatible version of the package that \
         needs it."
            .to_owned();
    let is_same = match (owner, asking) {
        (Some(owner), Some(asking)) => owner.location == asking.location,
        _ => false,
    };
    if let (Some(owner), Some(asking)) = (owner, asking) {
        finding.fixes.extend(pair(case, owner, asking));
        if provider.was_loaded && !is_same {
            let (one, other) = (name_of(owner, files), name_of(asking, files));
            let advice_if_both_orders_fail = format!(
                "{one} and {other} bring different DLLs named {}, and the import fails in either order: use \
                 them in separate processes.",
                path.file_name()
            );
            finding.winner = Some(Winner { path: path.clone(), advice_if_both_orders_fail });
        }
    } else if provider.was_loaded {
        finding.winner = Some(Winner { path: path.clone(), advice_if_both_orders_fail: String::new() });
    }
    if case.is_of_python(path) {
        finding.advice = "It belongs to Python itself: update this Python to its newest release.".to_owned();
        finding.fixes.push(case.update_python());
        return;
    }
    if let Some(owner) = owner {
        finding.fixes.extend(case.reinstall(owner));
        finding.fixes.extend(case.update(owner).filter(|_| !is_same));
    }
    if !is_same {
        finding.fixes.extend(case.activation());
        finding.fixes.push(case.set_aside(path));
    }
    if let Some(asking) = asking {
        finding.fixes.extend(case.reinstall(asking).filter(|_| !is_same));
        finding.fixes.extend(case.update(asking));
    }
}

/// Returns a fix that loads a copy with all requested exports before the import.
fn load_first(case: &Case<'_>, fault: &Fault, symbols: &[Symbol]) -> Option<Fix> {
    let files = &*case.host.files;
    let has_all =
        |copy: &WinPath| symbols.iter().all(|symbol| matches!(files.export(copy, symbol), Ok(Some(_))));
    let copy = case.copies_not_found(fault).into_iter().find(has_all)?;
    let action = Action::LoadFirst(copy.as_str().to_owned());
    let effect = FixEffect::of_statements(action.value());
    Some(
        Fix::new(format!("Load {copy} before the import"), action)
            .with_effect(effect)
            .with_burden(Burden::Wide),
    )
}

/// Returns a fix that installs matching versions, if one distribution requires another of the same
/// family: PyQt6 6.6.0 requires PyQt6-Qt6 6.6.0 or newer, but was built with 6.6.0.
fn pair(case: &Case<'_>, owner: &Distribution, asking: &Distribution) -> Option<Fix> {
    let files = &*case.host.files;
    let (version, there) = (asking.version.as_deref()?, owner.version.as_deref()?);
    let metadata = asking.metadata(files).ok()?;
    let needed = metadata.requires.iter().find(|needed| needed.name == owner.normalized)?;
    let allowed = VersionSpecifiers::from_str(&needed.versions).ok()?;
    let is_family = owner.normalized.split('-').next() == asking.normalized.split('-').next();
    let fits = Version::from_str(version).is_ok_and(|version| allowed.contains(&version));
    if !is_family || !fits || version == there {
        return None;
    }
    let wanted = format!("{}=={version}", name_of(owner, files));
    case.install(
        &[&wanted],
        &format!("Install {}, the version of {}", wanted.replace("==", " "), name_of(asking, files)),
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::check;

    #[test]
    fn a_copy_that_another_package_loaded_first_lacks_a_function() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                import old
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports hdf5.dll!H5open, hdf5.dll!H5new
            /Python/Lib/site-packages/pkg/hdf5.dll       exports H5open, H5new
            /Python/Lib/site-packages/old/__init__.py    text
                from . import native
            /Python/Lib/site-packages/old/native.pyd     imports hdf5.dll!H5open
            /Python/Lib/site-packages/old/hdf5.dll       exports H5open
            import pkg
            "#,
            expect![[r#"
                error missing-export: hdf5.dll
                  `import pkg` will fail: old/hdf5.dll has no `H5new`, which pkg/native.pyd imports from it.
                  The exports of C:\Python\Lib\site-packages\old\hdf5.dll were read (Windows error 127); this copy was loaded first by the rule "the DLL's own directory" (old/__init__.py:1 → old/native.pyd), and Windows reuses a DLL that is already loaded, wherever it is.
                  Load C:\Python\Lib\site-packages\pkg\hdf5.dll before the import.
                  Python: ImportError: DLL load failed while importing native: The specified procedure could not be found.
                  * Load C:\Python\Lib\site-packages\pkg\hdf5.dll before the import | import ctypes; ctypes.WinDLL(r"C:\Python\Lib\site-packages\pkg\hdf5.dll")
            "#]],
        );
    }

    /// PyQt6 6.6.0 requires only Qt 6.6 or newer, but was built with 6.6.0.
    #[test]
    fn the_matching_version_is_named() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/PyQt6/__init__.py  text
            /Python/Lib/site-packages/PyQt6/QtCore.pyd  imports Qt6Core.dll!old
            /Python/Lib/site-packages/PyQt6/Qt6Core.dll  exports new
            /Python/Lib/site-packages/PyQt6-6.6.0.dist-info/METADATA  text
                Name: PyQt6
                Version: 6.6.0
                Requires-Dist: PyQt6-Qt6 (>=6.6.0)
            /Python/Lib/site-packages/PyQt6-6.6.0.dist-info/RECORD  text
                PyQt6/__init__.py,sha256=x,
                PyQt6/QtCore.pyd,sha256=x,
            /Python/Lib/site-packages/PyQt6_Qt6-6.6.1.dist-info/METADATA  text
                Name: PyQt6-Qt6
                Version: 6.6.1
            /Python/Lib/site-packages/PyQt6_Qt6-6.6.1.dist-info/RECORD  text
                PyQt6/Qt6Core.dll,sha256=x,
            /w/main.py  text
                from PyQt6 import QtCore
            program /w/main.py
            "#,
            expect![[r#"
                PyQt6: error missing-export: Qt6Core.dll
                  `from PyQt6 import QtCore` will fail: PyQt6/Qt6Core.dll has no `old`, which PyQt6/QtCore.pyd imports from it.
                  The exports of C:\Python\Lib\site-packages\PyQt6\Qt6Core.dll were read (Windows error 127); this copy is found by the rule "the DLL's own directory" (PyQt6/QtCore.pyd).
                  Update or remove whatever installed this copy, or install a compatible version of the package that needs it.
                  Python: ImportError: DLL load failed while importing QtCore: The specified procedure could not be found.
                  ? Install PyQt6-Qt6 6.6.0, the version of PyQt6 | C:\Python\python.exe -m pip install PyQt6-Qt6==6.6.0
                  ? Update PyQt6-Qt6 | C:\Python\python.exe -m pip install --upgrade PyQt6-Qt6
                  ? Update PyQt6 | C:\Python\python.exe -m pip install --upgrade PyQt6
            "#]],
        );
    }

    #[test]
    fn a_number_that_is_not_exported() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg.pyd     imports parts.dll!#7, parts.dll!#20
            /Python/Lib/site-packages/parts.dll   exports a@7
            import pkg
            "#,
            expect![[r#"
                error missing-export: parts.dll
                  `import pkg` will fail: parts.dll has no `#20`, which pkg.pyd imports from it.
                  The exports of C:\Python\Lib\site-packages\parts.dll were read (Windows error 182); this copy is found by the rule "the DLL's own directory" (pkg.pyd).
                  Update or remove whatever installed this copy, or install a compatible version of the package that needs it.
                  Python: ImportError: DLL load failed while importing pkg: The operating system cannot run %1.
            "#]],
        );
    }

    #[test]
    fn a_forwarder_that_leads_nowhere() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg.pyd     imports parts.dll!a
            /Python/Lib/site-packages/parts.dll   exports a=more.b
            /Python/Lib/site-packages/more.dll    exports c
            import pkg
            "#,
            expect![[r#"
                error missing-export: parts.dll
                  `import pkg` will fail: parts.dll has no `a`, which pkg.pyd imports from it.
                  It forwards that to more.b, which does not exist. The exports of C:\Python\Lib\site-packages\parts.dll were read (Windows error 127); this copy is found by the rule "the DLL's own directory" (pkg.pyd).
                  Update or remove whatever installed this copy, or install a compatible version of the package that needs it.
                  Python: ImportError: DLL load failed while importing pkg: The specified procedure could not be found.
            "#]],
        );
    }

    #[test]
    fn forwarders_are_followed() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg.pyd     imports parts.dll!a, parts.dll!b
            /Python/Lib/site-packages/parts.dll   exports a=more.b, b=more.#9
            /Python/Lib/site-packages/more.dll    exports b=most.z, q@9
            /Python/Lib/site-packages/most.dll    exports z
            import pkg
            "#,
            expect![[r#"
                healthy
            "#]],
        );
    }
}
