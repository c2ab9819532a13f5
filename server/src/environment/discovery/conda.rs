//! Environments of conda and mamba. They record the directory of each in
//! `~/.conda/environments.txt`, and create most of them in the directory `envs` of an installation.

use crate::host::WinPath;

use super::{Candidate, Search, Source};

/// The names of the directories that conda's installers create.
const INSTALLATIONS: [&str; 8] = [
    "anaconda3",
    "miniconda3",
    "miniforge3",
    "mambaforge",
    "micromamba",
    "anaconda",
    "miniconda",
    "radioconda",
];

/// Returns all of them.
pub(super) fn all(search: &Search<'_>) -> Vec<Candidate> {
    let mut found = Vec::new();
    for user in &search.users {
        let list = user.home.join(r".conda\environments.txt");
        let text = search.text(&list).unwrap_or_default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()).take(super::MAX_ENTRIES) {
            let folder = WinPath::new(line);
            // Conda only removes deleted environments from the list when it lists them the next
            // time.
            if is_prefix(search, &folder) {
                found.push(Candidate::new(folder, Source::Conda, format!("listed in {list}")));
            }
        }
    }
    // A listed environment may also be an installation, in any directory.
    let listed: Vec<WinPath> = found.iter().map(|candidate| candidate.path.clone()).collect();
    for root in roots(search) {
        if is_prefix(search, &root) {
            found.push(Candidate::new(root.clone(), Source::Conda, "a conda installation"));
        }
        found.extend(environments_in(search, &root.join("envs")));
    }
    for root in listed {
        found.extend(environments_in(search, &root.join("envs")));
    }
    for folder in folders_of_environments(search) {
        found.extend(environments_in(search, &folder));
    }
    for user in &search.users {
        let home = search.variable("PIXI_HOME").map_or_else(|| user.home.join(".pixi"), WinPath::new);
        found.extend(search.environments_in(&home.join("envs"), Source::Pixi));
    }
    found
}

/// Returns the environment with this name.
pub(super) fn named(search: &Search<'_>, name: &str) -> Option<WinPath> {
    let is_named = |path: &WinPath| path.file_name().eq_ignore_ascii_case(name);
    all(search).into_iter().map(|candidate| candidate.path).find(is_named)
}

/// Whether a directory is a conda prefix with a Python. Every prefix has `conda-meta`, but not
/// necessarily a Python.
fn is_prefix(search: &Search<'_>, folder: &WinPath) -> bool {
    search.host.files.is_folder(&folder.join("conda-meta")) && search.is_file(&folder.join("python.exe"))
}

fn environments_in(search: &Search<'_>, folder: &WinPath) -> Vec<Candidate> {
    let prefixes = search.folders_in(folder).into_iter().filter(|prefix| is_prefix(search, prefix));
    prefixes.map(|prefix| Candidate::new(prefix, Source::Conda, format!("in {folder}"))).collect()
}

/// Returns the directories that may be an installation.
fn roots(search: &Search<'_>) -> Vec<WinPath> {
    let drive = search.drive();
    let mut above = vec![drive.clone(), drive.join("ProgramData"), drive.join("tools")];
    for user in &search.users {
        above.extend([user.home.clone(), user.local.clone(), user.local.join("Continuum")]);
    }
    let mut roots: Vec<WinPath> = Vec::new();
    for folder in above {
        roots.extend(INSTALLATIONS.iter().map(|name| folder.join(name)));
    }
    // micromamba's root: MAMBA_ROOT_PREFIX, or one of its two defaults.
    roots.extend(search.variable("MAMBA_ROOT_PREFIX").map(WinPath::new));
    roots.extend(
        search
            .users
            .iter()
            .flat_map(|user| [user.roaming.join("mamba"), user.home.join(r".local\share\mamba")]),
    );
    let of_program = search.variable("CONDA_EXE").and_then(|conda| WinPath::new(conda).parent()?.parent());
    roots.extend(of_program);
    roots
}

/// Returns the directories that only contain environments (`envs_dirs` in conda's context.py, and
/// those added by users).
fn folders_of_environments(search: &Search<'_>) -> Vec<WinPath> {
    let mut folders: Vec<WinPath> = Vec::new();
    for name in ["CONDA_ENVS_PATH", "CONDA_ENVS_DIRS"] {
        let value = search.variable(name).unwrap_or_default();
        folders.extend(value.split(';').filter(|folder| !folder.is_empty()).map(WinPath::new));
    }
    for user in &search.users {
        folders.extend([user.home.join(r".conda\envs"), user.local.join(r"conda\conda\envs")]);
        let settings =
            [user.home.join(".condarc"), user.home.join(r".conda\.condarc"), user.home.join(".mambarc")];
        for text in settings.iter().filter_map(|file| search.text(file)) {
            folders.extend(envs_dirs(&text, &user.home));
        }
    }
    folders
}

/// Returns the list `envs_dirs` in a `.condarc`, in YAML with one item per line.
fn envs_dirs(text: &str, home: &WinPath) -> Vec<WinPath> {
    let lines = text.lines().skip_while(|line| line.trim_end() != "envs_dirs:").skip(1);
    let items = lines.map_while(|line| line.trim().strip_prefix('-')).take(super::MAX_ENTRIES);
    let items = items.map(|item| item.trim().trim_matches(['"', '\'']));
    items
        .map(|item| {
            item.strip_prefix('~')
                .map_or_else(|| WinPath::new(item), |rest| home.join(rest.trim_start_matches(['/', '\\'])))
        })
        .collect()
}
