//! `whydll.chain`: the DLL tree of a package in an environment, and `whydll.chainPage`: the same as
//! an HTML page. The arguments are `[{ scopeUri, package }]`; without a package, the one with the
//! most severe finding is used.

use serde::Serialize;
use tower_lsp::lsp_types::Url;

use crate::diagnosis::{self, Import, Severity};
use crate::environment::Target;
use crate::lsp::analysis;
use crate::lsp::session::{ScopeView, Session};
use crate::report::{Node, chain_page, chain_tree, empty_page};
use crate::source::{Guard, top_level};

/// The answer of `whydll.chain`.
#[derive(Debug, Serialize)]
pub struct ChainTree {
    /// The imported package.
    pub package: String,
    /// The modules; the children of each are what it needs.
    pub nodes: Vec<Node>,
}

/// The answer of `whydll.chainPage`.
#[derive(Debug, Serialize)]
pub struct ChainPage {
    /// The imported package; `None` if the page says why there is nothing to draw.
    pub package: Option<String>,
    /// The folder or notebook of the environment; `null` for everything outside all folders.
    #[serde(rename = "scopeUri")]
    pub scope: Option<Url>,
    /// The page in HTML, without scripts.
    pub html: String,
}

/// The environment and the package to draw.
pub struct ChainQuery {
    target: Target,
    package: String,
    /// The findings on the package, one or two sentences each.
    findings: Vec<String>,
}

/// Resolves the scope and the package of a command.
///
/// # Errors
/// A sentence that says why there is nothing to draw.
pub fn query(session: &Session, scope: Option<&Url>, package: Option<String>) -> Result<ChainQuery, String> {
    let scope = session.scope_view(scope);
    if let Some(Err(absent)) = scope.answer.map(|answer| &answer.environment) {
        return Err(absent.reason.clone());
    }
    let package = package_of(&scope, package)?;
    let mut findings: Vec<String> = Vec::new();
    let mut add = |finding: &diagnosis::Finding| {
        if top_level(&finding.package) == package && !findings.contains(&finding.what) {
            findings.push(finding.what.clone());
        }
    };
    for (_, view) in &scope.documents {
        view.grouped_findings().unwrap_or_default().iter().for_each(|group| add(&group.finding));
    }
    let named = scope.answer.and_then(|answer| answer.diagnosis(&Import::first(&package)));
    let named = named.into_iter().flat_map(|diagnosis| &diagnosis.findings);
    named.filter(|finding| !finding.is_note && !finding.is_handled).for_each(add);
    Ok(ChainQuery { target: scope.scope.target.clone(), package, findings })
}

/// Returns the tree of the package.
pub fn tree(query: &ChainQuery) -> Result<ChainTree, String> {
    let ChainQuery { target, package, .. } = query;
    let opened = analysis::open(target).map_err(|error| error.to_string())?;
    let chain = diagnosis::chain(&opened.host, &opened.environment, &[package]);
    Ok(ChainTree { nodes: chain_tree(&chain, &opened.host), package: package.clone() })
}

/// Returns the URI of the folder or notebook whose scope contains `scope`.
pub fn scope_of(session: &Session, scope: Option<&Url>) -> Option<Url> {
    session.scope_view(scope).scope.folder.clone()
}

/// Returns the page of the package, or one that says why there is nothing to draw.
pub fn page(scope: Option<Url>, query: Result<ChainQuery, String>) -> ChainPage {
    let drawn = query.and_then(|ChainQuery { target, package, findings }| {
        let opened = analysis::open(&target).map_err(|error| error.to_string())?;
        let chain = diagnosis::chain(&opened.host, &opened.environment, &[&package]);
        let html = chain_page(&chain, &opened.host, &opened.environment, &package, &findings);
        Ok((Some(package), html))
    });
    let (package, html) = drawn.unwrap_or_else(|reason: String| (None, empty_page(&reason)));
    ChainPage { package, scope, html }
}

/// Returns the package of a command: the named one, or else the one with the most severe finding.
pub fn package_of(scope: &ScopeView<'_>, named: Option<String>) -> Result<String, String> {
    let package = named.or_else(|| worst_package(scope));
    package.ok_or_else(|| "no open file in this folder imports a package with native code".to_owned())
}

/// Returns the package with the most severe finding, or without findings the first watched one that
/// is installed.
pub fn worst_package(scope: &ScopeView<'_>) -> Option<String> {
    let severities = &scope.settings.severity;
    let mut packages: Vec<(Option<Severity>, String)> = Vec::new();
    for (_, view) in &scope.documents {
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
    for name in scope.settings.packages.always_reported() {
        let Some(known) = scope.answer.and_then(|answer| answer.diagnosis(&Import::first(name))) else {
            continue;
        };
        if known.packages.iter().any(|package| package.path.is_some()) {
            let findings = known.findings.iter();
            let shown = findings.filter_map(|finding| finding.severity_under(severities, Guard::None));
            packages.push((shown.min(), name.to_owned()));
        }
    }
    let rank = |severity: &Option<Severity>| (severity.is_none(), *severity);
    packages.into_iter().min_by_key(|(severity, _)| rank(severity)).map(|(_, name)| name)
}
