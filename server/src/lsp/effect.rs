//! What the session wants done outside of itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tower_lsp::Client;
use tower_lsp::lsp_types::{ConfigurationItem, MessageType, PublishDiagnosticsParams, Registration, Url};

use super::analysis::{Analysis, Answer, Target};
use super::health::{Health, HealthChanged};
use super::mailbox::Mailbox;
use super::settings::LogLevel;
use crate::host::{Stopped, Watched, Watcher};
use crate::source::STACK;

/// Carried out after the event that led to it, in order.
pub enum Effect {
    /// Tell the editor the diagnostics of a document.
    Publish(PublishDiagnosticsParams),
    /// Tell the editor how an environment is.
    Health(Health),
    /// Write into the editor's log.
    Log(MessageType, String),
    /// Ask the editor for the settings of these folders, and of the window last.
    PullSettings { generation: u64, folders: Vec<Url> },
    /// Ask the editor to tell of changes.
    Register(Vec<Registration>),
    /// Diagnose, elsewhere; `anew`, if what is known of the target does not hold.
    Analyse { generation: u64, analysis: Analysis, anew: bool },
    /// Say when what was read for this target changes; instead of what was read before, if it was read `anew`.
    Watch { target: Target, watched: Box<Watched>, anew: bool },
    /// Watch that target no longer.
    Forget(Target),
    /// Let the system have what the last analysis used.
    GiveBackMemory,
}

/// An editor that does not answer a question for settings is served with those that it sent.
const PATIENCE_FOR_SETTINGS: Duration = Duration::from_secs(3);

impl Effect {
    /// Carries it out; waits only for the editor to take the message.
    pub async fn perform(self, client: &Client, mailbox: &Mailbox, watcher: &Watcher<Target>) {
        match self {
            Effect::Publish(PublishDiagnosticsParams { uri, diagnostics, version }) => {
                client.publish_diagnostics(uri, diagnostics, version).await;
            }
            Effect::Health(health) => client.send_notification::<HealthChanged>(health).await,
            Effect::Log(kind, message) => client.log_message(kind, message).await,
            Effect::PullSettings { generation, folders } => {
                tokio::spawn(pull_settings(generation, folders, client.clone(), mailbox.clone()));
            }
            Effect::Register(registrations) => {
                let client = client.clone();
                tokio::spawn(async move {
                    let _ = client.register_capability(registrations).await;
                });
            }
            Effect::Analyse { generation, analysis, anew } => {
                if anew {
                    watcher.expect(analysis.target.clone());
                }
                analyse(generation, analysis, mailbox.clone());
            }
            Effect::Watch { target, watched, anew } => watcher.watch(target, *watched, anew),
            Effect::Forget(target) => watcher.forget(target),
            Effect::GiveBackMemory => drop(tokio::task::spawn_blocking(give_back_memory)),
        }
    }
}

async fn pull_settings(generation: u64, folders: Vec<Url>, client: Client, mailbox: Mailbox) {
    let scopes = folders.into_iter().map(Some).chain([None]);
    let items =
        scopes.map(|scope_uri| ConfigurationItem { scope_uri, section: Some("whydll".to_owned()) }).collect();
    let pulled = tokio::time::timeout(PATIENCE_FOR_SETTINGS, client.configuration(items)).await;
    let values = pulled.ok().and_then(Result::ok).unwrap_or_default();
    mailbox.tell(move |session| session.settings_pulled(generation, &values));
}

/// A thread for each analysis: its stack is large, and is given back with it.
fn analyse(generation: u64, analysis: Analysis, mailbox: Mailbox) {
    let report = mailbox.clone();
    let work = move || {
        // What a panic leaves behind is thrown away.
        let answer = catch_unwind(AssertUnwindSafe(|| analysis.run()));
        if answer.as_ref().is_err_and(|thrown| !thrown.is::<Stopped>()) {
            let lost = format!("the analysis of {analysis:?} failed, please report it");
            report.tell(|session| session.log(LogLevel::Error, || lost));
        }
        let answer = answer.unwrap_or_else(|_| Answer::failed());
        // Before the session hears of it: what an analysis read shall not be kept longer than it wants.
        drop(analysis);
        report.tell(move |session| session.analysed(generation, answer));
    };
    let thread = std::thread::Builder::new().name("analysis".to_owned()).stack_size(STACK);
    if thread.spawn(work).is_err() {
        mailbox.tell(move |session| session.analysed(generation, Answer::failed()));
    }
}

/// An analysis leaves free pages scattered between the few that are still in use. glibc keeps such pages, tens
/// of megabytes here, unless it is told to look for them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
fn give_back_memory() {
    // SAFETY: has no preconditions; it takes the allocator's own locks.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators do it by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back_memory() {}
