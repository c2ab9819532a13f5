//! Tries some thousands of altered seeds for each target, the same in every run.

use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use fuzz::Target;

/// The time limit for one input.
const TIME_LIMIT: Duration = Duration::from_secs(1);

/// The number of attempts: on a busy machine an input may take longer, but not every time.
const ATTEMPTS: usize = 3;

/// The time after which an attempt is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(30);

/// The maximum length of an input. Longer ones are left to libFuzzer.
const MAX_INPUT: usize = 16 << 10;

/// Held by the running target: memory is counted for all threads, so targets run one after another.
static TURN: Mutex<()> = Mutex::new(());

/// Set by any panic, because WhyDLL's server continues after one.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Tries the seeds of a target, and inputs derived from them.
fn try_inputs(target: &'static Target, inputs: usize) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    PANICKED.store(false, Ordering::SeqCst);
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICKED.store(true, Ordering::SeqCst);
        usual(info);
    }));
    let current = Arc::new(Mutex::new(Vec::new()));
    let (done, progress) = channel();
    let inner = current.clone();
    let worker = std::thread::spawn(move || {
        let seeds = target.seeds();
        let mut random = Rng::with_seed(2_026);
        let altered = std::iter::repeat_with(|| alter(&seeds, &mut random)).take(inputs);
        for input in seeds.iter().cloned().chain(altered) {
            inner.lock().unwrap().clone_from(&input);
            let attempt = || {
                let start = Instant::now();
                target.check(&input);
                start.elapsed() < TIME_LIMIT
            };
            assert!((0..ATTEMPTS).any(|_| attempt()), "it takes more than {TIME_LIMIT:?}");
            assert!(!PANICKED.load(Ordering::SeqCst), "a thread panicked");
            done.send(()).unwrap();
        }
    });
    let problem = loop {
        match progress.recv_timeout(GIVE_UP_AFTER) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => break "it hangs",
            Err(RecvTimeoutError::Disconnected) if worker.join().is_err() => break "see above",
            Err(RecvTimeoutError::Disconnected) => return,
        }
    };
    let input = current.lock().unwrap_or_else(PoisonError::into_inner);
    panic!("{}, {problem}: b\"{}\"", target.name, input.escape_ascii());
}

/// Returns a seed with some changes.
fn alter(seeds: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let mut input = random.choice(seeds).cloned().unwrap_or_default();
    for _ in 0..random.usize(1..6) {
        let (start, end) = range(&input, random);
        match random.u8(0..8) {
            0 => drop(input.drain(start..end)),
            1 => input.extend_from_within(start..end),
            2 => input.truncate(start),
            3 => input.iter_mut().skip(start).take(1).for_each(|byte| *byte ^= 1 << random.u8(0..8)),
            4 => input.iter_mut().skip(start).take(1).for_each(|byte| *byte = random.u8(..)),
            // Numbers that are often mishandled.
            5 => {
                let number: u32 =
                    random.choice([0, 1, 0x7f, 0x7fff_ffff, 0x8000_0000, u32::MAX, 0x1000]).unwrap();
                let bytes = number.to_le_bytes();
                input.iter_mut().skip(start).zip(bytes).for_each(|(byte, new)| *byte = new);
            }
            // A part of another seed in place of a part of this one.
            6 => {
                let other = random.choice(seeds).unwrap();
                let (from, to) = range(other, random);
                input.splice(start..end, other[from..to].iter().copied());
            }
            // Lines in another order.
            _ => {
                let mut lines: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
                let (one, other) = (random.usize(..lines.len().max(1)), random.usize(..lines.len().max(1)));
                if one < lines.len() && other < lines.len() {
                    lines.swap(one, other);
                }
                input = lines.concat();
            }
        }
    }
    input.truncate(MAX_INPUT);
    input
}

/// Returns a range of an input, mostly a short one.
fn range(input: &[u8], random: &mut Rng) -> (usize, usize) {
    let start = random.usize(..=input.len());
    let longest = if random.bool() { 8 } else { input.len() };
    (start, (start + random.usize(..=longest)).min(input.len()))
}

macro_rules! targets {
    ($($test:ident $target:ident $inputs:literal;)*) => {
        $(
            #[test]
            fn $test() {
                try_inputs(&fuzz::$target, $inputs);
            }
        )*
    };
}

targets! {
    api_sets API_SETS 4_000;
    code CODE 4_000;
    compiled COMPILED 4_000;
    image IMAGE 4_000;
    lsp LSP 120;
    metadata METADATA 2_000;
    notebook NOTEBOOK 4_000;
    snapshot SNAPSHOT 2_000;
    source SOURCE 2_000;
    traceback TRACEBACK 4_000;
}
