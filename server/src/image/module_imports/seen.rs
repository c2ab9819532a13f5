//! Which instructions were visited.

use rustc_hash::FxHashMap;

/// Addresses of a page.
const PAGE: u32 = 4096;

/// A set of addresses. Code runs from one to the next, so they are close together: each is one bit
/// of a page that was entered.
#[derive(Default)]
pub(super) struct Seen {
    pages: Vec<[u64; 64]>,
    index: FxHashMap<u32, usize>,
    /// The latest page and its index.
    latest: Option<(u32, usize)>,
}

impl Seen {
    /// Adds an address. False if it was there.
    pub fn insert(&mut self, at: u32) -> bool {
        let page = at / PAGE;
        let index = match self.latest {
            Some((latest, index)) if latest == page => index,
            _ => *self.index.entry(page).or_insert_with(|| {
                self.pages.push([0; 64]);
                self.pages.len() - 1
            }),
        };
        self.latest = Some((page, index));
        let (word, bit) = place(at);
        match self.pages.get_mut(index).and_then(|page| page.get_mut(word)) {
            Some(word) => {
                let is_new = *word & bit == 0;
                *word |= bit;
                is_new
            }
            None => false,
        }
    }

    /// Whether an address is there.
    pub fn contains(&self, at: u32) -> bool {
        let page = self.index.get(&(at / PAGE)).and_then(|index| self.pages.get(*index));
        let (word, bit) = place(at);
        page.and_then(|page| page.get(word)).is_some_and(|word| word & bit != 0)
    }
}

/// The word and the bit of an address in its page.
fn place(at: u32) -> (usize, u64) {
    ((at % PAGE / 64) as usize, 1 << (at % 64))
}
