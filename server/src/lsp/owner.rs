//! The task that owns the session: it applies events and performs the resulting effects.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tower_lsp::Client;
use tower_lsp::lsp_types::notification::Progress;
use tower_lsp::lsp_types::request::WorkDoneProgressCreate;
use tower_lsp::lsp_types::{
    ConfigurationItem, NumberOrString, ProgressParams, ProgressParamsValue, PublishDiagnosticsParams, Url,
    WorkDoneProgress, WorkDoneProgressBegin, WorkDoneProgressCreateParams, WorkDoneProgressEnd,
};

use super::analysis::{Analysis, Answer};
use super::effect::Effect;
use super::event::SessionEvent;
use super::health::HealthChanged;
use super::mailbox::Mailbox;
use super::session::Session;
use crate::environment::Target;
use crate::host::{Cancelled, Watcher};
use crate::source::STACK;
use crate::visible::visible_lines;

/// Applies events in order, and performs the effects that they cause.
pub async fn own(mut events: UnboundedReceiver<SessionEvent>, client: Client, mailbox: Mailbox) {
    let mut session = Session::default();
    let changed = mailbox.clone();
    let watcher = Watcher::new(move |target| changed.post(SessionEvent::FilesChanged(target)));
    while let Some(event) = events.recv().await {
        session.apply(event);
        let mut is_up_to_date = false;
        while !std::mem::replace(&mut is_up_to_date, true) {
            // Apply pending events first, so that of many edits only the last state is analysed.
            for _ in 0..MAX_BATCH {
                match events.try_recv() {
                    Ok(event) => session.apply(event),
                    Err(_) => break,
                }
            }
            session.reconcile();
            for effect in session.take_effects() {
                let mut performed = pin!(perform(effect, &client, &mailbox, &watcher));
                // While the editor doesn't read, keep applying its messages so that they don't pile up.
                loop {
                    tokio::select! {
                        biased;
                        () = &mut performed => break,
                        Some(event) = events.recv() => {
                            session.apply(event);
                            is_up_to_date = false;
                        }
                    }
                }
            }
        }
    }
}

/// The maximum number of events that are applied before the session is reconciled, in case the
/// editor keeps sending.
const MAX_BATCH: usize = 256;

/// The time after which an analysis shows its progress.
const PROGRESS_DELAY: Duration = Duration::from_millis(500);

/// The time after which the settings that the editor sent are used because it doesn't answer the
/// request for settings.
const SETTINGS_TIMEOUT: Duration = Duration::from_secs(3);

/// Performs an effect. Waits only for the editor to accept the message.
async fn perform(effect: Effect, client: &Client, mailbox: &Mailbox, watcher: &Watcher<Target>) {
    match effect {
        Effect::Publish(PublishDiagnosticsParams { uri, diagnostics, version }) => {
            client.publish_diagnostics(uri, diagnostics, version).await;
        }
        Effect::Health(health) => client.send_notification::<HealthChanged>(health.into()).await,
        Effect::Log(kind, message) => client.log_message(kind, visible_lines(&message)).await,
        Effect::PullSettings { generation, folders } => {
            tokio::spawn(pull_settings(generation, folders, client.clone(), mailbox.clone()));
        }
        Effect::Register(registrations) => {
            let client = client.clone();
            tokio::spawn(async move {
                let _ = client.register_capability(registrations).await;
            });
        }
        Effect::Analyse { generation, analysis, replaces } => {
            if replaces {
                watcher.expect(analysis.target.clone());
            }
            analyse(generation, analysis, mailbox.clone());
        }
        Effect::ShowProgress(generation) => {
            let mailbox = mailbox.clone();
            tokio::spawn(async move {
                tokio::time::sleep(PROGRESS_DELAY).await;
                mailbox.post(SessionEvent::StillRunning(generation));
            });
        }
        Effect::Progress { generation, message, ended } => {
            tokio::spawn(show_progress(client.clone(), generation, message, ended));
        }
        Effect::Prove(analysis) => prove(analysis, mailbox.clone()),
        Effect::Watch { target, watched, replaces } => watcher.watch(target, *watched, replaces),
        Effect::Forget(target) => watcher.forget(target),
        Effect::GiveBackMemory => drop(tokio::task::spawn_blocking(give_back_memory)),
    }
}

async fn pull_settings(generation: u64, folders: Vec<Url>, client: Client, mailbox: Mailbox) {
    let scopes = folders.into_iter().map(Some).chain([None]);
    let items =
        scopes.map(|scope_uri| ConfigurationItem { scope_uri, section: Some("whydll".to_owned()) }).collect();
    // `tower-lsp` panics on a response whose receiver is gone, so this task keeps waiting.
    let request = tokio::spawn(async move { client.configuration(items).await });
    let pulled = tokio::time::timeout(SETTINGS_TIMEOUT, request).await;
    let sections = pulled.ok().and_then(Result::ok).and_then(Result::ok).unwrap_or_default();
    mailbox.post(SessionEvent::SettingsPulled { generation, sections });
}

/// Shows progress from beginning to end in one task, because the token must be created first and
/// ended last.
async fn show_progress(client: Client, generation: u64, message: String, ended: oneshot::Receiver<()>) {
    let token = NumberOrString::String(format!("whydll/analysis/{generation}"));
    let create = WorkDoneProgressCreateParams { token: token.clone() };
    if client.send_request::<WorkDoneProgressCreate>(create).await.is_err() {
        return;
    }
    let params =
        |progress| ProgressParams { token: token.clone(), value: ProgressParamsValue::WorkDone(progress) };
    let begin = WorkDoneProgressBegin {
        title: "WhyDLL".to_owned(),
        cancellable: Some(false),
        message: Some(message),
        percentage: None,
    };
    client.send_notification::<Progress>(params(WorkDoneProgress::Begin(begin))).await;
    // Nothing is ever sent; the sender is dropped at the end.
    let _ = ended.await;
    let end = WorkDoneProgressEnd { message: None };
    client.send_notification::<Progress>(params(WorkDoneProgress::End(end))).await;
}

/// Runs an analysis on a thread of its own, whose large stack is freed with it.
fn analyse(generation: u64, analysis: Analysis, mailbox: Mailbox) {
    let report = mailbox.clone();
    let work = move || {
        // The state that a panic leaves behind is discarded.
        let answer = catch_unwind(AssertUnwindSafe(|| analysis.run()));
        if answer.as_ref().is_err_and(|thrown| !thrown.is::<Cancelled>()) {
            let message = format!("internal error in the analysis of {analysis:?}; please report it");
            report.post(SessionEvent::WorkFailed(message));
        }
        let answer = Box::new(answer.unwrap_or_else(|_| Answer::failed()));
        // Drop the analysis before the session receives the answer and may free the facts.
        drop(analysis);
        report.post(SessionEvent::Analysed { generation, answer });
    };
    let thread = std::thread::Builder::new().name("analysis".to_owned()).stack_size(STACK);
    if thread.spawn(work).is_err() {
        mailbox.post(SessionEvent::Analysed { generation, answer: Box::new(Answer::failed()) });
    }
}

/// Tries the fixes on a thread of normal priority, because the user may wait for it. It takes about
/// as long as the analysis, and any new analysis cancels it.
fn prove(analysis: Analysis, mailbox: Mailbox) {
    let report = mailbox.clone();
    let (target, stop) = (analysis.target.clone(), analysis.stop.clone());
    let (of, until) = (target.clone(), stop.clone());
    let work = move || {
        let proven = catch_unwind(AssertUnwindSafe(|| analysis.prove()));
        if proven.as_ref().is_err_and(|thrown| !thrown.is::<Cancelled>()) {
            let message = format!("internal error while trying the fixes of {analysis:?}; please report it");
            report.post(SessionEvent::WorkFailed(message));
        }
        drop(analysis);
        report.post(SessionEvent::Proved { target: of, stop: until, proven: proven.unwrap_or_default() });
    };
    let thread = std::thread::Builder::new().name("fixes".to_owned()).stack_size(STACK);
    if thread.spawn(work).is_err() {
        mailbox.post(SessionEvent::Proved { target, stop, proven: Default::default() });
    }
}

/// Returns free memory to the system. An analysis leaves free pages scattered between those that
/// are still in use; glibc keeps them, here tens of megabytes, until `malloc_trim` is called.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
fn give_back_memory() {
    // SAFETY: has no preconditions; it takes the allocator's own locks.
    unsafe { libc::malloc_trim(0) };
}

/// Does nothing: other allocators return memory by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back_memory() {}
