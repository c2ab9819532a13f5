//! The end of the server. Besides `exit` and the end of standard input, the end of the editor's
//! process stops it. The exit code depends on whether `shutdown` was received.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tower_lsp::jsonrpc::Request;
use tower_service::Service;

/// Whether `shutdown` was received, and a signal to exit.
#[derive(Default)]
pub struct Lifecycle {
    shut_down: AtomicBool,
    leave: Notify,
}

impl Lifecycle {
    /// Waits until the editor's process has ended.
    pub async fn left(&self) {
        self.leave.notified().await;
    }

    /// Returns the exit code that the protocol requires: 0 after `shutdown`, otherwise 1.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.shut_down.load(Ordering::Relaxed))
    }

    /// Exits when the editor's process ends. A process that isn't visible from here, such as one in
    /// another container, is not watched.
    pub fn watch_parent(self: &Arc<Self>, process: u32) {
        if is_running(process) != Some(true) {
            return;
        }
        let lifecycle = self.clone();
        tokio::spawn(async move {
            while is_running(process) == Some(true) {
                tokio::time::sleep(PARENT_INTERVAL).await;
            }
            lifecycle.leave.notify_one();
        });
    }
}

/// The interval at which the editor's process is checked.
const PARENT_INTERVAL: Duration = Duration::from_secs(1);

/// Whether a process is running, or `None` if that is unknown. On Windows, the end of standard
/// input serves the same purpose.
#[cfg(unix)]
fn is_running(process: u32) -> Option<bool> {
    use rustix::io::Errno;
    use rustix::process::{Pid, test_kill_process};

    let process = Pid::from_raw(i32::try_from(process).ok()?)?;
    // A process that we may not signal exists, too.
    Some(!matches!(test_kill_process(process), Err(Errno::SRCH)))
}

#[cfg(not(unix))]
fn is_running(_: u32) -> Option<bool> {
    None
}

/// A service that records `shutdown`, and corrects messages that `tower-lsp` would reject.
pub struct LifecycleGuard<S> {
    pub service: S,
    pub lifecycle: Arc<Lifecycle>,
}

impl<S: Service<Request>> Service<Request> for LifecycleGuard<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> S::Future {
        if request.method() == "shutdown" {
            self.lifecycle.shut_down.store(true, Ordering::Relaxed);
        }
        self.service.call(without_null(request))
    }
}

/// Removes `"params": null`, which Eglot sends with `shutdown` and `tower-lsp` rejects.
fn without_null(request: Request) -> Request {
    if request.params() != Some(&Value::Null) {
        return request;
    }
    let (method, id, _) = request.into_parts();
    let request = Request::build(method);
    match id {
        Some(id) => request.id(id).finish(),
        None => request.finish(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_parameters_are_removed() {
        let passed = |request: Value| {
            serde_json::to_value(without_null(serde_json::from_value(request).unwrap())).unwrap()
        };
        let shutdown = json!({ "jsonrpc": "2.0", "id": "1", "method": "shutdown" });
        let exit = json!({ "jsonrpc": "2.0", "method": "exit" });
        for plain in [shutdown, exit] {
            let mut odd = plain.clone();
            odd["params"] = Value::Null;
            assert_eq!(passed(odd), plain);
        }
        let other = json!({ "jsonrpc": "2.0", "id": 2, "method": "x", "params": [null] });
        assert_eq!(passed(other.clone()), other);
    }

    #[cfg(unix)]
    #[test]
    fn a_process_that_ended_is_not_running() {
        assert_eq!(is_running(std::process::id()), Some(true));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert_eq!(is_running(child.id()), Some(false));
        assert_eq!(is_running(0), None);
        assert_eq!(is_running(u32::MAX), None);
    }
}
