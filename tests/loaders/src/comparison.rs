//! One world, both loaders, and whether they agree.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

use whydll::host::WinPath;
use world::World;

use crate::known_differences::{Case, KNOWN_DIFFERENCES};
use crate::outcome::{Fault, Outcome};
use crate::program::Program;
use crate::trace::Complaint;
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
    for (at, name) in loads.iter().enumerate() {
        let (Some(ours), Some(seen)) = (ours.get(at), wine.get(at)) else {
            return Err(format!("of {} loads Wine made {}, ours {}", loads.len(), wine.len(), ours.len()));
        };
        let culprits = trace::culprits(name, &seen.complaints);
        let outcome = Some(seen.outcome.clone());
        let crashed = seen.crashed;
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
                return Err(told(name, ours, &windows, seen));
            }
        }
        if parted {
            break;
        }
        before = &seen.outcome.modules;
    }
    Ok(used)
}

fn faults(asked: &str, outcome: &Outcome, culprits: &[Complaint]) -> Vec<Fault> {
    if outcome.code == 0 {
        Vec::new()
    } else if culprits.is_empty() {
        // Wine says nothing of the module that the program itself asked for.
        vec![Fault::new(outcome.code, None, asked)]
    } else {
        culprits.iter().map(|complaint| complaint.fault.clone()).collect()
    }
}

fn told(name: &str, ours: &Outcome, windows: &Outcome, seen: &Seen) -> String {
    let mut told = format!("load {name}\n  ours:    {ours}\n  windows: {windows}\n");
    let _ = writeln!(told, "  wine:    {}{}", if seen.crashed { "crashed: " } else { "" }, seen.outcome);
    for Complaint { kind, fault } in &seen.complaints {
        let _ = writeln!(told, "           {kind:?}: {fault}");
    }
    told
}

/// Whether two outcomes are the same.
///
/// Windows ends a load at the first fault; Wine and ours go on. But a module that has failed stays in ours until the end,
/// and Wine tries it again. So which symbols are missing behind the first fault is not compared.
fn same(ours: &Outcome, windows: &Outcome) -> bool {
    let paths = |outcome: &Outcome| -> Vec<WinPath> { outcome.modules.iter().map(WinPath::new).collect() };
    let module = |outcome: &Outcome| outcome.module.as_ref().map(WinPath::new);
    let not_loaded = |outcome: &Outcome| -> Vec<Fault> {
        let mut faults = outcome.faults.clone();
        faults.retain(|fault| !matches!(fault.code, 127 | 182));
        faults.sort();
        faults
    };
    ours.code == windows.code
        && module(ours) == module(windows)
        && paths(ours) == paths(windows)
        && ours.faults.first() == windows.faults.first()
        && not_loaded(ours) == not_loaded(windows)
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
