//! Changing directories, and the reports about them.

use std::fs;
use std::sync::mpsc::{Receiver, channel};
use std::time::SystemTime;

use super::*;
use crate::host::ReadTracker;

/// The drive of a machine in a temporary directory, parts of which are read and watched.
struct Drive {
    root: tempfile::TempDir,
    watcher: Watcher<u32>,
    reports: Receiver<u32>,
}

/// Longer than any report takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Long enough to conclude that nothing is reported.
const ENOUGH: Duration = Duration::from_millis(1500);

impl Drive {
    fn new(has_notices: bool) -> Drive {
        let root = tempfile::tempdir().unwrap();
        for folder in ["Windows/System32", "env/Lib/site-packages/pkg", "work"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let (sender, reports) = channel();
        let watcher = Watcher::with_notices(has_notices, move |key| sender.send(key).unwrap());
        let drive = Drive { root, watcher, reports };
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

    /// Reads the environment and the other places where its DLL may be, and watches them.
    fn read(&self, watches_system: bool) -> &Drive {
        let host = Host::directory(self.root.path(), Default::default()).unwrap();
        let (host, tracker) = ReadTracker::over(&host);
        let at = |path: &str| WinPath::new(r"C:\").join(path);
        for file in ["env/python.exe", "env/Lib/site-packages/pkg/a.dll"] {
            let _ = host.files.image(&at(file));
        }
        host.files.is_file(&at("work/a.dll"));
        host.files.is_file(&at("work/not/there/a.dll"));
        host.files.is_file(&at("Windows/System32/a.dll"));
        host.files.folder(&at("env/Lib/site-packages")).unwrap();
        let roots = if self.path("env").exists() { vec![at("env")] } else { Vec::new() };
        let watched = Watched::new(&host, &tracker.read_set(), roots, watches_system).unwrap();
        self.watcher.watch(1, watched, true);
        // Give the system time to start notifications.
        std::thread::sleep(QUIET);
        self
    }

    #[track_caller]
    fn assert_reported(&self) -> &Drive {
        assert_eq!(self.reports.recv_timeout(PATIENCE), Ok(1));
        self
    }

    #[track_caller]
    fn assert_not_reported(&self) -> &Drive {
        assert!(self.reports.recv_timeout(ENOUGH).is_err());
        self
    }
}

type Change = (&'static str, fn(&Drive));

/// Returns changes of what was read.
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
fn a_change_of_what_was_read_is_reported() {
    for (what, change) in changes() {
        println!("{what}");
        let drive = Drive::new(true);
        drive.read(false);
        change(&drive);
        drive.assert_reported().assert_not_reported();
    }
}

#[test]
fn without_notifications_changes_are_polled() {
    for (what, change) in changes() {
        println!("{what}");
        let drive = Drive::new(false);
        drive.read(false);
        change(&drive);
        drive.assert_reported();
    }
}

#[test]
fn changes_of_other_files_and_reverted_changes_are_not_reported() {
    let drive = Drive::new(true);
    drive.read(false);
    drive.write("env/Lib/site-packages/pkg/b.py");
    drive.delete("env/Lib/site-packages/pkg/b.py");
    fs::create_dir(drive.path("env/Lib/site-packages/pkg/__pycache__")).unwrap();
    fs::remove_dir(drive.path("env/Lib/site-packages/pkg/__pycache__")).unwrap();
    drive.write("work/b.txt");
    drive.delete("work/b.txt");
    drive.assert_not_reported();
}

#[test]
fn the_system_directories_are_watched_while_something_is_missing() {
    let drive = Drive::new(true);
    drive.read(false).write("Windows/System32/a.dll");
    drive.assert_not_reported().delete("Windows/System32/a.dll");
    drive.read(true).write("Windows/System32/a.dll");
    drive.assert_reported();
}

#[test]
fn an_installation_is_reported_once_at_its_end() {
    let drive = Drive::new(true);
    drive.read(false);
    for package in 0..30 {
        let folder = format!("env/Lib/site-packages/new{package}/inner/folder");
        fs::create_dir_all(drive.path(&folder)).unwrap();
        for file in 0..30 {
            drive.write(&format!("{folder}/{file}.py"));
        }
        // For longer than the quiet period, only the contents of new directories change.
        std::thread::sleep(QUIET / 2);
        drive.write(&format!("{folder}/late.py"));
        std::thread::sleep(QUIET / 2);
    }
    assert!(drive.reports.try_recv().is_err(), "it was reported before it had ended");
    drive.assert_reported().assert_not_reported();
}

#[test]
fn a_change_before_the_watch_started_is_reported() {
    let drive = Drive::new(true);
    let host = Host::directory(drive.root.path(), Default::default()).unwrap();
    let (host, tracker) = ReadTracker::over(&host);
    host.files.is_file(&r"C:\work\a.dll".into());
    drive.write("work/a.dll");
    drive.watcher.watch(1, Watched::new(&host, &tracker.read_set(), Vec::new(), true).unwrap(), true);
    drive.assert_reported();
}

#[test]
fn a_change_of_a_newly_read_file_in_a_watched_folder_is_reported() {
    let drive = Drive::new(true);
    let watch = |file: &str, change: &dyn Fn()| {
        let host = Host::directory(drive.root.path(), Default::default()).unwrap();
        let (host, tracker) = ReadTracker::over(&host);
        drive.watcher.expect(1);
        host.files.is_file(&file.into());
        change();
        let roots = vec![WinPath::new(r"C:\env")];
        drive.watcher.watch(1, Watched::new(&host, &tracker.read_set(), roots, true).unwrap(), true);
    };
    watch(r"C:\work\a.dll", &|| {});
    drive.assert_not_reported();
    // In a directory that is already watched, but it wasn't known that this file matters.
    watch(r"C:\work\b.dll", &|| drive.write("work/b.dll"));
    drive.assert_reported();
}

#[test]
fn a_folder_that_was_replaced_before_it_is_read_again_is_still_watched() {
    let drive = Drive::new(true);
    fs::create_dir(drive.path("work/folder")).unwrap();
    let watch = || {
        let host = Host::directory(drive.root.path(), Default::default()).unwrap();
        let (host, tracker) = ReadTracker::over(&host);
        drive.watcher.expect(1);
        host.files.is_file(&r"C:\work\folder\a.dll".into());
        let roots = vec![WinPath::new(r"C:\env")];
        drive.watcher.watch(1, Watched::new(&host, &tracker.read_set(), roots, true).unwrap(), true);
        std::thread::sleep(QUIET);
    };
    watch();
    fs::remove_dir(drive.path("work/folder")).unwrap();
    fs::create_dir(drive.path("work/folder")).unwrap();
    std::thread::sleep(QUIET / 2);
    watch();
    drive.assert_not_reported().write("work/folder/a.dll");
    drive.assert_reported();
}

#[test]
fn a_folder_that_was_deleted_and_created_again_is_still_watched() {
    let drive = Drive::new(true);
    fs::create_dir(drive.path("work/folder")).unwrap();
    let host = Host::directory(drive.root.path(), Default::default()).unwrap();
    let (host, tracker) = ReadTracker::over(&host);
    host.files.is_file(&r"C:\work\folder\a.dll".into());
    let roots = vec![WinPath::new(r"C:\env")];
    drive.watcher.watch(1, Watched::new(&host, &tracker.read_set(), roots, true).unwrap(), true);
    std::thread::sleep(QUIET);
    fs::remove_dir(drive.path("work/folder")).unwrap();
    fs::create_dir(drive.path("work/folder")).unwrap();
    drive.assert_not_reported().write("work/folder/a.dll");
    drive.assert_reported();
}

#[test]
fn a_persistent_mismatch_is_reported_less_and_less_often() {
    let drive = Drive::new(false);
    let start = Instant::now();
    let mut reported = 0;
    for file in 0.. {
        let host = Host::directory(drive.root.path(), Default::default()).unwrap();
        let (host, tracker) = ReadTracker::over(&host);
        host.files.is_file(&r"C:\work\a.dll".into());
        // As if the file changed during each diagnosis.
        drive.write(&format!("work/{file}.dll"));
        drive.watcher.watch(1, Watched::new(&host, &tracker.read_set(), Vec::new(), true).unwrap(), true);
        let left = Duration::from_secs(6).saturating_sub(start.elapsed());
        if drive.reports.recv_timeout(left).is_err() {
            break;
        }
        reported += 1;
    }
    assert!((2..=4).contains(&reported), "{reported} times");
}

#[test]
fn a_file_that_changed_a_moment_ago_is_watched_all_the_same() {
    let drive = Drive::new(true);
    let path = drive.path("env/Lib/site-packages/pkg/a.dll");
    fs::File::options().append(true).open(&path).unwrap().set_modified(SystemTime::now()).unwrap();
    drive.read(false).assert_not_reported();
    fs::write(&path, "another").unwrap();
    drive.assert_reported();
}
