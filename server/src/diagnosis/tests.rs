//! Properties of all codes.

use std::collections::BTreeSet;

use expect_test::expect;
use world::World;

use super::{Code, Finding, Health, Severity};
use crate::testing::{answer, assert_complete, check, diagnosed};

/// One world for each kind of failure. All of them import `pkg`.
const BROKEN: &[&str] = &[
    "/s/pkg.pyd  imports nowhere.dll",
    "/s/pkg.pyd  imports nowhere.dll, msvcp140.dll, a.dll, b.dll, python39.dll\n/s/a.dll  x86\n/s/b.dll  junk",
    "/s/pkg.pyd  imports msvcp140.dll, vcruntime140_1.dll",
    "/s/pkg.pyd  imports a.dll, msvcp140.dll\n/path/a.dll\n/path/msvcp140.dll\npath /path",
    "/s/pkg.pyd  x86",
    "/s/pkg.pyd  arm64",
    "/s/pkg.pyd  imports msvcp140.dll\n/s/msvcp140.dll  x86",
    "/s/pkg.pyd  imports a.dll!gone\n/s/a.dll  exports f",
    "/s/pkg.pyd  imports msvcp140.dll!_Mtx_lock, calls its first import\n/Python/msvcp140.dll  version 14.29.0.0, exports _Mtx_lock",
    "machine windows-11+vcredist\n/s/pkg.pyd  imports msvcp140.dll!_Mtx_lock, calls its first import\n/Python/msvcp140.dll  version 14.29.0.0, exports _Mtx_lock",
    "machine windows-11+vcredist\n/s/pkg.pyd  imports msvcp140.dll!_Mtx_lock, calls its first import\n/Python/msvcp140.dll  x86, version 14.29.0.0, exports _Mtx_lock",
    "machine windows-10\n/s/pkg.pyd  imports api-ms-win-core-future-l1-1-0.dll",
    "/s/pkg.pyd  manifest \"<assembly><dependency><dependentAssembly><assemblyIdentity name='parts' version='1.0.0.0'/></dependentAssembly></dependency></assembly>\"",
    "/s/pkg/__init__.py  text\n    from . import LONG\n/s/pkg/LONG.pyd  manifest \"<assembly/>\"",
    "/s/pkg.pyd  uses avx\nprocessor sse3",
    "/s/pkg.pyd  empty",
    "/s/pkg.pyd  imports a.dll\n/s/a.dll  html",
    "/s/pkg.pyd\ndenied /s/pkg.pyd",
    "/s/pkg.cp39-win_amd64.pyd",
    "/s/pkg.pyd  imports python39.dll",
    "/s/pkg.pyd  imports python39.dll\n/s/python39.dll",
    "/s/other.pyd",
    "/s/pkg/other.pyd\nimport pkg.sub",
    "/s/pkg/__init__.py  text\n    from . import a\n/s/pkg-1.dist-info/METADATA  text\n    Name: pkg\n/s/pkg-1.dist-info/RECORD  text\n    pkg/a.pyd,,9",
    "/s/pkg.py  text\n/s/pkg-1.dist-info/METADATA  text\n    Name: pkg\n/s/pkg-1.dist-info/RECORD  text\n    pkg.py,,\n    a.pyd,,9",
    "/s/pkg.pyd\n/w/pkg.py  text\nscript /w/main.py",
    "/s/pkg.py  text\n/s/~kg/x.py  text",
    "/s/pkg.pyd  imports nowhere.dll\n/s/~kg/x.py  text\n/s/pkg-1.dist-info/METADATA  text\n    Name: pkg\n/s/pkg-1.dist-info/RECORD  text\n    pkg.pyd,,9",
    "/s/pkg.py  text\n    try:\n        import other\n    except ImportError:\n        pass\n/s/other.pyd  imports nowhere.dll",
    "/s/pkg_pb2.py  text\n    fields=[\n        _descriptor.FieldDescriptor()]\n/s/pkg.py  text\n    import pkg_pb2\n/s/protobuf-4.dist-info/METADATA  text\n    Name: protobuf\n/s/google/_upb/_message.pyd",
    "/s/pkg.py  text\n    import tensorflow.python.platform.build_info\n/s/tensorflow/python/platform/build_info.py  text\n    is_cuda_build = True; cuda_version_number = '10.0'\n/s/nvidia/cudnn/bin/cudnn64_7.dll",
    "/s/pkg.py  text\n    import tensorflow.python.platform.build_info\n/s/tensorflow/python/platform/build_info.py  text\n    is_cuda_build = False\n/s/tensorflow-2.12.dist-info/RECORD  text\n    tensorflow/python/platform/build_info.py,,\n/s/nvidia/cudnn/bin/cudnn64_7.dll",
];

/// Returns the findings of these worlds, with and without a PATH, in 64-bit and 32-bit versions,
/// with an older and a newer Python.
fn all_findings() -> Vec<Finding> {
    let mut findings = Vec::new();
    for (minor, machine) in [(7, ""), (8, ""), (8, "x86, "), (12, "")] {
        let python = format!(
            "/Python/python.exe  {machine}imports python3{minor}.dll\n\
             /Python/python3{minor}.dll  {machine}version 3.{minor}.9150.1013\n/Python/Lib/os.py  text\n"
        );
        for broken in BROKEN {
            let text = format!("{python}import pkg\n{broken}\n").replace("/s/", "/Python/Lib/site-packages/");
            let text = text.replace("LONG", &"a".repeat(230));
            let world = World::new(&text).unwrap();
            let (_, _, diagnosis) = diagnosed(&world);
            assert_eq!(diagnosis.health, Health::of(&diagnosis.findings));
            findings.extend(diagnosis.findings);
        }
    }
    findings
}

#[test]
fn every_finding_has_what_is_wrong_how_we_know_and_what_to_do() {
    let findings = all_findings();
    findings.iter().for_each(assert_complete);
    let met: BTreeSet<Code> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(met, Code::ALL.iter().copied().collect());
}

#[test]
fn the_culprit_is_at_the_end_of_the_chain() {
    for finding in all_findings() {
        if let (Some(dll), Some(last)) = (finding.dlls.first(), finding.chain.last()) {
            assert!(dll.eq_ignore_ascii_case(&last.name), "{finding:#?}");
        }
        assert!(finding.message().len() < 1000, "{}", finding.message());
    }
}

#[test]
fn several_causes_are_several_findings_in_the_order_in_which_windows_reports_them() {
    check(
        r#"
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg.pyd   imports b.dll, msvcp140.dll, a.dll, nowhere.dll
        /Python/Lib/site-packages/a.dll     x86
        /Python/Lib/site-packages/b.dll     junk
        import pkg
        "#,
        expect![[r#"
            error bad-image: b.dll
              `import pkg` will fail: b.dll is damaged.
              Windows refuses the file (error 193): the file is not a Windows program or DLL; it looks like a Git LFS pointer, not the file it stands for.
              Replace C:\Python\Lib\site-packages\b.dll with an intact copy from its original source.
              Python: ImportError: DLL load failed while importing pkg: %1 is not a valid Win32 application.
            error missing-vc-runtime: msvcp140.dll
              `import pkg` will fail: msvcp140.dll is missing. It is part of the Microsoft Visual C++ v14 Redistributable (x64).
              pkg.pyd imports msvcp140.dll; Python 3.8 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the runtime into this Python with pip (no administrator needed), or download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator.
              Python: ImportError: DLL load failed while importing pkg: %1 is not a valid Win32 application.
              * Install the runtime into this Python with pip (no administrator needed) | C:\Python\python.exe -m pip install msvc-runtime
              - Download and install the Microsoft Visual C++ v14 Redistributable (x64), as an administrator | https://aka.ms/vc14/vc_redist.x64.exe
            error wrong-architecture: a.dll
              `import pkg` will fail: a.dll is 32-bit (x86), but this Python is 64-bit (x64).
              The file's header shows this, and no searched directory contains another copy; Windows refuses it (error 193).
              Choose a Python that is also 32-bit (x86), or replace the file.
              Python: ImportError: DLL load failed while importing pkg: %1 is not a valid Win32 application.
              ? Choose an interpreter that is 32-bit (x86) | whydll.interpreter
            error missing-dll: nowhere.dll
              `import pkg` will fail: nowhere.dll is missing.
              pkg.pyd imports nowhere.dll; Python 3.8 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing pkg: %1 is not a valid Win32 application.
        "#]],
    );
}

#[test]
fn an_error_and_a_warning_with_the_same_cause_are_one_error() {
    check(
        r#"
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg.py      text
            try:
                import one
            except ImportError:
                pass
            import two
        /Python/Lib/site-packages/one.pyd     imports nowhere.dll, also_nowhere.dll
        /Python/Lib/site-packages/two.pyd     imports nowhere.dll
        import pkg
        "#,
        expect![[r#"
            error missing-dll: nowhere.dll
              `import pkg` will fail: nowhere.dll is missing.
              two.pyd imports nowhere.dll; Python 3.8 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing two: The specified module could not be found.
            warning missing-dll: also_nowhere.dll
              A part of what `import pkg` uses is broken: also_nowhere.dll is missing.
              one.pyd imports also_nowhere.dll; Python 3.8 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing one: The specified module could not be found.
        "#]],
    );
}

#[test]
fn a_part_of_the_package_is_broken_only_if_the_import_reaches_it() {
    check(
        r#"
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg/__init__.py     text
            def later():
                from . import gpu
        /Python/Lib/site-packages/pkg/gpu.pyd         imports cudart64_101.dll
        import pkg
        import pkg.gpu
        "#,
        expect![[r#"
            healthy
            error missing-dll: cudart64_101.dll
              `import pkg.gpu` will fail: cudart64_101.dll is missing.
              pkg/gpu.pyd imports cudart64_101.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126). It belongs to CUDA 10.1.
              Install CUDA 10.1 (other versions of CUDA use other names) and add its bin folder with os.add_dll_directory before the import, or install the package's build without GPU support.
              Python: ImportError: DLL load failed while importing gpu: The specified module could not be found.
              ? Open NVIDIA's archive for CUDA 10.1 | https://developer.nvidia.com/cuda-toolkit-archive
        "#]],
    );
}

#[test]
fn health_is_determined_by_the_most_severe_finding() {
    let world = World::new(
        "
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg.py      text
            try:
                import one
            except ImportError:
                pass
        /Python/Lib/site-packages/one.pyd     imports nowhere.dll
        import pkg
        ",
    );
    let (_, _, diagnosis) = diagnosed(&world.unwrap());
    assert_eq!(diagnosis.health, Health::Degraded);
    let severities: Vec<Severity> = diagnosis.findings.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Warning]);
    assert_eq!(Health::of(&[]), Health::Healthy);
}

const PYTHON: &str = "\
/Python/python.exe       imports python38.dll
/Python/python38.dll     version 3.8.10150.1013
/Python/Lib/os.py        text
/Python/Lib/random.py    text
/Python/Lib/site-packages/core/__init__.py    text
    from . import native
/Python/Lib/site-packages/core/native.pyd     imports far.dll
/Python/Lib/site-packages/other.pyd           imports absent.dll
/Python/Lib/site-packages/user.py             text
    import core
/Python/Lib/site-packages/pure.py             text
    import random
/libs/far.dll
";

/// Checks a program whose directory is `/w`.
fn check_program(program: &str, expected: expect_test::Expect) {
    check(&format!("{PYTHON}{program}"), expected);
}

#[test]
fn a_module_of_the_program_adds_the_directory() {
    check_program(
        "\
/w/main.py  text
    import core
    import settings
    import core
/w/settings.py  text
    import os
    os.add_dll_directory('C:/libs')
program /w/main.py
",
        expect![[r#"
            core: error missing-dll: far.dll
              `import core` will fail: far.dll is missing.
              core/native.pyd imports far.dll; Python 3.8 looks for it in core, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing native: The specified module could not be found.
            settings: not watched
            core: healthy
        "#]],
    );
    check_program(
        "\
/w/main.py  text
    from app import settings
    import core
/w/app/settings.py  text
    import os
    os.add_dll_directory('C:/libs')
program /w/main.py
",
        expect![[r#"
            app: not watched
            core: healthy
        "#]],
    );
    // The same module elsewhere: the directory of its package isn't searched, but the parent
    // directory is.
    check_program(
        "\
/w/app/__init__.py  text
/w/app/main.py  text
    import settings
    import core
/w/app/settings.py  text
    import os
    os.add_dll_directory('C:/libs')
program /w/app/main.py
",
        expect![[r#"
            settings: not watched
            core: error missing-dll: far.dll
              `import core` will fail: far.dll is missing.
              core/native.pyd imports far.dll; Python 3.8 looks for it in core, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing native: The specified module could not be found.
        "#]],
    );
}

#[test]
fn a_program_can_use_its_path_and_its_search_path() {
    check_program(
        "\
/w/main.py  text
    import os, sys
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'src'))
    import paths
    import core
/w/src/paths.py  text
    import os
    os.add_dll_directory('C:/libs')
program /w/main.py
",
        expect![[r#"
            paths: not watched
            core: healthy
        "#]],
    );
    // A module that may be in an unknown directory isn't missing.
    check_program(
        "\
/w/main.py  text
    import tensorflow
    import sys
    sys.path.append(sys.argv[1])
    import tensorflow
program /w/main.py
",
        expect![[r#"
            tensorflow: error not-installed: 
              tensorflow is not installed in the selected environment, so `import tensorflow` will fail.
              tensorflow is not in C:\Python\Lib\site-packages.
              Choose the environment that has it, or install it into this one.
              Python: ModuleNotFoundError: No module named 'tensorflow'
              ? Install tensorflow into this environment | C:\Python\python.exe -m pip install tensorflow
              ? Choose another interpreter | whydll.interpreter
            tensorflow: healthy
        "#]],
    );
}

#[test]
fn modules_that_python_imports_at_start_cannot_be_hidden_but_others_can() {
    check_program(
        "\
/w/main.py  text
    import pure
    import core
/w/os.py  text
    import other
/w/random.py  text
    import os
    os.add_dll_directory('C:/libs')
program /w/main.py
",
        expect![[r#"
            pure: not watched
            core: healthy
        "#]],
    );
}

#[test]
fn all_packages_with_native_code_are_watched() {
    check_program(
        "\
/w/main.py  text
    import os
    import pure
    import nowhere
    import user, helper
    try:
        import other
    except ImportError:
        pass
    def f():
        import core.native
/w/helper.py  text
    import other
program /w/main.py
",
        expect![[r#"
            pure: not watched
            nowhere: not watched
            user: error missing-dll: far.dll
              `import user` will fail: far.dll is missing.
              core/native.pyd imports far.dll; Python 3.8 looks for it in core, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing native: The specified module could not be found.
            helper: error missing-dll: absent.dll
              `import helper` will fail: absent.dll is missing.
              helper.py, line 1, imports other. other.pyd imports absent.dll; Python 3.8 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing other: The specified module could not be found.
            other: error missing-dll: absent.dll
              `import other` will fail: absent.dll is missing.
              other.pyd imports absent.dll; Python 3.8 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing other: The specified module could not be found.
            core.native: error missing-dll: far.dll
              `import core.native` will fail: far.dll is missing.
              core/native.pyd imports far.dll; Python 3.8 looks for it in core, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing native: The specified module could not be found.
        "#]],
    );
}

#[test]
fn imports_are_made_one_after_the_other_in_one_process() {
    check_program(
        "\
/Python/Lib/site-packages/one.pyd  imports shared.dll
/Python/Lib/site-packages/two/__init__.py  text
/Python/Lib/site-packages/two/sub.pyd  imports shared.dll
/first/shared.dll
/w/main.py  text
    import os
    import one
    import core
    os.add_dll_directory('C:/first')
    from two import sub
    import one, core
    os.add_dll_directory('C:/libs')
    import one
    from core import native
    import core.native as again
    from two import sub
    from two import absent
program /w/main.py
",
        expect![[r#"
            one: error missing-dll: shared.dll
              `import one` will fail: shared.dll is missing.
              one.pyd imports shared.dll; Python 3.8 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing one: The specified module could not be found.
            core: error missing-dll: far.dll
              `import core` will fail: far.dll is missing.
              core/native.pyd imports far.dll; Python 3.8 looks for it in core, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing native: The specified module could not be found.
            two: healthy
            one: healthy
            core: error missing-dll: far.dll
              `import core` will fail: far.dll is missing.
              core/native.pyd imports far.dll; Python 3.8 looks for it in core, C:\Python, C:/first and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing native: The specified module could not be found.
            one: healthy
            core: healthy
            core.native: healthy
            two: healthy
            two: healthy
        "#]],
    );
}

#[test]
fn the_kernel_of_a_notebook_has_loaded_its_own_native_code() {
    const MACHINE: &str = "\
machine windows-11+vcredist
/Python/Lib/site-packages/zmq/__init__.py  text
    from . import _zmq
/Python/Lib/site-packages/zmq/_zmq.pyd     imports msvcp140.dll!_Mtx_lock
/Python/Lib/site-packages/zmq/msvcp140.dll  version 14.16.0.0, exports _Mtx_lock
/Python/Lib/site-packages/onnx.pyd  imports msvcp140.dll!_Mtx_lock, calls its first import
/w/cell.py  text
    import onnx
";
    const KERNEL: &str = "\
/Python/Lib/site-packages/ipykernel/__init__.py  text
/Python/Lib/site-packages/ipykernel/kernelapp.py  text
    import zmq
";
    check_program(
        &format!("{MACHINE}{KERNEL}cell /w/cell.py\nprogram /w/cell.py\n"),
        expect![[r#"
            onnx: error conflicting-vc-runtime: msvcp140.dll
              `import onnx` will fail: onnx.pyd needs msvcp140.dll 14.40 or newer, but gets 14.16.0.0 and crashes in it.
              It locks mutexes when it starts, as only code for msvcp140.dll 14.40 or newer does, and C:\Python\Lib\site-packages\zmq\msvcp140.dll is older (Windows error 1114); this copy was loaded first by the rule "the DLL's own directory" (zmq/__init__.py:1 → zmq/_zmq.pyd), and Windows reuses a DLL that is already loaded, wherever it is. C:\Windows\System32\msvcp140.dll 14.51.36247.0 would do.
              Rename C:\Python\Lib\site-packages\zmq\msvcp140.dll to msvcp140.dll.old.
              Python: ImportError: DLL load failed while importing onnx: A dynamic link library (DLL) initialization routine failed.
              * Rename C:\Python\Lib\site-packages\zmq\msvcp140.dll to msvcp140.dll.old | Rename-Item -LiteralPath C:\Python\Lib\site-packages\zmq\msvcp140.dll -NewName msvcp140.dll.old
            onnx: healthy
        "#]],
    );
    check_program(
        &format!("{MACHINE}cell /w/cell.py\n"),
        expect![[r#"
        onnx: healthy
    "#]],
    );
}

#[test]
fn a_name_that_is_imported_from_a_package_may_be_a_module() {
    check_program(
        "\
/Python/Lib/site-packages/qt/__init__.py  text
    known = 1
/Python/Lib/site-packages/qt/widgets.pyd  imports absent.dll
/Python/Lib/site-packages/qt/known.pyd    imports absent.dll
/Python/Lib/site-packages/qt/text.py      text
/w/main.py  text
    import qt
    from qt import known, text
    from qt import text, widgets
program /w/main.py
",
        expect![[r#"
            qt: not watched
            qt: not watched
            qt: error missing-dll: absent.dll
              `from qt import widgets` will fail: absent.dll is missing.
              qt/widgets.pyd imports absent.dll; Python 3.8 looks for it in qt, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing widgets: The specified module could not be found.
        "#]],
    );
}

#[test]
fn a_name_that_is_imported_from_a_lazy_package_is_loaded_by_its_getattr() {
    check_program(
        "\
/Python/Lib/site-packages/lazy/__init__.py  text
    import importlib
    def __getattr__(name):
        if name in ('Sphere', 'Cube', 'sound'):
            return getattr(importlib.import_module('lazy._' + name.lower()), name)
        raise AttributeError(name)
/Python/Lib/site-packages/lazy/_sphere.py  text
    from . import native
/Python/Lib/site-packages/lazy/_sound.py  text
    sound = 1
/Python/Lib/site-packages/lazy/native.pyd  imports absent.dll
/w/main.py  text
    import lazy
    from lazy import sound
    from lazy import sound, Sphere
program /w/main.py
",
        expect![[r#"
            lazy: not watched
            lazy: not watched
            lazy: error missing-dll: absent.dll
              `from lazy import Sphere` will fail: absent.dll is missing.
              lazy/native.pyd imports absent.dll; Python 3.8 looks for it in lazy, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing native: The specified module could not be found.
        "#]],
    );
}

#[test]
fn a_module_that_hides_a_package_counts_if_the_package_has_native_code() {
    // `tests` belongs to a package whose native code is in another directory.
    check_program(
        "\
/Python/Lib/site-packages/tests/__init__.py  text
/Python/Lib/site-packages/other-1.dist-info/METADATA  text
    Name: other
/Python/Lib/site-packages/other-1.dist-info/RECORD  text
    other.pyd,,
    tests/__init__.py,,
/w/main.py  text
    import tests, user
    from core import native
    import other
/w/tests/__init__.py  text
/w/user.py  text
/w/core/__init__.py  text
/w/core/native.py  text
/w/other.py  text
program /w/main.py
",
        expect![[r#"
            tests: not watched
            user: warning shadowed-module: 
              `import user` uses your file user.py, not the installed user.
              Python looks in C:\w first, so it never reaches C:\Python\Lib\site-packages\user.py.
              Rename the file user.py to my_user.py.
              Use the new name wherever your program imports your own file.
              * Rename the file user.py to my_user.py | Rename-Item -LiteralPath C:\w\user.py -NewName my_user.py
            core: warning shadowed-module: 
              `import core` uses your folder core, not the installed core.
              Python looks in C:\w first, so it never reaches C:\Python\Lib\site-packages\core.
              Rename the folder.
              Use the new name wherever your program imports your own folder.
              ~ Rename the folder core to my_core | Rename-Item -LiteralPath C:\w\core -NewName my_core
            other: warning shadowed-module: 
              `import other` uses your file other.py, not the installed other 1.
              Python looks in C:\w first, so it never reaches C:\Python\Lib\site-packages\other.pyd.
              Rename the file.
              Use the new name wherever your program imports your own file.
              ~ Rename the file other.py to my_other.py | Rename-Item -LiteralPath C:\w\other.py -NewName my_other.py
        "#]],
    );
}

#[test]
fn a_package_determines_where_its_submodules_are() {
    check_program(
        "\
/Python/Lib/site-packages/moved/__init__.py  text
    __path__ = [__path__[0] + '/inner', __path__[0]]
/Python/Lib/site-packages/moved/inner/sub.pyd  imports absent.dll
/Python/Lib/site-packages/hidden/__init__.py  text
    from core import native
    __path__ = native.somewhere()
/Python/Lib/site-packages/plain/__init__.py  text
/Python/Lib/site-packages/plain/native.pyd
/w/main.py  text
    import os
    os.add_dll_directory('C:/libs')
    import moved.sub
    import hidden.sub
    from hidden import sub
    import plain.native, plain.sub
program /w/main.py
",
        expect![[r#"
            moved.sub: error missing-dll: absent.dll
              `import moved.sub` will fail: absent.dll is missing.
              moved/inner/sub.pyd imports absent.dll; Python 3.8 looks for it in moved/inner, C:\Python, C:/libs and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing sub: The specified module could not be found.
            hidden.sub: healthy
            hidden: not watched
            plain.native: healthy
            plain.sub: error not-installed: 
              `import plain.sub` will fail: plain is installed, but it does not contain plain.sub.
              The package contains no file or folder of that name.
              Choose the environment whose version has it, or install another version.
              Python: ModuleNotFoundError: No module named 'plain.sub'
        "#]],
    );
}

/// An import of the standard library is reported only if its native code can't be loaded.
#[test]
fn native_code_of_python_itself() {
    check(
        r#"
        /Python/python.exe       imports python312.dll
        /Python/python312.dll    version 3.12.9150.1013
        /Python/Lib/os.py        text
        /Python/Lib/json/__init__.py       text
            import re
        /Python/Lib/ctypes/__init__.py     text
            from _ctypes import Union
        /Python/Lib/sqlite3/__init__.py    text
            from sqlite3.dbapi2 import *
        /Python/Lib/sqlite3/dbapi2.py      text
            from _sqlite3 import *
        /Python/Lib/ssl.py                 text
            import _ssl
        /Python/Lib/hashlib.py             text
            try:
                import _hashlib
            except ImportError:
                pass
        /Python/DLLs/_ctypes.pyd     imports libffi-8.dll
        /Python/DLLs/_sqlite3.pyd    imports sqlite3.dll
        /Python/DLLs/sqlite3.dll
        /Python/DLLs/_ssl.pyd        imports libcrypto-3.dll
        /Python/DLLs/_hashlib.pyd    imports libcrypto-3.dll
        /w/main.py                   text
            import os, sys, json
            import sqlite3
            import hashlib
            import ctypes
            import ssl
        program /w/main.py
        "#,
        expect![[r#"
            sqlite3: not watched
            hashlib: not watched
            ctypes: error missing-dll: libffi-8.dll
              `import ctypes` will fail: libffi-8.dll is missing.
              C:\Python\DLLs\_ctypes.pyd imports libffi-8.dll; Python 3.12 looks for it in C:\Python\DLLs, C:\Python and System32, and it is in none of them (Windows error 126).
              Repair Python 3.12.9 with its installer.
              Python: ImportError: DLL load failed while importing _ctypes: The specified module could not be found.
              * Repair Python 3.12.9 with its installer | https://www.python.org/downloads/release/python-3129/
            ssl: error missing-dll: libcrypto-3.dll
              `import ssl` will fail: libcrypto-3.dll is missing.
              C:\Python\DLLs\_ssl.pyd imports libcrypto-3.dll; Python 3.12 looks for it in C:\Python\DLLs, C:\Python and System32, and it is in none of them (Windows error 126).
              Repair Python 3.12.9 with its installer.
              Python: ImportError: DLL load failed while importing _ssl: The specified module could not be found.
              * Repair Python 3.12.9 with its installer | https://www.python.org/downloads/release/python-3129/
        "#]],
    );
}

#[test]
fn the_dll_of_the_stable_abi_belongs_to_python() {
    check(
        r#"
        /Python/python.exe       imports python312.dll
        /Python/python312.dll    version 3.12.9150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg/__init__.py    text
            from . import native
        /Python/Lib/site-packages/pkg/native.pyd     imports python3.dll
        /Python/Lib/site-packages/pkg-1.0.dist-info/METADATA   text
            Name: pkg
            Version: 1.0
        /Python/Lib/site-packages/pkg-1.0.dist-info/RECORD     text
            pkg/native.pyd,,
        import pkg
        "#,
        expect![[r#"
            error missing-dll: python3.dll
              `import pkg` will fail: python3.dll is missing.
              pkg/native.pyd imports python3.dll; Python 3.12 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
              Repair Python 3.12.9 with its installer.
              Python: ImportError: DLL load failed while importing native: The specified module could not be found.
              * Repair Python 3.12.9 with its installer | https://www.python.org/downloads/release/python-3129/
        "#]],
    );
}

#[test]
fn a_module_of_the_program_that_imports_a_broken_package() {
    check(
        r#"
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/h5py/__init__.py   text
            from . import native
        /Python/Lib/site-packages/h5py/native.pyd    imports hdf5.dll
        /Python/Lib/site-packages/good/__init__.py   text
            from . import native
        /Python/Lib/site-packages/good/native.pyd
        /w/features.py               text
            import os
            import h5py
            def load(): pass
        /w/mypkg/__init__.py         text
        /w/mypkg/io.py               text
            from features import load
        /w/careful.py                text
            try:
                import h5py
            except ImportError:
                h5py = None
        /w/useful.py                 text
            import good
        /w/plain.py                  text
            import os
        /w/wrong.py                  text
            import nowhere
            raise ImportError('not today')
        /w/main.py                   text
            from features import load
            import useful
            import plain
            import wrong
            import careful
            from mypkg.io import load
            import sys
            sys.path.append('C:/w/src')
            import inner
        /w/src/inner.py              text
            import h5py
        program /w/main.py
        "#,
        expect![[r#"
            features: error missing-dll: hdf5.dll
              `import features` will fail: hdf5.dll is missing.
              features.py, line 2, imports h5py. h5py/native.pyd imports hdf5.dll; Python 3.8 looks for it in h5py, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing native: The specified module could not be found.
            useful: healthy
            plain: not watched
            wrong: not watched
            careful: healthy
            mypkg.io: error missing-dll: hdf5.dll
              `import mypkg.io` will fail: hdf5.dll is missing.
              features.py, line 2, imports h5py. h5py/native.pyd imports hdf5.dll; Python 3.8 looks for it in h5py, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing native: The specified module could not be found.
            inner: error missing-dll: hdf5.dll
              `import inner` will fail: hdf5.dll is missing.
              inner.py, line 1, imports h5py. h5py/native.pyd imports hdf5.dll; Python 3.8 looks for it in h5py, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the program or package that the DLL belongs to.
              Python: ImportError: DLL load failed while importing native: The specified module could not be found.
        "#]],
    );
}

/// TensorFlow without absl, mediapipe without cv2: whether a package needs a requirement is decided
/// only by its metadata.
#[test]
fn a_package_that_lacks_what_it_requires() {
    let world = |requires: &str| {
        format!(
            r#"
        /Python/python.exe       imports python312.dll
        /Python/python312.dll    version 3.12.9150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg/__init__.py    text
            try:
                import optional
            except ImportError:
                pass
            from . import native
            from . import more
        /Python/Lib/site-packages/pkg/more.py        text
            from cv2 import imread
        /Python/Lib/site-packages/pkg/native.pyd
        /Python/Lib/site-packages/pkg-1.0.dist-info/METADATA   text
            Name: pkg
            Version: 1.0
            {requires}
        /Python/Lib/site-packages/pkg-1.0.dist-info/RECORD     text
            pkg/__init__.py,,
            pkg/native.pyd,,
        watch
        import pkg
        "#
        )
    };
    check(
        &world("Requires-Dist: opencv-contrib-python"),
        expect![[r#"
            error not-installed: 
              `import pkg` will fail: it needs cv2, which is not installed.
              cv2 is not in C:\Python\Lib\site-packages.
              Install it into this environment, or choose one that has it.
              Python: ModuleNotFoundError: No module named 'cv2'
              ? Install opencv-python into this environment | C:\Python\python.exe -m pip install opencv-python
              ? Choose another interpreter | whydll.interpreter
        "#]],
    );
    check(
        &world("Requires-Dist: opencv-python; extra == 'images'"),
        expect![[r#"
        healthy
    "#]],
    );
}

#[test]
fn a_package_that_imports_a_removed_module_of_the_standard_library() {
    let world = |more: &str| {
        format!(
            r#"
        /Python/python.exe       imports python312.dll
        /Python/python312.dll    version 3.12.9150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg/__init__.py    text
            from distutils.version import LooseVersion
        /Python/Lib/site-packages/pkg/native.pyd
        /Python/Lib/site-packages/pkg-1.0.dist-info/RECORD     text
            pkg/__init__.py,,
            pkg/native.pyd,,
        {more}
        watch
        import pkg
        "#
        )
    };
    check(
        &world(""),
        expect![[r#"
            error not-installed: 
              `import pkg` will fail: it needs distutils, which Python 3.12 no longer includes.
              distutils is not in C:\Python\Lib\site-packages.
              Install it into this environment, or choose one that has it.
              Python: ModuleNotFoundError: No module named 'distutils'
              ? Install setuptools into this environment | C:\Python\python.exe -m pip install setuptools
              ? Choose another interpreter | whydll.interpreter
        "#]],
    );
    let output = answer(&world("").replace("distutils.version", "imp"));
    assert!(output.contains("older Python") && !output.contains("install imp"), "{output}");
    assert!(!answer(&world("/Python/Lib/site-packages/_distutils_hack/__init__.py text")).contains("error"));
}

#[test]
fn a_dll_of_python_that_conda_installed_is_reinstalled_with_conda() {
    let world = |library: &str| {
        format!(
            r#"
        /Python/python.exe       imports python312.dll
        /Python/python312.dll    version 3.12.9150.1013
        /Python/Lib/os.py        text
        /Python/Lib/ctypes/__init__.py     text
            from _ctypes import Union
        /Python/DLLs/_ctypes.pyd     imports ffi-8.dll
        /Python/conda-meta/history   text
        /Python/conda-meta/libffi-3.4.4-h1.json   text
            {{"name": "libffi", "version": "3.4.4", "files": ["{library}"]}}
        /w/main.py                   text
            import ctypes
        program /w/main.py
        "#
        )
    };
    let again = "conda install --force-reinstall -p C:\\Python libffi=3.4.4";
    let output = answer(&world("Library/bin/ffi-8.dll"));
    assert!(output.contains(again), "{output}");
    // In a directory that isn't searched, it wouldn't help.
    let output = answer(&world("elsewhere/ffi-8.dll"));
    assert!(!output.contains(again), "{output}");
}
