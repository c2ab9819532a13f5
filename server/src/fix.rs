//! What a fix is: something that a person can do with one click or one line.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// A way to mend a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// For a menu: an imperative sentence without a full stop.
    pub title: String,
    /// What is to be done.
    pub action: Action,
    /// The one to take in doubt. Exactly one fix of a finding is.
    pub preferred: bool,
}

/// What a fix does.
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
    /// Select another interpreter.
    ChooseInterpreter,
    /// Select this interpreter.
    UseInterpreter(String),
}

/// A program and its arguments; never a line for a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Full path, or the name of a program on PATH.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl Fix {
    /// A fix that is not the preferred one.
    pub fn new(title: impl Into<String>, action: Action) -> Fix {
        Fix { title: title.into(), action, preferred: false }
    }
}

impl Action {
    /// Its name in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Action::Run(_) => "run",
            Action::Open(_) => "open",
            Action::AddDllDirectory(_) | Action::PrependPath(_) => "edit",
            Action::Rename { .. } => "rename",
            Action::ChooseInterpreter | Action::UseInterpreter(_) => "setting",
        }
    }

    /// Its object as one line of text: a command for PowerShell, which renaming is too, an address, a statement, a setting, with its
    /// value as a line of `settings.json` where that is known.
    pub fn value(&self) -> String {
        match self {
            Action::Run(command) => command.for_powershell(),
            Action::Open(address) => address.clone(),
            Action::AddDllDirectory(directory) => add_dll_directory(directory),
            // A square bracket in a name is no pattern.
            Action::Rename { from, to } => {
                Command::new("Rename-Item", ["-LiteralPath", from, "-NewName", to]).for_powershell()
            }
            Action::PrependPath(directory) => prepend_path(directory),
            Action::ChooseInterpreter => "whydll.interpreter".to_owned(),
            Action::UseInterpreter(python) => {
                format!("\"whydll.interpreter\": {}", serde_json::Value::from(python.as_str()))
            }
        }
    }
}

impl Command {
    /// A command of these words.
    pub fn new<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        Command { program: program.to_owned(), arguments: arguments.into_iter().map(str::to_owned).collect() }
    }

    /// To be pasted into PowerShell: a quoted program needs the call operator (about_Quoting_Rules).
    pub fn for_powershell(&self) -> String {
        let mut line = powershell_word(&self.program);
        if line.starts_with('\'') {
            line.insert_str(0, "& ");
        }
        for argument in &self.arguments {
            let _ = write!(line, " {}", powershell_word(argument));
        }
        line
    }

    /// To be pasted into cmd.
    pub fn for_cmd(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.arguments);
        words.map(|word| cmd_word(word)).collect::<Vec<_>>().join(" ")
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

fn is_plain(word: &str, extra: &str) -> bool {
    !word.is_empty()
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./\\:".contains(c) || extra.contains(c))
}

fn powershell_word(word: &str) -> String {
    if is_plain(word, "=") && !word.starts_with("--%") {
        return word.to_owned();
    }
    // Typographic quotes end a string for PowerShell as the plain one does.
    let mut quoted = String::with_capacity(word.len() + 2);
    quoted.push('\'');
    for c in word.chars() {
        if matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}') {
            quoted.push(c);
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

fn cmd_word(word: &str) -> String {
    if is_plain(word, "=") {
        word.to_owned()
    } else {
        // cmd expands %NAME% inside quotes too; a caret outside of them stops that.
        format!("\"{}\"", word.replace('%', "\"^%\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_quoted_for_their_shell() {
        let command = Command::new(r"C:\Users\Zoë's PC\py 3\python.exe", ["-m", "pip", "install", "numpy<2"]);
        assert_eq!(
            command.for_powershell(),
            r"& 'C:\Users\Zoë''s PC\py 3\python.exe' -m pip install 'numpy<2'"
        );
        assert_eq!(command.for_cmd(), r#""C:\Users\Zoë's PC\py 3\python.exe" -m pip install "numpy<2""#);
        let plain = Command::new(r"C:\Py\python.exe", ["-m", "pip", "install", "tensorflow==2.3.0"]);
        assert_eq!(plain.for_powershell(), r"C:\Py\python.exe -m pip install tensorflow==2.3.0");
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
