//! Windows errors that no check of files can predict: policies, virus scanners, memory.
//!
//! Sources: the codes and their names are those of `winerror.h`. The remedies follow Microsoft's
//! documentation of Smart App Control, App Control for Business, AppLocker, Microsoft Defender
//! Antivirus, and virtual memory (read 2026-11).

/// A Windows error that only a traceback reveals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    /// The Win32 error code.
    pub code: u32,
    /// Its name in `winerror.h`.
    pub symbol: &'static str,
    /// What it means when a DLL is loaded.
    pub meaning: &'static str,
    /// What the user can do.
    pub remedy: &'static str,
}

/// Returns the entry for a code, or `None` if a check can predict it or it is unknown.
pub fn reported(code: u32) -> Option<&'static Reported> {
    REPORTED.iter().find(|known| known.code == code)
}

const REPORTED: [Reported; 6] = [
    Reported {
        code: 4551,
        symbol: "ERROR_SYSTEM_INTEGRITY_POLICY_VIOLATION",
        meaning: "an Application Control policy blocked the file, although the file exists and is intact. On \
                  your own PC, the policy is Smart App Control; in a company, App Control for Business",
        remedy: "Open Windows Security > App & browser control > Smart App Control. It has no exceptions for \
                 single files, and blocks modules that are not signed. In a company, send the path of the \
                 file to the administrator. The event log has the path: Applications and Services Logs > \
                 Microsoft > Windows > CodeIntegrity > Operational.",
    },
    Reported {
        code: 1260,
        symbol: "ERROR_ACCESS_DISABLED_BY_POLICY",
        meaning: "a group policy, usually AppLocker, does not allow this file to be loaded",
        remedy: "Install Python and its packages in a folder that the policy allows (AppLocker's default \
                 rules allow Program Files, but not user folders), or ask the administrator for a rule.",
    },
    Reported {
        code: 225,
        symbol: "ERROR_VIRUS_INFECTED",
        meaning: "the virus scanner considers the file malware and blocks access to it",
        remedy: "Open Windows Security > Virus & threat protection > Protection history. If the file came \
                 from the package's own wheel, restore it there, report the false positive to Microsoft, and \
                 reinstall the package.",
    },
    Reported {
        code: 998,
        symbol: "ERROR_NOACCESS",
        meaning: "a DLL was found, but accessed invalid memory while it was initialized: it or a DLL that it \
                  needs is the wrong version, or another program has injected a DLL into this process",
        remedy: "Reinstall the package. If the error persists, try without overlays, injected tools, and \
                 security programs that hook into other processes.",
    },
    Reported {
        code: 14001,
        symbol: "ERROR_SXS_CANT_GEN_ACTCTX",
        meaning: "the side-by-side assembly that a DLL's manifest requests is not installed. For old \
                  packages, that is the Visual C++ 2008 runtime (MSVCR90)",
        remedy: "Install the Visual C++ 2008 Redistributable, or a version of the package that is built for \
                 this Python. `sxstrace` names the assembly.",
    },
    Reported {
        code: 1455,
        symbol: "ERROR_COMMITMENT_LIMIT",
        meaning: "Windows cannot commit more memory because the paging file is too small. No DLL is at \
                  fault. CUDA builds of PyTorch request gigabytes in every process that imports them",
        remedy: "Run fewer worker processes (num_workers=0 to try), close other programs, or enlarge the \
                 paging file: System > About > Advanced system settings > Performance > Advanced > Virtual \
                 memory.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traceback::read;

    #[test]
    fn each_has_a_meaning_and_a_remedy() {
        for Reported { code, symbol, meaning, remedy } in REPORTED {
            assert!(
                symbol.starts_with("ERROR_") && !meaning.ends_with('.') && remedy.ends_with('.'),
                "{code}"
            );
        }
    }

    #[test]
    fn the_code_is_inferred_from_the_message_of_windows() {
        let code = |sentence: &str| {
            let text = format!("ImportError: DLL load failed while importing etree: {sentence}");
            read(&text).unwrap().win_error.unwrap().code
        };
        assert_eq!(code("An Application Control policy has blocked this file."), 4551);
        assert_eq!(code("应用程序控制策略已阻止此文件。"), 4551);
        assert_eq!(code("页面文件太小，无法完成操作。"), 1455);
        assert_eq!(code("Die Auslagerungsdatei ist zu klein, um diesen Vorgang durchzuführen."), 1455);
        let printed = "OSError: [WinError 1455] The paging file is too small for this operation to complete. \
                       Error loading \"C:\\\\a\\\\shm.dll\" or one of its dependencies.";
        assert_eq!(read(printed).unwrap().win_error.unwrap().code, 1455);
    }
}
