//! The codes, one file each: the problems that it recognizes, its messages, fixes, and tests.
//!
//! The page of a code is `docs/codes/NAME.md`. A code that explains failed loads has the functions
//! `recognizes` and `describe`, and an entry in the table below. Another code has a function of its
//! own that `diagnosis/program.rs` calls after the import. A code that covers several causes
//! has a directory with a file for each.

pub mod access_denied;
pub mod bad_image;
pub mod conflicting_vc_runtime;
pub mod damaged_install;
pub mod gpu_not_supported;
pub mod incompatible_versions;
pub mod missing_dll;
pub mod missing_export;
pub mod missing_gpu_library;
pub mod missing_vc_runtime;
pub mod mixed_environment;
pub mod not_installed;
pub mod not_on_search_path;
pub mod outdated_vc_runtime;
pub mod path_too_long;
pub mod shadowed_module;
pub mod unsupported_cpu;
pub mod unsupported_python;
pub mod unsupported_windows;
pub mod wrong_architecture;

use super::case::Case;
use super::code::Code;
use super::finding::Finding;
use super::problem::Problem;

/// Whether the problems that a code recognized cause another one.
type Causes = fn(&Case<'_>, &[Problem], &Problem) -> bool;

/// A code that explains failed loads.
pub(super) struct Explainer {
    pub code: Code,
    /// Whether the code explains a problem that none before it in the table does.
    pub recognizes: fn(&Case<'_>, &Problem) -> bool,
    /// Completes a finding with the messages and fixes for the problems that the code recognized.
    pub describe: fn(&Case<'_>, &[Problem], &mut Finding),
    /// Whether a problem is a consequence of those that the code recognized. The finding of the code
    /// stands for it, whichever code recognizes it.
    pub causes: Option<Causes>,
}

impl Explainer {
    const fn new(
        code: Code,
        recognizes: fn(&Case<'_>, &Problem) -> bool,
        describe: fn(&Case<'_>, &[Problem], &mut Finding),
    ) -> Explainer {
        Explainer { code, recognizes, describe, causes: None }
    }

    const fn causing(mut self, causes: Causes) -> Explainer {
        self.causes = Some(causes);
        self
    }
}

/// The codes that explain failed loads. The first one that recognizes a problem explains it.
pub(super) static EXPLAINERS: [Explainer; 16] = [
    // A DLL of another Python, such as python37.dll, is missing because it is the wrong one. It must
    // not be searched for, reinstalled, or downloaded, as the codes for missing files advise.
    Explainer::new(Code::UnsupportedPython, unsupported_python::recognizes, unsupported_python::describe),
    // A cause of its own, which no other code recognizes.
    Explainer::new(Code::BadImage, bad_image::recognizes, bad_image::describe),
    // A module for another system is one that this Python doesn't find: before `not-installed`.
    Explainer::new(Code::WrongArchitecture, wrong_architecture::recognizes, wrong_architecture::describe),
    // A folder that cannot be read looks like one without the file: before all codes for files and
    // modules that are missing.
    Explainer::new(Code::AccessDenied, access_denied::recognizes, access_denied::describe),
    // Of a missing file, what an installer recorded is the most specific: reinstalling brings back
    // the very file, even if a copy of it is elsewhere or it belongs to the VC++ runtime.
    Explainer::new(Code::DamagedInstall, damaged_install::recognizes, damaged_install::describe)
        .causing(damaged_install::causes),
    // A copy on the machine is a shorter way than a download, even of the VC++ runtime.
    Explainer::new(Code::NotOnSearchPath, not_on_search_path::recognizes, not_on_search_path::describe),
    // Before `unsupported-windows` and `missing-dll`: the origin of these DLLs is known.
    Explainer::new(Code::MissingVcRuntime, missing_vc_runtime::recognizes, missing_vc_runtime::describe),
    // A module whose path is too long isn't found either: before `not-installed`.
    Explainer::new(Code::PathTooLong, path_too_long::recognizes, path_too_long::describe),
    // A cause of its own.
    Explainer::new(Code::UnsupportedCpu, unsupported_cpu::recognizes, unsupported_cpu::describe),
    // A missing DLL or export of Windows itself: before `missing-export` and `missing-dll`, which
    // would look for a package that has it.
    Explainer::new(Code::UnsupportedWindows, unsupported_windows::recognizes, unsupported_windows::describe),
    // An old runtime that lacks exports: before `missing-export`. A better copy on the machine is a
    // shorter way than a download, so `conflicting-` precedes `outdated-`.
    Explainer::new(
        Code::ConflictingVcRuntime,
        conflicting_vc_runtime::recognizes,
        conflicting_vc_runtime::describe,
    ),
    Explainer::new(Code::OutdatedVcRuntime, outdated_vc_runtime::recognizes, outdated_vc_runtime::describe),
    // Every other missing export.
    Explainer::new(Code::MissingExport, missing_export::recognizes, missing_export::describe),
    // A cause of its own.
    Explainer::new(Code::ShadowedModule, shadowed_module::recognizes, shadowed_module::describe),
    // The rest: every missing module, and every image that cannot be loaded.
    Explainer::new(Code::NotInstalled, not_installed::recognizes, not_installed::describe),
    Explainer::new(Code::MissingDll, missing_dll::recognizes, missing_dll::describe),
];
