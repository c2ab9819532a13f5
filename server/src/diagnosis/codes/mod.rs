//! The codes, one file each: the problems that it recognizes, its messages, fixes, page, and tests.
//!
//! To add a code, write its file with the functions `recognizes` and `describe`, and add it to the
//! table below. The order matters: the first code that recognizes a problem explains it. A code
//! that doesn't explain failed loads goes in the second list of the table, and
//! [`diagnose`](super::diagnose) calls a function of its own after the import. The comment at the
//! head of its file becomes its page in `docs/codes/`. A code that covers several causes has a
//! directory with a file for each.

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

use serde::{Deserialize, Serialize};

use super::case::{Case, Problem};
use super::finding::Finding;

/// Declares the codes: first those that explain failed loads, in evaluation order, then the others.
macro_rules! codes {
    (
        of_loads { $($variant:ident, $name:literal, $module:ident;)+ }
        others { $($other:ident, $other_name:literal, $other_module:ident;)+ }
    ) => {
        /// The kind of cause of a finding. Its name is stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Code {
            $(#[doc = concat!("`", $name, "`, see [`", stringify!($module), "`].")] $variant,)+
            $(#[doc = concat!("`", $other_name, "`, see [`", stringify!($other_module), "`].")] $other,)+
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Code] = &[$(Code::$variant,)+ $(Code::$other,)+];

            /// Returns the stable name.
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)+ $(Code::$other => $other_name,)+ }
            }

            #[cfg(test)]
            fn source(self) -> &'static str {
                match self {
                    $(Code::$variant => include_str!(concat!(stringify!($module), ".rs")),)+
                    $(Code::$other => include_str!(concat!(stringify!($other_module), ".rs")),)+
                }
            }
        }

        /// Returns the first code that recognizes a problem.
        pub(super) fn explaining(case: &Case<'_>, problem: &Problem) -> Option<Code> {
            $(if $module::recognizes(case, problem) { return Some(Code::$variant); })+
            None
        }

        /// Completes a finding with the messages and fixes of a code for the problems that it
        /// recognized.
        pub(super) fn describe(code: Code, case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
            match code {
                $(Code::$variant => $module::describe(case, problems, finding),)+
                // These codes never explain a problem, so this arm isn't reached.
                $(Code::$other => {})+
            }
        }
    };
}

codes! {
    of_loads {
        UnsupportedPython, "unsupported-python", unsupported_python;
        BadImage, "bad-image", bad_image;
        WrongArchitecture, "wrong-architecture", wrong_architecture;
        AccessDenied, "access-denied", access_denied;
        DamagedInstall, "damaged-install", damaged_install;
        NotOnSearchPath, "not-on-search-path", not_on_search_path;
        MissingVcRuntime, "missing-vc-runtime", missing_vc_runtime;
        PathTooLong, "path-too-long", path_too_long;
        UnsupportedCpu, "unsupported-cpu", unsupported_cpu;
        UnsupportedWindows, "unsupported-windows", unsupported_windows;
        ConflictingVcRuntime, "conflicting-vc-runtime", conflicting_vc_runtime;
        OutdatedVcRuntime, "outdated-vc-runtime", outdated_vc_runtime;
        MissingExport, "missing-export", missing_export;
        ShadowedModule, "shadowed-module", shadowed_module;
        NotInstalled, "not-installed", not_installed;
        MissingDll, "missing-dll", missing_dll;
    }
    others {
        IncompatibleVersions, "incompatible-versions", incompatible_versions;
        MixedEnvironment, "mixed-environment", mixed_environment;
        MissingGpuLibrary, "missing-gpu-library", missing_gpu_library;
        GpuNotSupported, "gpu-not-supported", gpu_not_supported;
    }
}

impl Code {
    /// Returns the URL of the code's page.
    pub fn url(self) -> String {
        format!("{}/blob/main/docs/codes/{}.md", env!("CARGO_PKG_REPOSITORY"), self.name())
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::path::Path;

    use super::Code;

    /// The pages in `docs/codes/` are the comments at the heads of these files. `UPDATE_EXPECT=1`
    /// regenerates them.
    #[test]
    fn pages_are_the_comments_at_the_heads_of_the_files() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/codes");
        let mut index = String::from("# What WhyDLL finds\n\n");
        for code in Code::ALL {
            let source = code.source();
            let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
            let mut page = String::new();
            for line in lines {
                page.push_str(line.strip_prefix(' ').unwrap_or(line));
                page.push('\n');
            }
            assert!(page.starts_with(&format!("# {}\n", code.name())), "{code} has no page");
            for heading in ["## What it means", "## How we know", "## What to do"] {
                assert!(page.contains(heading), "the page of {code} lacks \"{heading}\"");
            }
            let first =
                page.lines().find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
            writeln!(index, "- [{0}]({0}.md): {first}", code.name()).unwrap();
            expect_test::expect_file![docs.join(format!("{}.md", code.name()))].assert_eq(&page);
        }
        expect_test::expect_file![docs.join("README.md")].assert_eq(&index);
    }
}
