//! The language server: turns editor events into diagnostics, code actions, hovers, and health.
//!
//! This is the only module that knows the Language Server Protocol and its JSON. It knows nothing
//! about PE files.
//!
//! **One task owns the state.** `tower-lsp` runs its handlers concurrently and in no particular
//! order. So each handler posts an [`event`] to the [`mailbox`] before it awaits anything, and one
//! task, the [`owner`], applies the events to the [`session`] in the order of arrival. A request
//! awaits its answer. What the session needs done (publish, ask the editor, diagnose), it leaves as
//! [`Effect`](effect::Effect)s, which the owner performs. A slow [`analysis`] has a thread of its
//! own, and its result comes back through the mailbox.
//!
//! | file | contents |
//! |---|---|
//! | `frames`, `transport` | reading and writing messages |
//! | `server` | the handler of each method |
//! | `requests/`, `notifications/` | what each method does; one file each, named after the method |
//! | `session`, `scope`, `document`, `notebook` | the state: documents, notebooks, folders, answers |
//! | `interpreter`, `analysis` | paths in settings, and the diagnosis of the imports of a folder |
//! | `inquiry` | commands that need more than diagnoses |
//! | `settings`, `client` | the user's settings and the editor's capabilities |
//! | `health`, `convert` | conversion of answers to the protocol's types |
//! | `event`, `mailbox`, `owner`, `effect`, `lifecycle` | incoming events, outgoing effects, shutdown |
//!
//! **Invariant:** requests get the session as `&Session`; only notifications and results change it.

mod analysis;
mod client;
mod convert;
mod document;
mod effect;
mod event;
mod frames;
mod health;
mod inquiry;
mod interpreter;
mod lifecycle;
mod mailbox;
mod notebook;
mod notebook_sync;
mod notifications;
mod owner;
mod requests;
mod scope;
mod server;
mod session;
mod settings;
mod transport;

use std::process::ExitCode;

/// Serves on other streams and returns the exit code. Requires a tokio runtime with time enabled.
pub use server::serve as serve_on;

/// Returns the target of a folder in an editor with these settings.
#[cfg(test)]
pub(crate) fn target_of_folder(
    folder: &std::path::Path,
    settings: &serde_json::Value,
) -> crate::environment::Target {
    let folder = tower_lsp::lsp_types::Url::from_file_path(folder).unwrap();
    let mut session = session::Session::default();
    session.begin(client::ClientAbilities::default(), Some(settings), vec![folder.clone()]);
    session.initialized();
    session.scope_view(Some(&folder)).scope.target.clone()
}

/// Serves on standard input and output until the editor disconnects.
///
/// The exit code is 0 if the editor sent `shutdown` before, as the protocol requires, and 1
/// otherwise.
pub fn serve() -> ExitCode {
    // One thread is enough: the tasks only wait for messages.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("whydll: cannot start the server: {error}");
            return ExitCode::from(2);
        }
    };
    let code = runtime.block_on(serve_on(tokio::io::stdin(), tokio::io::stdout()));
    // A read of standard input may still be blocked; don't wait for it.
    runtime.shutdown_background();
    leave(code)
}

/// Terminates the process, whatever its threads are doing.
#[cfg(windows)]
#[allow(unsafe_code)]
fn leave(code: u8) -> ExitCode {
    use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};
    // An analysis may be running. `ExitProcess` would stop its thread at an arbitrary point and could
    // then wait forever for a lock that the thread holds (Microsoft, "ExitProcess function").
    // SAFETY: the handle is a constant that denotes this process.
    unsafe { TerminateProcess(GetCurrentProcess(), code.into()) };
    ExitCode::from(code)
}

/// Returns the exit code; other systems need no special treatment.
#[cfg(not(windows))]
fn leave(code: u8) -> ExitCode {
    ExitCode::from(code)
}
