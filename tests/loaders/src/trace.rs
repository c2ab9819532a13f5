//! Reads Wine's trace: what its loader complains about (`dlls/ntdll/loader.c`,
//! `WINEDEBUG=err+module,warn+module`; for manifests `dlls/ntdll/actctx.c`, `fixme+actctx`).

use crate::outcome::{Fault, base_name};

/// One line of the trace that reports a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The kind of fault.
    pub kind: Kind,
    /// The culprit.
    pub fault: Fault,
}

/// What Wine complains about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A dependency is not loaded.
    NotLoaded,
    /// A symbol is not exported, or its forwarder has no target.
    NoImplementation,
    /// The DLL that a forwarder names is not loaded.
    NoTarget,
    /// An assembly that a manifest requests does not exist. The trace does not say whose manifest.
    NoAssembly,
    /// A `DllMain` fails.
    NotInitialized,
}

/// Reads a line of the trace. Returns `None` if it is not a complaint.
pub fn complaint(line: &str) -> Option<Complaint> {
    let fault = |kind, code, importer: Option<&str>, culprit: &str| {
        Some(Complaint { kind, fault: Fault::new(code, importer, culprit) })
    };
    let (_, text) = line.split_once(":module:").or_else(|| line.split_once(":actctx:"))?;
    let (_, text) = text.split_once(' ')?;
    if let Some(rest) = text.strip_prefix("Library ") {
        let (culprit, importer) = needed_by(rest)?;
        fault(Kind::NotLoaded, 126, Some(&importer), culprit)
    } else if let Some(rest) = text.strip_prefix("Loading library ") {
        let (culprit, importer) = needed_by(rest)?;
        let status = rest.rsplit_once("(error ")?.1.split(')').next()?;
        fault(Kind::NotLoaded, win32_code(u32::from_str_radix(status, 16).ok()?), Some(&importer), culprit)
    } else if let Some(rest) = text.strip_prefix("No implementation for ") {
        let (symbol, rest) = rest.split_once(" imported from ")?;
        let (culprit, symbol) = symbol.rsplit_once('.')?;
        let code = if symbol.bytes().all(|byte| byte.is_ascii_digit()) { 182 } else { 127 };
        fault(Kind::NoImplementation, code, Some(&quoted(rest)?), culprit)
    } else if let Some(rest) = text.strip_prefix("module not found for forward '") {
        let (target, rest) = rest.split_once("' used by ")?;
        fault(Kind::NoTarget, 126, Some(&quoted(rest)?), target.rsplit_once('.')?.0)
    } else if let Some(rest) = text.strip_prefix("Could not find dependent assembly ") {
        fault(Kind::NoAssembly, 14001, None, &quoted(rest)?)
    } else {
        let culprit = quoted(text.strip_prefix("Initialization of ")?)?;
        fault(Kind::NotInitialized, 1114, None, &culprit)
    }
}

/// Returns the culprits among the complaints about a load of `asked`, each once.
///
/// A module that fails only because of another one is not a culprit; Wine complains about the one
/// that it needs first. Neither is what the target of a forwarder lacks: Wine then complains about
/// the symbol that has no implementation.
pub fn culprits(asked: &str, complaints: &[Complaint]) -> Vec<Complaint> {
    let asked = base_name(asked);
    let mut culprits: Vec<Complaint> = Vec::new();
    for (at, complaint) in complaints.iter().enumerate() {
        let name = &complaint.fault.culprit;
        let is_known = culprits.iter().any(|known| known.fault.culprit == *name);
        let failed_before = complaints[..at].iter().any(|other| other.fails(name));
        let counts = match complaint.kind {
            Kind::NotLoaded => !failed_before && leads_to(&asked, at, complaints),
            Kind::NoImplementation | Kind::NotInitialized | Kind::NoAssembly => true,
            Kind::NoTarget => false,
        };
        if counts && !is_known {
            let mut culprit = complaint.clone();
            if complaint.kind == Kind::NoAssembly {
                culprit.fault.importer = Some(asked.clone());
            }
            culprits.push(culprit);
        }
    }
    culprits
}

/// Whether the module that failed in complaint `at` is `asked`, or was imported on the way from it.
fn leads_to(asked: &str, at: usize, complaints: &[Complaint]) -> bool {
    let Some(failed) = &complaints[at].fault.importer else { return true };
    let above = complaints.iter().enumerate().skip(at + 1).find(|(_, other)| {
        matches!(other.kind, Kind::NotLoaded | Kind::NoTarget) && other.fault.culprit == *failed
    });
    match above {
        Some((above, other)) => other.kind == Kind::NotLoaded && leads_to(asked, above, complaints),
        None => failed == asked,
    }
}

impl Complaint {
    /// Whether the module of this name fails because of this complaint.
    fn fails(&self, name: &str) -> bool {
        self.kind == Kind::NotLoaded && self.fault.importer.as_deref() == Some(name)
    }
}

/// Reads `b.dll (which is needed by L"C:\\dlls\\a.dll") ...`.
fn needed_by(text: &str) -> Option<(&str, String)> {
    let (culprit, rest) = text.split_once(" (which is needed by ")?;
    Some((culprit, quoted(rest)?))
}

/// Returns the base name in `L"C:\\dlls\\a.dll"`.
fn quoted(text: &str) -> Option<String> {
    Some(base_name(text.strip_prefix("L\"")?.split('"').next()?))
}

/// Does what `RtlNtStatusToDosError` does, for the statuses of the loader.
fn win32_code(status: u32) -> u32 {
    match status {
        0xc000_0022 => 5,
        0xc000_0139 => 127,
        0xc000_0138 => 182,
        0xc000_0142 => 1114,
        0xc000_0135 => 126,
        // Not an image at all; an image of MS-DOS, of 16-bit Windows, of another machine; a section beyond
        // the end.
        0xc000_0020 | 0xc000_012f | 0xc000_0130 | 0xc000_0131 | 0xc000_007b => 193,
        0xc000_00ba => 5,
        other => other,
    }
}
