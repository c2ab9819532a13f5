//! `initialize`: must be quick, so it reads nothing but the message itself.

use serde_json::Value;
use tower_lsp::lsp_types::{InitializeParams, InitializeResult, ServerInfo, Url};

use crate::lsp::client::ClientAbilities;
use crate::lsp::server::{Server, capabilities};

pub fn answer(server: &Server, params: InitializeParams) -> InitializeResult {
    if let Some(process) = params.process_id {
        server.lifecycle.watch_parent(process);
    }
    let folders = folders(&params);
    let options = params.initialization_options;
    let abilities = ClientAbilities::of(&params.capabilities, options.as_ref());
    server.mailbox.tell(move |session| session.begin(abilities, options.as_ref().map(settings), folders));
    InitializeResult {
        capabilities: capabilities(),
        server_info: Some(ServerInfo {
            name: "whydll".to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }),
    }
}

/// The workspace folders; from an editor that knows none of them, the root.
#[allow(deprecated)]
fn folders(params: &InitializeParams) -> Vec<Url> {
    match &params.workspace_folders {
        Some(folders) => folders.iter().map(|folder| folder.uri.clone()).collect(),
        None => params.root_uri.iter().cloned().collect(),
    }
}

/// `initializationOptions.settings`, or the options themselves.
fn settings(options: &Value) -> &Value {
    let settings = options.get("settings").unwrap_or(options);
    settings.get("whydll").unwrap_or(settings)
}
