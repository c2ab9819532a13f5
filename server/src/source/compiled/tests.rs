//! Tests with one module that was compiled by each version of Python (`samples/module.py`).

use expect_test::{Expect, expect};

use super::*;

const SAMPLES: [(&str, &[u8]); 8] = [
    ("3.8", include_bytes!("samples/3.8.pyc")),
    ("3.9", include_bytes!("samples/3.9.pyc")),
    ("3.10", include_bytes!("samples/3.10.pyc")),
    ("3.11", include_bytes!("samples/3.11.pyc")),
    ("3.12", include_bytes!("samples/3.12.pyc")),
    ("3.13", include_bytes!("samples/3.13.pyc")),
    ("3.14", include_bytes!("samples/3.14.pyc")),
    ("3.15", include_bytes!("samples/3.15.pyc")),
];

/// Writes the imports of a module and the statements around them, with their lines.
fn describe(body: &[Stmt], indent: usize, out: &mut String) {
    for stmt in body {
        let mut line = |text: String| out.push_str(&format!("{:indent$}{}: {text}\n", "", stmt.line));
        match &stmt.kind {
            StmtKind::Import { module, alias } => {
                let alias = alias.as_ref().map(|alias| format!(" as {alias}")).unwrap_or_default();
                line(format!("import {module}{alias}"));
            }
            StmtKind::ImportFrom { level, module, names } => {
                let names: Vec<String> = names
                    .iter()
                    .map(|(name, alias)| match alias {
                        Some(alias) => format!("{name} as {alias}"),
                        None => name.to_string(),
                    })
                    .collect();
                line(format!("from {}{module} import {}", ".".repeat(*level as usize), names.join(", ")));
            }
            StmtKind::Lazy(import) => {
                out.push_str(&format!("{:indent$}lazily\n", ""));
                describe(&[Stmt { line: stmt.line, kind: (**import).clone() }], indent + 4, out);
            }
            StmtKind::If { test, then, otherwise } => {
                // Versions differ in the line that they assign to it.
                out.push_str(&format!("{:indent$}if {test:?}\n", ""));
                describe(then, indent + 4, out);
                if !otherwise.is_empty() {
                    out.push_str(&format!("{:indent$}else\n", ""));
                    describe(otherwise, indent + 4, out);
                }
            }
            StmtKind::Try(attempt) => {
                line("try".to_owned());
                describe(&attempt.body, indent + 4, out);
            }
            StmtKind::Function(function) => {
                line(format!("def {}{:?}", function.name, function.parameters));
                describe(function.body.as_deref().unwrap_or_default(), indent + 4, out);
            }
            StmtKind::Return(Some(value)) => line(format!("return {value:?}")),
            StmtKind::Raise { exception } => line(format!("raise {exception:?}")),
            StmtKind::Assign { targets, value } if indent > 0 => line(format!("{targets:?} = {value:?}")),
            _ => {}
        }
    }
}

fn check_versions(expected: Expect) {
    let outputs = SAMPLES.map(|(version, bytes)| {
        let mut out = String::new();
        describe(&lower_compiled(bytes).unwrap().body, 0, &mut out);
        (version, out)
    });
    let (_, first) = &outputs[0];
    expected.assert_eq(first);
    for (version, text) in &outputs {
        assert_eq!(text, first, "{version}");
    }
}

#[test]
fn each_version_compiles_the_same_imports() {
    check_versions(expect![[r#"
        2: import sys
        2: import os.path as path
        3: from .. import first, second as renamed
        4: from everything import *
        if Compare((Attribute(Name("sys"), "platform"), Eq, Str("win32")))
            7: import on_windows
        else
            if Compare((Str("posix"), In, Attribute(Name("sys"), "builtin_module_names")))
                9: import on_posix
            else
                11: import elsewhere
        14: try
            14: import attempted
            15: from attempted import part
        19: import succeeded
        if Or([Name("first"), Name("renamed")])
            22: import either
        if Name("first")
            if Not(Name("renamed"))
                24: import one
        36: import within_with
        39: import within_a_loop
        if Compare((Str("nt"), In, Name("names")))
            if Compare((Attribute(Name("sys"), "version_info"), GtE, Tuple([Int(3), Int(8)])))
                46: import a.b.c
                47: import a.b.c as c
        if Or([Name("first"), Name("rest")])
            51: import one_of_both
        else
            53: import none_of_both
        if Compare((Name("rest"), Is, None))
            55: import without_names
        if Compare((Name("rest"), IsNot, None))
            57: import with_names
        60: try
            if Name("rest")
                61: import attempted_if
        66: def __getattr__[Parameter { name: "name", default: None, kind: Usual }]
            if Compare((Name("name"), Eq, Str("Executor")))
                69: from .thread import Executor as executor
                70: [Name("Executor")] = Name("executor")
                71: return Name("executor")
            else
                72: raise Some(Name("AttributeError"))
    "#]]);
}

#[test]
fn lazy_imports_are_read() {
    let script = lower_compiled(include_bytes!("samples/lazy.pyc")).unwrap();
    let mut out = String::new();
    describe(&script.body, 0, &mut out);
    for Stmt { line, kind } in &script.body {
        if let StmtKind::Assign { targets, value: Expr::Opaque } = kind {
            out.push_str(&format!("{line}: {targets:?}\n"));
        }
    }
    expect![[r#"
        2: import sys
        lazily
            3: import json
        lazily
            4: import os.path as path
        lazily
            5: import a.b.c
        lazily
            6: from .sub import first as renamed, second
        7: from ..package import eager
        if Or([Compare((Attribute(Name("sys"), "platform"), Eq, Str(""))), Compare((Attribute(Name("sys"), "maxsize"), Eq, Int(-1)))])
            11: import unlikely
        if Compare((Name("eager"), Is, Bool(true)))
            13: import likely
        15: try
            15: import attempted
        9: [Name("greeting")]
    "#]].assert_eq(&out);
}

#[test]
fn damaged_modules_are_refused() {
    assert_eq!(lower_compiled(b""), Err(CompiledError::Damaged));
    assert_eq!(lower_compiled(b"\x74\x0e\r\nof 3.16"), Err(CompiledError::UnknownVersion(3700)));
    for (version, bytes) in SAMPLES {
        assert_eq!(lower_compiled(&bytes[..12]), Err(CompiledError::Damaged), "{version}");
        for len in 16..bytes.len() {
            assert_eq!(lower_compiled(&bytes[..len]), Err(CompiledError::Damaged), "{version}");
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]
    #[test]
    fn any_bytes_are_read_without_a_panic(
        sample in 0..SAMPLES.len(),
        changes in proptest::collection::vec((0usize..4000, 0u8..), 1..20),
    ) {
        let mut bytes = SAMPLES[sample].1.to_vec();
        for (at, byte) in changes {
            if let Some(place) = bytes.get_mut(16 + at) {
                *place = byte;
            }
        }
        crate::testing::on_large_stack(|| drop(lower_compiled(&bytes)));
    }
}
