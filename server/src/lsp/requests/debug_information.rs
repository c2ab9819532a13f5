//! `whydll.state`: the state of the server, for a bug report about the server itself. User names
//! are replaced. The command has no arguments.

use std::fmt::Write;

use crate::host::HostSpec;
use crate::host::snapshot::Redactor;
use crate::lsp::session::Session;
use crate::report::markdown::{code, escaped};

pub fn report(session: &Session) -> String {
    let mut out = format!(
        "# WhyDLL {}\n\n- system: {} {}\n- editor: {}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        code(&format!("{:?}", session.abilities))
    );
    for view in session.scope_views() {
        let name =
            view.scope.folder.as_ref().map_or("outside all folders".to_owned(), |uri| code(uri.as_str()));
        let _ = writeln!(out, "\n## {name}\n");
        let target = &view.scope.target;
        let _ = writeln!(out, "- requested interpreter: {}", code(&format!("{:?}", target.interpreter)));
        let _ = writeln!(
            out,
            "- requested host: {}",
            code(&target.host.as_ref().map_or("none".to_owned(), HostSpec::to_string))
        );
        let _ = writeln!(out, "- settings: {}", code(&format!("{:?}", view.settings)));
        let _ = writeln!(out, "- open documents: {}", view.documents.len());
        match view.answer.map(|answer| (&answer.environment, answer.diagnoses.len())) {
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
        if let Some(health) = &view.scope.sent_health {
            let _ = writeln!(out, "- reported health: {}, {}", health.state.name(), escaped(&health.summary));
        }
    }
    let examined = session.scope_views().filter_map(|view| view.answer?.environment.as_ref().ok());
    let interpreters: Vec<&str> = examined.map(|examined| examined.interpreter.as_str()).collect();
    Redactor::knowing(interpreters).markdown(&out)
}
