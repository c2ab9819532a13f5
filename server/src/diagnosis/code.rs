//! The kinds of cause, as data: name, summary, page, severity, and subject of each.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::severity::Severity;

/// The kind of cause of a finding. Its name is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Code {
    /// `unsupported-python`, see [`codes::unsupported_python`](super::codes::unsupported_python).
    UnsupportedPython,
    /// `bad-image`, see [`codes::bad_image`](super::codes::bad_image).
    BadImage,
    /// `wrong-architecture`, see [`codes::wrong_architecture`](super::codes::wrong_architecture).
    WrongArchitecture,
    /// `access-denied`, see [`codes::access_denied`](super::codes::access_denied).
    AccessDenied,
    /// `damaged-install`, see [`codes::damaged_install`](super::codes::damaged_install).
    DamagedInstall,
    /// `not-on-search-path`, see [`codes::not_on_search_path`](super::codes::not_on_search_path).
    NotOnSearchPath,
    /// `missing-vc-runtime`, see [`codes::missing_vc_runtime`](super::codes::missing_vc_runtime).
    MissingVcRuntime,
    /// `path-too-long`, see [`codes::path_too_long`](super::codes::path_too_long).
    PathTooLong,
    /// `unsupported-cpu`, see [`codes::unsupported_cpu`](super::codes::unsupported_cpu).
    UnsupportedCpu,
    /// `unsupported-windows`, see [`codes::unsupported_windows`](super::codes::unsupported_windows).
    UnsupportedWindows,
    /// `conflicting-vc-runtime`, see [`codes::conflicting_vc_runtime`](super::codes::conflicting_vc_runtime).
    ConflictingVcRuntime,
    /// `outdated-vc-runtime`, see [`codes::outdated_vc_runtime`](super::codes::outdated_vc_runtime).
    OutdatedVcRuntime,
    /// `missing-export`, see [`codes::missing_export`](super::codes::missing_export).
    MissingExport,
    /// `shadowed-module`, see [`codes::shadowed_module`](super::codes::shadowed_module).
    ShadowedModule,
    /// `not-installed`, see [`codes::not_installed`](super::codes::not_installed).
    NotInstalled,
    /// `missing-dll`, see [`codes::missing_dll`](super::codes::missing_dll).
    MissingDll,
    /// `incompatible-versions`, see [`codes::incompatible_versions`](super::codes::incompatible_versions).
    IncompatibleVersions,
    /// `mixed-environment`, see [`codes::mixed_environment`](super::codes::mixed_environment).
    MixedEnvironment,
    /// `missing-gpu-library`, see [`codes::missing_gpu_library`](super::codes::missing_gpu_library).
    MissingGpuLibrary,
    /// `gpu-not-supported`, see [`codes::gpu_not_supported`](super::codes::gpu_not_supported).
    GpuNotSupported,
}

/// What a code is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A single file.
    Files,
    /// The program that is diagnosed.
    Program,
    /// The GPU.
    Gpu,
    /// The installed packages.
    Installation,
    /// The processor and the version of Windows.
    Machine,
    /// The version and the build of Python.
    Python,
    /// The Visual C++ runtime.
    Runtime,
    /// The directories in which DLLs are searched.
    Search,
    /// The versions of packages and DLLs that work together.
    Versions,
}

impl Code {
    /// All codes.
    pub const ALL: &[Code] = &[
        Code::UnsupportedPython,
        Code::BadImage,
        Code::WrongArchitecture,
        Code::AccessDenied,
        Code::DamagedInstall,
        Code::NotOnSearchPath,
        Code::MissingVcRuntime,
        Code::PathTooLong,
        Code::UnsupportedCpu,
        Code::UnsupportedWindows,
        Code::ConflictingVcRuntime,
        Code::OutdatedVcRuntime,
        Code::MissingExport,
        Code::ShadowedModule,
        Code::NotInstalled,
        Code::MissingDll,
        Code::IncompatibleVersions,
        Code::MixedEnvironment,
        Code::MissingGpuLibrary,
        Code::GpuNotSupported,
    ];

    /// Returns the stable name.
    pub fn name(self) -> &'static str {
        match self {
            Code::UnsupportedPython => "unsupported-python",
            Code::BadImage => "bad-image",
            Code::WrongArchitecture => "wrong-architecture",
            Code::AccessDenied => "access-denied",
            Code::DamagedInstall => "damaged-install",
            Code::NotOnSearchPath => "not-on-search-path",
            Code::MissingVcRuntime => "missing-vc-runtime",
            Code::PathTooLong => "path-too-long",
            Code::UnsupportedCpu => "unsupported-cpu",
            Code::UnsupportedWindows => "unsupported-windows",
            Code::ConflictingVcRuntime => "conflicting-vc-runtime",
            Code::OutdatedVcRuntime => "outdated-vc-runtime",
            Code::MissingExport => "missing-export",
            Code::ShadowedModule => "shadowed-module",
            Code::NotInstalled => "not-installed",
            Code::MissingDll => "missing-dll",
            Code::IncompatibleVersions => "incompatible-versions",
            Code::MixedEnvironment => "mixed-environment",
            Code::MissingGpuLibrary => "missing-gpu-library",
            Code::GpuNotSupported => "gpu-not-supported",
        }
    }

    /// Returns what it is, in one sentence: the first one of its page.
    pub fn summary(self) -> &'static str {
        let mut lines = self.page().lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.next().unwrap_or_default()
    }

    /// Returns the page for users, in Markdown, with the sections *What it means*, *How we know*, and
    /// *What to do*.
    pub fn page(self) -> &'static str {
        match self {
            Code::UnsupportedPython => include_str!("../../../docs/codes/unsupported-python.md"),
            Code::BadImage => include_str!("../../../docs/codes/bad-image.md"),
            Code::WrongArchitecture => include_str!("../../../docs/codes/wrong-architecture.md"),
            Code::AccessDenied => include_str!("../../../docs/codes/access-denied.md"),
            Code::DamagedInstall => include_str!("../../../docs/codes/damaged-install.md"),
            Code::NotOnSearchPath => include_str!("../../../docs/codes/not-on-search-path.md"),
            Code::MissingVcRuntime => include_str!("../../../docs/codes/missing-vc-runtime.md"),
            Code::PathTooLong => include_str!("../../../docs/codes/path-too-long.md"),
            Code::UnsupportedCpu => include_str!("../../../docs/codes/unsupported-cpu.md"),
            Code::UnsupportedWindows => include_str!("../../../docs/codes/unsupported-windows.md"),
            Code::ConflictingVcRuntime => include_str!("../../../docs/codes/conflicting-vc-runtime.md"),
            Code::OutdatedVcRuntime => include_str!("../../../docs/codes/outdated-vc-runtime.md"),
            Code::MissingExport => include_str!("../../../docs/codes/missing-export.md"),
            Code::ShadowedModule => include_str!("../../../docs/codes/shadowed-module.md"),
            Code::NotInstalled => include_str!("../../../docs/codes/not-installed.md"),
            Code::MissingDll => include_str!("../../../docs/codes/missing-dll.md"),
            Code::IncompatibleVersions => include_str!("../../../docs/codes/incompatible-versions.md"),
            Code::MixedEnvironment => include_str!("../../../docs/codes/mixed-environment.md"),
            Code::MissingGpuLibrary => include_str!("../../../docs/codes/missing-gpu-library.md"),
            Code::GpuNotSupported => include_str!("../../../docs/codes/gpu-not-supported.md"),
        }
    }

    /// Returns the severity of its findings, unless the context says otherwise: where a package
    /// handles a failure or nothing is known to fail, a finding is less severe.
    pub fn default_severity(self) -> Severity {
        match self {
            Code::MixedEnvironment | Code::MissingGpuLibrary => Severity::Warning,
            Code::GpuNotSupported => Severity::Information,
            _ => Severity::Error,
        }
    }

    /// Returns what it is about.
    pub fn subject(self) -> Subject {
        match self {
            Code::UnsupportedPython => Subject::Python,
            Code::BadImage | Code::AccessDenied | Code::PathTooLong => Subject::Files,
            Code::WrongArchitecture | Code::UnsupportedCpu | Code::UnsupportedWindows => Subject::Machine,
            Code::DamagedInstall | Code::NotInstalled | Code::MixedEnvironment => Subject::Installation,
            Code::NotOnSearchPath | Code::MissingDll => Subject::Search,
            Code::MissingVcRuntime | Code::ConflictingVcRuntime | Code::OutdatedVcRuntime => Subject::Runtime,
            Code::MissingExport | Code::IncompatibleVersions => Subject::Versions,
            Code::ShadowedModule => Subject::Program,
            Code::MissingGpuLibrary | Code::GpuNotSupported => Subject::Gpu,
        }
    }

    /// Returns the URL of the page.
    pub fn url(self) -> String {
        format!("{}/blob/main/docs/codes/{}.md", env!("CARGO_PKG_REPOSITORY"), self.name())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::fs;
    use std::path::Path;

    use super::Code;

    #[test]
    fn each_page_has_the_sections_and_belongs_to_a_code() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/codes");
        for code in Code::ALL {
            let page = code.page();
            assert!(
                page.starts_with(&format!("# {code}\n\n{}\n\n## What it means", code.summary())),
                "{code}"
            );
            assert!(code.summary().ends_with('.'), "{code}");
            for heading in ["\n## How we know", "\n## What to do"] {
                assert!(page.contains(heading), "the page of {code} lacks \"{heading}\"");
            }
        }
        // A code that isn't in `ALL` has a page, too.
        assert_eq!(fs::read_dir(&docs).unwrap().count(), Code::ALL.len() + 1);
        let mut index = String::from("# What WhyDLL finds\n\n");
        for code in Code::ALL {
            writeln!(index, "- [{code}]({code}.md): {}", code.summary()).unwrap();
        }
        expect_test::expect_file![docs.join("README.md")].assert_eq(&index);
    }
}
