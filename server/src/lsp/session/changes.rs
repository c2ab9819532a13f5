//! Changes of the session by notifications from the editor and by results of analyses.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::oneshot;
use tower_lsp::lsp_types::{PublishDiagnosticsParams, Url};

use super::{MAX_ANSWERS, MAX_DIAGNOSES, Override, Running, Session};
use crate::diagnosis::{Diagnosis, Import};
use crate::environment::{InterpreterSpec, Target};
use crate::host::{CancellationToken, HostSpec, WinPath};
use crate::lsp::analysis::{Answer, names};
use crate::lsp::client::ClientAbilities;
use crate::lsp::document::{OpenDocument, TextChange};
use crate::lsp::effect::Effect;
use crate::lsp::health::ScopeHealth;
use crate::lsp::interpreter::{expanded, named};
use crate::lsp::scope::{Scope, path_of};
use crate::lsp::settings::{LogLevel, Settings};

impl Session {
    /// Handles `initialize`.
    pub fn begin(&mut self, abilities: ClientAbilities, settings: Option<&Value>, folders: Vec<Url>) {
        self.abilities = abilities;
        self.scopes = folders.into_iter().map(Some).chain([None]).map(Scope::new).collect();
        if let Some(settings) = settings {
            self.settings = self.read_settings(settings);
        }
        self.retarget();
    }

    /// Handles `initialized`.
    pub fn initialized(&mut self) {
        self.ready = !self.abilities.configuration;
        self.pull_settings();
    }

    /// Adds a Python document that was opened.
    pub fn open(&mut self, uri: Url, version: i32, text: String) {
        let at = self.scope_at(&uri);
        if let Some(scope) = self.scopes.get_mut(at) {
            scope.in_use = true;
        }
        let path = path_of(&uri).map(|path| WinPath::from_native(&path));
        self.documents.insert(uri, OpenDocument::new(version, text, at, path));
    }

    /// Applies edits to a document.
    pub fn change(&mut self, uri: &Url, version: i32, changes: Vec<TextChange>) {
        if let Some(document) = self.documents.get_mut(uri) {
            document.change(version, changes);
        }
    }

    /// Removes a document that was closed, and its diagnostics.
    pub fn close(&mut self, uri: Url) {
        if self.documents.remove(&uri).is_some() {
            self.effects.push(Effect::Publish(PublishDiagnosticsParams::new(uri, Vec::new(), None)));
        }
    }

    /// Schedules an analysis after a document was saved: while the environment is unhealthy, to
    /// find out whether the change helped; and if there are other documents with imports,
    /// because they may import the saved document as it is on the disk.
    pub fn saved(&mut self, uri: &Url) {
        let Some(view) = self.view(uri) else { return };
        let unhealthy = view.scope.sent_health.as_ref().is_some_and(ScopeHealth::is_unhealthy);
        let others = self.documents.iter().filter(|(other, _)| *other != uri);
        let others = others.filter(|(_, other)| other.scope == view.document.scope);
        let has_imports =
            |(_, other): (&Url, &OpenDocument)| !other.read(&view.settings.packages).imports.is_empty();
        if (unhealthy && !view.imports().is_empty()) || others.into_iter().any(has_imports) {
            let target = view.scope.target.clone();
            self.stale.insert(target);
        }
    }

    /// Applies new settings. Some editors send them, others only notify that they changed.
    pub fn settings_changed(&mut self, settings: &Value) {
        match settings.get("whydll") {
            Some(section) => self.settings = self.read_settings(section),
            None if settings.is_null() || settings.is_object() => {}
            None => {
                self.log(LogLevel::Warning, || format!("expected settings to be an object, got {settings}"));
            }
        }
        self.retarget();
        self.pull_settings();
    }

    /// Applies the response to the request for settings: those of each folder, and last of the
    /// window.
    pub fn settings_pulled(&mut self, generation: u64, sections: &[Value]) {
        if self.pulling != Some(generation) {
            return;
        }
        self.pulling = None;
        self.ready = true;
        for (at, section) in sections.iter().enumerate().take(self.scopes.len()) {
            let settings = section.is_object().then(|| self.read_settings(section));
            if let Some(scope) = self.scopes.get_mut(at) {
                scope.settings = settings;
            }
        }
        self.retarget();
    }

    /// Records the editor's selection of an interpreter for a folder, or for everything outside all
    /// folders; `None` removes it. It applies where no setting names an interpreter.
    pub fn interpreter_selected(&mut self, scope: Option<Url>, path: Option<PathBuf>) {
        let scope = self.folder_of(scope);
        let before = match &path {
            Some(path) => self.selected.insert(scope.clone(), path.clone()),
            None => self.selected.remove(&scope),
        };
        if before != path {
            self.overrides.remove(&scope);
        }
        self.retarget();
    }

    /// Uses an interpreter that the user ordered by a command, which takes precedence over
    /// everything else.
    pub fn use_interpreter(&mut self, scope: Option<Url>, path: PathBuf) {
        let scope = self.folder_of(scope);
        let known = self.scopes.iter().find(|known| known.folder == scope);
        let setting = known.map_or(&self.settings, |known| self.settings_of(known)).interpreter.clone();
        self.overrides.insert(scope, Override { path, setting });
        self.retarget();
    }

    /// Returns the workspace folder that contains a document or folder.
    fn folder_of(&self, scope: Option<Url>) -> Option<Url> {
        let holding = scope.as_ref().and_then(|uri| self.scopes.get(self.scope_at(uri)));
        holding.and_then(|holding| holding.folder.clone()).or(scope)
    }

    /// Adds and removes workspace folders.
    pub fn folders_changed(&mut self, added: Vec<Url>, removed: &[Url]) {
        self.scopes.retain(|scope| scope.folder.as_ref().is_none_or(|uri| !removed.contains(uri)));
        for uri in added {
            let last = self.scopes.len().saturating_sub(1);
            self.scopes.insert(last, Scope::new(Some(uri)));
        }
        self.reassign_documents();
    }

    /// Sets the Python of a notebook's kernel; `None` means that of its folder.
    pub fn kernel_selected(&mut self, notebook: Url, path: Option<PathBuf>) {
        let own = |scope: &Scope| scope.is_notebook && scope.folder.as_ref() == Some(&notebook);
        let known = self.scopes.iter().position(own);
        match (known, path) {
            (Some(_), Some(path)) => drop(self.selected.insert(Some(notebook), path)),
            (None, Some(path)) => {
                let last = self.scopes.len().saturating_sub(1);
                let Some(within) = self.scopes.get(self.scope_at(&notebook)) else { return };
                self.scopes.insert(last, Scope::of_notebook(notebook.clone(), within));
                self.selected.insert(Some(notebook), path);
            }
            (Some(at), None) => {
                self.scopes.remove(at);
                self.selected.remove(&Some(notebook));
            }
            (None, None) => return,
        }
        self.reassign_documents();
    }

    /// Assigns every document to the scope that contains it now.
    fn reassign_documents(&mut self) {
        let assigned: Vec<(Url, usize)> =
            self.documents.keys().map(|uri| (uri.clone(), self.scope_at(uri))).collect();
        for (uri, at) in assigned {
            if let (Some(document), Some(scope)) = (self.documents.get_mut(&uri), self.scopes.get_mut(at)) {
                document.scope = at;
                scope.in_use = true;
            }
        }
        self.retarget();
        self.pull_settings();
    }

    /// Marks an answer as stale because something that it was read from has changed.
    pub fn changed(&mut self, target: Target) {
        if self.answers.contains_key(&target) {
            self.log(LogLevel::Debug, || "a file or folder that was read has changed".to_owned());
            self.stale.insert(target);
        }
    }

    /// Discards every answer and ignores the caches of earlier runs.
    pub fn check_again(&mut self) {
        self.uncached = self.scopes.iter().map(|scope| scope.target.clone()).collect();
        self.effects.extend(self.answers.drain().map(|(target, _)| Effect::Forget(target)));
        self.stale.clear();
        self.running = None;
        self.unproven.clear();
        self.background = None;
        self.facts = None;
        self.scopes.iter_mut().for_each(|scope| scope.sent_health = None);
        self.mark_all_due();
    }

    /// Takes the answer of an analysis that ended.
    pub fn analysed(&mut self, generation: u64, mut answer: Answer) {
        self.threads = self.threads.saturating_sub(1);
        let Some(running) = self.running.take_if(|running| running.generation == generation) else {
            return;
        };
        // More imports in a known environment, which come with every letter that is typed, are not news.
        let is_news = running.replaces || !self.answers.contains_key(&running.target);
        let level = if is_news { LogLevel::Info } else { LogLevel::Debug };
        self.log(level, || log_message(&running, &answer));
        let (target, watched) = (running.target.clone(), answer.watched.take().map(Box::new));
        let replaces = match self.answers.get_mut(&target) {
            Some(known) if !running.replaces && known.environment == answer.environment => {
                known.diagnoses.extend(answer.diagnoses);
                known.memo = answer.memo;
                false
            }
            _ => {
                self.answers.insert(target.clone(), answer);
                true
            }
        };
        match self.is_unproven(&target) {
            true => drop(self.unproven.insert(target.clone())),
            false => drop(self.unproven.remove(&target)),
        }
        if self.unproven.is_empty() {
            self.waiting.clear();
        }
        self.effects.push(match watched {
            Some(watched) => Effect::Watch { target, watched, replaces },
            None => Effect::Forget(target),
        });
        self.evict();
        self.mark_all_due();
    }

    /// Shows the progress of an analysis that takes a while.
    pub fn still_running(&mut self, generation: u64) {
        let Some(running) = self.running.as_ref().filter(|running| running.generation == generation) else {
            return;
        };
        let message = format!("checking {}", running.names);
        let (sender, ended) = oneshot::channel();
        self.progress = Some((generation, sender));
        self.effects.push(Effect::Progress { generation, message, ended });
    }

    /// Ends the progress if its analysis is no longer awaited.
    pub(super) fn end_progress(&mut self) {
        let awaited = self.running.as_ref().map(|running| running.generation);
        self.progress.take_if(|(generation, _)| awaited != Some(*generation));
    }

    /// Takes the result of a thread that tried fixes, unless it was cancelled by `stop`.
    pub fn proved(
        &mut self,
        target: &Target,
        stop: &CancellationToken,
        proven: BTreeMap<Import, Arc<Diagnosis>>,
    ) {
        self.background_threads = self.background_threads.saturating_sub(1);
        if stop.is_cancelled() {
            return;
        }
        let took = self.background.take().map_or(0, |work| work.since.elapsed().as_millis());
        self.log(LogLevel::Debug, || format!("tried the fixes of {} in {took} ms", names(proven.keys())));
        self.unproven.remove(target);
        if let Some(answer) = self.answers.get_mut(target) {
            // Imports without a diagnosis are left to the next analysis.
            let known = proven.into_iter().filter(|(import, _)| answer.diagnoses.contains_key(import));
            let known: Vec<(Import, Arc<Diagnosis>)> = known.collect();
            answer.diagnoses.extend(known);
        }
        if self.unproven.is_empty() {
            self.waiting.clear();
        }
        self.mark_all_due();
    }

    /// Drops `done` when the fixes for a document or folder have been tried, or at once if there
    /// are none to try.
    pub fn when_proven(&mut self, uri: Option<&Url>, done: oneshot::Sender<()>) {
        let target = self.scope_view(uri).scope.target.clone();
        // The fixes of a document that has just been opened haven't been tried.
        if self.running.is_none() && self.is_unproven(&target) {
            self.unproven.insert(target.clone());
        }
        if self.unproven.contains(&target) {
            self.waiting.retain(|waiting| !waiting.is_closed());
            self.waiting.push(done);
        }
    }

    /// Computes the target of each scope, and parses and diagnoses every document again.
    fn retarget(&mut self) {
        for scope in &mut self.scopes {
            let settings = scope.settings.as_ref().unwrap_or(&self.settings);
            let folder = scope.path.as_deref();
            let setting = settings.interpreter.as_ref();
            if self.overrides.get(&scope.folder).is_some_and(|it| it.setting.as_ref() != setting) {
                self.overrides.remove(&scope.folder);
            }
            let ordered = self.overrides.get(&scope.folder).map(|it| &it.path);
            let interpreter = match (ordered, setting, self.selected.get(&scope.folder)) {
                (Some(ordered), _, _) => InterpreterSpec::Named(ordered.clone()),
                (None, Some(path), _) => named(path, folder),
                (None, None, Some(selected)) => InterpreterSpec::Named(selected.clone()),
                (None, None, None) => InterpreterSpec::Search(scope.path.clone()),
            };
            let host = settings.host.as_deref().map(|host| HostSpec::from(expanded(host, folder).as_str()));
            scope.target =
                Target { interpreter, host, drive: None, search_path: settings.search_path.clone() };
        }
        self.documents.values_mut().for_each(OpenDocument::forget);
    }

    fn mark_all_due(&mut self) {
        self.documents.values_mut().for_each(|document| document.due = true);
    }

    fn pull_settings(&mut self) {
        if !self.abilities.configuration {
            return;
        }
        self.generation += 1;
        self.pulling = Some(self.generation);
        let folders = self.scopes.iter().filter_map(|scope| scope.folder.clone()).collect();
        self.effects.push(Effect::PullSettings { generation: self.generation, folders });
    }

    fn read_settings(&mut self, section: &Value) -> Settings {
        let (settings, problems) = Settings::read(section);
        for problem in problems {
            self.log(LogLevel::Warning, || problem);
        }
        settings
    }

    /// Evicts answers and diagnoses above the limits that no scope needs.
    fn evict(&mut self) {
        let used: HashSet<&Target> = self.scopes.iter().map(|scope| &scope.target).collect();
        if self.answers.len() > MAX_ANSWERS {
            let unused = self.answers.extract_if(|target, _| !used.contains(target));
            self.effects.extend(unused.map(|(target, _)| Effect::Forget(target)));
        }
        if self.answers.values().any(|answer| answer.diagnoses.len() > MAX_DIAGNOSES) {
            let wanted: BTreeSet<Import> =
                (0..self.scopes.len()).flat_map(|scope| self.wanted(scope)).collect();
            for answer in self.answers.values_mut() {
                answer.diagnoses.retain(|import, _| wanted.contains(import));
            }
        }
    }
}

fn log_message(running: &Running, answer: &Answer) -> String {
    let took = running.since.elapsed().as_millis();
    match &answer.environment {
        Ok(examined) => {
            let findings: usize = answer.diagnoses.values().map(|known| known.findings.len()).sum();
            format!(
                "checked {} with {} on {} in {took} ms: {findings} findings",
                names(answer.diagnoses.keys()),
                examined.interpreter,
                examined.machine
            )
        }
        Err(reason) => format!("nothing to check: {}", reason.reason),
    }
}
