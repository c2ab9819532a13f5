//! Runs one world in both loaders, and compares the outcomes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

use whydll::host::WinPath;
use world::World;

use crate::known_differences::{Case, KNOWN_DIFFERENCES};
use crate::outcome::{Fault, Outcome};
use crate::probe::{Loader, Machine, ObservedLoad};
use crate::program::Program;
use crate::trace::Complaint;
use crate::{native, ours, trace};

/// How often each known difference was needed, by its name.
pub type Used = BTreeMap<&'static str, usize>;

/// Why a world did not agree.
#[derive(Debug)]
pub enum Disagreement {
    /// The world or the machine is at fault, not a loader.
    Unusable(String),
    /// The machine already has this file of the world.
    Occupied(String),
    /// The loaders report different outcomes for a load.
    Differ(String),
}

/// Runs a world in both loaders.
///
/// # Errors
/// They differ, or the world cannot be run.
pub fn compare<M: Machine>(text: &str, machine: &M) -> Result<Used, Disagreement> {
    let placed = Placed::on(machine, text)?;
    let (program, files) = (&placed.program, placed.world.files());
    let observed = machine.run(program, files).map_err(Disagreement::Unusable)?;
    let loader = machine.loader();
    let ours = ours::run(&machine.drive(), program, files, loader).map_err(Disagreement::Unusable)?;
    match loader {
        Loader::Wine => agree(program, &ours, &observed).map_err(Disagreement::Differ),
        Loader::Windows => {
            agree_with_windows(program, &ours, &observed).map(|()| Used::new()).map_err(Disagreement::Differ)
        }
    }
}

/// Compares the outcomes of a program's loads with those of Wine, translated into what Windows
/// would report.
///
/// # Errors
/// What differs.
pub fn agree(program: &Program, ours: &[Outcome], wine: &[ObservedLoad]) -> Result<Used, String> {
    let mut used = Used::new();
    let mut before: &[String] = &[];
    let loads: Vec<&str> = program.loads().collect();
    for (at, name) in loads.iter().enumerate() {
        let (Some(ours), Some(observed)) = (ours.get(at), wine.get(at)) else {
            return Err(format!("of {} loads Wine made {}, ours {}", loads.len(), wine.len(), ours.len()));
        };
        let culprits = trace::culprits(name, &observed.complaints);
        let outcome = Some(observed.outcome.clone());
        let crashed = observed.crashed;
        let mut case = Case { asked: name, before, culprits: &culprits, crashed, outcome, parted: false };
        for difference in KNOWN_DIFFERENCES {
            if (difference.translate)(&mut case) {
                *used.entry(difference.name).or_default() += 1;
            }
        }
        let parted = case.parted;
        if let Some(windows) = case.outcome {
            let windows = Outcome { faults: faults(name, &windows, &culprits), ..windows };
            if !same(ours, &windows) {
                return Err(describe(name, ours, &windows, observed));
            }
        }
        if parted {
            break;
        }
        before = &observed.outcome.modules;
    }
    Ok(used)
}

/// Compares the outcomes of a program's loads with those of Windows: the codes, the module that was
/// loaded, and the list of modules afterwards. Windows does not report who is at fault.
///
/// # Errors
/// What differs.
fn agree_with_windows(program: &Program, ours: &[Outcome], windows: &[ObservedLoad]) -> Result<(), String> {
    for (at, name) in program.loads().enumerate() {
        let (Some(ours), Some(observed)) = (ours.get(at), windows.get(at)) else {
            return Err(format!("of the loads Windows made {}, ours {}", windows.len(), ours.len()));
        };
        let windows = &observed.outcome;
        // The simulation executes nothing, so what a DllMain does cannot be compared, nor what comes after
        // it.
        if ours.code == 0 && matches!(windows.code, 1114 | 998) {
            return Ok(());
        }
        let is_same =
            ours.code == windows.code && module(ours) == module(windows) && modules(ours) == modules(windows);
        if !is_same {
            return Err(format!("load {name}\n  ours:    {ours}\n  windows: {windows}\n"));
        }
    }
    Ok(())
}

fn faults(asked: &str, outcome: &Outcome, culprits: &[Complaint]) -> Vec<Fault> {
    if outcome.code == 0 {
        Vec::new()
    } else if culprits.is_empty() {
        // Wine does not complain about the module that the program itself asked for.
        vec![Fault::new(outcome.code, None, asked)]
    } else {
        culprits.iter().map(|complaint| complaint.fault.clone()).collect()
    }
}

fn describe(name: &str, ours: &Outcome, windows: &Outcome, observed: &ObservedLoad) -> String {
    let mut lines = format!("load {name}\n  ours:    {ours}\n  windows: {windows}\n");
    let crashed = if observed.crashed { "crashed: " } else { "" };
    let _ = writeln!(lines, "  wine:    {crashed}{}", observed.outcome);
    for Complaint { kind, fault } in &observed.complaints {
        let _ = writeln!(lines, "           {kind:?}: {fault}");
    }
    lines
}

fn module(outcome: &Outcome) -> Option<WinPath> {
    outcome.module.as_ref().map(WinPath::new)
}

fn modules(outcome: &Outcome) -> Vec<WinPath> {
    outcome.modules.iter().map(WinPath::new).collect()
}

/// Whether two outcomes are the same.
///
/// Windows ends a load at the first fault; Wine and the simulation continue. A module that has
/// failed stays in the simulation until the end, while Wine tries it again. So the symbols that are
/// missing after the first fault are not compared.
fn same(ours: &Outcome, windows: &Outcome) -> bool {
    let not_loaded = |outcome: &Outcome| -> Vec<Fault> {
        let mut faults = outcome.faults.clone();
        faults.retain(|fault| !matches!(fault.code, 127 | 182));
        faults.sort();
        faults
    };
    ours.code == windows.code
        && module(ours) == module(windows)
        && modules(ours) == modules(windows)
        && ours.faults.first() == windows.faults.first()
        && not_loaded(ours) == not_loaded(windows)
}

/// A world whose files are on a machine. They are removed when it is dropped.
struct Placed<'m, M: Machine> {
    machine: &'m M,
    world: World,
    program: Program,
}

impl<M: Machine> Placed<'_, M> {
    fn on<'m>(machine: &'m M, text: &str) -> Result<Placed<'m, M>, Disagreement> {
        // First written elsewhere, so that no file of the machine is overwritten: all Wine machines share
        // those.
        let apart = World::new(text).map_err(|error| Disagreement::Unusable(error.to_string()))?;
        let program = Program::read(apart.directives()).map_err(Disagreement::Unusable)?;
        if let Some(file) = apart.files().iter().find(|file| machine.path(file).exists()) {
            return Err(Disagreement::Occupied(format!("{file} is a part of the machine")));
        }
        // Whole top-level directories are removed afterwards, so on a real machine they must be the world's
        // own.
        if machine.loader() == Loader::Windows {
            let application = slashed(&program);
            let mut own = apart.files().iter().chain([&application]).map(|file| top_level(file));
            if let Some(top) = own.find(|top| !is_windows(top) && machine.path(top).exists()) {
                return Err(Disagreement::Occupied(format!("/{top} is a part of the machine")));
            }
        }
        let world = World::at(text, &machine.drive());
        let world = world.map_err(|error| Disagreement::Unusable(error.to_string()))?;
        let placed = Placed { machine, world, program };
        let installed = placed.machine.install(&placed.program);
        installed.map_err(|error| Disagreement::Unusable(format!("the program: {error}")))?;
        Ok(placed)
    }
}

impl<M: Machine> Drop for Placed<'_, M> {
    fn drop(&mut self) {
        let application = slashed(&self.program);
        let is_native = self.machine.loader() == Loader::Windows;
        for file in self.world.files().iter().chain([&application]) {
            let top = top_level(file);
            let path = match is_windows(top) {
                true => self.machine.path(file),
                // Of the program only its own directory goes under Wine, whatever is around it.
                false if *file == application && !is_native => self.machine.path(file),
                false => self.machine.path(top),
            };
            match is_native {
                true => native::remove(&path, is_windows(top)),
                false => _ = remove(&path),
            }
        }
    }
}

/// The first name of a path with slashes.
fn top_level(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
}

/// The directory of the program as worlds write it: `/app`.
fn slashed(program: &Program) -> String {
    program.application.as_str().trim_start_matches("C:").replace('\\', "/")
}

fn is_windows(top: &str) -> bool {
    top.eq_ignore_ascii_case("windows")
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}
