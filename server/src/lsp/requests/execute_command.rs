//! `workspace/executeCommand`: the commands that the server runs itself.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;
use tower_lsp::Client;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::lsp_types::{ExecuteCommandParams, MessageType, ShowDocumentParams, Url};

use super::confirm::{self, Prediction, RunResult};
use super::{chain, check_folder, debug_information, environments, example, explain, report, snapshot};
use crate::lsp::event::SessionEvent;
use crate::lsp::inquiry;
use crate::lsp::mailbox::Mailbox;
use crate::lsp::notifications::interpreter_changed;
use crate::lsp::session::Session;
use crate::source::is_module_name;
use crate::visible::visible;

/// A command that the server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerCommand {
    /// Opens a URL in the browser: `[url]`.
    OpenAddress,
    /// Shows a command for the user to run: `[{ title, powershell, cmd }]`.
    ShowCommand,
    /// Discards every answer and diagnoses again.
    CheckAgain,
    /// Uses an interpreter until the setting or the editor's selection changes: `[{ scopeUri, path }]`.
    UseInterpreter,
    /// Returns the whole diagnosis in Markdown: `[{ scopeUri, links }]`.
    Report,
    /// Returns the diagnosis of all files of a folder, open or not, in Markdown: `[{ scopeUri }]`.
    CheckFolder,
    /// Explains a traceback and diagnoses the import that failed, in Markdown: `[{ scopeUri, text }]`.
    Explain,
    /// Returns the DLL tree of a package: `[{ scopeUri, package }]`.
    Chain,
    /// Returns the DLL tree as an HTML page: `[{ scopeUri, package }]`.
    ChainPage,
    /// Returns the Pythons that are found, to choose from: `[{ scopeUri }]`.
    Environments,
    /// Returns the report on the built-in example of a broken environment, in Markdown.
    Example,
    /// Predicts the result of an import: `[{ scopeUri, package }]`.
    Predict,
    /// Compares the prediction with the actual result: `[{ scopeUri, package, exitCode, output }]`.
    Compare,
    /// Writes a snapshot, or without `path` returns a preview: `[{ scopeUri, path, ownModules }]`.
    Snapshot,
    /// Returns the state of the server.
    State,
}

impl ServerCommand {
    /// All commands.
    pub const ALL: [ServerCommand; 15] = [
        ServerCommand::OpenAddress,
        ServerCommand::ShowCommand,
        ServerCommand::CheckAgain,
        ServerCommand::UseInterpreter,
        ServerCommand::Report,
        ServerCommand::CheckFolder,
        ServerCommand::Explain,
        ServerCommand::Chain,
        ServerCommand::ChainPage,
        ServerCommand::Environments,
        ServerCommand::Example,
        ServerCommand::Predict,
        ServerCommand::Compare,
        ServerCommand::Snapshot,
        ServerCommand::State,
    ];

    /// Returns the name of the command in the protocol.
    pub const fn identifier(self) -> &'static str {
        match self {
            ServerCommand::OpenAddress => "whydll.openAddress",
            ServerCommand::ShowCommand => "whydll.showCommand",
            ServerCommand::CheckAgain => "whydll.checkAgain",
            ServerCommand::UseInterpreter => "whydll.useInterpreter",
            ServerCommand::Report => "whydll.report",
            ServerCommand::CheckFolder => "whydll.checkFolder",
            ServerCommand::Explain => "whydll.explain",
            ServerCommand::Chain => "whydll.chain",
            ServerCommand::ChainPage => "whydll.chainPage",
            ServerCommand::Environments => "whydll.environments",
            ServerCommand::Example => "whydll.example",
            ServerCommand::Predict => "whydll.predict",
            ServerCommand::Compare => "whydll.compare",
            ServerCommand::Snapshot => "whydll.snapshot",
            ServerCommand::State => "whydll.state",
        }
    }

    /// Returns the command with this name.
    fn named(name: &str) -> Option<ServerCommand> {
        ServerCommand::ALL.into_iter().find(|command| command.identifier() == name)
    }
}

pub async fn answer(
    mailbox: &Mailbox,
    client: &Client,
    params: ExecuteCommandParams,
) -> Result<Option<Value>> {
    let argument = params.arguments.first();
    let name = params.command.as_str();
    let Some(command) = ServerCommand::named(name) else {
        return Err(Error::invalid_params(format!("unknown command {name}")));
    };
    match command {
        ServerCommand::OpenAddress => open_url(mailbox, client, argument).await?,
        ServerCommand::ShowCommand => show_command(client, argument).await?,
        ServerCommand::CheckAgain => mailbox.post(SessionEvent::CheckAgain),
        ServerCommand::UseInterpreter => use_interpreter(mailbox, argument)?,
        ServerCommand::Report => {
            let scope = inquiry::scope_in(argument)?;
            mailbox.until_proven(scope.clone()).await;
            let links = argument.and_then(|argument| argument.get("links")?.as_bool()).unwrap_or(false);
            let contents = mailbox
                .ask(command.identifier(), move |session| report::collect(session, scope.as_ref(), links))
                .await?;
            return to_value(inquiry::answer(move || report::render(contents)).await?);
        }
        ServerCommand::CheckFolder => {
            let scope = inquiry::scope_in(argument)?;
            let query = mailbox
                .ask(command.identifier(), move |session| check_folder::query(session, scope.as_ref()))
                .await?;
            return to_value(inquiry::answer(move || check_folder::report(&query?)).await?);
        }
        ServerCommand::Explain => {
            let scope = inquiry::scope_in(argument)?;
            let Some(text) = inquiry::string_in(argument, "text").map(str::to_owned) else {
                return Err(Error::invalid_params("`text` must be a traceback"));
            };
            let target = move |session: &Session| session.scope_view(scope.as_ref()).scope.target.clone();
            let target = mailbox.ask(command.identifier(), target).await?;
            return to_value(inquiry::answer(move || explain::explain(&target, &text)).await?);
        }
        ServerCommand::Chain => {
            let scope = inquiry::scope_in(argument)?;
            let package = package_in(argument)?;
            let query = mailbox
                .ask(command.identifier(), move |session| chain::query(session, scope.as_ref(), package))
                .await?;
            return to_value(inquiry::answer(move || chain::tree(&query?)).await?);
        }
        ServerCommand::ChainPage => {
            let scope = inquiry::scope_in(argument)?;
            let package = package_in(argument)?;
            let query = move |session: &Session| {
                let of = chain::scope_of(session, scope.as_ref());
                (of, chain::query(session, scope.as_ref(), package))
            };
            let (of, query) = mailbox.ask(command.identifier(), query).await?;
            return to_value(inquiry::answer(move || Ok(chain::page(of, query))).await?);
        }
        ServerCommand::Environments => {
            let scope = inquiry::scope_in(argument)?;
            let query = move |session: &Session| {
                let scope = session.scope_view(scope.as_ref()).scope;
                (scope.target.clone(), scope.path.clone())
            };
            let (target, folder) = mailbox.ask(command.identifier(), query).await?;
            return to_value(inquiry::answer(move || environments::list(&target, folder.as_deref())).await?);
        }
        ServerCommand::Example => return to_value(inquiry::answer(example::report).await?),
        ServerCommand::Predict => return to_value(predict(mailbox, command, argument).await?),
        ServerCommand::Compare => {
            let prediction = predict(mailbox, command, argument).await?;
            return to_value(confirm::comparison(&prediction, &RunResult::of(argument)));
        }
        ServerCommand::Snapshot => {
            let scope = inquiry::scope_in(argument)?;
            let path = argument.and_then(|argument| argument.get("path")).filter(|path| !path.is_null());
            let file = path.map(|path| path.as_str().map(PathBuf::from).filter(|file| file.is_absolute()));
            let own_modules = argument.and_then(|argument| argument.get("ownModules")?.as_bool());
            let query = move |session: &Session| snapshot::query(session, scope.as_ref());
            return match file {
                None => {
                    let (target, package) = mailbox.ask(command.identifier(), query).await?;
                    to_value(inquiry::answer(move || snapshot::preview(&target, &package)).await?)
                }
                Some(None) => Err(Error::invalid_params("`path` must be the full path of a file")),
                Some(Some(file)) => {
                    let (target, package) = mailbox.ask(command.identifier(), query).await?;
                    let own_modules = own_modules.unwrap_or(false);
                    let write = move || snapshot::write(&target, &package, &file, own_modules);
                    to_value(inquiry::answer(write).await?)
                }
            };
        }
        ServerCommand::State => {
            return to_value(mailbox.ask(command.identifier(), debug_information::report).await?);
        }
    }
    Ok(None)
}

async fn predict(mailbox: &Mailbox, command: ServerCommand, argument: Option<&Value>) -> Result<Prediction> {
    let scope = inquiry::scope_in(argument)?;
    let package = package_in(argument)?;
    let query = move |session: &Session| confirm::prediction(session, scope.as_ref(), package.as_deref());
    let prediction = mailbox.ask(command.identifier(), query).await?;
    inquiry::answer(move || prediction).await
}

/// Returns the package in the argument. It must be a valid name, because an editor may insert it
/// into a program.
fn package_in(argument: Option<&Value>) -> Result<Option<String>> {
    let Some(name) = inquiry::string_in(argument, "package") else { return Ok(None) };
    match is_module_name(name) {
        true => Ok(Some(name.to_owned())),
        false => Err(Error::invalid_params("`package` must be a valid module name")),
    }
}

fn to_value(answer: impl Serialize) -> Result<Option<Value>> {
    serde_json::to_value(answer).map(Some).map_err(|_| Error::internal_error())
}

fn use_interpreter(mailbox: &Mailbox, argument: Option<&Value>) -> Result<()> {
    let Some((scope, Some(path))) = argument.and_then(interpreter_changed::read) else {
        return Err(Error::invalid_params(
            "the argument must be an object with `path` and, optionally, `scopeUri`",
        ));
    };
    mailbox.post(SessionEvent::UseInterpreter { scope, path });
    Ok(())
}

async fn open_url(mailbox: &Mailbox, client: &Client, argument: Option<&Value>) -> Result<()> {
    let url = argument.and_then(Value::as_str).and_then(|url| Url::parse(url).ok());
    let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https" | "ms-settings")) else {
        return Err(Error::invalid_params("the argument must be a URL with http:, https:, or ms-settings:"));
    };
    let opens = mailbox
        .ask(ServerCommand::OpenAddress.identifier(), |session| session.abilities.show_document)
        .await?;
    let client = client.clone();
    // The editor may ask the user first, and other messages must not wait for that.
    tokio::spawn(async move {
        let document =
            ShowDocumentParams { uri: url.clone(), external: Some(true), take_focus: None, selection: None };
        if !opens || client.show_document(document).await.is_err() {
            client.show_message(MessageType::INFO, url).await;
        }
    });
    Ok(())
}

async fn show_command(client: &Client, argument: Option<&Value>) -> Result<()> {
    let field = |name: &str| argument?.get(name)?.as_str();
    let Some(command) = field("powershell") else {
        return Err(Error::invalid_params("the argument must be an object with `powershell`"));
    };
    let message = match field("title") {
        Some(title) => format!("{title}, in PowerShell: {command}"),
        None => command.to_owned(),
    };
    client.show_message(MessageType::INFO, without_links(&message)).await;
    Ok(())
}

/// Breaks `[text](url)` in a message. Editors turn that into a link, which might even run a
/// command.
fn without_links(message: &str) -> String {
    visible(message).replace("](", "] (")
}
