//! The options that select an environment and a machine: `--python`, `--host`, and related ones.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::environment::{InterpreterSpec, OpenTarget, Target};
use crate::host::{HostSpec, WinPath};

/// The options that select an environment and a machine.
#[derive(Args)]
pub struct TargetArguments {
    /// The interpreter, or the folder of an environment
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    #[command(flatten)]
    pub machine: MachineArguments,
}

/// The options that select a machine.
#[derive(Args)]
pub struct MachineArguments {
    /// The machine: live (this Windows), a folder with a Windows system drive, a snapshot file,
    /// windows-10, windows-11, windows-11+vcredist, windows-11-arm64, or windows-11-arm64+vcredist
    #[arg(long)]
    host: Option<HostSpec>,
    /// PATH of the process that will run Python, separated by semicolons
    #[arg(long, value_name = "DIRS")]
    path: Option<String>,
    /// A folder to use as drive C: of a built-in host
    #[arg(long, value_name = "FOLDER")]
    drive: Option<PathBuf>,
}

impl TargetArguments {
    /// Returns the target: the named interpreter, or the one that is selected for the current
    /// folder.
    pub fn target(&self) -> Target {
        self.target_in(std::env::current_dir().ok())
    }

    fn target_in(&self, folder: Option<PathBuf>) -> Target {
        let named = self.python.clone().map(InterpreterSpec::Named);
        self.machine.target(named.unwrap_or(InterpreterSpec::Search(folder)))
    }
}

impl MachineArguments {
    /// Returns the target with this interpreter.
    pub fn target(&self, interpreter: InterpreterSpec) -> Target {
        Target {
            interpreter,
            host: self.host.clone(),
            drive: self.drive.clone(),
            search_path: self.path.clone(),
        }
    }
}

/// Returns the path of `name` on the analysed machine if it is a file of this system; otherwise
/// takes `name` itself as a Windows path.
pub fn path_of(target: &OpenTarget, name: &str) -> WinPath {
    if Path::new(name).exists() { target.host.path_of(Path::new(name)) } else { WinPath::new(name) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;
    use world::World;

    use super::*;
    use crate::check::{ExplainedImport, Precedence};
    use crate::lsp::target_of_folder;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        target: TargetArguments,
    }

    /// Describes what a target leads to.
    fn described(target: &Target) -> String {
        match target.open() {
            Ok(OpenTarget { environment, assumed, .. }) => {
                let assumed = assumed.map_or(String::new(), |assumed| format!(", {assumed}"));
                format!("{}{assumed}", environment.prefix.as_str().replace('\\', "/"))
            }
            Err(error) => error.to_string(),
        }
    }

    /// Checks that each way to ask for the environment of a folder leads to the same one, and
    /// returns its prefix. `options` are the command line's, and `settings` the same for an editor.
    fn check(folder: &Path, options: &[&str], settings: serde_json::Value) -> String {
        let Arguments { target: arguments } =
            Arguments::parse_from(std::iter::once("whydll").chain(options.iter().copied()));
        let folder = folder.to_owned();
        let terminal = arguments.target_in(Some(folder.clone()));
        let expected = described(&terminal);

        let editor = target_of_folder(&folder, &settings);
        assert_eq!(described(&editor), expected, "the editor");

        let traceback = "Traceback (most recent call last):\n  File \"main.py\", line 1, in <module>\n    \
                         import pkg\nImportError: DLL load failed while importing pkg: x\n";
        let traceback = crate::traceback::read(traceback).unwrap();
        for target in [&terminal, &editor] {
            let explained = ExplainedImport::of(&traceback, target, Precedence::Traceback, None);
            let explained =
                explained.map(|failed| failed.target.environment.prefix.as_str().replace('\\', "/"));
            let prefix = expected.split(", ").next().unwrap().to_owned();
            assert_eq!(explained.unwrap_or_else(|error| error.to_string()), prefix, "explain");
        }

        if arguments.python.is_none() {
            let listed = arguments.machine.target(InterpreterSpec::Search(Some(folder)));
            let (host, assumed) = listed.host().unwrap();
            assert_eq!(assumed, terminal.open().unwrap().assumed, "environments");
            let first = listed.search(&host).selected().map(|chosen| host.native_of(&chosen.path));
            let opened = terminal.machine(|_| Default::default()).unwrap();
            assert_eq!(first.flatten(), opened.python, "environments");
        }
        expected
    }

    /// A project with an environment of its own, one in a workspace that has a common environment,
    /// and a Python elsewhere.
    const PYTHONS: &str = r"
        /code/own/.venv/python.exe           imports python38.dll
        /code/own/.venv/python38.dll         version 3.8.10150.1013
        /code/own/.venv/Lib/os.py            text
        /code/.venv/python.exe               imports python311.dll
        /code/.venv/python311.dll            version 3.11.4150.1013
        /code/.venv/Lib/os.py                text
        /code/shared/src/main.py             text
        /other/python.exe                    imports python311.dll
        /other/python311.dll                 version 3.11.4150.1013
        /other/Lib/os.py                     text
    ";

    #[test]
    fn terminal_editor_and_explain_choose_the_same_environment() {
        let world = World::new(PYTHONS).unwrap();
        let other = world.path("/other").display().to_string();
        let in_folder = |folder: &str| check(&world.path(folder), &[], json!({}));
        assert!(in_folder("/code/own").contains("/own/.venv"), "{}", in_folder("/code/own"));
        let shared = in_folder("/code/shared/src");
        assert!(shared.contains("/code/.venv") && !shared.contains("shared"), "{shared}");
        let named = check(&world.path("/code/own"), &["--python", &other], json!({ "interpreter": other }));
        assert!(named.contains("/other"), "{named}");
        let on_windows_10 =
            check(&world.path("/code/own"), &["--host", "windows-10"], json!({ "host": "windows-10" }));
        assert!(on_windows_10.ends_with("/own/.venv"), "{on_windows_10}");
    }

    #[test]
    fn the_drive_around_the_folder_is_assumed_in_every_way() {
        let drive = World::new(&format!("{PYTHONS}    /Windows/System32/kernel32.dll   exports f")).unwrap();
        let own = check(&drive.path("/code/own"), &[], json!({}));
        if cfg!(windows) {
            return assert!(own.ends_with("/own/.venv"), "{own}");
        }
        let assumed = format!("the drive {} was assumed", drive.root().display());
        assert_eq!(own, format!("C:/code/own/.venv, {assumed}"));
        let named = drive.path("/other").display().to_string();
        let named = check(&drive.path("/code/own"), &["--python", &named], json!({ "interpreter": named }));
        assert_eq!(named, format!("C:/other, {assumed}"));
    }

    #[test]
    fn without_a_host_the_program_decides_which_clean_windows_it_is() {
        let world = World::new(
            r"
            /code/.venv/python.exe       arm64, imports python311.dll
            /code/.venv/python311.dll    arm64, version 3.11.4150.1013
            /code/.venv/Lib/os.py        text
            ",
        )
        .unwrap();
        if cfg!(unix) {
            let target = target_of_folder(&world.path("/code"), &json!({}));
            assert_eq!(target.open().unwrap().host.kind.to_string(), "windows-11-arm64");
            assert_eq!(target.host().unwrap().0.kind.to_string(), "windows-11");
        }
    }
}
