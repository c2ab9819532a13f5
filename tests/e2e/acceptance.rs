//! The diagnosis of each real environment on each machine (`tests/real/README.md` lists them).

use end_to_end::{Report, check, file_name, on, real, strings, text, whydll};
use serde_json::{Value, json};

/// TensorFlow 2.3's own message, which names two DLLs and no cause.
const NO_REDISTRIBUTABLE: &str = "ImportError: Could not find the DLL(s) 'msvcp140.dll or msvcp140_1.dll'. TensorFlow \
    requires that these DLLs be installed in a directory that is named in your %PATH% environment variable. You may \
    install these DLLs by downloading \"Microsoft C++ Redistributable for Visual Studio 2015, 2017 and 2019\" for your \
    platform from this URL: https://support.microsoft.com/help/2977003/the-latest-supported-visual-c-downloads";

const INTERNAL: &str = "_pywrap_tensorflow_internal.pyd";
const OPENBLAS: &str = "libopenblas.PYQHXLVVQ7VESDPUVUADXEVJOBGHJPAY.gfortran-win_amd64.dll";

/// Returns the finding that makes `import tensorflow` fail, which is the only one.
fn failure(environment: &str, machine: &str, more: &[&str]) -> Value {
    let report = check(environment, machine, more);
    let finding = report.finding();
    assert_eq!(finding["severity"], "error");
    assert_eq!(finding["package"], "tensorflow");
    assert!(!finding["fixes"][0].is_null(), "a fix is offered: {finding:#}");
    assert_eq!(report.status, 1);
    finding.clone()
}

/// Returns the fix that is offered first.
fn preferred(finding: &Value) -> &Value {
    let fixes = finding["fixes"].as_array().unwrap();
    fixes.iter().find(|fix| fix["preferred"] == true).unwrap_or(&Value::Null)
}

fn says(finding: &Value, words: &str) -> bool {
    finding["message"].as_str().is_some_and(|message| message.contains(words))
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_complete_environment_is_healthy_where_the_redistributable_is_installed() {
    for machine in ["windows-11+vcredist", "drive-with"] {
        let report = check("complete", machine, &[]);
        assert!(report.is_healthy(), "{report:?}");
        let environment = &report.json["environment"];
        assert_eq!(environment["version"], "3.8.10");
        assert_eq!(environment["machine"], "x86_64");
        assert_eq!(environment["kind"], "embeddable");
        assert_eq!(environment["interpreter"], text(&real("complete").join("python.exe")));
        let runtimes = report.json["host"]["vcRuntimes"].as_array().unwrap();
        assert!(runtimes.iter().any(|runtime| runtime["machine"] == "x86_64"));
        let package = &report.json["packages"][0];
        assert_eq!(package["import"], "tensorflow");
        assert_eq!(package["version"], "2.3.0");
    }
}

#[test]
#[ignore = "needs tests/real/setup"]
fn the_interpreter_and_its_folder_name_the_same_environment() {
    let folder = text(&real("complete"));
    let program = text(&real("complete").join("python.exe"));
    let [by_folder, by_program] = [folder, program].map(|python| {
        whydll(["check", "--format", "json", "--python", python.as_str(), "--host", "windows-11"]).out
    });
    assert_eq!(by_folder, by_program);
}

#[test]
#[ignore = "needs tests/real/setup"]
fn without_the_redistributable_both_dlls_are_missing() {
    for machine in ["windows-11", "windows-10", "drive-without"] {
        let finding = failure("complete", machine, &[]);
        assert_eq!(finding["code"], "missing-vc-runtime");
        assert_eq!(finding["dlls"], json!(["msvcp140.dll", "msvcp140_1.dll"]));
        assert_eq!(finding["winError"], 126);
        assert_eq!(finding["pythonError"], NO_REDISTRIBUTABLE);
        assert!(strings(&finding["searched"]).contains(&r"C:\Windows\System32"), "{finding:#}");
    }
}

#[test]
#[ignore = "needs tests/real/setup"]
fn an_old_redistributable_lacks_msvcp140_1() {
    let finding = failure("complete", "drive-without-msvcp140_1", &[]);
    assert_eq!(finding["code"], "missing-vc-runtime");
    assert_eq!(finding["dlls"], json!(["msvcp140_1.dll"]));
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_dll_of_the_redistributable_needs_another_one() {
    let finding = failure("no-vcruntime140_1", "drive-without-vcruntime140_1", &[]);
    assert_eq!(finding["code"], "missing-vc-runtime");
    assert_eq!(finding["dll"].as_str().map(file_name).as_deref(), Some("vcruntime140_1.dll"));
    let chain: Vec<String> = strings(&finding["chain"]).into_iter().map(file_name).collect();
    assert_eq!(chain, ["msvcp140.dll", "vcruntime140_1.dll"]);
}

#[test]
#[ignore = "needs tests/real/setup"]
fn the_redistributable_provides_what_python_lacks() {
    assert!(check("no-vcruntime140_1", "drive-with", &[]).is_healthy());
}

#[test]
#[ignore = "needs tests/real/setup"]
fn python_3_8_does_not_look_on_path() {
    let extra = text(&real("on-path-only").join("extra"));
    for machine in ["windows-11", "drive-without"] {
        let finding = failure("on-path-only", machine, &["--path", &extra]);
        assert_eq!(finding["code"], "not-on-search-path");
        assert_eq!(finding["dlls"], json!(["msvcp140.dll", "msvcp140_1.dll"]));
        assert!(says(&finding, &extra), "{finding:#}");
        assert!(!strings(&finding["searched"]).contains(&extra.as_str()));
    }
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_deleted_native_module_is_found_in_record() {
    let finding = failure("internal-deleted", "drive-with", &[]);
    assert_eq!(finding["code"], "damaged-install");
    assert_eq!(finding["dlls"], json!([INTERNAL]));
    // The embeddable package has no pip, so installing uv comes first, then uv's command.
    let reinstall = &preferred(&finding)["steps"][1];
    assert_eq!(reinstall["kind"], "run");
    assert!(reinstall["value"].as_str().unwrap().ends_with("tensorflow-cpu==2.3.0"), "{reinstall}");
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_native_module_that_is_not_an_image_is_reported_with_the_reason() {
    for (environment, reason) in [
        ("internal-emptied", "the file is empty"),
        ("internal-cut", "the file has only 4096 bytes"),
        ("internal-text", "it looks like a text"),
    ] {
        let finding = failure(environment, "drive-with", &[]);
        assert_eq!(finding["code"], "bad-image");
        assert_eq!(finding["dlls"], json!([INTERNAL]));
        assert_eq!(finding["winError"], 193);
        assert!(says(&finding, reason), "{finding:#}");
    }
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_32_bit_module_is_not_for_a_64_bit_python() {
    let finding = failure("internal-32bit", "drive-with", &[]);
    assert_eq!(finding["code"], "wrong-architecture");
    assert_eq!(finding["dlls"], json!([INTERNAL]));
    assert_eq!(finding["winError"], 193);
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_broken_numpy_breaks_tensorflow() {
    let finding = failure("openblas-deleted", "drive-with", &[]);
    assert_eq!(finding["code"], "damaged-install");
    assert_eq!(finding["dlls"], json!([OPENBLAS]));
    let chain = strings(&finding["chain"]);
    assert!(chain[0].ends_with("numpy/core/_multiarray_umath.cp38-win_amd64.pyd"), "{chain:?}");
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_broken_h5py_is_a_warning_for_tensorflow_does_without() {
    for machine in ["windows-11+vcredist", "drive-with"] {
        let report = check("hdf5-deleted", machine, &[]);
        assert_eq!(report.status, 0);
        assert_eq!(report.health(), "degraded");
        let finding = report.finding();
        assert_eq!(finding["severity"], "warning");
        assert_eq!(finding["dlls"], json!(["hdf5.dll"]));
        assert_eq!(preferred(finding)["steps"][1]["kind"], "run");
    }
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_broken_h5py_is_an_error_for_who_imports_it() {
    let report = check("hdf5-deleted", "drive-with", &["--import", "h5py"]);
    assert_eq!(report.finding()["severity"], "error");
    assert_eq!(report.finding()["package"], "h5py");
}

#[test]
#[ignore = "needs tests/real/setup"]
fn packages_of_another_python_version() {
    let finding = failure("python39", "drive-with", &[]);
    assert_eq!(finding["code"], "unsupported-python");
    assert!(says(&finding, "3.8") && says(&finding, "3.9"), "{finding:#}");
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_package_that_is_not_installed() {
    let finding = failure("not-installed", "drive-with", &[]);
    assert_eq!(finding["code"], "not-installed");
    assert_eq!(finding["pythonError"], "ModuleNotFoundError: No module named 'tensorflow'");
}

/// A virtual environment's python.exe only starts that of its base, which then is the application.
#[test]
#[ignore = "needs tests/real/setup"]
fn a_virtual_environment_searches_its_base() {
    let report = check("venv", "drive-with", &[]);
    assert!(report.is_healthy(), "{report:?}");
    let environment = &report.json["environment"];
    assert_eq!(environment["kind"], "venv");
    assert_eq!(environment["prefix"], text(&real("venv")));
    assert_eq!(environment["basePrefix"], text(&real("complete")));

    let finding = failure("venv", "windows-11", &[]);
    let searched = strings(&finding["searched"]);
    assert_eq!(searched[0], text(&real("complete")), "the application directory is the base's");
}

/// Facts that are cached between runs save time and don't change answers.
#[test]
#[ignore = "needs tests/real/setup"]
fn the_cache_changes_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let run = |cache: &str| {
        let mut command = end_to_end::command();
        command.env("WHYDLL_CACHE_DIR", cache);
        command.args(["check", "--format", "json"]).args(on("internal-cut", "drive-with"));
        end_to_end::answer(command).out
    };
    let fresh = run("");
    let cache = text(folder.path());
    assert_eq!(run(&cache), fresh, "when it is filled");
    assert_eq!(run(&cache), fresh, "when it is used");
    for file in std::fs::read_dir(folder.path()).unwrap() {
        std::fs::write(file.unwrap().path(), "whydll-facts-01\nrubbish").unwrap();
    }
    assert_eq!(run(&cache), fresh, "when it is damaged");
}

#[test]
#[ignore = "needs tests/real/setup"]
fn tensorflow_2_21_is_healthy_where_the_redistributable_is_installed() {
    for machine in ["windows-11+vcredist", "drive-with"] {
        let report = check("complete-2.21", machine, &[]);
        assert!(report.is_healthy(), "{report:?}");
        assert_eq!(report.json["packages"][0]["version"], "2.21.0");
    }
}

#[test]
#[ignore = "needs tests/real/setup"]
fn tensorflow_2_21_needs_the_redistributable_too() {
    for machine in ["windows-11", "drive-without"] {
        let finding = failure("complete-2.21", machine, &[]);
        assert_eq!(finding["code"], "missing-vc-runtime");
        assert_eq!(finding["dlls"], json!(["msvcp140.dll", "msvcp140_1.dll"]));
    }
}

#[test]
#[ignore = "needs tests/real/setup"]
fn an_old_runtime_next_to_python_wins_over_a_good_one() {
    for machine in ["windows-11+vcredist", "drive-with"] {
        let finding = failure("old-runtime-2.21", machine, &[]);
        assert_eq!(finding["code"], "conflicting-vc-runtime");
        assert_eq!(finding["dlls"], json!(["msvcp140.dll"]));
        assert_eq!(finding["winError"], 1114);
        let chain: Vec<String> = strings(&finding["chain"]).into_iter().map(file_name).collect();
        assert_eq!(
            chain,
            ["_pywrap_tensorflow_internal.pyd", "_pywrap_tensorflow_common.dll", "msvcp140.dll"]
        );
        assert!(says(&finding, "application directory"), "{finding:#}");
    }
}

#[test]
#[ignore = "needs tests/real/setup"]
fn an_old_runtime_is_outdated_if_there_is_no_other() {
    let finding = failure("old-runtime-2.21", "windows-11", &[]);
    assert_eq!(finding["code"], "outdated-vc-runtime");
    assert_eq!(finding["dlls"], json!(["msvcp140.dll"]));
}

/// Checks a program of these lines, in an environment on a machine.
fn check_program(environment: &str, machine: &str, more: &[&str], lines: &[&str]) -> Report {
    check_program_with(environment, machine, more, lines, &[])
}

/// The same with files next to the program, given by name and source.
fn check_program_with(
    environment: &str,
    machine: &str,
    more: &[&str],
    lines: &[&str],
    modules: &[(&str, &str)],
) -> Report {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in modules {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let program = folder.path().join("main.py");
    std::fs::write(&program, lines.join("\n")).unwrap();
    let program = text(&program);
    check(environment, machine, &[more, &[program.as_str()]].concat())
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_program_that_adds_the_directory_is_healthy() {
    let extra = text(&real("on-path-only").join("extra"));
    let add = format!("os.add_dll_directory({extra:?})");
    let program = ["import os", &add, "import tensorflow as tf"];
    let run = |lines: &[&str]| check_program("on-path-only", "windows-11", &["--path", &extra], lines);
    assert!(run(&program).is_healthy());
    assert_eq!(run(&program[..1]).findings().len(), 0, "nothing is imported");
    assert_eq!(run(&[program[0], program[2]]).finding()["code"], "not-on-search-path");
    // Too late.
    assert_eq!(run(&[program[0], program[2], program[1]]).finding()["code"], "not-on-search-path");
}

/// SciPy 1.4.1 includes an old msvcp140.dll and loads it by its full path.
#[test]
#[ignore = "needs tests/real/setup"]
fn the_order_of_imports_decides_which_runtime_wins() {
    for machine in ["windows-11+vcredist", "drive-with"] {
        let run = |lines: &[&str]| check_program("complete", machine, &[], lines);
        assert!(run(&["import tensorflow", "import scipy"]).is_healthy());
        let report = run(&["import scipy", "import tensorflow"]);
        assert!(report.is_healthy());
        let finding = report.note();
        assert_eq!(finding["code"], "conflicting-vc-runtime");
        assert!(says(finding, "scipy/_distributor_init.py:26"), "{finding:#}");
        assert_eq!(report.status, 0);
    }
}

/// The same, but a module of the program imports SciPy.
#[test]
#[ignore = "needs tests/real/setup"]
fn the_modules_of_a_program_run_before_what_it_imports_next() {
    let modules =
        [("science.py", "from numerics import solve\n"), ("numerics/solve.py", "import scipy.linalg\n")];
    let run = |lines: &[&str]| check_program_with("complete", "drive-with", &[], lines, &modules);
    assert!(run(&["import tensorflow", "import science"]).is_healthy());
    let report = run(&["import science", "import tensorflow"]);
    assert_eq!(report.note()["code"], "conflicting-vc-runtime");
    assert!(says(report.note(), "scipy/_distributor_init.py:26"), "{report:?}");

    let extra = text(&real("on-path-only").join("extra"));
    let settings = format!("import os\nos.add_dll_directory({extra:?})\n");
    let lines = ["import settings", "import tensorflow as tf"];
    let modules = [("settings.py", settings.as_str())];
    assert!(check_program_with("on-path-only", "windows-11", &[], &lines, &modules).is_healthy());
    assert_eq!(check_program("on-path-only", "windows-11", &[], &lines).status, 1);
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_file_that_hides_tensorflow() {
    let lines = ["import tensorflow as tf", "print(tf.__version__)"];
    let modules = [("tensorflow.py", "import tensorflow as tf\n\nmodel = tf.keras.Sequential()\n")];
    for machine in ["windows-11", "drive-with"] {
        let report = check_program_with("complete", machine, &[], &lines, &modules);
        let finding = report.finding();
        assert_eq!((&finding["code"], &finding["severity"]), (&json!("shadowed-module"), &json!("warning")));
        for words in ["tensorflow.py", "tensorflow-cpu 2.3.0", "gets itself, partially initialized"] {
            assert!(says(finding, words), "{finding:#}");
        }
        let fix = preferred(finding);
        // Without the runtime, a second step is needed.
        let rename = if fix["kind"] == "steps" { &fix["steps"][0] } else { fix };
        assert_eq!((&rename["kind"], &rename["to"]), (&json!("rename"), &json!("my_tensorflow.py")));
        assert!(rename["from"].as_str().unwrap().ends_with("tensorflow.py"), "{rename}");
    }
    let report = check_program_with("complete", "drive-with", &[], &["import tensorflow.keras"], &modules);
    let finding = report.finding();
    assert_eq!((&finding["code"], &finding["severity"]), (&json!("shadowed-module"), &json!("error")));
    assert_eq!(
        finding["pythonError"],
        "ModuleNotFoundError: No module named 'tensorflow.keras'; 'tensorflow' is not a package"
    );
    // Not a package, and therefore found last.
    let modules = [("tensorflow/notes.txt", "")];
    assert!(check_program_with("complete", "drive-with", &[], &lines, &modules).is_healthy());
}

/// Without `--import` every package with native code is checked.
#[test]
#[ignore = "needs tests/real/setup"]
fn other_packages_are_checked_in_files() {
    let lines = [
        "import os, json",
        "import numpy as np",
        "import h5py",
        "try:",
        "    from h5py import h5f",
        "except ImportError:",
        "    pass",
        "import requests",
        "import tensorflow",
        "import nowhere",
    ];
    let report = check_program("hdf5-deleted", "drive-with", &[], &lines);
    let found: Vec<(u64, &str, &str)> = report
        .findings()
        .iter()
        .map(|finding| {
            assert_eq!(finding["dlls"], json!(["hdf5.dll"]));
            let line = finding["range"]["start"]["line"].as_u64().unwrap();
            (line, finding["severity"].as_str().unwrap(), finding["package"].as_str().unwrap())
        })
        .collect();
    assert_eq!(found, [(2, "error", "h5py"), (4, "hint", "h5py"), (8, "warning", "tensorflow")]);
    let packages = report.json["packages"].as_array().unwrap();
    let packages: Vec<&str> = packages.iter().map(|package| package["import"].as_str().unwrap()).collect();
    assert_eq!(packages, ["numpy", "h5py", "tensorflow"]);
    assert!(check_program("complete", "drive-with", &[], &lines).is_healthy());
    // With `--import` no others are reported.
    let named = check_program("hdf5-deleted", "drive-with", &["--import", "numpy"], &lines);
    assert!(named.is_healthy(), "{named:?}");
}
