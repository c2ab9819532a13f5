//! Folders and files may have any name, and a traceback any content: the terminal shows it and
//! doesn't obey it. Windows itself has no such names, but an environment that is checked from
//! another system may.
#![cfg(unix)]

use std::fs;
use std::path::Path;

use end_to_end::{Answer, answer, command, text};
use serde_json::Value;
use world::World;

const BROKEN: &str = "
    /Python/python.exe        imports python38.dll
    /Python/python38.dll      version 3.8.10150.1013
    /Python/Lib/os.py         text
        pass
    /Python/Lib/site-packages/tensorflow/__init__.py  text
        from . import native
    /Python/Lib/site-packages/tensorflow/native.pyd   imports gone.dll
    ";

const NAMES: &[&str] = &[
    "$(calc)`calc`&calc&%PATH%!x!'",
    "a\nb\n# c\n```",
    "\u{1b}]8;;http:x\u{7}a\u{1b}]8;;\u{7}\u{1b}[45m",
    "`](command:x) <img src=x>",
    "\u{202e}abc\u{2066}\u{9b}2J\r",
    "-rf",
];

/// Runs the program in this folder, as in a terminal with colours.
fn run(folder: &Path, arguments: &[&str]) -> Answer {
    let mut command = command();
    command.args(arguments).current_dir(folder).env("CLICOLOR_FORCE", "1");
    answer(command)
}

/// Fails if a terminal would do more than show the output, apart from our colours.
#[track_caller]
fn is_only_shown(output: &str) {
    let mut parts = output.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (style, rest) = part.split_once('m').unwrap_or_default();
        assert!(["0", "1", "2", "31", "32", "33", "34", "36"].contains(&style), "{output:?}");
        plain.push_str(rest);
    }
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!plain.contains(|c: char| c != '\n' && (c.is_control() || turns(c))), "{plain:?}");
}

#[test]
fn names_and_tracebacks_are_shown_and_never_obeyed() {
    for name in NAMES {
        let world = World::new(BROKEN).unwrap();
        let folder = world.path(name);
        fs::create_dir(&folder).unwrap();
        fs::rename(world.path("/Python"), folder.join("Python")).unwrap();
        let words = name.replace(['\n', '\r'], "");
        let program = folder.join(format!("{name}.py"));
        fs::write(&program, format!("import tensorflow  # {words}\n")).unwrap();
        let traceback = folder.join("traceback.txt");
        let content = format!(
            "Traceback (most recent call last):\n  File \"C:\\{words}\\x.py\", line 1, in <module>\n    import tensorflow\n\
             ImportError: DLL load failed while importing native: {words}\n"
        );
        fs::write(&traceback, content).unwrap();
        let [python, program, traceback] =
            [&folder.join("Python"), &program, &traceback].map(|path| text(path));
        let environments = ["environments", ".", "--host", "windows-11"];
        let runs = [
            (1, vec!["check", "--python", &python, &program]),
            (1, vec!["chain", "--python", &python, "tensorflow"]),
            (1, vec!["explain", "--python", &python, &traceback]),
            (0, environments.to_vec()),
            (2, vec!["check", "--python", &program]),
            (2, vec!["check", "--python", &python, "--host", &traceback]),
        ];
        for (status, arguments) in runs {
            let output = run(&folder, &arguments);
            assert_eq!(output.status, status, "{output:?}");
            assert_eq!(output.err.lines().count(), usize::from(status == 2), "{output:?}");
            is_only_shown(&output.out);
            is_only_shown(&output.err);
            if status < 2 {
                let output = run(&folder, &[&arguments[..], &["--format", "json"]].concat());
                is_only_shown(&output.out);
                serde_json::from_str::<Value>(&output.out).unwrap();
            }
        }
    }
}
