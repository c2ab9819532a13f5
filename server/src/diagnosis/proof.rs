//! Simulates fixes: the diagnosis is repeated on the machine and for the program as a fix would
//! leave them.
//!
//! Only a fix that cures in the simulation is preferred, and one that doesn't cure isn't offered.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::action::Action;
use crate::environment::Environment;
use crate::host::{Host, Overlay, WinPath};
use crate::source::placeholders::ReadRecorder;
use crate::source::{STACK, top_level};

use super::fix::{Edit, Fix, FixEffect, FixOutcome};
use super::program::{self, ProgramFile};
use super::{Diagnosis, Finding, Import, Severity, package};

/// The maximum number of simulated fixes per document.
const MOST_TRIALS: usize = 48;

/// The maximum number of pairs of fixes that are simulated per finding.
const MOST_PAIRS: usize = 8;

/// A function that diagnoses each of the imports of one program.
pub(super) type Diagnose = fn(&Host, &Environment, &[Import]) -> Vec<Diagnosis>;

/// Simulates the fixes of all findings on the imports of one program. `diagnoses` has one element
/// for each import, and `diagnose` repeats the diagnosis after a fix.
pub(super) fn prove(
    host: &Host,
    environment: &Environment,
    imports: &[Import],
    diagnoses: &mut [Diagnosis],
    diagnose: Diagnose,
) {
    let before = &diagnoses.to_vec();
    let mut trials =
        Trials { host, environment, imports, before, diagnose, made: Vec::new(), left: MOST_TRIALS };
    for (at, diagnosis) in diagnoses.iter_mut().enumerate() {
        // A problem besides a failure may be its cause.
        let all = diagnosis.findings.iter().filter(|finding| !finding.is_note);
        let all: Vec<Fix> = all.flat_map(|finding| finding.fixes.iter().cloned()).collect();
        for finding in &mut diagnosis.findings {
            match finding.is_note {
                // Nothing is known to fail, so no fix can be seen to cure it.
                true => finding.fixes.clear(),
                false => trials.evaluate(at, finding, &all),
            }
        }
    }
}

struct Trials<'a> {
    host: &'a Host,
    environment: &'a Environment,
    imports: &'a [Import],
    before: &'a [Diagnosis],
    diagnose: Diagnose,
    /// The result of each effect on an import. An edit changes one document only, so its result
    /// belongs to that import; other effects are the same for all imports.
    made: Vec<(Option<usize>, FixEffect, Trial)>,
    left: usize,
}

/// The diagnoses after a fix, or why there are none.
#[derive(Clone)]
enum Trial {
    Made(Arc<[Diagnosis]>),
    NotMade(String),
}

impl Trials<'_> {
    /// Simulates the fixes of a finding on the import numbered `at`, and keeps those that can be
    /// offered.
    fn evaluate(&mut self, at: usize, finding: &mut Finding, all: &[Fix]) {
        let moved = self.earlier(at, finding);
        let is_moved = moved.is_some();
        let mut fixes: Vec<Fix> = moved.into_iter().chain(finding.fixes.drain(..)).collect();
        self.try_together(at, &fixes);
        for fix in &mut fixes {
            fix.outcome = self.outcome(at, finding, &fix.effect);
        }
        // A finding that isn't a failure may exist only because of one, so this is for failures
        // only.
        let is_failure = finding.severity == Severity::Error;
        if is_failure && !fixes.iter().any(|fix| fix.outcome == FixOutcome::Cures) {
            let others = all.iter().filter(|fix| fix.effect.unknown.is_none());
            let others: Vec<&Fix> =
                others.filter(|fix| !fixes.iter().any(|own| own.effect == fix.effect)).collect();
            for other in others {
                let outcome = self.outcome(at, finding, &other.effect);
                if outcome == FixOutcome::Cures {
                    fixes.push(Fix { outcome, ..other.clone() });
                }
            }
        }
        if !fixes.iter().any(|fix| fix.outcome == FixOutcome::Cures) {
            let both = self.pairs(at, finding, &fixes);
            fixes.extend(both);
        }
        let cures = fixes.iter().any(|fix| fix.outcome == FixOutcome::Cures);
        let is_offered = |fix: &Fix| match fix.outcome {
            FixOutcome::NoEffect => false,
            FixOutcome::LeadsTo(_) => !cures,
            FixOutcome::Untried | FixOutcome::Cures | FixOutcome::Unknown(_) => true,
        };
        fixes.retain(is_offered);
        let rank = |fix: &Fix| match fix.outcome {
            FixOutcome::Cures => 0,
            FixOutcome::Untried | FixOutcome::Unknown(_) => 1,
            FixOutcome::LeadsTo(_) | FixOutcome::NoEffect => 2,
        };
        fixes.sort_by_key(|fix| (rank(fix), fix.burden));
        if let Some(first) = fixes.first_mut() {
            first.preferred = first.outcome == FixOutcome::Cures;
        }
        finding.fixes = fixes;
        finding.advise(is_moved);
        finding.winner = None;
    }

    /// Returns the fix that moves the import above the one that loads the winning copy of a DLL.
    /// Returns `None` if no earlier import of the program loads that copy.
    fn earlier(&self, at: usize, finding: &Finding) -> Option<Fix> {
        let winner = &finding.winner.as_ref()?.path;
        let import = self.imports.get(at).filter(|import| !import.is_access)?;
        let above = program::import_that_loads(
            self.host,
            self.environment,
            &self.script(),
            self.imports,
            at,
            winner,
        )?;
        let other = self.imports.get(above)?;
        let statement = statement(import);
        let to = other.point.identity();
        let action = Action::MoveImport { statement, above: other.name.clone(), to };
        let effect = FixEffect { edit: Some(Edit::Move(to)), ..FixEffect::default() };
        Some(Fix::new(format!("Import {} before {}", import.name, other.name), action).with_effect(effect))
    }

    /// Returns the program in which the imports are made.
    fn script(&self) -> ProgramFile {
        let document = self.imports.iter().find_map(|import| import.document.as_ref());
        document.map(|it| ProgramFile::of(it, self.environment, &*self.host.files)).unwrap_or_default()
    }

    /// Returns pairs of fixes that cure together, for findings that no single fix cures.
    fn pairs(&mut self, at: usize, finding: &Finding, fixes: &[Fix]) -> Vec<Fix> {
        let mut pairs: Vec<Fix> = Vec::new();
        for fix in fixes.iter().filter(|fix| matches!(fix.outcome, FixOutcome::LeadsTo(_))) {
            let Trial::Made(diagnoses) = self.trial(at, &fix.effect) else { continue };
            let next = diagnoses.get(at).into_iter().flat_map(|diagnosis| &diagnosis.findings);
            let next = next.filter(|found| found.severity <= finding.severity).flat_map(|found| &found.fixes);
            pairs.extend(next.map(|next| fix.and(next)));
        }
        let alone = |fix: &&Fix| matches!(fix.outcome, FixOutcome::LeadsTo(_) | FixOutcome::NoEffect);
        for (place, one) in fixes.iter().enumerate().filter(|(_, fix)| alone(fix)) {
            pairs.extend(fixes.iter().skip(place + 1).filter(alone).map(|other| one.and(other)));
        }
        pairs.retain(|pair| pair.effect.unknown.is_none());
        // The same two fixes in reverse order are a duplicate.
        let mut known: Vec<BTreeSet<String>> = Vec::new();
        pairs.retain(|pair| {
            let Action::Steps(steps) = &pair.action else { return true };
            let steps: BTreeSet<String> = steps.iter().map(|(title, _)| title.clone()).collect();
            let is_new = !known.contains(&steps);
            known.push(steps);
            is_new
        });
        pairs.truncate(MOST_PAIRS);
        pairs.retain_mut(|pair| {
            pair.outcome = self.outcome(at, finding, &pair.effect);
            pair.outcome == FixOutcome::Cures
        });
        pairs
    }

    fn outcome(&mut self, at: usize, finding: &Finding, effect: &FixEffect) -> FixOutcome {
        let diagnoses = match self.trial(at, effect) {
            Trial::Made(diagnoses) => diagnoses,
            Trial::NotMade(why) => return FixOutcome::Unknown(why),
        };
        // A problem that existed before isn't a result of this fix.
        let is_new = |place: usize, found: &Finding| {
            let known = self.before.get(place).into_iter().flat_map(|diagnosis| &diagnosis.findings);
            let mut known = known.filter(|known| known.severity <= found.severity);
            let worst = if place == at { finding.severity } else { Severity::Error };
            !found.is_note && found.severity <= worst && !known.any(|known| known.has_same_cause(found))
        };
        let after = diagnoses.get(at).into_iter().flat_map(|diagnosis| &diagnosis.findings);
        if after.clone().any(|found| found.severity <= finding.severity && found.has_same_cause(finding)) {
            return FixOutcome::NoEffect;
        }
        let all = diagnoses
            .iter()
            .enumerate()
            .flat_map(|(place, diagnosis)| diagnosis.findings.iter().map(move |found| (place, found)));
        let new = all.filter(|(place, found)| is_new(*place, found)).map(|(_, found)| found).next();
        match new {
            // The same DLL has another problem.
            Some(found) if found.shares_dll(finding) => FixOutcome::NoEffect,
            Some(found) => FixOutcome::LeadsTo(found.what.trim_end_matches('.').to_owned()),
            None => FixOutcome::Cures,
        }
    }

    /// Simulates these fixes in parallel, since each simulation takes as long as the diagnosis did.
    fn try_together(&mut self, at: usize, fixes: &[Fix]) {
        let mut effects: Vec<&FixEffect> = Vec::new();
        for effect in fixes.iter().map(|fix| &fix.effect).filter(|effect| effect.unknown.is_none()) {
            if !effects.contains(&effect) && self.known(at, effect).is_none() {
                effects.push(effect);
            }
        }
        effects.truncate(self.left);
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(effects.len());
        if threads < 2 {
            return;
        }
        self.left -= effects.len();
        let next = AtomicUsize::new(0);
        let recorder = ReadRecorder::here();
        let work = || {
            let mut made = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(effect) = effects.get(number) else { return made };
                made.push((number, recorder.work(|| self.make(at, effect))));
            }
        };
        let made: Vec<(usize, (Trial, _))> = std::thread::scope(|scope| {
            let thread = || std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
            // Without threads, each fix is simulated when it is needed.
            let started: Vec<_> = (0..threads).filter_map(|_| thread().ok()).collect();
            let ended = started.into_iter().map(|thread| thread.join());
            ended.flat_map(|made| made.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        });
        for (number, (trial, noted)) in made {
            ReadRecorder::add(noted);
            if let Some(effect) = effects.get(number) {
                self.made.push((place_of(at, effect), (*effect).clone(), trial));
            }
        }
    }

    fn known(&self, at: usize, effect: &FixEffect) -> Option<&Trial> {
        let place = place_of(at, effect);
        self.made.iter().find(|(of, known, _)| *of == place && known == effect).map(|(.., trial)| trial)
    }

    fn trial(&mut self, at: usize, effect: &FixEffect) -> Trial {
        if let Some(known) = self.known(at, effect) {
            return known.clone();
        }
        let trial = match &effect.unknown {
            Some(why) => Trial::NotMade(why.clone()),
            None if self.left == 0 => Trial::NotMade("too many others were tried".to_owned()),
            None => {
                self.left -= 1;
                self.make(at, effect)
            }
        };
        self.made.push((place_of(at, effect), effect.clone(), trial.clone()));
        trial
    }

    fn make(&self, at: usize, effect: &FixEffect) -> Trial {
        let (mut host, overlay) = Overlay::over(self.host, &effect.files);
        if !effect.path.is_empty() {
            let known = host.path_directories();
            let all: Vec<&str> = effect.path.iter().chain(&known).map(WinPath::as_str).collect();
            host = host.with_variable("PATH", &all.join(";"));
        }
        let environment = match &effect.interpreter {
            Some(python) => Environment::on(python, &host),
            None if effect.files.iter().any(|(path, _)| describes(path)) => {
                Environment::on(&self.environment.selected, &host)
            }
            None => Ok(self.environment.clone()),
        };
        let environment = match environment {
            Ok(environment) => environment,
            Err(error) => return Trial::NotMade(error.to_string()),
        };
        if let Some(name) = self.lacks(&host, &environment) {
            return Trial::NotMade(format!("{name} is not installed there"));
        }
        let imports = self.edited(at, effect.edit.as_ref());
        let diagnoses = (self.diagnose)(&host, &environment, &imports);
        match overlay.is_incomplete() {
            true => Trial::NotMade("some files that the import would read are unknown".to_owned()),
            false => Trial::Made(diagnoses.into()),
        }
    }

    /// Returns a package that the program imports, that is installed now, and that `environment`
    /// lacks.
    fn lacks(&self, host: &Host, environment: &Environment) -> Option<String> {
        if environment.interpreter == self.environment.interpreter {
            return None;
        }
        let has = |host: &Host, environment, name: &str| package(host, environment, name).path.is_some();
        let is_lost = |name: &str| has(self.host, self.environment, name) && !has(host, environment, name);
        let mut names = self.imports.iter().map(|import| top_level(&import.name));
        if let Some(name) = names.find(|name| is_lost(name)) {
            return Some(name.to_owned());
        }
        // Imports that aren't diagnosed are made as well.
        let required = self.imports.iter().flat_map(|import| import.point.required());
        let mut checked: BTreeSet<&str> = BTreeSet::new();
        let mut new = required.map(|name| name.as_str()).filter(|name| checked.insert(name));
        new.find(|name| is_lost(name)).map(str::to_owned)
    }

    /// Returns the imports of the program after an edit that concerns the one numbered `at`.
    fn edited(&self, at: usize, edit: Option<&Edit>) -> Vec<Import> {
        let mut imports = self.imports.to_vec();
        let (Some(edit), Some(asked)) = (edit, self.imports.get(at)) else { return imports };
        let (point, inserted) = match edit {
            Edit::Insert(statements) => (&asked.point, statements.clone()),
            Edit::Move(to) => {
                let target = self.imports.iter().find(|import| import.point.identity() == *to);
                let Some(target) = target else { return imports };
                (&target.point, statement(asked))
            }
        };
        let inserted = point.with(&inserted);
        for (number, import) in imports.iter_mut().enumerate() {
            match edit {
                Edit::Move(_) if number == at => import.point = point.clone(),
                _ => import.point = import.point.rebased(point, &inserted).unwrap_or(import.point.clone()),
            }
        }
        imports
    }
}

/// Returns the statement that makes an import earlier. It doesn't repeat a star import.
fn statement(import: &Import) -> String {
    let names: Vec<&str> = import.names.iter().map(|name| name.as_str()).collect();
    match names.as_slice() {
        [] | ["*"] => format!("import {}", import.name),
        names => format!("from {} import {}", import.name, names.join(", ")),
    }
}

/// An edit concerns the document of this import only; all other effects are shared by all imports.
fn place_of(at: usize, effect: &FixEffect) -> Option<usize> {
    effect.edit.is_some().then_some(at)
}

/// Whether a change of this file requires reading the environment again: it describes a
/// distribution, or affects `sys.path`.
fn describes(path: &WinPath) -> bool {
    let folder = path.parent();
    let in_description = folder.as_ref().is_some_and(|folder| {
        ["dist-info", "egg-info"].iter().any(|extension| folder.has_extension(extension))
            || folder.file_name().eq_ignore_ascii_case("conda-meta")
    });
    let decides = ["pth", "_pth", "cfg"].iter().any(|extension| path.has_extension(extension));
    in_description || decides
}

impl Finding {
    /// Whether both findings have the same cause.
    pub fn has_same_cause(&self, other: &Finding) -> bool {
        let neither_has_dlls = self.dlls.is_empty() && other.dlls.is_empty();
        self.code == other.code
            && if neither_has_dlls { self.what == other.what } else { self.shares_dll(other) }
    }

    /// Whether this finding covers another one, possibly of another import: the same problem with
    /// the same file.
    pub fn explains(&self, other: &Finding) -> bool {
        let culprit = |finding: &Finding| finding.chain.last().and_then(|link| link.path.clone());
        let names = |dll: &String| self.dlls.iter().any(|known| known.eq_ignore_ascii_case(dll));
        self.has_same_cause(other)
            && self.severity == other.severity
            && culprit(self) == culprit(other)
            && other.dlls.iter().all(names)
    }

    pub(super) fn shares_dll(&self, other: &Finding) -> bool {
        self.dlls.iter().any(|dll| other.dlls.iter().any(|known| dll.eq_ignore_ascii_case(known)))
    }

    /// Sets the advice according to the outcomes of the fixes. `is_moved`: another order of the
    /// imports was simulated, too.
    fn advise(&mut self, is_moved: bool) {
        let cures: Vec<&Fix> = self.fixes.iter().filter(|fix| fix.outcome == FixOutcome::Cures).collect();
        match cures.as_slice() {
            [] => {
                if let Some(winner) = self
                    .winner
                    .as_ref()
                    .filter(|winner| is_moved && !winner.advice_if_both_orders_fail.is_empty())
                {
                    self.advice = winner.advice_if_both_orders_fail.clone();
                }
            }
            [only] => self.advice = format!("{}.", only.title),
            [first, second, ..] => {
                let mut rest = second.title.chars();
                let initial: String = rest.next().into_iter().flat_map(char::to_lowercase).collect();
                self.advice = format!("{}, or {initial}{}.", first.title, rest.as_str());
            }
        }
    }
}
