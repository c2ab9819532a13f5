//! The answer of a check as a document in Markdown: to be read in an editor and pasted into a bug report.

use std::fmt::Write;

use super::{Located, Report};
use crate::action::Action;
use crate::diagnosis::{Finding, Severity};

/// The report. One cause is told once, with all the places that run into it.
pub fn check_markdown(report: &Report<'_>) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "# {}\n", escaped(&capitalized(&report.headline())));
    facts(&mut out, report);
    let causes = report.causes();
    for located in &causes {
        cause(&mut out, report, located);
    }
    if causes.is_empty() {
        let names: Vec<String> =
            report.packages.iter().map(|package| code(&format!("import {}", package.import))).collect();
        let _ = match names.as_slice() {
            [] => writeln!(out, "\nNothing is imported that is watched."),
            names => writeln!(out, "\nNothing is wrong with {}.", names.join(", ")),
        };
    }
    for located in report.notes() {
        cause(&mut out, report, located);
    }
    out
}

fn facts(out: &mut String, report: &Report<'_>) {
    let environment = report.environment;
    let mut fact = |name: &str, value: String| {
        let _ = writeln!(out, "- {name}: {}", value.replace(['\r', '\n'], " "));
    };
    fact(
        "Interpreter",
        format!(
            "{} (Python {}, {}, {})",
            code(environment.interpreter.as_str()),
            environment.version,
            environment.machine.words(),
            environment.kind
        ),
    );
    let windows = report.host.windows_version.as_deref().map_or(String::new(), |v| format!(", Windows {v}"));
    let assumed = report.assumed.as_ref().map_or(String::new(), |assumed| format!("; {}", escaped(assumed)));
    fact("Machine", format!("{}{windows}{assumed}", escaped(&report.host.kind.to_string())));
    fact("VC++ runtime", escaped(&report.runtimes()));
    for package in &report.packages {
        let place = match &package.path {
            Some(path) => format!("{} in {}", escaped(&package.installed()), code(path.as_str())),
            None => "not installed".to_owned(),
        };
        fact(&code(&format!("import {}", package.import)), place);
    }
    for package in report.packages.iter().filter(|package| !package.coverage.is_full()) {
        let mut gaps: Vec<String> = package.coverage.gaps.iter().map(|gap| report.gap(gap)).collect();
        let failing = package.coverage.not_reached.iter().flat_map(|missed| &missed.failing);
        gaps.extend(
            failing
                .map(|failing| format!("{} may fail to load: {}", report.short(&failing.file), failing.why)),
        );
        fact(
            &format!("Not known of {}", code(&format!("import {}", package.import))),
            escaped(&gaps.join("; ")),
        );
    }
    fact("WhyDLL", env!("CARGO_PKG_VERSION").to_owned());
}

fn cause(out: &mut String, report: &Report<'_>, located: &Located) {
    let finding = &located.finding;
    let kind = if finding.is_note { "Note" } else { severity(finding.severity) };
    let _ = writeln!(out, "\n## {kind}: {}\n", escaped(&finding.what));
    for place in report.places_of(located) {
        let _ = match &place.link {
            Some(link) => writeln!(out, "- [{}](<{link}>)", code(&place.name)),
            None => writeln!(out, "- {}", code(&place.name)),
        };
    }
    paragraph(out, "How we know", &escaped(&finding.evidence));
    let chain = report.chain_of(finding);
    if !chain.is_empty() {
        let _ = writeln!(out, "\n```text");
        for (depth, link) in chain.iter().enumerate() {
            let _ = match depth {
                0 => writeln!(out, "{}", link.text()),
                _ => writeln!(out, "{}└─ {}", "   ".repeat(depth - 1), link.text()),
            };
        }
        let _ = writeln!(out, "```");
    }
    searched(out, finding);
    if let Some(sentence) = &finding.python_error {
        let _ = writeln!(out, "\n**Python says**\n\n{}", fenced(sentence.trim_end()));
    }
    let _ = writeln!(out, "\n**What to do**\n");
    if !finding.fixes.iter().any(|fix| fix.preferred) {
        let _ = writeln!(out, "{}\n", escaped(&finding.advice));
    }
    for fix in &finding.fixes {
        let mark = match (fix.preferred, fix.remark()) {
            (true, _) => " (recommended)".to_owned(),
            (false, Some(remark)) => format!(" ({})", escaped(&remark)),
            (false, None) => String::new(),
        };
        let _ = writeln!(out, "- {}{mark}", escaped(&fix.title));
        let value = report.value_of(located, &fix.action);
        let _ = match &fix.action {
            Action::ChooseInterpreter => Ok(()),
            Action::Open(address) => writeln!(out, "  <{address}>"),
            Action::Run(_) | Action::Rename { .. } | Action::Steps(_) => {
                writeln!(out, "\n  ```powershell\n  {}\n  ```\n", value.replace('\n', "\n  "))
            }
            Action::AddDllDirectory(_)
            | Action::PrependPath(_)
            | Action::LoadFirst(_)
            | Action::MoveImport { .. } => {
                writeln!(out, "\n  ```python\n  {}\n  ```\n", value.replace('\n', "\n  "))
            }
            Action::UseInterpreter(_) => writeln!(out, "\n  ```json\n  {value}\n  ```\n"),
        };
    }
    if !finding.caution.is_empty() {
        let _ = writeln!(out, "\n{}", escaped(&finding.caution));
    }
    let _ = writeln!(out, "\nMore: [{}]({})", finding.code, finding.code.page());
}

fn searched(out: &mut String, finding: &Finding) {
    let Some(dll) = finding.dlls.first().filter(|_| !finding.searched.is_empty()) else { return };
    let _ = writeln!(out, "\n{} was searched in\n", code(dll));
    for (at, searched) in finding.searched.iter().enumerate() {
        let remark = searched.remark.as_ref().map_or(String::new(), |remark| format!(": {remark}"));
        let rule = escaped(&format!("{}{remark}", searched.rule));
        let _ = writeln!(out, "{}. {}, {rule}", at + 1, code(searched.directory.as_str()));
    }
}

fn paragraph(out: &mut String, title: &str, text: &str) {
    if !text.is_empty() {
        let _ = writeln!(out, "\n**{title}**\n\n{text}");
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "Error",
        Severity::Warning => "Warning",
        Severity::Information => "Information",
        Severity::Hint => "Hint",
    }
}

/// A name keeps its case, so only what begins with a word of ours is changed.
fn capitalized(text: &str) -> String {
    match text.strip_prefix("no ") {
        Some(rest) => format!("No {rest}"),
        None => text.to_owned(),
    }
}

/// A span of code holds everything as it is, between marks that it does not hold itself.
pub fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// In a fence that is longer than any in it.
pub fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}text\n{text}\n{fence}")
}

/// Nothing in it is taken for Markdown but the spans of code that it has.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_code = false;
    for c in text.chars() {
        in_code ^= c == '`';
        if !in_code && matches!(c, '\\' | '*' | '_' | '<' | '>' | '[' | ']' | '#' | '|' | '~' | '&') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_not_taken_for_markdown() {
        assert_eq!(escaped(r"_a_ in C:\_x: `import a_b`"), r"\_a\_ in C:\\\_x: `import a_b`");
        assert_eq!(code(r"C:\_x_"), r"`C:\_x_`");
        assert_eq!(code("a`b"), "`` a`b ``");
    }
}
