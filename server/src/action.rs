//! What a person can do with one click or one line.

mod shell;

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::visible::is_obeyed;
pub use shell::Shell;

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Run a program. Never done without being asked.
    Run(Command),
    /// Open an address in the browser.
    Open(String),
    /// Insert `os.add_dll_directory(r"…")` before the import.
    AddDllDirectory(String),
    /// Give a file or folder another name, in its folder.
    Rename {
        /// Its full path.
        from: String,
        /// The new name.
        to: String,
    },
    /// Insert `os.environ["PATH"] = r"…;" + os.environ["PATH"]` before the import: for a DLL that is looked for as
    /// LoadLibrary does without flags, which knows nothing of `os.add_dll_directory`.
    PrependPath(String),
    /// Insert a statement before the import that loads this DLL: Windows then takes it whenever its name is asked for.
    LoadFirst(String),
    /// Make an import earlier in the document.
    MoveImport {
        /// The statement that makes it: `import torch`.
        statement: String,
        /// The module whose import it goes above.
        above: String,
        /// How many bytes of program come before that import: [`ImportStatement::before`](crate::source::ImportStatement::before).
        after: usize,
    },
    /// Select another interpreter.
    ChooseInterpreter,
    /// Select this interpreter.
    UseInterpreter(String),
    /// One after the other. Each has a title of its own.
    Steps(Vec<(String, Action)>),
}

/// A program and its arguments; never a line for a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Full path, or the name of a program on PATH.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl Action {
    /// Whether its [`value`](Action::value) is a statement to insert before the import.
    pub fn is_insertion(&self) -> bool {
        matches!(self, Action::AddDllDirectory(_) | Action::PrependPath(_) | Action::LoadFirst(_))
    }

    /// Its name in JSON.
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

    /// Its object as one line of text: a command for PowerShell, which renaming is too, an address, a statement, a setting, with its
    /// value as a line of `settings.json` where that is known.
    pub fn value(&self) -> String {
        match self {
            Action::Run(command) => command.line(Shell::WindowsPowerShell),
            Action::Open(address) => address.clone(),
            Action::AddDllDirectory(directory) => add_dll_directory(directory),
            // A square bracket in a name is no pattern. And a command of PowerShell's own gets its words as they are.
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
    /// A command of these words.
    pub fn new<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        Command { program: program.to_owned(), arguments: arguments.into_iter().map(str::to_owned).collect() }
    }

    /// The command as a line for a shell.
    pub fn line(&self, shell: Shell) -> String {
        shell::line(self, shell)
    }

    /// Whether no shell would run a part of it before the whole is there, since a line break presses Enter, and whoever presses Enter
    /// sees what it is.
    pub fn is_one_line(&self) -> bool {
        !std::iter::once(&self.program).chain(&self.arguments).any(|word| word.contains(is_obeyed))
    }
}

/// A statement that adds a directory.
pub fn add_dll_directory(directory: &str) -> String {
    format!("os.add_dll_directory({})", python_string(directory))
}

/// A statement that puts a directory in front of PATH, for this process.
pub fn prepend_path(directory: &str) -> String {
    format!("os.environ[\"PATH\"] = {} + os.environ[\"PATH\"]", python_string(&format!("{directory};")))
}

/// A statement that loads a DLL by its full path.
pub fn load_first(dll: &str) -> String {
    format!("import ctypes; ctypes.WinDLL({})", python_string(dll))
}

/// A raw string, as people write paths, wherever one can hold the text.
fn python_string(text: &str) -> String {
    if !text.contains(|c| c == '"' || is_obeyed(c)) && !text.ends_with('\\') {
        return format!("r\"{text}\"");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_obeyed(c) => drop(write!(out, "\\u{:04x}", c as u32)),
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
    fn what_would_press_enter_is_no_line() {
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
