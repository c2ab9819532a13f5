//! Runs a world's program in the simulated loader.

use std::path::Path;
use std::sync::Arc;

use whydll::host::Host;
use whydll::image::{Machine, Symbol};
use whydll::loader::{Cause, Failure, Process};

use crate::outcome::{Fault, Outcome};
use crate::probe::Loader;
use crate::program::{Program, Step};

/// Returns the outcome of each load of a program on the drive in the directory `drive`, as it
/// compares with `loader`. Only the modules in `files` are listed.
///
/// # Errors
/// The drive is not that of a Windows machine, or the program cannot start.
pub fn run(
    drive: &Path,
    program: &Program,
    files: &[String],
    loader: Loader,
) -> Result<Vec<Outcome>, String> {
    let host = Host::directory(drive, Arc::default()).map_err(|error| error.to_string())?;
    let mut process = start(host, program)?;
    let mut outcomes = Vec::new();
    for step in &program.steps {
        if let Some(outcome) = perform(&mut process, step, loader) {
            let modules = process.modules().iter().map(|module| module.path.as_str());
            let modules = modules.filter(|path| is_one_of(files, path)).map(str::to_owned).collect();
            outcomes.push(Outcome { modules, ..outcome });
        }
    }
    Ok(outcomes)
}

/// Returns the program's process, before its first step.
///
/// # Errors
/// The program does not start.
pub fn start(host: Host, program: &Program) -> Result<Process, String> {
    let mut process = Process::new(host, Machine::X64, program.application.clone());
    process.set_variable("PATH", None);
    process.set_current_directory(program.application.clone());
    let started = process.start(&program.executable());
    started.map_err(|failure| format!("the program does not start: {failure:?}"))?;
    Ok(process)
}

/// Performs one step. Returns the outcome, without the list of modules, if the step is a load.
pub fn perform(process: &mut Process, step: &Step, loader: Loader) -> Option<Outcome> {
    match step {
        Step::CurrentDirectory(folder) => process.set_current_directory(folder.clone()),
        Step::Path(folders) => {
            let folders: Vec<&str> = folders.iter().map(|folder| folder.as_str()).collect();
            process.set_variable("PATH", Some(&folders.join(";")));
        }
        Step::DllDirectory(folder) => process.set_dll_directory(folder.clone()),
        Step::AddDirectory(folder) => process.add_dll_directory(folder.clone(), "the world".to_owned()),
        Step::RemoveDirectory(folder) => process.remove_dll_directory(folder),
        // If only one of the loaders refuses the flags, the loads that follow differ.
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
                Err(failure) => failed(&failure, loader),
            });
        }
    }
    None
}

fn failed(failure: &Failure, loader: Loader) -> Outcome {
    let faults = failure.faults().map(|fault| {
        let importer = fault.importer().map(|link| link.name.as_str());
        match fault.cause {
            // A loader only sees that the initialization of the importer crashes.
            Cause::OutdatedRuntime { .. } => {
                Fault::new(code(&fault.cause, loader), None, importer.unwrap_or_default())
            }
            _ => Fault::new(code(&fault.cause, loader), importer, fault.culprit()),
        }
    });
    let faults = faults.collect();
    Outcome { code: code(&failure.first.cause, loader), module: None, faults, modules: Vec::new() }
}

/// For a forwarder that leads nowhere, Wine reports the symbol that has no implementation. Windows
/// reports why the target cannot be loaded, which Wine has forgotten by then, so that code is not
/// compared with Wine's.
fn code(cause: &Cause, loader: Loader) -> u32 {
    match cause {
        Cause::MissingExport { forwarder: Some(_), symbols, .. } if loader == Loader::Wine => {
            match symbols.first() {
                Some(Symbol::Ordinal(_)) => 182,
                _ => 127,
            }
        }
        cause => cause.code(),
    }
}

/// Whether a path is one of a world's files.
pub fn is_one_of(files: &[String], path: &str) -> bool {
    let path = path.strip_prefix("C:").unwrap_or(path).replace('\\', "/");
    files.iter().any(|file| file.eq_ignore_ascii_case(&path))
}
