//! The DLL chain of an import as an HTML page, for an editor that can show one: first what failed,
//! then collapsed what was loaded. It has no scripts; `<details>` and links work with a keyboard
//! and a screen reader.

use std::fmt::Write;

use serde_json::json;

use super::chain_tree;
use super::tree::{Node, NodeState};
use crate::diagnosis::{Chain, FailedLoad, copies};
use crate::environment::Environment;
use crate::host::{Host, WinPath};
use crate::loader::{Cause, Fault, Provider};
use crate::visible::visible_lines;

/// The editor's command in a link to a file. Its only argument is the path.
const REVEAL: &str = "whydll.revealFile";

/// Renders the page for `import package`. `findings` are its problems as the editor shows them, one
/// or two sentences each.
pub fn chain_page(
    chain: &Chain,
    host: &Host,
    environment: &Environment,
    package: &str,
    findings: &[String],
) -> String {
    let mut page = Page { out: String::new(), host, environment };
    let (fatal, handled): (Vec<&FailedLoad>, Vec<&FailedLoad>) =
        chain.failed.iter().partition(|load| load.is_fatal);
    page.heading(chain, package, findings);
    for load in fatal {
        page.failed(load);
    }
    if !handled.is_empty() {
        page.handled(&handled);
    }
    page.loaded(&chain_tree(chain, host));
    document(&format!("DLL chain of {package}"), &page.out)
}

/// Renders a page that says why there is no chain, and what to do.
pub fn empty_page(reason: &str) -> String {
    let mut body = String::new();
    let _ = writeln!(body, "<h1>DLL chain</h1>\n<p>{}</p>", escaped(reason));
    body.push_str(
        "<p>Open a Python file that imports a package with native code, such as \
         <code>import tensorflow</code>, and run <em>WhyDLL: Show DLL Chain</em> again.</p>\n",
    );
    document("DLL chain", &body)
}

struct Page<'a> {
    out: String,
    host: &'a Host,
    environment: &'a Environment,
}

impl Page<'_> {
    fn heading(&mut self, chain: &Chain, package: &str, findings: &[String]) {
        let _ = writeln!(self.out, "<h1>DLL chain of <code>import {}</code></h1>", escaped(package));
        let loaded = chain.modules.len() - chain.of_interpreter.min(chain.modules.len());
        let summary = match &chain.error {
            Some(_) => "The import fails.".to_owned(),
            None if chain.failed.is_empty() => {
                format!("The import works: {} besides Python's own.", counted(loaded, "module", "modules"))
            }
            None => format!(
                "The import works: the program handles {}.",
                counted(chain.failed.len(), "failed load", "failed loads")
            ),
        };
        let kind = if chain.error.is_some() { "failure" } else { "fine" };
        let _ = writeln!(self.out, "<p class=\"{kind}\">{}</p>", escaped(&summary));
        for finding in findings {
            let _ = writeln!(self.out, "<p>{}</p>", spans(finding));
        }
        if let Some(error) = &chain.error {
            let _ = writeln!(self.out, "<h2>Python says</h2>\n<pre>{}</pre>", escaped(error.sentence()));
        }
        let _ = writeln!(
            self.out,
            "<p class=\"quiet\">Python {}: {}</p>",
            self.environment.full_version(),
            self.file(&self.environment.interpreter, self.environment.interpreter.as_str())
        );
    }

    /// Adds a load that makes the import fail: for each culprit, the path to it, where it was
    /// searched for, and its other copies.
    fn failed(&mut self, load: &FailedLoad) {
        for fault in &load.faults {
            let name = escaped(fault.culprit());
            let problem = escaped(&problem(&fault.cause));
            let _ = writeln!(self.out, "<section><h2 class=\"failure\">{name}: {problem}</h2>");
            self.path_to_culprit(load, fault);
            self.searched(fault);
            self.copies(fault);
            self.out.push_str("</section>\n");
        }
        if load.faults.is_empty() {
            let _ = writeln!(self.out, "<section><h2 class=\"failure\">{}</h2>", escaped(&load.sentence));
            self.out.push_str("</section>\n");
        }
    }

    fn handled(&mut self, loads: &[&FailedLoad]) {
        let _ = writeln!(self.out, "<section><h2>Failed, and handled by the program</h2>");
        for load in loads {
            let culprit = load.faults.first();
            let name = culprit.map_or_else(|| load.sentence.clone(), |fault| fault.culprit().to_owned());
            let problem = culprit.map_or_else(String::new, |fault| format!(": {}", problem(&fault.cause)));
            let remark = if load.uncertain { " (possibly never attempted)" } else { "" };
            let _ = writeln!(
                self.out,
                "<details><summary><span class=\"failure\">{}</span>{}{remark}</summary>",
                escaped(&name),
                escaped(&problem)
            );
            for fault in &load.faults {
                self.path_to_culprit(load, fault);
                self.searched(fault);
                self.copies(fault);
            }
            let _ = writeln!(self.out, "<pre>{}</pre></details>", escaped(&load.sentence));
        }
        self.out.push_str("</section>\n");
    }

    /// Adds the path from the statement down to the culprit.
    fn path_to_culprit(&mut self, load: &FailedLoad, fault: &Fault) {
        self.out.push_str("<ol class=\"way\" aria-label=\"From the statement to the culprit\">\n");
        if let Some((file, line)) = load.at.as_ref().and_then(|at| Some((at.file.as_ref()?, at.line))) {
            let named = self.file(file, &self.environment.short(file));
            let _ = writeln!(self.out, "<li>{named}, line {line}</li>");
        }
        let last = fault.chain.len().saturating_sub(1);
        for (number, link) in fault.chain.iter().enumerate() {
            let name = match &link.path {
                Some(path) => self.file(path, &self.environment.short(path)),
                None => escaped(&link.name),
            };
            let _ = match number == last {
                true => writeln!(
                    self.out,
                    "<li><strong class=\"failure\">{name}</strong> {}</li>",
                    escaped(&problem(&fault.cause))
                ),
                false => writeln!(self.out, "<li>{name}</li>"),
            };
        }
        self.out.push_str("</ol>\n");
    }

    fn searched(&mut self, fault: &Fault) {
        let searched = fault.cause.searched();
        if searched.is_empty() {
            return;
        }
        let name = escaped(fault.culprit());
        let _ = writeln!(
            self.out,
            "<table><caption>Where Windows looked for {name}</caption>\n\
             <tr><th scope=\"col\">Folder</th><th scope=\"col\">Rule</th>\
             <th scope=\"col\">What is there</th></tr>"
        );
        for place in searched {
            let there = match &place.passed_over {
                Some(over) => format!("a file for {}", over.machine.words()),
                None => "nothing of that name".to_owned(),
            };
            let _ = writeln!(
                self.out,
                "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
                self.file(&place.directory, place.directory.as_str()),
                escaped(&place.rule.to_string()),
                escaped(&there)
            );
        }
        self.out.push_str("</table>\n");
    }

    /// Adds a table of the copy that Windows uses and the copies that it doesn't.
    fn copies(&mut self, fault: &Fault) {
        let others = copies(self.host, self.environment, fault);
        if others.is_empty() {
            return;
        }
        let name = escaped(fault.culprit());
        let _ = writeln!(
            self.out,
            "<table><caption>The copies of {name}</caption>\n\
             <tr><th scope=\"col\">Copy</th><th scope=\"col\">Version</th><th scope=\"col\">Used</th></tr>"
        );
        if let Some(path) = fault.cause.path() {
            let why = match provider(&fault.cause) {
                Some(provider) if provider.was_loaded => format!("yes: loaded first, {}", provider.rule),
                Some(provider) => format!("yes: {}", provider.rule),
                None => "yes".to_owned(),
            };
            self.copy(path, &why);
        }
        for other in &others {
            self.copy(other, "no");
        }
        self.out.push_str("</table>\n");
    }

    fn copy(&mut self, path: &WinPath, used: &str) {
        let version = self.host.files.image(path).ok().and_then(|image| image.version);
        let version = version.map_or_else(|| "none".to_owned(), |version| version.to_string());
        let row = format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            self.file(path, path.as_str()),
            escaped(&version),
            escaped(used)
        );
        self.out.push_str(&row);
    }

    fn loaded(&mut self, nodes: &[Node]) {
        let shown: Vec<&Node> = nodes.iter().filter(|node| node.state != NodeState::Missing).collect();
        if shown.is_empty() {
            return;
        }
        self.out.push_str("<section><h2>Loaded, in this order</h2>\n<ul class=\"tree\">\n");
        for node in shown {
            self.node(node);
        }
        self.out.push_str("</ul></section>\n");
    }

    fn node(&mut self, node: &Node) {
        // A module that was already loaded is shown where that happened; here it would only hide the rest.
        let is_shown = |child: &&Node| child.state != NodeState::AlreadyLoaded;
        let children: Vec<&Node> = node.children.iter().filter(is_shown).collect();
        let before = node.children.len() - children.len();
        let path = node.path.as_deref().map(WinPath::new);
        // A summary is clickable itself and can't contain a link.
        let name = match &path {
            Some(path) if children.is_empty() => self.file(path, &node.name),
            _ => escaped(&node.name),
        };
        // The rule of a node without a file already says that it is a part of Windows.
        let state =
            if node.path.is_none() && node.state == NodeState::System { "" } else { state(node.state) };
        let mut facts: Vec<String> = vec![state.to_owned()];
        facts.extend(node.version.clone());
        facts.push(node.rule.clone());
        facts.retain(|fact| !fact.is_empty());
        let mut line = format!("{name} <span class=\"quiet\">{}</span>", escaped(&facts.join(" · ")));
        if before > 0 {
            let _ = write!(
                line,
                " <span class=\"quiet\">· {} already loaded</span>",
                counted(before, "dependency", "dependencies")
            );
        }
        if children.is_empty() {
            let _ = writeln!(self.out, "<li>{line}</li>");
            return;
        }
        let open = if leads_to_failure(node) { " open" } else { "" };
        let _ = writeln!(self.out, "<li><details{open}><summary>{line}</summary><ul>");
        if let Some(path) = &path {
            let _ = writeln!(self.out, "<li>{}</li>", self.file(path, path.as_str()));
        }
        for child in children {
            self.node(child);
        }
        self.out.push_str("</ul></details></li>\n");
    }

    /// Returns a link that reveals the file.
    fn file(&self, path: &WinPath, name: &str) -> String {
        let argument = json!([{ "path": path.as_str() }]).to_string();
        format!(
            "<a href=\"command:{REVEAL}?{}\" title=\"{}\">{}</a>",
            percent_encoded(&argument),
            escaped(path.as_str()),
            escaped(name)
        )
    }
}

fn provider(cause: &Cause) -> Option<&Provider> {
    match cause {
        Cause::MissingExport { provider, .. } | Cause::OutdatedRuntime { provider, .. } => Some(provider),
        _ => None,
    }
}

/// Describes the problem with a culprit in a few words, with the code of Windows.
fn problem(cause: &Cause) -> String {
    let problem = match cause {
        Cause::NotFound { .. } => "not found".to_owned(),
        Cause::WrongMachine { machine, .. } => format!("found for {} only", machine.words()),
        Cause::BadImage { .. } => "the file is damaged".to_owned(),
        Cause::Unreadable { .. } => "the file cannot be read".to_owned(),
        Cause::MissingExport { symbols, .. } => match symbols.first() {
            Some(symbol) => format!("lacks {symbol}, which is imported from it"),
            None => "lacks a function that is imported from it".to_owned(),
        },
        Cause::MissingAssembly { assembly } => format!("needs the side-by-side assembly {}", assembly.name),
        Cause::NewerWindows { needs: (major, minor), .. } => {
            format!("is for Windows {major}.{minor} and newer")
        }
        Cause::OutdatedRuntime { version, needs, .. } => {
            format!("version {version} is too old: at least {needs} is needed")
        }
        Cause::PathTooLong { .. } => "its path is too long".to_owned(),
        Cause::LacksInstructions { sets, .. } => format!("needs a processor with {}", sets.join(", ")),
        Cause::InvalidParameter => "the flags of the load are invalid".to_owned(),
    };
    format!("{problem} (Windows error {})", cause.code())
}

fn state(state: NodeState) -> &'static str {
    match state {
        NodeState::Loaded => "loaded",
        NodeState::System => "Windows",
        NodeState::AlreadyLoaded => "already loaded",
        NodeState::Waiting => "loaded at the first call",
        NodeState::Unloaded => "unloaded again",
        NodeState::Missing => "failed",
        NodeState::Skipped => "",
    }
}

fn leads_to_failure(node: &Node) -> bool {
    node.state == NodeState::Missing || node.children.iter().any(leads_to_failure)
}

fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Returns the page with this body. Its colours are those of the editor's theme.
fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escaped(title)
    )
}

/// The style sheet of the page.
const STYLE: &str = include_str!("../../assets/page.css");

/// Escapes a text for HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible_lines(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Escapes a text for HTML, and turns text between backticks into code.
fn spans(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(number, part)| match number % 2 {
            1 => format!("<code>{}</code>", escaped(part)),
            _ => escaped(part).replace('\n', "<br>"),
        })
        .collect()
}

/// Percent-encodes everything but the unreserved characters of RFC 3986: letters, digits, and
/// `-._~`.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3 / 2);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte as char),
            byte => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}
