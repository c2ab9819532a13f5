//! A world's program in the simulated loader.

use std::path::Path;
use std::sync::Arc;

use whydll::host::Host;
use whydll::image::Machine;
use whydll::loader::{Cause, Failure, Process};

use crate::outcome::{Fault, Outcome};
use crate::program::{Program, Step};

/// What the simulated loader says of each load of a program on the drive that `drive` holds. Of the modules only the
/// `files` count.
///
/// # Errors
/// The machine is none, or the program cannot start.
pub fn run(drive: &Path, program: &Program, files: &[String]) -> Result<Vec<Outcome>, String> {
    let host = Host::directory(drive, Arc::default()).map_err(|error| error.to_string())?;
    let mut process = start(host, program)?;
    let mut outcomes = Vec::new();
    for step in &program.steps {
        if let Some(outcome) = perform(&mut process, step) {
            let modules = process.modules().iter().map(|module| module.path.as_str());
            let modules = modules.filter(|path| is_one_of(files, path)).map(str::to_owned).collect();
            outcomes.push(Outcome { modules, ..outcome });
        }
    }
    Ok(outcomes)
}

/// The program's process, before it does anything.
///
/// # Errors
/// It does not start.
pub fn start(host: Host, program: &Program) -> Result<Process, String> {
    let mut process = Process::new(host, Machine::X64, program.application.clone());
    process.set_variable("PATH", None);
    process.set_current_directory(program.application.clone());
    let started = process.start(&program.executable());
    started.map_err(|failure| format!("the program does not start: {failure:?}"))?;
    Ok(process)
}

/// A directive becomes a call here. The outcome, without the list of modules, if it is a load.
pub fn perform(process: &mut Process, step: &Step) -> Option<Outcome> {
    match step {
        Step::CurrentDirectory(folder) => process.set_current_directory(folder.clone()),
        Step::Path(folders) => {
            let folders: Vec<&str> = folders.iter().map(|folder| folder.as_str()).collect();
            process.set_variable("PATH", Some(&folders.join(";")));
        }
        Step::DllDirectory(folder) => process.set_dll_directory(folder.clone()),
        Step::AddDirectory(folder) => process.add_dll_directory(folder.clone(), "the world".to_owned()),
        Step::RemoveDirectory(folder) => process.remove_dll_directory(folder),
        // Where one refuses the flags and the other does not, the loads that follow differ.
        Step::DefaultDirectories(flags) => _ = process.set_default_directories(*flags),
        Step::Load { name, flags } => {
            let loaded = process.load(name, *flags);
            return Some(match loaded {
                Ok(id) => Outcome {
                    code: 0,
                    module: process.modules().get(id).map(|module| module.path.as_str().to_owned()),
                    faults: Vec::new(),
                    modules: Vec::new(),
                },
                Err(failure) => failed(&failure),
            });
        }
    }
    None
}

fn failed(failure: &Failure) -> Outcome {
    let faults = failure.faults().map(|fault| {
        let importer = fault.importer().map(|link| link.name.as_str());
        match fault.cause {
            // A loader sees no more of it than that the initialization of the importer crashes.
            Cause::OutdatedRuntime { .. } => {
                Fault::new(fault.cause.code(), None, importer.unwrap_or_default())
            }
            _ => Fault::new(fault.cause.code(), importer, fault.culprit()),
        }
    });
    Outcome { code: failure.code(), module: None, faults: faults.collect(), modules: Vec::new() }
}

/// Whether a path is that of one of a world's files.
pub fn is_one_of(files: &[String], path: &str) -> bool {
    let path = path.strip_prefix("C:").unwrap_or(path).replace('\\', "/");
    files.iter().any(|file| file.eq_ignore_ascii_case(&path))
}
