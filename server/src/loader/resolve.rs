//! Resolves a name to a file, or to a module that is already loaded.

use super::compatibility::{answers_search, is_mapped_by};
use super::failure::{Cause, PassedOver, Searched};
use super::module::{FoundFile, ModuleId};
use super::process::Process;
use super::search::Rule;
use super::side_by_side::Redirections;
use crate::host::{ApiSet, ImageFacts, WinPath, fold_name};
use crate::image::Machine;

/// What a name resolves to.
pub(super) enum Resolution {
    Loaded(ModuleId, Rule),
    File(FoundFile),
    /// A part of Windows for which there is no file here. Its load succeeds.
    PartOfWindows,
}

impl Process {
    /// Resolves a name in Windows' order: redirection, API sets, side-by-side manifests, loaded
    /// modules, KnownDLLs, then the directories (Microsoft, "Dynamic-link library search order").
    pub(super) fn resolve(
        &self,
        name: &str,
        importer: Option<ModuleId>,
        order: &[(WinPath, Rule)],
        redirections: Option<&Redirections>,
    ) -> Result<Resolution, Cause> {
        let path = WinPath::new(name);
        if let Some(local) = &self.local_directory {
            let path = local.join(path.file_name());
            if self.host.files.is_file(&path) {
                return Ok(self.loaded_or(FoundFile::at(path, Rule::Local)));
            }
        }
        if path.is_absolute() {
            let path = path.normalized();
            return if self.by_path.contains_key(&path) || self.host.files.is_file(&path) {
                Ok(self.loaded_or(FoundFile::at(path, Rule::FullPath)))
            } else {
                Err(Cause::NotFound { searched: Vec::new() })
            };
        }
        let folded = fold_name(name);
        let system = self.host.system_directory(self.machine);
        let importer = importer.map_or("", |id| self.modules[id].path.file_name());
        match self.host.api_sets.resolve(name, importer) {
            ApiSet::NotAnApiSet => {}
            ApiSet::Host(host) => {
                let path = system.join(host);
                return match self.by_name.get(&fold_name(host)) {
                    Some(id) => Ok(Resolution::Loaded(*id, Rule::ApiSet)),
                    None if self.host.files.is_file(&path) => {
                        Ok(self.loaded_or(FoundFile::at(path, Rule::ApiSet)))
                    }
                    None => Ok(Resolution::PartOfWindows),
                };
            }
            ApiSet::NotImplemented => return Err(Cause::NotFound { searched: Vec::new() }),
            ApiSet::PossiblyNewer => return Ok(Resolution::PartOfWindows),
        }
        if let Some((path, assembly)) = redirections.and_then(|known| known.get(&folded)) {
            return Ok(self.loaded_or(FoundFile::at(path.clone(), Rule::SideBySide(assembly.clone()))));
        }
        if let Some(id) = self.by_name.get(&folded) {
            return Ok(Resolution::Loaded(*id, Rule::AlreadyLoaded));
        }
        if self.host.known_dlls.contains(&folded) {
            let path = system.join(name);
            if self.host.files.is_file(&path) {
                return Ok(self.loaded_or(FoundFile::at(path, Rule::KnownDll)));
            }
        }
        Ok(self.loaded_or(self.search(name, order)?))
    }

    /// Returns the module that is loaded from this file, or the file if none is.
    fn loaded_or(&self, found: FoundFile) -> Resolution {
        match self.by_path.get(&found.path) {
            Some(id) => Resolution::Loaded(*id, Rule::AlreadyLoaded),
            None => Resolution::File(found),
        }
    }

    fn passes_over(&self, image: &ImageFacts) -> bool {
        let host = self.host.machine;
        !answers_search(image, self.machine, host) && is_mapped_by(image.machine, host)
    }

    /// Searches the directories. A file for another machine that this Windows also runs doesn't end
    /// the search (Wine's conformance test `map_image_section`, ReactOS' `LdrpMapDllSearchPath`);
    /// any other bad file does.
    fn search(&self, name: &str, order: &[(WinPath, Rule)]) -> Result<FoundFile, Cause> {
        let mut searched = Vec::new();
        let mut for_other_machine: Vec<(WinPath, Machine)> = Vec::new();
        for (directory, rule) in order {
            // The same file can be reached through differently spelled directories.
            let path = directory.join(name).normalized();
            let mut passed_over = None;
            if self.host.files.is_file(&path) {
                match self.host.files.image(&path) {
                    Ok(image) if self.passes_over(&image) => {
                        passed_over = Some(PassedOver { machine: image.machine });
                        for_other_machine.push((path, image.machine));
                    }
                    _ => return Ok(FoundFile { path, rule: rule.clone(), passed_over: for_other_machine }),
                }
            }
            searched.push(Searched { directory: directory.clone(), rule: rule.clone(), passed_over });
        }
        match for_other_machine.into_iter().next() {
            Some((path, machine)) => Err(Cause::WrongMachine { path, machine, searched }),
            None => Err(Cause::NotFound { searched }),
        }
    }
}
