//! Diagnoses that are remembered between runs, each with what it was worked out from.

use crate::environment::Environment;
use crate::host::{Answers, Host, Question, Witness};

use super::{Diagnosis, Health, Import, diagnose};

/// As [`diagnose`]; what is remembered in `answers` and still holds is not worked out again, and what is worked
/// out is remembered.
pub fn diagnose_or_recall(
    host: &Host,
    environment: &Environment,
    imports: &[Import],
    answers: Option<&Answers>,
) -> Diagnosis {
    let known = answers.and_then(|answers| Some((answers, host.facts()?, facts(environment)?)));
    let Some((answers, machine, python)) = known else {
        return diagnose(host, environment, imports);
    };
    let mut all = Diagnosis { findings: Vec::new(), packages: Vec::new(), health: Health::Healthy };
    for import in imports {
        let of_import =
            match Question::of(&[&machine, &python, import.name.as_bytes(), import.before.as_bytes()]) {
                Some(question) => of_import(host, environment, import, answers, question),
                None => diagnose(host, environment, std::slice::from_ref(import)),
            };
        for package in of_import.packages {
            if !all.packages.iter().any(|known| known.import == package.import) {
                all.packages.push(package);
            }
        }
        all.findings.extend(of_import.findings);
    }
    all.health = Health::of(&all.findings);
    all
}

/// All that is known of an environment, as bytes that are equal for equal environments.
fn facts(environment: &Environment) -> Option<Vec<u8>> {
    postcard::to_stdvec(environment).ok()
}

fn of_import(
    host: &Host,
    environment: &Environment,
    import: &Import,
    answers: &Answers,
    question: Question,
) -> Diagnosis {
    let recalled = answers.recall(question, &*host.files);
    if let Some(known) = recalled.and_then(|(bytes, _)| postcard::from_bytes(&bytes).ok()) {
        return known;
    }
    let (witnessed, witness) = Witness::over(host);
    let diagnosis = diagnose(&witnessed, &environment.unread(), std::slice::from_ref(import));
    if let (Some(reading), Ok(bytes)) = (witness.reading(), postcard::to_stdvec(&diagnosis)) {
        // Whoever cannot remember has to work it out again, and that is all.
        let _ = answers.keep(question, reading, &bytes);
    }
    diagnosis
}
