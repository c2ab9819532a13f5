//! The state: what is open, what was selected, what is known. Owned by one task, see [`own`].

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tower_lsp::Client;
use tower_lsp::lsp_types::{Diagnostic, MessageType, PublishDiagnosticsParams, Url};

use super::analysis::{Analysis, Answer, Facts, Target, names};
use super::client::ClientAbilities;
use super::convert;
use super::document::{Change, OpenDocument};
use super::effect::Effect;
use super::health::Health;
use super::interpreter::{Choice, expanded};
use super::mailbox::{Event, Mailbox};
use super::notebook::Notebook;
use super::scope::{Scope, path_of};
use super::settings::{LogLevel, Settings};
use crate::diagnosis::{Diagnosis, Finding, Health as Word, Import, Known, Severity};
use crate::host::{Stop, Watcher, WinPath};
use crate::source::{Guard, ImportStatement};

mod notebooks;

pub use notebooks::NotebookChange;

/// Applies events in order, and carries out what follows from them.
pub async fn own(mut events: UnboundedReceiver<Event>, client: Client, mailbox: Mailbox) {
    let mut session = Session::default();
    let changed = mailbox.clone();
    let watcher = Watcher::new(move |target| changed.tell(|session| session.changed(target)));
    while let Some(event) = events.recv().await {
        session.apply(event);
        // What came meanwhile is applied first: of many edits only the last state is looked at.
        for _ in 0..LARGEST_BATCH {
            match events.try_recv() {
                Ok(event) => session.apply(event),
                Err(_) => break,
            }
        }
        session.settle();
        for effect in session.take_effects() {
            effect.perform(&client, &mailbox, &watcher).await;
        }
    }
}

/// An editor that never pauses gets an answer after so many events.
const LARGEST_BATCH: usize = 256;

/// Answers for so many targets are kept, so that going back to one is quick.
const MOST_ANSWERS: usize = 8;

/// Diagnoses of so many modules are kept for a target: names that are being typed leave many behind.
const MOST_DIAGNOSES: usize = 64;

/// A superseded analysis stops at its next look at a file; until then it may run beside the next one.
const MOST_THREADS: usize = 2;

/// All that is known.
pub struct Session {
    /// What the editor can do.
    pub abilities: ClientAbilities,
    /// The settings where a scope has none of its own.
    settings: Settings,
    documents: HashMap<Url, OpenDocument>,
    /// Their cells are among the documents.
    notebooks: HashMap<Url, Notebook>,
    /// The folders, and last what is outside of every folder.
    scopes: Vec<Scope>,
    /// The interpreters selected in the editor.
    selected: HashMap<Option<Url>, PathBuf>,
    /// Those that the user told us to use.
    ordered: HashMap<Option<Url>, Ordered>,
    answers: HashMap<Target, Answer>,
    /// Answers that may have changed.
    stale: HashSet<Target>,
    /// Where somebody asked to be told afresh.
    doubted: HashSet<Target>,
    /// The analysis whose answer is awaited.
    running: Option<Running>,
    /// The analysis of which the editor shows that it goes on, as long as this sender is there.
    shown: Option<(u64, oneshot::Sender<()>)>,
    /// Analyses that have not ended, awaited or superseded.
    threads: usize,
    /// The imports that fail, behind whose failures nobody has looked yet.
    unread: HashMap<Target, BTreeSet<Import>>,
    /// What is read behind failures just now.
    reading: Option<Reading>,
    /// Threads that read so and have not ended.
    readers: usize,
    /// Facts are kept while one analysis follows another, and take much memory.
    facts: Option<Arc<Facts>>,
    /// Numbers what is asked; an answer of an older number is dropped.
    generation: u64,
    /// The question for settings whose answer is awaited.
    pulling: Option<u64>,
    /// The editor is ready, and its settings are known.
    ready: bool,
    effects: Vec<Effect>,
}

/// An interpreter that the user told us to use: it goes before the setting and the editor's choice until one of them changes.
struct Ordered {
    path: PathBuf,
    /// What the setting was then.
    setting: Option<String>,
}

struct Running {
    generation: u64,
    target: Target,
    /// The answer takes the place of the one that is known.
    anew: bool,
    since: Instant,
    /// What is asked about, for people.
    asked: String,
    stop: Stop,
}

/// What lies behind failures is read, until something is asked.
struct Reading {
    target: Target,
    since: Instant,
    stop: Stop,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.stop.say();
    }
}

/// Nobody waits for it any more.
impl Drop for Running {
    fn drop(&mut self) {
        self.stop.say();
    }
}

impl Default for Session {
    fn default() -> Session {
        Session {
            abilities: ClientAbilities::default(),
            settings: Settings::default(),
            documents: HashMap::new(),
            notebooks: HashMap::new(),
            scopes: vec![Scope::new(None)],
            selected: HashMap::new(),
            ordered: HashMap::new(),
            answers: HashMap::new(),
            stale: HashSet::new(),
            doubted: HashSet::new(),
            running: None,
            shown: None,
            threads: 0,
            unread: HashMap::new(),
            reading: None,
            readers: 0,
            facts: None,
            generation: 0,
            pulling: None,
            ready: false,
            effects: Vec::new(),
        }
    }
}

/// What notifications change.
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
        self.log(LogLevel::Info, || told_of(&running, &answer));
        let (target, watched) = (running.target.clone(), answer.watched.take().map(Box::new));
        let failing = answer.diagnoses.iter().filter(|(_, known)| known.health == Word::Broken);
        let failing: BTreeSet<Import> = failing.map(|(import, _)| import.clone()).collect();
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
    fn end_progress(&mut self) {
        let awaited = self.running.as_ref().map(|running| running.generation);
        self.shown.take_if(|(generation, _)| awaited != Some(*generation));
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

    /// Leaves something to be done.
    pub fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Writes into the editor's log, if the user wants to read so much.
    pub fn log(&mut self, level: LogLevel, message: impl FnOnce() -> String) {
        let kind = match level {
            LogLevel::Off => return,
            LogLevel::Error => MessageType::ERROR,
            LogLevel::Warning => MessageType::WARNING,
            LogLevel::Info => MessageType::INFO,
            LogLevel::Debug => MessageType::LOG,
        };
        let settings = self.scopes.last().and_then(|window| window.settings.as_ref());
        if level <= settings.unwrap_or(&self.settings).log_level {
            self.effects.push(Effect::Log(kind, message()));
        }
    }
}

/// What follows from the changes.
impl Session {
    fn apply(&mut self, event: Event) {
        if catch_unwind(AssertUnwindSafe(|| event(self))).is_err() {
            self.log(LogLevel::Error, || {
                "an event was dropped: its handling failed, please report it".to_owned()
            });
        }
    }

    /// Finds out what is missing, and tells what is known.
    pub fn settle(&mut self) {
        if !self.ready {
            return;
        }
        self.analyse();
        self.publish();
        self.tell_health();
        self.end_progress();
        self.look_behind();
    }

    /// What is to be done, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Starts the next analysis, if one is needed.
    fn analyse(&mut self) {
        let is_unused =
            |target: &Target| self.scopes.iter().all(|scope| !scope.in_use || scope.target != *target);
        if self.running.as_ref().is_some_and(|running| is_unused(&running.target)) {
            self.running = None;
        }
        if self.reading.as_ref().is_some_and(|reading| is_unused(&reading.target)) {
            self.reading = None;
        }
        if self.running.is_some() || self.threads >= MOST_THREADS {
            return;
        }
        let next =
            self.scopes.iter().enumerate().filter(|(_, scope)| scope.in_use).find_map(|(at, scope)| {
                let anew = self.stale.contains(&scope.target);
                let answer = self.answers.get(&scope.target);
                let missing = |import: &Import| anew || answer.is_none_or(|answer| !answer.covers(import));
                let imports: Vec<Import> = self.wanted(at).into_iter().filter(missing).collect();
                // Without anything to import there is still an environment to look at.
                let needed = answer.is_none() || !imports.is_empty();
                needed.then(|| (scope.target.clone(), imports, anew))
            });
        let Some((target, imports, anew)) = next else { return };
        self.reading = None;
        self.stale.remove(&target);
        self.generation += 1;
        self.threads += 1;
        let facts = self.facts.get_or_insert_default().clone();
        let generation = self.generation;
        let stop = Stop::default();
        let since = Instant::now();
        let asked: BTreeSet<&str> = imports.iter().map(|import| import.name.as_str()).collect();
        let asked = asked.into_iter().collect::<Vec<&str>>().join(", ");
        self.running =
            Some(Running { generation, target: target.clone(), anew, since, asked, stop: stop.clone() });
        if self.abilities.shows_progress {
            self.effects.push(Effect::ShowProgress(generation));
        }
        let afresh = self.doubted.remove(&target);
        let known = self.answers.get(&target).filter(|_| !anew).map(|answer| answer.known.clone());
        let known = known.unwrap_or_default();
        let analysis = Analysis { target, imports, known, facts, afresh, stop };
        self.effects.push(Effect::Analyse { generation, analysis, anew });
    }

    /// When all is answered: reads what lies behind failures, and then forgets what was read.
    fn look_behind(&mut self) {
        if self.running.is_some() || self.threads > 0 || self.readers > 0 {
            return;
        }
        self.unread
            .retain(|target, _| self.scopes.iter().any(|scope| scope.in_use && scope.target == *target));
        let next = self.unread.iter().next();
        if let Some((target, imports)) = next.map(|(target, imports)| (target.clone(), imports.clone())) {
            let stop = Stop::default();
            self.reading =
                Some(Reading { target: target.clone(), since: Instant::now(), stop: stop.clone() });
            self.readers += 1;
            let facts = self.facts.get_or_insert_default().clone();
            let imports = imports.into_iter().collect();
            let analysis = Analysis { target, imports, known: Known::default(), facts, afresh: false, stop };
            self.effects.push(Effect::ReadBehind(analysis));
        } else if self.facts.take().is_some() {
            self.effects.push(Effect::GiveBackMemory);
        }
    }

    /// The imports that matter to a scope.
    fn wanted(&self, scope: usize) -> BTreeSet<Import> {
        let mut wanted = BTreeSet::new();
        let Some(home) = self.scopes.get(scope) else { return wanted };
        wanted.extend(self.settings_of(home).packages.named().into_iter().map(Import::first));
        wanted.extend(self.imports_in(scope).map(|(import, _)| import));
        wanted
    }

    /// The watched imports in the open documents of a scope, as far as they are run, and what stands around them.
    fn imports_in(&self, scope: usize) -> impl Iterator<Item = (Import, Guard)> {
        let documents = self.documents.values().filter(move |document| document.scope == scope);
        let packages = self.scopes.get(scope).map(|scope| &self.settings_of(scope).packages);
        documents.flat_map(move |document| packages.map(|packages| (document, packages))).flat_map(
            |(document, packages)| {
                let run = document.read(packages).imports.iter();
                let run = run.filter(|import| import.guard != Guard::NotRun);
                run.filter_map(|import| Some((document.asked(import, packages)?, import.guard)))
            },
        )
    }

    fn publish(&mut self) {
        let due = self.documents.iter().filter(|(_, document)| document.due);
        let known: Vec<(Url, Vec<Diagnostic>)> =
            due.filter_map(|(uri, _)| Some((uri.clone(), self.view(uri)?.diagnostics()?))).collect();
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

    fn tell_health(&mut self) {
        for at in 0..self.scopes.len() {
            let Some(scope) = self.scopes.get(at).filter(|scope| scope.in_use) else { continue };
            let settings = self.settings_of(scope);
            let answer = self.answers.get(&scope.target);
            let covers = |answer: &&Answer| {
                settings.packages.named().into_iter().all(|name| answer.covers(&Import::first(name)))
            };
            let health = match answer.filter(covers) {
                Some(answer) => {
                    let imported: Vec<(Import, Guard)> = self.imports_in(at).collect();
                    Health::of(scope.folder.clone(), answer, settings, &imported)
                }
                None => Health::checking(scope.folder.clone(), &scope.target, settings),
            };
            if scope.told.as_ref() != Some(&health) {
                self.effects.push(Effect::Health(health.clone()));
                if let Some(scope) = self.scopes.get_mut(at) {
                    scope.told = Some(health);
                }
            }
        }
    }
}

/// What requests ask.
impl Session {
    /// An open document and what is known for it.
    pub fn view(&self, uri: &Url) -> Option<View<'_>> {
        let document = self.documents.get(uri)?;
        let scope = self.scopes.get(document.scope)?;
        Some(View {
            document,
            settings: self.settings_of(scope),
            answer: self.answers.get(&scope.target),
            scope,
        })
    }

    /// What is known of the folder of this document or folder; without one, of the first folder.
    pub fn outlook(&self, uri: Option<&Url>) -> Outlook<'_> {
        let at = uri.map_or(0, |uri| self.scope_at(uri));
        // There is always one: that of what is outside of every folder.
        self.outlook_at(at.min(self.scopes.len().saturating_sub(1)))
    }

    /// What is known of each folder that is in use.
    pub fn outlooks(&self) -> impl Iterator<Item = Outlook<'_>> {
        let in_use = self.scopes.iter().enumerate().filter(|(_, scope)| scope.in_use);
        in_use.map(|(at, _)| self.outlook_at(at))
    }

    fn outlook_at(&self, at: usize) -> Outlook<'_> {
        let scope = &self.scopes[at];
        let documents = self.documents.iter().filter(|(_, document)| document.scope == at);
        let mut documents: Vec<(&Url, View<'_>)> =
            documents.filter_map(|(uri, _)| Some((uri, self.view(uri)?))).collect();
        documents.sort_by_key(|(uri, _)| *uri);
        Outlook {
            scope,
            settings: self.settings_of(scope),
            answer: self.answers.get(&scope.target),
            documents,
        }
    }

    fn settings_of<'a>(&'a self, scope: &'a Scope) -> &'a Settings {
        scope.settings.as_ref().unwrap_or(&self.settings)
    }

    /// Which scope a document is in: the innermost folder that holds it. A cell is where its notebook is.
    fn scope_at(&self, uri: &Url) -> usize {
        let place = self.documents.get(uri).and_then(|document| document.place.as_ref());
        let uri = place.map_or(uri, |place| &place.notebook);
        let scopes = self.scopes.iter().enumerate();
        let holding = scopes.filter_map(|(at, scope)| Some((scope.holds(uri)?, at)));
        holding.max_by_key(|(depth, _)| *depth).map_or(0, |(_, at)| at)
    }
}

/// A folder and what is known for it.
pub struct Outlook<'a> {
    pub scope: &'a Scope,
    pub settings: &'a Settings,
    /// None while it is being found out.
    pub answer: Option<&'a Answer>,
    /// Its open documents.
    pub documents: Vec<(&'a Url, View<'a>)>,
}

/// An open document and what is known for it.
pub struct View<'a> {
    pub document: &'a OpenDocument,
    pub scope: &'a Scope,
    pub settings: &'a Settings,
    /// None while it is being found out.
    pub answer: Option<&'a Answer>,
}

impl<'a> View<'a> {
    /// Its imports of watched packages.
    pub fn imports(&self) -> &'a [ImportStatement] {
        &self.document.read(&self.settings.packages).imports
    }

    /// The diagnosis of an import. None while it is being found out.
    pub fn diagnosis(&self, import: &ImportStatement) -> Option<&'a Diagnosis> {
        let asked = self.document.asked(import, &self.settings.packages)?;
        self.answer?.diagnosis(&asked).map(|known| &**known)
    }

    /// What is known of an import, and how severe it is to the user. None while it is being found out.
    pub fn known(&self, import: &ImportStatement) -> Option<Vec<(Severity, &'a Finding)>> {
        let asked = self.document.asked(import, &self.settings.packages)?;
        let answer = self.answer.filter(|answer| answer.covers(&asked))?;
        let findings = answer.diagnosis(&asked).into_iter().flat_map(|known| &known.findings);
        Some(findings.filter_map(|finding| Some((self.settings.severity_of(finding)?, finding))).collect())
    }

    /// What is to be shown on an import, with regard to what stands around it.
    pub fn findings(&self, import: &ImportStatement) -> Option<Vec<(Severity, &'a Finding)>> {
        if import.guard == Guard::NotRun {
            return Some(Vec::new());
        }
        let known = self.known(import)?.into_iter();
        Some(known.map(|(severity, one)| (one.severity_under(severity, import.guard), one)).collect())
    }

    /// All diagnostics of the document. None while something is being found out.
    fn diagnostics(&self) -> Option<Vec<Diagnostic>> {
        let mut diagnostics = Vec::new();
        for import in self.imports() {
            for (severity, finding) in self.findings(import)? {
                diagnostics.push(convert::diagnostic(import, finding, severity));
            }
        }
        Some(diagnostics)
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

#[cfg(test)]
mod tests;
