//! What a person can do with one click or one line.

mod shell;

use serde::{Deserialize, Serialize};

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

    /// Whether no shell would run a part of it before the whole is there: a line break presses Enter.
    pub fn is_one_line(&self) -> bool {
        let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        !std::iter::once(&self.program).chain(&self.arguments).any(|word| word.contains(breaks))
    }
}

/// A statement that adds a directory. A raw string cannot hold quotes or end in a backslash; Windows allows
/// no quotes in names either.
pub fn add_dll_directory(directory: &str) -> String {
    if directory.contains('"') || directory.ends_with('\\') {
        format!("os.add_dll_directory({directory:?})")
    } else {
        format!("os.add_dll_directory(r\"{directory}\")")
    }
}

/// A statement that puts a directory in front of PATH, for this process. Windows allows no quotes in names; one that comes
/// from a file all the same must not end the string.
pub fn prepend_path(directory: &str) -> String {
    if directory.contains('"') {
        format!("os.environ[\"PATH\"] = {:?} + os.environ[\"PATH\"]", format!("{directory};"))
    } else {
        format!("os.environ[\"PATH\"] = r\"{directory};\" + os.environ[\"PATH\"]")
    }
}

/// A statement that loads a DLL by its full path.
pub fn load_first(dll: &str) -> String {
    if dll.contains('"') {
        format!("import ctypes; ctypes.WinDLL({dll:?})")
    } else {
        format!("import ctypes; ctypes.WinDLL(r\"{dll}\")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_press_enter_is_no_line() {
        for word in ["a\nb", "a\r", "\0", "\u{1b}[A", "\t", "\u{85}", "\u{2028}"] {
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
    }
}
