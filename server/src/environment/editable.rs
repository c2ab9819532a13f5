//! Editable installs (PEP 660) by setuptools that don't put their directory on `sys.path`. A `.pth`
//! file imports a generated module with a finder, which is asked after `sys.path` and maps each
//! package to its directory (`_FINDER_TEMPLATE` in setuptools' command/editable_wheel.py).

use std::collections::BTreeMap;

use super::Note;
use crate::host::{Files, WinPath};
use crate::source::{Expr, StmtKind, placeholders};

/// Returns the generated module that a line of a `.pth` file imports, if it is one: `import
/// __editable___pkg_1_0_finder; …`.
pub(super) fn finder_of(line: &str) -> Option<&str> {
    let name = line.strip_prefix("import ")?.split([';', ' ', ',']).next()?;
    (name.starts_with("__editable__") && name.ends_with("_finder")).then_some(name)
}

/// Returns the paths to which the finders map top-level packages and modules: a directory, or a
/// module's file without its suffix.
pub(super) fn mapped(notes: &[Note], files: &dyn Files) -> BTreeMap<String, WinPath> {
    let mut mapped = BTreeMap::new();
    for note in notes {
        let Note::PthCode { file, text, .. } = note else { continue };
        let (Some(name), Some(folder)) = (finder_of(text), file.parent()) else { continue };
        let Ok(script) = files.script(&folder.join(&format!("{name}.py"))) else { continue };
        let tables = script.body.iter().filter_map(|stmt| match &stmt.kind {
            StmtKind::Assign { targets, value: Expr::Dict(items) } => {
                let is_mapping =
                    targets.iter().any(|target| matches!(target, Expr::Name(name) if name == "MAPPING"));
                is_mapping.then_some(items)
            }
            _ => None,
        });
        for (package, path) in tables.flatten() {
            if let (Expr::Str(package), Expr::Str(path)) = (package, path) {
                placeholders::record_read(package);
                placeholders::record_read(path);
                mapped.entry(package.to_string()).or_insert_with(|| WinPath::new(path.as_str()));
            }
        }
    }
    mapped
}
