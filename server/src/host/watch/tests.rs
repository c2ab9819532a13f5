//! Folders that change, and what is told of them.

use std::fs;
use std::sync::mpsc::{Receiver, channel};
use std::time::SystemTime;

use super::*;
use crate::host::Witness;

/// A machine's drive in a folder, of which some is read and watched.
struct Drive {
    root: tempfile::TempDir,
    watcher: Watcher<u32>,
    told: Receiver<u32>,
}

/// Longer than anything takes to be told.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is not told by then is not told.
const ENOUGH: Duration = Duration::from_millis(1500);

impl Drive {
    fn new(has_notices: bool) -> Drive {
        let root = tempfile::tempdir().unwrap();
        for folder in ["Windows/System32", "env/Lib/site-packages/pkg", "work"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let (tell, told) = channel();
        let watcher = Watcher::with_notices(has_notices, move |key| tell.send(key).unwrap());
        let drive = Drive { root, watcher, told };
        drive.write("env/python.exe");
        drive.write("env/Lib/site-packages/pkg/a.dll");
        drive
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn write(&self, path: &str) {
        fs::write(self.path(path), path).unwrap();
    }

    fn delete(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    /// Reads the environment and where else its DLL may be, and watches that.
    fn read(&self, is_ill: bool) -> &Drive {
        let host = Host::directory(self.root.path(), Default::default()).unwrap();
        let (host, witness) = Witness::over(&host);
        let at = |path: &str| WinPath::new(r"C:\").join(path);
        for file in ["env/python.exe", "env/Lib/site-packages/pkg/a.dll"] {
            let _ = host.files.image(&at(file));
        }
        host.files.is_file(&at("work/a.dll"));
        host.files.is_file(&at("work/not/there/a.dll"));
        host.files.is_file(&at("Windows/System32/a.dll"));
        host.files.folder(&at("env/Lib/site-packages")).unwrap();
        let roots = if self.path("env").exists() { vec![at("env")] } else { Vec::new() };
        let watched = Watched::new(&host, &witness.reading(), roots, is_ill).unwrap();
        self.watcher.watch(1, watched, true);
        // Until the system gives notices.
        std::thread::sleep(QUIET);
        self
    }

    #[track_caller]
    fn is_told(&self) -> &Drive {
        assert_eq!(self.told.recv_timeout(PATIENCE), Ok(1));
        self
    }

    #[track_caller]
    fn is_not_told(&self) -> &Drive {
        assert!(self.told.recv_timeout(ENOUGH).is_err());
        self
    }
}

type Change = (&'static str, fn(&Drive));

/// Each of these changes what was read.
fn changes() -> [Change; 6] {
    [
        ("a file is deleted", |drive| drive.delete("env/Lib/site-packages/pkg/a.dll")),
        ("a file is another one", |drive| {
            fs::write(drive.path("env/Lib/site-packages/pkg/a.dll"), "another").unwrap();
        }),
        ("a missing file appears", |drive| drive.write("work/a.dll")),
        ("a missing folder appears", |drive| fs::create_dir_all(drive.path("work/not/there")).unwrap()),
        ("a package is installed", |drive| {
            fs::create_dir(drive.path("env/Lib/site-packages/other")).unwrap();
        }),
        ("the environment is gone", |drive| {
            fs::rename(drive.path("env"), drive.path("gone")).unwrap();
        }),
    ]
}

#[test]
fn what_was_read_is_told_when_it_changes() {
    for (what, change) in changes() {
        println!("{what}");
        let drive = Drive::new(true);
        drive.read(false);
        change(&drive);
        drive.is_told().is_not_told();
    }
}

#[test]
fn without_notices_it_is_polled() {
    for (what, change) in changes() {
        println!("{what}");
        let drive = Drive::new(false);
        drive.read(false);
        change(&drive);
        drive.is_told();
    }
}

#[test]
fn what_was_not_read_and_what_is_as_it_was_is_not_told() {
    let drive = Drive::new(true);
    drive.read(false);
    drive.write("env/Lib/site-packages/pkg/b.py");
    drive.delete("env/Lib/site-packages/pkg/b.py");
    fs::create_dir(drive.path("env/Lib/site-packages/pkg/__pycache__")).unwrap();
    fs::remove_dir(drive.path("env/Lib/site-packages/pkg/__pycache__")).unwrap();
    drive.write("work/b.txt");
    drive.delete("work/b.txt");
    drive.is_not_told();
}

#[test]
fn the_folders_of_the_system_are_watched_while_something_is_missing() {
    let drive = Drive::new(true);
    drive.read(false).write("Windows/System32/a.dll");
    drive.is_not_told().delete("Windows/System32/a.dll");
    drive.read(true).write("Windows/System32/a.dll");
    drive.is_told();
}

#[test]
fn an_installation_is_told_once_at_its_end() {
    let drive = Drive::new(true);
    drive.read(false);
    for package in 0..30 {
        let folder = format!("env/Lib/site-packages/new{package}/inner/folder");
        fs::create_dir_all(drive.path(&folder)).unwrap();
        for file in 0..30 {
            drive.write(&format!("{folder}/{file}.py"));
        }
        // Nothing but what is in the new folders changes for longer than it would be quiet.
        std::thread::sleep(QUIET / 2);
        drive.write(&format!("{folder}/late.py"));
        std::thread::sleep(QUIET / 2);
    }
    assert!(drive.told.try_recv().is_err(), "it was told before it had ended");
    drive.is_told().is_not_told();
}

#[test]
fn what_changes_before_it_is_watched_is_told() {
    let drive = Drive::new(true);
    let host = Host::directory(drive.root.path(), Default::default()).unwrap();
    let (host, witness) = Witness::over(&host);
    host.files.is_file(&r"C:\work\a.dll".into());
    drive.write("work/a.dll");
    drive.watcher.watch(1, Watched::new(&host, &witness.reading(), Vec::new(), true).unwrap(), true);
    drive.is_told();
}

#[test]
fn what_is_read_for_the_first_time_may_have_changed_before() {
    let drive = Drive::new(true);
    let watch = |file: &str, change: &dyn Fn()| {
        let host = Host::directory(drive.root.path(), Default::default()).unwrap();
        let (host, witness) = Witness::over(&host);
        drive.watcher.expect(1);
        host.files.is_file(&file.into());
        change();
        let roots = vec![WinPath::new(r"C:\env")];
        drive.watcher.watch(1, Watched::new(&host, &witness.reading(), roots, true).unwrap(), true);
    };
    watch(r"C:\work\a.dll", &|| {});
    drive.is_not_told();
    // Of the same folder, which is watched already: nobody knew that this file counts.
    watch(r"C:\work\b.dll", &|| drive.write("work/b.dll"));
    drive.is_told();
}

#[test]
fn a_folder_that_was_replaced_before_it_is_read_again_is_still_watched() {
    let drive = Drive::new(true);
    fs::create_dir(drive.path("work/folder")).unwrap();
    let watch = || {
        let host = Host::directory(drive.root.path(), Default::default()).unwrap();
        let (host, witness) = Witness::over(&host);
        drive.watcher.expect(1);
        host.files.is_file(&r"C:\work\folder\a.dll".into());
        let roots = vec![WinPath::new(r"C:\env")];
        drive.watcher.watch(1, Watched::new(&host, &witness.reading(), roots, true).unwrap(), true);
        std::thread::sleep(QUIET);
    };
    watch();
    fs::remove_dir(drive.path("work/folder")).unwrap();
    fs::create_dir(drive.path("work/folder")).unwrap();
    std::thread::sleep(QUIET / 2);
    watch();
    drive.is_not_told().write("work/folder/a.dll");
    drive.is_told();
}

#[test]
fn a_folder_that_comes_back_as_another_is_still_watched() {
    let drive = Drive::new(true);
    fs::create_dir(drive.path("work/folder")).unwrap();
    let host = Host::directory(drive.root.path(), Default::default()).unwrap();
    let (host, witness) = Witness::over(&host);
    host.files.is_file(&r"C:\work\folder\a.dll".into());
    let roots = vec![WinPath::new(r"C:\env")];
    drive.watcher.watch(1, Watched::new(&host, &witness.reading(), roots, true).unwrap(), true);
    std::thread::sleep(QUIET);
    fs::remove_dir(drive.path("work/folder")).unwrap();
    fs::create_dir(drive.path("work/folder")).unwrap();
    drive.is_not_told().write("work/folder/a.dll");
    drive.is_told();
}

#[test]
fn what_never_holds_is_told_more_and_more_seldom() {
    let drive = Drive::new(false);
    let start = Instant::now();
    let mut told = 0;
    for file in 0.. {
        let host = Host::directory(drive.root.path(), Default::default()).unwrap();
        let (host, witness) = Witness::over(&host);
        host.files.is_file(&r"C:\work\a.dll".into());
        // As if somebody changed it during each diagnosis.
        drive.write(&format!("work/{file}.dll"));
        drive.watcher.watch(1, Watched::new(&host, &witness.reading(), Vec::new(), true).unwrap(), true);
        let left = Duration::from_secs(6).saturating_sub(start.elapsed());
        if drive.told.recv_timeout(left).is_err() {
            break;
        }
        told += 1;
    }
    assert!((2..=4).contains(&told), "{told} times");
}

#[test]
fn a_file_that_changed_a_moment_ago_is_watched_all_the_same() {
    let drive = Drive::new(true);
    let path = drive.path("env/Lib/site-packages/pkg/a.dll");
    fs::File::options().append(true).open(&path).unwrap().set_modified(SystemTime::now()).unwrap();
    drive.read(false).is_not_told();
    fs::write(&path, "another").unwrap();
    drive.is_told();
}
