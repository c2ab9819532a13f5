//! Texts that are withheld from whoever replays a snapshot, constants of modules above all: in each one's place stands a mark with its
//! number.
//!
//! Which ones a replay needs is found out by replaying: as long as nobody looks into a text, a mark does as well. What looks into
//! texts calls [`note`], which remembers the marks that were looked into.

use std::cell::RefCell;
use std::collections::BTreeSet;

/// What a mark begins with; its number and [`CLOSE`] follow. No program that people write has them.
const OPEN: char = '\u{27e6}';
const CLOSE: char = '\u{27e7}';

thread_local! {
    /// The numbers of the marks that were looked into; none while nobody wants to know.
    static NOTED: RefCell<Option<BTreeSet<usize>>> = const { RefCell::new(None) };
}

/// What stands for the text of this number.
pub fn mark(number: usize) -> String {
    format!("{OPEN}{number}{CLOSE}")
}

/// The numbers of all marks in a text.
pub fn numbers_in(text: &str) -> impl Iterator<Item = usize> {
    let marks = text.split(OPEN).skip(1);
    marks.filter_map(|rest| rest.split_once(CLOSE)?.0.parse().ok())
}

/// A text with what `known` says in the place of marks; those of which it says nothing stay.
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

/// Somebody looks into this text.
pub fn note(text: &str) {
    NOTED.with_borrow_mut(|noted| {
        if let Some(noted) = noted {
            noted.extend(numbers_in(text));
        }
    });
}

/// Somebody compares these texts. Two marks are equal where the texts are, so they need not be looked into.
pub fn note_compared(a: &str, b: &str) {
    NOTED.with_borrow_mut(|noted| {
        if let Some(noted) = noted
            && !(is_mark(a) && is_mark(b))
        {
            noted.extend(numbers_in(a).chain(numbers_in(b)));
        }
    });
}

/// Whether a text is a mark and nothing else.
pub fn is_mark(text: &str) -> bool {
    let inner = text.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE));
    inner.is_some_and(|inner| inner.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Works, and says which marks were looked into meanwhile.
pub fn noting<T>(work: impl FnOnce() -> T) -> (T, BTreeSet<usize>) {
    /// Whatever happens to the work, nobody wants to know any more.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            NOTED.take();
        }
    }
    NOTED.set(Some(BTreeSet::new()));
    let end = End;
    let done = work();
    let noted = NOTED.take().unwrap_or_default();
    drop(end);
    (done, noted)
}

/// What takes part of the work to other threads, so that these note, too.
pub struct Noter {
    wanted: bool,
}

impl Noter {
    /// Of this thread.
    pub fn here() -> Noter {
        Noter { wanted: NOTED.with_borrow(Option::is_some) }
    }

    /// Works on another thread, and says what the first one is to [`add`](Noter::add).
    pub fn work<T>(&self, work: impl FnOnce() -> T) -> (T, BTreeSet<usize>) {
        if self.wanted { noting(work) } else { (work(), BTreeSet::new()) }
    }

    /// On the first thread: what another one noted.
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
    fn only_what_is_looked_into_is_noted() {
        let ((), noted) = noting(|| {
            note("plain");
            note(&format!("a{}b{}", mark(3), mark(12)));
            note_compared(&mark(1), &mark(2));
            note_compared(&mark(4), "win32");
            note_compared(&format!("{}x", mark(5)), &mark(6));
        });
        assert_eq!(noted, BTreeSet::from([3, 4, 5, 6, 12]));
        note(&mark(9));
        assert_eq!(noting(|| ()).1, BTreeSet::new());
    }

    #[test]
    fn marks_give_way_to_what_is_known() {
        let text = format!("a{}b{}{}", mark(0), mark(1), "\u{27e6}x");
        let known = |number| (number == 0).then_some("-");
        assert_eq!(restored(&text, known), format!("a-b{}{}", mark(1), "\u{27e6}x"));
    }

    #[test]
    fn other_threads_note_too() {
        let ((), noted) = noting(|| {
            let noter = Noter::here();
            let work = || noter.work(|| note(&mark(7)));
            let ((), elsewhere) = std::thread::scope(|scope| scope.spawn(work).join().unwrap());
            Noter::add(elsewhere);
        });
        assert_eq!(noted, BTreeSet::from([7]));
    }
}
