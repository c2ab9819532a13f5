//! `initialize`: must be fast, so it reads nothing but the message itself.

use std::sync::Arc;

use serde_json::Value;
use tower_lsp::lsp_types::{
    CodeActionKind, CodeActionOptions, CodeActionProviderCapability, ExecuteCommandOptions,
    HoverProviderCapability, InitializeParams, InitializeResult, OneOf, PositionEncodingKind,
    ServerCapabilities, ServerInfo, TextDocumentSyncCapability, TextDocumentSyncKind,
    TextDocumentSyncOptions, TextDocumentSyncSaveOptions, Url, WorkspaceFoldersServerCapabilities,
    WorkspaceServerCapabilities,
};

use super::execute_command::ServerCommand;
use crate::lsp::client::ClientAbilities;
use crate::lsp::event::SessionEvent;
use crate::lsp::lifecycle::Lifecycle;
use crate::lsp::mailbox::Mailbox;

pub fn answer(mailbox: &Mailbox, lifecycle: &Arc<Lifecycle>, params: InitializeParams) -> InitializeResult {
    if let Some(process) = params.process_id {
        lifecycle.watch_parent(process);
    }
    let folders = folders(&params);
    let options = params.initialization_options;
    let abilities = ClientAbilities::of(&params.capabilities, options.as_ref());
    let settings = options.as_ref().map(settings).cloned();
    mailbox.post(SessionEvent::Initialize { abilities, settings, folders });
    InitializeResult {
        capabilities: capabilities(),
        server_info: Some(ServerInfo {
            name: "whydll".to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }),
    }
}

/// Returns the capabilities of the server.
fn capabilities() -> ServerCapabilities {
    let sync = TextDocumentSyncOptions {
        open_close: Some(true),
        change: Some(TextDocumentSyncKind::INCREMENTAL),
        save: Some(TextDocumentSyncSaveOptions::Supported(true)),
        ..TextDocumentSyncOptions::default()
    };
    let actions = CodeActionOptions {
        code_action_kinds: Some(vec![CodeActionKind::QUICKFIX]),
        ..CodeActionOptions::default()
    };
    let commands = ExecuteCommandOptions {
        commands: ServerCommand::ALL.map(|command| command.identifier().to_owned()).to_vec(),
        ..ExecuteCommandOptions::default()
    };
    let folders = WorkspaceFoldersServerCapabilities {
        supported: Some(true),
        change_notifications: Some(OneOf::Left(true)),
    };
    ServerCapabilities {
        position_encoding: Some(PositionEncodingKind::UTF16),
        text_document_sync: Some(TextDocumentSyncCapability::Options(sync)),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        code_action_provider: Some(CodeActionProviderCapability::Options(actions)),
        execute_command_provider: Some(commands),
        workspace: Some(WorkspaceServerCapabilities {
            workspace_folders: Some(folders),
            file_operations: None,
        }),
        ..ServerCapabilities::default()
    }
}

/// Returns the workspace folders, or the root from an editor that doesn't support workspace
/// folders.
#[allow(deprecated)]
fn folders(params: &InitializeParams) -> Vec<Url> {
    match &params.workspace_folders {
        Some(folders) => folders.iter().map(|folder| folder.uri.clone()).collect(),
        None => params.root_uri.iter().cloned().collect(),
    }
}

/// Returns `initializationOptions.settings`, or the options themselves.
fn settings(options: &Value) -> &Value {
    let settings = options.get("settings").unwrap_or(options);
    settings.get("whydll").unwrap_or(settings)
}
