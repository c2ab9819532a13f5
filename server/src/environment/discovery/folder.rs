//! Environments in the working folder.

use crate::host::WinPath;

use super::{Candidate, Search, Source};

/// The names that always indicate an environment, the most common first.
pub const USUAL: [&str; 3] = [".venv", "venv", "env"];

/// Returns the selected environment: one with a usual name, or pixi's default
/// (`.pixi\envs\default`).
pub(super) fn usual(search: &Search<'_>) -> Option<Candidate> {
    let folder = search.folder.as_ref()?;
    let usual = USUAL.iter().map(|name| folder.join(name)).find(|own| search.is_environment(own));
    let usual = usual.map(|own| candidate(folder, own, Source::Folder));
    usual.or_else(|| {
        let pixi = pixi(folder).join("default");
        search.is_environment(&pixi).then(|| candidate(folder, pixi, Source::Pixi))
    })
}

/// Returns the `.venv` in the nearest parent folder that has one, as uv does. It belongs to a
/// workspace with several projects.
pub(super) fn above(search: &Search<'_>) -> Option<Candidate> {
    let mut folder = search.folder.as_ref()?.parent();
    while let Some(above) = folder {
        let own = above.join(USUAL[0]);
        if search.is_environment(&own) {
            return Some(candidate(&above, own, Source::Folder));
        }
        folder = above.parent();
    }
    None
}

/// Returns every environment in the folder.
pub(super) fn all(search: &Search<'_>) -> Vec<Candidate> {
    let Some(folder) = &search.folder else { return Vec::new() };
    let mut inner: Vec<WinPath> = USUAL.iter().map(|name| folder.join(name)).collect();
    if search.thorough {
        inner.extend(search.folders_in(folder));
    }
    inner.retain(|inner| search.is_environment(inner));
    let mut found: Vec<Candidate> =
        inner.into_iter().map(|inner| candidate(folder, inner, Source::Folder)).collect();
    found.extend(search.environments_in(&pixi(folder), Source::Pixi));
    found
}

fn pixi(folder: &WinPath) -> WinPath {
    folder.join(".pixi").join("envs")
}

fn candidate(folder: &WinPath, environment: WinPath, source: Source) -> Candidate {
    let name = environment.below(folder).unwrap_or_default().replace('/', "\\");
    Candidate::new(environment, source, format!("{name} in {folder}"))
}
