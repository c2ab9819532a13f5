//! A report in Markdown, to read in an editor or to paste into a bug report.

use std::fmt::Write;

use super::{ChainLine, Located, Report};
use crate::action::Action;
use crate::diagnosis::{Finding, Severity};
use crate::host::WinPath;
use crate::visible::{visible, visible_lines};

/// Renders the report as Markdown. Each cause is described once, with all affected locations.
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
            [] => writeln!(out, "\nNo watched package is imported."),
            names => writeln!(out, "\nNo problems were found with {}.", names.join(", ")),
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
        let _ = writeln!(out, "- {name}: {value}");
    };
    let by = |launcher: &WinPath| format!(", started by {}", code(launcher.as_str()));
    fact(
        "Interpreter",
        format!(
            "{} (Python {}, {}, {}{})",
            code(environment.interpreter.as_str()),
            environment.full_version(),
            environment.machine.words(),
            environment.kind,
            environment.launcher().map_or_else(String::new, by)
        ),
    );
    let windows = report.host.windows_version.as_deref();
    let windows = windows.map_or(String::new(), |version| format!(", Windows {}", escaped(version)));
    let assumed = report
        .assumed
        .as_ref()
        .map_or(String::new(), |assumed| format!("; {}", escaped(&assumed.to_string())));
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
        gaps.extend(failing.map(|failing| {
            format!("{} may fail to load: {}", report.environment.short(&failing.file), failing.why)
        }));
        fact(
            &format!("Unknown about {}", code(&format!("import {}", package.import))),
            escaped(&gaps.join("; ")),
        );
    }
    fact("WhyDLL", env!("CARGO_PKG_VERSION").to_owned());
}

fn cause(out: &mut String, report: &Report<'_>, located: &Located) {
    let finding = &located.finding;
    let kind = if finding.is_note { "Note" } else { severity(finding.severity) };
    let _ = writeln!(out, "\n## {kind}: {}\n", escaped(&finding.what));
    for location in report.locations_of(located) {
        let _ = match &location.link {
            Some(link) => writeln!(out, "- [{}](<{link}>)", code(&location.name)),
            None => writeln!(out, "- {}", code(&location.name)),
        };
    }
    paragraph(out, "How we know", &escaped(&finding.evidence));
    let chain = report.chain_of(finding);
    if !chain.is_empty() {
        let _ = writeln!(out, "\n{}", fenced(&nested(chain.iter().map(ChainLine::text))));
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
        let shown = |language| {
            let lines = fenced_as(language, &value).replace('\n', "\n  ");
            format!("\n  {lines}\n")
        };
        let _ = match &fix.action {
            Action::ChooseInterpreter => Ok(()),
            Action::Open(url) => writeln!(out, "  <{url}>"),
            Action::Run(_) | Action::Rename { .. } | Action::Steps(_) => {
                writeln!(out, "{}", shown("powershell"))
            }
            Action::AddDllDirectory(_)
            | Action::PrependPath(_)
            | Action::LoadFirst(_)
            | Action::MoveImport { .. } => writeln!(out, "{}", shown("python")),
            Action::UseInterpreter(_) => writeln!(out, "{}", shown("json")),
        };
    }
    if !finding.caution.is_empty() {
        let _ = writeln!(out, "\n{}", escaped(&finding.caution));
    }
    let _ = writeln!(out, "\nMore: [{}]({})", finding.code, finding.code.url());
}

fn searched(out: &mut String, finding: &Finding) {
    let Some(dll) = finding.dlls.first().filter(|_| !finding.searched.is_empty()) else { return };
    let _ = writeln!(out, "\n{} was searched for in\n", code(dll));
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

/// Capitalizes a heading, unless it begins with the name of a package.
fn capitalized(text: &str) -> String {
    match text.strip_prefix("no ") {
        Some(rest) => format!("No {rest}"),
        None => text.to_owned(),
    }
}

/// Returns a code span, delimited by more backticks than the text has in a row.
pub fn code(text: &str) -> String {
    let text = visible(text);
    let marks = "`".repeat(longest_run(&text) + 1);
    // Markdown strips one space at both ends.
    let is_plain = !text.is_empty() && !text.contains('`') && !text.starts_with(' ') && !text.ends_with(' ');
    if is_plain { format!("{marks}{text}{marks}") } else { format!("{marks} {text} {marks}") }
}

/// Draws the lines of a chain, each below the one that needs it.
pub fn nested(lines: impl IntoIterator<Item = String>) -> String {
    let nested = lines.into_iter().enumerate().map(|(depth, line)| match depth {
        0 => visible(&line).into_owned(),
        _ => format!("{}└─ {}", "   ".repeat(depth - 1), visible(&line)),
    });
    nested.collect::<Vec<String>>().join("\n")
}

/// Returns a code block, whose fence is longer than any in the text.
pub fn fenced(text: &str) -> String {
    fenced_as("text", text)
}

fn fenced_as(language: &str, text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let text = visible_lines(&text);
    let fence = "`".repeat((longest_run(&text) + 1).max(3));
    format!("{fence}{language}\n{text}\n{fence}")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Escapes a text for one line of Markdown. Only its code spans keep their meaning.
pub fn escaped(text: &str) -> String {
    let text = visible(text);
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest: &str = &text;
    if let Some((start, mark)) = item_mark(rest) {
        out.push_str(start);
        out.push('\\');
        out.push(mark);
        rest = rest.get(start.len() + mark.len_utf8()..).unwrap_or_default();
    }
    while let Some(at) = rest.find('`') {
        let (before, from) = rest.split_at(at);
        escape_into(&mut out, before);
        let after = from.trim_start_matches('`');
        let marks = from.len() - after.len();
        let span = end_of_span(after, marks).unwrap_or(0);
        // Without an end, backticks are ordinary characters.
        match span {
            0 => out.push_str(&"\\`".repeat(marks)),
            _ => out.push_str(from.get(..marks + span).unwrap_or_default()),
        }
        rest = after.get(span..).unwrap_or_default();
    }
    escape_into(&mut out, rest);
    out
}

fn escape_into(out: &mut String, text: &str) {
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '<' | '>' | '[' | ']' | '#' | '|' | '~' | '&' | '$' | '^') {
            out.push('\\');
        }
        out.push(c);
    }
}

/// Finds a mark that would make the text a list item or a thematic break. Returns the text before
/// the mark, and the mark.
fn item_mark(text: &str) -> Option<(&str, char)> {
    let number = text.trim_start_matches(' ');
    let rest = number.trim_start_matches(|c: char| c.is_ascii_digit());
    let mark = rest.chars().next()?;
    let start = text.strip_suffix(rest)?;
    let is_mark =
        if rest.len() == number.len() { matches!(mark, '-' | '+' | '=') } else { matches!(mark, '.' | ')') };
    let ends = rest.get(1..).is_some_and(|after| after.is_empty() || after.starts_with([' ', mark]));
    (is_mark && ends).then_some((start, mark))
}

/// Returns the end of a code span that began with `marks` backticks: after the next run of that
/// many.
fn end_of_span(text: &str, marks: usize) -> Option<usize> {
    let mut at = 0;
    loop {
        at += text.get(at..)?.find('`')?;
        let run = text.get(at..)?.chars().take_while(|&c| c == '`').count();
        at += run;
        if run == marks {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

    use super::*;

    #[test]
    fn names_are_not_taken_for_markdown() {
        assert_eq!(escaped(r"_a_ in C:\_x: `import a_b`"), r"\_a\_ in C:\\\_x: `import a_b`");
        assert_eq!(escaped("a`](command:x)"), r"a\`\](command:x)");
        assert_eq!(escaped("`a``b` <img> ```"), r"`a``b` \<img\> \`\`\`");
        assert_eq!(escaped("- a"), r"\- a");
        assert_eq!(escaped(" - a"), r" \- a");
        assert_eq!(escaped("1. a"), r"1\. a");
        assert_eq!(escaped("1.2 a"), "1.2 a");
        assert_eq!(code(r"C:\_x_"), r"`C:\_x_`");
        assert_eq!(code("a`b"), "`` a`b ``");
        assert_eq!(code("```"), "```` ``` ````");
        assert_eq!(fenced("a\r\n```"), "````text\na\n```\n````");
    }

    /// Texts with characters that are special to Markdown, HTML, and editors.
    fn hostile() -> impl Strategy<Value = String> {
        const PARTS: &[&str] = &[
            "a",
            "B.dll",
            " ",
            "`",
            "``",
            "```",
            "[x](command:workbench.action.terminal.new)",
            "](https://example.com)",
            "![x](y)",
            "<img src=x onerror=alert(1)>",
            "<!-- ",
            "<https://example.com>",
            "&lt;",
            "*",
            "_",
            "~~",
            "#",
            "- ",
            "1. ",
            "> ",
            "---",
            "===",
            "|",
            "\\",
            "\n",
            "\r\n",
            "\n\n",
            "\n# a",
            "\n```\n",
            "    ",
            "\t",
            "$x$",
            "[x]: y",
            "\u{1b}[2J",
            "\u{202e}",
            "\0",
        ];
        let part =
            prop_oneof![4 => prop::sample::select(PARTS).prop_map(str::to_owned), 1 => any::<String>()];
        prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
    }

    fn events(markdown: &str) -> Vec<Event<'_>> {
        Parser::new_ext(markdown, Options::all()).collect()
    }

    proptest! {
        #[test]
        fn an_escaped_sentence_contains_no_markup(text in hostile(), starts in any::<bool>()) {
            let markdown = format!("{}{}\n", if starts { "" } else { "A sentence: " }, escaped(&text));
            for event in events(&markdown) {
                let is_text = matches!(
                    event,
                    Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph) | Event::Text(_) | Event::Code(_)
                );
                // A line that begins with four spaces is shown verbatim.
                let is_shown = matches!(event, Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) | Event::End(TagEnd::CodeBlock));
                prop_assert!(is_text || is_shown, "{event:?} in {markdown}");
            }
        }

        #[test]
        fn a_code_span_contains_the_whole_text(text in hostile()) {
            let markdown = format!("- {} and more\n", code(&text));
            let codes: Vec<_> = events(&markdown).into_iter().filter(|it| matches!(it, Event::Code(_))).collect();
            let [Event::Code(shown)] = codes.as_slice() else { return Err(TestCaseError::fail(format!("{codes:?}"))) };
            let expected = visible(&text);
            prop_assert_eq!(shown.trim_matches(' '), expected.trim_matches(' '));
        }

        #[test]
        fn a_code_block_contains_the_whole_text(text in hostile()) {
            let markdown = fenced(&text);
            let events = events(&markdown);
            let [Event::Start(Tag::CodeBlock(_)), texts @ .., Event::End(TagEnd::CodeBlock)] = events.as_slice() else {
                return Err(TestCaseError::fail(format!("{events:?}")));
            };
            prop_assert!(texts.iter().all(|event| matches!(event, Event::Text(_))), "{:?}", texts);
        }
    }
}
