#![doc = include_str!("../../../../docs/codes/missing-dll.md")]

use crate::action::Action;
use crate::diagnosis::wording::{list, name_of};
use crate::diagnosis::{Case, Finding, Fix, Problem, gpu, origins};
use crate::host::WinPath;
use crate::loader::{Cause, Fault};

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    problem.fault().is_some()
}

pub(super) fn describe(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some((problem, fault)) = problems.first().and_then(|problem| Some((problem, problem.fault()?)))
    else {
        return;
    };
    let package = match problem.loaded_by {
        Some(_) => case.consequence(finding.severity),
        None => "Python itself cannot start".to_owned(),
    };
    if let Cause::MissingAssembly { assembly } = &fault.cause {
        let module = case.short_of(fault.importer());
        finding.what = format!(
            "{package}: the side-by-side assembly {} {} is not installed.",
            assembly.name, assembly.version
        );
        finding.evidence = format!(
            "The manifest of {module} requires it ({}), but it is neither in WinSxS nor next to the file \
             (Windows error 14001).",
            assembly.architecture
        );
        finding.advice = "Install the redistributable that the assembly belongs to.".to_owned();
        return;
    }
    let verb = if finding.dlls.len() == 1 { "is" } else { "are" };
    finding.what = format!("{package}: {} {verb} missing.", list(&finding.dlls, "and"));
    finding.evidence = format!("{}; {}.", case.describe_request(problem), case.where_searched(problem));
    if describe_nvidia(case, finding) {
        return;
    }
    let importer = fault.importer().and_then(|link| link.path.as_ref());
    let owner = importer.and_then(|path| case.owner_of(path));
    if let Some(origin) = origins::of(fault.culprit()).filter(|_| !case.concerns_python_itself(problem)) {
        let belong = if finding.dlls.len() == 1 { "It belongs" } else { "They belong" };
        finding.evidence = format!("{} {belong} to {}.", finding.evidence, origin.belongs_to);
        finding.advice = origin.advice;
        finding.fixes.extend(
            owner.into_iter().flat_map(|owner| [case.reinstall(owner), case.update(owner)]).flatten(),
        );
        return;
    }
    if case.concerns_python_itself(problem) {
        if case.is_missing_from_conda_python(fault.culprit()) {
            finding.advice =
                "It belongs to Python itself, and conda's package of this Python does not include it: update \
                 Python."
                    .to_owned();
            finding.fixes.push(case.update_python());
            return;
        }
        finding.advice = "It belongs to Python itself: repair this Python.".to_owned();
        let of_conda = case.conda_owner_of(fault.culprit()).and_then(|owner| case.reinstall(owner));
        finding.fixes.push(of_conda.unwrap_or_else(|| case.repair_python(&pythons_place(case, fault))));
        return;
    }
    finding.advice = match owner {
        Some(owner) => format!(
            "Install the program or package that the DLL belongs to, or another version of {}.",
            name_of(owner, &*case.host.files)
        ),
        None => "Install the program or package that the DLL belongs to.".to_owned(),
    };
    if let Some(owner) = owner {
        finding.fixes.extend(case.reinstall(owner));
        finding.fixes.extend(case.update(owner));
    }
}

/// Returns the place of Python's own DLL: next to pythonXY.dll, or next to the module of the
/// standard library that needs it.
fn pythons_place(case: &Case<'_>, fault: &Fault) -> WinPath {
    let importer = fault.importer().and_then(|link| link.path.as_ref());
    let folder =
        importer.filter(|path| case.is_of_python(path)).unwrap_or(&case.environment.python_dll).parent();
    folder.unwrap_or_else(|| case.environment.application_directory.clone()).join(fault.culprit())
}

/// Adds the products that the DLLs belong to, if all of them are NVIDIA's. Returns whether they
/// are.
fn describe_nvidia(case: &Case<'_>, finding: &mut Finding) -> bool {
    let mut products: Vec<String> = Vec::new();
    for dll in &finding.dlls {
        let Some(product) = gpu::product(dll) else {
            return false;
        };
        // "CUDA 10.0" is more precise than "CUDA".
        if !products.iter().any(|known| known.starts_with(&product)) {
            products.retain(|known| !product.starts_with(known.as_str()));
            products.push(product);
        }
    }
    let belong = if finding.dlls.len() == 1 { "It belongs" } else { "They belong" };
    let named = list(&products, "and");
    finding.evidence = format!("{} {belong} to {named}.", finding.evidence);
    let folders = if products.len() == 1 { "its bin folder" } else { "their bin folders" };
    let where_to = match case.environment.version.at_least(3, 8) {
        true => format!("add {folders} with os.add_dll_directory before the import"),
        false => format!("put {folders} on PATH"),
    };
    finding.advice = format!(
        "Install {named} (other versions of CUDA use other names) and {where_to}, or install the package's \
         build without GPU support."
    );
    let archives = [("CUDA", gpu::CUDA_ARCHIVE), ("cuDNN", gpu::CUDNN_ARCHIVE)];
    for (name, url) in archives {
        if let Some(product) = products.iter().find(|product| product.starts_with(name)) {
            let title = format!("Open NVIDIA's archive for {product}");
            finding.fixes.push(Fix::new(title, Action::Open(url.to_owned())));
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use crate::testing::check;

    #[test]
    fn a_dll_that_exists_nowhere() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports helper.dll
            /Python/Lib/site-packages/pkg/helper.dll     imports nowhere.dll
            import pkg
            "#,
            expect![[r#"
                error missing-dll: nowhere.dll
                  `import pkg` will fail: nowhere.dll is missing.
                  pkg/helper.dll imports nowhere.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
                  Install the program or package that the DLL belongs to.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
            "#]],
        );
    }

    /// Checks a module for the stable ABI of both builds (PEP 803) in Python 3.15 with these files.
    fn check_stable_abi(files: &str, expected: Expect) {
        check(
            &format!(
                r#"
            /Python/python.exe       imports python315.dll
            /Python/python315.dll    version 3.15.2150.1013
            /Python/python3.dll
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports python3t.dll
            /Python/Lib/site-packages/pkg-1.0.dist-info/METADATA   text
                Name: pkg
                Version: 1.0
            /Python/Lib/site-packages/pkg-1.0.dist-info/RECORD     text
                pkg/__init__.py,,
                pkg/native.pyd,,
            {files}
            import pkg
            "#
            ),
            expected,
        );
    }

    #[test]
    fn the_stable_abi_that_python_itself_lacks() {
        check_stable_abi(
            "",
            expect![[r#"
                error missing-dll: python3t.dll
                  `import pkg` will fail: python3t.dll is missing.
                  pkg/native.pyd imports python3t.dll; Python 3.15 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
                  Repair Python 3.15.2 with its installer.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  * Repair Python 3.15.2 with its installer | https://www.python.org/downloads/release/python-3152/
            "#]],
        );
        // Installed by python.org's installer or the install manager.
        check_stable_abi("/Python/abi3t-compat/python3t.dll", expect!["healthy\n"]);
        check_stable_abi("/Python/python3t.dll", expect!["healthy\n"]);
    }

    #[test]
    fn the_stable_abi_that_conda_python_lacks() {
        check_stable_abi(
            r#"/Python/conda-meta/python-3.15.2-h1_cp315.json    text
                {"name": "python", "version": "3.15.2", "files": ["python.exe", "python315.dll", "python3.dll"]}"#,
            expect![[r#"
                error missing-dll: python3t.dll
                  `import pkg` will fail: python3t.dll is missing.
                  pkg/native.pyd imports python3t.dll; Python 3.15 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
                  It belongs to Python itself, and conda's package of this Python does not include it: update Python.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  ? Update Python 3.15.2 to the newest release of 3.15 | conda update -p C:\Python python
            "#]],
        );
        // It was installed and then removed.
        check_stable_abi(
            r#"/Python/conda-meta/python-3.15.2-h1_cp315.json    text
                {"name": "python", "version": "3.15.2", "files": ["python.exe", "python315.dll", "python3t.dll"]}"#,
            expect![[r#"
                error damaged-install: python3t.dll
                  `import pkg` will fail: C:\Python\python3t.dll has disappeared.
                  python installed it, according to its RECORD, but it is gone; pkg/native.pyd imports python3t.dll (Windows error 126).
                  Reinstall python 3.15.2 with conda.
                  If the file disappears again, check your antivirus program's quarantine.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  * Reinstall python 3.15.2 with conda | conda install --force-reinstall -p C:\Python python=3.15.2
            "#]],
        );
    }

    #[test]
    fn the_package_that_needs_it_is_reinstalled() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports nowhere.dll
            /Python/Lib/site-packages/pkg_cpu-1.2.dist-info/METADATA   text
                Metadata-Version: 2.1
                Name: pkg-cpu
                Version: 1.2
            /Python/Lib/site-packages/pkg_cpu-1.2.dist-info/RECORD     text
                pkg/__init__.py,,
                pkg/native.pyd,,
            import pkg
            "#,
            expect![[r#"
                error missing-dll: nowhere.dll
                  `import pkg` will fail: nowhere.dll is missing.
                  pkg/native.pyd imports nowhere.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
                  Install the program or package that the DLL belongs to, or another version of pkg-cpu.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
                  ? Update pkg-cpu | C:\Python\python.exe -m pip install --upgrade pkg-cpu
            "#]],
        );
    }

    #[test]
    fn ten_modules_that_lack_one_dll_are_one_finding() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                for name in ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']:
                    try:
                        __import__('pkg.' + name)
                    except ImportError:
                        pass
                from . import j
            /Python/Lib/site-packages/pkg/a.pyd     imports nowhere.dll
            /Python/Lib/site-packages/pkg/b.pyd     imports nowhere.dll
            /Python/Lib/site-packages/pkg/c.pyd     imports NOWHERE.dll
            /Python/Lib/site-packages/pkg/d.pyd     imports nowhere.dll
            /Python/Lib/site-packages/pkg/e.pyd     imports nowhere.dll
            /Python/Lib/site-packages/pkg/f.pyd     imports nowhere.dll
            /Python/Lib/site-packages/pkg/g.pyd     imports nowhere.dll
            /Python/Lib/site-packages/pkg/h.pyd     imports nowhere.dll
            /Python/Lib/site-packages/pkg/i.pyd     imports nowhere.dll
            /Python/Lib/site-packages/pkg/j.pyd     imports nowhere.dll
            import pkg
            "#,
            expect![[r#"
                error missing-dll: nowhere.dll
                  `import pkg` will fail: nowhere.dll is missing.
                  pkg/j.pyd imports nowhere.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
                  Install the program or package that the DLL belongs to.
                  Python: ImportError: DLL load failed while importing j: The specified module could not be found.
            "#]],
        );
    }

    #[test]
    fn several_dlls_that_one_module_lacks_are_reported_together() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports one.dll, two.dll
            import pkg
            "#,
            expect![[r#"
                error missing-dll: one.dll, two.dll
                  `import pkg` will fail: one.dll and two.dll are missing.
                  pkg/native.pyd imports one.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
                  Install the program or package that the DLL belongs to.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
            "#]],
        );
    }

    #[test]
    fn a_module_that_the_package_can_do_without_is_a_warning() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                try:
                    import h5py
                except ImportError:
                    h5py = None
            /Python/Lib/site-packages/h5py/__init__.py   text
                from . import h5
            /Python/Lib/site-packages/h5py/h5.pyd        imports hdf5.dll
            import pkg
            "#,
            expect![[r#"
                warning missing-dll: hdf5.dll
                  A part of what `import pkg` uses is broken: hdf5.dll is missing.
                  h5py/h5.pyd imports hdf5.dll; Python 3.8 looks for it in h5py, C:\Python and System32, and it is in none of them (Windows error 126).
                  Install the program or package that the DLL belongs to.
                  Python: ImportError: DLL load failed while importing h5: The specified module could not be found.
            "#]],
        );
    }

    #[test]
    fn a_library_whose_absence_is_handled_is_not_reported() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                import ctypes
                try:
                    ctypes.WinDLL('nvcuda.dll')
                    has_gpu = True
                except OSError:
                    has_gpu = False
            import pkg
            "#,
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn a_package_that_loads_all_dlls_of_a_folder_may_fail() {
        let world = |loads: &str| {
            format!(
                "
                /Python/python.exe       imports python38.dll
                /Python/python38.dll     version 3.8.10150.1013
                /Python/Lib/os.py        text
                /Python/Lib/site-packages/pkg/__init__.py  text
                    import ctypes, random
                    from . import good
                    for dll in random.sample(['a.dll', 'b.dll'], 2):
                        {loads}
                /Python/Lib/site-packages/pkg/good.pyd
                /Python/Lib/site-packages/pkg/lib/a.dll
                /Python/Lib/site-packages/pkg/lib/b.dll  imports nowhere.dll
                /Python/Lib/site-packages/pkg/other.pyd  imports elsewhere.dll
                /Python/Lib/site-packages/pkg-1.dist-info/METADATA  text
                    Name: pkg
                    Version: 1
                /Python/Lib/site-packages/pkg-1.dist-info/RECORD  text
                    pkg/__init__.py,,
                    pkg/good.pyd,,
                    pkg/lib/a.dll,,
                    pkg/lib/b.dll,,
                    pkg/other.pyd,,
                import pkg
            "
            )
        };
        check(
            &world("ctypes.CDLL(dll)"),
            expect![[r#"
                warning missing-dll: nowhere.dll
                  `import pkg` may fail: nowhere.dll is missing.
                  pkg/lib/b.dll imports nowhere.dll; Python 3.8 looks for it in pkg/lib, C:\Python and System32, and it is in none of them (Windows error 126). __init__.py:4 loads the files that it finds in a folder, and it is not known which, so this is not certain.
                  Install the program or package that the DLL belongs to, or another version of pkg.
                  Python: FileNotFoundError: Could not find module 'C:\Python\Lib\site-packages\pkg\lib\b.dll' (or one of its dependencies). Try using the full path with constructor syntax.
                  ? Update pkg | C:\Python\python.exe -m pip install --upgrade pkg
            "#]],
        );
        check(
            &world("print(dll)"),
            expect![[r#"
            healthy
        "#]],
        );
    }

    #[test]
    fn a_module_under_an_unknown_condition_is_not_reported() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                import random
                if random.random() < 0.5:
                    from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports nowhere.dll
            import pkg
            "#,
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn a_module_in_both_branches_of_an_unknown_condition_fails() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                import random
                if random.random() < 0.5:
                    from . import native
                else:
                    from .native import something
            /Python/Lib/site-packages/pkg/native.pyd     imports nowhere.dll
            import pkg
            "#,
            expect![[r#"
                error missing-dll: nowhere.dll
                  `import pkg` will fail: nowhere.dll is missing.
                  pkg/native.pyd imports nowhere.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
                  Install the program or package that the DLL belongs to.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
            "#]],
        );
    }

    #[test]
    fn a_missing_cuda_library_names_the_required_version() {
        check(
            r#"
            /Python/python.exe       imports python37.dll
            /Python/python37.dll     version 3.7.9150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports cudart64_100.dll, cublas64_100.dll, cudnn64_7.dll, nvcuda.dll
            import pkg
            "#,
            expect![[r#"
                error missing-dll: cudart64_100.dll, cublas64_100.dll, cudnn64_7.dll, nvcuda.dll
                  `import pkg` will fail: cudart64_100.dll, cublas64_100.dll, cudnn64_7.dll and nvcuda.dll are missing.
                  pkg/native.pyd imports cudart64_100.dll; Python 3.7 looks for it in pkg, System32, C:\Windows\System and C:\Windows, and it is in none of them (Windows error 126). They belong to CUDA 10.0, cuDNN 7 and the NVIDIA driver.
                  Install CUDA 10.0, cuDNN 7 and the NVIDIA driver (other versions of CUDA use other names) and put their bin folders on PATH, or install the package's build without GPU support.
                  Python: ImportError: DLL load failed: The specified module could not be found.
                  ? Open NVIDIA's archive for CUDA 10.0 | https://developer.nvidia.com/cuda-toolkit-archive
                  ? Open NVIDIA's archive for cuDNN 7 | https://developer.nvidia.com/rdp/cudnn-archive
            "#]],
        );
    }
}
