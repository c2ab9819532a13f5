//! The events that the session handles. Each has a name, so that the log shows what happened in
//! which order, and a list of them can be replayed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::oneshot;
use tower_lsp::lsp_types::{
    DidChangeConfigurationParams, DidChangeTextDocumentParams, DidChangeWorkspaceFoldersParams,
    DidCloseTextDocumentParams, DidOpenTextDocumentParams, DidSaveTextDocumentParams, Url,
};

use super::analysis::Answer;
use super::client::ClientAbilities;
use super::notifications::notebook_did_change::DidChangeNotebookParams;
use super::notifications::notebook_did_close::DidCloseNotebookParams;
use super::notifications::notebook_did_open::DidOpenNotebookParams;
use super::notifications::notebook_did_save::DidSaveNotebookParams;
use super::session::Session;
use super::settings::LogLevel;
use crate::diagnosis::{Diagnosis, Import};
use crate::environment::Target;
use crate::host::CancellationToken;

/// An event for the session: a message from the editor, or a result of work that the session
/// requested by an [`Effect`](super::effect::Effect).
///
/// Its `Display` is a line for the log, without contents of documents and without folders.
pub enum SessionEvent {
    /// `initialize`
    Initialize {
        /// The capabilities of the editor.
        abilities: ClientAbilities,
        /// The settings, if the editor sends them with the request.
        settings: Option<Value>,
        /// The workspace folders.
        folders: Vec<Url>,
    },
    /// `initialized`
    Initialized,
    /// `textDocument/didOpen`
    DidOpen(DidOpenTextDocumentParams),
    /// `textDocument/didChange`
    DidChange(DidChangeTextDocumentParams),
    /// `textDocument/didSave`
    DidSave(DidSaveTextDocumentParams),
    /// `textDocument/didClose`
    DidClose(DidCloseTextDocumentParams),
    /// `workspace/didChangeConfiguration`
    DidChangeConfiguration(DidChangeConfigurationParams),
    /// `workspace/didChangeWorkspaceFolders`
    DidChangeWorkspaceFolders(DidChangeWorkspaceFoldersParams),
    /// `whydll/interpreterChanged`
    InterpreterChanged(Value),
    /// `notebookDocument/didOpen`
    NotebookDidOpen(DidOpenNotebookParams),
    /// `notebookDocument/didChange`
    NotebookDidChange(DidChangeNotebookParams),
    /// `notebookDocument/didSave`
    NotebookDidSave(DidSaveNotebookParams),
    /// `notebookDocument/didClose`
    NotebookDidClose(DidCloseNotebookParams),
    /// The command that discards every answer.
    CheckAgain,
    /// The command that selects an interpreter.
    UseInterpreter {
        /// The folder or document that it is for.
        scope: Option<Url>,
        /// The interpreter.
        path: PathBuf,
    },
    /// A request that reads the session.
    Query(Query),
    /// A request that waits until the fixes have been tried. Dropping `done` wakes it.
    AwaitFixes {
        /// The document or folder whose fixes are awaited.
        uri: Option<Url>,
        /// Dropped when the fixes have been tried.
        done: oneshot::Sender<()>,
    },
    /// The editor's response to the request for settings.
    SettingsPulled {
        /// The number of the request.
        generation: u64,
        /// The settings of each folder, and last of the window.
        sections: Vec<Value>,
    },
    /// An analysis has ended.
    Analysed {
        /// The number of the analysis.
        generation: u64,
        /// Its result.
        answer: Box<Answer>,
    },
    /// An analysis with this number has been running long enough to show its progress.
    StillRunning(u64),
    /// The fixes have been tried.
    Proved {
        /// The environment of the fixes.
        target: Target,
        /// Whether the work was cancelled.
        stop: CancellationToken,
        /// The diagnoses with the outcomes of their fixes.
        proven: BTreeMap<Import, Arc<Diagnosis>>,
    },
    /// Something that was read for the answer about this target has changed.
    FilesChanged(Target),
    /// A thread panicked; the message is for the log.
    WorkFailed(String),
}

/// A question of a request to the session. It changes nothing.
pub struct Query {
    /// The method or command that asks.
    pub method: &'static str,
    /// Reads the session and sends the answer.
    pub read: Box<dyn FnOnce(&Session) + Send>,
}

impl fmt::Display for SessionEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionEvent::Initialize { folders, .. } => {
                write!(f, "initialize with {} folders", folders.len())
            }
            SessionEvent::Initialized => write!(f, "initialized"),
            SessionEvent::DidOpen(params) => {
                let document = &params.text_document;
                let length = document.text.len();
                write!(f, "textDocument/didOpen {}: {length} bytes", short(&document.uri))
            }
            SessionEvent::DidChange(params) => {
                let document = &params.text_document;
                write!(f, "textDocument/didChange {} to version {}", short(&document.uri), document.version)
            }
            SessionEvent::DidSave(params) => {
                write!(f, "textDocument/didSave {}", short(&params.text_document.uri))
            }
            SessionEvent::DidClose(params) => {
                write!(f, "textDocument/didClose {}", short(&params.text_document.uri))
            }
            SessionEvent::DidChangeConfiguration(_) => write!(f, "workspace/didChangeConfiguration"),
            SessionEvent::DidChangeWorkspaceFolders(params) => {
                let (added, removed) = (params.event.added.len(), params.event.removed.len());
                write!(f, "workspace/didChangeWorkspaceFolders: {added} added, {removed} removed")
            }
            SessionEvent::InterpreterChanged(_) => write!(f, "whydll/interpreterChanged"),
            SessionEvent::NotebookDidOpen(params) => {
                write!(f, "notebookDocument/didOpen {}", short(params.uri()))
            }
            SessionEvent::NotebookDidChange(params) => {
                write!(f, "notebookDocument/didChange {}", short(params.uri()))
            }
            SessionEvent::NotebookDidSave(params) => {
                write!(f, "notebookDocument/didSave {}", short(params.uri()))
            }
            SessionEvent::NotebookDidClose(params) => {
                write!(f, "notebookDocument/didClose {}", short(params.uri()))
            }
            SessionEvent::CheckAgain => write!(f, "check again"),
            SessionEvent::UseInterpreter { .. } => write!(f, "use another interpreter"),
            SessionEvent::Query(query) => f.write_str(query.method),
            SessionEvent::AwaitFixes { .. } => write!(f, "a request awaits the fixes"),
            SessionEvent::SettingsPulled { generation, sections } => {
                write!(f, "request {generation} for settings returned {}", sections.len())
            }
            SessionEvent::Analysed { generation, answer } => {
                write!(f, "analysis {generation} returned {} diagnoses", answer.diagnoses.len())
            }
            SessionEvent::StillRunning(generation) => write!(f, "analysis {generation} takes a while"),
            SessionEvent::Proved { proven, .. } => {
                write!(f, "fixes tried, {} diagnoses returned", proven.len())
            }
            SessionEvent::FilesChanged(_) => write!(f, "files changed"),
            SessionEvent::WorkFailed(_) => write!(f, "a thread panicked"),
        }
    }
}

/// Returns the last part of a URI, because logs are shared: `main.py`, `train.ipynb#W0`.
fn short(uri: &Url) -> &str {
    uri.as_str().rsplit('/').next().unwrap_or_default()
}

impl Session {
    /// Applies an event: for a message from the editor, by the handler that is named after its
    /// method.
    pub(super) fn handle(&mut self, event: SessionEvent) {
        use super::notifications::*;
        match event {
            SessionEvent::Initialize { abilities, settings, folders } => {
                self.begin(abilities, settings.as_ref(), folders);
            }
            SessionEvent::Initialized => initialized::apply(self),
            SessionEvent::DidOpen(params) => did_open::apply(self, params),
            SessionEvent::DidChange(params) => did_change::apply(self, params),
            SessionEvent::DidSave(params) => did_save::apply(self, &params),
            SessionEvent::DidClose(params) => did_close::apply(self, params),
            SessionEvent::DidChangeConfiguration(params) => did_change_configuration::apply(self, &params),
            SessionEvent::DidChangeWorkspaceFolders(params) => {
                did_change_workspace_folders::apply(self, params);
            }
            SessionEvent::InterpreterChanged(params) => interpreter_changed::apply(self, &params),
            SessionEvent::NotebookDidOpen(params) => notebook_did_open::apply(self, params),
            SessionEvent::NotebookDidChange(params) => notebook_did_change::apply(self, params),
            SessionEvent::NotebookDidSave(params) => notebook_did_save::apply(self, &params),
            SessionEvent::NotebookDidClose(params) => notebook_did_close::apply(self, &params),
            SessionEvent::CheckAgain => self.check_again(),
            SessionEvent::UseInterpreter { scope, path } => self.use_interpreter(scope, path),
            SessionEvent::Query(query) => (query.read)(self),
            SessionEvent::AwaitFixes { uri, done } => self.when_proven(uri.as_ref(), done),
            SessionEvent::SettingsPulled { generation, sections } => {
                self.settings_pulled(generation, &sections);
            }
            SessionEvent::Analysed { generation, answer } => self.analysed(generation, *answer),
            SessionEvent::StillRunning(generation) => self.still_running(generation),
            SessionEvent::Proved { target, stop, proven } => self.proved(&target, &stop, proven),
            SessionEvent::FilesChanged(target) => self.changed(target),
            SessionEvent::WorkFailed(message) => self.log(LogLevel::Error, || message),
        }
    }
}
