//! `whydll.state`: what the server knows, for a report about the server itself, with other names for users. `[]`

use std::fmt::Write;

use crate::host::snapshot::Redactor;
use crate::lsp::session::Session;
use crate::report::markdown::{code, escaped};

pub fn told(session: &Session) -> String {
    let mut out = format!(
        "# WhyDLL {}\n\n- system: {} {}\n- the editor: {}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        code(&format!("{:?}", session.abilities))
    );
    for outlook in session.outlooks() {
        let name = outlook
            .scope
            .folder
            .as_ref()
            .map_or("outside of every folder".to_owned(), |uri| code(uri.as_str()));
        let _ = writeln!(out, "\n## {name}\n");
        let target = &outlook.scope.target;
        let _ = writeln!(out, "- interpreter asked for: {}", code(&format!("{:?}", target.interpreter)));
        let _ = writeln!(out, "- host asked for: {}", code(target.host.as_deref().unwrap_or("none")));
        let _ = writeln!(out, "- settings: {}", code(&format!("{:?}", outlook.settings)));
        let _ = writeln!(out, "- open documents: {}", outlook.documents.len());
        match outlook.answer.map(|answer| (&answer.environment, answer.diagnoses.len())) {
            None => drop(out.write_str("- not checked\n")),
            Some((Ok(examined), diagnoses)) => {
                let _ = writeln!(
                    out,
                    "- checked: {}, Python {}, {}, on {}: {diagnoses} imports",
                    code(&examined.interpreter),
                    examined.version,
                    examined.kind,
                    escaped(&examined.machine)
                );
            }
            Some((Err(reason), _)) => drop(writeln!(out, "- nothing to check: {}", escaped(&reason.reason))),
        }
        if let Some(health) = &outlook.scope.told {
            let _ = writeln!(out, "- told: {}, {}", health.state.name(), escaped(&health.summary));
        }
    }
    let examined = session.outlooks().filter_map(|outlook| outlook.answer?.environment.as_ref().ok());
    let interpreters: Vec<&str> = examined.map(|examined| examined.interpreter.as_str()).collect();
    Redactor::knowing(interpreters).markdown(&out)
}
