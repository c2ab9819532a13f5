//! `whydll.explain`: what a traceback says, and the diagnosis of the import that failed, in Markdown. `[{ scopeUri, text }]`

use crate::diagnosis::{Diagnoses, Import};
use crate::host::session::at_home;
use crate::lsp::analysis::{Opened, Target, Unavailable};
use crate::lsp::interpreter::Choice;
use crate::report::{Explanation, Report};
use crate::traceback::{self, Traceback};

/// The document; in a sentence, why there is none. `target` is what is meant where the text does not tell its environment.
pub fn told(target: &Target, text: &str) -> Result<String, String> {
    if text.len() as u64 > traceback::LONGEST {
        return Err("it is too long for a traceback".to_owned());
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
    let Opened { host, environment, assumed, .. } = opened;
    let Some(asked) = Import::of_traceback(&traceback, &environment, &*host.files) else {
        return alone("the traceback does not tell which import failed, so take more of it");
    };
    let diagnosis = Diagnoses::new(&host, &environment, None).of_all(std::slice::from_ref(&asked));
    let report = Report::of(&environment, &host, assumed, diagnosis);
    let explanation = Explanation { traceback: &traceback, import: Some(&asked.name), same_environment };
    Ok(explanation.markdown(&report))
}

/// The environment that the traceback tells of, if this machine has it, else the one that is meant; and whether it is the
/// traceback's.
fn open(target: &Target, traceback: &Traceback) -> Result<(Opened, Option<bool>), Unavailable> {
    let Some(environment) = &traceback.environment else { return Ok((target.open(|host| host)?, None)) };
    let interpreter = Choice::Named(at_home(environment));
    match (Target { interpreter, ..target.clone() }).open(|host| host) {
        Ok(opened) => Ok((opened, Some(true))),
        Err(_) => Ok((target.open(|host| host)?, Some(false))),
    }
}
