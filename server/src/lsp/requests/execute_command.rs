//! `workspace/executeCommand`: the commands that the server runs itself.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;
use tower_lsp::Client;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::lsp_types::{ExecuteCommandParams, MessageType, ShowDocumentParams, Url};

use super::confirm::{self, Prediction, Seen};
use super::{chain, check_folder, debug_information, environments, example, explain, report, snapshot};
use crate::lsp::inquiry;
use crate::lsp::mailbox::Mailbox;
use crate::lsp::notifications::interpreter_changed;
use crate::lsp::session::Session;
use crate::source::is_module_name;
use crate::visible::visible;

/// Opens an address in the browser: `[address]`.
pub const OPEN_ADDRESS: &str = "whydll.openAddress";
/// Shows a command to be run by hand: `[{ title, powershell, cmd }]`.
pub const SHOW_COMMAND: &str = "whydll.showCommand";
/// Forgets every answer and diagnoses anew.
pub const CHECK_AGAIN: &str = "whydll.checkAgain";

/// Uses an interpreter until the setting or the editor's choice changes: `[{ scopeUri, path }]`.
pub const USE_INTERPRETER: &str = "whydll.useInterpreter";

/// The whole diagnosis in Markdown: `[{ scopeUri, links }]`.
pub const REPORT: &str = "whydll.report";
/// The same of all files of a folder, whether they are open or not: `[{ scopeUri }]`.
pub const CHECK_FOLDER: &str = "whydll.checkFolder";
/// What a traceback says, and the diagnosis of the import that failed, in Markdown: `[{ scopeUri, text }]`.
pub const EXPLAIN: &str = "whydll.explain";
/// The DLL tree of a package: `[{ scopeUri, package }]`.
pub const CHAIN: &str = "whydll.chain";
/// The same as a page in HTML: `[{ scopeUri, package }]`.
pub const CHAIN_PAGE: &str = "whydll.chainPage";
/// The Pythons that are found, for a list to choose from: `[{ scopeUri }]`.
pub const ENVIRONMENTS: &str = "whydll.environments";
/// The report of a broken environment that comes with the program, in Markdown.
pub const EXAMPLE: &str = "whydll.example";
/// What an import will do: `[{ scopeUri, package }]`.
pub const PREDICT: &str = "whydll.predict";
/// Whether it did: `[{ scopeUri, package, exitCode, output }]`.
pub const COMPARE: &str = "whydll.compare";
/// What the server knows.
pub const STATE: &str = "whydll.state";

/// Writes a snapshot, or without `path` says what it would have: `[{ scopeUri, path, ownModules }]`.
pub const SNAPSHOT: &str = "whydll.snapshot";

/// All of them.
pub const COMMANDS: [&str; 15] = [
    OPEN_ADDRESS,
    SHOW_COMMAND,
    CHECK_AGAIN,
    USE_INTERPRETER,
    REPORT,
    CHECK_FOLDER,
    EXPLAIN,
    CHAIN,
    CHAIN_PAGE,
    ENVIRONMENTS,
    EXAMPLE,
    PREDICT,
    COMPARE,
    SNAPSHOT,
    STATE,
];

pub async fn answer(
    mailbox: &Mailbox,
    client: &Client,
    params: ExecuteCommandParams,
) -> Result<Option<Value>> {
    let argument = params.arguments.first();
    match params.command.as_str() {
        OPEN_ADDRESS => open_address(mailbox, client, argument).await?,
        SHOW_COMMAND => show_command(client, argument).await?,
        CHECK_AGAIN => mailbox.tell(|session| session.check_again()),
        USE_INTERPRETER => use_interpreter(mailbox, argument)?,
        REPORT => {
            let scope = inquiry::scope_in(argument)?;
            mailbox.until_proven(scope.clone()).await;
            let links = argument.and_then(|argument| argument.get("links")?.as_bool()).unwrap_or(false);
            let known = mailbox.ask(move |session| report::known(session, scope.as_ref(), links)).await?;
            return to_value(inquiry::answer(move || report::told(known)).await?);
        }
        CHECK_FOLDER => {
            let scope = inquiry::scope_in(argument)?;
            let asked = mailbox.ask(move |session| check_folder::asked(session, scope.as_ref())).await?;
            return to_value(inquiry::answer(move || check_folder::report(&asked?)).await?);
        }
        EXPLAIN => {
            let scope = inquiry::scope_in(argument)?;
            let Some(text) = inquiry::text_in(argument, "text").map(str::to_owned) else {
                return Err(Error::invalid_params("`text` must be the text of a traceback"));
            };
            let target = move |session: &Session| session.outlook(scope.as_ref()).scope.target.clone();
            let target = mailbox.ask(target).await?;
            return to_value(inquiry::answer(move || explain::told(&target, &text)).await?);
        }
        CHAIN => {
            let scope = inquiry::scope_in(argument)?;
            let package = package_in(argument)?;
            let asked = mailbox.ask(move |session| chain::asked(session, scope.as_ref(), package)).await?;
            return to_value(inquiry::answer(move || chain::drawn(&asked?)).await?);
        }
        CHAIN_PAGE => {
            let scope = inquiry::scope_in(argument)?;
            let package = package_in(argument)?;
            let asked = move |session: &Session| {
                let of = chain::scope_of(session, scope.as_ref());
                (of, chain::asked(session, scope.as_ref(), package))
            };
            let (of, asked) = mailbox.ask(asked).await?;
            return to_value(inquiry::answer(move || Ok(chain::page(of, asked))).await?);
        }
        ENVIRONMENTS => {
            let scope = inquiry::scope_in(argument)?;
            let asked = move |session: &Session| {
                let scope = session.outlook(scope.as_ref()).scope;
                (scope.target.clone(), scope.path.clone())
            };
            let (target, folder) = mailbox.ask(asked).await?;
            return to_value(inquiry::answer(move || environments::told(&target, folder.as_deref())).await?);
        }
        EXAMPLE => return to_value(inquiry::answer(example::told).await?),
        PREDICT => return to_value(predict(mailbox, argument).await?),
        COMPARE => {
            let prediction = predict(mailbox, argument).await?;
            return to_value(confirm::comparison(&prediction, &Seen::of(argument)));
        }
        SNAPSHOT => {
            let scope = inquiry::scope_in(argument)?;
            let path = argument.and_then(|argument| argument.get("path")).filter(|path| !path.is_null());
            let file = path.map(|path| path.as_str().map(PathBuf::from).filter(|file| file.is_absolute()));
            let own_modules = argument.and_then(|argument| argument.get("ownModules")?.as_bool());
            let asked = move |session: &Session| snapshot::asked(session, scope.as_ref());
            return match file {
                None => {
                    let (target, package) = mailbox.ask(asked).await?;
                    to_value(inquiry::answer(move || snapshot::previewed(&target, &package)).await?)
                }
                Some(None) => Err(Error::invalid_params("`path` must be the full path of a file")),
                Some(Some(file)) => {
                    let (target, package) = mailbox.ask(asked).await?;
                    let own_modules = own_modules.unwrap_or(false);
                    let written = move || snapshot::written(&target, &package, &file, own_modules);
                    to_value(inquiry::answer(written).await?)
                }
            };
        }
        STATE => return to_value(mailbox.ask(debug_information::told).await?),
        unknown => return Err(Error::invalid_params(format!("there is no command {unknown}"))),
    }
    Ok(None)
}

async fn predict(mailbox: &Mailbox, argument: Option<&Value>) -> Result<Prediction> {
    let scope = inquiry::scope_in(argument)?;
    let package = package_in(argument)?;
    let asked = move |session: &Session| confirm::prediction(session, scope.as_ref(), package.as_deref());
    let prediction = mailbox.ask(asked).await?;
    inquiry::answer(move || prediction).await
}

/// The package in the argument; it must be the name of one, since an editor may put it into a program.
fn package_in(argument: Option<&Value>) -> Result<Option<String>> {
    let Some(name) = inquiry::text_in(argument, "package") else { return Ok(None) };
    match is_module_name(name) {
        true => Ok(Some(name.to_owned())),
        false => Err(Error::invalid_params("`package` must be the name of a module")),
    }
}

fn to_value(answer: impl Serialize) -> Result<Option<Value>> {
    serde_json::to_value(answer).map(Some).map_err(|_| Error::internal_error())
}

fn use_interpreter(mailbox: &Mailbox, argument: Option<&Value>) -> Result<()> {
    let Some((scope, Some(path))) = argument.and_then(interpreter_changed::read) else {
        return Err(Error::invalid_params(
            "the argument must be an object with `path`, and perhaps `scopeUri`",
        ));
    };
    mailbox.tell(move |session| session.use_interpreter(scope, path));
    Ok(())
}

async fn open_address(mailbox: &Mailbox, client: &Client, argument: Option<&Value>) -> Result<()> {
    let address = argument.and_then(Value::as_str).and_then(|address| Url::parse(address).ok());
    let Some(address) =
        address.filter(|address| matches!(address.scheme(), "http" | "https" | "ms-settings"))
    else {
        return Err(Error::invalid_params(
            "the argument must be an address of the web, or a page of Windows' settings",
        ));
    };
    let opens = mailbox.ask(|session| session.abilities.show_document).await?;
    let client = client.clone();
    // An editor may ask the user first; no other message shall wait for that.
    tokio::spawn(async move {
        let document = ShowDocumentParams {
            uri: address.clone(),
            external: Some(true),
            take_focus: None,
            selection: None,
        };
        if !opens || client.show_document(document).await.is_err() {
            client.show_message(MessageType::INFO, address).await;
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

/// Editors make links of `[text](address)` in a message, also such as run a command of theirs.
fn without_links(message: &str) -> String {
    visible(message).replace("](", "] (")
}
