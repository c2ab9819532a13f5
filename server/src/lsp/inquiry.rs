//! Commands of the user about an environment: the report, the tree, a snapshot. They are answered
//! on a thread of their own, from the session's answers and from files, so that no message waits
//! for them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;
use tokio::sync::oneshot;
use tower_lsp::jsonrpc::{Error, ErrorCode, Result};
use tower_lsp::lsp_types::Url;

use crate::source::STACK;
use crate::visible::visible;

/// Returns the `scopeUri` of a command's argument, a folder or a document. `None` stands for the
/// first folder, or if there is none, for the documents outside all folders.
pub fn scope_in(argument: Option<&Value>) -> Result<Option<Url>> {
    match argument.and_then(|argument| argument.get("scopeUri")) {
        None | Some(Value::Null) => Ok(None),
        Some(uri) => {
            let uri = uri.as_str().and_then(|uri| Url::parse(uri).ok());
            uri.map(Some).ok_or_else(|| Error::invalid_params("`scopeUri` must be a URI or null"))
        }
    }
}

/// Returns a string field of the argument, if there is one.
pub fn string_in<'a>(argument: Option<&'a Value>, name: &str) -> Option<&'a str> {
    argument?.get(name)?.as_str()
}

/// Runs `work` on a thread with enough stack to follow Python. Its error message is shown to the
/// user.
pub async fn answer<T: Send + 'static>(
    work: impl FnOnce() -> std::result::Result<T, String> + Send + 'static,
) -> Result<T> {
    let (answer, answered) = oneshot::channel();
    let work = move || {
        let done = catch_unwind(AssertUnwindSafe(work));
        // If the receiver is gone, the request was cancelled.
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

const LOST: &str = "internal error: the answer was lost; please report it";

/// `RequestFailed` of the protocol: the request is valid, but couldn't be answered.
const REQUEST_FAILED: i64 = -32803;
