//! The answer of a check for a person at a terminal: the import underlined, what is wrong, how we know
//! with the chain as a tree, what to do.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::{Located, Report};
use crate::diagnosis::{Finding, Package, Severity};
use crate::fix::{Action, Fix};
use crate::host::WinPath;
use crate::source::{LineIndex, Position};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const BLUE: Style = AnsiColor::Blue.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default().bold();

/// Longest line of running text, in characters.
const WIDTH: usize = 96;

/// The report, with ANSI styles; the writer strips them where the output is no terminal.
pub fn check_text(report: &Report<'_>) -> String {
    let mut out = String::new();
    let mut told: Vec<&Located> = Vec::new();
    for located in &report.findings {
        if told.iter().any(|known| same_cause(known, located)) {
            continue;
        }
        told.push(located);
        finding(&mut out, report, located);
        also_at(&mut out, report, located);
        out.push('\n');
    }
    summary(&mut out, report);
    out
}

/// One cause is told once, however many imports run into it.
fn same_cause(one: &Located, other: &Located) -> bool {
    let (one, other) = (&one.finding, &other.finding);
    one.code == other.code
        && one.severity == other.severity
        && one.package == other.package
        && one.dlls == other.dlls
}

/// The other imports with the same cause.
fn also_at(out: &mut String, report: &Report<'_>, located: &Located) {
    const MOST: usize = 10;
    let same = report.findings.iter().filter(|other| same_cause(located, other));
    let mut places = same.filter(|other| other.at != located.at).filter_map(|other| {
        let (document, range) = other.at?;
        Some(format!("{}:{}", report.documents.get(document)?.name, range.start.line + 1))
    });
    let mut lines: Vec<String> = places.by_ref().take(MOST).collect();
    match places.count() {
        0 => {}
        more => lines.push(format!("and {more} more")),
    }
    section(out, "also at", &lines);
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
    fixes(out, finding);
}

/// The line of the import, its module underlined.
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
    // Columns are UTF-16 units; for the eye, characters count.
    let characters = |units: u32| {
        let mut seen = 0;
        line.chars()
            .take_while(|c| {
                let before = seen;
                seen += c.len_utf16() as u32;
                before < units
            })
            .count()
    };
    let start = characters(range.start.character);
    let end = characters(range.end.character).max(start + 1);
    let indent: String = line.chars().take(start).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let _ = writeln!(out, "{BLUE}{gutter} -->{BLUE:#} {}:{number}:{}", document.name, start + 1);
    let _ = writeln!(out, "{BLUE}{gutter} |{BLUE:#}");
    let _ = writeln!(out, "{BLUE}{number} |{BLUE:#} {line}");
    let _ = writeln!(out, "{BLUE}{gutter} |{BLUE:#} {indent}{style}{}{style:#}", "^".repeat(end - start));
}

/// Packages wrap long advice around what went wrong; the lines that say it are the first and the last.
fn essential(sentence: &str) -> String {
    const MOST_LINES: usize = 8;
    let lines: Vec<&str> = sentence.lines().filter(|line| !line.trim().is_empty()).collect();
    match lines.as_slice() {
        [first, .., last] if lines.len() > MOST_LINES => format!("{first}\n…\n{last}"),
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

/// From the Python file that imports down to the culprit. Paths in the folder of packages begin there.
fn tree(out: &mut String, report: &Report<'_>, finding: &Finding, style: Style) {
    let short = |path: &WinPath| {
        let folders = &report.environment.site_packages;
        let below = folders.iter().find_map(|folder| path.below(folder));
        below.map_or_else(|| path.as_str().to_owned(), |tail| tail.replace('\\', "/"))
    };
    let mut nodes: Vec<String> = Vec::new();
    for related in finding.related.iter().rev() {
        nodes.push(format!("{} {DIM}line {}{DIM:#}", short(&related.file), related.line));
    }
    let last = finding.chain.len();
    for (at, link) in finding.chain.iter().enumerate() {
        let found = link.path.as_ref().map_or(link.name.clone(), short);
        nodes.push(match (at + 1 == last, &link.path) {
            (true, None) => format!("{style}{found}{style:#}  not found"),
            (true, Some(_)) => format!("{style}{found}{style:#}  cannot be loaded"),
            _ => found,
        });
    }
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
    // Further culprits of the same cause, which Windows would name next.
    for dll in finding.dlls.iter().skip(1) {
        let _ = writeln!(
            out,
            "    {}{DIM}and{DIM:#} {style}{dll}{style:#}",
            "   ".repeat(nodes.len().saturating_sub(2))
        );
    }
}

fn searched(out: &mut String, finding: &Finding) {
    let Some(dll) = finding.dlls.first().filter(|_| !finding.searched.is_empty()) else {
        return;
    };
    let _ = writeln!(out, "\n  {BLUE}searched for {dll} in{BLUE:#}");
    let width = finding.searched.iter().map(|s| s.directory.as_str().chars().count()).max().unwrap_or(0);
    for (at, searched) in finding.searched.iter().enumerate() {
        let directory = searched.directory.as_str();
        let pad = " ".repeat(width.saturating_sub(directory.chars().count()));
        let remark = searched.remark.as_ref().map_or(String::new(), |remark| format!(": {remark}"));
        let _ = writeln!(out, "    {}. {directory}{pad}  {DIM}{}{remark}{DIM:#}", at + 1, searched.rule);
    }
}

fn fixes(out: &mut String, finding: &Finding) {
    if finding.fixes.is_empty() {
        section(out, "what to do", &wrapped(&finding.advice, WIDTH - 4, WIDTH - 4));
        return;
    }
    let _ = writeln!(out, "\n  {BLUE}what to do{BLUE:#}");
    let mut ordered: Vec<&Fix> = finding.fixes.iter().collect();
    ordered.sort_by_key(|fix| !fix.preferred);
    for fix in ordered {
        let mark = if fix.preferred { format!("{GREEN}*{GREEN:#}") } else { "-".to_owned() };
        let _ = writeln!(out, "    {mark} {}", fix.title);
        if !matches!(fix.action, Action::ChooseInterpreter) {
            let _ = writeln!(out, "      {BOLD}{}{BOLD:#}", fix.action.value());
        }
    }
    let _ = writeln!(out, "\n  {DIM}more: {}{DIM:#}", finding.code.page());
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
        let _ = writeln!(
            out,
            "{} checked: nothing is imported there that is watched",
            plural(report.documents.len(), "file")
        );
    } else {
        for package in &report.packages {
            let _ = writeln!(
                out,
                "{GREEN}healthy{GREEN:#}: `import {}` works ({})",
                package.import,
                installed(package)
            );
        }
    }
    for package in report.packages.iter().filter(|package| package.path.is_some()) {
        let path = package.path.as_ref().map_or("", |path| path.as_str());
        let _ = writeln!(out, "  {DIM}package{DIM:#}      {} in {path}", installed(package));
    }
    let _ = writeln!(
        out,
        "  {DIM}interpreter{DIM:#}  {} {DIM}(Python {}, {}, {}){DIM:#}",
        environment.interpreter,
        environment.version,
        environment.machine.words(),
        environment.kind
    );
    let windows = report.host.windows_version.as_deref().map_or(String::new(), |v| format!("Windows {v}, "));
    let runtimes: Vec<String> =
        report.host.vc_runtimes().iter().map(|r| format!("{} ({})", r.version, r.machine)).collect();
    let runtimes = match runtimes.as_slice() {
        [] => "no VC++ runtime in its system directory".to_owned(),
        some => format!("VC++ runtime {}", some.join(", ")),
    };
    let registered = report.host.misregistered_runtimes().into_iter();
    let registered = registered.map(|it| format!("{} ({})", it.registered.version, it.registered.machine));
    let registered = match registered.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => none,
        some => format!(", though {some} is registered"),
    };
    let assumed = report.assumed.as_ref().map_or(String::new(), |assumed| format!("; {assumed}"));
    let _ = writeln!(
        out,
        "  {DIM}machine{DIM:#}      {} {DIM}({windows}{runtimes}{registered}{assumed}){DIM:#}",
        report.host.kind
    );
}

/// `tensorflow-cpu 2.3.0`, or as much of it as is known.
fn installed(package: &Package) -> String {
    let name = package.distribution.as_deref().unwrap_or(&package.import);
    package.version.as_ref().map_or_else(|| name.to_owned(), |version| format!("{name} {version}"))
}

/// Breaks running text into lines, the first of at most `first` characters and the others of `rest`. Words
/// are never broken: paths stay whole.
fn wrapped(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
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
