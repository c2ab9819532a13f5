//! A cached answer is the same as a new one, whatever changed between runs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use end_to_end::{Answer, answer, command, text};
use tempfile::TempDir;
use world::World;

/// A small Python with a small TensorFlow, which lacks one DLL: `absent.dll`.
const SMALL: &str = "
    /Python38/python.exe        imports python38.dll
    /Python38/python38.dll      version 3.8.10150.1013
    /Python38/Lib/os.py         text
        pass
    /Python38/Lib/site-packages/tensorflow/__init__.py  text
        from . import _core
        from . import _more
    /Python38/Lib/site-packages/tensorflow/_core.pyd    imports python38.dll, core.dll
    /Python38/Lib/site-packages/tensorflow/core.dll     exports f
    /Python38/Lib/site-packages/tensorflow/_more.py     text
        from .parts import one
    /Python38/Lib/site-packages/tensorflow/_mare.py     text
        from .parts import two
    /Python38/Lib/site-packages/tensorflow/parts/__init__.py  text
        pass
    /Python38/Lib/site-packages/tensorflow/parts/one.pyd    imports absent.dll
    /Python38/Lib/site-packages/tensorflow/parts/two.pyd    imports python38.dll
    /Python38/Lib/site-packages/tensorflow-2.3.0.dist-info/METADATA  text
        Name: tensorflow
        Version: 2.3.0
    /Python38/Lib/site-packages/tensorflow-2.3.0.dist-info/RECORD  text
        tensorflow/__init__.py,sha256=x,1
        tensorflow/_core.pyd,sha256=x,
        tensorflow/core.dll,sha256=x,
    /extra/absent.dll   exports f
    ";

const PACKAGE: &str = "/Python38/Lib/site-packages/tensorflow";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A machine, and a cache folder of its own.
struct Machine {
    world: World,
    cache: TempDir,
    arguments: Vec<String>,
}

impl Machine {
    /// Makes a machine whose files are an hour old.
    fn new(world: &str) -> Machine {
        let world = World::new(world).unwrap();
        let python = text(&world.path("/Python38"));
        settle(world.root());
        Machine {
            world,
            cache: tempfile::tempdir().unwrap(),
            arguments: ["--host", "windows-11", "--python", &python].map(str::to_owned).to_vec(),
        }
    }

    fn small() -> Machine {
        Machine::new(SMALL)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.world.path(path)
    }

    fn run(&self, cache: &str, more: &[&str]) -> (i32, String) {
        let mut command = command();
        command.env("WHYDLL_CACHE_DIR", cache).args(["check", "--format", "json"]);
        command.args(&self.arguments).args(more);
        summary(answer(command))
    }

    /// Runs with the cache.
    fn ask(&self, more: &[&str]) -> (i32, String) {
        self.run(&text(self.cache.path()), more)
    }

    /// Runs with the cache, and asserts that a run without it gives the same answer.
    #[track_caller]
    fn ask_and_verify(&self, more: &[&str]) -> (i32, String) {
        let fresh = self.run("", more);
        assert_eq!(self.ask(more), fresh, "{more:?}");
        fresh
    }

    fn kept(&self, kind: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.cache.path()).unwrap().map(|file| file.unwrap().path());
        let mut files: Vec<PathBuf> =
            files.filter(|file| file.file_name().unwrap().to_str().unwrap().starts_with(kind)).collect();
        files.sort();
        files
    }

    /// Whether a run uses its cached answers: new ones would be written again.
    fn uses_cache(&self, more: &[&str]) -> bool {
        let age = Duration::from_secs(3600);
        let answers = self.kept("answer-");
        answers.iter().for_each(|file| date(file, age));
        self.ask_and_verify(more);
        let written = |file: &PathBuf| fs::metadata(file).unwrap().modified().unwrap().elapsed().unwrap();
        self.kept("answer-") == answers && answers.iter().all(|file| written(file) > age / 2)
    }

    /// Caches the answer, changes the world, and asks again.
    #[track_caller]
    fn changed_by(self, change: impl FnOnce(&Machine)) -> (Machine, (i32, String)) {
        let before = self.ask_and_verify(&[]);
        assert!(self.uses_cache(&[]), "nothing changed so far");
        change(&self);
        let after = self.ask_and_verify(&[]);
        assert_ne!(after, before, "the change matters");
        (self, after)
    }
}

fn summary(answer: Answer) -> (i32, String) {
    assert_eq!(answer.err, "");
    (answer.status, answer.out)
}

/// Makes everything below `folder` an hour old.
fn settle(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { settle(&path) } else { date(&path, Duration::from_secs(3600)) }
    }
}

fn date(file: &Path, age: Duration) {
    let time = SystemTime::now() - age;
    File::options().append(true).open(file).unwrap().set_modified(time).unwrap();
}

/// Writes a file that is half an hour old.
fn write(file: &Path, content: impl AsRef<[u8]>) {
    fs::write(file, content).unwrap();
    date(file, Duration::from_secs(1800));
}

#[test]
fn an_answer_is_cached_while_nothing_changes() {
    let machine = Machine::small();
    let first = machine.ask_and_verify(&[]);
    assert!(first.1.contains("absent.dll"));
    for _ in 0..3 {
        assert!(machine.uses_cache(&[]));
    }
    assert!(!machine.uses_cache(&["--import", "os"]), "another question");
    assert!(machine.uses_cache(&["--import", "os"]));
    // One for each question, and one for the trial of the fixes.
    assert_eq!(machine.kept("answer-").len(), 3);
}

#[test]
fn findings_in_documents_are_cached_too() {
    let machine = Machine::small();
    let document = machine.path("/work.py");
    fs::write(&document, "import os\nimport tensorflow.parts\nimport tensorflow\n").unwrap();
    let arguments = [&*text(&document), "--import", "tensorflow", "--import", "os"];
    let first = machine.ask_and_verify(&arguments);
    assert!(machine.uses_cache(&arguments));
    fs::remove_dir_all(machine.path(PACKAGE).join("parts")).unwrap();
    assert_ne!(machine.ask_and_verify(&arguments), first);
}

/// The modules of the program's own folder are part of the question, and of what is verified.
#[test]
fn the_folder_of_the_program_changes() {
    let machine = Machine::small();
    let folder = machine.path("/work");
    fs::create_dir(&folder).unwrap();
    let [program, settings, hiding] =
        ["main.py", "settings.py", "tensorflow.py"].map(|name| folder.join(name));
    write(&program, "import settings\nimport tensorflow\n");
    write(&settings, "#");
    let arguments = [&*text(&program)];
    let broken = machine.ask_and_verify(&arguments);
    assert!(broken.1.contains("absent.dll"), "{broken:?}");
    assert!(machine.uses_cache(&arguments));

    write(&settings, format!("import os\nos.add_dll_directory({:?})\n", text(&machine.path("/extra"))));
    let fixed = machine.ask_and_verify(&arguments);
    assert_eq!(fixed.0, 0, "{fixed:?}");
    assert!(machine.uses_cache(&arguments));

    write(&hiding, "");
    let hidden = machine.ask_and_verify(&arguments);
    assert!(hidden.1.contains("shadowed-module"), "{hidden:?}");
    fs::remove_file(&hiding).unwrap();
    fs::remove_file(&settings).unwrap();
    assert_eq!(machine.ask_and_verify(&arguments), broken);

    // Another folder in which nothing is searched for is not another question.
    let kept = machine.kept("answer-").len();
    let elsewhere = machine.path("/elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let program = elsewhere.join("main.py");
    write(&program, "import settings\nimport tensorflow\n");
    machine.ask_and_verify(&[&text(&program)]);
    // The outcome of the fixes may depend on the folder.
    assert_eq!(machine.kept("answer-").len(), kept + 1);
}

#[test]
fn a_dll_is_deleted() {
    let deleted = |machine: &Machine| fs::remove_file(machine.path(PACKAGE).join("core.dll")).unwrap();
    let (_, after) = Machine::small().changed_by(deleted);
    assert!(after.1.contains("core.dll"), "{after:?}");
}

#[test]
fn a_dll_appears_where_it_was_searched_for() {
    for folder in ["/Python38", "/Python38/Lib/site-packages/tensorflow/parts"] {
        let (_, after) = Machine::small().changed_by(|machine| {
            fs::copy(machine.path("/extra/absent.dll"), machine.path(folder).join("absent.dll")).unwrap();
        });
        assert_eq!(after.0, 0, "{folder}: {after:?}");
    }
}

#[test]
fn a_dll_is_replaced_by_one_of_the_same_size() {
    Machine::small().changed_by(|machine| {
        let dll = machine.path(PACKAGE).join("core.dll");
        let size = fs::metadata(&dll).unwrap().len() as usize;
        write(&dll, vec![b'x'; size]);
    });
}

#[test]
fn a_module_is_edited_and_keeps_its_size() {
    let (_, after) = Machine::small().changed_by(|machine| {
        let module = machine.path(PACKAGE).join("__init__.py");
        let edited = fs::read_to_string(&module).unwrap().replace("_more", "_mare");
        write(&module, edited);
    });
    assert_eq!(after.0, 0, "{after:?}");
}

#[test]
fn folders_and_modules_come_and_go() {
    Machine::small().changed_by(|machine| fs::remove_dir_all(machine.path(PACKAGE)).unwrap());
    Machine::small().changed_by(|machine| fs::remove_dir_all(machine.path(PACKAGE).join("parts")).unwrap());
    // A module that is found before the previous one.
    Machine::small().changed_by(|machine| write(&machine.path("/Python38/Lib/tensorflow.py"), ""));
    let package = "/Python38/Lib/site-packages/tensorflow/_more";
    let (_, after) = Machine::small().changed_by(|machine| {
        fs::create_dir(machine.path(package)).unwrap();
        write(&machine.path(package).join("__init__.py"), "");
    });
    assert_eq!(after.0, 0, "{after:?}");
}

#[test]
fn record_changes() {
    let (_, after) = Machine::small().changed_by(|machine| {
        let record = machine.path("/Python38/Lib/site-packages/tensorflow-2.3.0.dist-info/RECORD");
        let more = fs::read_to_string(&record).unwrap() + "tensorflow/parts/absent.dll,sha256=x,7\n";
        write(&record, more);
    });
    assert!(after.1.contains("damaged-install"), "{after:?}");
}

#[test]
fn python_changes() {
    Machine::small().changed_by(|machine| {
        let other = World::new("/python38.dll   version 3.8.5150.1013").unwrap();
        fs::copy(other.path("/python38.dll"), machine.path("/Python38/python38.dll")).unwrap();
        date(&machine.path("/Python38/python38.dll"), Duration::from_secs(1800));
    });
    // `Lib` is no longer searched.
    let isolated = |machine: &Machine| write(&machine.path("/Python38/python38._pth"), "Lib\n");
    Machine::small().changed_by(isolated);
}

#[test]
fn path_and_machine_are_part_of_the_question() {
    let machine = Machine::small();
    let extra = text(&machine.path("/extra"));
    let without = machine.ask_and_verify(&[]);
    let with = machine.ask_and_verify(&["--path", &extra]);
    assert_ne!(with, without);
    assert!(machine.uses_cache(&[]) && machine.uses_cache(&["--path", &extra]));
    let drive = tempfile::tempdir().unwrap();
    machine.ask_and_verify(&["--drive", &text(drive.path())]);
    for host in ["windows-10", "windows-11+vcredist"] {
        let mut arguments = machine.arguments.clone();
        arguments[1] = host.to_owned();
        let other =
            Machine { world: World::new("").unwrap(), cache: tempfile::tempdir().unwrap(), arguments };
        let summary = other.run(&text(machine.cache.path()), &[]);
        assert_eq!(summary, other.run("", &[]), "{host}");
    }
    assert_eq!(machine.ask_and_verify(&[]), without);
}

#[test]
fn a_dll_comes_into_the_system_directory_of_a_drive() {
    let world = format!("{SMALL}\n    /Windows/System32/kernel32.dll    version 10.0.22631.1");
    let mut machine = Machine::new(&world);
    machine.arguments[1] = text(machine.world.root());
    let (_, after) = machine.changed_by(|machine| {
        let dll = machine.path("/Windows/System32/absent.dll");
        fs::copy(machine.path("/extra/absent.dll"), dll).unwrap();
    });
    assert_eq!(after.0, 0, "{after:?}");
}

/// Time and size of a file stay the same when it becomes unreadable.
#[test]
#[cfg(unix)]
fn a_file_becomes_unreadable() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::small();
    let core = machine.path(PACKAGE).join("core.dll");
    let ask = |cache: &str| {
        let mut command = end_to_end::command_without_privileges();
        command.env("WHYDLL_CACHE_DIR", cache).args(["check", "--format", "json"]).args(&machine.arguments);
        summary(answer(command))
    };
    let mode = |mode| fs::set_permissions(&core, fs::Permissions::from_mode(mode)).unwrap();
    let cache = text(machine.cache.path());
    mode(0o600);
    let readable = ask(&cache);
    mode(0o000);
    let denied = ask(&cache);
    assert_ne!(denied, readable);
    assert_eq!(denied, ask(""));
    mode(0o600);
    assert_eq!(ask(&cache), readable);
}

/// A file that was just written may be written again without a change of its time.
#[test]
fn recent_changes_are_not_trusted() {
    let machine = Machine::small();
    let module = machine.path(PACKAGE).join("__init__.py");
    let text = fs::read_to_string(&module).unwrap();
    fs::write(&module, &text).unwrap();
    let now = fs::metadata(&module).unwrap().modified().unwrap();
    let before = machine.ask_and_verify(&[]);
    assert!(machine.kept("answer-").is_empty(), "nothing is cached");

    fs::write(&module, text.replace("_more", "_mare")).unwrap();
    File::options().append(true).open(&module).unwrap().set_modified(now).unwrap();
    let after = machine.ask_and_verify(&[]);
    assert_ne!(after, before);

    date(&module, Duration::from_secs(60));
    machine.ask_and_verify(&[]);
    assert!(machine.uses_cache(&[]), "now the files are old enough");
}

#[test]
fn a_damaged_or_foreign_answer_is_ignored() {
    let machine = Machine::small();
    let truth = machine.ask_and_verify(&[]);
    machine.ask_and_verify(&["--import", "os"]);
    let kept = machine.kept("answer-");
    let [whole, foreign, ..] = &kept.iter().map(|file| fs::read(file).unwrap()).collect::<Vec<_>>()[..]
    else {
        panic!("two answers")
    };
    let lengths = (0..32).chain((32..whole.len()).step_by(whole.len() / 40));
    let mut damaged: Vec<Vec<u8>> = lengths.map(|length| whole[..length].to_vec()).collect();
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        damaged.push(changed);
    }
    damaged.extend([foreign.clone(), [&whole[..], b"more"].concat(), vec![0; 100_000]]);
    for content in damaged {
        kept.iter().for_each(|file| fs::write(file, &content).unwrap());
        assert_eq!(machine.ask(&[]), truth, "{} bytes", content.len());
    }
    assert!(machine.uses_cache(&[]), "it is cached again");
    // A folder in its place cannot be overwritten.
    machine.kept("answer-").iter().for_each(|file| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    });
    assert_eq!(machine.ask(&[]), truth);
}

#[test]
fn unused_caches_are_removed() {
    let machine = Machine::small();
    let others: Vec<Machine> = (0..3).map(|_| Machine::small()).collect();
    let cache = text(machine.cache.path());
    for other in &others {
        other.run(&cache, &[]);
    }
    let foreign = machine.cache.path().join("facts-of-life.bin");
    fs::write(&foreign, "mine").unwrap();
    date(&foreign, 365 * DAY);
    // For each, the findings and the outcome of the fixes.
    assert_eq!(machine.kept("answer-").len(), 6);
    // The first is gone, the second is long unused, the third is in use.
    fs::remove_dir_all(others[0].path("/Python38")).unwrap();
    let unused = others[1].path("/Python38");
    for signature in machine.kept("environment-") {
        let python = fs::read_to_string(&signature).unwrap();
        let age = if python == text(&unused) { 61 * DAY } else { 59 * DAY };
        let name = signature.file_stem().unwrap().to_str().unwrap();
        let environment = name.strip_prefix("environment-").unwrap();
        for kind in ["facts-", "answer-"] {
            let of_it = machine.kept(kind).into_iter().filter(|file| text(file).contains(environment));
            of_it.for_each(|file| date(&file, age));
        }
    }
    machine.ask_and_verify(&[]);
    assert_eq!(machine.kept("environment-").len(), 2);
    assert_eq!(machine.kept("answer-").len(), 4);
    assert!(foreign.exists(), "files of others stay");
}
