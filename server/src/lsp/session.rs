//! The state of the server: open documents, selected interpreters, and answers. One task owns it
//! and applies [`SessionEvent`]s to it.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;
use tower_lsp::lsp_types::{MessageType, Url};

use super::analysis::{Answer, FactCaches};
use super::client::ClientAbilities;
use super::document::OpenDocument;
use super::effect::Effect;
use super::event::SessionEvent;
use super::notebook::Notebook;
use super::scope::Scope;
use super::settings::{LogLevel, Settings};
use crate::environment::Target;
use crate::host::CancellationToken;
use crate::host::snapshot::Redactor;

mod changes;
mod notebooks;
mod reconcile;
mod views;

pub use notebooks::NotebookChange;
pub use views::{DocumentView, GroupedFinding, ScopeView};

/// The maximum number of targets whose answers are kept, so that returning to one is fast.
const MAX_ANSWERS: usize = 8;

/// The maximum number of diagnoses that are kept for a target. Names that are being typed leave
/// many behind.
const MAX_DIAGNOSES: usize = 64;

/// The maximum number of analysis threads. A superseded analysis stops at its next file access;
/// until then it may run at the same time as the next one.
const MAX_THREADS: usize = 2;

/// The state of the server.
pub struct Session {
    /// The capabilities of the editor.
    pub abilities: ClientAbilities,
    /// The settings for scopes that have none of their own.
    settings: Settings,
    documents: HashMap<Url, OpenDocument>,
    /// The notebooks, whose cells are in `documents`.
    notebooks: HashMap<Url, Notebook>,
    /// The folders, and in the last place the scope of everything outside all folders.
    scopes: Vec<Scope>,
    /// The interpreters that are selected in the editor.
    selected: HashMap<Option<Url>, PathBuf>,
    /// The interpreters that the user ordered by a command.
    overrides: HashMap<Option<Url>, Override>,
    answers: HashMap<Target, Answer>,
    /// The targets whose answers may be out of date.
    stale: HashSet<Target>,
    /// The targets whose next analysis ignores the caches of earlier runs.
    uncached: HashSet<Target>,
    /// The analysis whose answer is awaited.
    running: Option<Running>,
    /// The analysis whose progress the editor shows. Dropping the sender ends the progress.
    progress: Option<(u64, oneshot::Sender<()>)>,
    /// The number of analyses that haven't ended, whether awaited or superseded.
    threads: usize,
    /// The targets with findings whose fixes haven't been tried yet.
    unproven: HashSet<Target>,
    /// The requests that wait for the fixes to be tried. Dropping a sender wakes its request.
    waiting: Vec<oneshot::Sender<()>>,
    /// The thread that tries fixes.
    background: Option<BackgroundWork>,
    /// The number of background threads that haven't ended.
    background_threads: usize,
    /// The facts that were read. They take much memory, so they are freed when no analysis follows.
    facts: Option<Arc<FactCaches>>,
    /// The number of the last question; answers to older ones are dropped.
    generation: u64,
    /// The number of the request for settings whose response is awaited.
    pulling: Option<u64>,
    /// Whether the editor is initialized and its settings are known.
    ready: bool,
    effects: Vec<Effect>,
}

/// An interpreter that the user ordered by a command. It takes precedence over the setting and the
/// editor's selection until one of them changes.
struct Override {
    path: PathBuf,
    /// The value of the setting at that time.
    setting: Option<String>,
}

/// An analysis that is running. Dropping it cancels the analysis.
struct Running {
    generation: u64,
    target: Target,
    /// Whether the answer replaces the known one, rather than adding to it.
    replaces: bool,
    since: Instant,
    /// The names of the imports, human-readable.
    names: String,
    stop: CancellationToken,
}

/// A thread that tries fixes until something is asked. Dropping it cancels the work.
struct BackgroundWork {
    target: Target,
    since: Instant,
    stop: CancellationToken,
}

impl Drop for BackgroundWork {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
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
            overrides: HashMap::new(),
            answers: HashMap::new(),
            stale: HashSet::new(),
            uncached: HashSet::new(),
            running: None,
            progress: None,
            threads: 0,
            unproven: HashSet::new(),
            waiting: Vec::new(),
            background: None,
            background_threads: 0,
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

    /// Returns the index of the scope of a document: the innermost folder that contains it. A cell
    /// is in the scope of its notebook.
    fn scope_at(&self, uri: &Url) -> usize {
        let place = self.documents.get(uri).and_then(|document| document.place.as_ref());
        let uri = place.map_or(uri, |place| &place.notebook);
        let scopes = self.scopes.iter().enumerate();
        let holding = scopes.filter_map(|(at, scope)| Some((scope.holds(uri)?, at)));
        holding.max_by_key(|(depth, _)| *depth).map_or(0, |(_, at)| at)
    }

    /// Applies an event. An event that panics is logged and dropped.
    pub fn apply(&mut self, event: SessionEvent) {
        self.log(LogLevel::Debug, || format!("event: {event}"));
        if catch_unwind(AssertUnwindSafe(|| self.handle(event))).is_err() {
            self.log(LogLevel::Error, || {
                "internal error: an event could not be handled; please report it".to_owned()
            });
        }
    }

    /// Returns the pending effects, in order, and clears them.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Adds an effect.
    pub fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Writes to the editor's log, if the log level of the settings includes `level`.
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
            // Logs are attached to bug reports.
            self.effects.push(Effect::Log(kind, Redactor::knowing([]).text(&message())));
        }
    }
}

#[cfg(test)]
mod tests;
