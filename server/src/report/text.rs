//! A report for a terminal: the underlined import, what is wrong, how we know with the chain as a
//! tree, and what to do.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::{ChainLine, Located, Remark, Report};
use crate::action::Action;
use crate::diagnosis::{DiagnosedPackage, FAILS_AND_IS_HANDLED, Finding, Severity};
use crate::source::{LineIndex, Position};
use crate::visible::{visible, visible_lines};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const BLUE: Style = AnsiColor::Blue.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default().bold();

/// The maximum length of a line of running text, in characters.
const WIDTH: usize = 96;

/// Renders the report with ANSI styles, which the writer strips if the output isn't a terminal.
pub fn check_text(report: &Report<'_>) -> String {
    let mut out = String::new();
    for located in report.causes() {
        finding(&mut out, report, located);
        also_at(&mut out, report, located);
        out.push('\n');
    }
    summary(&mut out, report);
    out
}

/// Lists the other imports with the same cause.
fn also_at(out: &mut String, report: &Report<'_>, located: &Located) {
    let locations: Vec<String> = report
        .locations_of(located)
        .into_iter()
        .skip(1)
        .map(|location| visible(&location.name).into_owned())
        .collect();
    section(out, "also at", &locations);
}

fn color(severity: Severity) -> Style {
    match severity {
        Severity::Error => AnsiColor::Red.on_default().bold(),
        Severity::Warning => AnsiColor::Yellow.on_default().bold(),
        Severity::Information | Severity::Hint => AnsiColor::Cyan.on_default().bold(),
    }
}

fn finding(out: &mut String, report: &Report<'_>, located: &Located) {
    let finding = &located.finding;
    let style = color(finding.severity);
    let head = format!("{}[{}]: ", finding.severity.name(), finding.code);
    let mut lines = wrapped(&finding.what, WIDTH.saturating_sub(head.len()), WIDTH).into_iter();
    let first = lines.next().unwrap_or_default();
    let _ =
        writeln!(out, "{style}{}[{}]{style:#}{BOLD}: {first}{BOLD:#}", finding.severity.name(), finding.code);
    for line in lines {
        let _ = writeln!(out, "{BOLD}{line}{BOLD:#}");
    }
    place(out, report, located, style);
    section(out, "how we know", &wrapped(&finding.evidence, WIDTH - 4, WIDTH - 4));
    tree(out, report, finding, style);
    searched(out, finding);
    if let Some(sentence) = &finding.python_error {
        section(out, "Python says", &wrapped(&essential(sentence), WIDTH - 4, WIDTH - 4));
    }
    fixes(out, report, located);
}

/// Shows the line of the import, with the module underlined.
fn place(out: &mut String, report: &Report<'_>, located: &Located, style: Style) {
    let Some((document, range)) = located.at else {
        return;
    };
    let Some(document) = report.documents.get(document) else {
        return;
    };
    // A lone carriage return ends a line too.
    let start =
        LineIndex::new(&document.text).offset(&document.text, Position { character: 0, ..range.start });
    let rest = document.text.get(start..).unwrap_or_default();
    let line = rest.split(['\n', '\r']).next().unwrap_or_default();
    let number = (range.start.line + 1).to_string();
    let gutter = " ".repeat(number.len());
    let (before, from) = line.split_at(byte_of(line, range.start.character));
    let end = byte_of(line, range.end.character).saturating_sub(before.len());
    let (module, after) = from.split_at(end);
    let column = match document.cell {
        None => format!(":{}", before.chars().count() + 1),
        Some(_) => String::new(),
    };
    let name = document.location(range.start).name;
    let (before, module, after) = (visible_lines(before), visible_lines(module), visible_lines(after));
    let indent: String = before.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let marks = "^".repeat(module.chars().count().max(1));
    let _ = writeln!(out, "{BLUE}{gutter} -->{BLUE:#} {}{column}", visible(&name));
    let _ = writeln!(out, "{BLUE}{gutter} |{BLUE:#}");
    let _ = writeln!(out, "{BLUE}{number} |{BLUE:#} {before}{module}{after}");
    let _ = writeln!(out, "{BLUE}{gutter} |{BLUE:#} {indent}{style}{marks}{style:#}");
}

/// Returns the byte offset in a line that corresponds to a number of UTF-16 code units.
fn byte_of(line: &str, units: u32) -> usize {
    let mut count = 0;
    let reached = line.char_indices().find(|(_, c)| {
        let is_reached = count >= units;
        count += c.len_utf16() as u32;
        is_reached
    });
    reached.map_or(line.len(), |(at, _)| at)
}

/// Shortens a long message to its first and last line. Some packages put long advice between the
/// two.
fn essential(sentence: &str) -> String {
    const MAX_LINES: usize = 8;
    let lines: Vec<&str> = sentence.lines().filter(|line| !line.trim().is_empty()).collect();
    match lines.as_slice() {
        [first, .., last] if lines.len() > MAX_LINES => format!("{first}\n…\n{last}"),
        lines => lines.join("\n"),
    }
}

fn section(out: &mut String, title: &str, lines: &[String]) {
    if lines.iter().all(|line| line.is_empty()) {
        return;
    }
    let _ = writeln!(out, "\n  {BLUE}{title}{BLUE:#}");
    for line in lines {
        let _ = writeln!(out, "    {line}");
    }
}

/// Draws the chain, each module below the one that needs it.
fn tree(out: &mut String, report: &Report<'_>, finding: &Finding, style: Style) {
    let styled = |link: ChainLine| match link.remark {
        Remark::None => visible(&link.name).into_owned(),
        Remark::Line(line) => format!("{} {DIM}line {line}{DIM:#}", visible(&link.name)),
        Remark::Culprit(what) => format!("{style}{}{style:#}  {}", visible(&link.name), visible(&what)),
    };
    let nodes: Vec<String> = report.chain_of(finding).into_iter().map(styled).collect();
    if nodes.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n  {BLUE}chain{BLUE:#}");
    for (depth, node) in nodes.iter().enumerate() {
        match depth {
            0 => drop(writeln!(out, "    {node}")),
            _ => drop(writeln!(out, "    {}{DIM}└─{DIM:#} {node}", "   ".repeat(depth - 1))),
        }
    }
    // Further culprits of the same cause, which would fail next.
    for dll in finding.dlls.iter().skip(1) {
        let _ = writeln!(
            out,
            "    {}{DIM}and{DIM:#} {style}{}{style:#}",
            "   ".repeat(nodes.len().saturating_sub(2)),
            visible(dll)
        );
    }
}

fn searched(out: &mut String, finding: &Finding) {
    let Some(dll) = finding.dlls.first().filter(|_| !finding.searched.is_empty()) else {
        return;
    };
    let _ = writeln!(out, "\n  {BLUE}searched for {} in{BLUE:#}", visible(dll));
    let directories: Vec<_> = finding.searched.iter().map(|s| visible(s.directory.as_str())).collect();
    let width = directories.iter().map(|directory| directory.chars().count()).max().unwrap_or(0);
    for (at, (searched, directory)) in finding.searched.iter().zip(&directories).enumerate() {
        let pad = " ".repeat(width.saturating_sub(directory.chars().count()));
        let remark = searched.remark.as_ref().map_or(String::new(), |remark| format!(": {remark}"));
        let rule = format!("{}{remark}", searched.rule);
        let _ = writeln!(out, "    {}. {directory}{pad}  {DIM}{}{DIM:#}", at + 1, visible(&rule));
    }
}

fn fixes(out: &mut String, report: &Report<'_>, located: &Located) {
    let finding = &located.finding;
    if finding.fixes.is_empty() {
        section(out, "what to do", &wrapped(&finding.advice, WIDTH - 4, WIDTH - 4));
        return;
    }
    let _ = writeln!(out, "\n  {BLUE}what to do{BLUE:#}");
    if !finding.fixes.iter().any(|fix| fix.preferred) {
        for line in wrapped(&finding.advice, WIDTH - 4, WIDTH - 4) {
            let _ = writeln!(out, "    {line}");
        }
    }
    for fix in &finding.fixes {
        let mark = if fix.preferred { format!("{GREEN}*{GREEN:#}") } else { "-".to_owned() };
        let _ = writeln!(out, "    {mark} {}", visible(&fix.title));
        if !matches!(fix.action, Action::ChooseInterpreter) {
            for line in report.value_of(located, &fix.action).lines() {
                let _ = writeln!(out, "      {BOLD}{}{BOLD:#}", visible(line));
            }
        }
        for line in fix.remark().iter().flat_map(|remark| wrapped(remark, WIDTH - 6, WIDTH - 6)) {
            let _ = writeln!(out, "      {DIM}{line}{DIM:#}");
        }
    }
    for line in wrapped(&finding.caution, WIDTH - 4, WIDTH - 4).iter().filter(|line| !line.is_empty()) {
        let _ = writeln!(out, "    {line}");
    }
    let _ = writeln!(out, "\n  {DIM}more: {}{DIM:#}", finding.code.url());
}

fn summary(out: &mut String, report: &Report<'_>) {
    let environment = report.environment;
    let count = |severity| report.findings.iter().filter(|l| l.finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let watched: usize = report.documents.iter().map(|document| document.watched_imports).sum();
    if errors > 0 || warnings > 0 {
        let style = color(if errors > 0 { Severity::Error } else { Severity::Warning });
        let health = report.health().name();
        let _ = writeln!(
            out,
            "{style}{health}{style:#}: {}, {}",
            plural(errors, "error"),
            plural(warnings, "warning")
        );
    } else if !report.documents.is_empty() && watched == 0 {
        let _ = writeln!(out, "{} checked: no watched package is imported", plural(report.files(), "file"));
    } else {
        let handled: Vec<&str> = report.handled().collect();
        for package in &report.packages {
            let extent = match handled.contains(&package.import.as_str()) {
                true => format!(" {FAILS_AND_IS_HANDLED}"),
                false => format!(" works{}", package.coverage.extent(|file| report.environment.short(file))),
            };
            let summary = format!("`import {}`{extent} ({})", package.import, package.installed());
            let _ = writeln!(out, "{GREEN}healthy{GREEN:#}: {}", visible(&summary));
        }
    }
    for package in report.packages.iter().filter(|package| !package.coverage.is_full()) {
        gaps(out, report, package);
    }
    for package in report.packages.iter().filter(|package| package.path.is_some()) {
        let path = package.path.as_ref().map_or("", |path| path.as_str());
        let location = format!("{} in {path}", package.installed());
        let _ = writeln!(out, "  {DIM}package{DIM:#}      {}", visible(&location));
    }
    let launcher = environment.launcher();
    let launcher = launcher.map_or_else(String::new, |launcher| format!(", started by {launcher}"));
    let _ = writeln!(
        out,
        "  {DIM}interpreter{DIM:#}  {} {DIM}(Python {}, {}, {}{}){DIM:#}",
        visible(environment.interpreter.as_str()),
        environment.full_version(),
        environment.machine.words(),
        environment.kind,
        visible(&launcher)
    );
    let windows = report.host.windows_version.as_deref().map_or(String::new(), |v| format!("Windows {v}, "));
    let assumed = report.assumed.as_ref().map_or(String::new(), |assumed| format!("; {assumed}"));
    let kind = report.host.kind.to_string();
    let facts = format!("({windows}{}{assumed})", report.runtimes());
    let _ = writeln!(out, "  {DIM}machine{DIM:#}      {} {DIM}{}{DIM:#}", visible(&kind), visible(&facts));
}

/// Lists the parts of an import that are unknown.
fn gaps(out: &mut String, report: &Report<'_>, package: &DiagnosedPackage) {
    const MAX_ITEMS: usize = 5;
    let coverage = &package.coverage;
    let mut lines: Vec<String> = coverage
        .gaps
        .iter()
        .take(MAX_ITEMS)
        .flat_map(|gap| wrapped(&report.gap(gap), WIDTH - 4, WIDTH - 4))
        .collect();
    if coverage.gaps.len() > MAX_ITEMS {
        lines.push(format!("and {} more", coverage.gaps.len() - MAX_ITEMS));
    }
    for missed in &coverage.not_reached {
        let files = if missed.count == 1 {
            "1 native file".to_owned()
        } else {
            format!("{} native files", missed.count)
        };
        lines.push(format!("not reached: {files} of {}", visible(&missed.distribution)));
        for failing in missed.failing.iter().take(MAX_ITEMS) {
            let text = format!("may fail: {}: {}", report.environment.short(&failing.file), failing.why);
            lines.extend(wrapped(&text, WIDTH - 4, WIDTH - 4));
        }
        if missed.failing.len() > MAX_ITEMS {
            lines.push(format!("and {} more that may fail", missed.failing.len() - MAX_ITEMS));
        }
    }
    section(out, &format!("unknown about `import {}`", visible(&package.import)), &lines);
    out.push('\n');
}

/// Wraps running text and makes it visible. The first line has at most `first` characters and the
/// others at most `rest`. Words are never broken, so that paths stay whole.
fn wrapped(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines().map(visible) {
        let mut line = String::new();
        let mut length = 0;
        for word in paragraph.split(' ') {
            let width = word.chars().count();
            let limit = if lines.is_empty() { first } else { rest };
            if length > 0 && length + 1 + width > limit {
                lines.push(std::mem::take(&mut line));
                length = 0;
            }
            if length > 0 {
                line.push(' ');
                length += 1;
            }
            line.push_str(word);
            length += width;
        }
        lines.push(line);
    }
    lines
}
