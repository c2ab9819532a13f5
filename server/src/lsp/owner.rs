//! The task that owns the session: it applies what is posted, and carries out what follows.

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

use super::analysis::{Analysis, Answer, Target};
use super::effect::Effect;
use super::health::HealthChanged;
use super::mailbox::Mailbox;
use super::session::{Event, Session};
use super::settings::LogLevel;
use crate::host::{Stop, Stopped, Watcher};
use crate::source::STACK;
use crate::visible::visible_lines;

/// Applies events in order, and carries out what follows from them.
pub async fn own(mut events: UnboundedReceiver<Event>, client: Client, mailbox: Mailbox) {
    let mut session = Session::default();
    let changed = mailbox.clone();
    let watcher = Watcher::new(move |target| changed.tell(|session| session.changed(target)));
    while let Some(event) = events.recv().await {
        session.apply(event);
        let mut is_settled = false;
        while !std::mem::replace(&mut is_settled, true) {
            // What came meanwhile is applied first: of many edits only the last state is looked at.
            for _ in 0..LARGEST_BATCH {
                match events.try_recv() {
                    Ok(event) => session.apply(event),
                    Err(_) => break,
                }
            }
            session.settle();
            for effect in session.take_effects() {
                let mut performed = pin!(perform(effect, &client, &mailbox, &watcher));
                // While the editor takes no message, what it says must not pile up.
                loop {
                    tokio::select! {
                        biased;
                        () = &mut performed => break,
                        Some(event) = events.recv() => {
                            session.apply(event);
                            is_settled = false;
                        }
                    }
                }
            }
        }
    }
}

/// An editor that never pauses gets an answer after so many events.
const LARGEST_BATCH: usize = 256;

/// Whoever waits no longer than this needs not be told why.
const UNNOTICED: Duration = Duration::from_millis(500);

/// An editor that does not answer a question for settings is served with those that it sent.
const PATIENCE_FOR_SETTINGS: Duration = Duration::from_secs(3);

/// Carries an effect out; waits only for the editor to take the message.
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
        Effect::Analyse { generation, analysis, anew } => {
            if anew {
                watcher.expect(analysis.target.clone());
            }
            analyse(generation, analysis, mailbox.clone());
        }
        Effect::ShowProgress(generation) => {
            let mailbox = mailbox.clone();
            tokio::spawn(async move {
                tokio::time::sleep(UNNOTICED).await;
                mailbox.tell(move |session| session.still_running(generation));
            });
        }
        Effect::Progress { generation, message, ended } => {
            tokio::spawn(show_progress(client.clone(), generation, message, ended));
        }
        Effect::Prove(analysis) => prove(analysis, mailbox.clone()),
        Effect::ReadBehind(analysis) => read_behind(analysis, mailbox.clone()),
        Effect::Watch { target, watched, anew } => watcher.watch(target, *watched, anew),
        Effect::Forget(target) => watcher.forget(target),
        Effect::GiveBackMemory => drop(tokio::task::spawn_blocking(give_back_memory)),
    }
}

async fn pull_settings(generation: u64, folders: Vec<Url>, client: Client, mailbox: Mailbox) {
    let scopes = folders.into_iter().map(Some).chain([None]);
    let items =
        scopes.map(|scope_uri| ConfigurationItem { scope_uri, section: Some("whydll".to_owned()) }).collect();
    // `tower-lsp` panics over an answer that nobody waits for any more: so this task goes on to wait.
    let asked = tokio::spawn(async move { client.configuration(items).await });
    let pulled = tokio::time::timeout(PATIENCE_FOR_SETTINGS, asked).await;
    let values = pulled.ok().and_then(Result::ok).and_then(Result::ok).unwrap_or_default();
    mailbox.tell(move |session| session.settings_pulled(generation, &values));
}

/// One task for all of it: the editor has to know the token first, and must hear of the end last.
async fn show_progress(client: Client, generation: u64, message: String, ended: oneshot::Receiver<()>) {
    let token = NumberOrString::String(format!("whydll/analysis/{generation}"));
    let create = WorkDoneProgressCreateParams { token: token.clone() };
    if client.send_request::<WorkDoneProgressCreate>(create).await.is_err() {
        return;
    }
    let told = |shown| ProgressParams { token: token.clone(), value: ProgressParamsValue::WorkDone(shown) };
    let begin = WorkDoneProgressBegin {
        title: "WhyDLL".to_owned(),
        cancellable: Some(false),
        message: Some(message),
        percentage: None,
    };
    client.send_notification::<Progress>(told(WorkDoneProgress::Begin(begin))).await;
    // There is nothing but the end to be received.
    let _ = ended.await;
    let end = WorkDoneProgressEnd { message: None };
    client.send_notification::<Progress>(told(WorkDoneProgress::End(end))).await;
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

/// With the priority of every thread: somebody may wait for it. It takes about as long as the analysis did, and any question stops it.
fn prove(analysis: Analysis, mailbox: Mailbox) {
    let report = mailbox.clone();
    let (target, stop) = (analysis.target.clone(), analysis.stop.clone());
    let (of, until) = (target.clone(), stop.clone());
    let work = move || {
        let proven = catch_unwind(AssertUnwindSafe(|| analysis.prove()));
        if proven.as_ref().is_err_and(|thrown| !thrown.is::<Stopped>()) {
            let lost = format!("trying the fixes of {analysis:?} failed, please report it");
            report.tell(|session| session.log(LogLevel::Error, || lost));
        }
        drop(analysis);
        report.tell(move |session| session.proved(&of, &until, proven.unwrap_or_default()));
    };
    let thread = std::thread::Builder::new().name("fixes".to_owned()).stack_size(STACK);
    if thread.spawn(work).is_err() {
        mailbox.tell(move |session| session.proved(&target, &stop, Default::default()));
    }
}

fn read_behind(analysis: Analysis, mailbox: Mailbox) {
    let report = mailbox.clone();
    let work = move || {
        give_way();
        let stop = analysis.stop.clone();
        // Whatever goes wrong here goes wrong in an analysis too, where it is told.
        let _ = catch_unwind(AssertUnwindSafe(|| analysis.read_behind()));
        drop(analysis);
        report.tell(move |session| session.read_behind(&stop));
    };
    let thread = std::thread::Builder::new().name("behind".to_owned()).stack_size(STACK);
    if thread.spawn(work).is_err() {
        mailbox.tell(|session| session.read_behind(&Stop::default()));
    }
}

/// Has the system prefer every other thread to this one.
#[cfg(target_os = "linux")]
fn give_way() {
    // Linux takes it for the thread that asks.
    let _ = rustix::process::setpriority_process(None, 19);
}

/// Has the system prefer every other thread to this one.
#[cfg(windows)]
#[allow(unsafe_code)]
fn give_way() {
    use windows_sys::Win32::System::Threading::{GetCurrentThread, SetThreadPriority, THREAD_PRIORITY_IDLE};
    // SAFETY: the handle is a constant that stands for this thread.
    unsafe { SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_IDLE) };
}

/// Elsewhere a thread has no priority of its own that could be asked for in a line.
#[cfg(not(any(target_os = "linux", windows)))]
fn give_way() {}

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
