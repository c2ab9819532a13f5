//! Reports when something that was read may have changed. What a result was computed from is what
//! is watched.
//!
//! A notification from the system (through `notify`) is only a reason to check. After a quiet
//! period, the fingerprints of the [`ReadSet`] are compared, and only a mismatch is reported. So an
//! installation of ten thousand files is reported once, at its end, and rewriting a file with the
//! same state isn't reported at all.
//!
//! For a path that doesn't exist, the nearest existing parent directory is watched, because it
//! would appear there. On Linux, each directory is watched by itself (inotify(7) has no recursive
//! watches), and so is what an installation adds below the [`Watched::roots`] while it is running.
//! On other systems, a root is watched recursively with one handle: a handle to a directory inside
//! a package would keep pip from renaming the package, because NTFS doesn't rename directories with
//! open handles below them. The handle to the root allows deletion, and is closed as soon as the
//! system reports that the root is gone.
//!
//! What cannot be watched is polled, and so is what could not be read, because no notification
//! reports that a lock has ended.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use notify::event::{EventKindMask, ModifyKind};
use notify::{EventKind, PathOp, RecommendedWatcher, RecursiveMode, UpdatePathsError};

use super::path::WinPath;
use super::read_set::ReadSet;
use super::{Disk, Host};

mod system;

use system::{RegistryNotice, is_silent, is_wine};

/// The quiet period after which a deletion, copy, or installation counts as finished.
const QUIET: Duration = Duration::from_millis(300);

/// The number of changes from which on they count as an installation, whose pauses may be longer,
/// because of virus scanners and pip's own work.
const MIN_INSTALLATION_CHANGES: u32 = 100;

/// The maximum delay of a check if changes don't stop, as in a directory to which a running program
/// writes.
const MAX_CHECK_DELAY: Duration = Duration::from_secs(5);

/// The maximum delay of a check while an installation changes an environment.
const MAX_INSTALLATION_TIME: Duration = Duration::from_secs(300);

/// If reports follow each other within this time, the next quiet period is longer.
const REPEAT_WINDOW: Duration = Duration::from_secs(2);

/// The minimum interval between polls. Slow polls run less often: see [`INVERSE_POLL_SHARE`].
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The reciprocal of the maximum share of time that polling may take.
const INVERSE_POLL_SHARE: u32 = 20;

/// The interval at which the existence of an environment is checked on systems that don't report
/// its removal.
const EXISTENCE_POLL: Duration = Duration::from_secs(5);

/// The maximum interval between reports of a mismatch that persists although nothing changes.
const MAX_REPORT_DELAY: Duration = Duration::from_secs(64);

/// The maximum number of watched directories; the rest is polled. The default limit per user on
/// older Linux is 8192 (inotify(7)).
const MAX_WATCHES: usize = 4096;

/// Returns the current time. Tests have a time of their own, so that they don't wait.
type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// Whether the system can watch directories recursively.
const WATCHES_TREES: bool = !cfg!(any(target_os = "linux", target_os = "android"));

/// A read set that is to be watched, and its machine.
pub struct Watched {
    host: Host,
    /// The read set, encoded. Otherwise its thousands of small allocations, scattered among those
    /// of an analysis, would keep much memory from being returned to the system. The watching
    /// thread decodes it.
    read_set: Vec<u8>,
    /// The directories of the environment. Changes in them count as an installation. If empty,
    /// there is no environment, and everything is polled too, because a drive that is plugged in
    /// causes no notification.
    roots: Vec<WinPath>,
    /// Whether the system directories are watched, because something is missing that might be
    /// installed there.
    watches_system: bool,
}

impl Watched {
    /// Creates it. Returns `None` if the machine isn't on a disk.
    pub fn new(
        host: &Host,
        read_set: &ReadSet,
        roots: Vec<WinPath>,
        watches_system: bool,
    ) -> Option<Watched> {
        let read_set = postcard::to_stdvec(read_set).ok()?;
        Some(Watched { host: host.uncached()?, read_set, roots, watches_system })
    }

    fn still_holds(&self, read_set: &ReadSet) -> bool {
        self.host.uncached().is_none_or(|host| read_set.still_holds(&*host.files))
    }

    /// Returns the native directories that the system has to watch, recursively or not.
    fn places(&self, read_set: &ReadSet, disk: &Disk) -> BTreeMap<PathBuf, RecursiveMode> {
        let mut places = BTreeMap::new();
        let mut roots: Vec<&WinPath> = Vec::new();
        if WATCHES_TREES {
            roots.extend(self.roots.iter().filter(|root| disk.is_listable(root)));
            let place = |root: &&WinPath| Some((disk.place(root)?, RecursiveMode::Recursive));
            places.extend(roots.iter().filter_map(place));
            if is_wine() {
                roots.clear();
            }
        }
        let of_system = |folder: &WinPath| folder.is_within(&self.host.windows_directory);
        for folder in read_set.places() {
            let is_covered = roots.iter().any(|root| folder.is_within(root));
            if is_covered || (of_system(folder) && !self.watches_system) {
                continue;
            }
            if let Some(place) = disk.place(folder) {
                places.entry(place).or_insert(RecursiveMode::NonRecursive);
            }
        }
        places
    }
}

/// Watches read sets, each under a key, on a separate thread that sleeps while nothing happens.
pub struct Watcher<K> {
    orders: Sender<Order<K>>,
}

enum Order<K> {
    Watch {
        key: K,
        watched: Box<Watched>,
        replaces: bool,
    },
    Expect(K),
    Forget(K),
    Notified {
        key: K,
        at: Instant,
        event: notify::Result<notify::Event>,
    },
    /// The registry of this machine changed.
    Registered(Instant),
    End,
}

impl<K: Clone + Eq + Hash + Send + 'static> Watcher<K> {
    /// Starts a watcher that calls `report` with the key of a read set that doesn't hold any more.
    pub fn new(report: impl Fn(K) + Send + 'static) -> Watcher<K> {
        Watcher::with_notices(true, report)
    }

    fn with_notices(has_notices: bool, report: impl Fn(K) + Send + 'static) -> Watcher<K> {
        let (orders, ordered) = channel();
        let watch = WatchThread::new(report, orders.clone(), Arc::new(Instant::now), has_notices);
        // If the thread doesn't start, nothing is watched, and everything else works.
        let _ = std::thread::Builder::new().name("watch".to_owned()).spawn(|| watch.run(ordered));
        Watcher { orders }
    }

    /// Watches a read set, in addition to what is already watched under this key or, if it
    /// `replaces` that, instead of it.
    pub fn watch(&self, key: K, watched: Watched, replaces: bool) {
        let _ = self.orders.send(Order::Watch { key, watched: Box::new(watched), replaces });
    }

    /// Drops the changes so far, because a new analysis of this key begins now and will see them.
    pub fn expect(&self, key: K) {
        let _ = self.orders.send(Order::Expect(key));
    }

    /// Stops watching a key.
    pub fn forget(&self, key: K) {
        let _ = self.orders.send(Order::Forget(key));
    }
}

impl<K> Drop for Watcher<K> {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::End);
    }
}

/// The state of the watching thread.
struct WatchThread<K, T> {
    report: T,
    orders: Sender<Order<K>>,
    states: HashMap<K, WatchState>,
    /// The registry is only watched while something is missing.
    registry: Option<RegistryNotice>,
    clock: Clock,
    has_notices: bool,
}

struct WatchState {
    watched: Watched,
    read_set: ReadSet,
    places: BTreeMap<PathBuf, RecursiveMode>,
    /// Those of the places that cannot be watched.
    refused: BTreeSet<PathBuf>,
    /// The source of notifications, as long as it lives. `None` if the system provides none.
    notices: Option<RecommendedWatcher>,
    pending: Option<PendingChanges>,
    /// The quiet period outside of the environment. It grows if changes follow each other quickly.
    quiet_period: Duration,
    last_report: Option<Instant>,
    /// Whether a change was reported and no new analysis has begun since. Until then nothing else
    /// is reported.
    is_reported: bool,
    polled: ReadSet,
    next_poll: Option<Instant>,
    /// Entries that may have changed without a notification, because they were read before they
    /// were watched. They are polled once.
    unverified: ReadSet,
    /// Whether notifications may be missing because a watched directory is gone or was replaced.
    is_incomplete: bool,
    /// The time of the last report that was caused by polling, and the delay before the next one.
    last_poll_report: Option<Instant>,
    report_delay: Duration,
}

/// Changes that haven't been checked yet.
struct PendingChanges {
    since: Instant,
    /// The time of the last change of something that was read.
    last: Option<Instant>,
    /// The time of the last change of anything in the environment, and the number of such changes.
    in_environment: Option<Instant>,
    changes: u32,
    /// Whether the change counts even if all fingerprints match, as for the registry.
    always_counts: bool,
}

impl PendingChanges {
    /// Returns when the quiet period ends if nothing more happens.
    fn end(&self, quiet_period: Duration) -> Instant {
        let quiet = if self.changes < MIN_INSTALLATION_CHANGES { QUIET } else { QUIET * 2 };
        let environment =
            self.in_environment.map(|last| (last + quiet).min(self.since + MAX_INSTALLATION_TIME));
        let elsewhere = self.last.map(|last| (last + quiet_period).min(self.since + MAX_CHECK_DELAY));
        match (environment, elsewhere) {
            // The end of an installation isn't delayed by changes elsewhere.
            (Some(end), _) | (None, Some(end)) => end,
            (None, None) => self.since,
        }
    }
}

impl WatchState {
    fn next(&self) -> Option<Instant> {
        if self.is_reported {
            return None;
        }
        let end = self.pending.as_ref().map(|pending| pending.end(self.quiet_period));
        [end, self.next_poll].into_iter().flatten().min()
    }

    fn note_change(&mut self, at: Instant, counts: bool, in_environment: bool) -> &mut PendingChanges {
        let new =
            PendingChanges { since: at, last: None, in_environment: None, changes: 0, always_counts: false };
        let pending = self.pending.get_or_insert(new);
        pending.last = if counts { Some(at) } else { pending.last };
        if in_environment {
            pending.in_environment = Some(at);
            pending.changes = pending.changes.saturating_add(1);
        }
        pending
    }

    /// Returns the interval between polls, or `None` if no polling is needed.
    fn poll_interval(&self) -> Option<Duration> {
        match (!self.unverified.is_empty() || !self.polled.is_empty(), WATCHES_TREES) {
            (true, _) => Some(POLL_INTERVAL),
            (false, true) => Some(EXISTENCE_POLL),
            (false, false) => None,
        }
    }

    /// Starts watching all places that can be watched. Changes before this moment caused no
    /// notification.
    fn watch_places(
        &mut self,
        places: BTreeMap<PathBuf, RecursiveMode>,
        notices: Option<RecommendedWatcher>,
    ) {
        self.places = places;
        self.is_incomplete = false;
        self.unverified = self.read_set.clone();
        let mut refused: BTreeSet<PathBuf> = BTreeSet::new();
        let mut wanted: Vec<PathOp> = Vec::new();
        for (place, mode) in &self.places {
            if notices.is_none() || wanted.len() == MAX_WATCHES || is_silent(place) {
                refused.insert(place.clone());
            } else if *mode == RecursiveMode::Recursive {
                wanted.push(PathOp::watch_recursive(place));
            } else {
                wanted.push(PathOp::watch_non_recursive(place));
            }
        }
        self.notices = notices;
        while let Some(notices) = self.notices.as_mut().filter(|_| !wanted.is_empty()) {
            match notify::Watcher::update_paths(notices, std::mem::take(&mut wanted)) {
                Ok(()) => break,
                Err(UpdatePathsError { origin: Some(place), remaining, .. }) => {
                    refused.insert(place.into_path());
                    wanted = remaining;
                }
                Err(UpdatePathsError { origin: None, .. }) => {
                    refused.extend(self.places.keys().cloned());
                }
            }
        }
        self.refused = refused;
    }

    /// Determines what has to be polled: everything that cannot be watched or causes no
    /// notifications.
    fn choose_polled(&mut self, disk: &Disk, now: Instant) {
        let refused = &self.refused;
        let is_refused = |place: PathBuf| place.ancestors().any(|folder| refused.contains(folder));
        let read_set = &self.read_set;
        let mut polled: BTreeSet<&WinPath> = read_set.refused().collect();
        for folder in read_set.places() {
            let is_watched =
                !folder.is_within(&self.watched.host.windows_directory) || self.watched.watches_system;
            let is_refused = !refused.is_empty() && disk.place(folder).is_some_and(is_refused);
            if is_watched && (self.watched.roots.is_empty() || is_refused) {
                polled.insert(folder);
            }
        }
        self.polled = read_set.within(&polled);
        self.next_poll = self.poll_interval().map(|pause| now + pause);
    }

    /// Whether a polled entry doesn't match any more, and a report is due.
    fn is_refuted_by_poll(&mut self, now: Instant) -> bool {
        let roots = self.read_set.within(&self.watched.roots.iter().collect());
        let due = match (self.unverified.is_empty(), self.polled.is_empty()) {
            (true, true) => vec![&roots],
            _ => vec![&self.unverified, &self.polled],
        };
        if due.into_iter().all(|part| self.watched.still_holds(part)) {
            self.unverified = ReadSet::default();
            self.report_delay = POLL_INTERVAL;
            return false;
        }
        // Back off while reports have no effect.
        if self.last_poll_report.is_some_and(|last| now < last + self.report_delay) {
            return false;
        }
        self.report_delay =
            self.last_poll_report.map_or(POLL_INTERVAL, |_| (self.report_delay * 2).min(MAX_REPORT_DELAY));
        self.last_poll_report = Some(now);
        true
    }
}

impl<K: Clone + Eq + Hash + Send + 'static, T: Fn(K)> WatchThread<K, T> {
    fn new(report: T, orders: Sender<Order<K>>, clock: Clock, has_notices: bool) -> WatchThread<K, T> {
        WatchThread { report, orders, states: HashMap::new(), registry: None, clock, has_notices }
    }

    fn run(mut self, orders: Receiver<Order<K>>) {
        loop {
            let order = match self.next_due() {
                Some(next) => orders.recv_timeout(next.saturating_duration_since((self.clock)())),
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match order {
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(order) => self.follow(order),
                // Pending notifications are handled first, since they all extend the quiet period.
                Err(RecvTimeoutError::Timeout) => self.process_due(),
            }
        }
    }

    /// Returns when the next check or poll is due.
    fn next_due(&self) -> Option<Instant> {
        self.states.values().filter_map(WatchState::next).min()
    }

    fn follow(&mut self, order: Order<K>) {
        match order {
            Order::Watch { key, watched, replaces } => self.watch(key, *watched, replaces),
            Order::Expect(key) => {
                if let Some(state) = self.states.get_mut(&key) {
                    state.pending = None;
                    state.is_reported = false;
                }
            }
            Order::Forget(key) => {
                self.states.remove(&key);
                self.update_registry_watch();
            }
            Order::Notified { key, at, event } => self.handle_event(&key, at, event),
            Order::Registered(at) => {
                for state in self.states.values_mut().filter(|state| state.watched.watches_system) {
                    state.note_change(at, true, false).always_counts = true;
                }
            }
            Order::End => {}
        }
    }

    fn watch(&mut self, key: K, mut watched: Watched, replaces: bool) {
        let Some(host) = watched.host.uncached() else { return };
        let Some(disk) = host.disk.as_deref() else { return };
        let Ok(mut read_set) = postcard::from_bytes::<ReadSet>(&std::mem::take(&mut watched.read_set)) else {
            return;
        };
        let mut before = self.states.remove(&key);
        let mut unverified = ReadSet::default();
        if let Some(before) = &mut before {
            // Earlier entries have been watched since they were read.
            unverified = read_set.beyond(&before.read_set);
            if !replaces {
                unverified = std::mem::take(&mut before.unverified).and(&unverified);
                read_set = std::mem::take(&mut before.read_set).and(&read_set);
                watched.watches_system |= before.watched.watches_system;
            }
        }
        let places = watched.places(&read_set, disk);
        let now = (self.clock)();
        let mut state = match before {
            Some(before) => WatchState { watched, read_set, unverified, ..before },
            None => WatchState {
                watched,
                read_set,
                places: BTreeMap::new(),
                refused: BTreeSet::new(),
                notices: None,
                pending: None,
                quiet_period: QUIET,
                last_report: None,
                is_reported: false,
                polled: ReadSet::default(),
                next_poll: None,
                unverified,
                is_incomplete: false,
                last_poll_report: None,
                report_delay: POLL_INTERVAL,
            },
        };
        if state.is_incomplete || places != state.places || state.notices.is_none() {
            state.watch_places(places, self.notices(&key));
        }
        state.is_reported = false;
        state.choose_polled(disk, now);
        if !state.unverified.is_empty() {
            state.next_poll = Some(now);
        }
        self.states.insert(key, state);
        self.update_registry_watch();
    }

    /// Replaces all watches of a key.
    fn rewatch(&mut self, key: &K) {
        let notices = self.notices(key);
        let now = (self.clock)();
        if let Some(state) = self.states.get_mut(key)
            && let Some(host) = state.watched.host.uncached()
            && let Some(disk) = host.disk.as_deref()
        {
            state.watch_places(state.watched.places(&state.read_set, disk), notices);
            state.choose_polled(disk, now);
        }
    }

    fn update_registry_watch(&mut self) {
        let is_wanted = self.states.values().any(|state| state.watched.watches_system);
        if !is_wanted {
            self.registry = None;
        } else if self.registry.is_none() && self.has_notices {
            let (orders, clock) = (self.orders.clone(), self.clock.clone());
            self.registry = RegistryNotice::new(move || drop(orders.send(Order::Registered(clock()))));
        }
    }

    fn notices(&self, key: &K) -> Option<RecommendedWatcher> {
        let (orders, clock, key) = (self.orders.clone(), self.clock.clone(), key.clone());
        let notify = move |event| {
            let _ = orders.send(Order::Notified { key: key.clone(), at: clock(), event });
        };
        // Opening and closing a file isn't a change.
        let config = notify::Config::default().with_event_kinds(EventKindMask::CORE);
        let notices = || notify::Watcher::new(notify, config).ok();
        self.has_notices.then(notices).flatten()
    }

    fn handle_event(&mut self, key: &K, at: Instant, event: notify::Result<notify::Event>) {
        let Some(state) = self.states.get_mut(key) else { return };
        let event = match event {
            Ok(event) if !event.need_rescan() => event,
            // Notifications were lost.
            lost => {
                state.note_change(at, true, true);
                state.is_incomplete |= lost.is_err();
                return;
            }
        };
        let names = !matches!(
            event.kind,
            EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_) | ModifyKind::Any)
        );
        for path in event.paths {
            let known = state.watched.host.path_of(&path);
            let in_environment = state.watched.roots.iter().any(|root| known.is_within(root));
            let counts = state.read_set.concerns(&known, names);
            if counts || in_environment {
                state.note_change(at, counts, in_environment);
                state.is_incomplete |= names && state.places.contains_key(&path);
            }
            // New directories are only watched to notice when the installation ends.
            let appeared = names && in_environment && (!WATCHES_TREES || is_wine()) && path.is_dir();
            if let Some(notices) =
                state.notices.as_mut().filter(|_| appeared && !state.places.contains_key(&path))
            {
                let _ = notify::Watcher::watch(notices, &path, RecursiveMode::Recursive);
            }
        }
    }

    /// Performs the checks and polls that are due.
    fn process_due(&mut self) {
        let mut incomplete = Vec::new();
        for (key, state) in self.states.iter_mut().filter(|(_, state)| !state.is_reported) {
            let now = (self.clock)();
            let over = state.pending.take_if(|pending| pending.end(state.quiet_period) <= now);
            if let Some(pending) = over.filter(|pending| pending.last.is_some()) {
                if pending.always_counts || !state.watched.still_holds(&state.read_set) {
                    state.is_reported = true;
                    (self.report)(key.clone());
                    state.next_poll = state.next_poll.map(|next| next.max(now + POLL_INTERVAL));
                    let is_again =
                        state.last_report.replace(now).is_some_and(|last| now < last + REPEAT_WINDOW);
                    state.quiet_period =
                        if is_again { (state.quiet_period * 2).min(MAX_CHECK_DELAY) } else { QUIET };
                } else if state.is_incomplete {
                    incomplete.push(key.clone());
                }
            }
            if !state.is_reported && state.next_poll.is_some_and(|next| next <= now) {
                if state.is_refuted_by_poll(now) {
                    state.is_reported = true;
                    (self.report)(key.clone());
                }
                let end = (self.clock)();
                let pause_after = end.saturating_duration_since(now) * INVERSE_POLL_SHARE;
                state.next_poll = state.poll_interval().map(|pause| end + pause.max(pause_after));
            }
        }
        incomplete.iter().for_each(|key| self.rewatch(key));
    }
}

#[cfg(test)]
mod tests;
