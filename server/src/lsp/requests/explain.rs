//! `whydll.explain`: an explanation of a traceback and the diagnosis of the import that failed, in
//! Markdown. The arguments are `[{ scopeUri, text }]`.

use crate::check::{ExplainError, ExplainedImport, Precedence};
use crate::diagnosis::DiagnosisCache;
use crate::environment::Target;
use crate::lsp::analysis::Unavailable;
use crate::report::Explanation;
use crate::traceback;

/// Returns the explanation. `target` is used if the traceback doesn't name its environment.
///
/// # Errors
/// A sentence that says why `text` isn't the traceback of an import.
pub fn explain(target: &Target, text: &str) -> Result<String, String> {
    if text.len() as u64 > traceback::MAX_LENGTH {
        return Err("the text is too long for a traceback".to_owned());
    }
    let traceback = traceback::read(text).map_err(|error| error.to_string())?;
    let failed = match ExplainedImport::of(&traceback, target, Precedence::Traceback, None) {
        Ok(failed) => failed,
        Err(error) => {
            let reason = match error {
                ExplainError::Target(error) => Unavailable::of(error, target).reason,
                error @ ExplainError::NoImport => format!("{error}, so include more of it"),
            };
            let import = traceback.import.as_ref().map(|import| import.module.as_str());
            let explanation = Explanation { traceback: &traceback, import, same_environment: None };
            return Ok(explanation.markdown_alone(&reason));
        }
    };
    let diagnoses = DiagnosisCache::new(&failed.target.host, &failed.target.environment, None);
    Ok(failed.explanation().markdown(&failed.report(diagnoses)))
}
