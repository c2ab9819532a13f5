//! Opens machines: a clean Windows, a system drive, and the Windows that WhyDLL runs on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::readable_system_directory;
#[cfg(windows)]
use super::live;
use super::{
    ApiSets, Baseline, BaselineFiles, Disk, FactCache, Files, Host, HostError, HostKind, WinPath, known_dlls,
    map,
};
use crate::image::Machine;

impl Host {
    /// Creates a clean Windows that also has the files of the system that WhyDLL runs on.
    pub fn baseline(baseline: Baseline, drive: Option<&Path>, cache: Arc<FactCache>) -> Host {
        let windows_directory = WinPath::new(r"C:\Windows");
        let disk = Arc::new(match drive {
            Some(drive) => Disk::with_drive(absolute(drive), cache),
            None => Disk::new(cache),
        });
        let api_sets = match baseline.is_windows_10() {
            true => ApiSets::of_windows_10(),
            false => ApiSets::of_windows_11(),
        };
        let files = Arc::new(BaselineFiles::new(baseline, &windows_directory, disk.clone()));
        let kind = HostKind::Baseline(baseline.name.to_owned());
        Host {
            windows_version: Some(baseline.version().to_owned()),
            known_dlls: Arc::new(known_dlls::of_clean_windows()),
            api_sets: Arc::new(api_sets),
            disk: Some(disk),
            ..Host::new(kind, baseline.machine(), windows_directory, files)
        }
    }

    /// Returns the Windows that WhyDLL runs on.
    #[cfg(windows)]
    pub fn live(cache: Arc<FactCache>) -> Result<Host, HostError> {
        live::host(cache)
    }

    /// Returns an error, because WhyDLL doesn't run on Windows here.
    #[cfg(not(windows))]
    pub fn live(_: Arc<FactCache>) -> Result<Host, HostError> {
        Err(HostError::NotWindows)
    }

    /// Returns the clean Windows to assume for an interpreter on this system, or for the directory
    /// of its environment.
    pub fn baseline_for(python: &Path) -> Baseline {
        let places = [python.to_owned(), python.join("python.exe"), python.join("Scripts/python.exe")];
        let machine = places.iter().find_map(|program| map::machine(program));
        Baseline::for_program(machine.unwrap_or(Machine::X64))
    }

    /// Returns the machine whose system drive is in `folder`.
    pub fn directory(folder: &Path, cache: Arc<FactCache>) -> Result<Host, HostError> {
        let drive = absolute(folder);
        let disk = Arc::new(Disk::with_drive(drive, cache));
        let windows_directory = WinPath::new(r"C:\Windows");
        let system = readable_system_directory(&windows_directory, &disk, &folder.display().to_string())?;
        let kernel = (&*disk as &dyn Files).image(&system.join("kernel32.dll"));
        let machine = match kernel.as_ref().map_or(Machine::X64, |image| image.machine) {
            // On ARM64, kernel32.dll also serves x64 processes.
            Machine::Arm64X => Machine::Arm64,
            machine => machine,
        };
        let version = kernel.ok().and_then(|image| image.version);
        Ok(Host {
            windows_version: version.map(|v| format!("{}.{}.{}", v.0[0], v.0[1], v.0[2])),
            known_dlls: Arc::new(known_dlls::of_directory(&system, &*disk)),
            api_sets: Arc::new(disk.api_sets(&system).unwrap_or_else(ApiSets::of_windows_11)),
            disk: Some(disk.clone()),
            ..Host::new(HostKind::Directory, machine, windows_directory, disk)
        })
    }

    /// Returns the same machine with empty caches of its files, or `None` if the machine isn't on a
    /// disk.
    pub fn uncached(&self) -> Option<Host> {
        self.with_cache(Arc::default())
    }

    /// Returns the same machine with `cache` for the facts of its files, or `None` if the machine
    /// isn't on a disk.
    pub fn with_cache(&self, cache: Arc<FactCache>) -> Option<Host> {
        let disk = Arc::new(self.disk.as_ref()?.with_cache(cache));
        let files: Arc<dyn Files> = match &self.kind {
            HostKind::Baseline(name) => {
                let baseline = Baseline::named(name)?;
                Arc::new(BaselineFiles::new(baseline, &self.windows_directory, disk.clone()))
            }
            _ => disk.clone(),
        };
        Some(Host { files, disk: Some(disk), ..self.clone() })
    }

    /// Returns the nearest directory above `path` that holds a Windows drive, if there is one. It
    /// is assumed for an environment if no host is given.
    pub fn drive_of(path: &Path) -> Option<PathBuf> {
        let absolute = std::path::absolute(path).ok()?;
        let drive = absolute.ancestors().find(|folder| {
            ["Windows/System32", "windows/system32"].iter().any(|s| folder.join(s).is_dir())
        })?;
        Some(drive.to_owned())
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
