//! `whydll.checkFolder`: the report on all Python files and notebooks of a folder, as saved on
//! disk, in Markdown. The arguments are `[{ scopeUri }]`.

use std::fmt::Write;
use std::path::PathBuf;

use tower_lsp::lsp_types::Url;

use super::report::link_from;
use crate::check::{SourceFiles, check_programs};
use crate::diagnosis::DiagnosisCache;
use crate::environment::Target;
use crate::lsp::analysis;
use crate::lsp::session::Session;
use crate::lsp::settings::Settings;
use crate::report::markdown::escaped;
use crate::report::{Report, check_markdown};

/// The folder to check, and its settings.
pub struct FolderQuery {
    folder: PathBuf,
    target: Target,
    settings: Settings,
    /// The first folder of the window, if it has one.
    first: Option<PathBuf>,
}

/// Resolves the scope of the command.
///
/// # Errors
/// A sentence that says why there is nothing to check.
pub fn query(session: &Session, scope: Option<&Url>) -> Result<FolderQuery, String> {
    let scope = session.scope_view(scope);
    let folder = scope.scope.path.clone();
    let folder = folder.ok_or("open a folder first: only the files of a folder can be checked together")?;
    let first = session.scope_view(None).scope.path.clone();
    Ok(FolderQuery { folder, target: scope.scope.target.clone(), settings: scope.settings.clone(), first })
}

/// Returns the report. Needs as much stack as a diagnosis.
pub fn report(query: &FolderQuery) -> Result<String, String> {
    let FolderQuery { folder, target, settings, first } = query;
    let opened = analysis::open(target).map_err(|error| error.to_string())?;
    let mut programs = SourceFiles::default();
    programs.add(folder).map_err(|error| error.to_string())?;
    let files = programs.files.len();
    for program in &mut programs.files {
        let Some(path) = &program.path else { continue };
        let name = path.strip_prefix(folder).unwrap_or(path).display().to_string();
        let link = first.as_ref().and_then(|first| link_from(first, path));
        for part in &mut program.parts {
            part.name.clone_from(&name);
            part.link.clone_from(&link);
        }
    }
    let mut report = Report::new(&opened.environment, &opened.host, opened.assumed);
    let mut diagnoses = DiagnosisCache::new(&opened.host, &opened.environment, opened.answers.as_ref());
    let Settings { packages, severity, .. } = settings;
    check_programs(&mut report, &opened.host, &mut diagnoses, programs.files, packages, severity);
    let mut out = check_markdown(&report);
    let files = if files == 1 { "One file".to_owned() } else { format!("{files} files") };
    let _ = writeln!(
        out,
        "\n---\n\n{files} checked in {}, as saved on disk.",
        escaped(&folder.display().to_string())
    );
    for reason in &programs.skipped {
        let _ = writeln!(out, "- Not checked: {}", escaped(&reason.to_string()));
    }
    Ok(out)
}
