#![doc = include_str!("../../../../docs/codes/not-on-search-path.md")]

use crate::action::Action;
use crate::diagnosis::wording::list;
use crate::diagnosis::{Case, Finding, Problem, redistributable};
use crate::host::WinPath;

pub(super) fn recognizes(case: &Case<'_>, problem: &Problem) -> bool {
    problem.not_found().is_some_and(|fault| !case.copies_not_found(fault).is_empty())
}

pub(super) fn describe(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(problem) = problems.first() else {
        return;
    };
    let mut directories: Vec<WinPath> = Vec::new();
    for fault in problems.iter().filter_map(Problem::fault) {
        let found = case.copies_not_found(fault);
        // A directory that contains the next culprit, too, makes a second directory unnecessary.
        let known = found.iter().filter_map(WinPath::parent).any(|folder| directories.contains(&folder));
        if !known {
            directories.extend(found.first().and_then(WinPath::parent));
        }
    }
    let names: Vec<String> = directories.iter().map(|directory| directory.as_str().to_owned()).collect();
    let version = case.environment.version;
    let on_path = directories.iter().any(|directory| case.host.path_directories().contains(directory));
    finding.what = format!(
        "{}: {} in {}, where Python {} does not look.",
        case.consequence(finding.severity),
        match finding.dlls.as_slice() {
            [only] => format!("{only} is"),
            dlls => format!("{} are", list(dlls, "and")),
        },
        list(&names, "and"),
        case.environment.series(),
    );
    let on_new_path = directories.iter().any(|it| case.host.running.path_directories().contains(it));
    let path_rule = match version.at_least(3, 8) {
        true if (on_path || on_new_path) && case.environment.launcher_directory.is_some() => format!(
            " It runs in {}, an alias of the Python Install Manager, in which no load searches PATH.",
            case.environment.program
        ),
        true if on_path || on_new_path => {
            " Since version 3.8 Python does not search PATH for DLLs.".to_owned()
        }
        false if on_new_path => " Newly started programs have the directory on PATH.".to_owned(),
        _ => String::new(),
    };
    finding.evidence =
        format!("{}; {}.{path_rule}", case.describe_request(problem), case.where_searched(problem));
    let importer = problem.fault().and_then(|fault| fault.importer()?.path.as_ref()?.parent());
    if importer.is_some_and(|folder| directories.contains(&folder)) {
        finding.evidence += " A load without flags (`winmode=0`, `LoadLibrary`) does not look next to the \
                             module that needs it.";
    }
    let add = if directories.len() == 1 { "add the directory" } else { "add the directories" };
    let runtime = finding.dlls.iter().all(|dll| redistributable::contains(dll));
    if runtime {
        finding.advice = format!(
            "Install the {}, or {add} before the import.",
            redistributable::name(case.environment.machine)
        );
        finding.fixes.extend(redistributable::fixes(case));
    } else {
        finding.advice = format!("A{} before the import.", &add[1..]);
    }
    finding.fixes.extend(case.activation());
    for directory in &directories {
        let directory = directory.as_str().to_owned();
        // Up to Python 3.7, and by a load without flags, PATH is searched, but not the directories
        // that were added.
        if version.at_least(3, 8) {
            let title = format!("Add {directory} with os.add_dll_directory before the import");
            finding.fixes.push(case.before_the_import(title, Action::AddDllDirectory(directory.clone())));
        }
        let title = format!("Put {directory} on PATH before the import");
        finding.fixes.push(case.before_the_import(title, Action::PrependPath(directory)));
    }
    finding.fixes.extend(case.without_alias());
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::{answer, check};

    #[test]
    fn a_dll_on_path_is_not_found_since_3_8() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports cudart64_101.dll
            /cuda/bin/cudart64_101.dll
            path /cuda/bin
            import pkg
            "#,
            expect![[r#"
                error not-on-search-path: cudart64_101.dll
                  `import pkg` will fail: cudart64_101.dll is in C:\cuda\bin, where Python 3.8 does not look.
                  pkg/native.pyd imports cudart64_101.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126). Since version 3.8 Python does not search PATH for DLLs.
                  Add C:\cuda\bin with os.add_dll_directory before the import.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  * Add C:\cuda\bin with os.add_dll_directory before the import | os.add_dll_directory(r"C:\cuda\bin")
            "#]],
        );
    }

    #[test]
    fn a_directory_that_only_new_programs_have_on_path() {
        check(
            r#"
            /Python/python.exe       imports python37.dll
            /Python/python37.dll     version 3.7.9150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg.pyd     imports cudart64_101.dll
            /cuda/bin/cudart64_101.dll
            new path /cuda/bin
            import pkg
            "#,
            expect![[r#"
                error not-on-search-path: cudart64_101.dll
                  `import pkg` will fail: cudart64_101.dll is in C:\cuda\bin, where Python 3.7 does not look.
                  pkg.pyd imports cudart64_101.dll; Python 3.7 looks for it in C:\Python\Lib\site-packages, System32, C:\Windows\System and C:\Windows, and it is in none of them (Windows error 126). Newly started programs have the directory on PATH.
                  Put C:\cuda\bin on PATH before the import.
                  Python: ImportError: DLL load failed: The specified module could not be found.
                  * Put C:\cuda\bin on PATH before the import | os.environ["PATH"] = r"C:\cuda\bin;" + os.environ["PATH"]
            "#]],
        );
    }

    #[test]
    fn up_to_3_7_the_same_machine_is_healthy() {
        check(
            r#"
            /Python/python.exe       imports python37.dll
            /Python/python37.dll     version 3.7.9150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports cudart64_101.dll
            /cuda/bin/cudart64_101.dll
            path /cuda/bin
            import pkg
            "#,
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn installing_a_runtime_is_preferred_to_adding_its_directory() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports msvcp140.dll
            /tools/msvcp140.dll
            path /tools
            import pkg
            "#,
            expect![[r#"
                error not-on-search-path: msvcp140.dll
                  `import pkg` will fail: msvcp140.dll is in C:\tools, where Python 3.8 does not look.
                  pkg/native.pyd imports msvcp140.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126). Since version 3.8 Python does not search PATH for DLLs.
                  Install the runtime into this Python with pip (no administrator needed), or add C:\tools with os.add_dll_directory before the import.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  * Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
                  - Add C:\tools with os.add_dll_directory before the import | os.add_dll_directory(r"C:\tools")
                  - Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator | https://aka.ms/vc14/vc_redist.x64.exe
            "#]],
        );
    }

    #[test]
    fn two_dlls_in_two_directories_need_both() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports cudart64_101.dll, cudnn64_7.dll, cublas64_10.dll
            /cuda/bin/cudart64_101.dll
            /cuda/bin/cublas64_10.dll
            /cudnn/bin/cudnn64_7.dll
            path /cuda/bin;/cudnn/bin
            import pkg
            "#,
            expect![[r#"
                error not-on-search-path: cudart64_101.dll, cudnn64_7.dll, cublas64_10.dll
                  `import pkg` will fail: cudart64_101.dll, cudnn64_7.dll and cublas64_10.dll are in C:\cuda\bin and C:\cudnn\bin, where Python 3.8 does not look.
                  pkg/native.pyd imports cudart64_101.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126). Since version 3.8 Python does not search PATH for DLLs.
                  Add C:\cuda\bin with os.add_dll_directory before the import, then add C:\cudnn\bin with os.add_dll_directory before the import.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  * Add C:\cuda\bin with os.add_dll_directory before the import, then add C:\cudnn\bin with os.add_dll_directory before the import | os.add_dll_directory(r"C:\cuda\bin") | os.add_dll_directory(r"C:\cudnn\bin")
            "#]],
        );
    }

    #[test]
    fn a_dll_in_a_folder_of_the_environment_itself_counts() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Library/bin/mkl_rt.dll
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports mkl_rt.dll
            import pkg
            "#,
            expect![[r#"
                error not-on-search-path: mkl_rt.dll
                  `import pkg` will fail: mkl_rt.dll is in C:\Python\Library\bin, where Python 3.8 does not look.
                  pkg/native.pyd imports mkl_rt.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
                  Add C:\Python\Library\bin with os.add_dll_directory before the import.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  * Add C:\Python\Library\bin with os.add_dll_directory before the import | os.add_dll_directory(r"C:\Python\Library\bin")
            "#]],
        );
    }

    #[test]
    fn a_dll_for_both_kinds_of_processes_on_arm64_counts_for_each() {
        for process in ["arm64", "x86_64"] {
            let output = answer(&format!(
                r#"
                machine windows-11-arm64
                /Python/python.exe       {process}, imports python313.dll
                /Python/python313.dll    {process}, version 3.13.2150.1013
                /Python/Lib/os.py        text
                /Python/Lib/site-packages/pkg.pyd     {process}, imports tools.dll
                /tools/tools.dll         arm64x
                path /tools
                import pkg
                "#
            ));
            assert!(output.starts_with("error not-on-search-path: tools.dll"), "{process}: {output}");
            assert!(output.contains(r#"  * Add C:\tools with os.add_dll_directory"#), "{process}: {output}");
        }
    }

    #[test]
    fn a_dll_on_path_for_another_machine_does_not_count() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports cudart64_101.dll
            /cuda/bin/cudart64_101.dll   x86
            path /cuda/bin
            import pkg
            "#,
            expect![[r#"
                error missing-dll: cudart64_101.dll
                  `import pkg` will fail: cudart64_101.dll is missing.
                  pkg/native.pyd imports cudart64_101.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126). It belongs to CUDA 10.1.
                  Install CUDA 10.1 (other versions of CUDA use other names) and add its bin folder with os.add_dll_directory before the import, or install the package's build without GPU support.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  ? Open NVIDIA's archive for CUDA 10.1 | https://developer.nvidia.com/cuda-toolkit-archive
            "#]],
        );
    }

    #[test]
    fn a_private_dll_of_another_package_does_not_count() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports helper.dll
            /Python/Lib/site-packages/other/.libs/helper.dll
            /Python/Lib/site-packages/other.libs/helper.dll
            /Python/Lib/site-packages/other/helper.dll
            import pkg
            "#,
            expect![[r#"
                error missing-dll: helper.dll
                  `import pkg` will fail: helper.dll is missing.
                  pkg/native.pyd imports helper.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
                  Install the program or package that the DLL belongs to.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
            "#]],
        );
    }

    #[test]
    fn a_program_that_adds_the_directory_is_healthy() {
        let world = r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg.pyd     imports cudart64_110.dll
            /cuda/bin/cudart64_110.dll
            path /cuda/bin
            before import os
            before os.add_dll_directory(r"C:\cuda\bin")
            import pkg
            "#;
        check(
            world,
            expect![[r#"
                healthy
            "#]],
        );
        // An unknown directory may contain the DLL, because a directory on PATH does.
        check(
            &world.replace(r#"r"C:\cuda\bin""#, "os.path.dirname(__file__)"),
            expect![[r#"
                warning not-on-search-path: cudart64_110.dll
                  `import pkg` may fail: cudart64_110.dll is in C:\cuda\bin, where Python 3.13 does not look.
                  pkg.pyd imports cudart64_110.dll; Python 3.13 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126). Since version 3.8 Python does not search PATH for DLLs. line 2 adds an unknown directory, which may contain it, so this is not certain.
                  Add C:\cuda\bin with os.add_dll_directory before the import.
                  Python: ImportError: DLL load failed while importing pkg: The specified module could not be found.
                  * Add C:\cuda\bin with os.add_dll_directory before the import | os.add_dll_directory(r"C:\cuda\bin")
            "#]],
        );
        let output = crate::testing::answer(&world.replace(r#"r"C:\cuda\bin""#, r#"r"C:\Python""#));
        assert!(output.starts_with("error not-on-search-path: cudart64_110.dll"), "{output}");
    }
}
