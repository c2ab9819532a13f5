//! The capabilities of the editor.

use std::collections::BTreeSet;

use serde_json::Value;
use tower_lsp::lsp_types::{ClientCapabilities, ResourceOperationKind};

/// The capabilities of the editor that affect what the server sends.
#[derive(Debug, Clone, Default)]
pub struct ClientAbilities {
    /// Whether it answers `workspace/configuration`.
    pub configuration: bool,
    /// Whether it accepts a registration for `workspace/didChangeConfiguration`.
    pub registers_configuration: bool,
    /// Whether it shows the progress of long operations.
    pub shows_progress: bool,
    /// Whether it opens URLs (`window/showDocument`).
    pub show_document: bool,
    /// Whether it supports edits with a document's version.
    pub versioned_edits: bool,
    /// Whether it renames files as part of an edit.
    pub renames_files: bool,
    /// The commands that the editor runs itself: `initializationOptions.clientCommands`.
    pub commands: BTreeSet<String>,
}

impl ClientAbilities {
    /// Reads the capabilities from the parameters of `initialize`.
    pub fn of(capabilities: &ClientCapabilities, options: Option<&Value>) -> ClientAbilities {
        let workspace = capabilities.workspace.as_ref();
        let registers_configuration = workspace.and_then(|w| w.did_change_configuration.as_ref());
        let show_document = capabilities.window.as_ref().and_then(|w| w.show_document.as_ref());
        let edits = workspace.and_then(|w| w.workspace_edit.as_ref());
        let versioned_edits = edits.and_then(|ability| ability.document_changes) == Some(true);
        let operations = edits.and_then(|ability| ability.resource_operations.as_ref());
        let commands = options.and_then(|options| options.get("clientCommands"));
        let commands = commands.and_then(Value::as_array).into_iter().flatten();
        ClientAbilities {
            configuration: workspace.and_then(|w| w.configuration) == Some(true),
            registers_configuration: registers_configuration.and_then(|ability| ability.dynamic_registration)
                == Some(true),
            shows_progress: capabilities.window.as_ref().and_then(|w| w.work_done_progress) == Some(true),
            show_document: show_document.is_some_and(|ability| ability.support),
            versioned_edits,
            renames_files: versioned_edits
                && operations.is_some_and(|known| known.contains(&ResourceOperationKind::Rename)),
            commands: commands.filter_map(|name| Some(name.as_str()?.to_owned())).collect(),
        }
    }

    /// Whether the editor runs this command itself.
    pub fn runs(&self, command: &str) -> bool {
        self.commands.contains(command)
    }
}
