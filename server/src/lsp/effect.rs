//! The side effects that the session requests.

use tokio::sync::oneshot;
use tower_lsp::lsp_types::{MessageType, PublishDiagnosticsParams, Registration, Url};

use super::analysis::Analysis;
use super::health::ScopeHealth;
use crate::environment::Target;
use crate::host::Watched;

/// A side effect, performed by [`own`](super::owner::own) in order, after the event that caused it.
pub enum Effect {
    /// Publish the diagnostics of a document.
    Publish(PublishDiagnosticsParams),
    /// Send the health of an environment to the editor.
    Health(ScopeHealth),
    /// Write to the editor's log.
    Log(MessageType, String),
    /// Request the settings of these folders from the editor, and those of the window last.
    PullSettings { generation: u64, folders: Vec<Url> },
    /// Register for notifications of changes.
    Register(Vec<Registration>),
    /// Run the analysis on another thread. Its answer `replaces` the known one if that may be
    /// stale.
    Analyse { generation: u64, analysis: Analysis, replaces: bool },
    /// Show the progress of this analysis if it takes a while.
    ShowProgress(u64),
    /// Show progress in the editor until the sender of `ended` is dropped.
    Progress { generation: u64, message: String, ended: oneshot::Receiver<()> },
    /// Try the fixes of the findings on another thread, when nothing else is to be done.
    Prove(Analysis),
    /// Watch the files that were read for this target; `replaces` the files that were watched
    /// before.
    Watch { target: Target, watched: Box<Watched>, replaces: bool },
    /// Stop watching this target.
    Forget(Target),
    /// Return the memory of the last analysis to the system.
    GiveBackMemory,
}
