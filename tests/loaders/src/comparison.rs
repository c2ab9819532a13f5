//! One world, both loaders, and whether they agree.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

use world::World;

use crate::known_differences::{Case, KNOWN_DIFFERENCES};
use crate::outcome::Outcome;
use crate::program::Program;
use crate::wine::{Machine, Seen};
use crate::{ours, trace};

/// How often each known difference was needed, by its name.
pub type Used = BTreeMap<&'static str, usize>;

/// Why a world is no agreement.
#[derive(Debug)]
pub enum Disagreement {
    /// The world or the machine is at fault, not a loader.
    Unusable(String),
    /// The loaders say different things of a load.
    Differ(String),
}

/// Runs a world in both loaders.
///
/// # Errors
/// They differ, or the world cannot be run.
pub fn compare(text: &str, machine: &Machine<'_>) -> Result<Used, Disagreement> {
    let lying = Lying::on(machine, text).map_err(Disagreement::Unusable)?;
    let (program, files) = (&lying.program, lying.world.files());
    let wine = machine.run(program, files).map_err(Disagreement::Unusable)?;
    let ours = ours::run(&machine.drive(), program, files).map_err(Disagreement::Unusable)?;
    agree(program, &ours, &wine).map_err(Disagreement::Differ)
}

/// Whether what the loaders say of a program's loads agrees: that of Wine, brought into what Windows would say.
///
/// # Errors
/// What differs.
pub fn agree(program: &Program, ours: &[Outcome], wine: &[Seen]) -> Result<Used, String> {
    let mut used = Used::new();
    let mut before: &[String] = &[];
    let loads: Vec<&str> = program.loads().collect();
    if wine.len() != loads.len() || ours.len() != loads.len() {
        return Err(format!("of {} loads Wine made {}, ours {}", loads.len(), wine.len(), ours.len()));
    }
    for ((name, ours), seen) in loads.iter().zip(ours).zip(wine) {
        let culprits = trace::culprits(&seen.complaints);
        let mut case = Case { before, culprits: &culprits, outcome: seen.outcome.clone(), parted: false };
        for difference in KNOWN_DIFFERENCES {
            if (difference.translate)(&mut case) {
                *used.entry(difference.name).or_default() += 1;
            }
        }
        let parted = case.parted;
        let mut windows = case.outcome;
        if windows.code != 0 {
            windows.faults = culprits.iter().map(|complaint| complaint.fault.clone()).collect();
            if windows.faults.is_empty() {
                // Wine says nothing of the module that the program itself asked for.
                windows.faults.push(crate::Fault::new(windows.code, None, name));
            }
        }
        if !same(ours, &windows) {
            let mut told = format!("load {name}\n  ours:    {ours}\n  windows: {windows}\n");
            let _ = writeln!(told, "  wine:    {}", seen.outcome);
            for complaint in &seen.complaints {
                let _ = writeln!(told, "           {:?}: {:?}", complaint.kind, complaint.fault);
            }
            return Err(told);
        }
        if parted {
            break;
        }
        before = &seen.outcome.modules;
    }
    Ok(used)
}

/// Whether two outcomes are the same. Windows ends a load at the first fault. Wine and ours go on; but Wine does not bind the
/// imports of a module that has failed, so ours may know of more missing exports.
fn same(ours: &Outcome, windows: &Outcome) -> bool {
    let only_ours = |fault: &&crate::Fault| !windows.faults.contains(fault);
    let path = |path: &String| path.to_ascii_lowercase();
    ours.code == windows.code
        && ours.module.as_ref().map(path) == windows.module.as_ref().map(path)
        && ours.modules.iter().map(path).eq(windows.modules.iter().map(path))
        && ours.faults.first() == windows.faults.first()
        && windows.faults.iter().all(|fault| ours.faults.contains(fault))
        && ours.faults.iter().filter(only_ours).all(|fault| matches!(fault.code, 127 | 182))
}

/// A world that lies on a machine, and goes from there when it is dropped.
struct Lying<'m> {
    machine: &'m Machine<'m>,
    world: World,
    program: Program,
}

impl Lying<'_> {
    fn on<'m>(machine: &'m Machine<'m>, text: &str) -> Result<Lying<'m>, String> {
        // It is written where nothing can be overwritten first: the machine's files are those of all machines.
        let apart = World::new(text).map_err(|error| error.to_string())?;
        if let Some(file) = apart.files().iter().find(|file| machine.path(file).exists()) {
            return Err(format!("{file} is a part of the machine"));
        }
        let program = Program::read(apart.directives())?;
        let world = World::at(text, &machine.drive()).map_err(|error| error.to_string())?;
        let lying = Lying { machine, world, program };
        lying.machine.install(&lying.program).map_err(|error| format!("the program: {error}"))?;
        Ok(lying)
    }
}

impl Drop for Lying<'_> {
    fn drop(&mut self) {
        for file in self.world.files() {
            let top = file.trim_start_matches('/').split('/').next().unwrap_or_default();
            let _ = match top.eq_ignore_ascii_case("windows") {
                true => remove(&self.machine.path(file)),
                false => remove(&self.machine.path(top)),
            };
        }
        let application = self.program.application.as_str().trim_start_matches("C:").replace('\\', "/");
        let _ = remove(&self.machine.path(&application));
    }
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}
