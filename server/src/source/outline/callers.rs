//! Callers of functions that load something.

use rustc_hash::FxHashMap;

use super::parts::{MAX_SHORT, Part, PartKind};

/// Keeps the parts that call a function that is kept because it loads something.
pub(super) fn keep_callers(text: &str, parts: &mut [Part<'_>]) {
    let loads = |part: &Part<'_>| part.keep && part.kind == PartKind::Function && part.body.len() > MAX_SHORT;
    let mut loading: Vec<&str> = parts.iter().filter(|part| loads(part)).map(|part| part.name).collect();
    if loading.is_empty() {
        return;
    }
    let Callers { mut by_name, around } = Callers::among(text, parts);
    while let Some(name) = loading.pop() {
        for caller in by_name.remove(name).unwrap_or_default() {
            // The functions around the caller are callers as well.
            let mut caller = Some(caller);
            while let Some(index) = caller
                && let Some(part) = parts.get_mut(index).filter(|part| !part.keep)
            {
                part.keep = true;
                if part.kind == PartKind::Function {
                    loading.push(part.name);
                }
                caller = around.get(index).copied().flatten();
            }
        }
    }
}

/// The calls in the parts that would be removed.
struct Callers<'a> {
    /// The parts that call each name. Of nested parts, only the innermost.
    by_name: FxHashMap<&'a str, Vec<usize>>,
    /// The nearest enclosing part of each part.
    around: Vec<Option<usize>>,
}

impl<'a> Callers<'a> {
    fn among(text: &'a str, parts: &[Part<'_>]) -> Callers<'a> {
        let mut callers = Callers { by_name: FxHashMap::default(), around: vec![None; parts.len()] };
        let may_go =
            |part: &Part<'_>| !part.keep && matches!(part.kind, PartKind::Function | PartKind::Arguments);
        let going = parts.iter().enumerate().filter(|(_, part)| may_go(part));
        // The parts around `at`, each within the previous one.
        let mut open: Vec<(usize, &Part<'_>)> = Vec::new();
        let mut at = 0;
        for next in going.map(Some).chain([None]) {
            let start = next.map_or(text.len(), |(_, part)| part.body.start);
            while let Some((index, part)) = open.last() {
                let end = part.body.end.min(start);
                for name in called(text.get(at..end).unwrap_or_default()) {
                    let known = callers.by_name.entry(name).or_default();
                    if known.last() != Some(index) {
                        known.push(*index);
                    }
                }
                at = end;
                if part.body.end > start {
                    break;
                }
                open.pop();
            }
            at = start;
            if let Some((index, part)) = next {
                callers.around[index] = open.last().map(|(around, _)| *around);
                open.push((index, part));
            }
        }
        callers
    }
}

/// Returns the names that are called in `body`, as far as the source shows.
fn called(body: &str) -> impl Iterator<Item = &str> {
    memchr::memchr_iter(b'(', body.as_bytes()).filter_map(|at| {
        let before = body.get(..at)?;
        let start = before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
        (!start.ends_with('.')).then(|| before.get(start.len()..)).flatten()
    })
}
