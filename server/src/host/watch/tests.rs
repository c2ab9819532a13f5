//! Changing directories, and the reports about them.
//!
//! Most tests do the work of the watching thread themselves, in a time of their own, with the
//! system's real notifications. Two run the thread in real time.

use std::fs;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::SystemTime;

use super::*;
use crate::host::ReadTracker;

/// The drive of a machine in a temporary directory.
struct Drive {
    root: tempfile::TempDir,
}

/// Longer than any report or notification takes, in real time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Long enough to conclude that nothing is reported.
const ENOUGH: Duration = Duration::from_millis(1500);

/// The time that a system other than Linux may need to start notifications, or to report the
/// changes of several directories in order.
const SYSTEM_DELAY: Duration = Duration::from_millis(if cfg!(target_os = "linux") { 0 } else { 200 });

impl Drive {
    fn new() -> Drive {
        let root = tempfile::tempdir().unwrap();
        for folder in ["Windows/System32", "env/Lib/site-packages/pkg", "work", "notices"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let drive = Drive { root };
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

    /// Returns the machine, whose accesses are recorded. One has happened, so that `notices` is
    /// watched, but not for what appears in it.
    fn host(&self) -> (Host, Arc<ReadTracker>) {
        let (host, tracker) =
            ReadTracker::over(&Host::directory(self.root.path(), Default::default()).unwrap());
        assert!(host.files.size(&r"C:\notices\absent".into()).is_err());
        (host, tracker)
    }

    /// Reads the environment and the other places where its DLL may be.
    fn read(&self, watches_system: bool) -> Watched {
        let (host, tracker) = self.host();
        let at = |path: &str| WinPath::new(r"C:\").join(path);
        for file in ["env/python.exe", "env/Lib/site-packages/pkg/a.dll"] {
            let _ = host.files.image(&at(file));
        }
        host.files.is_file(&at("work/a.dll"));
        host.files.is_file(&at("work/not/there/a.dll"));
        host.files.is_file(&at("Windows/System32/a.dll"));
        host.files.folder(&at("env/Lib/site-packages")).unwrap();
        let roots = if self.path("env").exists() { vec![at("env")] } else { Vec::new() };
        Watched::new(&host, &tracker.read_set(), roots, watches_system).unwrap()
    }
}

/// The work of the watching thread for a drive, in a time that only passes here.
struct Watch {
    drive: Drive,
    thread: WatchThread<u32, Box<dyn Fn(u32)>>,
    orders: Receiver<Order<u32>>,
    time: Arc<Mutex<Instant>>,
    reports: Receiver<u32>,
}

impl Watch {
    fn new(has_notices: bool) -> Watch {
        let (sender, reports) = channel();
        let (notices, orders) = channel();
        let time = Arc::new(Mutex::new(Instant::now()));
        let now = time.clone();
        let clock: Clock = Arc::new(move || *now.lock().unwrap());
        let report: Box<dyn Fn(u32)> = Box::new(move |key| sender.send(key).unwrap());
        let thread = WatchThread::new(report, notices, clock, has_notices);
        Watch { drive: Drive::new(), thread, orders, time, reports }
    }

    /// Watches the environment and the other places where its DLL may be.
    fn of_environment(watches_system: bool) -> Watch {
        let mut watch = Watch::new(true);
        watch.begin(watch.drive.read(watches_system));
        watch
    }

    fn begin(&mut self, watched: Watched) {
        self.thread.follow(Order::Watch { key: 1, watched: Box::new(watched), replaces: true });
        std::thread::sleep(SYSTEM_DELAY);
        // What was read before the watch began is checked once, at once.
        self.pass(Duration::ZERO);
    }

    /// Watches one file, as a new analysis that reads it does. It may change meanwhile.
    fn begin_with(&mut self, file: &str, roots: &[&str], change: impl FnOnce(&Drive)) {
        let (host, tracker) = self.drive.host();
        self.thread.follow(Order::Expect(1));
        host.files.is_file(&file.into());
        change(&self.drive);
        let roots = roots.iter().map(|root| WinPath::new(*root)).collect();
        self.begin(Watched::new(&host, &tracker.read_set(), roots, true).unwrap());
    }

    /// Handles the notifications of all changes so far. They arrive in order, so that of a file that
    /// nothing has read is the last.
    fn handle_notices(&mut self) {
        if !self.thread.has_notices {
            return;
        }
        std::thread::sleep(SYSTEM_DELAY);
        let last = self.drive.path("notices/last");
        fs::write(&last, "").unwrap();
        fs::remove_file(&last).unwrap();
        loop {
            let order = self.orders.recv_timeout(PATIENCE).expect("a notification");
            let is_last = matches!(&order, Order::Notified { event: Ok(event), .. }
                if event.paths.iter().any(|path| path.ends_with("notices/last")) && event.kind.is_remove());
            self.thread.follow(order);
            if is_last {
                return;
            }
        }
    }

    /// Lets time pass, and performs what becomes due.
    fn pass(&mut self, duration: Duration) {
        self.handle_notices();
        let end = (self.thread.clock)() + duration;
        while let Some(next) = self.thread.next_due().filter(|next| *next <= end) {
            let mut time = self.time.lock().unwrap();
            *time = next.max(*time);
            drop(time);
            self.thread.process_due();
        }
        *self.time.lock().unwrap() = end;
    }

    #[track_caller]
    fn assert_reported(&mut self) -> &mut Watch {
        self.pass(ENOUGH);
        assert_eq!(self.reports.try_recv(), Ok(1));
        self
    }

    #[track_caller]
    fn assert_not_reported(&mut self) -> &mut Watch {
        self.pass(ENOUGH);
        assert!(self.reports.try_recv().is_err());
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

/// Makes each change on a drive of its own, all at once, and waits for the reports in real time.
fn assert_changes_are_reported(has_notices: bool) {
    let watchers = changes().map(|change| {
        let (sender, reports) = channel();
        let watcher = Watcher::with_notices(has_notices, move |key| sender.send(key).unwrap());
        let drive = Drive::new();
        watcher.watch(1, drive.read(false), true);
        (change, drive, watcher, reports)
    });
    // Give the threads and the system time to start notifications.
    std::thread::sleep(QUIET);
    watchers.iter().for_each(|((_, change), drive, ..)| change(drive));
    for ((what, _), _, _, reports) in &watchers {
        assert_eq!(reports.recv_timeout(PATIENCE), Ok(1), "{what}");
    }
    std::thread::sleep(ENOUGH);
    for ((what, _), _, _, reports) in &watchers {
        assert!(reports.try_recv().is_err(), "{what}: it is reported twice");
    }
}

#[test]
fn a_change_of_what_was_read_is_reported() {
    assert_changes_are_reported(true);
}

#[test]
fn without_notifications_changes_are_polled() {
    assert_changes_are_reported(false);
}

#[test]
fn changes_of_other_files_and_reverted_changes_are_not_reported() {
    let mut watch = Watch::of_environment(false);
    let drive = &watch.drive;
    drive.write("env/Lib/site-packages/pkg/b.py");
    drive.delete("env/Lib/site-packages/pkg/b.py");
    fs::create_dir(drive.path("env/Lib/site-packages/pkg/__pycache__")).unwrap();
    fs::remove_dir(drive.path("env/Lib/site-packages/pkg/__pycache__")).unwrap();
    drive.write("work/b.txt");
    drive.delete("work/b.txt");
    watch.assert_not_reported();
}

#[test]
fn the_system_directories_are_watched_while_something_is_missing() {
    let mut watch = Watch::of_environment(false);
    watch.drive.write("Windows/System32/a.dll");
    watch.assert_not_reported();
    watch.drive.delete("Windows/System32/a.dll");
    watch.begin(watch.drive.read(true));
    watch.drive.write("Windows/System32/a.dll");
    watch.assert_reported();
}

#[test]
fn an_installation_is_reported_once_at_its_end() {
    let mut watch = Watch::of_environment(false);
    for package in 0..30 {
        let folder = format!("env/Lib/site-packages/new{package}/inner/folder");
        fs::create_dir_all(watch.drive.path(&folder)).unwrap();
        for file in 0..30 {
            watch.drive.write(&format!("{folder}/{file}.py"));
        }
        // For longer than the quiet period, only the contents of new directories change.
        watch.pass(QUIET / 2);
        watch.drive.write(&format!("{folder}/late.py"));
        watch.pass(QUIET / 2);
    }
    assert!(watch.reports.try_recv().is_err(), "it was reported before it had ended");
    watch.assert_reported().assert_not_reported();
}

#[test]
fn a_change_before_the_watch_started_is_reported() {
    let mut watch = Watch::new(true);
    watch.begin_with(r"C:\work\a.dll", &[], |drive| drive.write("work/a.dll"));
    watch.assert_reported();
}

#[test]
fn a_change_of_a_newly_read_file_in_a_watched_folder_is_reported() {
    let mut watch = Watch::new(true);
    watch.begin_with(r"C:\work\a.dll", &[r"C:\env"], |_| {});
    watch.assert_not_reported();
    // In a directory that is already watched, but it wasn't known that this file matters.
    watch.begin_with(r"C:\work\b.dll", &[r"C:\env"], |drive| drive.write("work/b.dll"));
    watch.assert_reported();
}

/// Deletes the directory and creates it again.
fn replace_folder(drive: &Drive) {
    fs::remove_dir(drive.path("work/folder")).unwrap();
    fs::create_dir(drive.path("work/folder")).unwrap();
}

#[test]
fn a_folder_that_was_replaced_before_it_is_read_again_is_still_watched() {
    let mut watch = Watch::new(true);
    fs::create_dir(watch.drive.path("work/folder")).unwrap();
    let file = r"C:\work\folder\a.dll";
    watch.begin_with(file, &[r"C:\env"], |_| {});
    replace_folder(&watch.drive);
    watch.pass(QUIET / 2);
    watch.begin_with(file, &[r"C:\env"], |_| {});
    watch.assert_not_reported().drive.write("work/folder/a.dll");
    watch.assert_reported();
}

#[test]
fn a_folder_that_was_deleted_and_created_again_is_still_watched() {
    let mut watch = Watch::new(true);
    fs::create_dir(watch.drive.path("work/folder")).unwrap();
    watch.begin_with(r"C:\work\folder\a.dll", &[r"C:\env"], |_| {});
    replace_folder(&watch.drive);
    watch.assert_not_reported().drive.write("work/folder/a.dll");
    watch.assert_reported();
}

#[test]
fn a_persistent_mismatch_is_reported_less_and_less_often() {
    let mut watch = Watch::new(false);
    let mut reported = 0;
    for file in 0..60 {
        // As if the file changed during each diagnosis.
        watch.begin_with(r"C:\work\a.dll", &[], |drive| drive.write(&format!("work/{file}.dll")));
        watch.pass(Duration::from_millis(100));
        reported += watch.reports.try_iter().count();
    }
    assert!((2..=4).contains(&reported), "{reported} times");
}

#[test]
fn a_file_that_changed_a_moment_ago_is_watched_all_the_same() {
    let mut watch = Watch::new(true);
    let path = watch.drive.path("env/Lib/site-packages/pkg/a.dll");
    fs::File::options().append(true).open(&path).unwrap().set_modified(SystemTime::now()).unwrap();
    watch.begin(watch.drive.read(false));
    watch.assert_not_reported();
    fs::write(&path, "another").unwrap();
    watch.assert_reported();
}
