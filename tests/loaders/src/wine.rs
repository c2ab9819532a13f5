//! A world's program under Wine.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, thread};

use tempfile::TempDir;

use crate::ours::is_one_of;
use crate::outcome::Outcome;
use crate::program::{Program, Step};
use crate::trace::{self, Complaint};

/// What Wine says when a program does what it may not, before it looks for a debugger.
const CRASH: &str = "wine: Unhandled ";

/// A program is given so long; it takes a twentieth of a second.
const PATIENCE: Duration = Duration::from_secs(30);

const INSTALL: &str = "Debian and Ubuntu: apt-get install --no-install-recommends wine wine64 mingw-w64";

/// Where machines are made: Wine, a prefix to copy, and the program that the worlds run.
pub struct Laboratory {
    loader: PathBuf,
    server: PathBuf,
    folder: PathBuf,
    probe: PathBuf,
    /// Two runs at once would be in each other's way.
    _lock: File,
}

/// What one load looks like from outside.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The outcome as Wine has it. Its faults are empty: they stand in the trace.
    pub outcome: Outcome,
    /// What Wine complained about meanwhile.
    pub complaints: Vec<Complaint>,
    /// Wine's own loader crashed over it, and the outcome is unknown.
    pub crashed: bool,
}

impl Laboratory {
    /// Makes what is not there yet: a prefix in the tests' cache takes some ten seconds, once.
    ///
    /// # Errors
    /// What is missing, and how to install it.
    pub fn open() -> Result<Laboratory, String> {
        let loader = find(&["wine64", "wine"])?;
        let server = find(&["wineserver64", "wineserver"])?;
        let compiler = find(&["x86_64-w64-mingw32-gcc"])?;
        let cache = match env::var_os("WHYDLL_TEST_CACHE") {
            Some(cache) => PathBuf::from(cache),
            None => PathBuf::from(env::var_os("HOME").ok_or("HOME is not set")?).join(".cache/whydll-tests"),
        };
        let folder = cache.join("loaders");
        let told = |error: io::Error| format!("{}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(told)?;
        let lock = File::create(folder.join("lock")).map_err(told)?;
        lock.lock().map_err(told)?;

        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("probe.c");
        let probe = folder.join("probe.exe");
        let mut compile = Command::new(compiler);
        compile.args(["-O1", "-Wall", "-Werror", "-s", "-o"]).arg(&probe).arg(source);
        succeed(compile)?;

        let laboratory = Laboratory { loader, server, folder: folder.clone(), probe, _lock: lock };
        let template = laboratory.template();
        if !template.join("complete").exists() {
            let _ = fs::remove_dir_all(&template);
            fs::create_dir_all(&template).map_err(told)?;
            let mut boot = laboratory.wine(&template, "wineboot");
            boot.arg("-i");
            succeed(boot)?;
            let mut settle = laboratory.command(&laboratory.server, &template);
            settle.arg("-w");
            succeed(settle)?;
            fs::write(template.join("complete"), "").map_err(told)?;
        }
        Ok(laboratory)
    }

    fn template(&self) -> PathBuf {
        self.folder.join("prefix")
    }

    /// A fresh machine: links to the files of the one prefix, so that a world can write into its Windows folder.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn machine(&self) -> Result<Machine<'_>, String> {
        self.machine_like(&self.template())
    }

    /// As [`Laboratory::machine`], of another prefix.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn machine_like(&self, template: &Path) -> Result<Machine<'_>, String> {
        let told = |error: io::Error| format!("{}: {error}", self.folder.display());
        let folder = tempfile::Builder::new().prefix("machine-").tempdir_in(&self.folder).map_err(told)?;
        let mut copy = Command::new("cp");
        copy.args(["--archive", "--link"]).arg(template.join(".")).arg(folder.path());
        succeed(copy)?;
        // Wine writes its registry in place where a file has two names.
        for entry in fs::read_dir(template).map_err(told)? {
            let path = entry.map_err(told)?.path();
            if path.extension().is_some_and(|extension| extension == "reg") {
                let own = folder.path().join(path.file_name().unwrap_or_default());
                fs::remove_file(&own).and_then(|()| fs::copy(&path, &own)).map_err(told)?;
            }
        }
        let machine = Machine { laboratory: self, folder };
        // Wine's server and services start on demand, inherit the pipes of the program that needs them, and keep them
        // open. So they come first, without pipes.
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
            // Wine links a user's real folders into the drive.
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
struct Said {
    lines: Vec<String>,
    ended: bool,
}

/// A Windows machine under Wine, for one world at a time.
pub struct Machine<'l> {
    laboratory: &'l Laboratory,
    folder: TempDir,
}

impl Machine<'_> {
    /// The folder that stands for its drive.
    pub fn drive(&self) -> PathBuf {
        self.folder.path().join("drive_c")
    }

    /// Where a file of a world lies.
    pub fn path(&self, file: &str) -> PathBuf {
        self.drive().join(file.trim_start_matches('/'))
    }

    /// Puts the program where a world wants it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn install(&self, program: &Program) -> io::Result<PathBuf> {
        let path = self.path(&program.executable().as_str().replace("C:", "").replace('\\', "/"));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(&self.laboratory.probe, &path)?;
        Ok(path)
    }

    /// Runs the program, which is installed.
    ///
    /// # Errors
    /// It does not come to its end.
    pub fn run(&self, program: &Program, files: &[String]) -> Result<Vec<Seen>, String> {
        let said = match self.said(program)? {
            // Once in thousands of times Wine does not come to the program at all.
            Said { lines, ended: false } if lines.is_empty() => self.said(program)?,
            said => said,
        };
        if said.ended {
            return understood(&said.lines, files);
        }
        Err(format!("the program does not end under Wine. It said:\n{}", said.lines.join("\n")))
    }

    fn said(&self, program: &Program) -> Result<Said, String> {
        let told = |error: io::Error| format!("Wine cannot be run: {error}");
        fs::write(self.path("/commands.txt"), commands(program)).map_err(told)?;
        let (reader, writer) = io::pipe().map_err(told)?;
        let mut command = self.laboratory.wine(self.folder.path(), program.executable().as_str());
        command.arg(r"C:\commands.txt");
        command.stdout(writer.try_clone().map_err(told)?).stderr(writer);
        let mut child = command.spawn().map_err(told)?;
        // It holds the writing end of the pipe.
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
        let deadline = Instant::now() + PATIENCE;
        let mut said = Said { lines: Vec::new(), ended: false };
        while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            said.ended = line == "> end" || line.starts_with(CRASH);
            said.lines.push(line);
            if said.ended {
                break;
            }
        }
        // It has ended itself, or must be ended.
        let _ = child.kill();
        child.wait().map_err(told)?;
        Ok(said)
    }
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        let mut stop = self.laboratory.command(&self.laboratory.server, self.folder.path());
        stop.arg("-k");
        let _ = stop.status();
    }
}

fn commands(program: &Program) -> String {
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

/// The output of a program: its own lines begin with `>`, the others are Wine's trace of what it does next.
fn understood(said: &[String], files: &[String]) -> Result<Vec<Seen>, String> {
    let mut seen: Vec<Seen> = Vec::new();
    let mut complaints = Vec::new();
    for line in said {
        let Some(own) = line.strip_prefix("> ") else {
            if line.starts_with(CRASH) {
                let outcome = Outcome { code: 0, module: None, faults: Vec::new(), modules: Vec::new() };
                seen.push(Seen { outcome, complaints: std::mem::take(&mut complaints), crashed: true });
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
                seen.push(Seen { outcome, complaints: std::mem::take(&mut complaints), crashed: false });
            }
            "module" if is_one_of(files, rest) => {
                let last = seen.last_mut().ok_or_else(|| format!("modules of no load: {line}"))?;
                last.outcome.modules.push(rest.to_owned());
            }
            "module" => {}
            "end" => break,
            // A world says something that cannot be done.
            _ => return Err(line.clone()),
        }
    }
    Ok(seen)
}

fn find(names: &[&str]) -> Result<PathBuf, String> {
    // Debian keeps Wine's own binaries out of PATH.
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = || std::iter::once(PathBuf::from("/usr/lib/wine")).chain(env::split_paths(&path));
    let mut places = names.iter().flat_map(|name| folders().map(move |folder| folder.join(name)));
    places.find(|place| place.is_file()).ok_or_else(|| {
        format!("{} not found, and without it there is no other loader to compare with. {INSTALL}", names[0])
    })
}

fn succeed(mut command: Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
