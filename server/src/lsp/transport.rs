//! The streams between editor and server. `tower-lsp` brings this, too, but ends at the first frame that it cannot
//! read, and deals with four messages at a time: behind four requests that take long, nothing is heard, not
//! even that they are cancelled.

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

/// So many answers wait for the editor to take them. Nothing is read of it meanwhile.
const MOST_ANSWERS: usize = 1024;

/// So many requests are dealt with at a time. Nothing is read meanwhile, either.
const MOST_REQUESTS: usize = 1024;

/// So long is waited for answers that are due when the editor has said all.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Serves until the editor says `exit`, has said all, or does not listen any more.
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
    let (outbox, answers) = mpsc::channel(MOST_ANSWERS);
    let reading = async {
        // An input that cannot be read is at its end.
        let _ = read(input, service, responses, outbox).await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        () = reading => {}
        _ = write(output, answers, requests) => {}
    }
}

/// Reads messages. Each is begun before the next one is looked at, which keeps their order.
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
    let places = Arc::new(Semaphore::new(MOST_REQUESTS));
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
                            let (outbox, place) = (outbox.clone(), places.clone().acquire_owned().await);
                            tokio::spawn(async move {
                                if let Some(answer) = answer.await {
                                    let _ = outbox.send(answer).await;
                                }
                                drop(place);
                            });
                            None
                        }
                    }
                }
                Ok(Message::Response(response)) => {
                    // Perhaps nobody waits for it.
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

/// What is answered: something to each request. Of `$/…` that it does not know `tower-lsp` says nothing.
async fn answered<E>(
    id: Option<Id>,
    answer: impl Future<Output = Result<Option<Response>, E>>,
) -> Option<Response> {
    let answer = answer.await.ok().flatten();
    answer.or_else(|| Some(Response::from_error(id?, Error::method_not_found())))
}

/// Writes answers, and what is asked of the editor, until there are no more answers.
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
