//! `whydll.chain`: the DLL tree of a package in an environment, and `whydll.chainPage`: the same as a page. `[{ scopeUri, package }]`;
//! without a package, the one that is worst off.

use serde::Serialize;
use tower_lsp::lsp_types::Url;

use crate::diagnosis::{self, Import, Severity};
use crate::lsp::analysis::Target;
use crate::lsp::session::{Outlook, Session};
use crate::report::{Node, chain_page, chain_tree, empty_page};
use crate::source::top_level;

/// The tree.
#[derive(Debug, Serialize)]
pub struct Tree {
    /// What is imported.
    pub package: String,
    /// Each module above what it needs.
    pub nodes: Vec<Node>,
}

/// The page.
#[derive(Debug, Serialize)]
pub struct Page {
    /// What is imported; none where the page says why there is nothing to draw.
    pub package: Option<String>,
    /// The folder or notebook whose environment it is of; null for what is outside of every folder.
    #[serde(rename = "scopeUri")]
    pub scope: Option<Url>,
    /// All of it, in HTML without scripts.
    pub html: String,
}

/// Where to look, and at what.
pub struct Asked {
    target: Target,
    package: String,
    /// What is shown of it elsewhere, in a sentence or two each.
    findings: Vec<String>,
}

/// In a sentence, why there is nothing to look at.
pub fn asked(session: &Session, scope: Option<&Url>, package: Option<String>) -> Result<Asked, String> {
    let outlook = session.outlook(scope);
    if let Some(Err(absent)) = outlook.answer.map(|answer| &answer.environment) {
        return Err(absent.reason.clone());
    }
    let package = package_of(&outlook, package)?;
    let mut findings: Vec<String> = Vec::new();
    let mut add = |finding: &diagnosis::Finding| {
        if top_level(&finding.package) == package && !findings.contains(&finding.what) {
            findings.push(finding.what.clone());
        }
    };
    for (_, view) in &outlook.documents {
        view.causes().unwrap_or_default().iter().for_each(|cause| add(&cause.finding));
    }
    let named = outlook.answer.and_then(|answer| answer.diagnosis(&Import::first(&package)));
    let named = named.into_iter().flat_map(|diagnosis| &diagnosis.findings);
    named.filter(|finding| !finding.is_note && !finding.is_handled).for_each(add);
    Ok(Asked { target: outlook.scope.target.clone(), package, findings })
}

/// The tree of `package`.
pub fn drawn(asked: &Asked) -> Result<Tree, String> {
    let Asked { target, package, .. } = asked;
    let opened = target.open(|host| host).map_err(|why| why.to_string())?;
    let chain = diagnosis::chain(&opened.host, &opened.environment, &[package]);
    Ok(Tree { nodes: chain_tree(&chain, &opened.host), package: package.clone() })
}

/// The folder or notebook that a question is about.
pub fn scope_of(session: &Session, scope: Option<&Url>) -> Option<Url> {
    session.outlook(scope).scope.folder.clone()
}

/// The page of `package`; where there is nothing to draw, one that says why.
pub fn page(scope: Option<Url>, asked: Result<Asked, String>) -> Page {
    let drawn = asked.and_then(|Asked { target, package, findings }| {
        let opened = target.open(|host| host).map_err(|why| why.to_string())?;
        let chain = diagnosis::chain(&opened.host, &opened.environment, &[&package]);
        let html = chain_page(&chain, &opened.host, &opened.environment, &package, &findings);
        Ok((Some(package), html))
    });
    let (package, html) = drawn.unwrap_or_else(|reason: String| (None, empty_page(&reason)));
    Page { package, scope, html }
}

/// The package that a command is about: the one that was named, else the one that is worst off.
pub fn package_of(outlook: &Outlook<'_>, named: Option<String>) -> Result<String, String> {
    let package = named.or_else(|| worst(outlook));
    package.ok_or_else(|| "no open file of this folder imports a package with native code".to_owned())
}

/// The package with the worst finding; without any, the first that is watched and installed.
pub fn worst(outlook: &Outlook<'_>) -> Option<String> {
    let mut packages: Vec<(Option<Severity>, String)> = Vec::new();
    for (_, view) in &outlook.documents {
        for import in view.imports() {
            let Some(known) = view.diagnosis(import).filter(|known| !known.packages.is_empty()) else {
                continue;
            };
            let findings = view.findings(import).unwrap_or_default();
            let worst = findings.into_iter().min_by_key(|finding| finding.severity);
            let name = match &worst {
                Some(finding) => top_level(&finding.package).to_owned(),
                None => known.packages.first().map(|package| package.import.clone())?,
            };
            packages.push((worst.map(|finding| finding.severity), name));
        }
    }
    for name in outlook.settings.packages.named() {
        let Some(known) = outlook.answer.and_then(|answer| answer.diagnosis(&Import::first(name))) else {
            continue;
        };
        if known.packages.iter().any(|package| package.path.is_some()) {
            packages.push((known.findings.iter().map(|finding| finding.severity).min(), name.to_owned()));
        }
    }
    let rank = |severity: &Option<Severity>| (severity.is_none(), *severity);
    packages.into_iter().min_by_key(|(severity, _)| rank(severity)).map(|(_, name)| name)
}
