//! Both loaders, world by world.
//!
//!     cargo test -p loaders --test agreement                the worlds by hand and those of 500 seeds
//!     cargo test -p loaders --test agreement -- FILE        the worlds of one file

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use loaders::comparison::{Disagreement, Used, compare};
use loaders::known_differences::KNOWN_DIFFERENCES;
use loaders::wine::{Laboratory, Machine};
use loaders::written::{self, Written};

const MACHINES: usize = 2;

fn main() -> ExitCode {
    let begun = Instant::now();
    let file = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let laboratory = match Laboratory::open() {
        Ok(l) => l,
        Err(e) => { eprintln!("{e}"); return ExitCode::FAILURE; }
    };
    println!("lab {:?}", begun.elapsed());
    let machine = laboratory.machine().unwrap();
    println!("machine {:?}", begun.elapsed());
    for world in written::all().unwrap() {
        let t = Instant::now();
        let r = compare(&world.text, &machine);
        println!("{} {:?} {:?}", world.title, r, t.elapsed());
        if let Err(Disagreement::Differ(d)) = r { println!("{d}"); }
    }
    ExitCode::SUCCESS
}
