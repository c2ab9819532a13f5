//! `initialized`: registers for changes of the settings, and starts the session.

use serde_json::json;
use tower_lsp::lsp_types::Registration;

use crate::lsp::effect::Effect;
use crate::lsp::session::Session;

pub fn apply(session: &mut Session) {
    if session.abilities.registers_configuration {
        let method = "workspace/didChangeConfiguration".to_owned();
        let register_options = Some(json!({ "section": "whydll" }));
        let registration = Registration { id: method.clone(), method, register_options };
        session.effect(Effect::Register(vec![registration]));
    }
    session.initialized();
}
