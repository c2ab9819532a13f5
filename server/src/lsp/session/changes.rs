//! What notifications of the editor, and the ends of our own work, change.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::oneshot;
use tower_lsp::lsp_types::{PublishDiagnosticsParams, Url};

use super::{MOST_ANSWERS, MOST_DIAGNOSES, Ordered, Running, Session};
use crate::diagnosis::{Diagnosis, Health as Word, Import, Outcome};
use crate::host::{Stop, WinPath};
use crate::lsp::analysis::{Answer, Target, names};
use crate::lsp::client::ClientAbilities;
use crate::lsp::document::{Change, OpenDocument};
use crate::lsp::effect::Effect;
use crate::lsp::health::Health;
use crate::lsp::interpreter::{Choice, expanded};
use crate::lsp::scope::{Scope, path_of};
use crate::lsp::settings::{LogLevel, Settings};

impl Session {
    /// The editor introduces itself.
    pub fn begin(&mut self, abilities: ClientAbilities, settings: Option<&Value>, folders: Vec<Url>) {
        self.abilities = abilities;
        self.scopes = folders.into_iter().map(Some).chain([None]).map(Scope::new).collect();
        if let Some(settings) = settings {
            self.settings = self.read_settings(settings);
        }
        self.retarget();
    }

    /// The editor is ready.
    pub fn initialized(&mut self) {
        self.ready = !self.abilities.configuration;
        self.pull_settings();
    }

    /// A Python document was opened.
    pub fn open(&mut self, uri: Url, version: i32, text: String) {
        let home = self.scope_at(&uri);
        if let Some(scope) = self.scopes.get_mut(home) {
            scope.in_use = true;
        }
        let path = path_of(&uri).map(|path| WinPath::from_native(&path));
        self.documents.insert(uri, OpenDocument::new(version, text, home, path));
    }

    /// A document was edited.
    pub fn change(&mut self, uri: &Url, version: i32, changes: Vec<Change>) {
        if let Some(document) = self.documents.get_mut(uri) {
            document.change(version, changes);
        }
    }

    /// A document was closed.
    pub fn close(&mut self, uri: Url) {
        if self.documents.remove(&uri).is_some() {
            self.effects.push(Effect::Publish(PublishDiagnosticsParams::new(uri, Vec::new(), None)));
        }
    }

    /// A document was saved. Whoever works on an environment that is ill wants to know whether it helped. And other
    /// documents may import the one that was saved: they do it as it is on the disk.
    pub fn saved(&mut self, uri: &Url) {
        let Some(view) = self.view(uri) else { return };
        let ill = view.scope.told.as_ref().is_some_and(Health::is_ill);
        let others = self.documents.iter().filter(|(other, _)| *other != uri);
        let others = others.filter(|(_, other)| other.scope == view.document.scope);
        let is_of_use =
            |(_, other): (&Url, &OpenDocument)| !other.read(&view.settings.packages).imports.is_empty();
        if (ill && !view.imports().is_empty()) || others.into_iter().any(is_of_use) {
            let target = view.scope.target.clone();
            self.stale.insert(target);
        }
    }

    /// The editor tells the settings, or only that they changed.
    pub fn settings_changed(&mut self, settings: &Value) {
        match settings.get("whydll") {
            Some(section) => self.settings = self.read_settings(section),
            None if settings.is_null() || settings.is_object() => {}
            None => self.log(LogLevel::Warning, || format!("the settings are no object, but {settings}")),
        }
        self.retarget();
        self.pull_settings();
    }

    /// The editor answered the question for settings: each folder's, and last the window's.
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

    /// An interpreter was selected in the editor for a folder, or for what is outside; none leaves it to us. It counts where no
    /// setting names one.
    pub fn interpreter_selected(&mut self, scope: Option<Url>, path: Option<PathBuf>) {
        let scope = self.folder_of(scope);
        let before = match &path {
            Some(path) => self.selected.insert(scope.clone(), path.clone()),
            None => self.selected.remove(&scope),
        };
        if before != path {
            self.ordered.remove(&scope);
        }
        self.retarget();
    }

    /// The user told us to use an interpreter, which goes before all else.
    pub fn use_interpreter(&mut self, scope: Option<Url>, path: PathBuf) {
        let scope = self.folder_of(scope);
        let home = self.scopes.iter().find(|home| home.folder == scope);
        let setting = home.map_or(&self.settings, |home| self.settings_of(home)).interpreter.clone();
        self.ordered.insert(scope, Ordered { path, setting });
        self.retarget();
    }

    /// A document or folder within a folder stands for that.
    fn folder_of(&self, scope: Option<Url>) -> Option<Url> {
        let holding = scope.as_ref().and_then(|uri| self.scopes.get(self.scope_at(uri)));
        holding.and_then(|holding| holding.folder.clone()).or(scope)
    }

    /// Folders were added to the window, or taken out of it.
    pub fn folders_changed(&mut self, added: Vec<Url>, removed: &[Url]) {
        self.scopes.retain(|scope| scope.folder.as_ref().is_none_or(|uri| !removed.contains(uri)));
        for uri in added {
            let last = self.scopes.len().saturating_sub(1);
            self.scopes.insert(last, Scope::new(Some(uri)));
        }
        self.rehome();
    }

    /// A notebook runs in this Python, or in that of its folder again.
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
        self.rehome();
    }

    /// Puts every document into the scope that holds it now.
    fn rehome(&mut self) {
        let homes: Vec<(Url, usize)> =
            self.documents.keys().map(|uri| (uri.clone(), self.scope_at(uri))).collect();
        for (uri, home) in homes {
            if let (Some(document), Some(scope)) = (self.documents.get_mut(&uri), self.scopes.get_mut(home)) {
                document.scope = home;
                scope.in_use = true;
            }
        }
        self.retarget();
        self.pull_settings();
    }

    /// What was read for an answer is not as it was.
    pub fn changed(&mut self, target: Target) {
        if self.answers.contains_key(&target) {
            self.log(LogLevel::Debug, || "something changed that was looked at".to_owned());
            self.stale.insert(target);
        }
    }

    /// Forgets every answer.
    pub fn check_again(&mut self) {
        self.doubted = self.scopes.iter().map(|scope| scope.target.clone()).collect();
        self.effects.extend(self.answers.drain().map(|(target, _)| Effect::Forget(target)));
        self.stale.clear();
        self.running = None;
        self.unread.clear();
        self.unproven.clear();
        self.reading = None;
        self.facts = None;
        self.scopes.iter_mut().for_each(|scope| scope.told = None);
        self.look_again();
    }

    /// An analysis ended.
    pub fn analysed(&mut self, generation: u64, mut answer: Answer) {
        self.threads = self.threads.saturating_sub(1);
        let Some(running) = self.running.take_if(|running| running.generation == generation) else {
            return;
        };
        // What is asked of an environment that is known, letter by letter as somebody types, is no news.
        let is_news = running.anew || !self.answers.contains_key(&running.target);
        let level = if is_news { LogLevel::Info } else { LogLevel::Debug };
        self.log(level, || told_of(&running, &answer));
        let (target, watched) = (running.target.clone(), answer.watched.take().map(Box::new));
        let chosen = self.to_prove(&target);
        let failing = answer.diagnoses.iter().filter(|(_, known)| known.health == Word::Broken);
        let failing = failing.map(|(import, _)| import.clone()).filter(|import| chosen.contains(import));
        let failing: BTreeSet<Import> = failing.collect();
        let anew = match self.answers.get_mut(&target) {
            Some(known) if !running.anew && known.environment == answer.environment => {
                known.diagnoses.extend(answer.diagnoses);
                known.known = answer.known;
                false
            }
            _ => {
                self.answers.insert(target.clone(), answer);
                true
            }
        };
        if anew {
            self.unread.remove(&target);
        }
        match self.is_unproven(&target) {
            true => drop(self.unproven.insert(target.clone())),
            false => drop(self.unproven.remove(&target)),
        }
        if self.unproven.is_empty() {
            self.waiting.clear();
        }
        if watched.is_some() && !failing.is_empty() {
            self.unread.entry(target.clone()).or_default().extend(failing);
        }
        self.effects.push(match watched {
            Some(watched) => Effect::Watch { target, watched, anew },
            None => Effect::Forget(target),
        });
        self.clear_out();
        self.look_again();
    }

    /// An analysis takes a while: people want to know that something goes on.
    pub fn still_running(&mut self, generation: u64) {
        let Some(running) = self.running.as_ref().filter(|running| running.generation == generation) else {
            return;
        };
        let message = format!("checking {}", running.asked);
        let (shown, ended) = oneshot::channel();
        self.shown = Some((generation, shown));
        self.effects.push(Effect::Progress { generation, message, ended });
    }

    /// Once nobody waits for the analysis of which the editor shows that it goes on.
    pub(super) fn end_progress(&mut self) {
        let awaited = self.running.as_ref().map(|running| running.generation);
        self.shown.take_if(|(generation, _)| awaited != Some(*generation));
    }

    /// A thread that tried fixes ended, and was not to `stop` before.
    pub fn proved(&mut self, target: &Target, stop: &Stop, proven: BTreeMap<Import, Arc<Diagnosis>>) {
        self.readers = self.readers.saturating_sub(1);
        if stop.is_said() {
            return;
        }
        let took = self.reading.take().map_or(0, |reading| reading.since.elapsed().as_millis());
        self.log(LogLevel::Debug, || format!("tried the fixes of {} in {took} ms", names(proven.keys())));
        self.unproven.remove(target);
        // The trial of a fix that cures has already read what lies behind the failure.
        let is_cured = |diagnosis: &Diagnosis| {
            diagnosis
                .findings
                .iter()
                .flat_map(|finding| &finding.fixes)
                .any(|fix| fix.outcome == Outcome::Cures)
        };
        if let Some(unread) = self.unread.get_mut(target) {
            unread.retain(|import| !proven.get(import).is_some_and(|diagnosis| is_cured(diagnosis)));
        }
        self.unread.retain(|_, imports| !imports.is_empty());
        if let Some(answer) = self.answers.get_mut(target) {
            // What was not known before is for the next analysis to find out.
            let known = proven.into_iter().filter(|(import, _)| answer.diagnoses.contains_key(import));
            let known: Vec<(Import, Arc<Diagnosis>)> = known.collect();
            answer.diagnoses.extend(known);
        }
        if self.unproven.is_empty() {
            self.waiting.clear();
        }
        self.look_again();
    }

    /// Whoever waits for what came of the fixes for a document or folder: `told` is dropped then, at once if there is nothing to try.
    pub fn when_proven(&mut self, uri: Option<&Url>, told: oneshot::Sender<()>) {
        let target = self.outlook(uri).scope.target.clone();
        // What nobody had open so far was not tried.
        if self.running.is_none() && self.is_unproven(&target) {
            self.unproven.insert(target.clone());
        }
        if self.unproven.contains(&target) {
            self.waiting.retain(|waiting| !waiting.is_closed());
            self.waiting.push(told);
        }
    }

    /// A thread that read behind failures ended, and was not to `stop` before.
    pub fn read_behind(&mut self, stop: &Stop) {
        self.readers = self.readers.saturating_sub(1);
        if !stop.is_said()
            && let Some(reading) = self.reading.take()
        {
            let imports = self.unread.remove(&reading.target).unwrap_or_default();
            let took = reading.since.elapsed().as_millis();
            self.log(LogLevel::Debug, || {
                format!("read behind the failure of {} in {took} ms", names(&imports))
            });
        }
    }

    /// Has every document read anew and every diagnostic looked at again.
    fn retarget(&mut self) {
        for scope in &mut self.scopes {
            let settings = scope.settings.as_ref().unwrap_or(&self.settings);
            let folder = scope.path.as_deref();
            let setting = settings.interpreter.as_ref();
            if self.ordered.get(&scope.folder).is_some_and(|ordered| ordered.setting.as_ref() != setting) {
                self.ordered.remove(&scope.folder);
            }
            let ordered = self.ordered.get(&scope.folder).map(|ordered| &ordered.path);
            let interpreter = match (ordered, setting, self.selected.get(&scope.folder)) {
                (Some(ordered), _, _) => Choice::Named(ordered.clone()),
                (None, Some(named), _) => Choice::named(named, folder),
                (None, None, Some(selected)) => Choice::Named(selected.clone()),
                (None, None, None) => Choice::Sought(scope.path.clone()),
            };
            let host = settings.host.as_deref().map(|host| expanded(host, folder));
            scope.target = Target { interpreter, host, search_path: settings.search_path.clone() };
        }
        self.documents.values_mut().for_each(OpenDocument::forget);
    }

    fn look_again(&mut self) {
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
        let (settings, complaints) = Settings::read(section);
        for complaint in complaints {
            self.log(LogLevel::Warning, || complaint);
        }
        settings
    }

    /// Does not keep more than can be useful soon.
    fn clear_out(&mut self) {
        let used: HashSet<&Target> = self.scopes.iter().map(|scope| &scope.target).collect();
        if self.answers.len() > MOST_ANSWERS {
            let unused = self.answers.extract_if(|target, _| !used.contains(target));
            self.effects.extend(unused.map(|(target, _)| Effect::Forget(target)));
        }
        if self.answers.values().any(|answer| answer.diagnoses.len() > MOST_DIAGNOSES) {
            let wanted: BTreeSet<Import> =
                (0..self.scopes.len()).flat_map(|scope| self.wanted(scope)).collect();
            for answer in self.answers.values_mut() {
                answer.diagnoses.retain(|import, _| wanted.contains(import));
            }
        }
    }
}

fn told_of(running: &Running, answer: &Answer) -> String {
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
