//! A world's program on the Windows that the test runs on.
//!
//! Worlds declare files in `C:\dlls`, `C:\app`, `C:\Windows\System32` and so on, and those files
//! are really written there, and removed afterwards. That needs administrator rights, and is for
//! machines that are thrown away, such as a CI runner. So it only runs if
//! `WHYDLL_TEST_ON_THIS_WINDOWS` is 1.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use tempfile::TempDir;

use crate::probe::{self, Loader, Machine, ObservedLoad};
use crate::program::Program;

/// How long a program may run. It takes a few hundredths of a second.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a scanner or a process that is ending may keep a file from being removed.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(2);

const CONSENT: &str = "WHYDLL_TEST_ON_THIS_WINDOWS";

/// This machine.
pub struct Native {
    /// Holds the compiled probe.
    folder: TempDir,
}

impl Native {
    /// Compiles the probe with `gcc` (MinGW-w64), or the compiler that `CC` names.
    ///
    /// # Errors
    /// This is not Windows, the user did not agree, or the probe cannot be compiled.
    pub fn open() -> Result<Native, String> {
        if !cfg!(windows) {
            return Err("this is not Windows".to_owned());
        }
        if env::var_os(CONSENT).is_none_or(|value| value != "1") {
            return Err(format!(
                "this test writes files to C:\\ and to the Windows directory. On a machine that is thrown away \
                 afterwards, set {CONSENT}=1 and run it as an administrator"
            ));
        }
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let native = Native { folder };
        let compiler = env::var_os("CC").unwrap_or_else(|| "gcc".into());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("probe.c");
        let mut compile = Command::new(&compiler);
        compile.args(["-O1", "-Wall", "-Werror", "-s", "-static", "-o"]).arg(native.probe()).arg(source);
        match compile.status() {
            Ok(status) if status.success() => Ok(native),
            Ok(status) => Err(format!("{compile:?}: {status}")),
            Err(error) => Err(format!("{compile:?}: {error}; install MinGW-w64")),
        }
    }

    fn probe(&self) -> PathBuf {
        self.folder.path().join("probe.exe")
    }
}

impl Machine for Native {
    fn loader(&self) -> Loader {
        Loader::Windows
    }

    fn drive(&self) -> PathBuf {
        PathBuf::from(r"C:\")
    }

    fn install(&self, program: &Program) -> io::Result<PathBuf> {
        let path = self.executable(program);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(self.probe(), &path)?;
        Ok(path)
    }

    fn run(&self, program: &Program, files: &[String]) -> Result<Vec<ObservedLoad>, String> {
        let commands = self.folder.path().join("commands.txt");
        fs::write(&commands, probe::commands(program)).map_err(|error| error.to_string())?;
        let mut command = Command::new(self.executable(program));
        command.arg(commands).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        let stdout = child.stdout.take().ok_or("the probe has no output")?;
        let reader = thread::spawn(move || {
            let mut output = Vec::new();
            let mut stdout = stdout;
            stdout.read_to_end(&mut output).map(|_| output)
        });
        let ended = wait(&mut child);
        let output = reader.join().map_err(|_| "reading the output panicked")?;
        let output = String::from_utf8_lossy(&output.map_err(|error| error.to_string())?).into_owned();
        ended?;
        let lines: Vec<String> = output.lines().map(|line| line.trim_end().to_owned()).collect();
        match lines.last() {
            Some(last) if last == "> end" => probe::loads(&lines, files),
            _ => Err(format!("the program did not reach its end. It printed:\n{output}")),
        }
    }
}

/// Waits until the program ends, and ends it if it takes too long.
fn wait(child: &mut Child) -> Result<(), String> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match child.try_wait() {
            Ok(Some(_)) => return Ok(()),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("the program did not end within {} s", TIMEOUT.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Removes a file, or a directory if it is not one of Windows' own.
pub(crate) fn remove(path: &Path, is_of_windows: bool) {
    let deadline = Instant::now() + REMOVAL_TIMEOUT;
    loop {
        let removed = match path.is_dir() {
            // A world may declare System32 itself, which stays.
            true if is_of_windows => return,
            true => fs::remove_dir_all(path),
            false => fs::remove_file(path),
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(20));
            }
            _ => return,
        }
    }
}
