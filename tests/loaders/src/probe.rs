//! What `probe.c` is given to do on a real machine, and what it prints.

use std::io;
use std::path::PathBuf;

use crate::ours::is_one_of;
use crate::outcome::Outcome;
use crate::program::{Program, Step};
use crate::trace::{self, Complaint};

/// What Wine prints when a program crashes, before it starts a debugger.
pub(crate) const CRASH: &str = "wine: Unhandled ";

/// Whose loader runs on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loader {
    /// Wine's. Its trace names the culprits, and its [known
    /// differences](crate::known_differences) are translated.
    Wine,
    /// That of Windows. It reports a code and nothing else.
    Windows,
}

/// A machine on which a world's program runs, one world at a time.
pub trait Machine {
    /// Whose loader it has.
    fn loader(&self) -> Loader;

    /// The directory that is its drive `C:`.
    fn drive(&self) -> PathBuf;

    /// Copies the probe to where the world's program is.
    ///
    /// # Errors
    /// The file cannot be written.
    fn install(&self, program: &Program) -> io::Result<PathBuf>;

    /// Runs the installed program. Only the modules in `files` are listed.
    ///
    /// # Errors
    /// The program does not come to its end.
    fn run(&self, program: &Program, files: &[String]) -> Result<Vec<ObservedLoad>, String>;

    /// The real path of a file of a world.
    fn path(&self, file: &str) -> PathBuf {
        self.drive().join(file.trim_start_matches('/'))
    }

    /// The real path of the world's program.
    fn executable(&self, program: &Program) -> PathBuf {
        self.path(&program.executable().as_str().replace("C:", "").replace('\\', "/"))
    }
}

/// One load, as it is seen from outside.
#[derive(Debug, Clone)]
pub struct ObservedLoad {
    /// The outcome. It has no faults: Wine reports those in its trace, Windows nowhere.
    pub outcome: Outcome,
    /// What Wine complained about during the load.
    pub complaints: Vec<Complaint>,
    /// Whether Wine's loader itself crashed, so that the outcome is unknown.
    pub crashed: bool,
}

/// Returns the program as the commands that `probe.c` reads.
pub(crate) fn commands(program: &Program) -> String {
    let mut commands = format!("current {}\npath \n", program.application);
    for step in &program.steps {
        let command = match step {
            Step::CurrentDirectory(folder) => format!("current {folder}"),
            Step::Path(folders) => {
                format!("path {}", folders.iter().map(|folder| folder.as_str()).collect::<Vec<_>>().join(";"))
            }
            Step::DllDirectory(Some(folder)) => format!("set {folder}"),
            Step::DllDirectory(None) => "set ".to_owned(),
            Step::AddDirectory(folder) => format!("add {folder}"),
            Step::RemoveDirectory(folder) => format!("remove {folder}"),
            Step::DefaultDirectories(flags) => format!("default {:x}", flags.0),
            Step::Load { name, flags } => format!("load {:x} {name}", flags.0),
        };
        commands += &command;
        commands += "\n";
    }
    commands
}

/// Reads the output of a run. The lines of the probe begin with `>`; the others are Wine's trace of
/// the load that the probe reports next.
///
/// # Errors
/// A command was refused, or a line is not one of the probe's.
pub(crate) fn loads(output: &[String], files: &[String]) -> Result<Vec<ObservedLoad>, String> {
    let mut loads: Vec<ObservedLoad> = Vec::new();
    let mut complaints = Vec::new();
    for line in output {
        let Some(own) = line.strip_prefix("> ") else {
            if line.starts_with(CRASH) {
                let outcome = Outcome { code: 0, module: None, faults: Vec::new(), modules: Vec::new() };
                let complaints = std::mem::take(&mut complaints);
                loads.push(ObservedLoad { outcome, complaints, crashed: true });
                break;
            }
            complaints.extend(trace::complaint(line));
            continue;
        };
        let (word, rest) = own.split_once(' ').unwrap_or((own, ""));
        match word {
            "load" => {
                let (code, path) = rest.split_once(' ').unwrap_or((rest, ""));
                let code = code.parse().map_err(|_| format!("not understood: {line}"))?;
                let module = Some(path.to_owned()).filter(|path| !path.is_empty());
                let outcome = Outcome { code, module, faults: Vec::new(), modules: Vec::new() };
                let complaints = std::mem::take(&mut complaints);
                loads.push(ObservedLoad { outcome, complaints, crashed: false });
            }
            "module" if is_one_of(files, rest) => {
                let last = loads.last_mut().ok_or_else(|| format!("modules before any load: {line}"))?;
                last.outcome.modules.push(rest.to_owned());
            }
            "module" => {}
            "end" => break,
            // The world asks for something that cannot be done.
            _ => return Err(line.clone()),
        }
    }
    Ok(loads)
}
