//! The only access to the session: events, which are applied in the order in which they were
//! posted.

use std::future::Future;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::lsp_types::Url;

use super::event::{Query, SessionEvent};
use super::session::Session;

/// The maximum time that a request for code actions waits for the fixes to be tried.
const PROVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The sender of events. Posting never waits, so handlers that post before they await keep the
/// order of arrival.
#[derive(Clone)]
pub struct Mailbox(mpsc::UnboundedSender<SessionEvent>);

impl Mailbox {
    /// Creates a mailbox and the receiver of its events.
    pub fn new() -> (Mailbox, mpsc::UnboundedReceiver<SessionEvent>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Mailbox(sender), receiver)
    }

    /// Posts an event to the session.
    pub fn post(&self, event: SessionEvent) {
        // The receiver is gone only while the process exits.
        let _ = self.0.send(event);
    }

    /// Waits until the fixes for a document or folder have been tried, up to [`PROVE_TIMEOUT`].
    pub fn until_proven(&self, uri: Option<Url>) -> impl Future<Output = ()> + Send + 'static {
        let (done, proven) = oneshot::channel();
        self.post(SessionEvent::AwaitFixes { uri, done });
        async { drop(tokio::time::timeout(PROVE_TIMEOUT, proven).await) }
    }

    /// Queries the session for a request with this method or command. The question is posted at
    /// once, not when the answer is awaited.
    pub fn ask<T: Send + 'static>(
        &self,
        method: &'static str,
        question: impl FnOnce(&Session) -> T + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send + 'static {
        let (answer, answered) = oneshot::channel();
        let read = move |session: &Session| {
            // If the receiver is gone, the request was cancelled.
            let _ = answer.send(question(session));
        };
        self.post(SessionEvent::Query(Query { method, read: Box::new(read) }));
        async { answered.await.map_err(|_| Error::internal_error()) }
    }
}
