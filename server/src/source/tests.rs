//! Tests of what is kept of a module's source, and of robustness against any source.

use std::time::{Duration, Instant};

use expect_test::{Expect, expect};

use super::*;
use crate::testing::on_large_stack;

/// Checks a compact form of a script: each statement with its line.
fn check(text: &str, expected: Expect) {
    let script = lower(text);
    let mut out = String::new();
    block(&script.body, 0, &mut out);
    if let Some((line, error)) = &script.syntax_error {
        out += &format!("line {line}: {error}\n");
    }
    expected.assert_eq(&out);
}

fn block(body: &[Stmt], depth: usize, out: &mut String) {
    for Stmt { line, kind } in body {
        let indent = "  ".repeat(depth);
        let mut tell = |what: &str| *out += &format!("{indent}{line} {what}\n");
        match kind {
            StmtKind::Import { module, alias: None } => tell(&format!("import {module}")),
            StmtKind::Import { module, alias: Some(alias) } => tell(&format!("import {module} as {alias}")),
            StmtKind::ImportFrom { level, module, names } => {
                let names: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
                tell(&format!("from {}{module} import {}", ".".repeat(*level as usize), names.join(", ")));
            }
            StmtKind::Lazy(import) => {
                tell("lazily");
                block(&[Stmt { line: *line, kind: (**import).clone() }], depth + 1, out);
            }
            StmtKind::Assign { value, .. } => tell(&format!("= {value:?}")),
            StmtKind::Expr(value) => tell(&format!("{value:?}")),
            StmtKind::If { then, otherwise, .. } => {
                tell("if");
                block(then, depth + 1, out);
                block(otherwise, depth + 1, out);
            }
            StmtKind::Try(attempt) => {
                tell("try");
                block(&attempt.body, depth + 1, out);
                for handler in &attempt.handlers {
                    block(&handler.body, depth + 1, out);
                }
            }
            StmtKind::Function(function) => {
                let kept = function.body.as_ref();
                tell(&format!("def {}{}", function.name, if kept.is_some() { "" } else { " …" }));
                block(kept.map_or(&[], |body| body), depth + 1, out);
            }
            StmtKind::Class { name, body, .. } => {
                tell(&format!("class {name}"));
                block(body, depth + 1, out);
            }
            other => tell(format!("{other:?}").split([' ', '(', '{']).next().unwrap()),
        }
    }
}

#[test]
fn lazy_imports_are_read() {
    check(
        "lazy import a, b.c as d\n\nlazy from ..x import (y,\n    z as w)\nlazy = 1\nlazy .x\nif lazy:\n    lazy from . import e\n",
        expect![[r#"
            1 lazily
              1 import a
            1 lazily
              1 import b.c as d
            3 lazily
              3 from ..x import y, z
            5 = Int(1)
            6 Attribute(Name("lazy"), "x")
            7 if
              8 lazily
                8 from . import e
        "#]],
    );
}

#[test]
fn imports_keep_their_lines_and_names() {
    check(
        "import a, b.c as d\n\nfrom ..x import (y,\n    z as w)\nfrom . import *\n",
        expect![[r#"
            1 import a
            1 import b.c as d
            3 from ..x import y, z
            5 from . import *
        "#]],
    );
}

/// A body that is too long to be kept for its shortness.
const LONG: &str = "    x = 'a long line of code that computes a value which nobody here needs, and goes on'\n    \
                    y = x + 'a long line of code that computes a value which nobody here needs, and goes on'\n    \
                    z = y + 'a long line of code that computes a value which nobody here needs, and goes on'\n";

#[test]
fn a_function_is_kept_if_it_may_load_or_calls_one_that_may() {
    check(
        &format!(
            "def inert():\n{LONG}    return z\ndef imports():\n{LONG}    import a\ndef caller():\n{LONG}    imports()\n\
             def callers_caller():\n{LONG}    caller()\ndef short():\n    return 1\ninert()\n"
        ),
        expect![[r#"
            1 LeftOut
            6 def imports
              7 = Str("a long line of code that computes a value which nobody here needs, and goes on")
              8 = Binary((Name("x"), Add, Str("a long line of code that computes a value which nobody here needs, and goes on")))
              9 = Binary((Name("y"), Add, Str("a long line of code that computes a value which nobody here needs, and goes on")))
              10 import a
            11 def caller
              12 = Str("a long line of code that computes a value which nobody here needs, and goes on")
              13 = Binary((Name("x"), Add, Str("a long line of code that computes a value which nobody here needs, and goes on")))
              14 = Binary((Name("y"), Add, Str("a long line of code that computes a value which nobody here needs, and goes on")))
              15 Call(Call { function: Name("imports"), arguments: [], keywords: [] })
            16 def callers_caller
              17 = Str("a long line of code that computes a value which nobody here needs, and goes on")
              18 = Binary((Name("x"), Add, Str("a long line of code that computes a value which nobody here needs, and goes on")))
              19 = Binary((Name("y"), Add, Str("a long line of code that computes a value which nobody here needs, and goes on")))
              20 Call(Call { function: Name("caller"), arguments: [], keywords: [] })
            21 def short
              22 Return
            23 Call(Call { function: Name("inert"), arguments: [], keywords: [] })
        "#]],
    );
}

#[test]
fn generators_and_coroutines_do_nothing_when_they_are_called() {
    check(
        "def generator():\n    import a\n    yield 1\nasync def later():\n    import a\ndef plain():\n    import a\n",
        expect![[r#"
            1 def generator
              2 import a
              3 Yield(Some(Int(1)))
            4 def later …
            6 def plain
              7 import a
        "#]],
    );
}

#[test]
fn a_class_keeps_what_its_body_does() {
    check(
        "class A:\n    import a\n    x = 1\n    y = f()\n    def method(self):\n        import b\n    class B:\n        import c\n",
        expect![[r#"
            1 class A
              2 import a
              3 = Int(1)
              4 = Call(Call { function: Name("f"), arguments: [], keywords: [] })
              5 LeftOut
              7 class B
                8 import c
        "#]],
    );
}

#[test]
fn a_function_under_a_condition_or_in_a_function_is_treated_alike() {
    check(
        &format!(
            "if x:\n    def f():\n        import a\nelse:\n    def f():\n{}        pass\n\
             def outer():\n    def inner():\n        import b\n    inner()\n",
            LONG.replace("    ", "        ")
        ),
        expect![[r#"
            1 if
              2 def f
                3 import a
              5 LeftOut
            10 def outer
              11 def inner
                12 import b
              13 Call(Call { function: Name("inner"), arguments: [], keywords: [] })
        "#]],
    );
}

#[test]
fn strings_and_comments_that_look_like_code_do_not_count() {
    check(
        "'''\ndef f():\n    import a\n'''\nx = \"\"\"\nimport b\n\"\"\"\ny = r'\\\\'; import c\n# import d\nz = '#'; import e\n\
         def g(a=')', b='''\n''', c={'(': \"\\\"\"}):\n    '''import nothing'''\n    import f\n",
        expect![[r##"
            5 = Str("\nimport b\n")
            8 = Str("\\\\")
            8 import c
            10 = Str("#")
            10 import e
            11 def g
              14 import f
        "##]],
    );
}

#[test]
fn statements_around_a_syntax_error_are_kept() {
    check(
        "import a\nx = = 1\nimport b\nprint 'Python 2'\nimport c\n",
        expect![[r#"
        1 import a
        2 = Int(1)
        3 import b
        4 Name("print")
        5 import c
        line 2: Expected an expression
    "#]],
    );
    check(
        "import a\n  import b\nimport c\n",
        expect![[r#"
        1 import a
        2 import b
        3 import c
        line 2: Unexpected indentation
    "#]],
    );
    check(
        "import a\ndef f(:\n    import b\nimport c\n",
        expect![[r#"
        1 import a
        2 def f
          3 import b
        4 import c
        line 2: Expected a parameter or the end of the parameter list
    "#]],
    );
    check(
        "import a\nx = '''never closed\nimport b\n",
        expect![[r#"
        1 import a
        2 = Str("never closed\nimport b\n")
        line 2: missing closing quote in string literal
    "#]],
    );
}

#[test]
fn all_line_ends_count_and_a_byte_order_mark_is_skipped() {
    check(
        "\u{feff}import a\r\nimport b\rimport c\nimport d",
        expect![[r#"
        1 import a
        2 import b
        3 import c
        4 import d
    "#]],
    );
    check(
        "\u{feff}\u{feff}import a\n",
        expect![[r#"
        1 import a
    "#]],
    );
    check(
        "import a\u{c}\n\u{c}import b\n\timport c",
        expect![[r#"
        1 import a
        2 import b
        3 import c
        line 3: Unexpected indentation
    "#]],
    );
}

#[test]
fn names_may_be_in_any_script() {
    check(
        "import größe, 変数\nfrom .π import 𝒳\n",
        expect![[r#"
        1 import größe
        1 import 変数
        2 from .π import X
    "#]],
    );
}

#[test]
fn excessive_numbers_and_strings_are_opaque() {
    let long = "a".repeat(5000);
    check(
        &format!("x = 99999999999999999999\ny = '{long}'\nz = -9223372036854775808\nw = 1e5\n"),
        expect![[r#"
        1 = Opaque
    "#]],
    );
}

/// Reads a source as a module and as a document, within a time that a user would wait.
fn survives(text: &str) {
    let started = Instant::now();
    on_large_stack(|| {
        drop(lower(text));
        drop(Document::parse(text));
    });
    assert!(started.elapsed() < Duration::from_secs(60), "{:.60} took {:?}", text, started.elapsed());
}

const DEEP: usize = 100_000;

#[test]
fn brackets_may_nest_to_any_depth() {
    for (open, close) in
        [("(", ")"), ("[", "]"), ("{", "}"), ("f(", ")"), ("x[", "]"), ("{0:", "}"), ("lambda: (", ")")]
    {
        survives(&format!("x = {}1{}\nimport a\n", open.repeat(DEEP), close.repeat(DEEP)));
        survives(&open.repeat(DEEP));
        survives(&close.repeat(DEEP));
    }
}

#[test]
fn chains_of_operators_may_have_any_length() {
    for operator in ["-", "not ", "~", "+", "await ", "*", "**"] {
        survives(&format!("x = {}1\nimport a\n", operator.repeat(DEEP)));
    }
    for link in [
        ".a",
        "()",
        "[0]",
        "+a",
        "-a",
        "**a",
        " and a",
        " < a",
        " if a else a",
        ", a",
        " = a",
        " if a",
        " 'x'",
    ] {
        survives(&format!("x = a{}\nimport a\n", link.repeat(DEEP)));
    }
    survives(&format!("import a{}\n", ".b".repeat(DEEP)));
    survives(&format!("from {}a import b\n", ".".repeat(DEEP)));
}

#[test]
fn statements_may_nest_to_any_depth() {
    survives(&format!("if a:\n    pass\n{}else:\n    import b\n", "elif a:\n    pass\n".repeat(DEEP)));
    survives(&format!("try:\n    pass\n{}", "except a:\n    import b\n".repeat(DEEP)));
    survives(&format!("match a:\n{}", "  case 1:\n    import b\n".repeat(DEEP / 10)));
    survives(&"if a: ".repeat(DEEP));
    survives(&"@a\n".repeat(DEEP));
    for head in ["if a:", "def f():", "class A:", "for a in b:", "while a:", "with a:", "try:"] {
        let nested: String = (0..1_000).map(|depth| format!("{}{head}\n", " ".repeat(depth))).collect();
        survives(&format!("{nested}{}import b\n", " ".repeat(1_000)));
    }
}

#[test]
fn strings_may_nest_and_never_end() {
    // Python itself refuses more than 150.
    survives(&format!("x = {}1{}", "f'{".repeat(2_000), "}'".repeat(2_000)));
    survives(&format!("x = f'{}'", "{a}".repeat(DEEP)));
    survives(&"'''".repeat(DEEP + 1));
    survives(&"\\\n".repeat(DEEP));
    survives(&"\"".repeat(DEEP));
}

#[test]
fn bytes_that_are_not_python_are_survived() {
    survives("\0");
    survives("import a\0b\n\0\0\0import c\n");
    survives(&"\0".repeat(DEEP));
    survives("\u{feff}");
    survives("");
    survives("\r");
    survives(&"\r".repeat(DEEP));
    survives("\u{1b}[31mimport a\u{2028}\u{85}\u{a0}\n");
    survives(&"\u{fffd}".repeat(DEEP));
    survives("import a;;;;\n;import b\n");
    survives("def f():\n\tif x:\n        import a\n\timport b\n");
}

#[test]
fn ten_megabytes_of_imports_are_read_in_time() {
    let line = "import tensorflow.python.framework\n";
    let text = line.repeat((10 << 20) / line.len());
    survives(&text);
    assert_eq!(lower(&text).body.len(), text.len() / line.len());
}

#[test]
fn many_functions_that_call_each_other_are_read_in_time() {
    let chain: String = (0..5_000)
        .map(|at| format!("def f{at}():\n{LONG}    f{}()\n", at + 1))
        .chain(["def f5000():\n    import a\n".to_owned()])
        .collect();
    survives(&chain);
}

proptest::proptest! {
    #[test]
    fn no_source_panics(text in "(import |from |def f|class |:|\\(|\\)|\\[|\\]|'|\"|'''|\\\\|\n|\r|    |\t|#|\\{|\\}|f'|=|\\.|,|@|lambda|if |else|é|😀|\0|x| ){0,80}") {
        drop(lower(&text));
        drop(Document::parse(&text));
    }
}

/// Returns the code that the program executes before each import.
fn before(text: &str) -> String {
    let imports = Document::parse(text).imports;
    imports.iter().map(|import| format!("{}: {:?}\n", import.module, import.point)).collect()
}

#[test]
fn code_before_an_import_counts_if_it_may_load() {
    expect![[r#"
        __future__: []
        os: []
        sys: []
        scipy: []
        tensorflow: ["import scipy"]
        torch: ["import os", "import sys", "import scipy", "line 5", "import tensorflow", "line 7", "line 8"]
        tensorflow: ["import os", "import sys", "import scipy", "line 5", "import tensorflow", "line 7", "line 8", "line 9"]
    "#]].assert_eq(&before(
        "'A program.'
from __future__ import annotations
import os, sys
import scipy
LIBS = os.path.join('C:', 'libs')
import tensorflow as tf
os.add_dll_directory(LIBS)
print(tf)
try:
    import torch
except ImportError:
    torch = None
from tensorflow import keras
",
    ));
    // A repeated import has no effect.
    expect![[r#"
        a: []
        b: ["import a"]
        a: ["import a", "import b"]
        b: ["import a", "import b"]
        c: ["import a", "import b", "import b"]
        a: ["import a", "import b", "import c"]
    "#]]
    .assert_eq(&before("import a\nimport b\nimport a\nimport b, c\nimport a\n"));
    // The names of one statement are imported one after another.
    expect![[r#"
        os: []
        scipy.linalg: []
        tensorflow.keras: ["import scipy.linalg"]
        tensorflow: ["import scipy.linalg", "import tensorflow.keras"]
    "#]]
    .assert_eq(&before("import os, scipy.linalg, tensorflow.keras, tensorflow\n"));
    // Without a word about loading, neither the standard library nor values matter.
    expect![[r#"
        os: []
        tensorflow: []
    "#]]
    .assert_eq(&before("import os\nx = os.getcwd()\nprint(x)\nimport tensorflow\n"));
}

#[test]
fn excessive_code_before_an_import_is_left_out() {
    let many: String = (0..5_000).map(|at| format!("import package_{at}\n")).collect();
    let imports = Document::parse(&many).imports;
    assert_eq!(format!("{:?}", imports[1].point), r#"["import package_0"]"#);
    assert!(imports[4_999].point.is_first());
    let in_one: Vec<String> = (0..100_000).map(|at| format!("package_{at}")).collect();
    let imports = Document::parse(&format!("import {}\n", in_one.join(", "))).imports;
    assert!(imports[99_999].point.is_first());
}

/// Checks the first use of each version's syntax.
#[test]
fn syntax_that_older_versions_lack_is_detected() {
    let newer = |text: &str| -> Vec<String> {
        let newer = lower(text).newer_syntax;
        newer.iter().map(|it| format!("3.{} {}: {}", it.since, it.line, it.what)).collect()
    };
    assert_eq!(newer("import a\nwith (a, b): pass\nprint(f'{a}', *b)\n"), Vec::<String>::new());
    let all = "import a\nlazy import b\nif (c := a): pass\ntype T = int\nmatch a:\n  case 1: lazy = 2\n\
               try: pass\nexcept A, B: pass\nx = t'{a}'\nmatch b:\n  case 1: pass\ny = f'{'q'}'\n";
    expect![[r#"
        3.8 3: `:=`
        3.10 5: `match`
        3.12 4: `type`
        3.14 8: `except` with several classes without parentheses
        3.15 2: `lazy import`"#]]
    .assert_eq(&newer(all).join("\n"));
}
