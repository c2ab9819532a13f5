//! Tells when something that was read may have changed: what an answer was worked out from is what is watched.
//!
//! A notice of the system (by `notify`) is only a reason to look. When all has been quiet for a while, the proofs of the
//! [`Reading`] are asked, and only if they do not hold, somebody is told. So an installation of ten thousand files is told once,
//! at its end, and a file that is written as it was is not told at all.
//!
//! Where nothing is there, the nearest folder above it is watched, where it would appear. On Linux each folder is watched by itself
//! (inotify(7) knows no tree), and what an installation adds below the [`Watched::roots`] as long as it goes on. Elsewhere a root is
//! watched with all that is below, by one handle: a handle on a folder of a package would keep pip from renaming the package, since
//! NTFS renames no folder with open handles below it. The root's own handle shares its deletion, and is closed as soon as the system
//! says that it is gone.
//!
//! What cannot be watched is polled, and so is what could not be read: no change tells that a lock has ended.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use notify::event::{EventKindMask, ModifyKind};
use notify::{EventKind, PathOp, RecommendedWatcher, RecursiveMode, UpdatePathsError};

use super::path::WinPath;
use super::reading::Reading;
use super::{Disk, Host};

mod system;

use system::{RegistryNotice, is_silent, is_wine};

/// Nothing changed for so long: somebody who deletes, copies or installs is done.
const QUIET: Duration = Duration::from_millis(300);

/// So many changes are an installation, which may pause for longer: virus scanners and pip's own work take their time.
const INSTALLATION: u32 = 100;

/// What changes all the time is looked at all the same, and once in so long: the folder of a program that writes files while it runs.
const LONGEST_UNREST: Duration = Duration::from_secs(5);

/// The same of an environment, where an installation is waited out.
const LONGEST_INSTALLATION: Duration = Duration::from_secs(300);

/// What is told again within so long is waited out longer the next time.
const HASTE: Duration = Duration::from_secs(2);

/// How often is polled at most. A poll that takes long is made more seldom: see [`POLL_SHARE`].
const POLL: Duration = Duration::from_secs(1);

/// The part of the time that polling may take is one of so many.
const POLL_SHARE: u32 = 20;

/// How often is asked whether an environment is still there, where the system does not tell it.
const VITAL: Duration = Duration::from_secs(5);

/// What is told again and again, though nobody changes it, is told at most so seldom.
const MOST_PATIENCE: Duration = Duration::from_secs(64);

/// No more folders are watched; the rest is polled. A user may watch 8192 by default on older Linux (inotify(7)).
const MOST_PLACES: usize = 4096;

/// The system watches whole trees by itself.
const WATCHES_TREES: bool = !cfg!(any(target_os = "linux", target_os = "android"));

/// Something that was read, to be watched.
pub struct Watched {
    host: Host,
    /// Encoded: its thousands of small pieces, scattered among what an analysis leaves behind, would keep much memory from
    /// being given back. The watching thread has them by themselves.
    reading: Vec<u8>,
    /// The folders of the environment. What happens in them is taken for an installation. If there are none, there is no
    /// environment, and what was sought is polled too: a drive that is plugged in gives no notice where it appears.
    roots: Vec<WinPath>,
    /// Something is missing that might be installed into the folders of the system. They are not watched otherwise.
    is_ill: bool,
}

impl Watched {
    /// What was read on this machine. None if it lies on no disk.
    pub fn new(host: &Host, reading: &Reading, roots: Vec<WinPath>, is_ill: bool) -> Option<Watched> {
        let reading = postcard::to_stdvec(reading).ok()?;
        Some(Watched { host: host.afresh()?, reading, roots, is_ill })
    }

    fn still_holds(&self, reading: &Reading) -> bool {
        self.host.afresh().is_none_or(|host| reading.still_holds(&*host.files))
    }

    /// What the system is to watch, each with the folders below it or without.
    fn places(&self, reading: &Reading, disk: &Disk) -> BTreeMap<PathBuf, RecursiveMode> {
        let mut places = BTreeMap::new();
        let mut roots: Vec<&WinPath> = Vec::new();
        if WATCHES_TREES {
            roots.extend(self.roots.iter().filter(|root| disk.is_there(root)));
            let place = |root: &&WinPath| Some((disk.place(root)?, RecursiveMode::Recursive));
            places.extend(roots.iter().filter_map(place));
            if is_wine() {
                roots.clear();
            }
        }
        let of_system = |folder: &WinPath| folder.is_within(&self.host.windows_directory);
        for folder in reading.places() {
            let is_covered = roots.iter().any(|root| folder.is_within(root));
            if is_covered || (of_system(folder) && !self.is_ill) {
                continue;
            }
            if let Some(place) = disk.place(folder) {
                places.entry(place).or_insert(RecursiveMode::NonRecursive);
            }
        }
        places
    }
}

/// Watches what was read, each under a key, on a thread of its own, which sleeps as long as nothing happens.
pub struct Watcher<K> {
    orders: Sender<Order<K>>,
}

enum Order<K> {
    Watch {
        key: K,
        watched: Box<Watched>,
        anew: bool,
    },
    Expect(K),
    Forget(K),
    Heard {
        key: K,
        at: Instant,
        event: notify::Result<notify::Event>,
    },
    /// What is registered on this machine changed.
    Registered(Instant),
    End,
}

impl<K: Clone + Eq + Hash + Send + 'static> Watcher<K> {
    /// One that calls `tell` with the key of what does not hold any more.
    pub fn new(tell: impl Fn(K) + Send + 'static) -> Watcher<K> {
        Watcher::with_notices(true, tell)
    }

    fn with_notices(has_notices: bool, tell: impl Fn(K) + Send + 'static) -> Watcher<K> {
        let (orders, ordered) = channel();
        let (kept, registry) = (HashMap::new(), None);
        let watch = Watch { tell, orders: orders.clone(), kept, registry, has_notices };
        // Without the thread nothing is watched, and all else works.
        let _ = std::thread::Builder::new().name("watch".to_owned()).spawn(|| watch.run(ordered));
        Watcher { orders }
    }

    /// Watches what was read: beside what is watched under this key already or, if it was read `anew`, instead.
    pub fn watch(&self, key: K, watched: Watched, anew: bool) {
        let _ = self.orders.send(Order::Watch { key, watched: Box::new(watched), anew });
    }

    /// Whatever happened so far will be seen by a reading that begins now.
    pub fn expect(&self, key: K) {
        let _ = self.orders.send(Order::Expect(key));
    }

    /// Ends it.
    pub fn forget(&self, key: K) {
        let _ = self.orders.send(Order::Forget(key));
    }
}

impl<K> Drop for Watcher<K> {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::End);
    }
}

/// The thread's state.
struct Watch<K, T> {
    tell: T,
    orders: Sender<Order<K>>,
    kept: HashMap<K, Kept>,
    /// As long as something is missing.
    registry: Option<RegistryNotice>,
    has_notices: bool,
}

struct Kept {
    watched: Watched,
    reading: Reading,
    places: BTreeMap<PathBuf, RecursiveMode>,
    /// Those of them that cannot be watched.
    refused: BTreeSet<PathBuf>,
    /// Gives notices as long as it lives; none if the system gives none.
    notices: Option<RecommendedWatcher>,
    unrest: Option<Unrest>,
    /// How long it has to be quiet outside of the environment: longer, the sooner one change follows another.
    calm: Duration,
    told: Option<Instant>,
    /// A change was reported, and no new reading has begun since. Until one does, there is nothing more to report.
    is_awaited: bool,
    polled: Reading,
    next_poll: Option<Instant>,
    /// What may have changed without a notice: it was read before it was watched. It is polled once.
    doubted: Reading,
    /// Some notices may not come any more: what was watched is gone, or another one has its name.
    is_torn: bool,
    /// When something was told last because of polling, and how long to wait before the next time.
    polled_in_vain: Option<Instant>,
    patience: Duration,
}

/// Something changes.
struct Unrest {
    since: Instant,
    /// The last change of something that was read.
    last: Option<Instant>,
    /// The last change in the environment, of whatever, and how many there were.
    in_environment: Option<Instant>,
    many: u32,
    /// Proofs of files do not tell whether it counts.
    is_elsewhere: bool,
}

impl Unrest {
    /// When it is over, if nothing more happens.
    fn end(&self, calm: Duration) -> Instant {
        let quiet = if self.many < INSTALLATION { QUIET } else { QUIET * 2 };
        let environment =
            self.in_environment.map(|last| (last + quiet).min(self.since + LONGEST_INSTALLATION));
        let elsewhere = self.last.map(|last| (last + calm).min(self.since + LONGEST_UNREST));
        match (environment, elsewhere) {
            // Who installs something is not kept waiting because of what others do.
            (Some(end), _) | (None, Some(end)) => end,
            (None, None) => self.since,
        }
    }
}

impl Kept {
    fn next(&self) -> Option<Instant> {
        if self.is_awaited {
            return None;
        }
        let end = self.unrest.as_ref().map(|unrest| unrest.end(self.calm));
        [end, self.next_poll].into_iter().flatten().min()
    }

    fn stir(&mut self, at: Instant, counts: bool, in_environment: bool) -> &mut Unrest {
        let new = Unrest { since: at, last: None, in_environment: None, many: 0, is_elsewhere: false };
        let unrest = self.unrest.get_or_insert(new);
        unrest.last = if counts { Some(at) } else { unrest.last };
        if in_environment {
            unrest.in_environment = Some(at);
            unrest.many = unrest.many.saturating_add(1);
        }
        unrest
    }

    /// How long to wait from one poll to the next.
    fn pause(&self) -> Option<Duration> {
        match (!self.doubted.is_empty() || !self.polled.is_empty(), WATCHES_TREES) {
            (true, _) => Some(POLL),
            (false, true) => Some(VITAL),
            (false, false) => None,
        }
    }

    /// Has all places watched that can be, from now on: what changed before gave no notice.
    fn place(&mut self, places: BTreeMap<PathBuf, RecursiveMode>, notices: Option<RecommendedWatcher>) {
        self.places = places;
        self.is_torn = false;
        self.doubted = self.reading.clone();
        let mut refused: BTreeSet<PathBuf> = BTreeSet::new();
        let mut wanted: Vec<PathOp> = Vec::new();
        for (place, mode) in &self.places {
            if notices.is_none() || wanted.len() == MOST_PLACES || is_silent(place) {
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

    /// Has polled what cannot be watched, or gives no notice.
    fn poll(&mut self, disk: &Disk) {
        let refused = &self.refused;
        let is_refused = |place: PathBuf| place.ancestors().any(|folder| refused.contains(folder));
        let reading = &self.reading;
        let mut polled: BTreeSet<&WinPath> = reading.refused().collect();
        for folder in reading.places() {
            let is_watched = !folder.is_within(&self.watched.host.windows_directory) || self.watched.is_ill;
            let is_refused = !refused.is_empty() && disk.place(folder).is_some_and(is_refused);
            if is_watched && (self.watched.roots.is_empty() || is_refused) {
                polled.insert(folder);
            }
        }
        self.polled = reading.within(&polled);
        self.next_poll = self.pause().map(|pause| Instant::now() + pause);
    }

    /// Whether what is polled does not hold any more, and it is time to say so.
    fn is_refuted_by_poll(&mut self, now: Instant) -> bool {
        let vital = self.reading.within(&self.watched.roots.iter().collect());
        let due = match (self.doubted.is_empty(), self.polled.is_empty()) {
            (true, true) => vec![&vital],
            _ => vec![&self.doubted, &self.polled],
        };
        if due.into_iter().all(|part| self.watched.still_holds(part)) {
            self.doubted = Reading::default();
            self.patience = POLL;
            return false;
        }
        // What is told in vain is told again more and more seldom.
        if self.polled_in_vain.is_some_and(|told| now < told + self.patience) {
            return false;
        }
        self.patience = self.polled_in_vain.map_or(POLL, |_| (self.patience * 2).min(MOST_PATIENCE));
        self.polled_in_vain = Some(now);
        true
    }
}

impl<K: Clone + Eq + Hash + Send + 'static, T: Fn(K)> Watch<K, T> {
    fn run(mut self, orders: Receiver<Order<K>>) {
        loop {
            let next = self.kept.values().filter_map(Kept::next).min();
            let order = match next {
                Some(next) => orders.recv_timeout(next.saturating_duration_since(Instant::now())),
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match order {
                Ok(Order::Watch { key, watched, anew }) => self.watch(key, *watched, anew),
                Ok(Order::Expect(key)) => {
                    if let Some(kept) = self.kept.get_mut(&key) {
                        kept.unrest = None;
                        kept.is_awaited = false;
                    }
                }
                Ok(Order::Forget(key)) => {
                    self.kept.remove(&key);
                    self.mind_registry();
                }
                Ok(Order::Heard { key, at, event }) => self.hear(&key, at, event),
                Ok(Order::Registered(at)) => {
                    for kept in self.kept.values_mut().filter(|kept| kept.watched.is_ill) {
                        kept.stir(at, true, false).is_elsewhere = true;
                    }
                }
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return,
                // Notices that wait are heard first: all of them count for when it has become quiet.
                Err(RecvTimeoutError::Timeout) => self.look(),
            }
        }
    }

    fn watch(&mut self, key: K, mut watched: Watched, anew: bool) {
        let Some(host) = watched.host.afresh() else { return };
        let Some(disk) = host.disk.as_deref() else { return };
        let Ok(mut reading) = postcard::from_bytes::<Reading>(&std::mem::take(&mut watched.reading)) else {
            return;
        };
        let mut before = self.kept.remove(&key);
        let mut doubted = Reading::default();
        if let Some(before) = &mut before {
            // What was read before has been watched ever since.
            doubted = reading.beyond(&before.reading);
            if !anew {
                doubted = std::mem::take(&mut before.doubted).and(&doubted);
                reading = std::mem::take(&mut before.reading).and(&reading);
                watched.is_ill |= before.watched.is_ill;
            }
        }
        let places = watched.places(&reading, disk);
        let mut kept = match before {
            Some(before) => Kept { watched, reading, doubted, ..before },
            None => Kept {
                watched,
                reading,
                places: BTreeMap::new(),
                refused: BTreeSet::new(),
                notices: None,
                unrest: None,
                calm: QUIET,
                told: None,
                is_awaited: false,
                polled: Reading::default(),
                next_poll: None,
                doubted,
                is_torn: false,
                polled_in_vain: None,
                patience: POLL,
            },
        };
        if kept.is_torn || places != kept.places || kept.notices.is_none() {
            kept.place(places, self.notices(&key));
        }
        kept.is_awaited = false;
        kept.poll(disk);
        if !kept.doubted.is_empty() {
            kept.next_poll = Some(Instant::now());
        }
        self.kept.insert(key, kept);
        self.mind_registry();
    }

    /// Has all places of a key watched anew.
    fn mend(&mut self, key: &K) {
        let notices = self.notices(key);
        if let Some(kept) = self.kept.get_mut(key)
            && let Some(host) = kept.watched.host.afresh()
            && let Some(disk) = host.disk.as_deref()
        {
            kept.place(kept.watched.places(&kept.reading, disk), notices);
            kept.poll(disk);
        }
    }

    fn mind_registry(&mut self) {
        let is_wanted = self.kept.values().any(|kept| kept.watched.is_ill);
        if !is_wanted {
            self.registry = None;
        } else if self.registry.is_none() && self.has_notices {
            let orders = self.orders.clone();
            self.registry = RegistryNotice::new(move || drop(orders.send(Order::Registered(Instant::now()))));
        }
    }

    fn notices(&self, key: &K) -> Option<RecommendedWatcher> {
        let (orders, key) = (self.orders.clone(), key.clone());
        let hear = move |event| {
            let _ = orders.send(Order::Heard { key: key.clone(), at: Instant::now(), event });
        };
        // That a file was opened or closed says nothing.
        let config = notify::Config::default().with_event_kinds(EventKindMask::CORE);
        let notices = || notify::Watcher::new(hear, config).ok();
        self.has_notices.then(notices).flatten()
    }

    fn hear(&mut self, key: &K, at: Instant, event: notify::Result<notify::Event>) {
        let Some(kept) = self.kept.get_mut(key) else { return };
        let event = match event {
            Ok(event) if !event.need_rescan() => event,
            // Some were lost.
            lost => {
                kept.stir(at, true, true);
                kept.is_torn |= lost.is_err();
                return;
            }
        };
        let names = !matches!(
            event.kind,
            EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_) | ModifyKind::Any)
        );
        for path in event.paths {
            let known = kept.watched.host.path_of(&path);
            let in_environment = kept.watched.roots.iter().any(|root| known.is_within(root));
            let counts = kept.reading.concerns(&known, names);
            if counts || in_environment {
                kept.stir(at, counts, in_environment);
                kept.is_torn |= names && kept.places.contains_key(&path);
            }
            // What an installation adds is only watched to see when it ends.
            let appeared = names && in_environment && (!WATCHES_TREES || is_wine()) && path.is_dir();
            if let Some(notices) =
                kept.notices.as_mut().filter(|_| appeared && !kept.places.contains_key(&path))
            {
                let _ = notify::Watcher::watch(notices, &path, RecursiveMode::Recursive);
            }
        }
    }

    /// Does what is due.
    fn look(&mut self) {
        let mut torn = Vec::new();
        for (key, kept) in self.kept.iter_mut().filter(|(_, kept)| !kept.is_awaited) {
            let now = Instant::now();
            let over = kept.unrest.take_if(|unrest| unrest.end(kept.calm) <= now);
            if let Some(unrest) = over.filter(|unrest| unrest.last.is_some()) {
                if unrest.is_elsewhere || !kept.watched.still_holds(&kept.reading) {
                    kept.is_awaited = true;
                    (self.tell)(key.clone());
                    kept.next_poll = kept.next_poll.map(|next| next.max(now + POLL));
                    let is_again = kept.told.replace(now).is_some_and(|told| now < told + HASTE);
                    kept.calm = if is_again { (kept.calm * 2).min(LONGEST_UNREST) } else { QUIET };
                } else if kept.is_torn {
                    torn.push(key.clone());
                }
            }
            if !kept.is_awaited && kept.next_poll.is_some_and(|next| next <= now) {
                if kept.is_refuted_by_poll(now) {
                    kept.is_awaited = true;
                    (self.tell)(key.clone());
                }
                kept.next_poll =
                    kept.pause().map(|pause| Instant::now() + pause.max(now.elapsed() * POLL_SHARE));
            }
        }
        torn.iter().for_each(|key| self.mend(key));
    }
}

#[cfg(test)]
mod tests;
