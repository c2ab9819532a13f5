//! `whydll.report`: the whole diagnosis of an environment, in Markdown. The arguments are
//! `[{ scopeUri, links }]`.
//!
//! With `links: true`, locations are links that VS Code's Markdown preview can follow. They are
//! relative to the first folder of the window, because the preview doesn't open other files.
//! Without links, the report is made for sharing, so user names are replaced.

use std::ffi::OsStr;
use std::path::Path;

use tower_lsp::lsp_types::Url;

use crate::diagnosis::Import;
use crate::environment::Target;
use crate::lsp::analysis;
use crate::lsp::scope::path_of;
use crate::lsp::session::{ScopeView, Session};
use crate::report::{CheckedDocument, Located, Report, check_markdown};
use crate::source::Guard;

/// The parts of the report that the session provides.
pub struct ReportContents {
    target: Target,
    packages: Vec<crate::diagnosis::DiagnosedPackage>,
    findings: Vec<Located>,
    documents: Vec<CheckedDocument>,
    links: bool,
}

/// Collects the contents of the report from the session.
pub fn collect(session: &Session, scope: Option<&Url>, links: bool) -> ReportContents {
    let scope = session.scope_view(scope);
    let mut contents = ReportContents {
        target: scope.scope.target.clone(),
        packages: Vec::new(),
        findings: Vec::new(),
        documents: Vec::new(),
        links,
    };
    let first = session.scope_view(None).scope.path.as_deref();
    contents.add_documents(&scope, first.filter(|_| links));
    contents.add_named(&scope);
    contents
}

/// Returns the report.
pub fn render(contents: ReportContents) -> Result<String, String> {
    let opened = analysis::open(&contents.target).map_err(|error| error.to_string())?;
    let report = Report {
        environment: &opened.environment,
        host: &opened.host,
        assumed: opened.assumed,
        packages: contents.packages,
        findings: contents.findings,
        documents: contents.documents,
    };
    let document = check_markdown(&report);
    Ok(if contents.links { document } else { report.redactor().markdown(&document) })
}

/// Returns the link to a file in the window's first folder, such as `/src/train%20it.py`, or `None`
/// for other files. It compares paths, because editors write URLs differently (`c%3A`).
pub fn link_from(root: &Path, file: &Path) -> Option<String> {
    let below: Option<Vec<&str>> = file.strip_prefix(root).ok()?.iter().map(OsStr::to_str).collect();
    let mut link = Url::parse("file:///").ok()?;
    link.path_segments_mut().ok()?.extend(below?);
    Some(link.path().to_owned())
}

impl ReportContents {
    /// Adds the findings on the imports of open documents.
    fn add_documents(&mut self, scope: &ScopeView<'_>, root: Option<&Path>) {
        for (uri, view) in &scope.documents {
            let at = self.documents.len();
            let mut watched_imports = 0;
            for import in view.imports() {
                let packages = view.diagnosis(import).map(|known| &known.packages);
                for package in packages.into_iter().flatten() {
                    watched_imports += 1;
                    if !self.packages.contains(package) {
                        self.packages.push(package.clone());
                    }
                }
                let known = view.diagnosis(import);
                let shown = known.map(|known| known.shown_on(&scope.settings.severity, import));
                for finding in shown.into_iter().flatten() {
                    let finding = finding.into_owned();
                    self.findings.push(Located { finding, at: Some((at, import.range)) });
                }
            }
            let folder = scope.scope.path.as_deref();
            let place = view.document.place.as_ref();
            let path = path_of(place.map_or(uri, |place| &place.notebook));
            let within =
                path.as_deref().map(|path| folder.and_then(|f| path.strip_prefix(f).ok()).unwrap_or(path));
            let name = within.map_or_else(|| uri.to_string(), |path| path.display().to_string());
            // The editor may not report all cells, so our numbers can differ from those that it shows.
            let name = if place.is_some() { format!("{name} (a cell)") } else { name };
            let checked = CheckedDocument::new(name, view.document.text().to_owned());
            // Links can't point to a cell.
            let root = root.filter(|_| place.is_none());
            let link = root.zip(path.as_deref()).and_then(|(root, file)| link_from(root, file));
            self.documents.push(CheckedDocument { watched_imports, link, ..checked });
        }
    }

    /// Adds the findings on packages that the settings name, whether a document imports them or
    /// not.
    fn add_named(&mut self, scope: &ScopeView<'_>) {
        let Some(answer) = scope.answer else { return };
        for name in scope.settings.packages.always_reported() {
            let Some(diagnosis) = answer.diagnosis(&Import::first(name)) else { continue };
            let is_new = |import: &str| !self.packages.iter().any(|known| known.import == import);
            let installed = diagnosis.packages.iter().filter(|package| package.path.is_some());
            let new: Vec<_> = installed.filter(|package| is_new(&package.import)).cloned().collect();
            if new.is_empty() {
                continue;
            }
            self.packages.extend(new);
            for finding in &diagnosis.findings {
                if let Some(finding) = finding.under(&scope.settings.severity, Guard::None) {
                    self.findings.push(Located { finding: finding.into_owned(), at: None });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_relative_to_the_first_folder() {
        let link = |root: &str, file: &str| link_from(Path::new(root), Path::new(file));
        assert_eq!(link("/work/a", "/work/a/src/train it#1.py").as_deref(), Some("/src/train%20it%231.py"));
        assert_eq!(link("/work/a", "/work/ab/train.py"), None);
        if cfg!(windows) {
            assert_eq!(link(r"c:\work", r"c:\work\src\train.py").as_deref(), Some("/src/train.py"));
        }
    }
}
