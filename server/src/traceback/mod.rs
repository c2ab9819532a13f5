//! Parses a traceback: which import failed, what Python and Windows reported, and in which
//! environment.
//!
//! Knows the formats in which Python, IPython, and loggers print tracebacks, but neither files nor
//! Windows. Parsing relies on structure, names, and numbers, because Windows' messages are in the
//! user's language.

mod frames;
#[cfg(test)]
mod tests;
mod words;

use crate::source::Name;

pub use words::decoded;

use frames::TracebackFrame;
use words::{RaisedException, raised};

/// The parsed traceback.
#[derive(Debug, Clone, PartialEq)]
pub struct Traceback {
    /// The class of the exception: `ImportError`; `None` if there is only its message.
    pub exception: Option<String>,
    /// The part of its message that says what failed.
    pub message: String,
    /// The kind of failure.
    pub failure: TracebackFailure,
    /// The error that Windows reported.
    pub win_error: Option<WinError>,
    /// The import that failed, if it can be determined.
    pub import: Option<FailedImport>,
    /// The folder of the environment, as written in the traceback.
    pub environment: Option<String>,
}

/// The kind of failure, according to Python's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TracebackFailure {
    /// Windows could not load an extension module. Its name is `None` if the message lacks it.
    Extension {
        /// The name of the extension module, as in the message.
        module: Option<String>,
    },
    /// DLLs could not be loaded or found. Contains names or paths, or nothing if the message has
    /// none.
    Dlls {
        /// The names or paths of the DLLs, as in the message.
        names: Vec<String>,
    },
    /// A module was not found.
    NoModule {
        /// The dotted name of the module that was not found.
        module: String,
    },
    /// A package reports that a part of it could not be imported, but not why.
    Part {
        /// The dotted name of the module or package.
        module: String,
    },
    /// An import failed for another reason.
    Other,
}

/// A Win32 error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WinError {
    /// The code, such as 126 (`winerror.h`).
    pub code: u32,
    /// Whether the traceback contains the code. Otherwise it was inferred from the message.
    pub printed: bool,
}

/// An import statement, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedImport {
    /// The dotted name of the module.
    pub module: String,
    /// The names that are imported from it.
    pub names: Vec<Name>,
    /// Its file and line; `None` if only the package is known whose code failed.
    pub at: Option<(String, Option<u32>)>,
}

/// Why a text contains no traceback of a failed import.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TracebackError {
    /// The text contains no traceback.
    #[error(
        "no traceback found: paste everything that Python printed, from `Traceback (most recent call last)` \
         to the last line"
    )]
    Nothing,
    /// The last exception, which is named here, isn't about a failed import.
    #[error("not a failed import: the exception is {0}")]
    AnotherException(String),
}

/// The maximum length of a text that is read, in bytes.
pub const MAX_LENGTH: u64 = 16 << 20;

/// Parses a text that contains a traceback, possibly among other output. Of several tracebacks, the
/// last one of a failed import is used.
///
/// # Errors
/// If there is no traceback, or none of a failed import.
pub fn read(text: &str) -> Result<Traceback, TracebackError> {
    let text = words::plain(text);
    let lines: Vec<&str> = text.lines().collect();
    let groups = groups(&lines);
    let found = groups.iter().rev().find_map(|group| {
        // Of the exceptions that led to one another, use the most informative one.
        let best = group.raised.iter().min_by_key(|raised| raised.rank()).filter(|raised| raised.is_import());
        best.map(|raised| (group, raised))
    });
    let Some((group, raised)) = found else {
        let other = groups.iter().rev().find_map(|group| group.raised.last()?.exception.clone());
        return Err(other.map_or(TracebackError::Nothing, TracebackError::AnotherException));
    };
    let named: Vec<&str> = match &raised.failure {
        TracebackFailure::Dlls { names } => names.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    let mut files = group.frames().map(|frame| frame.file.as_str()).chain(named.iter().copied());
    let environment = files.find_map(frames::environment_of).map(str::to_owned);
    let module = match &raised.failure {
        TracebackFailure::NoModule { module } | TracebackFailure::Part { module } => Some(module.as_str()),
        _ => None,
    };
    let bare = |module: &str| FailedImport { module: module.to_owned(), names: Vec::new(), at: None };
    let import =
        group.import(module).or_else(|| named.iter().find_map(|path| frames::package_of(path)).map(bare));
    let import = import.or_else(|| module.map(|module| bare(crate::source::top_level(module))));
    // TensorFlow's own message names TensorFlow, but no file.
    let mentions_tensorflow = |lines: &[&str]| lines.iter().any(|line| line.contains("TensorFlow"));
    let import = import.or_else(|| mentions_tensorflow(&lines).then(|| bare("tensorflow")));
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
    /// The frames of each traceback.
    blocks: Vec<Vec<TracebackFrame>>,
    raised: Vec<RaisedException>,
}

fn groups(lines: &[&str]) -> Vec<Group> {
    let mut groups = vec![Group { blocks: vec![Vec::new()], raised: Vec::new() }];
    let mut is_chained = false;
    for (at, line) in lines.iter().enumerate() {
        let Some(group) = groups.last_mut() else { break };
        if words::is_chain_marker(line) {
            is_chained = true;
            continue;
        }
        // The message of a wrapper exception can contain a traceback, which doesn't begin a new group.
        if let Some(before) = words::before_header(line)
            && !before.trim_end().ends_with(':')
        {
            match is_chained || (group.raised.is_empty() && group.frames().next().is_none()) {
                true => group.blocks.push(Vec::new()),
                false => groups.push(Group { blocks: vec![Vec::new()], raised: Vec::new() }),
            }
            is_chained = false;
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
    fn frames(&self) -> impl Iterator<Item = &TracebackFrame> {
        self.blocks.iter().flatten()
    }

    /// Returns the program's own import that led to the failure. The traceback of the exception
    /// that was raised last reaches back furthest.
    fn import(&self, module: Option<&str>) -> Option<FailedImport> {
        self.blocks.iter().rev().find_map(|block| frames::import_in(block, module))
    }
}
