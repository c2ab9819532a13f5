//! The one way to the session: events, in the order in which they were posted.

use std::future::Future;

use tokio::sync::{mpsc, oneshot};
use tower_lsp::jsonrpc::{Error, Result};

use super::session::{Event, Session};

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
