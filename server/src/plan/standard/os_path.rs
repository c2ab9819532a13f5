//! `os.path`: computations with paths, and questions about files.

use std::rc::Rc;

use super::super::Plan;
use super::super::value::Value;
use super::KnownCall;
use super::pathlib::above;
use crate::host::{EntryKind, WinPath};
use crate::source::standard::OsPathName;

impl Plan<'_> {
    pub(super) fn call_os_path(&mut self, name: OsPathName, call: &KnownCall<'_>) -> Value {
        let first = call.first();
        match name {
            OsPathName::Join => join(call.arguments),
            OsPathName::Dirname if matches!(first, Value::Below(_)) => above(first),
            OsPathName::Abspath | OsPathName::Realpath | OsPathName::Normpath
                if matches!(first, Value::Below(_)) =>
            {
                first.clone()
            }
            OsPathName::Dirname => {
                call.on_path(|path| Value::str(path.parent().as_ref().map_or("", WinPath::as_str)))
            }
            OsPathName::Basename => call.on_path(|path| Value::str(path.file_name())),
            OsPathName::Abspath | OsPathName::Realpath | OsPathName::Normpath => call.on_path(|path| {
                if path.is_absolute() { Value::str(path.normalized().as_str()) } else { Value::Unknown }
            }),
            OsPathName::Expanduser => match first.text() {
                Some(text) => self.world.with_home(&text).map_or(Value::Unknown, Value::str),
                None => Value::Unknown,
            },
            OsPathName::Normcase => call.on_path(|path| Value::str(path.as_str().to_lowercase())),
            OsPathName::Isabs => call.on_path(|path| Value::Bool(path.is_absolute())),
            OsPathName::Split => call.on_path(|path| {
                let parent = path.parent().as_ref().map_or(String::new(), |p| p.as_str().to_owned());
                Value::Tuple(Rc::new(vec![Value::str(parent), Value::str(path.file_name())]))
            }),
            OsPathName::Splitext => call.on_path(|path| {
                let text = path.as_str();
                let extension = path.extension();
                let cut = if extension.is_empty() { text.len() } else { text.len() - extension.len() - 1 };
                Value::Tuple(Rc::new(vec![Value::str(&text[..cut]), Value::str(&text[cut..])]))
            }),
            OsPathName::Exists | OsPathName::Lexists => self.kind_is(call.path(), |kind| kind.is_some()),
            OsPathName::Isfile => self.kind_is(call.path(), |kind| kind == Some(EntryKind::File)),
            OsPathName::Isdir => self.kind_is(call.path(), |kind| kind == Some(EntryKind::Folder)),
            OsPathName::Islink | OsPathName::Ismount => call.on_path(|_| Value::Bool(false)),
            OsPathName::Relpath => match (call.path(), call.second().and_then(Value::text)) {
                (Some(path), Some(start)) => {
                    path.below(&WinPath::new(&*start)).map_or(Value::Unknown, Value::str)
                }
                _ => Value::Unknown,
            },
            OsPathName::Expandvars => match &first.text() {
                Some(text) => self.world.expanded(text),
                None => Value::Unknown,
            },
        }
    }
}

fn join(arguments: &[Value]) -> Value {
    let parts: Option<Vec<Rc<str>>> = arguments.iter().map(Value::text).collect();
    match (parts.as_deref(), arguments) {
        (Some([base, rest @ ..]), _) => {
            let base = WinPath::new(&**base);
            Value::str(rest.iter().fold(base, |base, part| base.join(part)).as_str())
        }
        // The first parts are known.
        (None, [Value::Str(base) | Value::Path(base) | Value::Below(base), rest @ ..]) => {
            let folder = rest.iter().map_while(Value::text);
            let folder = folder.fold(WinPath::new(&**base), |folder, part| folder.join(&part));
            if folder.is_absolute() { Value::Below(folder.as_str().into()) } else { Value::Unknown }
        }
        _ => Value::Unknown,
    }
}
