//! `initialized`: asks the editor to tell of what can change an answer, and begins.

use serde_json::json;
use tower_lsp::lsp_types::{Registration, WatchKind};

use crate::lsp::effect::Effect;
use crate::lsp::session::Session;

/// What appears with a new environment, and what an installation writes last for each distribution. Of modules only whether
/// they are there: they may hide a package; what they say counts when they are saved.
const WATCHED: [(&str, WatchKind); 3] = [
    ("**/pyvenv.cfg", WatchKind::all()),
    ("**/*.dist-info/RECORD", WatchKind::all()),
    ("**/*.{py,pyw,pyd}", WatchKind::Create.union(WatchKind::Delete)),
];

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
        let watcher = |(pattern, kind)| json!({ "globPattern": pattern, "kind": kind });
        let options = json!({ "watchers": WATCHED.map(watcher) });
        registrations.push(registration("workspace/didChangeWatchedFiles", options));
    }
    if !registrations.is_empty() {
        session.effect(Effect::Register(registrations));
    }
    session.initialized();
}
