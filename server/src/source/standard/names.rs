//! The table of the names in the standard library that matter for loading: functions and classes
//! that the plan evaluates, and the objects and namespaces that contain them.
//!
//! Everything that depends on such names is derived from this table: which functions are kept when
//! a module is pruned, which statements before an import count, and what the plan evaluates. A new
//! function is one row here, and its evaluation in `plan/standard`, where the compiler asks for it.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use crate::source::script::Decoration;

/// The effect of a name on loading, or on how functions that mention it are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameEffect {
    /// Imports a module.
    Imports,
    /// Loads a DLL.
    Loads,
    /// Changes where DLLs are searched.
    ChangesDllSearch,
    /// Changes where modules are searched.
    ChangesModuleSearch,
    /// Determines the file of the calling code, from which programs compute the paths of DLLs.
    LocatesCaller,
    /// Makes `platform` determine the name of the machine.
    ReadsMachine,
    /// A decorator.
    Decorates(Decoration),
}

/// Declares the names of each module, each with its dotted name and its effect, if any.
macro_rules! standard_names {
    ($(
        $(#[$doc:meta])*
        $Group:ident($Names:ident) in $module:literal {
            $($Name:ident = $dotted:literal $(: $effect:expr)?,)*
        }
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
            pub enum $Names {
                $(#[doc = concat!("`", $dotted, "`")] $Name,)*
            }
        )*

        /// A name of the table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum StandardName {
            $($(#[$doc])* $Group($Names),)*
        }

        const TABLE: &[StandardName] = &[$($(StandardName::$Group($Names::$Name),)*)*];

        impl StandardName {
            /// Returns the dotted name. That of a built-in is its name alone.
            pub const fn dotted(self) -> &'static str {
                match self {
                    $($(StandardName::$Group($Names::$Name) => $dotted,)*)*
                }
            }

            /// Returns the module or namespace that has this name. It is empty for built-ins.
            pub const fn module(self) -> &'static str {
                match self {
                    $(StandardName::$Group(_) => $module,)*
                }
            }

            /// Returns the effect, if there is one.
            pub const fn effect(self) -> Option<NameEffect> {
                match self {
                    $($(StandardName::$Group($Names::$Name) => standard_names!(@effect $($effect)?),)*)*
                }
            }
        }
    };
    (@effect $effect:expr) => { Some($effect) };
    (@effect) => { None };
}

standard_names! {
    /// Built-in functions and classes.
    Builtin(BuiltinName) in "" {
        Import = "__import__": NameEffect::Imports,
        Len = "len",
        Str = "str",
        Repr = "repr",
        Int = "int",
        Bool = "bool",
        List = "list",
        Tuple = "tuple",
        Set = "set",
        Frozenset = "frozenset",
        Dict = "dict",
        Sorted = "sorted",
        Reversed = "reversed",
        Hasattr = "hasattr",
        Getattr = "getattr",
        Setattr = "setattr",
        Any = "any",
        All = "all",
        Range = "range",
        Enumerate = "enumerate",
        Filter = "filter",
        Globals = "globals",
        Locals = "locals",
        Compile = "compile",
        Exec = "exec",
        Zip = "zip",
        Isinstance = "isinstance",
        Issubclass = "issubclass",
        Open = "open",
        Print = "print",
        Map = "map",
        Iter = "iter",
        Next = "next",
        Min = "min",
        Max = "max",
        Callable = "callable",
        Super = "super",
        Object = "object",
        Property = "property": NameEffect::Decorates(Decoration::Property),
        Staticmethod = "staticmethod": NameEffect::Decorates(Decoration::Static),
        Classmethod = "classmethod": NameEffect::Decorates(Decoration::Class),
        Type = "type",
    }
    /// Built-in exceptions.
    Exception(ExceptionName) in "" {
        BaseException = "BaseException",
        Exception = "Exception",
        ImportError = "ImportError",
        ModuleNotFoundError = "ModuleNotFoundError",
        OsError = "OSError",
        IoError = "IOError",
        EnvironmentError = "EnvironmentError",
        WindowsError = "WindowsError",
        FileNotFoundError = "FileNotFoundError",
        PermissionError = "PermissionError",
        RuntimeError = "RuntimeError",
        NotImplementedError = "NotImplementedError",
        RecursionError = "RecursionError",
        AttributeError = "AttributeError",
        NameError = "NameError",
        UnboundLocalError = "UnboundLocalError",
        KeyError = "KeyError",
        IndexError = "IndexError",
        LookupError = "LookupError",
        ValueError = "ValueError",
        TypeError = "TypeError",
        AssertionError = "AssertionError",
        SystemError = "SystemError",
        SystemExit = "SystemExit",
        KeyboardInterrupt = "KeyboardInterrupt",
        StopIteration = "StopIteration",
        UnicodeDecodeError = "UnicodeDecodeError",
        UnicodeError = "UnicodeError",
        EofError = "EOFError",
        Warning = "Warning",
        ImportWarning = "ImportWarning",
        DeprecationWarning = "DeprecationWarning",
        UserWarning = "UserWarning",
        RuntimeWarning = "RuntimeWarning",
        ArithmeticError = "ArithmeticError",
        ZeroDivisionError = "ZeroDivisionError",
        OverflowError = "OverflowError",
        MemoryError = "MemoryError",
        SyntaxError = "SyntaxError",
        TimeoutError = "TimeoutError",
        ConnectionError = "ConnectionError",
    }
    /// Methods of `dict`.
    Dict(DictName) in "dict" {
        Fromkeys = "dict.fromkeys",
    }
    /// `os`
    Os(OsName) in "os" {
        Path = "os.path",
        Access = "os.access",
        Environ = "os.environ": NameEffect::ChangesDllSearch,
        Getenv = "os.getenv",
        Putenv = "os.putenv": NameEffect::ChangesDllSearch,
        Listdir = "os.listdir",
        Walk = "os.walk",
        AddDllDirectory = "os.add_dll_directory": NameEffect::ChangesDllSearch,
        Fspath = "os.fspath",
        Fsdecode = "os.fsdecode",
    }
    /// `os.path`
    OsPath(OsPathName) in "os.path" {
        Join = "os.path.join",
        Dirname = "os.path.dirname",
        Basename = "os.path.basename",
        Abspath = "os.path.abspath",
        Realpath = "os.path.realpath",
        Normpath = "os.path.normpath",
        Normcase = "os.path.normcase",
        Exists = "os.path.exists",
        Lexists = "os.path.lexists",
        Isfile = "os.path.isfile",
        Isdir = "os.path.isdir",
        Islink = "os.path.islink",
        Ismount = "os.path.ismount",
        Isabs = "os.path.isabs",
        Split = "os.path.split",
        Splitext = "os.path.splitext",
        Expanduser = "os.path.expanduser",
        Expandvars = "os.path.expandvars",
        Relpath = "os.path.relpath",
    }
    /// `sys`
    Sys(SysName) in "sys" {
        Path = "sys.path": NameEffect::ChangesModuleSearch,
        Modules = "sys.modules",
        Implementation = "sys.implementation",
        Getframe = "sys._getframe": NameEffect::LocatesCaller,
        SetLazyImports = "sys.set_lazy_imports",
    }
    /// `inspect`
    Inspect(InspectName) in "inspect" {
        Currentframe = "inspect.currentframe",
        Getfile = "inspect.getfile",
    }
    /// `traceback`
    Traceback(TracebackName) in "traceback" {
        FormatExc = "traceback.format_exc",
    }
    /// `platform`
    Platform(PlatformName) in "platform" {
        System = "platform.system": NameEffect::ReadsMachine,
        Machine = "platform.machine": NameEffect::ReadsMachine,
        Node = "platform.node": NameEffect::ReadsMachine,
        Release = "platform.release": NameEffect::ReadsMachine,
        Version = "platform.version": NameEffect::ReadsMachine,
        Processor = "platform.processor": NameEffect::ReadsMachine,
        Uname = "platform.uname": NameEffect::ReadsMachine,
        Platform = "platform.platform": NameEffect::ReadsMachine,
        PythonImplementation = "platform.python_implementation",
        PythonVersion = "platform.python_version",
        Architecture = "platform.architecture",
    }
    /// `sysconfig`. `distutils.sysconfig` has some of its functions.
    Sysconfig(SysconfigName) in "sysconfig" {
        GetPlatform = "sysconfig.get_platform",
        GetPath = "sysconfig.get_path",
        GetPaths = "sysconfig.get_paths",
        GetConfigVar = "sysconfig.get_config_var",
        GetConfigVars = "sysconfig.get_config_vars",
    }
    /// `site`
    Site(SiteName) in "site" {
        Addsitedir = "site.addsitedir": NameEffect::ChangesModuleSearch,
        Getsitepackages = "site.getsitepackages",
        Getusersitepackages = "site.getusersitepackages",
        Getuserbase = "site.getuserbase",
    }
    /// `shutil`
    Shutil(ShutilName) in "shutil" {
        Which = "shutil.which",
    }
    /// `struct`
    Struct(StructName) in "struct" {
        Calcsize = "struct.calcsize",
    }
    /// `glob`
    Glob(GlobName) in "glob" {
        Glob = "glob.glob",
        Iglob = "glob.iglob",
    }
    /// `json`
    Json(JsonName) in "json" {
        Load = "json.load",
        Loads = "json.loads",
    }
    /// `copy`
    Copy(CopyName) in "copy" {
        Copy = "copy.copy",
        Deepcopy = "copy.deepcopy",
    }
    /// `pkgutil`
    Pkgutil(PkgutilName) in "pkgutil" {
        ExtendPath = "pkgutil.extend_path",
        IterModules = "pkgutil.iter_modules",
    }
    /// `pkg_resources` of setuptools
    PkgResources(PkgResourcesName) in "pkg_resources" {
        ResourceFilename = "pkg_resources.resource_filename",
        ResourceExists = "pkg_resources.resource_exists",
        ResourceIsdir = "pkg_resources.resource_isdir",
    }
    /// `importlib`
    Importlib(ImportlibName) in "importlib" {
        ImportModule = "importlib.import_module": NameEffect::Imports,
        Util = "importlib.util",
        Resources = "importlib.resources",
        Metadata = "importlib.metadata",
        Machinery = "importlib.machinery",
    }
    /// `importlib.util`
    ImportlibUtil(ImportlibUtilName) in "importlib.util" {
        FindSpec = "importlib.util.find_spec",
    }
    /// `importlib.machinery`
    ImportlibMachinery(ImportlibMachineryName) in "importlib.machinery" {
        FileFinder = "importlib.machinery.FileFinder",
    }
    /// `importlib.resources`, and its backport `importlib_resources`
    ImportlibResources(ImportlibResourcesName) in "importlib.resources" {
        Files = "importlib.resources.files",
        AsFile = "importlib.resources.as_file",
        Path = "importlib.resources.path",
    }
    /// `importlib.metadata`, and its backport `importlib_metadata`
    ImportlibMetadata(ImportlibMetadataName) in "importlib.metadata" {
        Version = "importlib.metadata.version",
        Files = "importlib.metadata.files",
        Distribution = "importlib.metadata.distribution",
    }
    /// `functools`
    Functools(FunctoolsName) in "functools" {
        Wraps = "functools.wraps",
        LruCache = "functools.lru_cache",
        Cache = "functools.cache",
        CachedProperty = "functools.cached_property": NameEffect::Decorates(Decoration::Property),
        UpdateWrapper = "functools.update_wrapper",
        Partial = "functools.partial",
    }
    /// `contextlib`
    Contextlib(ContextlibName) in "contextlib" {
        Suppress = "contextlib.suppress",
        Nullcontext = "contextlib.nullcontext",
        ExitStack = "contextlib.ExitStack",
        Contextmanager = "contextlib.contextmanager": NameEffect::Decorates(Decoration::Context),
    }
    /// `types`
    Types(TypesName) in "types" {
        FunctionType = "types.FunctionType",
        LambdaType = "types.LambdaType",
        MethodType = "types.MethodType",
    }
    /// `itertools`
    Itertools(ItertoolsName) in "itertools" {
        Chain = "itertools.chain",
    }
    /// `collections`
    Collections(CollectionsName) in "collections" {
        OrderedDict = "collections.OrderedDict",
    }
    /// `pathlib`
    Pathlib(PathlibName) in "pathlib" {
        Path = "pathlib.Path",
        PurePath = "pathlib.PurePath",
        WindowsPath = "pathlib.WindowsPath",
        PureWindowsPath = "pathlib.PureWindowsPath",
    }
    /// Class methods of `pathlib.Path`.
    PathlibPath(PathlibPathName) in "pathlib.Path" {
        Home = "pathlib.Path.home",
    }
    /// `ctypes`
    Ctypes(CtypesName) in "ctypes" {
        WinDll = "ctypes.WinDLL": NameEffect::Loads,
        CDll = "ctypes.CDLL": NameEffect::Loads,
        PyDll = "ctypes.PyDLL": NameEffect::Loads,
        OleDll = "ctypes.OleDLL": NameEffect::Loads,
        Windll = "ctypes.windll": NameEffect::Loads,
        Cdll = "ctypes.cdll": NameEffect::Loads,
        Oledll = "ctypes.oledll": NameEffect::Loads,
        Pydll = "ctypes.pydll": NameEffect::Loads,
        Util = "ctypes.util",
        CWcharP = "ctypes.c_wchar_p",
        CCharP = "ctypes.c_char_p",
        GetLastError = "ctypes.get_last_error",
        WinError = "ctypes.WinError",
    }
    /// Methods of `ctypes.windll`, and of `cdll`, `oledll`, and `pydll`.
    LibraryLoader(LibraryLoaderName) in "ctypes.windll" {
        LoadLibrary = "ctypes.windll.LoadLibrary": NameEffect::Loads,
    }
    /// `ctypes.util`
    CtypesUtil(CtypesUtilName) in "ctypes.util" {
        FindLibrary = "ctypes.util.find_library",
    }
    /// `_cffi_backend` of cffi
    Cffi(CffiName) in "_cffi_backend" {
        LoadLibrary = "_cffi_backend.load_library": NameEffect::Loads,
        Ffi = "_cffi_backend.FFI",
    }
    /// Methods of the `FFI` objects of cffi.
    CffiObject(CffiObjectName) in "_cffi_backend.FFI()" {
        Dlopen = "_cffi_backend.FFI().dlopen": NameEffect::Loads,
    }
    /// Functions of the same effect in native modules, which export them. TensorFlow's loads
    /// libraries of operations (`tensorflow/c/c_api.h`).
    Exported(ExportedName) in "(exported)" {
        TfLoadLibrary = "TF_LoadLibrary": NameEffect::Loads,
    }
    /// Objects that code obtains from others, not by name.
    Anonymous(AnonymousName) in "(anonymous)" {
        Identity = "the result of functools.wraps(f)",
        NewObject = "object.__new__",
        FfiObject = "_cffi_backend.FFI()",
        ModuleLoader = "importlib.machinery.Loader",
    }
}

impl StandardName {
    /// Returns all names of the table.
    pub fn all() -> impl Iterator<Item = StandardName> {
        TABLE.iter().copied()
    }

    /// Returns the names in a module or namespace.
    pub fn all_in(module: &str) -> &'static [(&'static str, StandardName)] {
        static MODULES: LazyLock<FxHashMap<&str, Vec<(&str, StandardName)>>> = LazyLock::new(|| {
            let reachable = StandardName::all().filter(|name| name.is_reachable());
            let mut modules: FxHashMap<&str, Vec<_>> = FxHashMap::default();
            for name in reachable {
                modules.entry(name.module()).or_default().push((name.last_part(), name));
            }
            modules
        });
        MODULES.get(canonical(module)).map_or(&[], Vec::as_slice)
    }

    /// Finds a name in a module or namespace.
    pub fn find(module: &str, name: &str) -> Option<StandardName> {
        StandardName::all_in(module).iter().find(|(known, _)| *known == name).map(|(_, name)| *name)
    }

    /// Finds a built-in function, class, or exception.
    pub fn builtin(name: &str) -> Option<StandardName> {
        // This is asked for every name that a module doesn't bind.
        static BUILTINS: LazyLock<FxHashMap<&str, StandardName>> =
            LazyLock::new(|| StandardName::all_in("").iter().copied().collect());
        BUILTINS.get(name).copied()
    }

    /// Finds `module.name`.
    pub fn find_dotted(dotted: &str) -> Option<StandardName> {
        let (module, name) = dotted.rsplit_once('.')?;
        StandardName::find(module, name)
    }

    /// Returns the name without its module.
    pub fn last_part(self) -> &'static str {
        match self.is_reachable() {
            true => self.dotted().get(self.module().len()..).unwrap_or_default().trim_start_matches('.'),
            false => self.dotted(),
        }
    }

    /// Whether code can name it, as opposed to objects that it obtains from others.
    pub fn is_reachable(self) -> bool {
        !self.module().starts_with('(')
    }
}

/// Returns the decoration of a function by the decorator of this name, without its module.
pub fn decoration(name: &str) -> Option<Decoration> {
    static DECORATORS: LazyLock<Vec<(&str, Decoration)>> = LazyLock::new(|| {
        let decorators = StandardName::all().filter_map(|name| match name.effect()? {
            NameEffect::Decorates(decoration) => Some((name.last_part(), decoration)),
            _ => None,
        });
        decorators.collect()
    });
    DECORATORS.iter().find(|(known, _)| *known == name).map(|(_, decoration)| *decoration)
}

/// Returns the module under which the table has the names of a module.
fn canonical(module: &str) -> &str {
    match module {
        "ntpath" => "os.path",
        "distutils.sysconfig" => "sysconfig",
        "importlib_resources" => "importlib.resources",
        "importlib_metadata" => "importlib.metadata",
        "ctypes.cdll" | "ctypes.oledll" | "ctypes.pydll" => "ctypes.windll",
        module => module,
    }
}
