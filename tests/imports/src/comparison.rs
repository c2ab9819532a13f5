//! Compares two lists of files: what only one of them has, and whether the rest is in the same
//! order.

use std::collections::{HashMap, HashSet};

/// How the plan's list differs from the real one.
#[derive(Debug)]
pub struct Comparison<'a> {
    /// Files that only the real list has.
    pub missed: Vec<&'a str>,
    /// Files that only the plan's list has.
    pub invented: Vec<&'a str>,
    /// Kendall's rank correlation of the common files: 1 if the order is the same, -1 if it is
    /// reversed.
    pub order: f64,
}

impl<'a> Comparison<'a> {
    /// Compares two lists without duplicates.
    pub fn of(real: &'a [String], plan: &'a [String]) -> Comparison<'a> {
        let places: HashMap<&str, usize> =
            real.iter().enumerate().map(|(at, file)| (file.as_str(), at)).collect();
        let planned: HashSet<&str> = plan.iter().map(String::as_str).collect();
        let both: Vec<usize> = plan.iter().filter_map(|file| places.get(file.as_str()).copied()).collect();
        Comparison {
            missed: real.iter().map(String::as_str).filter(|file| !planned.contains(file)).collect(),
            invented: plan.iter().map(String::as_str).filter(|file| !places.contains_key(file)).collect(),
            order: kendall(&both),
        }
    }
}

/// Returns (pairs in order - pairs out of order) / pairs, given the positions in one order of the
/// items of the other.
fn kendall(places: &[usize]) -> f64 {
    let pairs = places.len() * places.len().saturating_sub(1) / 2;
    if pairs == 0 {
        return 1.0;
    }
    let disordered: usize = places
        .iter()
        .enumerate()
        .map(|(at, place)| places.iter().skip(at + 1).filter(|later| *later < place).count())
        .sum();
    1.0 - 2.0 * disordered as f64 / pairs as f64
}
