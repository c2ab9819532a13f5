//! A line of a traceback → a place in a program.

use super::FailedImport;
use crate::source::{Document, ImportStatement, top_level};

/// A place that a traceback names.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frame {
    pub file: String,
    pub line: Option<u32>,
    /// The line's code, if it is shown.
    pub code: Option<String>,
}

/// A longer line is data, in bytes.
const LONGEST_LINE: usize = 4096;

/// The frame that a line begins; Python shows its code on the next line.
pub(super) fn frame(line: &str, next: Option<&str>) -> Option<Frame> {
    if line.len() > LONGEST_LINE {
        return None;
    }
    python(line, next).or_else(|| ipython(line.trim_matches(MARGIN)))
}

/// `  File "C:\a.py", line 3, in <module>`; a logger may have written before it.
fn python(line: &str, next: Option<&str>) -> Option<Frame> {
    let (before, rest) = line.split_once("File \"")?;
    let (file, rest) = rest.split_once('"')?;
    let number = rest.trim_start_matches([',', ' ']).strip_prefix("line ").map(leading_number)?;
    // The code stands two columns further in than the frame.
    let column = before.chars().count() + 2;
    let code = next.filter(|next| next.len() <= LONGEST_LINE && !next.contains("File \""));
    let code = code.map(|next| next.chars().skip(column).collect::<String>().trim().to_owned());
    // Where nothing is indented, the code begins where the frame does.
    let at_start =
        next.filter(|next| before.is_empty() && is_import(next.trim())).map(|next| next.trim().to_owned());
    let code = code.filter(|code| is_import(code)).or(at_start);
    Some(Frame { file: file.to_owned(), line: number, code })
}

fn is_import(code: &str) -> bool {
    code.starts_with("import ") || code.starts_with("from ")
}

/// What frames drawn around a traceback are made of.
const MARGIN: [char; 4] = ['│', ' ', '|', '\t'];

/// `File ~\a.py:3, in f()`, `~\a.py in <module>`, `Cell In[1], line 3`; `C:\a.py:3 in f`, as Rich has it.
fn ipython(line: &str) -> Option<Frame> {
    if line.starts_with("Cell In") || line.starts_with("Input In") || line.starts_with("In [") {
        let number = line.split_once("line ").and_then(|(_, rest)| leading_number(rest));
        return line.contains(']').then(|| Frame { file: CELL.to_owned(), line: number, code: None });
    }
    let (place, named) = match line.strip_prefix("File ") {
        Some(rest) => (rest.split_once(", in ").map_or(rest, |(place, _)| place), true),
        None => (line.split_once(" in ")?.0, false),
    };
    if place.starts_with("<ipython-input-") {
        return Some(Frame { file: CELL.to_owned(), line: None, code: None });
    }
    let (file, number) = match place.rsplit_once(':') {
        Some((file, number)) if number.chars().all(|c| c.is_ascii_digit()) => (file, leading_number(number)),
        _ => (place, None),
    };
    let is_python = [".py", ".pyx", ".pyw"].iter().any(|suffix| file.ends_with(suffix));
    (is_python && (named || file.contains(['/', '\\']))).then(|| Frame {
        file: file.to_owned(),
        line: number,
        code: None,
    })
}

/// What is told of a cell, which has no file.
const CELL: &str = "a cell";

fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// The code that IPython points at: `---> 24 import x`, and Rich: `❱ 24 import x`.
pub(super) fn marked_code(line: &str) -> Option<String> {
    let line = line.trim_matches(MARGIN);
    let rest = match line.strip_prefix('❱') {
        Some(rest) => rest,
        None => line.strip_prefix('-')?.trim_start_matches('-').strip_prefix('>')?,
    };
    let code = rest.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
    (code.len() < rest.trim_start().len()).then(|| code.trim_matches(MARGIN).to_owned())
}

/// The import in a traceback that led out of a person's own code, or at least the package that it led to.
pub(super) fn import_in(block: &[Frame], missing: Option<&str>) -> Option<FailedImport> {
    let real: Vec<&Frame> = block.iter().filter(|frame| !frame.file.starts_with("<frozen")).collect();
    let entered = real.iter().position(|frame| package_of(&frame.file).is_some());
    let package = entered.and_then(|at| package_of(&real.get(at)?.file));
    // The last line of one's own.
    let own = match entered {
        Some(at) => real.get(..at)?.last(),
        None => real.last(),
    };
    let stated = own.and_then(|frame| {
        let imports = Document::parse(frame.code.as_ref()?).imports;
        let is_meant = |import: &&ImportStatement| match (package, missing) {
            (Some(package), _) => import.top_level() == package,
            (None, Some(missing)) => import.top_level() == top_level(missing),
            (None, None) => true,
        };
        let import = imports.iter().filter(|import| !import.is_access).find(is_meant)?;
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

/// `tensorflow` of a file that lies in the folder of packages.
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

/// `C:\env` of `C:\env\Lib\site-packages\x.py`. None for what belongs to a user rather than to an environment.
pub(super) fn environment_of(file: &str) -> Option<&str> {
    let mut parts = file.split(['/', '\\']);
    let mut end = 0;
    parts.by_ref().take_while(|part| !is_packages(part)).for_each(|part| end += part.len() + 1);
    // Something must lie in the folder.
    parts.next()?;
    let above = file.get(..end.checked_sub(1)?)?;
    let (lib, name) = above.rsplit_once(['/', '\\'])?;
    // Elsewhere than on Windows there is a folder for the version between.
    let (lib, name) = match name.strip_prefix("python") {
        Some(_) => lib.rsplit_once(['/', '\\'])?,
        None => (lib, name),
    };
    (name.eq_ignore_ascii_case("lib") && !lib.is_empty()).then_some(lib)
}
