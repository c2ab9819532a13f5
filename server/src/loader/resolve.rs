//! From a name to a file, or to a module that is loaded already.

use super::failure::{Cause, PassedOver, Searched};
use super::load::{answers_search, is_mapped_by};
use super::process::{ModuleId, Process};
use super::search::Rule;
use super::side_by_side::Redirections;
use crate::host::{ApiSet, ImageFacts, WinPath, fold_name};
use crate::image::Machine;

/// A file that answers a name.
pub(super) struct Found {
    pub path: WinPath,
    pub rule: Rule,
    /// Files of that name which were passed over on the way.
    pub passed_over: Vec<(WinPath, Machine)>,
}

impl Found {
    fn at(path: WinPath, rule: Rule) -> Self {
        Self { path, rule, passed_over: Vec::new() }
    }
}

/// Where a name leads.
pub(super) enum Resolution {
    Loaded(ModuleId, Rule),
    File(Found),
    /// Part of Windows that we hold no file of; it loads.
    PartOfWindows,
}

impl Process {
    /// Windows' order for a name: redirection, API sets, side-by-side manifests, loaded modules, KnownDLLs, then the
    /// directories (Microsoft, "Dynamic-link library search order").
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
                return Ok(self.loaded_or(Found::at(path, Rule::Local)));
            }
        }
        if path.is_absolute() {
            let path = path.normalized();
            return if self.by_path.contains_key(&path) || self.host.files.is_file(&path) {
                Ok(self.loaded_or(Found::at(path, Rule::FullPath)))
            } else {
                Err(Cause::NotFound { searched: Vec::new() })
            };
        }
        let folded = fold_name(name);
        let system = self.host.system_directory(self.machine);
        let importer = importer.map_or("", |id| self.modules[id].path.file_name());
        match self.host.api_sets.resolve(name, importer) {
            ApiSet::NotOne => {}
            ApiSet::Host(host) => {
                let path = system.join(host);
                return match self.by_name.get(&fold_name(host)) {
                    Some(id) => Ok(Resolution::Loaded(*id, Rule::ApiSet)),
                    None if self.host.files.is_file(&path) => {
                        Ok(self.loaded_or(Found::at(path, Rule::ApiSet)))
                    }
                    None => Ok(Resolution::PartOfWindows),
                };
            }
            ApiSet::NotImplemented => return Err(Cause::NotFound { searched: Vec::new() }),
            ApiSet::PerhapsNewer => return Ok(Resolution::PartOfWindows),
        }
        if let Some((path, assembly)) = redirections.and_then(|known| known.get(&folded)) {
            return Ok(self.loaded_or(Found::at(path.clone(), Rule::SideBySide(assembly.clone()))));
        }
        if let Some(id) = self.by_name.get(&folded) {
            return Ok(Resolution::Loaded(*id, Rule::AlreadyLoaded));
        }
        if self.host.known_dlls.contains(&folded) {
            let path = system.join(name);
            if self.host.files.is_file(&path) {
                return Ok(self.loaded_or(Found::at(path, Rule::KnownDll)));
            }
        }
        Ok(self.loaded_or(self.search(name, order)?))
    }

    /// The module that is loaded from the file, or else the file.
    fn loaded_or(&self, found: Found) -> Resolution {
        match self.by_path.get(&found.path) {
            Some(id) => Resolution::Loaded(*id, Rule::AlreadyLoaded),
            None => Resolution::File(found),
        }
    }

    fn passes_over(&self, image: &ImageFacts) -> bool {
        let host = self.host.machine;
        !answers_search(image, self.machine, host) && is_mapped_by(image.machine, host)
    }

    /// A file for another machine that this one runs too does not end the search (Wine's conformance test
    /// `map_image_section`, ReactOS' `LdrpMapDllSearchPath`); any other bad file does.
    fn search(&self, name: &str, order: &[(WinPath, Rule)]) -> Result<Found, Cause> {
        let mut searched = Vec::new();
        let mut wrong: Vec<(WinPath, Machine)> = Vec::new();
        for (directory, rule) in order {
            // The file is one, however its directory is spelled.
            let path = directory.join(name).normalized();
            let mut passed_over = None;
            if self.host.files.is_file(&path) {
                match self.host.files.image(&path) {
                    Ok(image) if self.passes_over(&image) => {
                        passed_over = Some(PassedOver { machine: image.machine });
                        wrong.push((path, image.machine));
                    }
                    _ => return Ok(Found { path, rule: rule.clone(), passed_over: wrong }),
                }
            }
            searched.push(Searched { directory: directory.clone(), rule: rule.clone(), passed_over });
        }
        match wrong.into_iter().next() {
            Some((path, machine)) => Err(Cause::WrongMachine { path, machine, searched }),
            None => Err(Cause::NotFound { searched }),
        }
    }
}
