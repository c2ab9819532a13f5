//! `os.path`, `glob` and `pathlib`: questions about files, answered by the machine's listing.

use std::rc::Rc;

use super::super::Plan;
use super::super::value::Value;
use crate::host::{EntryKind, WinPath, fold_name};

/// `path.parent` and the like.
pub(in crate::plan) fn path_attribute(path: &str, name: &str) -> Option<Value> {
    let path = WinPath::new(path);
    let file_name = path.file_name();
    Some(match name {
        "parent" => Value::path(&path.parent().unwrap_or_else(|| path.clone())),
        "name" => Value::str(file_name),
        "stem" => Value::str(file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem)),
        "suffix" => Value::str(file_name.rsplit_once('.').map_or(String::new(), |(_, s)| format!(".{s}"))),
        "parents" => {
            let mut parents = Vec::new();
            let mut folder = path.parent();
            while let Some(parent) = folder {
                parents.push(Value::path(&parent));
                folder = parent.parent();
            }
            Value::Tuple(Rc::new(parents))
        }
        _ => return None,
    })
}

impl Plan<'_> {
    pub(super) fn kind_is(
        &mut self,
        path: Option<WinPath>,
        test: impl Fn(Option<EntryKind>) -> bool,
    ) -> Value {
        match path.filter(WinPath::is_absolute) {
            Some(path) => {
                let path = path.normalized();
                let kind = self.interpreter.process.host().files.kind(&path);
                if kind.is_none() {
                    self.looked_in_vain(path);
                }
                Value::Bool(test(kind))
            }
            None => Value::Unknown,
        }
    }

    /// Files of a folder whose name matches the pattern's last part.
    pub(super) fn glob(&self, pattern: &WinPath) -> Option<Value> {
        let folder = pattern.parent()?;
        let name = fold_name(pattern.file_name());
        if folder.as_str().contains(['*', '?', '[']) || name.contains(['[', ']']) || name.contains("**") {
            return None;
        }
        let listing = self.interpreter.process.host().files.folder(&folder.normalized()).ok();
        let entries = listing.as_ref().map(|listing| listing.entries()).unwrap_or_default();
        let matching = entries.iter().filter(|entry| matches(&name, &fold_name(&entry.name)));
        Some(Value::list(matching.map(|entry| Value::str(folder.join(&entry.name).as_str())).collect()))
    }
}

/// `fnmatch`, for `*` and `?`, of names in one case.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}
