//! Cached diagnoses, within a process and between processes, each with the read set that it is
//! based on.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cpython::offered_by;
use crate::environment::Environment;
use crate::host::{AnswerCache, Host, Question, ReadTracker};
use crate::source::top_level;

use super::program::{self, ProgramDiagnoses, ProgramFile};
use super::proof;
use super::{Diagnosis, Health, Import};

/// The diagnoses of one environment on one machine. A cached diagnosis that is still valid is
/// reused.
pub struct DiagnosisCache<'a> {
    host: &'a Host,
    environment: &'a Environment,
    /// The cache on disk. `None` if diagnoses aren't stored.
    store: Option<Store<'a>>,
    memo: HashMap<(ProgramFile, Vec<Import>), Arc<Batch>>,
    /// Whether the process ends after these diagnoses.
    skip_drop: bool,
}

/// The diagnoses of an environment, to be passed on to its next analysis as long as nothing in the
/// environment changes. Diagnoses that depend on a document's directory aren't included, since
/// documents change often.
#[derive(Clone, Default)]
pub struct DiagnosisMemo(HashMap<(ProgramFile, Vec<Import>), Arc<Batch>>);

/// The maximum number of entries. Documents that are being edited leave many behind.
const MAX_MEMO_ENTRIES: usize = 64;

struct Store<'a> {
    answers: &'a AnswerCache,
    /// The facts of the machine, serialized: equal machines have equal bytes.
    machine: Vec<u8>,
    /// The environment, serialized likewise.
    python: Vec<u8>,
}

/// The diagnoses of imports that were requested together.
#[derive(Serialize, Deserialize)]
struct Batch {
    /// One for each import.
    diagnoses: Vec<Diagnosis>,
    /// The names of all top-level modules that were searched for.
    searched_modules: BTreeSet<String>,
}

impl<'a> DiagnosisCache<'a> {
    /// Creates the diagnoses of an environment. `answers` stores them between processes.
    pub fn new(
        host: &'a Host,
        environment: &'a Environment,
        answers: Option<&'a AnswerCache>,
    ) -> DiagnosisCache<'a> {
        let store = answers.and_then(|answers| {
            let python = postcard::to_stdvec(environment).ok()?;
            Some(Store { answers, machine: host.facts()?, python })
        });
        DiagnosisCache { host, environment, store, memo: HashMap::new(), skip_drop: false }
    }

    /// Skips destructors, for a process that ends after these diagnoses.
    pub fn skip_drop(self) -> DiagnosisCache<'a> {
        DiagnosisCache { skip_drop: true, ..self }
    }

    /// Reuses earlier diagnoses.
    pub fn with_memo(self, DiagnosisMemo(memo): DiagnosisMemo) -> DiagnosisCache<'a> {
        DiagnosisCache { memo, ..self }
    }

    /// Returns the diagnoses for later reuse.
    pub fn into_memo(mut self) -> DiagnosisMemo {
        self.memo.retain(|(script, _), _| script.folder.is_none());
        if self.memo.len() > MAX_MEMO_ENTRIES {
            self.memo.clear();
        }
        DiagnosisMemo(self.memo)
    }

    /// Diagnoses each import in a program of its own, and simulates all fixes.
    pub fn diagnose_all(&mut self, imports: &[Import]) -> Diagnosis {
        let mut all =
            Diagnosis { findings: Vec::new(), packages: Vec::new(), health: Health::Healthy, runtime: None };
        for import in imports {
            for diagnosis in self.diagnose_and_prove(std::slice::from_ref(import)) {
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

    /// Diagnoses each of the imports of one document, and simulates all fixes.
    pub fn diagnose_and_prove(&mut self, imports: &[Import]) -> Vec<Diagnosis> {
        let mut diagnoses = self.diagnose_document(imports);
        if diagnoses.iter().all(|diagnosis| diagnosis.findings.is_empty()) {
            return diagnoses;
        }
        let question = self.store.as_ref().and_then(|store| store.question_of_proof(imports, &diagnoses));
        let (Some(store), Some(question)) = (&self.store, question) else {
            proof::prove(self.host, self.environment, imports, &mut diagnoses, diagnose_again);
            return diagnoses;
        };
        let recalled = store.answers.recall(question, &*self.host.files);
        if let Some(known) = recalled.and_then(|(bytes, _)| postcard::from_bytes(&bytes).ok()) {
            return known;
        }
        let (witnessed, tracker) = ReadTracker::over(self.host);
        proof::prove(&witnessed, &self.environment.unread(), imports, &mut diagnoses, diagnose_again);
        if let Ok(bytes) = postcard::to_stdvec(&diagnoses) {
            let _ = store.answers.keep(question, tracker.read_set(), &bytes);
        }
        diagnoses
    }

    /// Diagnoses each of the imports of one document, without simulating fixes.
    ///
    /// Python searches the document's directory first, but most directories contain no module that
    /// the imports search for. The imports are therefore diagnosed without it first. That diagnosis
    /// is shared by all such directories.
    pub fn diagnose_document(&mut self, imports: &[Import]) -> Vec<Diagnosis> {
        let document = imports.first().and_then(|import| import.document.as_ref());
        let script = document.map(|document| ProgramFile::of(document, self.environment, &*self.host.files));
        let ProgramFile { folder, file } = script.unwrap_or_default();
        let without = ProgramFile { folder: None, file: file.clone() };
        let Some(folder) = folder else { return self.batch(without, imports).diagnoses.clone() };
        let offered = self.host.files.folder(&folder).map(|listing| offered_by(&listing)).unwrap_or_default();
        // This is only a shortcut. It skips an attempt that can't succeed.
        let is_named = imports.iter().any(|import| {
            let required = import.point.required().map(|name| name.as_str());
            required.chain([top_level(&import.name)]).any(|name| offered.contains(name))
        });
        if !is_named {
            let batch = self.batch(without, imports);
            if batch.searched_modules.is_disjoint(&offered) {
                return batch.diagnoses.clone();
            }
        }
        self.batch(ProgramFile { folder: Some(folder), file }, imports).diagnoses.clone()
    }

    fn batch(&mut self, script: ProgramFile, imports: &[Import]) -> Arc<Batch> {
        // The document's directory matters only as part of `script`.
        let imports: Vec<Import> =
            imports.iter().map(|import| Import { document: None, ..import.clone() }).collect();
        let key = (script, imports);
        if let Some(known) = self.memo.get(&key) {
            return known.clone();
        }
        let (script, imports) = &key;
        let question = self.store.as_ref().and_then(|store| store.question(script, imports));
        let batch = match (&self.store, question) {
            (Some(store), Some(question)) => self.recall_or_compute(store.answers, question, script, imports),
            _ => self.compute(self.host, self.environment, script, imports),
        };
        let batch = Arc::new(batch);
        self.memo.insert(key, batch.clone());
        batch
    }

    fn recall_or_compute(
        &self,
        answers: &AnswerCache,
        question: Question,
        script: &ProgramFile,
        imports: &[Import],
    ) -> Batch {
        let recalled = answers.recall(question, &*self.host.files);
        if let Some(known) = recalled.and_then(|(bytes, _)| postcard::from_bytes(&bytes).ok()) {
            return known;
        }
        let (witnessed, tracker) = ReadTracker::over(self.host);
        let batch = self.compute(&witnessed, &self.environment.unread(), script, imports);
        if let Ok(bytes) = postcard::to_stdvec(&batch) {
            // A failed write only means that the diagnosis is computed again.
            let _ = answers.keep(question, tracker.read_set(), &bytes);
        }
        batch
    }

    fn compute(
        &self,
        host: &Host,
        environment: &Environment,
        script: &ProgramFile,
        imports: &[Import],
    ) -> Batch {
        let imports: Vec<&Import> = imports.iter().collect();
        // At most one program is leaked, to limit the use of memory.
        let leaves = self.skip_drop && self.memo.is_empty();
        let ProgramDiagnoses { diagnoses, searched_modules } =
            program::diagnose(host, environment, script, &imports, leaves);
        Batch { diagnoses, searched_modules }
    }
}

impl Store<'_> {
    fn question(&self, script: &ProgramFile, imports: &[Import]) -> Option<Question> {
        let path = |path: &Option<crate::host::WinPath>| path.as_ref().map(|path| path.as_str().to_owned());
        let script = postcard::to_stdvec(&(path(&script.folder), path(&script.file))).ok()?;
        self.question_about(&script, imports)
    }

    /// Returns the key for the outcomes of the fixes.
    fn question_of_proof(&self, imports: &[Import], diagnosed: &[Diagnosis]) -> Option<Question> {
        let document = imports.iter().find_map(|import| import.document.as_ref());
        let document = document.map(|it| (it.folder.as_str(), it.file.as_ref().map(|file| file.as_str())));
        self.question_about(&postcard::to_stdvec(&("fixes", document, diagnosed)).ok()?, imports)
    }

    fn question_about(&self, program: &[u8], imports: &[Import]) -> Option<Question> {
        let asked = |import: &'_ Import| {
            (
                import.name.clone(),
                import.names.clone(),
                import.is_access,
                import.needs.clone(),
                import.point.identity(),
                import.scope,
            )
        };
        let imports: Vec<_> = imports.iter().map(asked).collect();
        let imports = postcard::to_stdvec(&imports).ok()?;
        Question::of(&[&self.machine, &self.python, program, &imports])
    }
}

/// Diagnoses each of the imports of one document without a cache and without simulating fixes.
fn diagnose_again(host: &Host, environment: &Environment, imports: &[Import]) -> Vec<Diagnosis> {
    DiagnosisCache::new(host, environment, None).diagnose_document(imports)
}
