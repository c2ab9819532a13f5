//! Views of the session for requests.

use std::borrow::Cow;

use tower_lsp::lsp_types::{Diagnostic, Url};

use super::Session;
use crate::diagnosis::{Diagnosis, Finding};
use crate::lsp::analysis::Answer;
use crate::lsp::convert;
use crate::lsp::document::OpenDocument;
use crate::lsp::scope::Scope;
use crate::lsp::settings::Settings;
use crate::source::{Guard, ImportStatement};

impl Session {
    /// Returns an open document with its answer.
    pub fn view(&self, uri: &Url) -> Option<DocumentView<'_>> {
        let document = self.documents.get(uri)?;
        let scope = self.scopes.get(document.scope)?;
        Some(DocumentView {
            document,
            settings: self.settings_of(scope),
            answer: self.answers.get(&scope.target),
            scope,
        })
    }

    /// Returns the scope of this document or folder with its answer; without a URI, the first
    /// scope.
    pub fn scope_view(&self, uri: Option<&Url>) -> ScopeView<'_> {
        let at = uri.map_or(0, |uri| self.scope_at(uri));
        // There is always at least one scope: that of everything outside all folders.
        self.scope_view_at(at.min(self.scopes.len().saturating_sub(1)))
    }

    /// Returns each scope that is in use, with its answer.
    pub fn scope_views(&self) -> impl Iterator<Item = ScopeView<'_>> {
        let in_use = self.scopes.iter().enumerate().filter(|(_, scope)| scope.in_use);
        in_use.map(|(at, _)| self.scope_view_at(at))
    }

    fn scope_view_at(&self, at: usize) -> ScopeView<'_> {
        let scope = &self.scopes[at];
        let documents = self.documents.iter().filter(|(_, document)| document.scope == at);
        let mut documents: Vec<(&Url, DocumentView<'_>)> =
            documents.filter_map(|(uri, _)| Some((uri, self.view(uri)?))).collect();
        documents.sort_by_key(|(uri, _)| *uri);
        ScopeView {
            scope,
            settings: self.settings_of(scope),
            answer: self.answers.get(&scope.target),
            documents,
        }
    }
}

/// A scope with its settings, answer, and documents.
pub struct ScopeView<'a> {
    pub scope: &'a Scope,
    pub settings: &'a Settings,
    /// The answer for the scope's target; `None` until the first analysis has ended.
    pub answer: Option<&'a Answer>,
    /// The open documents of the scope.
    pub documents: Vec<(&'a Url, DocumentView<'a>)>,
}

/// An open document with its settings and answer.
pub struct DocumentView<'a> {
    pub document: &'a OpenDocument,
    pub scope: &'a Scope,
    pub settings: &'a Settings,
    /// The answer for the scope's target; `None` until the first analysis has ended.
    pub answer: Option<&'a Answer>,
}

/// A finding and all imports of a document that it affects.
pub struct GroupedFinding<'a> {
    /// The first of the imports.
    pub import: &'a ImportStatement,
    /// The finding there, with its severity for the user.
    pub finding: Cow<'a, Finding>,
    /// The other imports.
    pub also: Vec<&'a ImportStatement>,
}

impl<'a> DocumentView<'a> {
    /// Returns the document's imports of watched packages.
    pub fn imports(&self) -> &'a [ImportStatement] {
        &self.document.read(&self.settings.packages).imports
    }

    /// Returns the diagnosis of an import, or `None` while an analysis is pending.
    pub fn diagnosis(&self, import: &ImportStatement) -> Option<&'a Diagnosis> {
        let import = self.document.import_to_diagnose(import, &self.settings.packages)?;
        self.answer?.diagnosis(&import).map(|known| &**known)
    }

    /// Returns the diagnosis of an import, which is empty if there is no environment, or `None` while
    /// an analysis is pending.
    fn answered(&self, import: &ImportStatement) -> Option<Option<&'a Diagnosis>> {
        let import = self.document.import_to_diagnose(import, &self.settings.packages)?;
        let answer = self.answer.filter(|answer| answer.covers(&import))?;
        Some(answer.diagnosis(&import).map(|known| &**known))
    }

    /// Returns the findings on an import, also those that a comment silences, or `None` while an
    /// analysis is pending.
    pub fn known(&self, import: &ImportStatement) -> Option<Vec<Cow<'a, Finding>>> {
        let findings = self.answered(import)?.map_or(&[][..], |known| &known.findings).iter();
        let findings = findings.filter(|finding| !finding.is_note);
        Some(findings.filter_map(|finding| finding.on(&self.settings.severity, import)).collect())
    }

    /// Returns the findings to show on an import, or `None` while an analysis is pending.
    pub fn findings(&self, import: &ImportStatement) -> Option<Vec<Cow<'a, Finding>>> {
        if import.guard == Guard::NotRun {
            return Some(Vec::new());
        }
        let known = self.answered(import)?;
        let mut shown = known.map_or_else(Vec::new, |known| known.shown_on(&self.settings.severity, import));
        shown.retain(|finding| !finding.is_note);
        Some(shown)
    }

    /// Returns the findings to show in the document, each cause once, on the first import that it
    /// affects. Returns `None` while an analysis is pending.
    pub fn grouped_findings(&self) -> Option<Vec<GroupedFinding<'a>>> {
        let mut groups: Vec<GroupedFinding<'a>> = Vec::new();
        for import in self.imports() {
            for finding in self.findings(import)? {
                let known = groups
                    .iter_mut()
                    .find(|known| known.import != import && known.finding.explains(&finding));
                match known {
                    Some(known) if known.also.contains(&import) => {}
                    Some(known) => known.also.push(import),
                    None => groups.push(GroupedFinding { import, finding, also: Vec::new() }),
                }
            }
        }
        Some(groups)
    }

    /// Returns all diagnostics of the document, or `None` while an analysis is pending.
    pub(super) fn diagnostics(&self, uri: &Url) -> Option<Vec<Diagnostic>> {
        Some(self.grouped_findings()?.iter().map(|group| convert::diagnostic(uri, group)).collect())
    }
}
