//! `workspace/executeCommand`: the commands that the server runs itself.

use serde_json::Value;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::lsp_types::{ExecuteCommandParams, MessageType, ShowDocumentParams, Url};

use crate::lsp::notifications::interpreter_changed;
use crate::lsp::server::Server;

/// Opens an address in the browser: `[address]`.
pub const OPEN_ADDRESS: &str = "whydll.openAddress";
/// Shows a command to be run by hand: `[{ title, powershell, cmd }]`.
pub const SHOW_COMMAND: &str = "whydll.showCommand";
/// Forgets every answer and diagnoses anew.
pub const CHECK_AGAIN: &str = "whydll.checkAgain";

/// Selects an interpreter until the editor selects another: `[{ scopeUri, path }]`.
pub const USE_INTERPRETER: &str = "whydll.useInterpreter";

/// All of them.
pub const COMMANDS: [&str; 4] = [OPEN_ADDRESS, SHOW_COMMAND, CHECK_AGAIN, USE_INTERPRETER];

pub async fn answer(server: &Server, params: ExecuteCommandParams) -> Result<Option<Value>> {
    let argument = params.arguments.first();
    match params.command.as_str() {
        OPEN_ADDRESS => open_address(server, argument).await?,
        SHOW_COMMAND => show_command(server, argument).await?,
        CHECK_AGAIN => server.mailbox.tell(|session| session.check_again()),
        USE_INTERPRETER => use_interpreter(server, argument)?,
        unknown => return Err(Error::invalid_params(format!("there is no command {unknown}"))),
    }
    Ok(None)
}

fn use_interpreter(server: &Server, argument: Option<&Value>) -> Result<()> {
    let params = argument.cloned().unwrap_or_default();
    if params.get("path").is_none_or(|path| !path.is_string()) {
        return Err(Error::invalid_params("the argument must be an object with `path`"));
    }
    server.mailbox.tell(move |session| interpreter_changed::apply(session, &params));
    Ok(())
}

async fn open_address(server: &Server, argument: Option<&Value>) -> Result<()> {
    let address = argument.and_then(Value::as_str).and_then(|address| Url::parse(address).ok());
    let Some(address) = address.filter(|address| matches!(address.scheme(), "http" | "https")) else {
        return Err(Error::invalid_params("the argument must be an address of the web"));
    };
    let opens = server.mailbox.ask(|session| session.abilities.show_document).await?;
    let client = server.client.clone();
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

async fn show_command(server: &Server, argument: Option<&Value>) -> Result<()> {
    let field = |name: &str| argument?.get(name)?.as_str();
    let Some(command) = field("powershell") else {
        return Err(Error::invalid_params("the argument must be an object with `powershell`"));
    };
    let message = match field("title") {
        Some(title) => format!("{title}, in PowerShell: {command}"),
        None => command.to_owned(),
    };
    server.client.show_message(MessageType::INFO, message).await;
    Ok(())
}
