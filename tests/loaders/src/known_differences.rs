//! The known differences between Wine's loader and that of Windows.
//!
//! Each entry recognizes its case in what Wine reports about one load, never in what the simulation
//! reports, and translates it into what Windows would report. The result is then compared with the
//! simulation like any other.

use crate::outcome::{Outcome, base_name};
use crate::trace::{Complaint, Kind};

/// One load as Wine reports it, translated by the differences that were applied so far.
#[derive(Debug)]
pub struct Case<'a> {
    /// The requested name.
    pub asked: &'a str,
    /// The modules of the world that were loaded before.
    pub before: &'a [String],
    /// The culprits that Wine complains about.
    pub culprits: &'a [Complaint],
    /// Whether Wine's own loader crashed.
    pub crashed: bool,
    /// The outcome; `None` if Wine's does not show what Windows' would be.
    pub outcome: Option<Outcome>,
    /// Whether the two processes have different modules from here on, so that later loads cannot be
    /// compared.
    pub parted: bool,
}

impl Case<'_> {
    /// Returns the first loaded module with the requested base name.
    fn loaded_before(&self) -> Option<&String> {
        self.before.iter().find(|module| base_name(module) == base_name(self.asked))
    }

    fn is_bare_name(&self) -> bool {
        !self.asked.contains(['\\', '/'])
    }
}

/// One difference.
pub struct KnownDifference {
    /// Its name, for the summary.
    pub name: &'static str,
    /// What Wine does.
    pub wine: &'static str,
    /// What Windows does.
    pub windows: &'static str,
    /// Where both are documented.
    pub source: &'static str,
    /// Translates a case. Returns whether it was one of this kind.
    pub translate: fn(&mut Case<'_>) -> bool,
}

/// All differences, in the order in which they are applied.
pub const KNOWN_DIFFERENCES: &[KnownDifference] = &[
    KnownDifference {
        name: "crash",
        wine: "may crash on the remains of a dependency that could not be loaded",
        windows: "does not",
        source: "Wine: \"there are several more dangling references left\" in build_module, dlls/ntdll/loader.c",
        translate: |case| {
            let is_it = case.crashed && !case.culprits.is_empty();
            if is_it {
                case.outcome = None;
                case.parted = true;
            }
            is_it
        },
    },
    KnownDifference {
        name: "stub",
        wine: "binds an import that is not exported, or whose forwarder has no target, to a stub; the load succeeds",
        windows: "fails with 127, or 182 for an ordinal",
        source: "Wine: allocate_stub in import_dll, dlls/ntdll/loader.c. Windows: STATUS_ENTRYPOINT_NOT_FOUND and \
                 STATUS_ORDINAL_NOT_FOUND, whose Win32 codes these are",
        translate: |case| {
            let first = case.culprits.first().filter(|first| first.kind == Kind::NoImplementation);
            let (Some(first), Some(outcome)) = (first, &mut case.outcome) else { return false };
            outcome.code = first.fault.code;
            outcome.module = None;
            case.parted = true;
            true
        },
    },
    KnownDifference {
        name: "always 126",
        wine: "fails with 126 whatever is wrong with a dependency",
        windows: "fails with the code of the dependency's fault",
        source: "Wine: fixup_imports in dlls/ntdll/loader.c returns STATUS_DLL_NOT_FOUND. Windows: LdrLoadDll passes the \
                 status on; Python's \"DLL load failed: %1 is not a valid Win32 application\" for a good extension \
                 module with a 32-bit dependency is what users see of it",
        translate: |case| {
            let first = case.culprits.first().filter(|first| first.kind == Kind::NotLoaded);
            let (Some(first), Some(outcome)) = (first, &mut case.outcome) else { return false };
            let is_it = outcome.code == 126 && first.fault.code != 126;
            if is_it {
                outcome.code = first.fault.code;
            }
            is_it
        },
    },
    KnownDifference {
        name: "left behind",
        wine: "keeps the dependencies that were loaded before the one that failed",
        windows: "unloads everything that the failed load brought in",
        source: "Wine: \"Including dlls loaded by this dll before the failed one\" in build_module, dlls/ntdll/loader.c",
        translate: |case| {
            let Some(outcome) = &mut case.outcome else { return false };
            let is_it = outcome.code != 0 && outcome.modules.len() > case.before.len();
            if is_it {
                outcome.modules.retain(|module| case.before.contains(module));
                case.parted = true;
            }
            is_it
        },
    },
    KnownDifference {
        name: "dot at the end",
        wine: "does not match a name that ends in a dot with a loaded module",
        windows: "takes the dot only as the sign that no suffix is to be added",
        source: "Wine: find_basename_module in dlls/ntdll/loader.c compares the name as it is. Windows: Microsoft, \
                 \"LoadLibraryW\" and \"GetModuleHandleW\" (\"include a trailing point character\")",
        translate: |case| {
            let is_dotted = case.is_bare_name() && case.asked.ends_with('.');
            let first = case.loaded_before().cloned();
            let (true, Some(first), Some(outcome)) = (is_dotted, first, &mut case.outcome) else {
                return false;
            };
            let found =
                Outcome { code: 0, module: Some(first), modules: case.before.to_vec(), ..outcome.clone() };
            let is_it = matches!(outcome.code, 0 | 126 | 193) && *outcome != found;
            if !is_it {
                return false;
            }
            case.parted |= outcome.modules != found.modules;
            *outcome = found;
            true
        },
    },
    KnownDifference {
        name: "no assembly",
        wine: "loads a DLL whose manifest requests an assembly that does not exist",
        windows: "fails with 14001",
        source: "Wine: fixup_imports in dlls/ntdll/loader.c continues if create_module_activation_context fails. Windows: \
                 STATUS_SXS_CANT_GEN_ACTCTX of parse_depend_manifests in dlls/ntdll/actctx.c, whose test \
                 (dlls/kernel32/tests/actctx.c) is run on Windows, and its Win32 code",
        translate: |case| {
            let first = case.culprits.first().filter(|first| first.kind == Kind::NoAssembly);
            let (Some(first), Some(outcome)) = (first, &mut case.outcome) else { return false };
            *outcome = Outcome {
                code: first.fault.code,
                module: None,
                modules: case.before.to_vec(),
                faults: Vec::new(),
            };
            case.parted = true;
            true
        },
    },
    KnownDifference {
        name: "DllMain",
        wine: "runs it: 1114 if it refuses, 998 if it crashes",
        windows: "runs it: 1114 in both cases. The simulation executes nothing, so this cannot be compared",
        source: "Wine: process_attach and MODULE_InitDLL in dlls/ntdll/loader.c",
        translate: |case| {
            let is_it = case.culprits.iter().any(|culprit| culprit.kind == Kind::NotInitialized)
                && case.outcome.as_ref().is_some_and(|outcome| matches!(outcome.code, 1114 | 998));
            if is_it {
                case.outcome = None;
                case.parted = true;
            }
            is_it
        },
    },
];
