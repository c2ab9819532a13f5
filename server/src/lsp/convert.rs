//! Conversions between our types and those of the protocol.

use serde_json::json;
use tower_lsp::lsp_types::{
    CodeDescription, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, Location, NumberOrString,
    Position, Range, TextDocumentContentChangeEvent, Url,
};

use super::document::TextChange;
use super::session::GroupedFinding;
use crate::diagnosis::{Related, Severity};
use crate::host::WinPath;
use crate::source;
use crate::visible::{visible, visible_lines};

/// Converts a position to the protocol's type; both count UTF-16 code units.
pub fn position(position: source::Position) -> Position {
    Position { line: position.line, character: position.character }
}

/// Converts a position of the protocol to ours.
pub fn source_position(position: Position) -> source::Position {
    source::Position { line: position.line, character: position.character }
}

/// Converts a range to the protocol's type.
pub fn range(range: source::Range) -> Range {
    Range { start: position(range.start), end: position(range.end) }
}

/// Converts a change of a document.
pub fn change(event: TextDocumentContentChangeEvent) -> TextChange {
    let range = event
        .range
        .map(|range| source::Range { start: source_position(range.start), end: source_position(range.end) });
    TextChange { range, text: event.text }
}

/// Returns the diagnostic for a finding, on the first import of the document that it affects.
pub fn diagnostic(document: &Url, group: &GroupedFinding<'_>) -> Diagnostic {
    let GroupedFinding { import, finding, also } = group;
    let others = also.iter().map(|import| DiagnosticRelatedInformation {
        location: Location { uri: document.clone(), range: range(import.range) },
        message: format!("`import {}` fails for the same reason", import.module),
    });
    let first_use = import.first_use.map(|first| DiagnosticRelatedInformation {
        location: Location { uri: document.clone(), range: range(first) },
        message: format!("`lazy import {}` runs here, at its first use", import.module),
    });
    let related: Vec<_> =
        first_use.into_iter().chain(finding.related.iter().filter_map(related)).chain(others).collect();
    let lines: Vec<String> = also.iter().map(|import| (import.range.start.line + 1).to_string()).collect();
    let also = match lines.as_slice() {
        [] => String::new(),
        [line] => format!("\nAlso at line {line}."),
        [lines @ .., last] => format!("\nAlso at lines {} and {last}.", lines.join(", ")),
    };
    Diagnostic {
        range: range(import.range),
        severity: Some(severity(finding.severity)),
        code: Some(NumberOrString::String(finding.code.name().to_owned())),
        code_description: Url::parse(&finding.code.url()).ok().map(|href| CodeDescription { href }),
        source: Some("WhyDLL".to_owned()),
        message: visible_lines(&(finding.message() + &also)).into_owned(),
        related_information: (!related.is_empty()).then_some(related),
        tags: None,
        data: Some(json!({ "import": import.module, "dlls": finding.dlls })),
    }
}

fn severity(severity: Severity) -> DiagnosticSeverity {
    match severity {
        Severity::Error => DiagnosticSeverity::ERROR,
        Severity::Warning => DiagnosticSeverity::WARNING,
        Severity::Information => DiagnosticSeverity::INFORMATION,
        Severity::Hint => DiagnosticSeverity::HINT,
    }
}

/// Converts a related location. Returns `None` if its file isn't on this system.
fn related(related: &Related) -> Option<DiagnosticRelatedInformation> {
    let line = Position { line: related.line.saturating_sub(1), character: 0 };
    Some(DiagnosticRelatedInformation {
        location: Location { uri: file_url(&related.file)?, range: Range { start: line, end: line } },
        message: visible(&related.message).into_owned(),
    })
}

/// Returns the `file:` URL of a path, or `None` if the path isn't one of this system.
pub fn file_url(path: &WinPath) -> Option<Url> {
    Url::from_file_path(path.as_str()).ok()
}
