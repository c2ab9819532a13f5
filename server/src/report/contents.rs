//! What a snapshot has, for a person to look over before it is sent.

use std::fmt::Write;

use crate::diagnosis::Recorded;
use crate::host::snapshot::SnapshotError;

/// So many names of files are listed of each kind; the rest is counted.
const MOST_NAMES: usize = 2_000;

/// All that people wrote, as text: a heading for each kind, and below it one thing a line.
///
/// # Errors
/// As [`Finished::contents`](crate::host::snapshot::Finished::contents).
pub fn contents(recorded: &Recorded) -> Result<String, SnapshotError> {
    let contents = recorded.snapshot.contents()?;
    let mut out = String::new();
    let own = recorded.own_modules.iter().map(ToString::to_string).collect::<Vec<_>>();
    section(&mut out, "Modules of your own, with what importing them does", &own);
    let variables = contents.variables.iter().map(|(name, value)| format!("{name} = {value}"));
    section(&mut out, "Environment variables", &variables.collect::<Vec<_>>());
    let files = contents.files.iter().filter(|(_, text)| !text.trim().is_empty());
    let files = files.map(|(file, text)| {
        let lines = text.lines().map(|line| format!("\n    {line}"));
        format!("{file}{}", lines.collect::<String>())
    });
    section(&mut out, "Text files, of which it has what is read of them", &files.collect::<Vec<_>>());
    let texts = format!(
        "Texts that a replay needs, {} of the {} in modules, files and variables",
        recorded.kept, recorded.texts
    );
    let constants = contents.constants.iter().map(|(package, texts)| {
        let lines = texts.iter().map(|text| format!("\n    {text:?}"));
        format!("{package}{}", lines.collect::<String>())
    });
    section(&mut out, &texts, &constants.collect::<Vec<_>>());
    section(&mut out, "Python modules, of which it has what importing them does", &contents.modules);
    section(&mut out, "DLLs and extension modules, of which it has imports and versions", &contents.images);
    let folders = contents.folders.iter().map(|(folder, names)| match names.is_empty() {
        true => folder.clone(),
        false => format!("{folder}: {}", names.join(", ")),
    });
    section(&mut out, "Folders, and the names in them", &folders.collect::<Vec<_>>());
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
    for line in lines.iter().take(MOST_NAMES) {
        let _ = writeln!(out, "  {line}");
    }
    if lines.len() > MOST_NAMES {
        let _ = writeln!(out, "  and {} more", lines.len() - MOST_NAMES);
    }
}
