//! `os`, and the PATH of the process.

use super::super::Plan;
use super::super::value::Value;
use super::{KnownCall, Outcome};
use crate::source::standard::OsName;

impl Plan<'_> {
    pub(super) fn call_os(&mut self, name: OsName, call: &KnownCall<'_>) -> Outcome {
        let first = call.first();
        Ok(match name {
            OsName::AddDllDirectory => return self.add_dll_directory(first, call.place),
            OsName::Access => self.has_access(call.path(), call.second().unwrap_or(&Value::Unknown)),
            OsName::Walk => call.path().map_or(Value::Unknown, |path| self.walk_folder(&path.normalized())),
            OsName::Listdir => match call.path().map(|path| self.world.files().folder(&path)) {
                Some(Ok(folder)) => {
                    Value::list(folder.entries().iter().map(|entry| Value::str(&entry.name)).collect())
                }
                _ => Value::Unknown,
            },
            OsName::Getenv => match self.world.variable(first) {
                Value::None => call.second().cloned().unwrap_or(Value::None),
                value => value,
            },
            OsName::Putenv => {
                self.set_variable(first, call.second().unwrap_or(&Value::Unknown), call.place);
                Value::None
            }
            OsName::Fspath if matches!(first, Value::Below(_)) => first.clone(),
            OsName::Fspath | OsName::Fsdecode => first.text().map_or(Value::Unknown, Value::Str),
            OsName::Path | OsName::Environ => Value::Unknown,
        })
    }
}
