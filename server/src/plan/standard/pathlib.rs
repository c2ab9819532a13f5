//! `pathlib`.

use std::rc::Rc;

use super::super::value::Value;
use super::super::world::World;
use super::KnownCall;
use crate::host::WinPath;
use crate::source::standard::PathlibPathName;

impl World<'_> {
    /// Evaluates `Path(…)`, and likewise for the other classes.
    pub(super) fn new_path(&self, call: &KnownCall<'_>) -> Value {
        let parts: Option<Vec<Rc<str>>> = call.arguments.iter().map(Value::text).collect();
        match (parts.as_deref(), call.first()) {
            (Some([only]), _) if !only.contains('/') || only.starts_with('/') => Value::Path(only.clone()),
            (Some([base, rest @ ..]), _) => {
                // `WindowsPath` converts slashes to backslashes. The paths of another system that
                // WhyDLL runs on stay unchanged.
                let is_foreign = self.is_linux() || base.starts_with('/');
                let base = WinPath::new(if is_foreign { base.to_string() } else { base.replace('/', "\\") });
                Value::path(&rest.iter().fold(base, |base, part| base.join(part)))
            }
            (None, Value::Str(base) | Value::Path(base) | Value::Below(base)) => Value::Below(base.clone()),
            _ => Value::Unknown,
        }
    }

    pub(super) fn call_path_class(&self, name: PathlibPathName) -> Value {
        match name {
            PathlibPathName::Home => self.home().map_or(Value::Unknown, |home| Value::path(&home)),
        }
    }
}

/// Evaluates `path.parent` and similar attributes.
pub(in crate::plan) fn path_attribute(path: &str, name: &str) -> Option<Value> {
    let path = WinPath::new(path);
    let file_name = path.file_name();
    Some(match name {
        "parent" => Value::path(&path.parent().unwrap_or_else(|| path.clone())),
        "name" => Value::str(file_name),
        "stem" => Value::str(file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem)),
        "suffix" => Value::str(file_name.rsplit_once('.').map_or(String::new(), |(_, s)| format!(".{s}"))),
        "suffixes" => {
            Value::list(file_name.split('.').skip(1).map(|suffix| Value::str(format!(".{suffix}"))).collect())
        }
        "parts" => {
            let text = path.as_str();
            let parts = text.split(['/', '\\']).filter(|part| !part.is_empty()).enumerate();
            // The drive and its root are one part.
            let part = |(at, part): (usize, &str)| match at == 0 && part.ends_with(':') {
                true => Value::str(format!("{part}\\")),
                false => Value::str(part),
            };
            Value::Tuple(Rc::new(parts.map(part).collect()))
        }
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

/// Returns the folder above an unknown path.
pub(in crate::plan) fn above(path: &Value) -> Value {
    match path {
        Value::Below(folder) => {
            let above = WinPath::new(&**folder).parent();
            above.map_or(Value::Unknown, |above| Value::Below(above.as_str().into()))
        }
        _ => Value::Unknown,
    }
}

/// Returns an attribute of an unknown path.
pub(in crate::plan) fn attribute_below(folder: &Rc<str>, name: &str) -> Value {
    match name {
        "parent" => above(&Value::Below(folder.clone())),
        "joinpath" | "resolve" | "absolute" | "as_posix" | "with_name" | "with_suffix" | "__str__" => {
            Value::Method(Rc::new((Value::Below(folder.clone()), name.into())))
        }
        _ => Value::Unknown,
    }
}
