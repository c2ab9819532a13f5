//! What requests ask.

use std::borrow::Cow;

use tower_lsp::lsp_types::{Diagnostic, Url};

use super::Session;
use crate::diagnosis::{Diagnosis, Finding, Severity};
use crate::lsp::analysis::Answer;
use crate::lsp::convert;
use crate::lsp::document::OpenDocument;
use crate::lsp::scope::Scope;
use crate::lsp::settings::Settings;
use crate::source::{Guard, ImportStatement};

impl Session {
    /// An open document and what is known for it.
    pub fn view(&self, uri: &Url) -> Option<View<'_>> {
        let document = self.documents.get(uri)?;
        let scope = self.scopes.get(document.scope)?;
        Some(View {
            document,
            settings: self.settings_of(scope),
            answer: self.answers.get(&scope.target),
            scope,
        })
    }

    /// What is known of the folder of this document or folder; without one, of the first folder.
    pub fn outlook(&self, uri: Option<&Url>) -> Outlook<'_> {
        let at = uri.map_or(0, |uri| self.scope_at(uri));
        // There is always one: that of what is outside of every folder.
        self.outlook_at(at.min(self.scopes.len().saturating_sub(1)))
    }

    /// What is known of each folder that is in use.
    pub fn outlooks(&self) -> impl Iterator<Item = Outlook<'_>> {
        let in_use = self.scopes.iter().enumerate().filter(|(_, scope)| scope.in_use);
        in_use.map(|(at, _)| self.outlook_at(at))
    }

    fn outlook_at(&self, at: usize) -> Outlook<'_> {
        let scope = &self.scopes[at];
        let documents = self.documents.iter().filter(|(_, document)| document.scope == at);
        let mut documents: Vec<(&Url, View<'_>)> =
            documents.filter_map(|(uri, _)| Some((uri, self.view(uri)?))).collect();
        documents.sort_by_key(|(uri, _)| *uri);
        Outlook {
            scope,
            settings: self.settings_of(scope),
            answer: self.answers.get(&scope.target),
            documents,
        }
    }
}

/// A folder and what is known for it.
pub struct Outlook<'a> {
    pub scope: &'a Scope,
    pub settings: &'a Settings,
    /// None while it is being found out.
    pub answer: Option<&'a Answer>,
    /// Its open documents.
    pub documents: Vec<(&'a Url, View<'a>)>,
}

/// An open document and what is known for it.
pub struct View<'a> {
    pub document: &'a OpenDocument,
    pub scope: &'a Scope,
    pub settings: &'a Settings,
    /// None while it is being found out.
    pub answer: Option<&'a Answer>,
}

/// A finding, and the imports that it is about.
pub struct Cause<'a> {
    /// The first one.
    pub import: &'a ImportStatement,
    /// What is found there, as severe as it is to the user.
    pub finding: Cow<'a, Finding>,
    /// The other ones.
    pub also: Vec<&'a ImportStatement>,
}

impl<'a> View<'a> {
    /// Its imports of watched packages.
    pub fn imports(&self) -> &'a [ImportStatement] {
        &self.document.read(&self.settings.packages).imports
    }

    /// The diagnosis of an import. None while it is being found out.
    pub fn diagnosis(&self, import: &ImportStatement) -> Option<&'a Diagnosis> {
        let asked = self.document.asked(import, &self.settings.packages)?;
        self.answer?.diagnosis(&asked).map(|known| &**known)
    }

    /// What is known of an import, and how severe it is to the user. None while it is being found out.
    pub fn known(&self, import: &ImportStatement) -> Option<Vec<(Severity, &'a Finding)>> {
        let asked = self.document.asked(import, &self.settings.packages)?;
        let answer = self.answer.filter(|answer| answer.covers(&asked))?;
        let findings = answer.diagnosis(&asked).into_iter().flat_map(|known| &known.findings);
        let findings = findings.filter(|finding| !finding.is_note);
        Some(findings.filter_map(|finding| Some((self.settings.severity_of(finding)?, finding))).collect())
    }

    /// What is to be shown on an import, with regard to what stands around it and on its line.
    pub fn findings(&self, import: &ImportStatement) -> Option<Vec<Cow<'a, Finding>>> {
        if import.guard == Guard::NotRun {
            return Some(Vec::new());
        }
        let known = self.known(import)?.into_iter();
        let known = known.filter(|(_, finding)| !import.ignores.covers(finding.code.name()));
        Some(known.map(|(severity, finding)| finding.on(severity, import)).collect())
    }

    /// What is to be shown in the document: each cause once, on the first import that meets it. None while something is being found
    /// out.
    pub fn causes(&self) -> Option<Vec<Cause<'a>>> {
        let mut causes: Vec<Cause<'a>> = Vec::new();
        for import in self.imports() {
            for finding in self.findings(import)? {
                let known = causes
                    .iter_mut()
                    .find(|known| known.import != import && known.finding.explains(&finding));
                match known {
                    Some(known) if known.also.contains(&import) => {}
                    Some(known) => known.also.push(import),
                    None => causes.push(Cause { import, finding, also: Vec::new() }),
                }
            }
        }
        Some(causes)
    }

    /// All diagnostics of the document. None while something is being found out.
    pub(super) fn diagnostics(&self, uri: &Url) -> Option<Vec<Diagnostic>> {
        Some(self.causes()?.iter().map(|cause| convert::diagnostic(uri, cause)).collect())
    }
}
