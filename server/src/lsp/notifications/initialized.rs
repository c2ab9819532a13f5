//! `initialized`: asks the editor to tell of what can change an answer, and begins.

use serde_json::json;
use tower_lsp::lsp_types::Registration;

use crate::lsp::effect::Effect;
use crate::lsp::session::Session;

/// What appears with a new environment, and what an installation writes last for each distribution.
const WATCHED: [&str; 2] = ["**/pyvenv.cfg", "**/*.dist-info/RECORD"];

pub fn apply(session: &mut Session) {
    let registration = |method: &str, options| Registration {
        id: method.to_owned(),
        method: method.to_owned(),
        register_options: Some(options),
    };
    let mut registrations = Vec::new();
    if session.abilities.registers_configuration {
        let options = json!({ "section": "whydll" });
        registrations.push(registration("workspace/didChangeConfiguration", options));
    }
    if session.abilities.registers_watched_files {
        let options = json!({ "watchers": WATCHED.map(|pattern| json!({ "globPattern": pattern })) });
        registrations.push(registration("workspace/didChangeWatchedFiles", options));
    }
    if !registrations.is_empty() {
        session.effect(Effect::Register(registrations));
    }
    session.initialized();
}
