//! `os.path`, `glob`, and `pathlib`: queries about files, answered from directory listings of the
//! machine.

use std::rc::Rc;

use super::super::Plan;
use super::super::value::Value;
use super::super::world::World;
use super::KnownCall;
use super::names::WRITABLE;
use crate::host::{EntryKind, WinPath, fold_name};
use crate::source::standard::{GlobName, ShutilName};

impl Plan<'_> {
    pub(super) fn kind_is(
        &mut self,
        path: Option<WinPath>,
        test: impl Fn(Option<EntryKind>) -> bool,
    ) -> Value {
        match path {
            // The empty path doesn't exist.
            Some(path) if path.as_str().is_empty() => Value::Bool(test(None)),
            Some(path) if path.is_absolute() => {
                let path = path.normalized();
                let kind = self.world.files().kind(&path);
                if kind.is_none() {
                    self.record_missing_file(path);
                }
                Value::Bool(test(kind))
            }
            _ => Value::Unknown,
        }
    }

    /// Evaluates `os.access(path, mode)`. The result depends on whether the path exists and, for
    /// writing to a file, on whether the file is read-only, which is unknown (`os_access_impl` in
    /// CPython's `Modules/posixmodule.c`).
    pub(super) fn has_access(&mut self, path: Option<WinPath>, mode: &Value) -> Value {
        let writes = !matches!(mode, Value::Int(mode) if mode & WRITABLE == 0);
        match self.kind_is(path.clone(), |kind| kind == Some(EntryKind::File)) {
            Value::Bool(true) if writes => Value::Unknown,
            _ => self.kind_is(path, |kind| kind.is_some()),
        }
    }

    /// Evaluates `os.walk(folder)`: for each folder, its path and the names of its subfolders and
    /// files.
    pub(super) fn walk_folder(&mut self, folder: &WinPath) -> Value {
        const MAX: usize = 2_000;
        let files = self.world.host().files.clone();
        let mut pending = vec![folder.clone()];
        let mut found = Vec::new();
        while let Some(folder) = pending.pop() {
            let Ok(listing) = files.folder(&folder) else { continue };
            if found.len() >= MAX {
                return Value::Unknown;
            }
            let entries = listing.entries();
            self.spend_many(entries.len() as u64);
            let named = |kind: EntryKind| {
                let entries = entries.iter().filter(|entry| entry.kind == kind);
                Value::list(entries.map(|entry| Value::str(&entry.name)).collect())
            };
            let (folders, names) = (named(EntryKind::Folder), named(EntryKind::File));
            let below = entries.iter().rev().filter(|entry| entry.kind == EntryKind::Folder);
            pending.extend(below.map(|entry| folder.join(&entry.name)));
            found.push(Value::Tuple(Rc::new(vec![Value::str(folder.as_str()), folders, names])));
        }
        Value::list(found)
    }
}

impl World<'_> {
    pub(super) fn call_shutil(&self, name: ShutilName, call: &KnownCall<'_>) -> Value {
        let ShutilName::Which = name;
        call.first().text().map_or(Value::Unknown, |program| self.which(&program))
    }

    pub(super) fn call_glob(&self, name: GlobName, call: &KnownCall<'_>) -> Value {
        let (GlobName::Glob | GlobName::Iglob) = name;
        call.path().and_then(|path| self.glob(&path)).unwrap_or(Value::Unknown)
    }

    /// Evaluates `shutil.which(program)` along PATH. The extension of the program may be omitted.
    pub(super) fn which(&self, program: &str) -> Value {
        let files = self.files();
        let executable = |path: WinPath| {
            let with = ["", ".exe", ".cmd", ".bat", ".com"].map(|ext| format!("{}{ext}", path.as_str()));
            let fits = |text: &String| {
                files.is_file(&WinPath::new(text.as_str())) && WinPath::new(text.as_str()).extension() != ""
            };
            with.into_iter().find(fits)
        };
        if WinPath::new(program).is_absolute() {
            return executable(WinPath::new(program)).map_or(Value::None, Value::str);
        }
        let folders = self.host().path_directories();
        let found = folders.iter().find_map(|folder| executable(folder.join(program)));
        found.map_or(Value::None, Value::str)
    }

    /// Returns the files of a folder that match the last part of the pattern.
    pub(super) fn glob(&self, pattern: &WinPath) -> Option<Value> {
        let folder = pattern.parent()?;
        let name = fold_name(pattern.file_name());
        if folder.as_str().contains(['*', '?', '[']) || name.contains(['[', ']']) || name.contains("**") {
            return None;
        }
        let listing = self.files().folder(&folder.normalized()).ok();
        let entries = listing.as_ref().map(|listing| listing.entries()).unwrap_or_default();
        let matching = entries.iter().filter(|entry| matches(&name, &fold_name(&entry.name)));
        Some(Value::list(matching.map(|entry| Value::str(folder.join(&entry.name).as_str())).collect()))
    }

    /// Evaluates `os.path.expandvars(text)`, for `%NAME%`, `$NAME`, and `${NAME}`.
    pub(super) fn expanded(&self, text: &str) -> Value {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['%', '$']) {
            out.push_str(&rest[..at]);
            let tail = &rest[at + 1..];
            let (name, after) = match (rest.as_bytes().get(at), tail.split_once('%')) {
                (Some(b'%'), Some((name, after))) if !name.is_empty() => (name, after),
                (Some(b'$'), _) if tail.starts_with('{') => match tail[1..].split_once('}') {
                    Some(found) => found,
                    None => return Value::Unknown,
                },
                (Some(b'$'), _) => {
                    let end = tail.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(tail.len());
                    tail.split_at(end)
                }
                _ => return Value::Unknown,
            };
            match self.variable(&Value::str(name)) {
                Value::Str(value) => out.push_str(&value),
                // An unset variable stays as written.
                Value::None => out.push_str(&rest[at..rest.len() - after.len()]),
                _ => return Value::Unknown,
            }
            rest = after;
        }
        Value::str(out + rest)
    }
}

/// Implements `fnmatch` for `*` and `?`. Both names must be case-folded.
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
