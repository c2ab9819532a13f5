#![doc = include_str!("../../../../docs/codes/damaged-install.md")]

use crate::diagnosis::Severity;
use crate::diagnosis::wording::{list, name_of};
use crate::diagnosis::{Case, Code, Culprit, Finding, Problem};
use crate::environment::{DamagedFile, Distribution, FileState};
use crate::host::WinPath;
use crate::loader::Fault;
use crate::plan::ImportFailure;

pub(super) fn recognizes(case: &Case<'_>, problem: &Problem) -> bool {
    missing_path(case, problem).is_some()
}

/// Returns the recorded file that is missing, if that is the problem.
fn missing_path(case: &Case<'_>, problem: &Problem) -> Option<WinPath> {
    if let Culprit::Module(missing) = &problem.culprit {
        return missing.recorded.clone();
    }
    let fault = problem.not_found()?;
    let files = &*case.host.files;
    let name = fault.culprit();
    let searched = fault.cause.searched();
    // A library that Python code loads belongs to the distribution of that code.
    let importer = fault.importer().and_then(|link| link.path.as_ref());
    let importer = importer.or_else(|| problem.trace.iter().find_map(|place| place.file.as_ref()));
    let owner = importer.and_then(|path| case.owner_of(path));
    let family = owner.map(|owner| case.with_requirements(owner)).unwrap_or_default();
    // A DLL that another package lost matters only if the load would have found it there.
    let would_be_found = |distribution: &Distribution, path: &WinPath| {
        family.iter().any(|known| known.location == distribution.location)
            || path.parent().is_some_and(|folder| searched.iter().any(|it| it.directory == folder))
    };
    case.environment.distributions.iter().find_map(|distribution| {
        let missing = distribution.missing_files(files).ok()?.into_iter();
        let mut missing =
            missing.filter(|damaged| damaged.found == FileState::Missing).map(|damaged| damaged.path);
        missing.find(|path| path.file_name().eq_ignore_ascii_case(name) && would_be_found(distribution, path))
    })
}

/// Whether a problem is a consequence of missing files. A program may look for one file to find a
/// directory of DLLs (PyQt looks for Qt5Core.dll and adds its directory). If that file is gone, the
/// DLLs next to it aren't found either.
pub(super) fn causes(case: &Case<'_>, missing: &[Problem], other: &Problem) -> bool {
    let Some(dll) = other.not_found().map(Fault::culprit) else { return false };
    let mut folders = missing.iter().filter_map(|problem| missing_path(case, problem)?.parent());
    folders.any(|folder| case.host.files.is_file(&folder.join(dll)))
}

pub(super) fn describe(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some((problem, path)) =
        problems.iter().find_map(|problem| Some((problem, missing_path(case, problem)?)))
    else {
        return;
    };
    if finding.dlls.is_empty() {
        finding.dlls.push(path.file_name().to_owned());
    }
    let name = case.short(&path);
    finding.what = format!("{}: {name} has disappeared.", case.consequence(finding.severity));
    let owner = case.environment.owner_of(&path, &*case.host.files);
    let recorded = match owner {
        Some(owner) => format!("{} installed it, according to its RECORD", name_of(owner, &*case.host.files)),
        None => "an installed package lists it".to_owned(),
    };
    finding.evidence = match problem.fault() {
        Some(_) => {
            format!("{recorded}, but it is gone; {} ({}).", case.describe_request(problem), code(problem))
        }
        None => format!("{recorded}, but it is gone."),
    };
    cure(case, owner, finding);
}

fn code(problem: &Problem) -> String {
    problem.code.map_or_else(String::new, |code| format!("Windows error {code}"))
}

fn cure(case: &Case<'_>, owner: Option<&Distribution>, finding: &mut Finding) {
    finding.advice = "Reinstall the package.".to_owned();
    finding.caution = "If the file disappears again, check your antivirus program's quarantine.".to_owned();
    finding.fixes.extend(owner.and_then(|owner| case.reinstall(owner)));
}

/// Returns damage that the import doesn't encounter, in the distributions that it uses, unless
/// `known` findings already report it.
pub(in crate::diagnosis) fn of_installed_files(
    case: &Case<'_>,
    top_level_names: &[String],
    known: &[Finding],
    error: Option<&ImportFailure>,
) -> Vec<Finding> {
    let files = &*case.host.files;
    let mut findings = Vec::new();
    for distribution in &case.environment.distributions {
        let Ok(mut damaged) = distribution.missing_files(files) else {
            continue;
        };
        let is_known = |file: &DamagedFile| {
            known
                .iter()
                .any(|finding| finding.dlls.iter().any(|dll| dll.eq_ignore_ascii_case(file.path.file_name())))
        };
        damaged.retain(|file| !is_known(file));
        if damaged.is_empty()
            || !distribution.top_level(files).iter().any(|name| top_level_names.contains(name))
        {
            continue;
        }
        // The program looked for one of the files and raised an exception because it is missing.
        let error = error.filter(|error| {
            damaged.iter().any(|file| Some(&file.path) == error.missing_recorded_file.as_ref())
        });
        let severity = if error.is_some() { Severity::Error } else { Severity::Warning };
        let mut finding = case.finding(Code::DamagedInstall, &[], severity, error);
        finding.dlls = damaged.iter().map(|file| file.path.file_name().to_owned()).collect();
        let names: Vec<String> = damaged.iter().take(3).map(|file| case.short(&file.path)).collect();
        let more = damaged.len().saturating_sub(names.len());
        let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        let begin = match error {
            Some(_) => case.consequence(Severity::Error),
            None => format!("{} is damaged", name_of(distribution, files)),
        };
        finding.what = format!(
            "{begin}: {}{more} {}.",
            list(&names, "and"),
            if damaged.iter().all(|file| file.found == FileState::Missing) {
                "disappeared since it was installed"
            } else if damaged.iter().all(|file| file.found != FileState::Missing) {
                "changed since it was installed"
            } else {
                "disappeared or changed since it was installed"
            }
        );
        finding.evidence = match damaged.first() {
            Some(DamagedFile { path, expected: Some(expected), found: FileState::Size(size) }) => {
                format!("According to RECORD, {} has {expected} bytes, but it has {size}.", case.short(path))
            }
            _ if error.is_some() => {
                let name = name_of(distribution, files);
                format!(
                    "{name} installed it, according to its RECORD, and raises an exception if it is missing."
                )
            }
            _ => "RECORD lists the installed files.".to_owned(),
        };
        cure(case, Some(distribution), &mut finding);
        findings.push(finding);
    }
    findings
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::{answer, check};

    #[test]
    fn a_name_from_metadata_cannot_act_as_an_option_of_the_installer() {
        let commands = |name: &str| {
            let answer = answer(&format!(
                "
                /Python/python.exe       imports python38.dll
                /Python/python38.dll     version 3.8.10150.1013
                /Python/Lib/os.py        text
                /Python/Lib/site-packages/pkg/__init__.py    text
                    from . import native
                /Python/Lib/site-packages/pkg/native.pyd    imports gone.dll
                /Python/Lib/site-packages/pkg-1.dist-info/METADATA    text
                    Name: {name}
                /Python/Lib/site-packages/pkg-1.dist-info/RECORD    text
                    pkg/native.pyd,,
                    pkg/gone.dll,,
                import pkg
                "
            ));
            assert!(answer.starts_with("error damaged-install: gone.dll"), "{answer}");
            answer.matches(" | ").count()
        };
        assert_eq!(commands("pkg"), 1);
        for name in [
            "-rpkg",
            "--index-url=https://example.com",
            "pkg @ https://example.com/pkg.zip",
            "pkg;",
            "$(pkg)",
            r"\\host\pkg",
        ] {
            assert_eq!(commands(name), 0, "{name}");
        }
    }

    #[test]
    fn files_next_to_the_missing_one_are_not_a_cause() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/qt/__init__.py    text
                import os
                folder = os.path.dirname(__file__) + '\\bin'
                if os.path.isfile(folder + '\\core.dll'):
                    os.add_dll_directory(folder)
                from . import widgets
            /Python/Lib/site-packages/qt/widgets.pyd    imports gui.dll, core.dll
            /Python/Lib/site-packages/qt/bin/gui.dll    imports core.dll
            /Python/Lib/site-packages/qt-5.dist-info/METADATA    text
                Name: qt
                Version: 5
            /Python/Lib/site-packages/qt-5.dist-info/RECORD    text
                qt/__init__.py,,
                qt/widgets.pyd,,
                qt/bin/gui.dll,,
                qt/bin/core.dll,,
            import qt
            "#,
            expect![[r#"
                error damaged-install: core.dll
                  `import qt` will fail: qt/bin/core.dll has disappeared.
                  qt installed it, according to its RECORD, but it is gone; qt/widgets.pyd imports core.dll (Windows error 126).
                  Reinstall qt 5.
                  If the file disappears again, check your antivirus program's quarantine.
                  Python: ImportError: DLL load failed while importing widgets: The specified module could not be found.
                  * Reinstall qt 5 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir qt==5
            "#]],
        );
    }

    #[test]
    fn a_dll_that_the_package_looks_for_itself_has_disappeared() {
        let world = r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/boost/__init__.py    text
                import ctypes
                from pathlib import Path
                def find_library():
                    here = Path(__file__).parent
                    candidates = [here / 'lib' / 'boost.dll', here / 'boost.dll']
                    found = [str(path) for path in candidates if path.is_file()]
                    if not found:
                        raise FileNotFoundError('Cannot find the library')
                    return found
                library = ctypes.cdll.LoadLibrary(find_library()[0])
            /Python/Lib/site-packages/boost-5.dist-info/METADATA    text
                Name: boost
                Version: 5
            /Python/Lib/site-packages/boost-5.dist-info/RECORD    text
                boost/__init__.py,,
                RECORDED
            import boost
            "#;
        check(
            &world.replace("RECORDED", "boost/lib/boost.dll,,"),
            expect![[r#"
                error damaged-install: boost.dll
                  `import boost` will fail: boost/lib/boost.dll disappeared since it was installed.
                  boost installed it, according to its RECORD, and raises an exception if it is missing.
                  Reinstall boost 5.
                  If the file disappears again, check your antivirus program's quarantine.
                  Python: FileNotFoundError: Cannot find the library
                  * Reinstall boost 5 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir boost==5
            "#]],
        );
        // If no distribution installed it, our understanding of the package may be wrong.
        check(
            &world.replace("RECORDED", ""),
            expect![[r#"
            healthy
        "#]],
        );
    }

    #[test]
    fn a_module_that_was_installed_has_disappeared() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg-1.0.dist-info/METADATA   text
                Name: pkg
                Version: 1.0
            /Python/Lib/site-packages/pkg-1.0.dist-info/RECORD     text
                pkg/__init__.py,sha256=x,20
                pkg/native.cp38-win_amd64.pyd,sha256=x,123456
            import pkg
            "#,
            expect![[r#"
                error damaged-install: native.cp38-win_amd64.pyd
                  `import pkg` will fail: pkg/native.cp38-win_amd64.pyd has disappeared.
                  pkg installed it, according to its RECORD, but it is gone.
                  Reinstall pkg 1.0.
                  If the file disappears again, check your antivirus program's quarantine.
                  Python: ModuleNotFoundError: No module named 'pkg.native'
                  * Reinstall pkg 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
            "#]],
        );
    }

    #[test]
    fn a_dll_that_was_installed_has_disappeared() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports helper.dll
            /Python/Lib/site-packages/pkg-1.0.dist-info/METADATA   text
                Name: pkg
                Version: 1.0
            /Python/Lib/site-packages/pkg-1.0.dist-info/RECORD     text
                pkg/native.pyd,,
                pkg/helper.dll,sha256=x,4096
            import pkg
            "#,
            expect![[r#"
                error damaged-install: helper.dll
                  `import pkg` will fail: pkg/helper.dll has disappeared.
                  pkg installed it, according to its RECORD, but it is gone; pkg/native.pyd imports helper.dll (Windows error 126).
                  Reinstall pkg 1.0.
                  If the file disappears again, check your antivirus program's quarantine.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  * Reinstall pkg 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
            "#]],
        );
    }

    #[test]
    fn damage_that_the_import_does_not_encounter_is_a_warning() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
            /Python/Lib/site-packages/pkg/whole.pyd
            /Python/Lib/site-packages/pkg/changed.pyd
            /Python/Lib/site-packages/pkg-1.0.dist-info/METADATA   text
                Name: pkg
                Version: 1.0
            /Python/Lib/site-packages/pkg-1.0.dist-info/RECORD     text
                pkg/__init__.py,sha256=x,0
                pkg/changed.pyd,sha256=x,4096
                pkg/gone.pyd,sha256=x,4096
                pkg/gone.dll,sha256=x,4096
                pkg/too.dll,sha256=x,4096
                pkg/more.dll,sha256=x,4096
            import pkg
            "#,
            expect![[r#"
                warning damaged-install: changed.pyd, gone.pyd, gone.dll, too.dll, more.dll
                  pkg is damaged: pkg/changed.pyd, pkg/gone.pyd and pkg/gone.dll (and 2 more) disappeared or changed since it was installed.
                  According to RECORD, pkg/changed.pyd has 4096 bytes, but it has 2048.
                  Reinstall pkg 1.0.
                  If the file disappears again, check your antivirus program's quarantine.
                  * Reinstall pkg 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
            "#]],
        );
    }

    #[test]
    fn damage_to_a_package_that_is_not_imported_is_not_reported() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
            /Python/Lib/site-packages/other/__init__.py  text
            /Python/Lib/site-packages/other-1.0.dist-info/METADATA   text
                Name: other
                Version: 1.0
            /Python/Lib/site-packages/other-1.0.dist-info/RECORD     text
                other/__init__.py,sha256=x,0
                other/gone.pyd,sha256=x,4096
            import pkg
            "#,
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn a_package_without_a_record_is_not_reported() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd
            /Python/Lib/site-packages/pkg-1.0.dist-info/METADATA   text
                Name: pkg
                Version: 1.0
            import pkg
            "#,
            expect![[r#"
                healthy
            "#]],
        );
    }
}
