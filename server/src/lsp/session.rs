//! The state: what is open, what was selected, what is known. Owned by one task, which applies [`Event`]s to it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;
use tower_lsp::lsp_types::{MessageType, Url};

use super::analysis::{Answer, Facts, Target};
use super::client::ClientAbilities;
use super::document::OpenDocument;
use super::effect::Effect;
use super::notebook::Notebook;
use super::scope::Scope;
use super::settings::{LogLevel, Settings};
use crate::diagnosis::Import;
use crate::host::Stop;
use crate::host::snapshot::Redactor;

mod asked;
mod changes;
mod follows;
mod notebooks;

pub use asked::{Cause, Outlook, View};
pub use notebooks::NotebookChange;

/// Something to do with the session.
pub type Event = Box<dyn FnOnce(&mut Session) + Send>;

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
    /// Where something was found whose fixes were not tried yet.
    unproven: HashSet<Target>,
    /// Who waits for that, each until its sender is dropped.
    waiting: Vec<oneshot::Sender<()>>,
    /// What is tried, or read behind failures, just now.
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

/// Fixes are tried, or what lies behind failures is read, until something is asked.
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
            unproven: HashSet::new(),
            waiting: Vec::new(),
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

impl Session {
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

    /// Has the session changed.
    pub fn apply(&mut self, event: Event) {
        if catch_unwind(AssertUnwindSafe(|| event(self))).is_err() {
            self.log(LogLevel::Error, || {
                "an event was dropped: its handling failed, please report it".to_owned()
            });
        }
    }

    /// What is to be done, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
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
            // Logs are sent along with bug reports.
            self.effects.push(Effect::Log(kind, Redactor::knowing([]).text(&message())));
        }
    }
}

#[cfg(test)]
mod tests;
