//! The contents of a snapshot, for the user to review before sharing it.

use std::fmt::Write;

use crate::diagnosis::UnsavedSnapshot;
use crate::host::snapshot::SnapshotError;

/// The maximum number of lines that are listed in each section; the rest is counted.
const MAX_LINES: usize = 2_000;

/// Renders the contents as text: a section for each kind, with one item per line.
///
/// # Errors
/// Fails like [`FinishedSnapshot::contents`](crate::host::snapshot::FinishedSnapshot::contents).
pub fn contents(recorded: &UnsavedSnapshot) -> Result<String, SnapshotError> {
    let contents = recorded.snapshot.contents()?;
    let mut out = String::new();
    let own = recorded.own_modules.iter().map(ToString::to_string).collect::<Vec<_>>();
    section(&mut out, "Your own modules, with what importing them does", &own);
    let variables = contents.variables.iter().map(|(name, value)| format!("{name} = {value}"));
    section(&mut out, "Environment variables", &variables.collect::<Vec<_>>());
    let files = contents.files.iter().filter(|(_, text)| !text.trim().is_empty());
    let files = files.map(|(file, text)| {
        let lines = text.lines().map(|line| format!("\n    {line}"));
        format!("{file}{}", lines.collect::<String>())
    });
    section(&mut out, "Text files (only the parts that are read)", &files.collect::<Vec<_>>());
    let title = format!(
        "Strings that a replay needs, {} of the {} in modules, files, and variables",
        recorded.included, recorded.withholdable
    );
    let constants = contents.constants.iter().map(|(package, strings)| {
        let lines = strings.iter().map(|string| format!("\n    {string:?}"));
        format!("{package}{}", lines.collect::<String>())
    });
    section(&mut out, &title, &constants.collect::<Vec<_>>());
    section(&mut out, "Python modules (only what importing them does)", &contents.modules);
    section(&mut out, "DLLs and extension modules (only their imports and versions)", &contents.images);
    let folders = contents.folders.iter().map(|(folder, names)| match names.is_empty() {
        true => folder.clone(),
        false => format!("{folder}: {}", names.join(", ")),
    });
    section(&mut out, "Folders and the names in them", &folders.collect::<Vec<_>>());
    Ok(out)
}

fn section(out: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    if !out.is_empty() {
        out.push('\n');
    }
    let _ = writeln!(out, "{title}:");
    for line in lines.iter().take(MAX_LINES) {
        let _ = writeln!(out, "  {line}");
    }
    if lines.len() > MAX_LINES {
        let _ = writeln!(out, "  and {} more", lines.len() - MAX_LINES);
    }
}
