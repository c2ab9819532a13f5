//! Where Wine's loader is known to differ from that of Windows.
//!
//! Each entry recognizes its case in what Wine says and shows of one load, never in what ours says, and makes of it what
//! Windows would say. Whether ours says the same is then a comparison like any other.

use crate::outcome::Outcome;
use crate::trace::{Complaint, Kind};

/// One load, as Wine shows it and as far as it is translated.
#[derive(Debug)]
pub struct Case<'a> {
    /// The modules that were loaded before, of the world's.
    pub before: &'a [String],
    /// The culprits that Wine complains about.
    pub culprits: &'a [Complaint],
    /// The outcome.
    pub outcome: Outcome,
    /// From here on the two processes have different modules: what the program does next cannot be compared.
    pub parted: bool,
}

/// A difference.
pub struct KnownDifference {
    /// Its name.
    pub name: &'static str,
    /// What Wine does.
    pub wine: &'static str,
    /// What Windows does.
    pub windows: &'static str,
    /// Where that can be read.
    pub source: &'static str,
    /// Translates a case, and says whether it was one of this kind.
    pub translate: fn(&mut Case<'_>) -> bool,
}

/// All of them, in the order in which they are asked.
pub const KNOWN_DIFFERENCES: &[KnownDifference] = &[
    KnownDifference {
        name: "stub",
        wine: "binds an import that is not exported, or whose forwarder leads nowhere, to a stub; the load succeeds",
        windows: "fails with 127, or 182 for an ordinal",
        source: "Wine: allocate_stub in import_dll, dlls/ntdll/loader.c. Windows: STATUS_ENTRYPOINT_NOT_FOUND and \
                 STATUS_ORDINAL_NOT_FOUND, whose Win32 codes these are",
        translate: |case| {
            let Some(first) = case.culprits.first().filter(|first| first.kind == Kind::NoImplementation) else {
                return false;
            };
            case.parted = true;
            case.outcome = Outcome { code: first.fault.code, module: None, ..case.outcome.clone() };
            true
        },
    },
    KnownDifference {
        name: "always 126",
        wine: "fails with 126 whatever is wrong with a dependency",
        windows: "fails with the code of the dependency's fault",
        source: "Wine: fixup_imports in dlls/ntdll/loader.c returns STATUS_DLL_NOT_FOUND. Windows: LdrLoadDll passes the \
                 status on, as `ImportError: DLL load failed: %1 is not a valid Win32 application` for a good extension \
                 module shows",
        translate: |case| {
            let Some(first) = case.culprits.first().filter(|first| first.kind == Kind::NotLoaded) else {
                return false;
            };
            let is_it = case.outcome.code == 126 && first.fault.code != 126;
            if is_it {
                case.outcome.code = first.fault.code;
            }
            is_it
        },
    },
    KnownDifference {
        name: "crash in DllMain",
        wine: "fails with 998, \"invalid access to memory location\"",
        windows: "fails with 1114, \"a DLL initialization routine failed\"",
        source: "Wine: MODULE_InitDLL in dlls/ntdll/loader.c returns the exception's code; Wine's test \
                 dlls/kernel32/tests/loader.c, which is run on Windows, takes either status; \
                 fo40225/tensorflow-windows-wheel issue 48 shows 1114 where TensorFlow's initialization crashes",
        translate: |case| {
            let first = case.culprits.first().filter(|first| first.kind == Kind::NotInitialized);
            let is_it = first.is_some() && case.outcome.code == 998;
            if is_it {
                case.outcome.code = 1114;
            }
            is_it
        },
    },
    KnownDifference {
        name: "left behind",
        wine: "leaves the dependencies of a failed load loaded that came before the one that failed",
        windows: "unloads all that the failed load brought in",
        source: "Wine: \"there are several more dangling references left\" in build_module, dlls/ntdll/loader.c",
        translate: |case| {
            let is_it = case.outcome.code != 0 && case.outcome.modules.len() > case.before.len();
            if is_it {
                case.outcome.modules.retain(|module| case.before.contains(module));
                case.parted = true;
            }
            is_it
        },
    },
];
