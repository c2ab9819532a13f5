//! Editor events → diagnostics, code actions, hovers, health.
//!
//! The only room that knows the Language Server Protocol and its JSON, and it knows nothing of PE files.
//!
//! **One task owns the state.** `tower-lsp` runs its handlers side by side and in no order. So each handler
//! posts a closure to the [`mailbox`] before it awaits anything, and one task applies them in the order of
//! arrival to the [`session`]: its [`owner`]. A request waits for its answer; what the session wants done (publish,
//! ask the editor, diagnose) it leaves as [`Effect`](effect::Effect)s, which the owner carries out. What takes
//! long, an [`analysis`], has a thread of its own and comes back through the mailbox.
//!
//! | file | question |
//! |---|---|
//! | `frames`, `transport` | how do messages come in and go out? |
//! | `server` | which method goes where? |
//! | `requests/`, `notifications/` | what does this method do? One file each, named for it |
//! | `session`, `scope`, `document`, `notebook` | what is known: documents, notebooks, folders, answers |
//! | `interpreter`, `analysis` | which interpreter is a folder's, and what is the answer for it? |
//! | `inquiry` | how is a command answered that asks for more than diagnoses? |
//! | `settings`, `client` | what does the user want, and what can the editor do? |
//! | `health`, `convert` | how is an answer said in the protocol? |
//! | `mailbox`, `owner`, `effect`, `lifecycle` | how do events come in, effects go out, and when do we leave? |
//!
//! **Invariant:** requests see the session as `&Session`; only notifications and results change it.

mod analysis;
mod client;
mod convert;
mod document;
mod effect;
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

/// Serves on other streams, within a runtime of tokio that knows the time; gives the exit code.
pub use server::serve as serve_on;

/// Serves on standard input and output until the editor leaves.
///
/// 0 if it said `shutdown` before, as the protocol asks, else 1.
pub fn serve() -> ExitCode {
    // One thread is enough: nothing here waits but for messages.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("whydll: the server cannot start: {error}");
            return ExitCode::from(2);
        }
    };
    let code = runtime.block_on(serve_on(tokio::io::stdin(), tokio::io::stdout()));
    // A read of standard input may still be waiting; the process does not wait for it.
    runtime.shutdown_background();
    leave(code)
}

/// Ends the process, whatever its threads are doing.
#[cfg(windows)]
#[allow(unsafe_code)]
fn leave(code: u8) -> ExitCode {
    use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};
    // An analysis may be going on. The usual way out stops it wherever it is, and then may wait for ever for a lock that it
    // held (Microsoft, "ExitProcess function").
    // SAFETY: the handle is a constant that stands for this process.
    unsafe { TerminateProcess(GetCurrentProcess(), code.into()) };
    ExitCode::from(code)
}

/// Elsewhere nobody has to be waited for.
#[cfg(not(windows))]
fn leave(code: u8) -> ExitCode {
    ExitCode::from(code)
}
