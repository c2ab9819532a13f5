//! What the session wants done outside of itself.

use tokio::sync::oneshot;
use tower_lsp::lsp_types::{MessageType, PublishDiagnosticsParams, Registration, Url};

use super::analysis::{Analysis, Target};
use super::health::Health;
use crate::host::Watched;

/// Carried out after the event that led to it, in order: by [`own`](super::owner::own).
pub enum Effect {
    /// Tell the editor the diagnostics of a document.
    Publish(PublishDiagnosticsParams),
    /// Tell the editor how an environment is.
    Health(Health),
    /// Write into the editor's log.
    Log(MessageType, String),
    /// Ask the editor for the settings of these folders, and of the window last.
    PullSettings { generation: u64, folders: Vec<Url> },
    /// Ask the editor to tell of changes.
    Register(Vec<Registration>),
    /// Diagnose, elsewhere; `anew`, if what is known of the target does not hold.
    Analyse { generation: u64, analysis: Analysis, anew: bool },
    /// Tell the editor that this analysis takes a while, if it does.
    ShowProgress(u64),
    /// Tell the editor that work goes on, until `ended` has no sender any more.
    Progress { generation: u64, message: String, ended: oneshot::Receiver<()> },
    /// Try the fixes of what was found, elsewhere and when nothing else is to be done.
    Prove(Analysis),
    /// Read what lies behind failures, elsewhere and when nothing else is to be done.
    ReadBehind(Analysis),
    /// Say when what was read for this target changes; instead of what was read before, if it was read `anew`.
    Watch { target: Target, watched: Box<Watched>, anew: bool },
    /// Watch that target no longer.
    Forget(Target),
    /// Let the system have what the last analysis used.
    GiveBackMemory,
}
