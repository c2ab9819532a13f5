//! The part of a text file that a snapshot contains: for known files, what WhyDLL reads in them;
//! for all others their layout, with a placeholder for each string
//! ([`placeholders`](crate::source::placeholders)).

use std::collections::BTreeSet;

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::parse_unchecked_source;
use ruff_text_size::Ranged;
use serde_json::{Value, json};

use crate::host::{WinPath, is_native};

/// Returns the part of a file's text that belongs in a snapshot. `withhold` returns the placeholder
/// for a string whose need is determined by a replay.
pub fn essence(file: &WinPath, text: &str, withhold: &mut dyn FnMut(&str) -> String) -> String {
    let name = file.file_name().to_ascii_lowercase();
    let folder = file.parent().map(|folder| folder.file_name().to_ascii_lowercase()).unwrap_or_default();
    match (name.as_str(), folder.as_str()) {
        ("record", _) => record(text),
        ("installed-files.txt", _) => lines(text, |line| is_native(line) || line.ends_with(".py")),
        ("metadata" | "pkg-info", _) => metadata(text),
        ("wheel", _) => lines(text, |line| line.starts_with("Tag:")),
        ("direct_url.json", _) => direct_url(text),
        ("pyvenv.cfg", _) => lines(text, |line| has_key(line, &CONFIG)),
        ("history", "conda-meta") => conda_history(text),
        ("pixi", "conda-meta") => pixi(text),
        ("__install__.json", _) => json_of(text, &INSTALL),
        ("pymanager.json", _) => json_of(text, &["install_dir"]),
        ("config.toml", "pypoetry") => toml_of(text, &[("virtualenvs", &["path"])]),
        ("pyproject.toml", _) => toml_of(text, &PROJECT),
        ("setup.cfg" | "setup.py", _) => names(text),
        ("environment.yml" | "environment.yaml", _) => lines(text, |line| line.starts_with("name:")),
        (".condarc" | ".mambarc", _) => envs_dirs(text),
        // A word, a path, or one path per line.
        ("installer" | "top_level.txt", _) if folder.ends_with("-info") => text.to_owned(),
        ("environments.txt", ".conda") | ("envs.toml", "virtualenvs") => text.to_owned(),
        ("orig-prefix.txt", "lib") | ("py.ini", "windows" | "local") => text.to_owned(),
        _ if name.ends_with(".exe.__target__") => text.to_owned(),
        (".project" | ".python-version", _) => lines(text, |line| !line.starts_with('#')),
        // Written by Microsoft or the vendor of the DLL.
        _ if name.ends_with(".manifest") => text.to_owned(),
        (_, "conda-meta") => conda_package(text).unwrap_or_default(),
        _ if name.ends_with(".egg-info") => metadata(text),
        _ if name.ends_with("._pth") => without_comments(text, |line| line.to_owned()),
        _ if name.ends_with(".pth") => without_comments(text, |line| {
            match line.trim_start_matches('\u{feff}').trim_start().starts_with("import") {
                true => with_marks(line, withhold),
                false => line.to_owned(),
            }
        }),
        _ if name.ends_with(".json") => with_marks_in_json(text, withhold),
        _ if text.is_empty() => String::new(),
        _ => withhold(text),
    }
}

/// The settings in a `pyvenv.cfg` that site.py and the interpreter read, or that show which tool
/// made it.
const CONFIG: [&str; 8] = [
    "home",
    "executable",
    "base-executable",
    "implementation",
    "include-system-site-packages",
    "uv",
    "version",
    "version_info",
];

/// The fields in the Python Install Manager's description of an installation that are read.
const INSTALL: [&str; 4] = ["schema", "company", "sort-version", "executable"];

/// The tables and keys in a `pyproject.toml` that are read.
const PROJECT: [(&str, &[&str]); 2] = [("project", &["name", "requires-python"]), ("tool.poetry", &["name"])];

/// The headers in METADATA that are read.
const HEADERS: [&str; 4] = ["name", "version", "requires-python", "requires-dist"];

/// Returns the wanted lines of a text.
fn lines(text: &str, is_wanted: impl Fn(&str) -> bool) -> String {
    let wanted = text.lines().filter(|line| is_wanted(line.trim_start_matches('\u{feff}')));
    wanted.map(|line| format!("{line}\n")).collect()
}

/// Replaces the comments in a file whose line numbers matter, and maps all other lines.
fn without_comments(text: &str, mut map: impl FnMut(&str) -> String) -> String {
    let line = |line: &str| match line.trim_start_matches('\u{feff}').trim_start().starts_with('#') {
        true => "#\n".to_owned(),
        false => format!("{}\n", map(line)),
    };
    text.lines().map(line).collect()
}

/// Returns the lines that name a project.
fn names(text: &str) -> String {
    let names = text.lines().filter_map(|line| {
        let value = line.trim_start().strip_prefix("name")?.trim_start().strip_prefix('=')?;
        Some(format!("name = {}\n", value.split(',').next()?.trim()))
    });
    names.collect()
}

/// Whether a line is `key = value` with one of these keys.
fn has_key(line: &str, keys: &[&str]) -> bool {
    line.split_once('=').is_some_and(|(key, _)| keys.contains(&key.trim().to_ascii_lowercase().as_str()))
}

/// Reduces RECORD to the native files and the top-level names. The presence of a hash matters, but
/// not its value.
fn record(text: &str) -> String {
    let mut rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut kept = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    let mut seen = BTreeSet::new();
    // An unreadable row is skipped.
    for row in rows.records().filter_map(Result::ok) {
        let fields: Vec<&str> = row.iter().collect();
        // Some builders don't quote paths with commas; the hash and size are the last fields.
        let (path, hash, size) = match fields.as_slice() {
            [path @ .., hash, size] if !path.is_empty() => (path.join(","), *hash, *size),
            [path, ..] => ((*path).to_owned(), "", ""),
            [] => continue,
        };
        if is_native(&path) {
            let hash = if hash.is_empty() { "" } else { "withheld=" };
            let _ = kept.write_record([&path, hash, size]);
            continue;
        }
        let (top, is_module) = path.split_once('/').map_or((path.as_str(), true), |(top, _)| (top, false));
        if seen.insert(top.to_ascii_lowercase()) {
            let _ = match is_module {
                true => kept.write_record([top, "", ""]),
                false => kept.write_record([format!("{top}/withheld").as_str(), "", ""]),
            };
        }
    }
    String::from_utf8(kept.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// Reduces METADATA to four headers. The URL of a requirement is replaced.
fn metadata(text: &str) -> String {
    let mut headers: Vec<String> = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines().take_while(|line| !line.trim().is_empty()) {
        match headers.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => last.extend([" ", line.trim()]),
            _ => headers.push(line.to_owned()),
        }
    }
    let is_read = |line: &&String| {
        let key = line.split_once(':').map_or("", |(key, _)| key.trim());
        HEADERS.contains(&key.to_ascii_lowercase().as_str())
    };
    headers.iter().filter(is_read).map(|header| format!("{}\n", without_url(header))).collect()
}

/// Removes the URL from `name @ https://user:password@host/x ; marker` (PEP 508).
fn without_url(header: &str) -> String {
    let Some((name, rest)) = header.split_once('@') else { return header.to_owned() };
    // In a URL, a semicolon isn't preceded by a space.
    let marker = rest.split_once(" ;").map_or(String::new(), |(_, marker)| format!(" ;{marker}"));
    format!("{name}@ withheld{marker}")
}

/// Reduces `direct_url.json` (PEP 610) to whether it refers to a wheel in a directory.
fn direct_url(text: &str) -> String {
    let Ok(fields) = serde_json::from_str::<Value>(text) else { return String::new() };
    let url = fields.get("url").and_then(Value::as_str).unwrap_or_default();
    let is_wheel = url.starts_with("file:") && url.ends_with(".whl");
    json!({ "url": if is_wheel { "file:///withheld.whl" } else { "withheld" } }).to_string()
}

/// Reduces conda's history to the program of the last command.
fn conda_history(text: &str) -> String {
    let last = text.lines().rev().find(|line| line.starts_with("# cmd:")).unwrap_or_default();
    match ["micromamba", "mamba", "conda"].into_iter().find(|name| last.contains(name)) {
        Some(program) => format!("# cmd: {program}\n"),
        None => String::new(),
    }
}

fn pixi(text: &str) -> String {
    let fields: Value = serde_json::from_str(text).unwrap_or_default();
    json!({ "manifest_path": fields.get("manifest_path") }).to_string()
}

/// Reduces a JSON object to these fields. Anything else becomes empty.
fn json_of(text: &str, wanted: &[&str]) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(text.trim_start_matches('\u{feff}')) else {
        return String::new();
    };
    fields.retain(|name, _| wanted.contains(&name.as_str()));
    Value::Object(fields).to_string()
}

/// Reduces conda's description of a package to the files that RECORD would list.
fn conda_package(text: &str) -> Option<String> {
    let package: Value = serde_json::from_str(text).ok()?;
    let is_wanted = |path: &Value| path.as_str().is_some_and(is_native);
    let files = package.get("files").and_then(Value::as_array).into_iter().flatten();
    let files: Vec<&Value> = files.filter(|path| is_wanted(path)).collect();
    let paths = package.get("paths_data").and_then(|data| data.get("paths")?.as_array());
    let paths = paths.into_iter().flatten().filter(|row| row.get("_path").is_some_and(is_wanted));
    let rows = paths.map(|row| {
        let has_hash =
            ["sha256_in_prefix", "sha256"].iter().any(|hash| row.get(hash).is_some_and(Value::is_string));
        let hash = has_hash.then_some("withheld");
        json!({ "_path": row.get("_path"), "sha256": hash, "size_in_bytes": row.get("size_in_bytes") })
    });
    let rows: Vec<Value> = rows.collect();
    Some(json!({ "files": files, "paths_data": { "paths": rows } }).to_string())
}

/// Reduces a TOML file to these strings, given by table and key. A file that isn't TOML stays
/// invalid.
fn toml_of(text: &str, wanted: &[(&str, &[&str])]) -> String {
    let Ok(all) = text.parse::<toml::Table>() else { return "= damaged".to_owned() };
    let mut kept = String::new();
    for (name, keys) in wanted {
        let mut parts = name.split('.');
        let first = parts.next().and_then(|part| all.get(part));
        let Some(table) = parts.fold(first, |table, part| table?.get(part)) else { continue };
        kept.push_str(&format!("[{name}]\n"));
        let strings = keys.iter().filter_map(|key| Some((key, table.get(key)?.as_str()?)));
        // A JSON string is also a TOML string.
        strings.for_each(|(key, string)| kept.push_str(&format!("{key} = {}\n", json!(string))));
    }
    kept
}

/// Reduces conda's settings to the directories of environments. Channels may contain tokens.
fn envs_dirs(text: &str) -> String {
    let mut lines = text.lines().skip_while(|line| line.trim_end() != "envs_dirs:");
    let head = lines.next();
    let items = lines.take_while(|line| line.trim().starts_with('-'));
    head.into_iter().chain(items).map(|line| format!("{line}\n")).collect()
}

/// Replaces the strings in a line of Python by placeholders.
fn with_marks(code: &str, withhold: &mut dyn FnMut(&str) -> String) -> String {
    let mut marked = String::new();
    let mut done = 0;
    for token in parse_unchecked_source(code, ruff_python_ast::PySourceType::Python).tokens() {
        let range = token.range().start().to_usize()..token.range().end().to_usize();
        let inner = match token.kind() {
            TokenKind::String => {
                let quoted = &code[range.clone()];
                let prefix = quoted.find(['"', '\'']).unwrap_or(quoted.len());
                let quote = if quoted[prefix..].starts_with(r#"""""#) || quoted[prefix..].starts_with("'''") {
                    3
                } else {
                    1
                };
                range.start + prefix + quote..range.end.saturating_sub(quote)
            }
            TokenKind::FStringMiddle | TokenKind::TStringMiddle | TokenKind::Comment => range,
            _ => continue,
        };
        if let Some(text) = code.get(inner.clone()).filter(|text| !text.is_empty()) {
            marked.push_str(&code[done..inner.start]);
            // Comments are left out, because nothing reads them.
            if token.kind() != TokenKind::Comment {
                marked.push_str(&withhold(text));
            }
            done = inner.end;
        }
    }
    marked + &code[done..]
}

/// Replaces the strings in JSON by placeholders, except for the names of fields.
fn with_marks_in_json(text: &str, withhold: &mut dyn FnMut(&str) -> String) -> String {
    fn mark(value: &mut Value, withhold: &mut dyn FnMut(&str) -> String) {
        match value {
            Value::String(text) if !text.is_empty() => *text = withhold(text),
            Value::Array(items) => items.iter_mut().for_each(|item| mark(item, withhold)),
            Value::Object(fields) => fields.values_mut().for_each(|field| mark(field, withhold)),
            _ => {}
        }
    }
    match serde_json::from_str::<Value>(text) {
        Ok(mut value) => {
            mark(&mut value, withhold);
            value.to_string()
        }
        Err(_) => withhold(text),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(path: &str, text: &str, expected: Expect) {
        let mut withheld = Vec::new();
        let mut withhold = |text: &str| {
            withheld.push(text.to_owned());
            format!("<{}>", withheld.len())
        };
        let kept = essence(&WinPath::new(path), text, &mut withhold);
        let list: String =
            (1..).zip(withheld).map(|(number, text)| format!("<{number}> is {text}\n")).collect();
        expected.assert_eq(&format!("{kept}{list}"));
    }

    #[test]
    fn metadata_is_reduced_to_four_headers() {
        check(
            r"C:\x-1.dist-info\METADATA",
            "Metadata-Version: 2.1\nName: x\nVersion: 1\nAuthor: Ada\nAuthor-email: ada@example.org\nDescription: one\n  two\n\
             Requires-Python: >=3.9\nRequires-Dist: numpy (>=1)\n  ; sys_platform == 'win32'\n\
             Requires-Dist: own @\n https://ada:secret@host/own.whl ; extra == 'a'\nHome-page: secret\n\nLong description\n",
            expect![[r#"
                Name: x
                Version: 1
                Requires-Python: >=3.9
                Requires-Dist: numpy (>=1) ; sys_platform == 'win32'
                Requires-Dist: own @ withheld ; extra == 'a'
            "#]],
        );
    }

    #[test]
    fn settings_are_reduced_to_what_is_read() {
        check(
            r"C:\v\pyvenv.cfg",
            r"home = C:\Python
prompt = client-x
executable = C:\Python\python3.14t.exe
command = C:\Users\ada\python.exe -m venv secret
uv = 0.9
implementation = CPython
version_info = 3.13
",
            expect![[r#"
                home = C:\Python
                executable = C:\Python\python3.14t.exe
                uv = 0.9
                implementation = CPython
                version_info = 3.13
            "#]],
        );
        check(
            r"C:\Python\pythoncore-3.14-64\__install__.json",
            r#"{"schema": 1, "url": "https://a:SECRET@host", "company": "PythonCore", "sort-version": "3.14.2",
                "executable": ".\\python.exe", "alias": [{"name": "SECRET"}]}"#,
            expect![[
                r#"{"company":"PythonCore","executable":".\\python.exe","schema":1,"sort-version":"3.14.2"}"#
            ]],
        );
        check(
            r"C:\Users\ada\AppData\Roaming\Python\PyManager.json",
            r#"{"install": {"source": "https://a:SECRET@host"}, "install_dir": "D:\\Pythons"}"#,
            expect![[r#"{"install_dir":"D:\\Pythons"}"#]],
        );
        check(r"C:\bin\python.exe.__target__", r"C:\Python\python.exe", expect![[r"C:\Python\python.exe"]]);
        check(
            r"C:\c\conda-meta\history",
            "# cmd: conda create -c https://host/t/SECRET/channel\n# cmd: mamba install x\n",
            expect![[r#"
                # cmd: mamba
            "#]],
        );
        check(
            r"C:\Users\ada\.condarc",
            "channels:\n  - https://host/t/SECRET/x\nenvs_dirs:\n  - D:\\envs\nproxy: SECRET\n",
            expect![[r#"
                envs_dirs:
                  - D:\envs
            "#]],
        );
        check(
            r"C:\p\pyproject.toml",
            "[project]\nname = \"x\"\nauthors = [{name = \"SECRET\"}]\n[tool.poetry]\n[[tool.poetry.source]]\nurl = \"https://a:SECRET@b\"\n",
            expect![[r#"
                [project]
                name = "x"
                [tool.poetry]
            "#]],
        );
        check(
            r"C:\x.dist-info\direct_url.json",
            r#"{"url": "https://ada:SECRET@host/x.git", "vcs_info": {"commit_id": "1"}}"#,
            expect![[r#"{"url":"withheld"}"#]],
        );
    }

    #[test]
    fn records_are_reduced_to_native_files_and_top_level_names() {
        check(
            r"C:\x-1.dist-info\RECORD",
            "pkg/plan.txt,sha256=ab,1\npkg/b.py,sha256=ab,2\n\"pkg/a,b.pyd\",sha256=ab,3\nsix.py,sha256=ab,4\nx-1.dist-info/RECORD,,\n",
            expect![[r#"
                pkg/withheld,,
                "pkg/a,b.pyd",withheld=,3
                six.py,,
                x-1.dist-info/withheld,,
            "#]],
        );
    }

    #[test]
    fn conda_packages_are_reduced_to_native_files() {
        check(
            r"C:\c\conda-meta\x-1-0.json",
            r#"{"name": "x", "url": "https://host/t/SECRET/x.conda", "files": ["a.dll", "b.txt"],
                "paths_data": {"paths": [{"_path": "a.dll", "sha256": "abc", "size_in_bytes": 7}, {"_path": "b.txt"}]}}"#,
            expect![[
                r#"{"files":["a.dll"],"paths_data":{"paths":[{"_path":"a.dll","sha256":"withheld","size_in_bytes":7}]}}"#
            ]],
        );
    }

    #[test]
    fn strings_in_code_and_in_unknown_files_are_withheld() {
        check(
            r"C:\site-packages\x.pth",
            "# a remark\nC:\\src\nimport os; os.environ['KEY'] = f\"a{x}b\" + rb'''c''' + ''  # SECRET\n",
            expect![[r#"
                #
                C:\src
                import os; os.environ['<1>'] = f"<2>{x}<3>" + rb'''<4>''' + ''  
                <1> is KEY
                <2> is a
                <3> is b
                <4> is c
            "#]],
        );
        check(
            r"C:\settings.json",
            r#"{"key": "SECRET", "n": 1, "list": ["", "b"]}"#,
            expect![[r#"
                {"key":"<1>","list":["","<2>"],"n":1}<1> is SECRET
                <2> is b
            "#]],
        );
        check(
            r"C:\settings.ini",
            "key = SECRET",
            expect![[r#"
            <1><1> is key = SECRET
        "#]],
        );
    }
}
