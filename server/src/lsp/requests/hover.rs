//! `textDocument/hover`: the state of a watched package.

use std::fmt::Write;

use tower_lsp::lsp_types::{Hover, HoverContents, HoverParams, MarkupContent, MarkupKind};

use crate::diagnosis::{DiagnosedPackage, FAILS_AND_IS_HANDLED, Finding, Severity};
use crate::host::WinPath;
use crate::host::snapshot::Redactor;
use crate::lsp::convert;
use crate::lsp::health::State;
use crate::lsp::session::{DocumentView, Session};
use crate::report::markdown::{code, escaped, fenced, nested};
use crate::source::{Guard, ImportStatement, is_standard};

pub fn answer(session: &Session, params: &HoverParams) -> Option<Hover> {
    let at = &params.text_document_position_params;
    let view = session.view(&at.text_document.uri)?;
    let position = convert::source_position(at.position);
    let import = view.document.import_at(position, &view.settings.packages)?;
    // Packages without native code aren't our concern, and an import that isn't run may have no
    // diagnosis.
    let diagnosis = view.diagnosis(import);
    let is_silent = || import.guard == Guard::NotRun || import.is_access || is_standard(import.top_level());
    if diagnosis.map_or_else(is_silent, |known| known.packages.is_empty()) {
        return None;
    }
    Some(Hover {
        contents: HoverContents::Markup(MarkupContent {
            kind: MarkupKind::Markdown,
            value: Redactor::of_secrets().markdown(&contents(&view, import)),
        }),
        range: Some(convert::range(import.range)),
    })
}

/// Returns the hover in Markdown. It doesn't repeat the diagnostic, which the editor shows above
/// it.
fn contents(view: &DocumentView<'_>, import: &ImportStatement) -> String {
    let name = import.top_level();
    let (Some(answer), Some(findings)) = (view.answer, view.known(import)) else {
        return format!("**{}**: being checked\n", escaped(name));
    };
    let examined = match &answer.environment {
        Ok(examined) => examined,
        Err(reason) => return format!("**{}**: {}\n", escaped(name), escaped(&reason.reason)),
    };
    let worst = findings.into_iter().min_by_key(|finding| finding.severity);
    let package =
        view.diagnosis(import).and_then(|known| known.packages.iter().find(|package| package.import == name));
    let mut text = String::new();
    let is_shown = import.guard != Guard::NotRun;
    if let Some(finding) = worst.as_ref().filter(|finding| is_shown && finding.severity <= Severity::Warning)
    {
        text.push_str(&chain(finding));
    }
    let _ = write!(text, "**{}**", escaped(name));
    if let Some(version) = package.and_then(|package| package.version.as_ref()) {
        let _ = write!(text, " {}", escaped(version));
    }
    if let Some(distribution) = package.and_then(|package| package.distribution.as_ref()) {
        let _ = write!(text, " ({})", escaped(distribution));
    }
    let state = match &worst {
        Some(finding) if finding.is_handled => FAILS_AND_IS_HANDLED.to_owned(),
        Some(finding) if finding.is_silenced_on(import) => {
            format!("{}, silenced by a comment", finding.brief())
        }
        Some(finding) => State::of(finding.severity).name().to_owned(),
        None => format!("healthy{}", package.map_or(String::new(), DiagnosedPackage::extent)),
    };
    let _ = writeln!(text, ": {}\n", escaped(&state));
    if let Some(package) = package.filter(|package| !package.coverage.is_full()) {
        text.push_str(&unknown_parts(package));
    }
    if let Some(path) = package.and_then(|package| package.path.as_ref()) {
        let _ = writeln!(text, "- package: {}", code(path.as_str()));
    }
    let interpreter = code(&examined.interpreter);
    let _ = writeln!(text, "- interpreter: {interpreter} (Python {}, {})", examined.version, examined.kind);
    let _ = writeln!(text, "- machine: {}", escaped(&examined.machine));
    text
}

/// Returns a list of the parts of an import that couldn't be followed, and of what may fail there.
fn unknown_parts(package: &DiagnosedPackage) -> String {
    const MAX_ITEMS: usize = 3;
    let mut text = String::new();
    for gap in package.coverage.gaps.iter().take(MAX_ITEMS) {
        let file = gap.file.as_ref().map_or(String::new(), |file| format!("{}, ", package.short(file)));
        let _ = writeln!(text, "- unknown: {}line {}: {}", escaped(&file), gap.line, escaped(&gap.what));
    }
    for failing in package.coverage.not_reached.iter().flat_map(|missed| &missed.failing).take(MAX_ITEMS) {
        let _ = writeln!(
            text,
            "- may fail: {}: {}",
            escaped(&package.short(&failing.file)),
            escaped(&failing.why)
        );
    }
    text
}

/// Returns the chain from the Python file down to the culprit, in a code block.
fn chain(finding: &Finding) -> String {
    if finding.chain.is_empty() {
        return String::new();
    }
    let start = finding.related.first().map(|place| {
        let folder = place.file.parent().unwrap_or_else(|| WinPath::new(""));
        format!("{}/{}, line {}", folder.file_name(), place.file.file_name(), place.line)
    });
    let links = finding.chain.iter().map(|link| match &link.remark {
        Some(remark) => format!("{}  {remark}", link.name),
        None => link.name.clone(),
    });
    format!("{}\n\n", fenced(&nested(start.into_iter().chain(links))))
}
