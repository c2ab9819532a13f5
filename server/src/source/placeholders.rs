//! Strings that are withheld from a snapshot, mainly constants of modules. Each is replaced by a
//! placeholder with its number.
//!
//! A replay determines which strings are needed: a placeholder is sufficient unless the contents
//! are examined. Code that examines a string calls [`record_read`], which records the placeholders
//! in it.

use std::cell::RefCell;
use std::collections::BTreeSet;

/// The start of a placeholder, followed by its number and [`CLOSE`]. These characters don't occur
/// in real programs.
const OPEN: char = '\u{27e6}';
const CLOSE: char = '\u{27e7}';

thread_local! {
    /// The numbers of the placeholders that were examined. `None` while recording is off.
    static NOTED: RefCell<Option<BTreeSet<usize>>> = const { RefCell::new(None) };
}

/// Creates the placeholder for the string with this number.
pub fn placeholder(number: usize) -> String {
    format!("{OPEN}{number}{CLOSE}")
}

/// Returns the numbers of all placeholders in a string.
pub fn numbers_in(text: &str) -> impl Iterator<Item = usize> {
    let placeholders = text.split(OPEN).skip(1);
    placeholders.filter_map(|rest| rest.split_once(CLOSE)?.0.parse().ok())
}

/// Replaces the placeholders in a string by the values of `known`. Those without a value remain.
pub fn restored<'t>(text: &str, known: impl Fn(usize) -> Option<&'t str>) -> String {
    let mut parts = text.split(OPEN);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let found =
            part.split_once(CLOSE).and_then(|(number, rest)| Some((known(number.parse().ok()?)?, rest)));
        match found {
            Some((text, rest)) => out.extend([text, rest]),
            None => out.extend([OPEN.encode_utf8(&mut [0; 4]), part]),
        }
    }
    out
}

/// Records that a string is examined.
pub fn record_read(text: &str) {
    NOTED.with_borrow_mut(|noted| {
        if let Some(noted) = noted {
            noted.extend(numbers_in(text));
        }
    });
}

/// Records that two strings are compared. Two placeholders are equal if and only if the strings
/// are, so they need not be examined.
pub fn record_comparison(a: &str, b: &str) {
    NOTED.with_borrow_mut(|noted| {
        if let Some(noted) = noted
            && !(is_placeholder(a) && is_placeholder(b))
        {
            noted.extend(numbers_in(a).chain(numbers_in(b)));
        }
    });
}

/// Whether a string consists of a placeholder.
pub fn is_placeholder(text: &str) -> bool {
    let inner = text.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE));
    inner.is_some_and(|inner| inner.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Runs `work` and returns its result with the placeholders that were examined.
pub fn recording_reads<T>(work: impl FnOnce() -> T) -> (T, BTreeSet<usize>) {
    /// A guard that stops recording, even if the work panics.
    struct StopRecording;
    impl Drop for StopRecording {
        fn drop(&mut self) {
            NOTED.take();
        }
    }
    NOTED.set(Some(BTreeSet::new()));
    let end = StopRecording;
    let done = work();
    let noted = NOTED.take().unwrap_or_default();
    drop(end);
    (done, noted)
}

/// Extends recording to work on other threads.
pub struct ReadRecorder {
    is_recording: bool,
}

impl ReadRecorder {
    /// Creates the recorder on the current thread.
    pub fn here() -> ReadRecorder {
        ReadRecorder { is_recording: NOTED.with_borrow(Option::is_some) }
    }

    /// Runs work on another thread. The result must be passed to [`add`](ReadRecorder::add) on the
    /// first one.
    pub fn work<T>(&self, work: impl FnOnce() -> T) -> (T, BTreeSet<usize>) {
        if self.is_recording { recording_reads(work) } else { (work(), BTreeSet::new()) }
    }

    /// Adds the numbers from another thread to the recording of this one.
    pub fn add(noted_elsewhere: BTreeSet<usize>) {
        NOTED.with_borrow_mut(|noted| {
            if let Some(noted) = noted {
                noted.extend(noted_elsewhere);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_examined_placeholders_are_recorded() {
        let ((), noted) = recording_reads(|| {
            record_read("plain");
            record_read(&format!("a{}b{}", placeholder(3), placeholder(12)));
            record_comparison(&placeholder(1), &placeholder(2));
            record_comparison(&placeholder(4), "win32");
            record_comparison(&format!("{}x", placeholder(5)), &placeholder(6));
        });
        assert_eq!(noted, BTreeSet::from([3, 4, 5, 6, 12]));
        record_read(&placeholder(9));
        assert_eq!(recording_reads(|| ()).1, BTreeSet::new());
    }

    #[test]
    fn known_placeholders_are_replaced() {
        let text = format!("a{}b{}{}", placeholder(0), placeholder(1), "\u{27e6}x");
        let known = |number| (number == 0).then_some("-");
        assert_eq!(restored(&text, known), format!("a-b{}{}", placeholder(1), "\u{27e6}x"));
    }

    #[test]
    fn other_threads_record_too() {
        let ((), noted) = recording_reads(|| {
            let recorder = ReadRecorder::here();
            let work = || recorder.work(|| record_read(&placeholder(7)));
            let ((), elsewhere) = std::thread::scope(|scope| scope.spawn(work).join().unwrap());
            ReadRecorder::add(elsewhere);
        });
        assert_eq!(noted, BTreeSet::from([7]));
    }
}
