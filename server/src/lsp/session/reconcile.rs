//! The consequences of changes: which analysis runs next, and what is published.

use std::collections::BTreeSet;
use std::time::Instant;

use tower_lsp::lsp_types::{Diagnostic, PublishDiagnosticsParams, Url};

use super::{BackgroundWork, MAX_THREADS, Running, Session};
use crate::diagnosis::{DiagnosisMemo, Import};
use crate::environment::Target;
use crate::host::CancellationToken;
use crate::lsp::analysis::{Analysis, Answer};
use crate::lsp::effect::Effect;
use crate::lsp::health::{ScopeHealth, WatchedImport};
use crate::lsp::settings::LogLevel;
use crate::source::{Guard, top_level};

impl Session {
    /// Starts the analysis that is needed, and publishes the results that are known.
    pub fn reconcile(&mut self) {
        if !self.ready {
            return;
        }
        self.analyse();
        self.publish();
        self.publish_health();
        self.end_progress();
        self.start_background_work();
    }

    /// Starts the next analysis, if one is needed.
    fn analyse(&mut self) {
        let is_unused =
            |target: &Target| self.scopes.iter().all(|scope| !scope.in_use || scope.target != *target);
        if self.running.as_ref().is_some_and(|running| is_unused(&running.target)) {
            self.running = None;
        }
        if self.background.as_ref().is_some_and(|work| is_unused(&work.target)) {
            self.background = None;
        }
        if self.running.is_some() || self.threads >= MAX_THREADS {
            return;
        }
        let next =
            self.scopes.iter().enumerate().filter(|(_, scope)| scope.in_use).find_map(|(at, scope)| {
                let replaces = self.stale.contains(&scope.target);
                let answer = self.answers.get(&scope.target);
                let missing =
                    |import: &Import| replaces || answer.is_none_or(|answer| !answer.covers(import));
                let imports: Vec<Import> = self.wanted(at).into_iter().filter(missing).collect();
                // Even without imports, the environment is examined once.
                let needed = answer.is_none() || !imports.is_empty();
                needed.then(|| (scope.target.clone(), imports, replaces))
            });
        let Some((target, imports, replaces)) = next else { return };
        self.background = None;
        self.stale.remove(&target);
        self.generation += 1;
        self.threads += 1;
        let facts = self.facts.get_or_insert_default().clone();
        let generation = self.generation;
        let stop = CancellationToken::default();
        let since = Instant::now();
        let names: BTreeSet<&str> = imports.iter().map(|import| import.name.as_str()).collect();
        let names = names.into_iter().collect::<Vec<&str>>().join(", ");
        self.running =
            Some(Running { generation, target: target.clone(), replaces, since, names, stop: stop.clone() });
        if self.abilities.shows_progress {
            self.effects.push(Effect::ShowProgress(generation));
        }
        let ignore_cache = self.uncached.remove(&target);
        let memo = self.answers.get(&target).filter(|_| !replaces).map(|answer| answer.memo.clone());
        let memo = memo.unwrap_or_default();
        let analysis = Analysis { target, imports, memo, facts, ignore_cache, stop };
        self.effects.push(Effect::Analyse { generation, analysis, replaces });
    }

    /// When all analyses are done: tries fixes, then frees the facts.
    fn start_background_work(&mut self) {
        if self.running.is_some() || self.threads > 0 || self.background_threads > 0 {
            return;
        }
        let is_used =
            |target: &Target| self.scopes.iter().any(|scope| scope.in_use && scope.target == *target);
        self.unproven.retain(is_used);
        if self.unproven.is_empty() {
            self.waiting.clear();
        }
        if let Some(target) = self.unproven.iter().next().cloned() {
            let imports = self.to_prove(&target);
            let memo = self.answers.get(&target).map(|answer| answer.memo.clone()).unwrap_or_default();
            let analysis = self.background_analysis(target, imports.into_iter().collect(), memo);
            self.effects.push(Effect::Prove(analysis));
            return;
        }
        if self.facts.take().is_some() {
            self.log(LogLevel::Debug, || "nothing left to read".to_owned());
            self.effects.push(Effect::GiveBackMemory);
        }
    }

    /// Returns the imports whose fixes are tried: those of documents, and the packages that the
    /// settings name and no document imports.
    pub(super) fn to_prove(&self, target: &Target) -> BTreeSet<Import> {
        let mut chosen = BTreeSet::new();
        for (at, scope) in self.scopes.iter().enumerate().filter(|(_, scope)| scope.target == *target) {
            let imported: BTreeSet<Import> = self.imports_in(at).map(|imported| imported.import).collect();
            let named = self.settings_of(scope).packages.always_reported().into_iter();
            let absent = named.filter(|name| !imported.iter().any(|import| top_level(&import.name) == *name));
            chosen.extend(absent.map(Import::first));
            chosen.extend(imported);
        }
        chosen
    }

    /// Whether a target has a finding whose fixes haven't been tried.
    pub(super) fn is_unproven(&self, target: &Target) -> bool {
        let Some(answer) = self.answers.get(target) else { return false };
        let chosen = self.to_prove(target);
        let mut chosen = chosen.iter().filter_map(|import| answer.diagnosis(import));
        chosen.any(|diagnosis| diagnosis.is_unproven())
    }

    /// Registers background work, which the next analysis cancels, and returns its request.
    fn background_analysis(&mut self, target: Target, imports: Vec<Import>, memo: DiagnosisMemo) -> Analysis {
        let stop = CancellationToken::default();
        self.background =
            Some(BackgroundWork { target: target.clone(), since: Instant::now(), stop: stop.clone() });
        self.background_threads += 1;
        let facts = self.facts.get_or_insert_default().clone();
        Analysis { target, imports, memo, facts, ignore_cache: false, stop }
    }

    /// Returns the imports to diagnose for a scope.
    pub(super) fn wanted(&self, scope: usize) -> BTreeSet<Import> {
        let mut wanted = BTreeSet::new();
        let Some(known) = self.scopes.get(scope) else { return wanted };
        wanted.extend(self.settings_of(known).packages.always_reported().into_iter().map(Import::first));
        wanted.extend(self.imports_in(scope).map(|imported| imported.import));
        wanted
    }

    /// Returns the watched imports that are run in the open documents of a scope.
    fn imports_in(&self, scope: usize) -> impl Iterator<Item = WatchedImport> {
        let documents = self.documents.values().filter(move |document| document.scope == scope);
        let packages = self.scopes.get(scope).map(|scope| &self.settings_of(scope).packages);
        documents.flat_map(move |document| packages.map(|packages| (document, packages))).flat_map(
            |(document, packages)| {
                let run = document.read(packages).imports.iter();
                let run = run.filter(|import| import.guard != Guard::NotRun);
                run.filter_map(|import| {
                    let to_diagnose = document.import_to_diagnose(import, packages)?;
                    Some(WatchedImport {
                        import: to_diagnose,
                        guard: import.guard,
                        ignores: import.ignores.clone(),
                    })
                })
            },
        )
    }

    fn publish(&mut self) {
        let due = self.documents.iter().filter(|(_, document)| document.due);
        let known: Vec<(Url, Vec<Diagnostic>)> =
            due.filter_map(|(uri, _)| Some((uri.clone(), self.view(uri)?.diagnostics(uri)?))).collect();
        for (uri, diagnostics) in known {
            let Some(document) = self.documents.get_mut(&uri) else { continue };
            document.due = false;
            let state = Some((document.version, diagnostics));
            if document.published != state {
                document.published = state.clone();
                let diagnostics = state.map(|(_, diagnostics)| diagnostics).unwrap_or_default();
                let version = Some(document.version);
                self.effects.push(Effect::Publish(PublishDiagnosticsParams::new(uri, diagnostics, version)));
            }
        }
    }

    fn publish_health(&mut self) {
        for at in 0..self.scopes.len() {
            let Some(scope) = self.scopes.get(at).filter(|scope| scope.in_use) else { continue };
            let settings = self.settings_of(scope);
            let answer = self.answers.get(&scope.target);
            let covers = |answer: &&Answer| {
                settings
                    .packages
                    .always_reported()
                    .into_iter()
                    .all(|name| answer.covers(&Import::first(name)))
            };
            let health = match answer.filter(covers) {
                Some(answer) => {
                    let imported: Vec<WatchedImport> = self.imports_in(at).collect();
                    ScopeHealth::of(scope.folder.clone(), answer, settings, &imported)
                }
                None => ScopeHealth::checking(scope.folder.clone(), &scope.target, settings),
            };
            if scope.sent_health.as_ref() != Some(&health) {
                self.effects.push(Effect::Health(health.clone()));
                if let Some(scope) = self.scopes.get_mut(at) {
                    scope.sent_health = Some(health);
                }
            }
        }
    }
}
