//! The service: routes each method to its handler.

use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tower_lsp::jsonrpc::Result;
use tower_lsp::lsp_types::*;
use tower_lsp::{Client, LanguageServer, LspService};

use super::event::SessionEvent;
use super::lifecycle::{Lifecycle, LifecycleGuard};
use super::mailbox::Mailbox;
use super::notebook_sync::NotebookSync;
use super::notifications::notebook_did_change::DidChangeNotebookParams;
use super::notifications::notebook_did_close::DidCloseNotebookParams;
use super::notifications::notebook_did_open::DidOpenNotebookParams;
use super::notifications::notebook_did_save::DidSaveNotebookParams;
use super::session::Session;
use super::{owner, requests, transport};

/// The handlers of all methods, which post to the session.
pub struct Server {
    client: Client,
    mailbox: Mailbox,
    lifecycle: Arc<Lifecycle>,
}

/// Serves on two streams until the editor disconnects, and returns the exit code.
pub async fn serve(input: impl AsyncRead + Unpin, output: impl AsyncWrite + Unpin) -> u8 {
    let (mailbox, events) = Mailbox::new();
    let lifecycle = Arc::new(Lifecycle::default());
    let (service, socket) = LspService::build(|client| {
        tokio::spawn(owner::own(events, client.clone(), mailbox.clone()));
        Server { client, mailbox, lifecycle: lifecycle.clone() }
    })
    .custom_method("whydll/interpreterChanged", Server::interpreter_changed)
    .custom_method("notebookDocument/didOpen", Server::notebook_did_open)
    .custom_method("notebookDocument/didChange", Server::notebook_did_change)
    .custom_method("notebookDocument/didSave", Server::notebook_did_save)
    .custom_method("notebookDocument/didClose", Server::notebook_did_close)
    .finish();
    let service = LifecycleGuard { service: NotebookSync { service }, lifecycle: lifecycle.clone() };
    tokio::select! {
        () = transport::serve(service, socket, input, output) => {}
        () = lifecycle.left() => {}
    }
    lifecycle.exit_code()
}

/// Each method posts to the session before it awaits, which preserves the order of messages.
#[tower_lsp::async_trait]
impl LanguageServer for Server {
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        Ok(requests::initialize::answer(&self.mailbox, &self.lifecycle, params))
    }

    async fn shutdown(&self) -> Result<()> {
        self.mailbox.ask("shutdown", requests::shutdown::answer).await
    }

    async fn hover(&self, params: HoverParams) -> Result<Option<Hover>> {
        let answer = move |session: &Session| requests::hover::answer(session, &params);
        self.mailbox.ask("textDocument/hover", answer).await
    }

    async fn code_action(&self, params: CodeActionParams) -> Result<Option<CodeActionResponse>> {
        self.mailbox.until_proven(Some(params.text_document.uri.clone())).await;
        let answer = move |session: &Session| requests::code_action::answer(session, &params);
        self.mailbox.ask("textDocument/codeAction", answer).await
    }

    async fn execute_command(&self, params: ExecuteCommandParams) -> Result<Option<Value>> {
        requests::execute_command::answer(&self.mailbox, &self.client, params).await
    }

    async fn initialized(&self, _: InitializedParams) {
        self.mailbox.post(SessionEvent::Initialized);
    }

    async fn did_open(&self, params: DidOpenTextDocumentParams) {
        self.mailbox.post(SessionEvent::DidOpen(params));
    }

    async fn did_change(&self, params: DidChangeTextDocumentParams) {
        self.mailbox.post(SessionEvent::DidChange(params));
    }

    async fn did_save(&self, params: DidSaveTextDocumentParams) {
        self.mailbox.post(SessionEvent::DidSave(params));
    }

    async fn did_close(&self, params: DidCloseTextDocumentParams) {
        self.mailbox.post(SessionEvent::DidClose(params));
    }

    async fn did_change_configuration(&self, params: DidChangeConfigurationParams) {
        self.mailbox.post(SessionEvent::DidChangeConfiguration(params));
    }

    async fn did_change_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        self.mailbox.post(SessionEvent::DidChangeWorkspaceFolders(params));
    }
}

impl Server {
    async fn interpreter_changed(&self, params: Value) {
        self.mailbox.post(SessionEvent::InterpreterChanged(params));
    }

    async fn notebook_did_open(&self, params: DidOpenNotebookParams) {
        self.mailbox.post(SessionEvent::NotebookDidOpen(params));
    }

    async fn notebook_did_change(&self, params: DidChangeNotebookParams) {
        self.mailbox.post(SessionEvent::NotebookDidChange(params));
    }

    async fn notebook_did_save(&self, params: DidSaveNotebookParams) {
        self.mailbox.post(SessionEvent::NotebookDidSave(params));
    }

    async fn notebook_did_close(&self, params: DidCloseNotebookParams) {
        self.mailbox.post(SessionEvent::NotebookDidClose(params));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_request_that_waits_for_a_disconnected_editor_does_not_keep_the_server_running() {
        let (mut to_server, input) = duplex(1 << 16);
        let (output, mut from_server) = duplex(1 << 16);
        let editor = async {
            let framed = |message: Value| {
                let message = message.to_string();
                format!("Content-Length: {}\r\n\r\n{message}", message.len()).into_bytes()
            };
            let params = json!({ "capabilities": {} });
            let message = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
            to_server.write_all(&framed(message)).await.unwrap();
            assert_ne!(from_server.read(&mut [0; 1 << 12]).await.unwrap(), 0);
            let command = json!({ "command": "whydll.showCommand", "arguments": [{ "powershell": "dir" }] });
            for id in 1..5 {
                let method = "workspace/executeCommand";
                let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": command });
                to_server.write_all(&framed(message)).await.unwrap();
            }
            drop(to_server);
        };
        let both = async { tokio::join!(serve(input, output), editor).0 };
        assert_eq!(timeout(Duration::from_secs(10), both).await, Ok(1));
    }
}
