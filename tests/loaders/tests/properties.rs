//! Properties of the simulated loader that hold in any world, without another loader to compare with.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fs, path::Path};

use loaders::generated::{Generated, any_world};
use loaders::outcome::Outcome;
use loaders::probe::Loader;
use loaders::{Program, Step, ours};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use whydll::host::Host;
use whydll::loader::Process;
use world::World;

/// The time limit for one world, on the slowest machine.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Checks a property in 300 worlds, always the same ones.
fn in_any_world(property: impl Fn(&World, &Program)) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&any_world(), |generated: Generated| {
        let world = World::new(&generated.to_string()).expect("a world");
        let program = Program::read(world.directives()).expect("directives");
        furnish(world.root(), &program);
        property(&world, &program);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// Adds what a machine needs: a system directory, and the program.
fn furnish(drive: &Path, program: &Program) {
    fs::create_dir_all(drive.join("windows/system32")).expect("a system directory");
    let application = drive.join("app");
    fs::create_dir_all(&application).expect("an application directory");
    assert_eq!(program.application.as_str(), r"C:\app");
    World::at("/app/probe.exe", drive).expect("a program");
}

fn process(world: &World, program: &Program) -> Process {
    let host = Host::directory(world.root(), Arc::default()).expect("a machine");
    ours::start(host, program).expect("a program that starts")
}

fn all(process: &mut Process, program: &Program) -> Vec<Outcome> {
    program.steps.iter().filter_map(|step| ours::perform(process, step, Loader::Wine)).collect()
}

#[test]
fn every_program_ends_within_the_time_limit() {
    in_any_world(|world, program| {
        let begun = Instant::now();
        all(&mut process(world, program), program);
        assert!(begun.elapsed() < TIME_LIMIT);
    });
}

#[test]
fn repeating_a_successful_load_changes_nothing() {
    let repeated = AtomicUsize::new(0);
    in_any_world(|world, program| {
        let mut process = process(world, program);
        for step in &program.steps {
            let outcome = ours::perform(&mut process, step, Loader::Wine);
            if outcome.is_none_or(|outcome| outcome.code != 0) {
                continue;
            }
            let before = process.modules().to_vec();
            let again = ours::perform(&mut process, step, Loader::Wine);
            assert_eq!(again.map(|outcome| outcome.code), Some(0));
            assert_eq!(process.modules(), before);
            repeated.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert!(repeated.into_inner() > 100);
}

#[test]
fn a_failed_load_leaves_nothing_behind_and_fails_again() {
    let failed = AtomicUsize::new(0);
    in_any_world(|world, program| {
        let mut process = process(world, program);
        for step in &program.steps {
            let before = process.modules().to_vec();
            let outcome = ours::perform(&mut process, step, Loader::Wine);
            if outcome.as_ref().is_some_and(|outcome| outcome.code != 0) {
                assert_eq!(process.modules(), before);
                assert_eq!(ours::perform(&mut process, step, Loader::Wine), outcome);
                failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    assert!(failed.into_inner() > 100);
}

#[test]
fn a_file_that_no_load_requests_changes_nothing() {
    in_any_world(|world, program| {
        let mut without = process(world, program);
        let outcomes = all(&mut without, program);
        World::at(
            "/dlls/zulu.dll  x86, imports yankee.dll\n/app/yankee.dll  empty\n/path/zulu.dll",
            world.root(),
        )
        .expect("more files");
        let mut with = process(world, program);
        assert_eq!(all(&mut with, program), outcomes);
        assert_eq!(with.modules(), without.modules());
    });
}

#[test]
fn a_module_is_found_by_the_path_of_its_file() {
    in_any_world(|world, program| {
        let mut process = process(world, program);
        all(&mut process, program);
        let modules = process.modules().to_vec();
        for (at, module) in modules.iter().enumerate() {
            for step in [module.path.as_str().to_owned(), module.path.as_str().to_uppercase()] {
                let flags = whydll::loader::LoadFlags::NONE;
                assert_eq!(process.load(&step, flags), Ok(at));
            }
        }
        assert_eq!(process.modules(), modules);
    });
}

#[test]
fn a_bare_name_finds_the_first_module_of_that_name() {
    in_any_world(|world, program| {
        let mut process = process(world, program);
        all(&mut process, program);
        let modules = process.modules().to_vec();
        for module in &modules {
            let name = module.path.file_name();
            let first = modules.iter().position(|other| other.path.file_name().eq_ignore_ascii_case(name));
            let step = Step::Load { name: name.to_owned(), flags: whydll::loader::LoadFlags::NONE };
            let outcome = ours::perform(&mut process, &step, Loader::Wine).expect("a load");
            let found = first.map(|first| modules[first].path.as_str().to_owned());
            assert_eq!((outcome.code, outcome.module), (0, found));
        }
        assert_eq!(process.modules(), modules);
    });
}
