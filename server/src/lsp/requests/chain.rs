//! `whydll.chain`: the DLL tree of a package in an environment. `[{ scopeUri, package }]`; without a package, the one that is worst off.

use serde::Serialize;
use tower_lsp::lsp_types::Url;

use crate::diagnosis::{self, Import, Severity};
use crate::lsp::analysis::Target;
use crate::lsp::session::{Outlook, Session};
use crate::report::{Node, chain_tree};
use crate::source::top_level;

/// The tree.
#[derive(Debug, Serialize)]
pub struct Tree {
    /// What is imported.
    pub package: String,
    /// Each module above what it needs.
    pub nodes: Vec<Node>,
}

/// Where to look, and at what.
pub fn asked(
    session: &Session,
    scope: Option<&Url>,
    package: Option<String>,
) -> Result<(Target, String), String> {
    let outlook = session.outlook(scope);
    let package = package_of(&outlook, package)?;
    Ok((outlook.scope.target.clone(), package))
}

/// The tree of `package`.
pub fn drawn(target: &Target, package: String) -> Result<Tree, String> {
    let opened = target.open(|host| host)?;
    let chain = diagnosis::chain(&opened.host, &opened.environment, &[&package]);
    Ok(Tree { nodes: chain_tree(&chain, &opened.host), package })
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
            let worst = findings.into_iter().min_by_key(|(severity, _)| *severity);
            let name = match worst {
                Some((_, finding)) => top_level(&finding.package).to_owned(),
                None => known.packages.first().map(|package| package.import.clone())?,
            };
            packages.push((worst.map(|(severity, _)| severity), name));
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
