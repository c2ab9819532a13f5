//! Compares both loaders world by world: those written by hand, then those of fixed seeds.
//!
//!     cargo test -p loaders --test agreement -- --include-ignored
//!     cargo test -p loaders --test agreement -- --include-ignored worlds/x.world   only this file's worlds
//!     WHYDLL_SEEDS=5000 cargo test -p loaders --test agreement -- --include-ignored
//!
//! On Windows the other loader is that of Windows itself (see `loaders::native`), elsewhere Wine's.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use std::{env, thread};

use loaders::comparison::{Disagreement, Used, compare};
use loaders::known_differences::{KNOWN_DIFFERENCES, KnownDifference};
use loaders::native::Native;
use loaders::probe::{Loader, Machine};
use loaders::wine::{Laboratory, WineMachine};
use loaders::written::{self, WrittenWorld};
use loaders::{generated, includes_ignored};

/// The number of worlds that are compared at a time under Wine, each on its own machine.
const MACHINES: usize = 2;

/// The number of seeds, unless `WHYDLL_SEEDS` is set.
const SEEDS: u64 = 1500;

/// The maximum number of trials for shrinking a world that differs.
const TRIALS: usize = 500;

/// The maximum number of worlds that are shrunk.
const SHRUNK: usize = 6;

/// The maximum percentage of worlds that cannot be placed because a real Windows has files of the same name.
const MAX_OCCUPIED_PERCENT: usize = 5;

enum Job {
    Written(WrittenWorld),
    Seed(u64),
}

/// The results of one machine.
#[derive(Default)]
struct Results {
    used: Used,
    differences: Vec<String>,
    occupied: Vec<String>,
}

impl Results {
    fn add(&mut self, other: Results) {
        self.differences.extend(other.differences);
        self.occupied.extend(other.occupied);
        for (name, times) in other.used {
            *self.used.entry(name).or_default() += times;
        }
    }
}

fn main() -> ExitCode {
    if !includes_ignored("Wine, or a Windows machine that is thrown away") {
        return ExitCode::SUCCESS;
    }
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
    if cfg!(windows) {
        let machine = Native::open()?;
        return on_windows(&machine, &jobs);
    }
    let laboratory = Laboratory::open()?;
    let begun = Instant::now();
    let machines: Result<Vec<WineMachine>, String> = (0..MACHINES).map(|_| laboratory.machine()).collect();
    let results = compare_all(&machines?, &jobs)?;
    print(&results.differences);
    let times = |difference: &KnownDifference| results.used.get(difference.name).copied().unwrap_or_default();
    let uses: Vec<String> = KNOWN_DIFFERENCES.iter().map(|d| format!("{} {}", d.name, times(d))).collect();
    println!(
        "{} worlds in both loaders in {} s: {} differ; known differences: {}",
        jobs.len(),
        begun.elapsed().as_secs(),
        results.differences.len(),
        uses.join(", ")
    );
    let unused: Vec<&str> = KNOWN_DIFFERENCES.iter().filter(|d| times(d) == 0).map(|d| d.name).collect();
    if file.is_none() && !unused.is_empty() {
        println!("known differences that no world needs any more: {}", unused.join(", "));
        return Ok(false);
    }
    Ok(results.differences.is_empty())
}

/// Compares with the loader of this Windows.
fn on_windows(machine: &Native, jobs: &[Job]) -> Result<bool, String> {
    let begun = Instant::now();
    let results = compare_all(std::slice::from_ref(machine), jobs)?;
    print(&results.differences);
    print(&results.occupied);
    println!(
        "{} worlds in the simulated loader and that of Windows in {} s: {} differ, {} could not be placed",
        jobs.len(),
        begun.elapsed().as_secs(),
        results.differences.len(),
        results.occupied.len()
    );
    let were_placed = results.occupied.len() * 100 <= jobs.len() * MAX_OCCUPIED_PERCENT;
    Ok(results.differences.is_empty() && were_placed)
}

fn print(lines: &[String]) {
    lines.iter().for_each(|line| println!("{line}\n"));
}

fn jobs(file: Option<&str>) -> Result<Vec<Job>, String> {
    let failed = |error: std::io::Error| error.to_string();
    if let Some(file) = file {
        return Ok(written::of_file(Path::new(file))
            .map_err(failed)?
            .into_iter()
            .map(Job::Written)
            .collect());
    }
    let seeds = match env::var("WHYDLL_SEEDS") {
        Ok(seeds) => seeds.parse().map_err(|_| format!("WHYDLL_SEEDS={seeds} is not a number"))?,
        Err(_) => SEEDS,
    };
    let written = written::all().map_err(failed)?.into_iter().map(Job::Written);
    Ok(written.chain((0..seeds).map(Job::Seed)).collect())
}

/// Distributes the jobs over the machines, one thread each.
fn compare_all<M: Machine + Sync>(machines: &[M], jobs: &[Job]) -> Result<Results, String> {
    let next = AtomicUsize::new(0);
    let shrunk = AtomicUsize::new(0);
    let mut results = Results::default();
    thread::scope(|scope| {
        let work = |machine| work(machine, jobs, &next, &shrunk);
        let threads: Vec<_> = machines.iter().map(|machine| scope.spawn(move || work(machine))).collect();
        for thread in threads {
            results.add(thread.join().map_err(|_| "a thread panicked")?);
        }
        Ok::<(), &str>(())
    })?;
    Ok(results)
}

/// Takes one job after another.
fn work<M: Machine>(machine: &M, jobs: &[Job], next: &AtomicUsize, shrunk: &AtomicUsize) -> Results {
    let mut results = Results::default();
    while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
        let (title, text) = match job {
            Job::Written(world) => (world.title.clone(), world.text.clone()),
            Job::Seed(seed) => (format!("seed {seed}"), generated::world(*seed).current().to_string()),
        };
        match (compare(&text, machine), job) {
            (Ok(used), _) => results.add(Results { used, ..Results::default() }),
            (Err(Disagreement::Differ(_)), Job::Seed(seed))
                if shrunk.fetch_add(1, Ordering::Relaxed) < SHRUNK =>
            {
                let differs = |text: &str| matches!(compare(text, machine), Err(Disagreement::Differ(_)));
                let text = generated::shrunk(generated::world(*seed), TRIALS, differs);
                let why = match compare(&text, machine) {
                    Err(Disagreement::Differ(why)) => why,
                    other => format!("it does not always differ: {other:?}"),
                };
                results.differences.push(format!("{why}\n== {title}, shrunk\n{text}"));
            }
            // A real Windows has files of its own; a machine under Wine is made for the worlds.
            (Err(Disagreement::Occupied(why)), _) if machine.loader() == Loader::Windows => {
                results.occupied.push(format!("not compared: {title}: {why}"));
            }
            (
                Err(Disagreement::Differ(why) | Disagreement::Unusable(why) | Disagreement::Occupied(why)),
                _,
            ) => {
                results.differences.push(format!("{why}\n== {title}\n{text}"));
            }
        }
    }
    results
}
