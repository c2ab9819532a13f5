//! The modules that `whydll chain tensorflow` lists, against those that a real Python loads
//! (`tests/real/modules-2.3.txt`).

use std::collections::BTreeSet;

use end_to_end::{on, real, text, whydll};

/// Imported by the standard library, which this Python has as `python38.zip`: that holds compiled modules only, whose
/// import statements are not read.
const IMPORTED_BY_ZIPPED_MODULES: [&str; 12] = [
    "_asyncio.pyd",
    "_bz2.pyd",
    "_decimal.pyd",
    "_hashlib.pyd",
    "_lzma.pyd",
    "_multiprocessing.pyd",
    "_overlapped.pyd",
    "_queue.pyd",
    "_socket.pyd",
    "_ssl.pyd",
    "libcrypto-1_1.dll",
    "libssl-1_1.dll",
];

/// Imported by machine code: extension modules made with Cython import others as they start (and
/// `hdf5_hl.dll` comes with one of them), and TensorFlow loads a library of operations.
const IMPORTED_BY_NATIVE_CODE: [&str; 8] = [
    "lib/site-packages/h5py/_proxy.cp38-win_amd64.pyd",
    "lib/site-packages/h5py/defs.cp38-win_amd64.pyd",
    "lib/site-packages/h5py/h5ac.cp38-win_amd64.pyd",
    "lib/site-packages/h5py/hdf5_hl.dll",
    "lib/site-packages/h5py/utils.cp38-win_amd64.pyd",
    "lib/site-packages/scipy/linalg/cython_blas.cp38-win_amd64.pyd",
    "lib/site-packages/scipy/linalg/cython_lapack.cp38-win_amd64.pyd",
    "lib/site-packages/tensorflow/lite/experimental/microfrontend/python/ops/_audio_microfrontend_op.so",
];

#[test]
fn whydll_loads_what_python_loads() {
    let mut command =
        vec!["chain".to_owned(), "tensorflow".to_owned(), "--format".to_owned(), "json".to_owned()];
    command.extend(on("complete", "drive-with"));
    let answer = whydll(command);
    assert_eq!((answer.status, answer.err.as_str()), (0, ""));
    let chain = answer.json();
    assert_eq!(chain["loaded"], true);

    let modules = chain["modules"].as_array().unwrap();
    let paths = modules.iter().map(|module| relative(module["path"].as_str().unwrap()));
    let predicted: BTreeSet<String> = paths.filter(|path| !is_of_windows(path)).collect();
    let truth: BTreeSet<String> =
        include_str!("../real/modules-2.3.txt").lines().map(str::to_owned).collect();

    let unseen: Vec<&String> = truth.difference(&predicted).collect();
    let mut known = [IMPORTED_BY_ZIPPED_MODULES.as_slice(), &IMPORTED_BY_NATIVE_CODE].concat();
    known.sort_unstable();
    assert_eq!(unseen, known, "Python loads them, WhyDLL does not");
    let invented: Vec<&String> = predicted.difference(&truth).collect();
    assert!(invented.is_empty(), "WhyDLL loads them, Python does not: {invented:#?}");
}

/// Each module is required by one that is loaded before it, up to a file that Python names.
#[test]
fn whydll_says_who_requires_a_module() {
    let mut command =
        vec!["chain".to_owned(), "tensorflow".to_owned(), "--format".to_owned(), "json".to_owned()];
    command.extend(on("complete", "drive-with"));
    let chain = whydll(command).json();
    let mut loaded = BTreeSet::new();
    for module in chain["modules"].as_array().unwrap() {
        if let Some(required_by) = module["requiredBy"].as_str() {
            assert!(loaded.contains(required_by), "{module}");
        }
        assert!(!module["reason"].as_str().unwrap().is_empty());
        loaded.insert(module["path"].as_str().unwrap());
    }
}

/// As the list writes it: in lower case, relative to the environment or to Windows.
fn relative(path: &str) -> String {
    let environment = text(&real("complete")) + "/";
    let path = path.strip_prefix(&environment).unwrap_or(path).to_lowercase().replace('\\', "/");
    path.strip_prefix("c:/windows/").unwrap_or(&path).to_owned()
}

/// Windows' own DLLs, for which Wine has others. Those of the redistributable lie beside them.
fn is_of_windows(path: &str) -> bool {
    let file = path.strip_prefix("system32/");
    file.is_some_and(|file| {
        !["msvcp140", "vcruntime140", "concrt140"].iter().any(|runtime| file.starts_with(runtime))
    })
}
