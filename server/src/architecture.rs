//! Rules of the source code itself, checked by reading it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::win32::ERRORS;

/// The directories without a circle of files: each file can be read and understood after those that
/// it imports.
const WITHOUT_CIRCLES: &[&str] = &["diagnosis", "host", "loader"];

/// Other numbers in these directories have the same values: opcodes and the like.
const WITHOUT_WIN32_CODES: &[&str] = &["image", "source", "win32"];

/// Returns the source files below a directory of `src`, without those that only hold tests. Paths
/// are relative to `src`.
fn files(below: &str) -> Vec<PathBuf> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.join(below)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            if matches!(name, "tests" | "testing" | "architecture") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(&root).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Returns the code of a file without comments, strings, and its tests.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let lines: String = lines.flat_map(|line| [line, "\n"]).collect();
    let without_escapes = lines.replace(r"\\", "").replace(r#"\""#, "").replace("'\"'", "");
    without_escapes.split('"').step_by(2).collect()
}

#[test]
fn win32_codes_are_written_in_one_table() {
    let mut read = 0;
    for file in files("") {
        if WITHOUT_WIN32_CODES.iter().any(|known| file.starts_with(known)) {
            continue;
        }
        let code = code(&file);
        let numbers = code.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        for number in numbers.filter_map(|word| word.parse::<u32>().ok()) {
            // 5 and 87 are common numbers.
            let known = ERRORS.iter().find(|error| error.code == number && number > 100);
            assert!(known.is_none(), "{}: write {} for {number}", file.display(), known.unwrap().symbol);
        }
        read += 1;
    }
    assert!(read > 100);
}

#[test]
fn no_two_files_define_public_types_of_one_name() {
    let mut defined: BTreeMap<String, BTreeSet<PathBuf>> = BTreeMap::new();
    for file in files("") {
        let code = code(&file);
        let public = code.lines().filter_map(|line| line.trim_start().strip_prefix("pub"));
        let types = public.filter_map(|line| {
            let declaration = line.split_once(' ')?.1;
            ["struct ", "enum ", "trait ", "type "].iter().find_map(|kind| declaration.strip_prefix(kind))
        });
        let names = types.filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next());
        for name in names {
            defined.entry(name.to_owned()).or_default().insert(file.clone());
        }
    }
    assert!(defined.len() > 300, "only {} types were found", defined.len());
    defined.retain(|_, files| files.len() > 1);
    assert!(defined.is_empty(), "several files define a type of the same name: {defined:#?}");
}

#[test]
fn files_do_not_import_each_other_in_a_circle() {
    for directory in WITHOUT_CIRCLES {
        let mut imports = Modules::below(directory).imports();
        // What imports nothing that remains is no part of a circle.
        while let Some(leaf) = imports.iter().find(|(_, of)| of.is_empty()).map(|(leaf, _)| leaf.clone()) {
            imports.remove(&leaf);
            for of in imports.values_mut() {
                of.remove(&leaf);
            }
        }
        assert!(imports.is_empty(), "files of {directory} import each other: {imports:#?}");
    }
}

#[test]
fn imports_are_found_by_any_of_their_spellings() {
    let module = |path: &str| -> ModulePath { path.split("::").map(str::to_owned).collect() };
    let modules = Modules {
        code: BTreeMap::from([
            (module("a"), "mod b;\npub use b::{B, c::C};\nfn f() { c::g(); }\n".to_owned()),
            (module("a::b"), "use crate::host;\n\nuse super::c as d;\nlet it = a;\n".to_owned()),
            (module("a::c"), "use crate::a::{d::D, B};\nmod e;\n".to_owned()),
            (module("a::d"), "let it = super::b::F;\n".to_owned()),
        ]),
        exported: BTreeMap::from([((module("a"), "B".to_owned()), module("a::b::B"))]),
    };
    let of = |of: &[&str]| -> BTreeSet<ModulePath> { of.iter().map(|path| module(path)).collect() };
    let expected = [
        ("a", of(&["a::c"])),
        ("a::b", of(&["a::c"])),
        ("a::c", of(&["a::b", "a::d"])),
        ("a::d", of(&["a::b"])),
    ];
    assert_eq!(modules.imports(), expected.map(|(path, of)| (module(path), of)).into());
}

/// The path of a module: `["loader", "search"]`.
type ModulePath = Vec<String>;

/// The modules of a directory, each in its file.
struct Modules {
    code: BTreeMap<ModulePath, String>,
    /// The paths of the names that modules re-export, by module and name.
    exported: BTreeMap<(ModulePath, String), ModulePath>,
}

impl Modules {
    fn below(directory: &str) -> Modules {
        let module = |file: &Path| -> ModulePath {
            let path = file.with_extension("");
            let parts = path.iter().map(|part| part.to_str().unwrap().to_owned());
            parts.filter(|part| part != "mod").collect()
        };
        let code = files(directory).iter().map(|file| (module(file), code(file))).collect();
        let mut modules = Modules { code, exported: BTreeMap::new() };
        let exported = modules.code.iter().flat_map(|(module, code)| {
            let public = declarations(code).filter(|(visibility, _)| visibility.starts_with("pub"));
            let paths = public.filter_map(|(_, line)| line.strip_prefix("use ")).flat_map(flattened);
            paths.filter_map(|path| {
                let name = path.last().cloned()?;
                Some(((module.clone(), name), modules.absolute(module, &path)?))
            })
        });
        modules.exported = exported.collect();
        modules
    }

    /// Returns the other modules that each module imports or mentions by their paths.
    fn imports(&self) -> BTreeMap<ModulePath, BTreeSet<ModulePath>> {
        let of = |module: &ModulePath, code: &String| -> BTreeSet<ModulePath> {
            let private = declarations(code).filter(|(visibility, _)| visibility.is_empty());
            let used = private.filter_map(|(_, line)| line.strip_prefix("use ")).flat_map(flattened);
            // A re-export and a declaration of a module use nothing.
            let rest = code.split_inclusive(';').filter(|line| declarations(line).next().is_none());
            let words =
                rest.flat_map(|line| line.split(|c: char| !(c.is_alphanumeric() || "_:".contains(c))));
            let mentioned = words.map(|word| word.split("::").map(str::to_owned).collect());
            let all = used.chain(mentioned).filter_map(|path: ModulePath| self.absolute(module, &path));
            // `pub(super)` names a module above without using it.
            let all = all.filter(|path| !module.starts_with(path));
            all.filter_map(|path| self.file_of(&path)).filter(|found| found != module).collect()
        };
        self.code.iter().map(|(module, code)| (module.clone(), of(module, code))).collect()
    }

    /// Returns a path from the top of the crate, or `None` if it begins elsewhere.
    fn absolute(&self, module: &ModulePath, path: &[String]) -> Option<ModulePath> {
        let (first, mut rest) = path.split_first()?;
        let mut base = module.clone();
        match first.as_str() {
            "crate" => base.clear(),
            "self" => {}
            "super" => {
                base.pop();
                while let Some(after) = rest.strip_prefix(&["super".to_owned()]) {
                    base.pop();
                    rest = after;
                }
            }
            name => {
                let exported = self.exported.get(&(base.clone(), name.to_owned()));
                base.push(name.to_owned());
                if exported.is_none() && !self.code.contains_key(&base) {
                    return None;
                }
            }
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }

    /// Returns the module that declares the item at a path.
    fn file_of(&self, path: &[String]) -> Option<ModulePath> {
        let known = (1..=path.len()).rev().find(|end| self.code.contains_key(&path[..*end]))?;
        let module = path[..known].to_vec();
        let exported = path.get(known).and_then(|name| self.exported.get(&(module.clone(), name.clone())));
        match exported {
            Some(of) => self.file_of(&[of, &path[known + 1..]].concat()),
            None => Some(module),
        }
    }
}

/// Returns the `use` and `mod` declarations of a module, each with its visibility and without the
/// semicolon.
fn declarations(code: &str) -> impl Iterator<Item = (&str, &str)> {
    code.split_inclusive(';').filter_map(|text| {
        let line = text.strip_suffix(';')?;
        let start = line.rfind("\nuse ").or_else(|| line.rfind("\nmod "));
        let start = start.max(line.rfind("\npub"));
        let line = start.map_or(line, |start| &line[start + 1..]).trim_start();
        let (visibility, rest) = match line.strip_prefix("pub") {
            Some(rest) => line.split_at(line.len() - rest.split_once(' ')?.1.len()),
            None => ("", line),
        };
        (rest.starts_with("use ") || rest.starts_with("mod ")).then_some((visibility, rest))
    })
}

/// Returns the paths that a `use` declaration names: `a::{b, c::d}` is two.
fn flattened(tree: &str) -> Vec<ModulePath> {
    let names = |path: &str| -> ModulePath {
        let names =
            path.split("::").map(|name| name.split(" as ").next().unwrap_or_default().trim().to_owned());
        names.filter(|name| !name.is_empty()).collect()
    };
    let Some((before, inner)) = tree.split_once('{') else { return vec![names(tree)] };
    let inner = inner.trim_end().strip_suffix('}').unwrap_or(inner);
    let mut depth = 0;
    let parts = inner.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    let paths = parts.filter(|part| !part.trim().is_empty()).flat_map(flattened);
    paths.map(|path| [names(before), path].concat()).collect()
}
