//! `whydll.explain`: an explanation of a traceback and the diagnosis of the import that failed, in
//! Markdown. The arguments are `[{ scopeUri, text }]`.

use crate::diagnosis::{DiagnosisCache, Import};
use crate::host::session::expand_home;
use crate::lsp::analysis::{OpenTarget, Target, Unavailable};
use crate::lsp::interpreter::Choice;
use crate::report::{Explanation, Report};
use crate::traceback::{self, Traceback};

/// Returns the explanation. `target` is used if the traceback doesn't name its environment.
///
/// # Errors
/// A sentence that says why `text` isn't the traceback of an import.
pub fn explain(target: &Target, text: &str) -> Result<String, String> {
    if text.len() as u64 > traceback::MAX_LENGTH {
        return Err("the text is too long for a traceback".to_owned());
    }
    let traceback = traceback::read(text).map_err(|error| error.to_string())?;
    let named = traceback.import.as_ref().map(|import| import.module.clone());
    let alone = |reason: &str| {
        let explanation =
            Explanation { traceback: &traceback, import: named.as_deref(), same_environment: None };
        Ok(explanation.markdown_alone(reason))
    };
    let (opened, same_environment) = match open(target, &traceback) {
        Ok(opened) => opened,
        Err(why) => return alone(&why.reason),
    };
    let OpenTarget { host, environment, assumed, .. } = opened;
    let Some(asked) = Import::of_traceback(&traceback, &environment, &*host.files) else {
        return alone("the traceback doesn't say which import failed, so include more of it");
    };
    let diagnosis = DiagnosisCache::new(&host, &environment, None).diagnose_all(std::slice::from_ref(&asked));
    let report = Report::of(&environment, &host, assumed, diagnosis);
    let explanation = Explanation { traceback: &traceback, import: Some(&asked.name), same_environment };
    Ok(explanation.markdown(&report))
}

/// Opens the environment of the traceback if this machine has it, or else `target`. Also returns
/// whether it is the traceback's.
fn open(target: &Target, traceback: &Traceback) -> Result<(OpenTarget, Option<bool>), Unavailable> {
    let Some(environment) = &traceback.environment else { return Ok((target.open(|host| host)?, None)) };
    let interpreter = Choice::Named(expand_home(environment));
    match (Target { interpreter, ..target.clone() }).open(|host| host) {
        Ok(opened) => Ok((opened, Some(true))),
        Err(_) => Ok((target.open(|host| host)?, Some(false))),
    }
}
