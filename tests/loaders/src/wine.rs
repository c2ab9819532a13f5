//! A world's program under Wine.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, thread};

use tempfile::TempDir;

use crate::probe::{self, CRASH, Loader, Machine, ObservedLoad};
use crate::program::Program;

/// How long a program may run. It takes a twentieth of a second.
const TIMEOUT: Duration = Duration::from_secs(30);

const INSTALL: &str = "Debian and Ubuntu: apt-get install --no-install-recommends wine wine64 mingw-w64";

/// Makes machines: Wine, a prefix to copy, and the program that the worlds run.
pub struct Laboratory {
    loader: PathBuf,
    server: PathBuf,
    folder: PathBuf,
    probe: PathBuf,
    /// Held because two runs at the same time would disturb each other.
    _lock: File,
}

impl Laboratory {
    /// Creates what does not exist yet. A prefix in the tests' cache takes some ten seconds, once.
    ///
    /// # Errors
    /// Something is missing; the error says how to install it.
    pub fn open() -> Result<Laboratory, String> {
        let loader = find(&["wine64", "wine"])?;
        let server = find(&["wineserver64", "wineserver"])?;
        let compiler = find(&["x86_64-w64-mingw32-gcc"])?;
        let cache = match env::var_os("WHYDLL_TEST_CACHE") {
            Some(cache) => PathBuf::from(cache),
            None => PathBuf::from(env::var_os("HOME").ok_or("HOME is not set")?).join(".cache/whydll-tests"),
        };
        let folder = cache.join("loaders");
        let failed = |error: io::Error| format!("{}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(failed)?;
        let lock = File::create(folder.join("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;

        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("probe.c");
        let probe = folder.join("probe.exe");
        let mut compile = Command::new(compiler);
        compile.args(["-O1", "-Wall", "-Werror", "-s", "-o"]).arg(&probe).arg(source);
        succeed(compile)?;

        let laboratory = Laboratory { loader, server, folder: folder.clone(), probe, _lock: lock };
        let template = laboratory.template();
        if !template.join("complete").exists() {
            let _ = fs::remove_dir_all(&template);
            fs::create_dir_all(&template).map_err(failed)?;
            let mut boot = laboratory.wine(&template, "wineboot");
            boot.arg("-i");
            succeed(boot)?;
            let mut settle = laboratory.command(&laboratory.server, &template);
            settle.arg("-w");
            succeed(settle)?;
            fs::write(template.join("complete"), "").map_err(failed)?;
        }
        Ok(laboratory)
    }

    fn template(&self) -> PathBuf {
        self.folder.join("prefix")
    }

    /// Makes a fresh machine: hard links to the files of the one prefix, so that a world can write
    /// into its Windows directory.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn machine(&self) -> Result<WineMachine<'_>, String> {
        self.machine_like(&self.template())
    }

    /// As [`Laboratory::machine`], from another prefix.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn machine_like(&self, template: &Path) -> Result<WineMachine<'_>, String> {
        let failed = |error: io::Error| format!("{}: {error}", self.folder.display());
        let folder = tempfile::Builder::new().prefix("machine-").tempdir_in(&self.folder).map_err(failed)?;
        let mut copy = Command::new("cp");
        copy.args(["--archive", "--link"]).arg(template.join(".")).arg(folder.path());
        succeed(copy)?;
        // Wine writes the registry's files in place, so those are copied rather than linked.
        for entry in fs::read_dir(template).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "reg") {
                let own = folder.path().join(path.file_name().unwrap_or_default());
                fs::remove_file(&own).and_then(|()| fs::copy(&path, &own)).map_err(failed)?;
            }
        }
        let machine = WineMachine { laboratory: self, folder };
        // Wine's server and services start on demand, inherit the pipes of the program that needs them, and
        // keep them open. So they are started first, without pipes.
        let mut server = self.command(&self.server, machine.folder.path());
        server.arg("-p");
        succeed(server)?;
        let mut first = self.wine(machine.folder.path(), "cmd");
        first.args(["/c", "exit"]);
        succeed(first)?;
        Ok(machine)
    }

    fn wine(&self, prefix: &Path, program: &str) -> Command {
        let mut command = self.command(&self.loader, prefix);
        command.arg(program);
        command
    }

    fn command(&self, program: &Path, prefix: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            // Wine links the user's real directories into the drive.
            .env("HOME", prefix)
            .env("WINEPREFIX", prefix)
            .env("WINEARCH", "win64")
            .env("WINESERVER", &self.server)
            .env("WINEDEBUG", "-all,err+module,warn+module,fixme+actctx")
            .env("WINEDLLOVERRIDES", "winemenubuilder.exe=d;mscoree=d;mshtml=d;winedbg.exe=d")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

/// The output of a program and of Wine.
struct Output {
    lines: Vec<String>,
    ended: bool,
}

/// A Windows machine under Wine.
pub struct WineMachine<'l> {
    laboratory: &'l Laboratory,
    folder: TempDir,
}

impl Machine for WineMachine<'_> {
    fn loader(&self) -> Loader {
        Loader::Wine
    }

    fn drive(&self) -> PathBuf {
        self.folder.path().join("drive_c")
    }

    fn install(&self, program: &Program) -> io::Result<PathBuf> {
        let path = self.executable(program);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(&self.laboratory.probe, &path)?;
        Ok(path)
    }

    fn run(&self, program: &Program, files: &[String]) -> Result<Vec<ObservedLoad>, String> {
        let output = match self.output(program)? {
            // Once in thousands of runs Wine does not get to the program at all.
            Output { lines, ended: false } if lines.is_empty() => self.output(program)?,
            output => output,
        };
        if output.ended {
            return probe::loads(&output.lines, files);
        }
        Err(format!("the program does not end under Wine. It printed:\n{}", output.lines.join("\n")))
    }
}

impl WineMachine<'_> {
    fn output(&self, program: &Program) -> Result<Output, String> {
        let failed = |error: io::Error| format!("Wine cannot be run: {error}");
        fs::write(self.path("/commands.txt"), probe::commands(program)).map_err(failed)?;
        let (reader, writer) = io::pipe().map_err(failed)?;
        let mut command = self.laboratory.wine(self.folder.path(), program.executable().as_str());
        command.arg(r"C:\commands.txt");
        command.stdout(writer.try_clone().map_err(failed)?).stderr(writer);
        let mut child = command.spawn().map_err(failed)?;
        // The command holds the writing end of the pipe.
        drop(command);
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let deadline = Instant::now() + TIMEOUT;
        let mut output = Output { lines: Vec::new(), ended: false };
        while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            output.ended = line == "> end" || line.starts_with(CRASH);
            output.lines.push(line);
            if output.ended {
                break;
            }
        }
        // It has ended by itself, or it hangs.
        let _ = child.kill();
        child.wait().map_err(failed)?;
        Ok(output)
    }
}

impl Drop for WineMachine<'_> {
    fn drop(&mut self) {
        let mut stop = self.laboratory.command(&self.laboratory.server, self.folder.path());
        stop.arg("-k");
        let _ = stop.status();
    }
}

fn find(names: &[&str]) -> Result<PathBuf, String> {
    // Debian keeps Wine's own binaries out of PATH.
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = || std::iter::once(PathBuf::from("/usr/lib/wine")).chain(env::split_paths(&path));
    let mut places = names.iter().flat_map(|name| folders().map(move |folder| folder.join(name)));
    places.find(|place| place.is_file()).ok_or_else(|| {
        format!("{} not found, and without it there is no loader to compare with. {INSTALL}", names[0])
    })
}

fn succeed(mut command: Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
