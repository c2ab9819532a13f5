//! Compares both loaders on TensorFlow's real modules, intact and with one fault each.
//!
//!     cargo test -p loaders --test real -- --include-ignored
//!     cargo test -p loaders --test real -- --include-ignored PATH     only faults with PATH in their title
//!
//! If `WHYDLL_REAL` does not name the directory that `tests/real/setup` prints, that script is run
//! first.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use std::{env, fs, thread};

use loaders::comparison::{Used, agree};
use loaders::includes_ignored;
use loaders::ours;
use loaders::outcome::{Outcome, base_name};
use loaders::probe::{Loader, Machine, ObservedLoad};
use loaders::program::{Program, Step};
use loaders::real::{FAULTS, Fault, Real, Release, TENSORFLOW_2_3, TENSORFLOW_2_21, close};
use loaders::trace::{Complaint, Kind};
use loaders::wine::{Laboratory, WineMachine};

/// The number of faults that are tested at a time, each on its own machine.
const MACHINES: usize = 2;

/// Marks the process that lacks root's privileges.
const UNPRIVILEGED: &str = "WHYDLL_TEST_UNPRIVILEGED";

type Job = (&'static Release, &'static Fault);

fn main() -> ExitCode {
    if !includes_ignored("Wine and tests/real/setup") {
        return ExitCode::SUCCESS;
    }
    match without_privileges().and_then(|done| done.map_or_else(run, Ok)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, String> {
    let asked = env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let real = Real::at(&environments()?)?;
    let laboratory = Laboratory::open()?;
    let begun = Instant::now();
    // The larger one first, so that the machines finish at about the same time.
    let releases = [&TENSORFLOW_2_21, &TENSORFLOW_2_3];
    let jobs: Vec<Job> = releases
        .iter()
        .flat_map(|release| FAULTS.iter().map(|fault| (*release, fault)))
        .filter(|(release, fault)| fault.concerns(release) && fault.title.contains(&asked))
        .collect();
    let next = AtomicUsize::new(0);
    let machines: Result<Vec<WineMachine<'_>>, String> =
        (0..MACHINES).map(|_| laboratory.machine_like(&real.machine())).collect();
    let found = thread::scope(|scope| {
        let (real, jobs, next) = (&real, &jobs, &next);
        let threads: Vec<_> = machines?
            .into_iter()
            .map(|machine| scope.spawn(move || work(&machine, real, jobs, next)))
            .collect();
        let joined =
            threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked".to_owned()));
        joined.collect::<Result<Vec<_>, _>>()
    })?;
    let mut differing = 0;
    let mut used = Used::new();
    for (differences, one) in found {
        differing += differences.len();
        differences.iter().for_each(|difference| println!("{difference}\n"));
        one.into_iter().for_each(|(name, times)| *used.entry(name).or_default() += times);
    }
    let count = |release: &Release| jobs.iter().filter(|(other, _)| other.version == release.version).count();
    let counts = releases.map(|release| format!("{} of TensorFlow {}", count(release), release.version));
    let used: Vec<String> = used.iter().map(|(name, times)| format!("{name} {times}")).collect();
    println!(
        "real modules, {}, in both loaders in {} s: {differing} differ; known differences: {}",
        counts.join(" and "),
        begun.elapsed().as_secs(),
        used.join(", ")
    );
    Ok(differing == 0)
}

/// Takes one job after another. Returns what differs, and which known differences were needed.
fn work(machine: &WineMachine<'_>, real: &Real, jobs: &[Job], next: &AtomicUsize) -> (Vec<String>, Used) {
    let (mut differences, mut used) = (Vec::new(), Used::new());
    while let Some((release, fault)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
        let begun = Instant::now();
        match compare_one(machine, real, release, fault) {
            Ok(one) => one.into_iter().for_each(|(name, times)| *used.entry(name).or_default() += times),
            Err(why) => {
                differences.push(format!("== TensorFlow {}: {}\n{why}", release.version, fault.title))
            }
        }
        if env::var_os("WHYDLL_TEST_TIMES").is_some() {
            println!("{:5.1} s  {}: {}", begun.elapsed().as_secs_f32(), release.version, fault.title);
        }
    }
    (differences, used)
}

fn compare_one(
    machine: &WineMachine<'_>,
    real: &Real,
    release: &Release,
    fault: &Fault,
) -> Result<Used, String> {
    let files = real.install(machine, release, fault).map_err(|error| format!("not installed: {error}"))?;
    let program = fault.program(release)?;
    machine.install(&program).map_err(|error| format!("the program: {error}"))?;
    let compare = |program: &Program| {
        let mut observed = machine.run(program, &files)?;
        observed
            .iter_mut()
            .for_each(|load| load.complaints.retain(|complaint| is_of_windows(complaint, &files)));
        let ours = ours::run(&machine.drive(), program, &files, Loader::Wine)?;
        if let Some(broken) = observed.iter().find(|load| fault.is_none() && load.outcome.code != 0) {
            return Err(format!("nothing is wrong, but Wine reports: {}", broken.outcome));
        }
        initializations(&ours, &observed)?;
        agree(program, &ours, &observed)
    };
    let mut used = compare(&program)?;
    if used.is_empty() {
        return Ok(used);
    }
    // A known difference may have parted the two processes, so that later loads were not compared. So
    // each load is repeated in a process of its own.
    for at in (0..program.steps.len()).filter(|at| is_load(&program.steps[*at])) {
        let is_wanted = |(other, step): &(usize, &Step)| *other == at || !is_load(step);
        let steps = program.steps.iter().enumerate().filter(is_wanted).map(|(_, step)| step.clone());
        let alone = Program { steps: steps.collect(), ..program.clone() };
        compare(&alone)?.into_iter().for_each(|(name, times)| *used.entry(name).or_default() += times);
    }
    Ok(used)
}

fn is_load(step: &Step) -> bool {
    matches!(step, Step::Load { .. })
}

/// The simulation executes nothing, but predicts that the initialization of some modules crashes in
/// an old VC++ runtime. Wine runs it, and fails with 998 where Windows fails with 1114.
fn initializations(ours: &[Outcome], wine: &[ObservedLoad]) -> Result<(), String> {
    for (ours, observed) in ours.iter().zip(wine) {
        let not_initialized = |complaint: &&Complaint| complaint.kind == Kind::NotInitialized;
        if let Some(crash) = observed.complaints.iter().find(not_initialized)
            && !(ours.code == 1114 && ours.faults.first() == Some(&crash.fault))
        {
            return Err(format!("  ours: {ours}\n  wine: {}; {}", observed.outcome, crash.fault));
        }
    }
    Ok(())
}

/// Whether a complaint also applies to Windows. Wine's system DLLs lack functions that newer
/// programs import.
fn is_of_windows(complaint: &Complaint, files: &[String]) -> bool {
    complaint.kind != Kind::NoImplementation
        || files.iter().any(|file| base_name(file) == complaint.fault.culprit)
}

fn environments() -> Result<PathBuf, String> {
    if let Some(folder) = env::var_os("WHYDLL_REAL") {
        return Ok(PathBuf::from(folder));
    }
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("../real/setup");
    let done = Command::new(&setup).stderr(Stdio::inherit()).output();
    let done = done.map_err(|error| format!("{}: {error}", setup.display()))?;
    let output = String::from_utf8_lossy(&done.stdout);
    match output.lines().last().filter(|_| done.status.success()) {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => Err(format!("{}: {}", setup.display(), done.status)),
    }
}

/// Runs this program again without the privilege to read all files, if it runs as root. Returns
/// whether that run succeeded, or `None` if this process lacks the privilege already.
fn without_privileges() -> Result<Option<bool>, String> {
    let closed = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    close(closed.path()).map_err(|error| error.to_string())?;
    if fs::read(closed.path()).is_err() {
        return Ok(None);
    }
    if env::var_os(UNPRIVILEGED).is_some() {
        return Err("setpriv does not remove the privilege to read everything".to_owned());
    }
    let privileges = "-dac_override,-dac_read_search";
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let mut again = Command::new("setpriv");
    again
        .args(["--bounding-set", privileges, "--inh-caps", privileges])
        .arg(program)
        .args(env::args_os().skip(1));
    let status = again.env(UNPRIVILEGED, "1").status();
    let install = "Debian and Ubuntu: apt-get install util-linux";
    Ok(Some(status.map_err(|error| format!("setpriv: {error}; {install}"))?.success()))
}
