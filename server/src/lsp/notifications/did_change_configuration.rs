//! `workspace/didChangeConfiguration`

use tower_lsp::lsp_types::DidChangeConfigurationParams;

use crate::lsp::session::Session;

pub fn apply(session: &mut Session, params: &DidChangeConfigurationParams) {
    session.settings_changed(&params.settings);
}
