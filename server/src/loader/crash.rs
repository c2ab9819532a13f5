//! Predicts that a module crashes when it is initialized.

use super::failure::{Cause, Crash, Fault, Link, Provider};
use super::module::{DependencyTarget, ModuleId};
use super::process::Process;
use crate::host::WinPath;
use crate::image::{CONSTEXPR_MUTEX, Machine, instruction_sets};

impl Process {
    /// Whether a module may have been linked with a toolset that makes mutexes `constexpr`. A
    /// module of an older toolset may lock mutexes that another module has initialized (vtk's
    /// modules do). lld always writes 14.0.
    pub(super) fn may_have_constexpr_mutexes(&self, id: ModuleId) -> bool {
        let image = self.host.files.image(&self.modules[id].path);
        image.is_ok_and(|image| {
            let (major, minor) = image.linker;
            major != 14 || minor == 0 || u16::from(minor) >= CONSTEXPR_MUTEX.0[1]
        })
    }

    /// Returns the crash of a module that locks mutexes in a way that only runtimes from 14.40 on
    /// support, if the runtime is older. `chain` leads to the runtime.
    pub(super) fn predicted_crash(
        &self,
        runtime: ModuleId,
        chain: Vec<Link>,
        first: ModuleId,
        crash: Crash,
    ) -> Option<Fault> {
        let version = self.host.files.image(&self.modules[runtime].path).ok()?.version?;
        let provider = Provider { was_loaded: runtime < first, ..self.provider(runtime) };
        let cause = Cause::OutdatedRuntime { provider, version, needs: CONSTEXPR_MUTEX, crash };
        (version < CONSTEXPR_MUTEX).then_some(Fault { chain, cause })
    }

    /// Predicts how the process crashes when the loaded extension module at `path` is initialized.
    /// Returns `None` if no reason for a crash is known. Modules from index `first` on were loaded
    /// together with it.
    pub fn predict_crash_at_init(&self, path: &WinPath, first: ModuleId) -> Option<Fault> {
        let module = *self.by_path.get(path)?;
        self.modules[module].dependencies.iter().find_map(|dependency| {
            let (DependencyTarget::Loaded(runtime) | DependencyTarget::AlreadyLoaded(runtime, _)) =
                dependency.target
            else {
                return None;
            };
            let exporting = &self.modules[runtime].path;
            let binding = self.host.files.binding(path, &dependency.name, exporting).ok()?;
            if !binding.constexpr_mutex_at_init || !self.may_have_constexpr_mutexes(module) {
                return None;
            }
            let chain = [module, runtime].map(|id| {
                let module = &self.modules[id];
                Link::new(&module.name, Some(module.path.clone()))
            });
            self.predicted_crash(runtime, chain.to_vec(), first, Crash::AtInit)
        })
    }

    /// Predicts that the initialization of a module ends with an exception (0xC000001D) because the
    /// processor lacks instructions that the module needs. Windows' own modules run wherever
    /// Windows runs.
    pub(super) fn predict_illegal_instruction(&self, path: &WinPath) -> Option<Cause> {
        let has = self.host.running.instructions.as_ref()?;
        let is_complete = instruction_sets().all(|set| has.contains(set));
        if is_complete || self.machine != Machine::X64 || path.is_within(&self.host.windows_directory) {
            return None;
        }
        let needs = self.host.files.instructions(path).ok()?;
        let sets: Vec<String> = needs.difference(has).cloned().collect();
        (!sets.is_empty()).then(|| Cause::LacksInstructions { path: path.clone(), sets })
    }
}
