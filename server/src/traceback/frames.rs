//! Parses the lines of a traceback that name a location in a program.

use super::FailedImport;
use crate::source::{Document, ImportStatement, top_level};

/// A location in a traceback.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TracebackFrame {
    pub file: String,
    pub line: Option<u32>,
    /// The code of the line, if it is shown.
    pub code: Option<String>,
}

/// The maximum length of a line in bytes. Longer lines are data.
const MAX_LINE: usize = 4096;

/// Parses the frame that a line begins. Python prints its code on the next line.
pub(super) fn frame(line: &str, next: Option<&str>) -> Option<TracebackFrame> {
    if line.len() > MAX_LINE {
        return None;
    }
    python(line, next).or_else(|| ipython(line.trim_matches(MARGIN)))
}

/// Parses `  File "C:\a.py", line 3, in <module>`, possibly after a logger's prefix.
fn python(line: &str, next: Option<&str>) -> Option<TracebackFrame> {
    let (before, rest) = line.split_once("File \"")?;
    let (file, rest) = rest.split_once('"')?;
    let number = rest.trim_start_matches([',', ' ']).strip_prefix("line ").map(leading_number)?;
    // The code is indented by two more columns than the frame.
    let column = before.chars().count() + 2;
    let code = next.filter(|next| next.len() <= MAX_LINE && !next.contains("File \""));
    let code = code.map(|next| next.chars().skip(column).collect::<String>().trim().to_owned());
    // If nothing is indented, the code begins in the same column as the frame.
    let at_start =
        next.filter(|next| before.is_empty() && is_import(next.trim())).map(|next| next.trim().to_owned());
    let code = code.filter(|code| is_import(code)).or(at_start);
    Some(TracebackFrame { file: file.to_owned(), line: number, code })
}

fn is_import(code: &str) -> bool {
    code.starts_with("import ") || code.starts_with("from ")
}

/// The characters that boxes around a traceback consist of.
const MARGIN: [char; 4] = ['│', ' ', '|', '\t'];

/// Parses the formats of IPython, `File ~\a.py:3, in f()`, `~\a.py in <module>`, and
/// `Cell In[1], line 3`, and that of Rich, `C:\a.py:3 in f`.
fn ipython(line: &str) -> Option<TracebackFrame> {
    if line.starts_with("Cell In") || line.starts_with("Input In") || line.starts_with("In [") {
        let number = line.split_once("line ").and_then(|(_, rest)| leading_number(rest));
        return line.contains(']').then(|| TracebackFrame {
            file: CELL.to_owned(),
            line: number,
            code: None,
        });
    }
    let (place, named) = match line.strip_prefix("File ") {
        Some(rest) => (rest.split_once(", in ").map_or(rest, |(place, _)| place), true),
        None => (line.split_once(" in ")?.0, false),
    };
    if place.starts_with("<ipython-input-") {
        return Some(TracebackFrame { file: CELL.to_owned(), line: None, code: None });
    }
    let (file, number) = match place.rsplit_once(':') {
        Some((file, number)) if number.chars().all(|c| c.is_ascii_digit()) => (file, leading_number(number)),
        _ => (place, None),
    };
    let is_python = [".py", ".pyx", ".pyw"].iter().any(|suffix| file.ends_with(suffix));
    (is_python && (named || file.contains(['/', '\\']))).then(|| TracebackFrame {
        file: file.to_owned(),
        line: number,
        code: None,
    })
}

/// The file name of a cell.
const CELL: &str = "a cell";

fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// Returns the code that IPython (`---> 24 import x`) or Rich (`❱ 24 import x`) points at.
pub(super) fn marked_code(line: &str) -> Option<String> {
    let line = line.trim_matches(MARGIN);
    let rest = match line.strip_prefix('❱') {
        Some(rest) => rest,
        None => line.strip_prefix('-')?.trim_start_matches('-').strip_prefix('>')?,
    };
    let code = rest.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
    (code.len() < rest.trim_start().len()).then(|| code.trim_matches(MARGIN).to_owned())
}

/// Returns the import that led out of the user's own code, or at least the package that it led to.
pub(super) fn import_in(block: &[TracebackFrame], missing: Option<&str>) -> Option<FailedImport> {
    let real: Vec<&TracebackFrame> =
        block.iter().filter(|frame| !frame.file.starts_with("<frozen")).collect();
    let entered = real.iter().position(|frame| package_of(&frame.file).is_some());
    let package = entered.and_then(|at| package_of(&real.get(at)?.file));
    // The last line of the user's own code.
    let own = match entered {
        Some(at) => real.get(..at)?.last(),
        None => real.last(),
    };
    let stated = own.and_then(|frame| {
        let imports = Document::parse(frame.code.as_ref()?).imports;
        let is_failed = |import: &&ImportStatement| match (package, missing) {
            (Some(package), _) => import.top_level() == package,
            (None, Some(missing)) => import.top_level() == top_level(missing),
            (None, None) => true,
        };
        let import = imports.iter().filter(|import| !import.is_access).find(is_failed)?;
        Some(FailedImport {
            module: import.module.to_string(),
            names: import.names.clone(),
            at: Some((frame.file.clone(), frame.line)),
        })
    });
    let at = || own.map(|frame| (frame.file.clone(), frame.line)).filter(|_| package.is_some());
    stated.or_else(|| Some(FailedImport { module: package?.to_owned(), names: Vec::new(), at: at() }))
}

const PACKAGES: [&str; 2] = ["site-packages", "dist-packages"];

/// Returns the package of a file in site-packages, such as `tensorflow`.
pub(super) fn package_of(file: &str) -> Option<&str> {
    let mut parts = file.split(['/', '\\']).skip_while(|part| !is_packages(part)).skip(1);
    let first = parts.next()?;
    let name = if first.ends_with(".egg") { parts.next()? } else { first };
    let name = name.split('.').next()?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name.then_some(name)
}

fn is_packages(part: &str) -> bool {
    PACKAGES.iter().any(|name| part.eq_ignore_ascii_case(name))
}

/// Returns the environment of a file: `C:\env` for `C:\env\Lib\site-packages\x.py`. Returns `None`
/// for a file of the user site, which belongs to no environment.
pub(super) fn environment_of(file: &str) -> Option<&str> {
    let mut parts = file.split(['/', '\\']);
    let mut end = 0;
    parts.by_ref().take_while(|part| !is_packages(part)).for_each(|part| end += part.len() + 1);
    // The folder of packages itself isn't enough.
    parts.next()?;
    let above = file.get(..end.checked_sub(1)?)?;
    let (lib, name) = above.rsplit_once(['/', '\\'])?;
    // On other systems than Windows, there is a folder for the version in between.
    let (lib, name) = match name.strip_prefix("python") {
        Some(_) => lib.rsplit_once(['/', '\\'])?,
        None => (lib, name),
    };
    (name.eq_ignore_ascii_case("lib") && !lib.is_empty()).then_some(lib)
}
