//! Actions that the user can take with a click or a command.

mod shell;

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::visible::is_interpreted;
pub use shell::Shell;

/// An action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Run a program. This never happens without the user's consent.
    Run(Command),
    /// Open a URL in the browser.
    Open(String),
    /// Insert `os.add_dll_directory(r"…")` before the import.
    AddDllDirectory(String),
    /// Rename a file or directory within its parent directory.
    Rename {
        /// Full path.
        from: String,
        /// The new name.
        to: String,
    },
    /// Insert `os.environ["PATH"] = r"…;" + os.environ["PATH"]` before the import. This is for a
    /// DLL that is loaded like LoadLibrary without flags, which ignores `os.add_dll_directory`.
    PrependPath(String),
    /// Insert a statement before the import that loads this DLL. Windows then uses it for all loads
    /// of its name.
    LoadFirst(String),
    /// Move an import up in the document.
    MoveImport {
        /// The import statement: `import torch`.
        statement: String,
        /// The module above whose import the statement is moved.
        above: String,
        /// The identity of the place of that import:
        /// [`ImportPoint::identity`](crate::source::ImportPoint::identity).
        to: u128,
    },
    /// Select another interpreter.
    ChooseInterpreter,
    /// Select this interpreter.
    UseInterpreter(String),
    /// Take several actions in this order. Each has its own title.
    Steps(Vec<(String, Action)>),
}

/// A program and its arguments. It isn't a command line for a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The full path, or the name of a program on PATH.
    pub program: String,
    /// The arguments.
    pub arguments: Vec<String>,
}

impl Action {
    /// Whether the [`value`](Action::value) is a statement to insert before the import.
    pub fn is_insertion(&self) -> bool {
        matches!(self, Action::AddDllDirectory(_) | Action::PrependPath(_) | Action::LoadFirst(_))
    }

    /// Returns the name in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Action::Run(_) => "run",
            Action::Open(_) => "open",
            Action::AddDllDirectory(_)
            | Action::PrependPath(_)
            | Action::LoadFirst(_)
            | Action::MoveImport { .. } => "edit",
            Action::Rename { .. } => "rename",
            Action::ChooseInterpreter | Action::UseInterpreter(_) => "setting",
            Action::Steps(_) => "steps",
        }
    }

    /// Returns the object of the action as a single line (of [`Action::Steps`], one line per step):
    /// a command for PowerShell (also for renaming), a URL, a statement, or a setting. If the value
    /// of the setting is known, it is a line for `settings.json`.
    pub fn value(&self) -> String {
        match self {
            Action::Run(command) => command.line(Shell::WindowsPowerShell),
            Action::Open(url) => url.clone(),
            Action::AddDllDirectory(directory) => add_dll_directory(directory),
            // With `-LiteralPath`, square brackets aren't a pattern. The arguments of a cmdlet need
            // no escaping for a native program.
            Action::Rename { from, to } => {
                Command::new("Rename-Item", ["-LiteralPath", from, "-NewName", to]).line(Shell::PowerShell)
            }
            Action::PrependPath(directory) => prepend_path(directory),
            Action::LoadFirst(dll) => load_first(dll),
            Action::MoveImport { statement, .. } => statement.clone(),
            Action::ChooseInterpreter => "whydll.interpreter".to_owned(),
            Action::UseInterpreter(python) => {
                format!("\"whydll.interpreter\": {}", serde_json::Value::from(python.as_str()))
            }
            Action::Steps(steps) => {
                steps.iter().map(|(_, action)| action.value()).collect::<Vec<String>>().join("\n")
            }
        }
    }
}

impl Command {
    /// Creates a command.
    pub fn new<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        Command { program: program.to_owned(), arguments: arguments.into_iter().map(str::to_owned).collect() }
    }

    /// Formats the command for a shell.
    pub fn line(&self, shell: Shell) -> String {
        shell::line(self, shell)
    }

    /// Whether the command can be pasted safely. A line break would press Enter, so the shell would
    /// execute the beginning before the user has seen the whole command.
    pub fn is_one_line(&self) -> bool {
        !std::iter::once(&self.program).chain(&self.arguments).any(|word| word.contains(is_interpreted))
    }
}

/// Returns a statement that adds a DLL directory.
pub fn add_dll_directory(directory: &str) -> String {
    format!("os.add_dll_directory({})", python_string(directory))
}

/// Returns a statement that prepends a directory to PATH, for this process.
pub fn prepend_path(directory: &str) -> String {
    format!("os.environ[\"PATH\"] = {} + os.environ[\"PATH\"]", python_string(&format!("{directory};")))
}

/// Returns a statement that loads a DLL by its full path.
pub fn load_first(dll: &str) -> String {
    format!("import ctypes; ctypes.WinDLL({})", python_string(dll))
}

/// Returns a Python string literal, raw if possible, since that is the usual notation for paths.
fn python_string(text: &str) -> String {
    if !text.contains(|c| c == '"' || is_interpreted(c)) && !text.ends_with('\\') {
        return format!("r\"{text}\"");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_interpreted(c) => drop(write!(out, "\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_control_characters_is_not_one_line() {
        for word in ["a\nb", "a\r", "\0", "\u{1b}[A", "\t", "\u{85}", "\u{2028}", "\u{202e}"] {
            assert!(!Command::new("python", [word]).is_one_line());
            assert!(!Command::new(word, []).is_one_line());
        }
        assert!(Command::new(r"C:\é 😀\python.exe", ["-m", "pip"]).is_one_line());
    }

    #[test]
    fn renaming_is_a_line_for_powershell() {
        let rename = Action::Rename { from: r"C:\my work\[old].py".to_owned(), to: "new.py".to_owned() };
        assert_eq!(rename.value(), r"Rename-Item -LiteralPath 'C:\my work\[old].py' -NewName new.py");
    }

    #[test]
    fn a_directory_becomes_a_python_string() {
        assert_eq!(add_dll_directory(r"C:\a b"), "os.add_dll_directory(r\"C:\\a b\")");
        assert_eq!(add_dll_directory("C:\\"), "os.add_dll_directory(\"C:\\\\\")");
        assert_eq!(prepend_path("C:\\"), r#"os.environ["PATH"] = r"C:\;" + os.environ["PATH"]"#);
        assert_eq!(prepend_path("C:\\\""), r#"os.environ["PATH"] = "C:\\\";" + os.environ["PATH"]"#);
        assert_eq!(load_first("C:\\a\nb\u{202e}"), r#"import ctypes; ctypes.WinDLL("C:\\a\u000ab\u202e")"#);
    }
}
