//! `whydll check` of notebooks: each import is diagnosed after the cells above it, and reported
//! with its cell.

use std::fs;

use end_to_end::{Answer, check, report, text, whydll};
use serde_json::{Value, json};
use tempfile::TempDir;
use world::World;

/// A package whose DLL is in a folder that the program has to add.
const SMALL: &str = "
    /Python38/python.exe        imports python38.dll
    /Python38/python38.dll      version 3.8.10150.1013
    /Python38/Lib/os.py         text
        pass
    /Python38/Lib/site-packages/pkg/__init__.py  text
        from . import _native
    /Python38/Lib/site-packages/pkg/_native.pyd  imports helper.dll
    /dlls/helper.dll
    ";

/// Writes a notebook with these cells: Python, except those that begin with `#`.
fn notebook(cells: &[&str]) -> String {
    let cells = cells.iter().map(|cell| match cell.strip_prefix('#') {
        Some(text) => json!({ "cell_type": "markdown", "metadata": {}, "source": text }),
        None => json!({
            "cell_type": "code", "execution_count": null, "metadata": {}, "outputs": [],
            "source": cell.split_inclusive('\n').collect::<Vec<&str>>(),
        }),
    });
    json!({ "cells": cells.collect::<Vec<Value>>(), "metadata": {}, "nbformat": 4, "nbformat_minor": 5 })
        .to_string()
}

fn checked(world: &World, files: &[&str], format: &str) -> Answer {
    let python = text(&world.path("/Python38"));
    let (drive, files) = (text(&world.path("/")), files.iter().map(|file| text(&world.path(file))));
    let options =
        ["check", "--format", format, "--host", "windows-11", "--python", &python, "--drive", &drive];
    whydll(options.map(str::to_owned).into_iter().chain(files))
}

fn world(cells: &[&str]) -> World {
    let world = World::new(SMALL).unwrap();
    fs::create_dir_all(world.path("/work")).unwrap();
    fs::write(world.path("/work/main.ipynb"), notebook(cells)).unwrap();
    world
}

/// Returns the cell and the position of each finding.
fn places(answer: &Answer) -> Vec<(u64, u64, u64)> {
    let report = report(answer);
    let number = |value: &Value| value.as_u64().unwrap();
    let place = |finding: &Value| {
        assert!(finding["file"].as_str().unwrap().ends_with("main.ipynb"));
        let start = &finding["range"]["start"];
        (number(&finding["cell"]), number(&start["line"]), number(&start["character"]))
    };
    report.findings().iter().map(place).collect()
}

/// onnx in a notebook with pyzmq 26.1.0 (pyzmq#2012): the kernel has loaded an older runtime before
/// the first cell.
#[test]
fn modules_that_the_kernel_loaded_come_first() {
    let files = "
    /Python38/Lib/site-packages/ipykernel/__init__.py   text
    /Python38/Lib/site-packages/ipykernel/kernelapp.py  text
        import zmq
    /Python38/Lib/site-packages/zmq/__init__.py         text
        import ctypes, os
        ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'msvcp140.dll'))
    /Python38/Lib/site-packages/zmq/msvcp140.dll  version 14.16.27033.0, exports _Mtx_lock
    /Python38/Lib/site-packages/onnx.pyd  imports msvcp140.dll!_Mtx_lock, calls its first import as it is initialized
    ";
    let world = World::new(&format!("{SMALL}{files}")).unwrap();
    fs::create_dir_all(world.path("/project")).unwrap();
    fs::write(world.path("/project/main.ipynb"), notebook(&["import onnx"])).unwrap();
    fs::write(world.path("/project/main.py"), "import onnx").unwrap();
    let python = text(&world.path("/Python38"));
    let drive = text(&world.path("/"));
    let codes = |file: &str| -> Vec<String> {
        let file = text(&world.path(file));
        let machine = ["--host", "windows-11+vcredist", "--drive", &drive, "--python", &python];
        let answer = whydll(["check", "--format", "json"].into_iter().chain(machine).chain([file.as_str()]));
        let report = report(&answer);
        report.findings().iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(codes("/project/main.ipynb"), ["conflicting-vc-runtime"]);
    assert_eq!(codes("/project/main.py"), [""; 0]);
}

#[test]
fn an_import_is_reported_with_its_cell() {
    let world = world(&[
        "# About\nimport pkg",
        "%pip install pkg\nimport os",
        "%%bash\nimport pkg",
        "%%time\n!dir\nimport pkg",
    ]);
    let answer = checked(&world, &["/work/main.ipynb"], "json");
    assert_eq!(answer.status, 1);
    assert_eq!(places(&answer), [(3, 2, 7)]);
    let told = checked(&world, &["/work/main.ipynb"], "text");
    assert!(told.out.contains("main.ipynb, cell 4, line 3\n"), "{}", told.out);
    assert!(told.out.contains("3 | import pkg\n"), "{}", told.out);
}

#[test]
fn a_cell_comes_after_those_above_it() {
    let add = "import os\nos.add_dll_directory(r'C:\\dlls')";
    assert_eq!(places(&checked(&world(&[add, "# text", "import pkg"]), &["/work/main.ipynb"], "json")), []);
    assert_eq!(places(&checked(&world(&["import pkg", add]), &["/work/main.ipynb"], "json")), [(0, 0, 7)]);
}

#[test]
fn notebooks_of_a_folder_are_found_and_a_broken_one_is_skipped() {
    let world = world(&["import pkg"]);
    fs::write(world.path("/work/broken.ipynb"), "<<<<<<< HEAD").unwrap();
    fs::write(world.path("/work/empty.ipynb"), "").unwrap();
    fs::write(world.path("/work/old.ipynb"), r#"{ "nbformat": 3, "worksheets": [] }"#).unwrap();
    let answer = checked(&world, &["/work"], "json");
    assert_eq!(answer.status, 1);
    let told: Vec<&str> = answer.err.lines().collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("broken.ipynb: not a valid notebook: "), "{told:?}");
    assert!(
        told[1].contains("old.ipynb: notebook format 3 isn't supported") && told[1].contains("nbconvert"),
        "{told:?}"
    );
    assert_eq!(answer.json()["findings"].as_array().unwrap().len(), 1);
    // A broken notebook that is named is an error.
    let refused = checked(&world, &["/work/broken.ipynb"], "json");
    assert_eq!((refused.status, refused.err.lines().count()), (2, 1), "{refused:?}");
    let nothing = checked(&world, &["/work/empty.ipynb"], "text");
    assert!(nothing.out.starts_with("1 file checked: no watched package is imported"), "{}", nothing.out);
}

#[test]
#[ignore = "needs tests/real/setup"]
fn a_real_package_is_diagnosed_in_a_cell() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("train.ipynb");
    fs::write(&file, notebook(&["# Training", "import numpy as np\n", "import tensorflow as tf"])).unwrap();
    let report = check("complete", "windows-11", &[&text(&file)]);
    let finding = report.finding();
    assert_eq!(finding["code"], "missing-vc-runtime");
    assert_eq!(finding["cell"], 2);
    assert!(check("complete", "windows-11+vcredist", &[&text(&file)]).is_healthy());
}
