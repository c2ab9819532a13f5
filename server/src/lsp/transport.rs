//! The streams between editor and server.
//!
//! `tower-lsp` has a transport, too, but it stops at the first malformed frame, and handles only
//! four messages at a time: during four slow requests it reads nothing, not even their
//! cancellation.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};
use tower_lsp::ClientSocket;
use tower_lsp::jsonrpc::{Error, Id, Request, Response};
use tower_service::Service;

use super::frames::{Frames, Malformed, Message, READ_AT_ONCE};

/// The maximum number of responses that wait to be written. While the queue is full, nothing is
/// read.
const MAX_RESPONSES: usize = 1024;

/// The maximum number of requests in progress. At the limit, nothing is read.
const MAX_REQUESTS: usize = 1024;

/// The time to wait for outstanding responses after the end of the input.
const FINAL_RESPONSES_TIMEOUT: Duration = Duration::from_millis(500);

/// Serves until the editor sends `exit` or closes one of the streams.
pub async fn serve<S>(
    service: S,
    socket: ClientSocket,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
) where
    S: Service<Request, Response = Option<Response>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    let (requests, responses) = socket.split();
    let (outbox, answers) = mpsc::channel(MAX_RESPONSES);
    let reading = async {
        // A read error counts as the end of the input.
        let _ = read(input, service, responses, outbox).await;
        tokio::time::sleep(FINAL_RESPONSES_TIMEOUT).await;
    };
    tokio::select! {
        () = reading => {}
        _ = write(output, answers, requests) => {}
    }
}

/// Reads messages. Each one's handler is polled before the next message is decoded, which preserves
/// their order.
async fn read<S>(
    mut input: impl AsyncRead + Unpin,
    mut service: S,
    mut responses: impl Sink<Response> + Unpin,
    outbox: mpsc::Sender<Response>,
) -> std::io::Result<()>
where
    S: Service<Request, Response = Option<Response>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    let mut frames = Frames::default();
    let permits = Arc::new(Semaphore::new(MAX_REQUESTS));
    loop {
        while let Some(message) = frames.next() {
            let due = match message {
                Ok(Message::Request(request)) => {
                    if poll_fn(|context| service.poll_ready(context)).await.is_err() {
                        return Ok(());
                    }
                    let is_exit = request.method() == "exit";
                    let id = request.id().cloned();
                    let mut answer = Box::pin(answered(id, service.call(request)));
                    match poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await {
                        Poll::Ready(_) if is_exit => return Ok(()),
                        Poll::Ready(answer) => answer,
                        Poll::Pending => {
                            let (outbox, permit) = (outbox.clone(), permits.clone().acquire_owned().await);
                            tokio::spawn(async move {
                                if let Some(answer) = answer.await {
                                    let _ = outbox.send(answer).await;
                                }
                                drop(permit);
                            });
                            None
                        }
                    }
                }
                Ok(Message::Response(response)) => {
                    // The request may no longer be awaited.
                    let _ = responses.send(response).await;
                    None
                }
                Err(Malformed { id, error }) => Some(Response::from_error(id, error)),
            };
            if let Some(answer) = due {
                let _ = outbox.send(answer).await;
            }
        }
        frames.unread.reserve(READ_AT_ONCE);
        if input.read_buf(&mut frames.unread).await? == 0 {
            return Ok(());
        }
    }
}

/// Returns the response to a request; every request gets one. `tower-lsp` itself doesn't respond to
/// unknown `$/…` requests.
async fn answered<E>(
    id: Option<Id>,
    answer: impl Future<Output = Result<Option<Response>, E>>,
) -> Option<Response> {
    let answer = answer.await.ok().flatten();
    answer.or_else(|| Some(Response::from_error(id?, Error::method_not_found())))
}

/// Writes responses, and requests to the editor, until there are no more responses.
async fn write(
    mut output: impl AsyncWrite + Unpin,
    mut answers: mpsc::Receiver<Response>,
    requests: impl Stream<Item = Request>,
) -> std::io::Result<()> {
    let mut requests = pin!(requests);
    loop {
        let bytes = tokio::select! {
            answer = answers.recv() => match answer {
                Some(answer) => frame(&answer)?,
                None => return Ok(()),
            },
            Some(request) = requests.next() => frame(&request)?,
        };
        output.write_all(&bytes).await?;
        output.flush().await?;
    }
}

fn frame(message: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let body = serde_json::to_vec(message)?;
    Ok([format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat())
}
