//! What a person asks of an environment by a command: the report, the tree, a snapshot. It is answered on a thread of its own, from
//! what the session knows and from the files, so that no message waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;
use tokio::sync::oneshot;
use tower_lsp::jsonrpc::{Error, ErrorCode, Result};
use tower_lsp::lsp_types::Url;

use crate::source::STACK;
use crate::visible::visible;

/// Which environment a command is about: that of `scopeUri` in its argument, a folder or a document. None for the one of the folder that
/// comes first, or of what is outside of every folder if there is none.
pub fn scope_in(argument: Option<&Value>) -> Result<Option<Url>> {
    match argument.and_then(|argument| argument.get("scopeUri")) {
        None | Some(Value::Null) => Ok(None),
        Some(uri) => {
            let uri = uri.as_str().and_then(|uri| Url::parse(uri).ok());
            uri.map(Some).ok_or_else(|| Error::invalid_params("`scopeUri` must be an address, or null"))
        }
    }
}

/// A text in the argument; none if it is not there.
pub fn text_in<'a>(argument: Option<&'a Value>, name: &str) -> Option<&'a str> {
    argument?.get(name)?.as_str()
}

/// Works on a thread with enough stack to follow Python. What it says went wrong is told to the person who asked.
pub async fn answer<T: Send + 'static>(
    work: impl FnOnce() -> std::result::Result<T, String> + Send + 'static,
) -> Result<T> {
    let (answer, answered) = oneshot::channel();
    let work = move || {
        let done = catch_unwind(AssertUnwindSafe(work));
        // An asker who is gone has cancelled the request.
        let _ = answer.send(done.unwrap_or_else(|_| Err(LOST.to_owned())));
    };
    let thread = std::thread::Builder::new().name("inquiry".to_owned()).stack_size(STACK).spawn(work);
    let done = match thread {
        Ok(_) => answered.await.unwrap_or_else(|_| Err(LOST.to_owned())),
        Err(error) => Err(error.to_string()),
    };
    done.map_err(|reason| Error {
        code: ErrorCode::ServerError(REQUEST_FAILED),
        message: visible(&reason).into_owned().into(),
        data: None,
    })
}

const LOST: &str = "the answer was lost in a way that should not be; please report it";

/// `RequestFailed` of the protocol: the request was understood, and cannot be answered.
const REQUEST_FAILED: i64 = -32803;
