//! The text of a traceback → what it says: which import failed, what Python and Windows said of it, and in which environment.
//!
//! Knows the forms in which Python, IPython and loggers print one, but neither files nor Windows. Read by structure, names and
//! numbers: Windows speaks in the language of its user.

mod frames;
mod reported;
mod sentences;
#[cfg(test)]
mod tests;
mod words;

use crate::source::Name;

pub use reported::{Reported, reported};
pub use words::decoded;

use frames::Frame;
use words::{Raised, raised};

/// What a traceback says.
#[derive(Debug, Clone, PartialEq)]
pub struct Traceback {
    /// The class of the exception: `ImportError`; none where only its words are there.
    pub exception: Option<String>,
    /// Its words, as far as they say what failed.
    pub message: String,
    pub failure: Failure,
    /// What Windows said.
    pub win_error: Option<WinError>,
    /// The import that did not get through, if that can be told.
    pub import: Option<FailedImport>,
    /// The folder of the environment that it was in, as the traceback writes it.
    pub environment: Option<String>,
}

/// What did not work, in Python's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Windows did not load an extension module; its name if it is told.
    Extension { module: Option<String> },
    /// A DLL was not loaded, or these were not found. Names or paths; none where Windows alone speaks.
    Dlls { names: Vec<String> },
    /// A module was found nowhere.
    NoModule { module: String },
    /// A package says that a part of it could not be imported, and not why.
    Part { module: String },
    /// An import failed for another reason.
    Other,
}

/// A Win32 code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WinError {
    pub code: u32,
    /// It stands there; else it is told from Windows' sentence.
    pub printed: bool,
}

/// An import statement, or as much of it as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedImport {
    /// Dotted name of the module.
    pub module: String,
    /// What is taken out of it.
    pub names: Vec<Name>,
    /// Where it stands: file and line. None if only the package is known whose code failed.
    pub at: Option<(String, Option<u32>)>,
}

/// Why a text says nothing of an import.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TracebackError {
    #[error(
        "there is no traceback in it: paste all that Python printed, from `Traceback (most recent call last)` to the last line"
    )]
    Nothing,
    #[error("it is no failed import: what was raised is {0}")]
    AnotherException(String),
}

/// A longer text is not read, in bytes.
pub const LONGEST: u64 = 16 << 20;

/// Reads a text in which a traceback stands, among other things perhaps. Of several, the last that is of an import counts.
pub fn read(text: &str) -> Result<Traceback, TracebackError> {
    let text = words::plain(text);
    let lines: Vec<&str> = text.lines().collect();
    let groups = groups(&lines);
    let told = groups.iter().rev().find_map(|group| {
        // What failed first leads to what is raised later. What says most counts.
        let best = group.raised.iter().min_by_key(|raised| raised.rank()).filter(|raised| raised.is_import());
        best.map(|raised| (group, raised))
    });
    let Some((group, raised)) = told else {
        let other = groups.iter().rev().find_map(|group| group.raised.last()?.exception.clone());
        return Err(other.map_or(TracebackError::Nothing, TracebackError::AnotherException));
    };
    let named: Vec<&str> = match &raised.failure {
        Failure::Dlls { names } => names.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    let mut files = group.frames().map(|frame| frame.file.as_str()).chain(named.iter().copied());
    let environment = files.find_map(frames::environment_of).map(str::to_owned);
    let module = match &raised.failure {
        Failure::NoModule { module } | Failure::Part { module } => Some(module.as_str()),
        _ => None,
    };
    let bare = |module: &str| FailedImport { module: module.to_owned(), names: Vec::new(), at: None };
    let import =
        group.import(module).or_else(|| named.iter().find_map(|path| frames::package_of(path)).map(bare));
    let import = import.or_else(|| module.map(|module| bare(crate::source::top_level(module))));
    // Its own words name TensorFlow, and no file.
    let speaks_of_it = |lines: &[&str]| lines.iter().any(|line| line.contains("TensorFlow"));
    let import = import.or_else(|| speaks_of_it(&lines).then(|| bare("tensorflow")));
    Ok(Traceback {
        exception: raised.exception.clone(),
        message: raised.message.clone(),
        failure: raised.failure.clone(),
        win_error: raised.win_error,
        import,
        environment,
    })
}

/// Tracebacks that led to one another.
#[derive(Default)]
struct Group {
    /// The frames of each.
    blocks: Vec<Vec<Frame>>,
    raised: Vec<Raised>,
}

fn groups(lines: &[&str]) -> Vec<Group> {
    let mut groups = vec![Group { blocks: vec![Vec::new()], raised: Vec::new() }];
    let mut goes_on = false;
    for (at, line) in lines.iter().enumerate() {
        let Some(group) = groups.last_mut() else { break };
        if words::leads_on(line) {
            goes_on = true;
            continue;
        }
        // A wrapper has a traceback within its message, which is no new one.
        if let Some(before) = words::before_header(line)
            && !before.trim_end().ends_with(':')
        {
            match goes_on || (group.raised.is_empty() && group.frames().next().is_none()) {
                true => group.blocks.push(Vec::new()),
                false => groups.push(Group { blocks: vec![Vec::new()], raised: Vec::new() }),
            }
            goes_on = false;
            continue;
        }
        let Some(block) = group.blocks.last_mut() else { break };
        if let Some(frame) = frames::frame(line, lines.get(at + 1).copied()) {
            block.push(frame);
        } else if let Some(code) = frames::marked_code(line) {
            if let Some(frame) = block.last_mut() {
                frame.code.get_or_insert(code);
            }
        } else if let Some(raised) = raised(line, group.raised.last()) {
            group.raised.push(raised);
        }
    }
    groups
}

impl Group {
    fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.blocks.iter().flatten()
    }

    /// The import of a program's own that led to the failure. What was raised last goes back furthest.
    fn import(&self, module: Option<&str>) -> Option<FailedImport> {
        self.blocks.iter().rev().find_map(|block| frames::import_in(block, module))
    }
}
