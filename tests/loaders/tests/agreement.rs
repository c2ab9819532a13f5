//! Both loaders, world by world: those written by hand, then those of fixed seeds.
//!
//!     cargo test -p loaders --test agreement
//!     cargo test -p loaders --test agreement -- worlds/x.world   only the worlds of this file
//!     WHYDLL_SEEDS=5000 cargo test -p loaders --test agreement

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use std::{env, thread};

use loaders::comparison::{Disagreement, Used, compare};
use loaders::generated;
use loaders::known_differences::{KNOWN_DIFFERENCES, KnownDifference};
use loaders::wine::{Laboratory, Machine};
use loaders::written;

/// So many worlds are compared at a time, each on a machine of its own.
const MACHINES: usize = 2;

/// So many seeds, if nothing else is asked for.
const SEEDS: u64 = 2000;

/// A world that differs is run so often to make it small, and only for the first few of them.
const TRIALS: usize = 500;
const SHRUNK: usize = 6;

enum Job {
    Written(written::Written),
    Seed(u64),
}

/// What a machine has found.
#[derive(Default)]
struct Found {
    used: Used,
    told: Vec<String>,
}

impl Found {
    fn add(&mut self, other: Found) {
        self.told.extend(other.told);
        for (name, times) in other.used {
            *self.used.entry(name).or_default() += times;
        }
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, String> {
    let file = env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let jobs = jobs(file.as_deref())?;
    let laboratory = Laboratory::open()?;
    let begun = Instant::now();
    let next = AtomicUsize::new(0);
    let shrunk = AtomicUsize::new(0);
    let machines: Result<Vec<Machine>, String> = (0..MACHINES).map(|_| laboratory.machine()).collect();
    let machines = machines?;
    let mut found = Found::default();
    thread::scope(|scope| {
        let work = |machine| work(machine, &jobs, &next, &shrunk);
        let threads: Vec<_> = machines.iter().map(|machine| scope.spawn(move || work(machine))).collect();
        for thread in threads {
            found.add(thread.join().map_err(|_| "a thread panicked")?);
        }
        Ok::<(), &str>(())
    })?;
    for told in &found.told {
        println!("{told}\n");
    }
    let times = |difference: &KnownDifference| found.used.get(difference.name).copied().unwrap_or_default();
    let uses: Vec<String> = KNOWN_DIFFERENCES.iter().map(|d| format!("{} {}", d.name, times(d))).collect();
    println!(
        "{} worlds in both loaders in {} s: {} differ; known differences: {}",
        jobs.len(),
        begun.elapsed().as_secs(),
        found.told.len(),
        uses.join(", ")
    );
    let unused: Vec<&str> = KNOWN_DIFFERENCES.iter().filter(|d| times(d) == 0).map(|d| d.name).collect();
    if file.is_none() && !unused.is_empty() {
        println!("known differences that no world needs any more: {}", unused.join(", "));
        return Ok(false);
    }
    Ok(found.told.is_empty())
}

fn jobs(file: Option<&str>) -> Result<Vec<Job>, String> {
    let told = |error: std::io::Error| error.to_string();
    if let Some(file) = file {
        return Ok(written::of_file(Path::new(file)).map_err(told)?.into_iter().map(Job::Written).collect());
    }
    let seeds = match env::var("WHYDLL_SEEDS") {
        Ok(seeds) => seeds.parse().map_err(|_| format!("WHYDLL_SEEDS={seeds} is no number"))?,
        Err(_) => SEEDS,
    };
    let written = written::all().map_err(told)?.into_iter().map(Job::Written);
    Ok(written.chain((0..seeds).map(Job::Seed)).collect())
}

/// Takes one job after the other.
fn work(machine: &Machine<'_>, jobs: &[Job], next: &AtomicUsize, shrunk: &AtomicUsize) -> Found {
    let mut found = Found::default();
    while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
        let (title, text) = match job {
            Job::Written(world) => (world.title.clone(), world.text.clone()),
            Job::Seed(seed) => (format!("seed {seed}"), generated::world(*seed).current().to_string()),
        };
        match (compare(&text, machine), job) {
            (Ok(used), _) => found.add(Found { used, told: Vec::new() }),
            (Err(Disagreement::Differ(_)), Job::Seed(seed))
                if shrunk.fetch_add(1, Ordering::Relaxed) < SHRUNK =>
            {
                let differs = |text: &str| matches!(compare(text, machine), Err(Disagreement::Differ(_)));
                let text = generated::shrunk(generated::world(*seed), TRIALS, differs);
                let why = match compare(&text, machine) {
                    Err(Disagreement::Differ(why)) => why,
                    other => format!("it does not always differ: {other:?}"),
                };
                found.told.push(format!("{why}\n== {title}, made small\n{text}"));
            }
            (Err(Disagreement::Differ(why) | Disagreement::Unusable(why)), _) => {
                found.told.push(format!("{why}\n== {title}\n{text}"));
            }
        }
    }
    found
}
