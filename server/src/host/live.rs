//! The machine that WhyDLL runs on, as described by its registry.
//!
//! A 64-bit program sees System32 and the registry as they are. A 32-bit program sees SysWOW64 and
//! `WOW6432Node` instead (Microsoft, "File System Redirector", "Registry Redirector"). WhyDLL isn't
//! built for 32 bits, so nothing is done about that here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use windows_registry::{CURRENT_USER, Key, LOCAL_MACHINE};
use windows_sys::Win32::System::SystemInformation::IMAGE_FILE_MACHINE_UNKNOWN;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, IsWow64Process2};

use super::disk::Disk;
use super::error::readable_system_directory;
use super::path::{WinPath, fold_name};
use super::registered_pythons::of_this_system;
use super::running::{MachineFacts, RegisteredRuntime};
use super::variables::OF_ENVIRONMENTS;
use super::{ApiSets, FactCache, Host, HostError, HostKind, known_dlls};
use crate::image::{FileVersion, Machine};

const WINDOWS: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion";
const SESSION_MANAGER: &str = r"SYSTEM\CurrentControlSet\Control\Session Manager";
const FILE_SYSTEM: &str = r"SYSTEM\CurrentControlSet\Control\FileSystem";

/// The first build of Windows 11.
const WINDOWS_11: u32 = 22000;

/// Returns this machine with its files.
pub(super) fn host(cache: Arc<FactCache>) -> Result<Host, HostError> {
    let windows = LOCAL_MACHINE.open(WINDOWS).ok();
    let string = |name: &str| windows.as_ref().and_then(|key| key.get_string(name).ok());
    let root = string("SystemRoot").or_else(|| std::env::var("SystemRoot").ok());
    let windows_directory = WinPath::new(root.unwrap_or_else(|| r"C:\Windows".to_owned()));
    let disk = Arc::new(Disk::new(cache));
    let system = readable_system_directory(&windows_directory, &disk, "this machine")?;
    let build = string("CurrentBuildNumber").and_then(|build| build.parse::<u32>().ok());
    let api_sets = disk.api_sets(&system).unwrap_or_else(|| match build {
        Some(build) if build < WINDOWS_11 => ApiSets::of_windows_10(),
        _ => ApiSets::of_windows_11(),
    });
    Ok(Host {
        windows_version: windows.as_ref().zip(build).map(|(key, build)| version(key, build)),
        known_dlls: Arc::new(known_dlls(&system, &disk)),
        api_sets: Arc::new(api_sets),
        variables: variables(),
        running: MachineFacts {
            unsafe_search: number(SESSION_MANAGER, "SafeDllSearchMode") == Some(0),
            long_paths: Some(number(FILE_SYSTEM, "LongPathsEnabled") == Some(1)),
            registered_runtimes: registered_runtimes(),
            instructions: instructions(),
            path: path_of_new_programs(),
        },
        registered_pythons: Arc::new(of_this_system()),
        disk: Some(disk.clone()),
        ..Host::new(HostKind::Live, native_machine(), windows_directory, disk)
    })
}

/// Returns the version as in `10.0.19045.3803`: major and minor version, build, and update build
/// revision.
fn version(key: &Key, build: u32) -> String {
    let part = |name: &str| key.get_u32(name).ok();
    let major = part("CurrentMajorVersionNumber").unwrap_or(10);
    let minor = part("CurrentMinorVersionNumber").unwrap_or(0);
    let update = part("UBR").map_or(String::new(), |update| format!(".{update}"));
    format!("{major}.{minor}.{build}{update}")
}

/// Returns the machine for which Windows is built. On ARM64, where WhyDLL may be emulated, it
/// differs from the program's own.
fn native_machine() -> Machine {
    let mut process = IMAGE_FILE_MACHINE_UNKNOWN;
    let mut native = IMAGE_FILE_MACHINE_UNKNOWN;
    // SAFETY: the pseudo-handle of this process needs no closing; both numbers are local variables.
    #[allow(unsafe_code)]
    let answered = unsafe { IsWow64Process2(GetCurrentProcess(), &mut process, &mut native) } != 0;
    match Machine::from_header(native) {
        machine if answered => machine,
        _ if cfg!(target_arch = "aarch64") => Machine::Arm64,
        _ => Machine::X64,
    }
}

/// Returns the KnownDLLs that the registry lists, or else those that it lists on every Windows, and
/// everything that they import.
fn known_dlls(system: &WinPath, disk: &Disk) -> BTreeSet<String> {
    let key = LOCAL_MACHINE.open(format!(r"{SESSION_MANAGER}\KnownDLLs"));
    let values = key.as_ref().ok().and_then(|key| key.values().ok()).into_iter().flatten();
    // `DllDirectory` names a directory.
    let names = values.filter(|(name, _)| !name.to_ascii_lowercase().starts_with("dlldirectory"));
    let names: Vec<String> = names.filter_map(|(_, value)| String::try_from(value).ok()).collect();
    let registered = match names.is_empty() {
        true => known_dlls::REGISTERED.map(str::to_owned).to_vec(),
        false => names.iter().map(|name| fold_name(name)).collect(),
    };
    let mut known = known_dlls::with_imports(registered, system, disk);
    // Microsoft, "DLL Best practices" and knowledge base article 164501: these are searched like
    // other DLLs.
    let excluded =
        LOCAL_MACHINE.open(SESSION_MANAGER).and_then(|key| key.get_multi_string("ExcludeFromKnownDlls"));
    for name in excluded.unwrap_or_default() {
        known.remove(&fold_name(&name));
    }
    known
}

/// Returns the redistributables that their installers registered (Microsoft, "Redistributing Visual
/// C++ Files"). The installer of any architecture may have written to the view of 32-bit programs.
fn registered_runtimes() -> Vec<RegisteredRuntime> {
    let machines = [("x64", Machine::X64), ("x86", Machine::X86), ("arm64", Machine::Arm64)];
    let runtime = |(name, machine)| {
        let views = ["SOFTWARE", r"SOFTWARE\WOW6432Node"];
        let version = views.iter().filter_map(|view| {
            let path = format!(r"{view}\Microsoft\VisualStudio\14.0\VC\Runtimes\{name}");
            let key = LOCAL_MACHINE.open(path).ok().filter(|key| key.get_u32("Installed") == Ok(1))?;
            FileVersion::parse(key.get_string("Version").ok()?.trim_start_matches('v'))
        });
        Some(RegisteredRuntime { machine, version: version.max()? })
    };
    machines.into_iter().filter_map(runtime).collect()
}

/// Returns the variables that influence which DLLs are loaded, or that show where environments are.
/// Others are left out, because they may contain secrets that would end up in a snapshot.
fn variables() -> BTreeMap<String, String> {
    const WHOLE: [&str; 11] = [
        "APPDATA",
        "LOCALAPPDATA",
        "USERPROFILE",
        "PATH",
        "SYSTEMROOT",
        "WINDIR",
        "SYSTEMDRIVE",
        "PROGRAMFILES",
        "PROGRAMDATA",
        "VIRTUAL_ENV",
        "PROCESSOR_ARCHITECTURE",
    ];
    // Not everything that starts with `TF_` belongs to TensorFlow: Terraform keeps passwords in
    // such variables.
    const PREFIXES: [&str; 12] = [
        "CONDA_",
        "CUDA_",
        "CUDNN",
        "KERAS_",
        "NVTOOLSEXT_",
        "PY_PYTHON",
        "PYTHON",
        "TF_CPP_",
        "TF_ENABLE_",
        "TF_FORCE_",
        "TF_USE_",
        "TF_XLA_",
    ];
    let all = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let all = all.map(|(name, value)| (name.to_ascii_uppercase(), value.to_string_lossy().into_owned()));
    let decides = |name: &str| {
        WHOLE.contains(&name)
            || OF_ENVIRONMENTS.contains(&name)
            || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    all.filter(|(name, _)| decides(name)).collect()
}

/// Returns the supported ones of [`instruction_sets`](crate::image::instruction_sets). Instructions
/// that the processor has but Windows doesn't support are left out.
#[cfg(target_arch = "x86_64")]
fn instructions() -> Option<BTreeSet<String>> {
    macro_rules! found {
        ($($name:tt)+) => { [$(($name, std::is_x86_feature_detected!($name))),+] };
    }
    let all =
        found!("sse3" "ssse3" "sse4.1" "sse4.2" "popcnt" "avx" "avx2" "fma" "f16c" "bmi1" "bmi2" "movbe");
    Some(all.into_iter().filter(|(_, found)| *found).map(|(name, _)| name.to_owned()).collect())
}

/// Returns `None`, because the emulator decides which instructions x64 programs can use.
#[cfg(not(target_arch = "x86_64"))]
fn instructions() -> Option<BTreeSet<String>> {
    None
}

/// Returns the machine's PATH followed by the user's, as Windows combines them when a user logs in.
fn path_of_new_programs() -> String {
    let machine = LOCAL_MACHINE.open(format!(r"{SESSION_MANAGER}\Environment"));
    let parts = [machine, CURRENT_USER.open("Environment")].into_iter();
    let parts = parts.filter_map(|key| key.ok()?.get_string("Path").ok());
    parts.map(|part| expanded(&part)).collect::<Vec<_>>().join(";")
}

/// Replaces the variables between `%` signs by their values.
fn expanded(string: &str) -> String {
    let mut out = String::new();
    let mut rest = string;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let value = after.split_once('%').and_then(|(name, tail)| Some((std::env::var(name).ok()?, tail)));
        match value {
            Some((value, tail)) => {
                out.push_str(&value);
                rest = tail;
            }
            None => {
                out.push('%');
                rest = after;
            }
        }
    }
    out + rest
}

fn number(key: &str, name: &str) -> Option<u32> {
    LOCAL_MACHINE.open(key).ok()?.get_u32(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_describes_itself() {
        let host = Host::named("live", Arc::default()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((host.kind.to_string().as_str(), host.machine), ("live", Machine::X64));
        assert_eq!(host.version_number().map(|(major, _)| major), Some(10));
        assert!(host.known_dlls.contains("kernel32.dll") && host.known_dlls.contains("ntdll.dll"));
        assert!(!host.path_directories().is_empty());
        assert!(host.variables.keys().all(|name| *name == name.to_ascii_uppercase()));
        assert!(host.running.instructions.as_ref().is_some_and(|known| known.contains("sse3")));
        assert!(host.files.is_file(&host.system_directory(Machine::X64).join("kernel32.dll")));
        assert!(host.facts().is_some());
    }

    #[test]
    fn variables_within_a_path_are_expanded() {
        let root = std::env::var("SystemRoot").unwrap();
        assert_eq!(
            expanded(r"%systemroot%\System32;C:\100%;%no such%"),
            format!(r"{root}\System32;C:\100%;%no such%")
        );
    }
}
