//! Failing imports that users reported, rebuilt as small worlds: each is a kind of failure that a
//! package had, together with the intact case. The package and its issue are named.

use end_to_end::{Report, report, strings, text, whydll};
use world::World;

/// The Python of these worlds: every path of `/s/` is in its site-packages.
const PYTHON: &str = "
/Python/python.exe       imports python312.dll
/Python/python312.dll    version 3.12.10150.1013
/Python/Lib/os.py        text
";

/// What torch's `__init__.py` does: it adds directories that depend on the machine, and loads every
/// DLL of its folder.
const LOADS_ALL: &str = r#"
/s/pkg/__init__.py  text
    import ctypes, glob, os, sys, sysconfig
    folder = os.path.join(os.path.dirname(__file__), "lib")
    folders = [folder, os.path.join(sys.exec_prefix, "Library", "bin")]
    if sys.exec_prefix != sys.base_exec_prefix:
        folders.append(os.path.join(sys.base_exec_prefix, "Library", "bin"))
    if sysconfig.get_config_var("userbase") is not None:
        folders.append(os.path.join(sysconfig.get_config_var("userbase"), "Library", "bin"))
    cuda = os.getenv("PKG_CUDA_PATH", "")
    folders = list(filter(os.path.exists, folders + [cuda]))
    kernel32 = ctypes.WinDLL("kernel32.dll", use_last_error=True)
    kernel32.LoadLibraryExW.restype = ctypes.c_void_p
    for each in folders:
        os.add_dll_directory(each)
    for dll in glob.glob(os.path.join(folder, "*.dll")):
        if kernel32.LoadLibraryExW(dll, None, 0x00001100) is None:
            error = ctypes.WinError(ctypes.get_last_error())
            error.strerror += f' Error loading "{dll}" or one of its dependencies.'
            raise error
    from . import _C
/s/pkg/_C.pyd  imports core.dll
"#;

/// Checks a program on a machine with these files. Returns `healthy`, or severity, code, and DLLs
/// of each finding.
fn outcome(machine: &str, files: &str, program: &str) -> String {
    let mut world = PYTHON.to_owned();
    world += &files.replace("/s/", "/Python/Lib/site-packages/");
    world += "\n/project/main.py  text\n";
    world.extend(program.lines().map(|line| format!("    {line}\n")));
    let world = World::new(&world).unwrap();
    let (python, drive) = (text(&world.path("/Python")), text(world.root()));
    let file = text(&world.path("/project/main.py"));
    let host = if machine == "drive" { drive.as_str() } else { machine };
    let mut arguments = vec!["check", "--format", "json", "--python", &python, "--host", host];
    if host != drive {
        arguments.extend(["--drive", &drive]);
    }
    arguments.push(&file);
    summary(&report(&whydll(arguments)))
}

fn summary(report: &Report) -> String {
    let findings = report.findings().iter().map(|finding| {
        let word = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        [word("severity"), word("code"), strings(&finding["dlls"]).join(" ")].join(" ")
    });
    let findings: Vec<String> = findings.collect();
    if findings.is_empty() { report.health().to_owned() } else { findings.join("; ") }
}

#[track_caller]
fn check(machine: &str, files: &str, program: &str, expected: &str) {
    assert_eq!(outcome(machine, files, program), expected, "{program} with {files} on {machine}");
}

/// torch 2.9.0 without the redistributable, and torch 2.4.0 without libomp140 (pytorch#131662).
#[test]
fn a_package_that_loads_every_dll_of_its_folder() {
    let core = |needs: &str| format!("{LOADS_ALL}/s/pkg/lib/core.dll  imports {needs}\n");
    check("windows-11", &core("msvcp140.dll"), "import pkg", "error missing-vc-runtime msvcp140.dll");
    check("windows-11+vcredist", &core("msvcp140.dll"), "import pkg", "healthy");
    let lacking = core("libomp140.x86_64.dll");
    check("windows-11+vcredist", &lacking, "import pkg", "error missing-dll libomp140.x86_64.dll");
    let whole = format!("{lacking}/s/pkg/lib/libomp140.x86_64.dll\n");
    check("windows-11+vcredist", &whole, "import pkg", "healthy");
}

/// optree 0.19.0 after pyarrow 18.1.0 (optree#278), and modules that work with an older runtime.
#[test]
fn an_older_runtime_that_a_package_loads_first() {
    let old = "
/s/old/__init__.py  text
    import ctypes, os
    ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'msvcp140.dll'))
    from . import lib
/s/old/lib.pyd
/s/old/msvcp140.dll  version 14.29.30139.0, exports _Mtx_lock, other
";
    let locks = "/s/new.pyd  linker 14.44, imports msvcp140.dll!_Mtx_lock, calls its first import as it is initialized\n";
    let quiet = "/s/new.pyd  linker 14.44, imports msvcp140.dll!other\n";
    let (after, before) = ("import old\nimport new", "import new\nimport old");
    let machine = "windows-11+vcredist";
    check(machine, &format!("{old}{locks}"), after, "error conflicting-vc-runtime msvcp140.dll");
    check(machine, &format!("{old}{locks}"), before, "healthy");
    check(machine, &format!("{old}{quiet}"), after, "healthy");
}

/// llvmlite 0.45 (llvmlite#1303), which loads its library in a method.
#[test]
fn a_library_that_a_method_loads() {
    let loads = "
/s/pkg/__init__.py  text
    from pkg.ffi import lib
/s/pkg/ffi.py  text
    import ctypes, os
    class Wrapper:
        def __init__(self):
            self._handle = None
        def _load(self):
            here = os.path.dirname(__file__)
            self._handle = ctypes.CDLL(os.path.join(here, 'core.dll'))
            return self._handle
        def __getattr__(self, name):
            return getattr(self._load(), name)
    lib = Wrapper()
    lib.initialize
/s/pkg/core.dll  imports msvcp140.dll
";
    check("windows-11", loads, "from pkg import ffi", "error missing-vc-runtime msvcp140.dll");
    check("windows-11+vcredist", loads, "from pkg import ffi", "healthy");
}

/// ctranslate2 4.5.0 (CTranslate2#1163), which gets its own folder from setuptools.
#[test]
fn a_directory_that_setuptools_names() {
    let loads = "
/s/pkg/__init__.py  text
    import ctypes, glob, os, pkg_resources
    folder = pkg_resources.resource_filename(__name__, '')
    os.add_dll_directory(folder)
    for library in glob.glob(os.path.join(folder, '*.dll')):
        ctypes.CDLL(library)
/s/pkg/core.dll  imports msvcp140.dll
/s/pkg_resources/__init__.py  text
    def resource_filename(package, name): return computed()
";
    check("windows-11", loads, "import pkg", "error missing-vc-runtime msvcp140.dll");
    check("windows-11+vcredist", loads, "import pkg", "healthy");
}

/// pyzbar 0.1.9 (pyzbar#93), whose functions are long, on a machine with the newest runtime only.
#[test]
fn a_runtime_of_another_generation() {
    let world = |more: &str| {
        format!(
            "
/s/pkg/__init__.py  text
    from .wrapper import decode
/s/pkg/wrapper.py  text
    from ctypes import cdll
    from pathlib import Path
    LIBRARY = None
    def load():
        '''Loads the library and what it needs, beside this file.'''
        global LIBRARY
        if not LIBRARY:
            here = Path(__file__).parent
            names = ['dependency.dll', 'core.dll']
            loaded = []
            for name in names:
                loaded.append(cdll.LoadLibrary(str(here.joinpath(name))))
            LIBRARY = loaded[-1]
        return LIBRARY
    def function(name, *arguments):
        prototype = (name, arguments)
        found = (prototype, load())
        return found
    decode = function('decode', 1, 2)
/s/pkg/dependency.dll  imports msvcr120.dll
/s/pkg/core.dll
{more}"
        )
    };
    let machine = "windows-11+vcredist";
    check(machine, &world(""), "import pkg", "error missing-vc-runtime msvcr120.dll");
    check(machine, &world("/s/pkg/msvcr120.dll\n"), "import pkg", "healthy");
}

/// WeasyPrint without GTK (WeasyPrint#971): cffi's `dlopen` of several names in turn.
#[test]
fn a_library_that_cffi_opens() {
    let world = |more: &str| {
        format!(
            "
/s/pkg/__init__.py  text
    import os
    import cffi
    ffi = cffi.FFI()
    def open_any(ffi, *names):
        for name in names:
            try:
                return ffi.dlopen(name, 0x1000)
            except OSError:
                pass
        return ffi.dlopen(names[0], 0x1000)
    gobject = open_any(ffi, 'gobject-0', 'gobject')
/s/cffi/__init__.py  text
    from .api import FFI
/s/cffi/api.py  text
    class FFI:
        def __init__(self):
            import _cffi_backend as backend
            self._backend = backend
        def dlopen(self, name, flags=0):
            return self._backend.load_library(name, flags)
/s/_cffi_backend.pyd
{more}"
        )
    };
    check("windows-11", &world(""), "import pkg", "error missing-dll gobject-0.dll");
    check("windows-11", &world("/Python/gobject-0.dll\n"), "import pkg", "healthy");
}

/// PyQt6 6.6.0 with Qt 6.6.1 (pyqt-tools#105), where native code imports the module that fails.
#[test]
fn a_module_that_native_code_imports() {
    let world = |symbol: &str| {
        format!(
            "
/s/pkg/__init__.py  text
/Python/python3.dll  exports PyImport_AddModule, PyImport_ImportModule
/s/pkg/widgets.pyd  cimports pkg.core
/s/pkg/core.pyd     imports qt.dll!{symbol}
/s/pkg/qt.dll       exports old
"
        )
    };
    check("windows-11", &world("new"), "from pkg.widgets import Application", "error missing-export qt.dll");
    check("windows-11", &world("old"), "from pkg.widgets import Application", "healthy");
}

/// Native code of Python itself lacks a DLL: libffi of conda (conda#12531).
#[test]
fn native_code_of_python_itself() {
    let lacking = "/Python/DLLs/_ctypes.pyd  imports libffi-8.dll\n/Python/Lib/ctypes/__init__.py  text\n    import _ctypes\n";
    let whole = format!("{lacking}/Python/DLLs/libffi-8.dll\n");
    check("windows-11", lacking, "import ctypes", "error missing-dll libffi-8.dll");
    check("windows-11", &whole, "import ctypes", "healthy");
}

/// A foreign OpenSSL in the system's directory (anaconda#10823).
#[test]
fn an_old_library_in_the_system_s_directory() {
    let world = |place: &str| {
        format!(
            "
/Windows/System32/kernel32.dll       version 10.0.22631.1
/Windows/System32/libcrypto-1_1.dll  exports old
/Python/Lib/ssl.py    text
    import _ssl
/Python/DLLs/_ssl.pyd  imports libcrypto-1_1.dll!new
{place}/libcrypto-1_1.dll  exports old, new
"
        )
    };
    check("drive", &world("/Python/Library/bin"), "import ssl", "error missing-export libcrypto-1_1.dll");
    check("drive", &world("/Python/DLLs"), "import ssl", "healthy");
}

/// PySide6 in the folder of the account, and another one in the environment (FreeCAD#28894), on a
/// mounted drive.
#[test]
fn packages_of_the_only_account_of_a_drive() {
    let world = |needs: &str| {
        format!(
            "
/Windows/System32/kernel32.dll  version 10.0.22631.1
/Users/me/AppData/Roaming/Python/Python312/site-packages/pkg/__init__.py  text
    from . import core
/Users/me/AppData/Roaming/Python/Python312/site-packages/pkg/core.pyd  imports {needs}
"
        )
    };
    check("drive", &world("absent.dll"), "import pkg", "error missing-dll absent.dll");
    check("drive", &world("kernel32.dll"), "import pkg", "healthy");
    // With two accounts it isn't known whose Python it is.
    let two = format!("{}/Users/you/x.txt  text\n", world("absent.dll"));
    check("drive", &two, "import pkg", "healthy");
}

/// The stable ABI of Python 3.15 (cpython#150930), which Python itself finds in a folder of its
/// own.
#[test]
fn the_stable_abi_without_a_global_lock() {
    let python = |folder: &str| {
        format!(
            "
/Py315/python.exe       imports python315.dll
/Py315/python315.dll    version 3.15.150.1013
/Py315/Lib/os.py        text
{folder}/python3t.dll   imports python315.dll
/Py315/Lib/site-packages/pkg.pyd  imports python3t.dll
"
        )
    };
    for (folder, expected) in [
        ("/Py315/abi3t-compat", "healthy"),
        ("/Py315", "healthy"),
        ("/elsewhere", "error missing-dll python3t.dll"),
    ] {
        let world = World::new(&python(folder)).unwrap();
        let (python, drive) = (text(&world.path("/Py315")), text(world.root()));
        let arguments = ["check", "--format", "json", "--host", "windows-11", "--import", "pkg"];
        let places = ["--python", &python, "--drive", &drive];
        assert_eq!(summary(&report(&whydll(arguments.into_iter().chain(places)))), expected, "{folder}");
    }
}

/// Packages that import when an attribute is requested (`lazy_loader`, PEP 562).
#[test]
fn an_attribute_that_a_lazy_package_imports() {
    let package = "
/s/pkg/__init__.py  text
    def __getattr__(name):
        if name == 'Sphere':
            from pkg import shapes
            return shapes.Sphere
        raise AttributeError(name)
    eager = 1
/s/pkg/shapes.py  text
    from pkg import core
/s/pkg/core.pyd  imports absent.dll
";
    let failing = "error missing-dll absent.dll";
    check("windows-11", package, "import pkg as p\nball = p.Sphere()", failing);
    check("windows-11", package, "import pkg\nif pkg.eager:\n    print(pkg.Sphere)", failing);
    check("windows-11", package, "import pkg\nball = pkg.eager", "healthy");
    check("windows-11", package, "import pkg\ndef f(): return pkg.Sphere()", "healthy");
    let guarded = "import pkg\ntry:\n    pkg.Sphere()\nexcept ImportError:\n    pass";
    check("windows-11", package, guarded, "hint missing-dll absent.dll");
    let whole = package.replace("absent.dll", "kernel32.dll");
    check("windows-11", &whole, "import pkg\nball = pkg.Sphere()", "healthy");
}
