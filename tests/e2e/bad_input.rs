//! Any input gets an answer: findings, or exit status 2 and one line with the reason.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use end_to_end::{Answer, Report, answer, command, on, real, report, text, whydll};
use lzma_rust2::XzReader;
use world::World;

/// A small Python with a small TensorFlow.
const SMALL: &str = "
    /Python38/python.exe        imports python38.dll
    /Python38/python38.dll      version 3.8.10150.1013
    /Python38/Lib/os.py         text
        pass
    /Python38/Lib/site-packages/tensorflow/__init__.py  text
        from . import _native
    /Python38/Lib/site-packages/tensorflow/_native.pyd  imports python38.dll
    ";

fn world(text: &str) -> World {
    World::new(text).unwrap()
}

/// The world with one file added or replaced.
fn small_with(path: &str, content: &[u8]) -> World {
    let world = world(SMALL);
    fs::create_dir_all(world.path(path).parent().unwrap()).unwrap();
    fs::write(world.path(path), content).unwrap();
    world
}

fn small_without(path: &str) -> World {
    let world = world(SMALL);
    let gone = world.path(path);
    if gone.is_dir() { fs::remove_dir_all(gone) } else { fs::remove_file(gone) }.unwrap();
    world
}

/// Checks the Python in the world, on a clean Windows.
fn check(world: &World) -> Answer {
    let python = text(&world.path("/Python38"));
    whydll(["check", "--format", "json", "--host", "windows-11", "--python", &python])
}

/// Asserts that the check was refused, with a reason that contains `words`.
#[track_caller]
fn refused(answer: &Answer, words: &str) {
    assert_eq!(answer.status, 2, "{answer:?}");
    assert_eq!(answer.out, "", "standard output is empty");
    assert_eq!(answer.err.lines().count(), 1, "one line: {answer:?}");
    assert!(answer.err.starts_with("whydll: "), "{answer:?}");
    assert!(answer.err.contains(words), "{words:?} is not in {:?}", answer.err);
    assert!(!answer.err.contains("panicked") && !answer.err.contains("internal error"), "{answer:?}");
}

#[track_caller]
fn codes(report: &Report) -> Vec<&str> {
    report.findings().iter().filter_map(|finding| finding["code"].as_str()).collect()
}

#[test]
fn a_small_python_is_healthy() {
    let report = report(&check(&world(SMALL)));
    assert!(report.is_healthy(), "{report:?}");
}

#[test]
#[ignore = "needs tests/real/setup"]
fn paths_that_are_not_environments() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("python");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    for (python, words) in [
        (folder.path().join("nowhere"), "does not exist"),
        (folder.path().join("nowhere/python.exe"), "does not exist"),
        (program, "isn't a Python interpreter for Windows"),
        (real("no-environment"), "contains neither python.exe nor Scripts\\python.exe"),
        (real("linux"), "so Windows cannot load anything in it"),
        (real("linux/bin/python"), "Linux"),
    ] {
        for command in ["check", "snapshot", "chain"] {
            let mut arguments = vec![command, "--host", "windows-11", "--python"];
            let python = text(&python);
            arguments.push(&python);
            match command {
                "chain" => arguments.push("tensorflow"),
                "snapshot" => arguments.extend(["-o", "/dev/null"]),
                _ => {}
            }
            refused(&whydll(arguments), words);
        }
    }
}

#[test]
fn no_environment_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command();
    command.arg("check").current_dir(folder.path()).env("PATH", folder.path());
    refused(&answer(command), "pass --python");
}

#[test]
#[ignore = "needs tests/real/setup"]
fn hosts_that_are_not_machines() {
    let folder = tempfile::tempdir().unwrap();
    let empty = text(folder.path());
    let mut snapshot = Vec::new();
    let recorded = folder.path().join("recorded");
    let mut command = vec!["snapshot".to_owned(), "-o".to_owned(), text(&recorded)];
    command.extend(on("not-installed", "windows-11"));
    assert_eq!(whydll(command).status, 0);
    XzReader::new(fs::File::open(&recorded).unwrap(), false).read_to_end(&mut snapshot).unwrap();
    let packed = fs::read(&recorded).unwrap();
    let newer = String::from_utf8(snapshot.clone()).unwrap();
    let newer = newer.replacen("\"whydllSnapshot\":2", "\"whydllSnapshot\":1000", 1);
    let files: [(&str, &[u8]); 8] = [
        ("empty", b""),
        ("garbage", &[0xa7; 5000]),
        ("image", b"MZ\x90\0"),
        ("of another program", b"{\"version\": 3}"),
        ("cut", &packed[..packed.len() / 2]),
        ("unpacked and cut", &snapshot[..snapshot.len() / 2]),
        ("head only", &packed[..3]),
        ("a list", b"[1, 2]"),
    ];
    for (name, content) in files {
        let file = folder.path().join(name);
        fs::write(&file, content).unwrap();
        refused(&whydll(["check", "--host", &text(&file)]), "can't read snapshot");
    }
    let file = folder.path().join("newer");
    fs::write(&file, newer).unwrap();
    refused(&whydll(["check", "--host", &text(&file)]), "update whydll");

    let python = text(&real("complete"));
    for (machine, words) in [
        ("windows-95", "unknown host \"windows-95\""),
        ("", "unknown host"),
        (&empty, "isn't a Windows system drive (no Windows/System32)"),
    ] {
        refused(&whydll(["check", "--python", &python, "--host", machine]), words);
    }
}

#[test]
fn unknown_formats_and_commands() {
    for arguments in [["check", "--format", "xml"], ["demo", "--format", "xml"], ["chek", "--python", "x"]] {
        let answer = whydll(arguments);
        assert_eq!((answer.status, answer.out.as_str()), (2, ""));
        assert!(answer.err.starts_with("error: "), "{answer:?}");
    }
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_target_that_does_not_exist() {
    let [python, missing] = [text(&real("complete")), text(&real("complete").join("missing.pyd"))];
    let check = ["check", "--python", &python, "--host", "windows-11", "no such file.py"];
    refused(&whydll(check), "no such file.py");
    let chain = ["chain", "--python", &python, "--host", "windows-11", &missing];
    refused(&whydll(chain), "doesn't exist");
    let snapshot = ["snapshot", "--python", &python, "--host", "windows-11", "-o", "no such folder/file"];
    refused(&whydll(snapshot), "no such folder/file");
}

#[cfg(unix)]
mod unreadable {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    /// Runs the program with these arguments while the file or folder is unreadable.
    fn while_locked(path: &Path, arguments: &[&str]) -> Answer {
        let set = |mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let mut command = end_to_end::command_without_privileges();
        command.args(["check", "--format", "json"]).args(arguments);
        set(0o000);
        let answer = answer(command);
        set(0o755); // so that it can be deleted
        answer
    }

    #[test]
    fn environment() {
        let world = world(SMALL);
        let folder = world.path("/Python38");
        for python in [folder.clone(), folder.join("python.exe")] {
            let answer = while_locked(&folder, &["--host", "windows-11", "--python", &text(&python)]);
            refused(&answer, "denied");
        }
    }

    fn part_of_an_environment(path: &str) {
        let world = world(SMALL);
        let python = text(&world.path("/Python38"));
        let answer = while_locked(&world.path(path), &["--host", "windows-11", "--python", &python]);
        let report = report(&answer);
        assert_eq!((report.status, codes(&report)), (1, vec!["access-denied"]), "{path}");
    }

    #[test]
    fn interpreter() {
        part_of_an_environment("/Python38/python.exe");
        part_of_an_environment("/Python38/python38.dll");
    }

    #[test]
    fn folder_of_packages() {
        part_of_an_environment("/Python38/Lib/site-packages");
    }

    #[test]
    fn folder_of_a_package() {
        part_of_an_environment("/Python38/Lib/site-packages/tensorflow");
    }

    #[test]
    fn python_module() {
        part_of_an_environment("/Python38/Lib/site-packages/tensorflow/__init__.py");
    }

    #[test]
    fn native_module() {
        part_of_an_environment("/Python38/Lib/site-packages/tensorflow/_native.pyd");
    }

    #[test]
    fn machine() {
        let world = world(&format!("{SMALL}\n    /Windows/System32/kernel32.dll\n"));
        let [python, host] = [world.path("/Python38"), world.path("/")].map(|path| text(&path));
        let answer = while_locked(&world.path("/Windows/System32"), &["--host", &host, "--python", &python]);
        refused(&answer, "denied");
    }

    #[test]
    fn document() {
        let world = world(SMALL);
        let python = text(&world.path("/Python38"));
        for document in ["/Python38/Lib/os.py", "/Python38/Lib"] {
            let document = world.path(document);
            let answer =
                while_locked(&document, &[&text(&document), "--host", "windows-11", "--python", &python]);
            refused(&answer, "denied");
        }
    }
}

#[test]
fn files_next_to_the_interpreter_that_are_not_images() {
    let image = fs::read(world(SMALL).path("/Python38/python38.dll")).unwrap();
    for content in [b"".as_slice(), b"a text", b"MZ", &image[..100], &image[..image.len() / 2], &[0; 4096]] {
        for name in ["python.exe", "python38.dll"] {
            let answer = check(&small_with(&format!("/Python38/{name}"), content));
            match answer.status {
                2 => refused(&answer, name),
                _ => drop(report(&answer)),
            }
        }
        // This one is not loaded.
        let answer = check(&small_with("/Python38/vcruntime140.dll", content));
        assert!(report(&answer).is_healthy());
    }
}

#[test]
fn every_cut_of_a_native_module_is_found() {
    let module = "/Python38/Lib/site-packages/tensorflow/_native.pyd";
    let image = fs::read(world(SMALL).path(module)).unwrap();
    for length in (0..image.len() / 2).step_by(61) {
        let report = report(&check(&small_with(module, &image[..length])));
        assert_eq!(codes(&report), ["bad-image"], "cut to {length} bytes");
    }
}

#[test]
fn folders_that_have_vanished() {
    for (gone, expected) in [
        ("/Python38/Lib/site-packages", "not-installed"),
        ("/Python38/Lib/site-packages/tensorflow", "not-installed"),
    ] {
        assert_eq!(codes(&report(&check(&small_without(gone)))), [expected], "without {gone}");
    }
    refused(&check(&small_without("/Python38/python38.dll")), "is not next to it");
    refused(&check(&small_without("/Python38/python.exe")), "Python38");
    drop(report_or_refusal(&check(&small_without("/Python38/Lib"))));

    let home = world(
        "
        /venv/Scripts/python.exe    imports python38.dll
        /venv/Lib/site-packages/
        /venv/pyvenv.cfg            text
            home = /nowhere/Python38
        ",
    );
    let python = text(&home.path("/venv"));
    let answer = whydll(["check", "--host", "windows-11", "--python", &python]);
    refused(&answer, "the Python that it was made with is gone");
}

fn report_or_refusal(answer: &Answer) -> Option<Report> {
    if answer.status != 2 {
        return Some(report(answer));
    }
    refused(answer, "");
    None
}

/// Python files as they exist on disks, and the place where each imports TensorFlow.
#[test]
#[ignore = "needs tests/real/setup"]
fn strange_python_files() {
    let folder = tempfile::tempdir().unwrap();
    let import = |line: usize| vec![line];
    let many = "import os\n".repeat(1 << 20) + "import tensorflow\n";
    let modules: String = (0..500_000).map(|n| format!("import module_{n:06}\n")).collect();
    let nested: String = (0..2000).map(|depth| format!("{}if a:\n", " ".repeat(depth))).collect();
    let parentheses = format!("import tensorflow\nx = {}\n", "(".repeat(100_000));
    let files: [(&str, &[u8], Vec<usize>); 14] = [
        ("empty", b"", vec![]),
        ("syntax errors", b"import tensorflow\ndef f(:\n  return )(\nclass\n", import(0)),
        ("an import being typed", b"import tensorflow\nimport \nfrom . import\nfrom\n", import(0)),
        ("NUL bytes", b"import tensorflow\n\0\0\0x = 1\n", import(0)),
        ("invalid UTF-8", b"# caf\xe9 \xff\xfe\nimport tensorflow\n", import(1)),
        ("UTF-16", b"\xff\xfei\0m\0p\0o\0r\0t\0 \0o\0s\0\n\0", vec![]),
        ("byte order mark", b"\xef\xbb\xbfimport tensorflow\n", import(0)),
        ("lines of Windows", b"import os\r\nimport tensorflow\r\n", import(1)),
        ("no line end", b"import tensorflow", import(0)),
        (
            "only for type checkers",
            b"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import tensorflow\n",
            vec![],
        ),
        ("10 MB of imports", many.as_bytes(), import(1 << 20)),
        ("imports of many modules", modules.as_bytes(), vec![]),
        ("parentheses", parentheses.as_bytes(), import(0)),
        ("nested", nested.as_bytes(), vec![]),
    ];
    for (name, content, lines) in files {
        let file = folder.path().join(format!("{name}.py"));
        fs::write(&file, content).unwrap();
        let mut arguments = vec!["check".to_owned(), "--format".to_owned(), "json".to_owned(), text(&file)];
        arguments.extend(on("complete", "windows-11"));
        let report = report(&whydll(arguments));
        let found: Vec<u64> = report
            .findings()
            .iter()
            .filter_map(|finding| finding["range"]["start"]["line"].as_u64())
            .collect();
        assert_eq!(found, lines.iter().map(|line| *line as u64).collect::<Vec<_>>(), "{name}");
        for finding in report.findings() {
            assert_eq!(finding["file"], text(&file), "{name}");
            assert_eq!(finding["range"]["start"]["character"], 7, "{name}");
            assert_eq!(finding["range"]["end"]["character"], 17, "{name}");
        }
    }
}

/// The same import many times, as in the folder of a large project.
#[test]
#[ignore = "needs tests/real/setup"]
fn ten_megabytes_of_the_import_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("again.py");
    fs::write(&file, "import tensorflow\n".repeat(600_000)).unwrap();
    let mut arguments = vec!["check".to_owned(), text(&file)];
    arguments.extend(on("complete", "windows-11"));
    let answer = whydll(arguments);
    assert_eq!(answer.status, 1);
    assert!(answer.out.contains("error[missing-vc-runtime]"));
}

#[test]
#[ignore = "needs tests/real/setup"]
fn files_and_folders() {
    let project = world(
        "
        /project/quiet.py           text
            import os
        /project/train.py           text
            import os
            import tensorflow as tf
        /project/notes.txt          text
            import tensorflow
        /project/.venv/pyvenv.cfg   text
            home = nowhere
        /project/.venv/Lib/site-packages/other.py  text
            import tensorflow
        /project/sub/guarded.py     text
            try:
                import tensorflow
            except ImportError:
                tensorflow = None
        ",
    );
    let check = |path: &str| {
        let mut arguments = vec!["check".to_owned(), "--format".to_owned(), "json".to_owned()];
        arguments.push(text(&project.path(path)));
        arguments.extend(on("complete", "windows-11"));
        report(&whydll(arguments))
    };
    let places = |report: &Report| -> Vec<String> {
        let place = |finding: &serde_json::Value| {
            let file = project.hide_root(finding["file"].as_str().unwrap());
            format!("{file}:{} {}", finding["range"]["start"]["line"], finding["severity"].as_str().unwrap())
        };
        report.findings().iter().map(place).collect()
    };
    assert!(check("/project/quiet.py").is_healthy());
    assert_eq!(places(&check("/project/train.py")), ["/project/train.py:1 error"]);
    let guarded = check("/project/sub");
    assert_eq!((guarded.status, places(&guarded)), (0, vec!["/project/sub/guarded.py:1 hint".to_owned()]));
    let all = check("/project");
    assert_eq!(places(&all), ["/project/sub/guarded.py:1 hint", "/project/train.py:1 error"]);
}

/// As in `whydll check | head -1`.
#[test]
#[ignore = "needs tests/real/setup"]
fn a_reader_that_closes_the_pipe() {
    let [python, host] = [text(&real("complete")), "windows-11".to_owned()];
    for subcommand in [vec!["check"], vec!["chain", "tensorflow"], vec!["--help"]] {
        let mut command = command();
        command.args(&subcommand);
        if subcommand[0] != "--help" {
            command.args(["--python", &python, "--host", &host]);
        }
        command.stdout(closed_pipe()).stderr(Stdio::piped());
        let output = command.output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(err, "", "{subcommand:?} prints no error");
        assert!(output.status.code().is_some(), "{subcommand:?} died: {}", output.status);
    }
}

/// A pipe whose reader is gone.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// Packages that take long to read, or cannot be read. Each is answered in time, and what is
/// unknown is reported once, with its place.
#[test]
fn packages_that_take_long_to_read() {
    const INIT: &str = "/Python38/Lib/site-packages/tensorflow/__init__.py";
    let doubling = "def f(n):\n    import sys\n    if n:\n        f(n - 1)\n        f(n - 1)\nf(200)\n";
    let quines = "text = 'import sys; exec(text)'\nexec(text)\nfrom . import _native\n";
    let endless = "import sys\nwhile True:\n    import os\n    for a in range(1999):\n        for b in range(1999):\n            import os\n";
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("unparsable", b"import (\nfrom . import _native\n".to_vec(), "the module cannot be read in full"),
        ("undecodable", b"# \xff\xfe\xe9\nfrom . import _native\n".to_vec(), ""),
        ("recursion", doubling.into(), "takes too long"),
        ("a text that runs itself", quines.into(), ""),
        ("no end", endless.into(), "takes too long"),
        (
            "deep brackets",
            format!("x = {}\n", "[".repeat(200_000)).into(),
            "the module cannot be read in full",
        ),
    ];
    for (name, content, unknown) in cases {
        let world = small_with(INIT, &content);
        let python = text(&world.path("/Python38"));
        let on = ["--format", "json", "--host", "windows-11", "--python", &python];
        report(&whydll(["check"].iter().chain(&on)));
        let chain = whydll(["chain", "tensorflow"].iter().chain(&on)).json();
        let steps = chain["steps"].as_array().unwrap();
        let unknown_steps: Vec<&serde_json::Value> =
            steps.iter().filter(|step| step["event"] == "unknown").collect();
        let names_it = |step: &&&serde_json::Value| step["name"].as_str().unwrap().contains(unknown);
        assert_eq!(
            unknown_steps.iter().filter(names_it).count(),
            usize::from(!unknown.is_empty()),
            "{name}: {unknown_steps:#?}"
        );
        for step in unknown_steps {
            assert!(step["file"].is_string() && step["line"].as_u64().unwrap() > 0, "{name}: {step}");
        }
    }
}

/// Fifty thousand modules that import each other, with a link to their own folder.
#[test]
fn a_package_of_fifty_thousand_modules() {
    let world = small_with("/Python38/Lib/site-packages/tensorflow/many/__init__.py", b"from . import m0\n");
    let many = world.path("/Python38/Lib/site-packages/tensorflow/many");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&many, many.join("again")).unwrap();
    const MODULES: usize = 50_000;
    // A tree, because Python gives up at a depth of some hundreds.
    for at in 0..MODULES {
        let children = (2 * at + 1..=2 * at + 2).filter(|child| *child < MODULES);
        let imports: String = children.map(|child| format!("from . import m{child}\n")).collect();
        fs::write(many.join(format!("m{at}.py")), imports).unwrap();
    }
    let last = format!("{}.py", MODULES - 1);
    fs::write(
        many.join(format!("m{last}")),
        "from tensorflow.many.again.again import m1\nimport tensorflow._native\n",
    )
    .unwrap();
    fs::write(world.path("/Python38/Lib/site-packages/tensorflow/__init__.py"), "from . import many\n")
        .unwrap();
    let python = text(&world.path("/Python38"));
    let chain =
        whydll(["chain", "tensorflow", "--format", "json", "--host", "windows-11", "--python", &python])
            .json();
    let steps = chain["steps"].as_array().unwrap();
    let extensions = steps.iter().filter(|step| step["event"] == "extension").count();
    assert!(steps.len() > MODULES, "all are followed, not only {}", steps.len());
    assert_eq!(extensions, 1, "the last one loads the native module");
    assert!(report(&check(&world)).is_healthy());
}
