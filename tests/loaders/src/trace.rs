//! Wine's trace: what its loader (`dlls/ntdll/loader.c`) complains about with `WINEDEBUG=err+module,warn+module`.

use crate::outcome::{Fault, base_name};

/// One line of the trace that tells a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// What it is about.
    pub kind: Kind,
    /// Who is at fault.
    pub fault: Fault,
}

/// What Wine complains about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A dependency is not loaded.
    NotLoaded,
    /// A symbol is not exported, or its forwarder leads nowhere.
    NoImplementation,
    /// A `DllMain` fails.
    NotInitialized,
}

/// The complaint in a line, if it is one.
pub fn complaint(line: &str) -> Option<Complaint> {
    let told = |kind, code, importer: Option<&str>, culprit: &str| {
        Some(Complaint { kind, fault: Fault::new(code, importer, culprit) })
    };
    let text = line.split_once("import_dll ").or_else(|| line.split_once("process_attach "))?.1;
    if let Some(rest) = text.strip_prefix("Library ") {
        let (culprit, importer) = needed_by(rest)?;
        told(Kind::NotLoaded, 126, Some(&importer), culprit)
    } else if let Some(rest) = text.strip_prefix("Loading library ") {
        let (culprit, importer) = needed_by(rest)?;
        let status = rest.rsplit_once("(error ")?.1.split(')').next()?;
        told(Kind::NotLoaded, win32_code(u32::from_str_radix(status, 16).ok()?), Some(&importer), culprit)
    } else if let Some(rest) = text.strip_prefix("No implementation for ") {
        let (symbol, rest) = rest.split_once(" imported from ")?;
        let (culprit, symbol) = symbol.rsplit_once('.')?;
        let code = if symbol.bytes().all(|byte| byte.is_ascii_digit()) { 182 } else { 127 };
        told(Kind::NoImplementation, code, Some(&quoted(rest)?), culprit)
    } else {
        let culprit = quoted(text.strip_prefix("Initialization of ")?)?;
        told(Kind::NotInitialized, 1114, None, &culprit)
    }
}

/// The culprits among the complaints of one load, each once. A module that fails only because of another one is none:
/// Wine first complains about the one that it needs.
pub fn culprits(complaints: &[Complaint]) -> Vec<Complaint> {
    let mut culprits: Vec<Complaint> = Vec::new();
    for (at, complaint) in complaints.iter().enumerate() {
        let name = &complaint.fault.culprit;
        let failed_before = |other: &Complaint| {
            other.kind == Kind::NotLoaded && other.fault.importer.as_ref() == Some(name)
        };
        let is_known = culprits.iter().any(|known| known.fault.culprit == *name);
        if !is_known && !complaints[..at].iter().any(failed_before) {
            culprits.push(complaint.clone());
        }
    }
    culprits
}

/// `b.dll (which is needed by L"C:\\dlls\\a.dll") ...`
fn needed_by(text: &str) -> Option<(&str, String)> {
    let (culprit, rest) = text.split_once(" (which is needed by ")?;
    Some((culprit, quoted(rest)?))
}

/// The base name in `L"C:\\dlls\\a.dll"`.
fn quoted(text: &str) -> Option<String> {
    Some(base_name(text.strip_prefix("L\"")?.split('"').next()?))
}

/// `RtlNtStatusToDosError`, for what the loader can meet.
fn win32_code(status: u32) -> u32 {
    match status {
        0xc000_0022 => 5,
        0xc000_0139 => 127,
        0xc000_0138 => 182,
        0xc000_0142 => 1114,
        0xc000_0135 => 126,
        // Not an image at all; an image of MS-DOS, of 16-bit Windows, of another machine; a section beyond the end.
        0xc000_0020 | 0xc000_012f | 0xc000_0130 | 0xc000_0131 | 0xc000_007b => 193,
        0xc000_00ba => 5,
        other => other,
    }
}
