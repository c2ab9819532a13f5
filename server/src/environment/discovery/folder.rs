//! Environments in the working folder.

use crate::host::WinPath;

use super::{Search, Sighting, Source};

/// The names that always indicate an environment, the most common first.
pub const USUAL: [&str; 3] = [".venv", "venv", "env"];

/// Returns the selected environment: one with a usual name, or pixi's default
/// (`.pixi\envs\default`).
pub(super) fn usual(search: &Search<'_>) -> Option<Sighting> {
    let folder = search.folder.as_ref()?;
    let usual = USUAL.iter().map(|name| folder.join(name)).find(|own| search.is_environment(own));
    let usual = usual.map(|own| sighting(folder, own, Source::Folder));
    usual.or_else(|| {
        let pixi = pixi(folder).join("default");
        search.is_environment(&pixi).then(|| sighting(folder, pixi, Source::Pixi))
    })
}

/// Returns the `.venv` in the nearest parent folder that has one, as uv does. It belongs to a
/// workspace with several projects.
pub(super) fn above(search: &Search<'_>) -> Option<Sighting> {
    let mut folder = search.folder.as_ref()?.parent();
    while let Some(above) = folder {
        let own = above.join(USUAL[0]);
        if search.is_environment(&own) {
            return Some(sighting(&above, own, Source::Folder));
        }
        folder = above.parent();
    }
    None
}

/// Returns every environment in the folder.
pub(super) fn all(search: &Search<'_>) -> Vec<Sighting> {
    let Some(folder) = &search.folder else { return Vec::new() };
    let mut inner: Vec<WinPath> = USUAL.iter().map(|name| folder.join(name)).collect();
    if search.thorough {
        inner.extend(search.folders_in(folder));
    }
    inner.retain(|inner| search.is_environment(inner));
    let mut found: Vec<Sighting> =
        inner.into_iter().map(|inner| sighting(folder, inner, Source::Folder)).collect();
    found.extend(search.environments_in(&pixi(folder), Source::Pixi));
    found
}

fn pixi(folder: &WinPath) -> WinPath {
    folder.join(".pixi").join("envs")
}

fn sighting(folder: &WinPath, environment: WinPath, source: Source) -> Sighting {
    let name = environment.below(folder).unwrap_or_default().replace('/', "\\");
    Sighting::new(environment, source, format!("{name} in {folder}"))
}
