//! Side-by-side assemblies: the DLLs that a manifest redirects, and the files to which it redirects
//! them.
//!
//! Source: Microsoft, "Assembly Searching Sequence"; Wine's `lookup_assembly` and `lookup_winsxs`
//! in `dlls/ntdll/actctx.c`, whose conformance test (`dlls/kernel32/tests/actctx.c`) also runs on
//! Windows.

use rustc_hash::FxHashMap;

use crate::host::{EntryKind, Host, WinPath, fold_name};
use crate::image::{Assembly, Machine, Manifest};

/// A map from a DLL's name, in lower case, to its file and the name of its assembly.
pub(super) type Redirections = FxHashMap<String, (WinPath, String)>;

/// An assembly that wasn't found.
pub(super) struct AssemblyNotFound(pub Assembly);

/// The maximum depth of assemblies that depend on other assemblies. No real chain is longer.
const MAX_DEPTH: usize = 16;

/// Returns the redirections by all `dependencies` of a manifest in `directory`.
pub(super) fn redirections(
    host: &Host,
    machine: Machine,
    directory: &WinPath,
    dependencies: &[Assembly],
) -> Result<Redirections, AssemblyNotFound> {
    let mut found = Redirections::default();
    let mut waiting: Vec<(WinPath, Assembly, usize)> = Vec::new();
    let add = |waiting: &mut Vec<_>, directory: &WinPath, assemblies: &[Assembly], depth| {
        waiting.extend(assemblies.iter().rev().map(|a| (directory.clone(), a.clone(), depth)));
    };
    add(&mut waiting, directory, dependencies, 0);
    while let Some((directory, assembly, depth)) = waiting.pop() {
        let found_assembly = match find(host, machine, &directory, &assembly) {
            Lookup::Found(found) => found,
            Lookup::Unknown => continue,
            Lookup::Nowhere => return Err(AssemblyNotFound(assembly)),
        };
        for file in &found_assembly.manifest.files {
            let path = found_assembly.folder.join(file);
            found.entry(fold_name(file)).or_insert((path, assembly.name.clone()));
        }
        if depth < MAX_DEPTH {
            add(&mut waiting, &found_assembly.folder, &found_assembly.manifest.dependencies, depth + 1);
        }
    }
    Ok(found)
}

struct FoundAssembly {
    folder: WinPath,
    manifest: Manifest,
}

/// The result of a search for an assembly.
enum Lookup {
    Found(FoundAssembly),
    Nowhere,
    /// It isn't known which shared assemblies this Windows has.
    Unknown,
}

/// Finds an assembly. Shared assemblies take precedence over those next to the manifest.
fn find(host: &Host, machine: Machine, directory: &WinPath, assembly: &Assembly) -> Lookup {
    let shared = match &assembly.public_key_token {
        Some(token) => find_shared(host, machine, assembly, token),
        None => Lookup::Nowhere,
    };
    match shared {
        Lookup::Found(_) => shared,
        Lookup::Nowhere | Lookup::Unknown => {
            find_private(host, directory, assembly).map_or(shared, Lookup::Found)
        }
    }
}

/// Finds a shared assembly:
/// `WinSxS\Manifests\amd64_microsoft.vc90.crt_1fc8b3b9a1e18e3b_9.0.30729.1_none_….manifest` and the
/// directory of the same name. Of the versions whose first two numbers match, the highest is
/// chosen, as publisher policies require.
fn find_shared(host: &Host, machine: Machine, assembly: &Assembly, token: &str) -> Lookup {
    let store = host.windows_directory.join("WinSxS");
    let manifests = store.join("Manifests");
    let Ok(listing) = host.files.folder(&manifests) else {
        return Lookup::Unknown;
    };
    let architecture = match (assembly.architecture.as_str(), machine) {
        ("" | "*", Machine::X86) => "x86",
        ("" | "*", Machine::Arm64) => "arm64",
        ("" | "*", _) => "amd64",
        (said, _) => said,
    };
    let prefix = format!("{architecture}_{}_{token}_", assembly.name.to_ascii_lowercase());
    let wanted = numbers(&assembly.version);
    let language = assembly.language.as_deref().unwrap_or("none").to_ascii_lowercase();
    let entries = listing.entries();
    let candidates = entries.iter().filter_map(|entry| {
        let name = entry.name.to_ascii_lowercase();
        let rest = name.strip_prefix(&prefix)?;
        let (version, rest) = rest.split_once('_')?;
        let version = numbers(version);
        let fits = version[..2] == wanted[..2] && version >= wanted && rest.starts_with(&language);
        fits.then(|| (version, entry.name.clone()))
    });
    let found = candidates.max().and_then(|(_, name)| {
        let text = host.files.text(&manifests.join(&name)).ok()?;
        let folder = store.join(name.rsplit_once('.')?.0);
        Some(FoundAssembly { folder, manifest: Manifest::parse(&text)? })
    });
    found.map_or(Lookup::Nowhere, Lookup::Found)
}

/// Finds an assembly next to the manifest that requires it: `NAME.DLL` with an embedded manifest
/// (the one with the lowest number), then `NAME.manifest`, then both in a directory `NAME`. The
/// directory of the assembly's language is searched first in the same way.
fn find_private(host: &Host, directory: &WinPath, assembly: &Assembly) -> Option<FoundAssembly> {
    let files = &*host.files;
    let name = &assembly.name;
    let of_language = assembly.language.as_ref().map(|language| directory.join(language));
    for base in of_language.iter().chain([directory]) {
        for folder in [base.clone(), base.join(name)] {
            if files.kind(&folder) != Some(EntryKind::Folder) {
                continue;
            }
            let library = folder.join(&format!("{name}.dll"));
            if files.is_file(&library)
                && let Ok(image) = files.image(&library)
                && let Some((_, carried)) = image.manifests.first()
            {
                return Some(FoundAssembly { folder, manifest: carried.clone() });
            }
            let manifest = folder.join(&format!("{name}.manifest"));
            if files.is_file(&manifest) {
                let manifest = Manifest::parse(&files.text(&manifest).ok()?)?;
                return Some(FoundAssembly { folder, manifest });
            }
        }
    }
    None
}

fn numbers(version: &str) -> [u16; 4] {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}
