//! Diagnoses that are remembered, within a run and between runs, each with what it was worked out from.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cpython::offered_by;
use crate::environment::Environment;
use crate::host::{Answers, Host, Question, Witness};
use crate::source::top_level;

use super::program::{self, Outcome, Script};
use super::proof;
use super::{Diagnosis, Health, Import};

/// The diagnoses of one environment on one machine. What is known and still holds is not worked out again.
pub struct Diagnoses<'a> {
    host: &'a Host,
    environment: &'a Environment,
    /// Where they are kept for the next run; none if they are not.
    kept: Option<Kept<'a>>,
    known: HashMap<(Script, Vec<Import>), Arc<Batch>>,
    /// The process ends with these diagnoses.
    at_the_end: bool,
}

/// What is known of an environment, to be given to those who ask about it next: as long as nothing in it changes. What depends
/// on the folders of documents is not among it, since that is where people write.
#[derive(Clone, Default)]
pub struct Known(HashMap<(Script, Vec<Import>), Arc<Batch>>);

/// More is forgotten: texts that are being written leave many behind.
const MOST_KNOWN: usize = 64;

struct Kept<'a> {
    answers: &'a Answers,
    /// All that is known of the machine, as bytes that are equal for equal machines.
    machine: Vec<u8>,
    /// The same of the environment.
    python: Vec<u8>,
}

/// What is known of imports that were asked about together.
#[derive(Serialize, Deserialize)]
struct Batch {
    /// One for each.
    diagnoses: Vec<Diagnosis>,
    /// The names of all top-level modules that were looked for.
    looked_for: BTreeSet<String>,
}

impl<'a> Diagnoses<'a> {
    /// Of this environment; `answers` keeps them between runs.
    pub fn new(host: &'a Host, environment: &'a Environment, answers: Option<&'a Answers>) -> Diagnoses<'a> {
        let kept = answers.and_then(|answers| {
            let python = postcard::to_stdvec(environment).ok()?;
            Some(Kept { answers, machine: host.facts()?, python })
        });
        Diagnoses { host, environment, kept, known: HashMap::new(), at_the_end: false }
    }

    /// For a process that ends with them, and need not take apart what it knows.
    pub fn at_the_end(self) -> Diagnoses<'a> {
        Diagnoses { at_the_end: true, ..self }
    }

    /// With what was known before.
    pub fn knowing(self, Known(known): Known) -> Diagnoses<'a> {
        Diagnoses { known, ..self }
    }

    /// What is known now.
    pub fn into_known(mut self) -> Known {
        self.known.retain(|(script, _), _| script.folder.is_none());
        if self.known.len() > MOST_KNOWN {
            self.known.clear();
        }
        Known(self.known)
    }

    /// The diagnosis of all of these, each in a program of its own, with every fix tried.
    pub fn of_all(&mut self, imports: &[Import]) -> Diagnosis {
        let mut all =
            Diagnosis { findings: Vec::new(), packages: Vec::new(), health: Health::Healthy, runtime: None };
        for import in imports {
            for diagnosis in self.proven(std::slice::from_ref(import)) {
                for package in diagnosis.packages {
                    if !all.packages.iter().any(|known| known.import == package.import) {
                        all.packages.push(package);
                    }
                }
                all.findings.extend(diagnosis.findings);
                all.runtime = diagnosis.runtime.or(all.runtime);
            }
        }
        all.health = Health::of(&all.findings);
        all
    }

    /// A diagnosis for each of these imports of one document, with every fix tried.
    pub fn proven(&mut self, imports: &[Import]) -> Vec<Diagnosis> {
        let mut diagnoses = self.of_document(imports);
        if diagnoses.iter().all(|diagnosis| diagnosis.findings.is_empty()) {
            return diagnoses;
        }
        let question = self.kept.as_ref().and_then(|kept| kept.question_of_proof(imports, &diagnoses));
        let (Some(kept), Some(question)) = (&self.kept, question) else {
            proof::prove(self.host, self.environment, imports, &mut diagnoses);
            return diagnoses;
        };
        let recalled = kept.answers.recall(question, &*self.host.files);
        if let Some(known) = recalled.and_then(|(bytes, _)| postcard::from_bytes(&bytes).ok()) {
            return known;
        }
        let (witnessed, witness) = Witness::over(self.host);
        proof::prove(&witnessed, &self.environment.unread(), imports, &mut diagnoses);
        if let Ok(bytes) = postcard::to_stdvec(&diagnoses) {
            let _ = kept.answers.keep(question, witness.reading(), &bytes);
        }
        diagnoses
    }

    /// A diagnosis for each of these imports of one document. Its fixes were not tried.
    ///
    /// Its folder is the first that Python looks into for modules, and in most folders there is nothing that the imports look
    /// for. So they are diagnosed without it first: that is one answer for all such folders.
    pub fn of_document(&mut self, imports: &[Import]) -> Vec<Diagnosis> {
        let document = imports.first().and_then(|import| import.document.as_ref());
        let script = document.map(|path| Script::of(path, self.environment, &*self.host.files));
        let Script { folder, file } = script.unwrap_or_default();
        let file = file.filter(|_| imports.iter().any(|import| import.before.contains("__file__")));
        let without = Script { folder: None, file: file.clone() };
        let Some(folder) = folder else { return self.batch(without, imports).diagnoses.clone() };
        let offered = self.host.files.folder(&folder).map(|listing| offered_by(&listing)).unwrap_or_default();
        // Decides nothing; it saves the attempt that would be in vain.
        let is_named = imports.iter().any(|import| {
            let words = import.before.split(|c: char| !c.is_alphanumeric() && c != '_');
            words.chain([top_level(&import.name)]).any(|word| offered.contains(word))
        });
        if !is_named {
            let batch = self.batch(without, imports);
            if batch.looked_for.is_disjoint(&offered) {
                return batch.diagnoses.clone();
            }
        }
        self.batch(Script { folder: Some(folder), file }, imports).diagnoses.clone()
    }

    /// Reads what these imports of one document would read if nothing in them failed: so that it is known by when it is asked for.
    pub fn read_behind(&self, imports: &[Import]) {
        let imports: Vec<&Import> = imports.iter().collect();
        let file = imports.iter().find_map(|import| import.document.clone());
        let script = Script { folder: None, file };
        program::read_behind(self.host, self.environment, &script, &imports);
    }

    fn batch(&mut self, script: Script, imports: &[Import]) -> Arc<Batch> {
        // Where the document lies counts as far as the script tells.
        let imports: Vec<Import> =
            imports.iter().map(|import| Import { document: None, ..import.clone() }).collect();
        let key = (script, imports);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let (script, imports) = &key;
        let question = self.kept.as_ref().and_then(|kept| kept.question(script, imports));
        let batch = match (&self.kept, question) {
            (Some(kept), Some(question)) => self.recalled(kept.answers, question, script, imports),
            _ => self.worked_out(self.host, self.environment, script, imports),
        };
        let batch = Arc::new(batch);
        self.known.insert(key, batch.clone());
        batch
    }

    fn recalled(&self, answers: &Answers, question: Question, script: &Script, imports: &[Import]) -> Batch {
        let recalled = answers.recall(question, &*self.host.files);
        if let Some(known) = recalled.and_then(|(bytes, _)| postcard::from_bytes(&bytes).ok()) {
            return known;
        }
        let (witnessed, witness) = Witness::over(self.host);
        let batch = self.worked_out(&witnessed, &self.environment.unread(), script, imports);
        if let Ok(bytes) = postcard::to_stdvec(&batch) {
            // Whoever cannot remember has to work it out again, and that is all.
            let _ = answers.keep(question, witness.reading(), &bytes);
        }
        batch
    }

    fn worked_out(
        &self,
        host: &Host,
        environment: &Environment,
        script: &Script,
        imports: &[Import],
    ) -> Batch {
        let imports: Vec<&Import> = imports.iter().collect();
        // Of many programs only one is left, for the sake of memory.
        let leaves = self.at_the_end && self.known.is_empty();
        let Outcome { diagnoses, looked_for } =
            program::diagnose(host, environment, script, &imports, leaves);
        Batch { diagnoses, looked_for }
    }
}

impl Kept<'_> {
    fn question(&self, script: &Script, imports: &[Import]) -> Option<Question> {
        let path = |path: &Option<crate::host::WinPath>| path.as_ref().map(|path| path.as_str().to_owned());
        let script = postcard::to_stdvec(&(path(&script.folder), path(&script.file))).ok()?;
        self.question_about(&script, imports)
    }

    /// What came of the fixes of what was diagnosed.
    fn question_of_proof(&self, imports: &[Import], diagnosed: &[Diagnosis]) -> Option<Question> {
        let document = imports.iter().find_map(|import| import.document.as_ref()).map(|path| path.as_str());
        self.question_about(&postcard::to_stdvec(&("fixes", document, diagnosed)).ok()?, imports)
    }

    fn question_about(&self, program: &[u8], imports: &[Import]) -> Option<Question> {
        let asked = |import: &'_ Import| {
            (
                import.name.clone(),
                import.names.clone(),
                import.is_access,
                import.needs.clone(),
                import.before.to_string(),
                import.watched,
            )
        };
        let imports: Vec<_> = imports.iter().map(asked).collect();
        let imports = postcard::to_stdvec(&imports).ok()?;
        Question::of(&[&self.machine, &self.python, program, &imports])
    }
}
