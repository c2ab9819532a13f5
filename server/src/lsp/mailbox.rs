//! The one way to the session: events, in the order in which they were posted.

use std::future::Future;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::lsp_types::Url;

use super::session::{Event, Session};

/// Whoever opens a menu of fixes waits so long for them to be tried.
const PATIENCE: Duration = Duration::from_secs(10);

/// Posts events. Posting never waits, so whoever posts before awaiting keeps the order of arrival.
#[derive(Clone)]
pub struct Mailbox(mpsc::UnboundedSender<Event>);

impl Mailbox {
    /// A mailbox, and where its events come out.
    pub fn new() -> (Mailbox, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Mailbox(sender), receiver)
    }

    /// Has the session changed.
    pub fn tell(&self, change: impl FnOnce(&mut Session) + Send + 'static) {
        // Nobody listens only while the process ends.
        let _ = self.0.send(Box::new(change));
    }

    /// Waits until the fixes for a document or folder were tried, but not for long.
    pub fn until_proven(&self, uri: Option<Url>) -> impl Future<Output = ()> + Send + 'static {
        let (told, proven) = oneshot::channel();
        self.tell(move |session| session.when_proven(uri.as_ref(), told));
        async { drop(tokio::time::timeout(PATIENCE, proven).await) }
    }

    /// Asks the session. The question is posted at once, not when the answer is awaited.
    pub fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Session) -> T + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send + 'static {
        let (answer, answered) = oneshot::channel();
        self.tell(move |session| {
            // An asker who is gone has cancelled the request.
            let _ = answer.send(question(session));
        });
        async { answered.await.map_err(|_| Error::internal_error()) }
    }
}
