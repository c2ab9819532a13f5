//! The most used native packages, as `tests/real/packages` installs them: nothing is wrong with
//! them, so there must be no finding; and a DLL that is deleted from one is named.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use end_to_end::{Report, check, file_name, link_tree, on, real, strings, text, whydll};
use serde_json::Value;

/// A machine with the redistributable, which the packages need and not all include.
const MACHINE: &str = "windows-11+vcredist";

/// Distributions with native modules, and their most used imports.
const PACKAGES: [(&str, &str); 105] = [
    ("aiohttp", "aiohttp"),
    ("argon2-cffi-bindings", "argon2"),
    ("asyncpg", "asyncpg"),
    ("bcrypt", "bcrypt"),
    ("blosc2", "blosc2"),
    ("brotli", "brotli"),
    ("cffi", "_cffi_backend"),
    ("cftime", "cftime"),
    ("charset-normalizer", "charset_normalizer"),
    ("contourpy", "contourpy"),
    ("coverage", "coverage"),
    ("cramjam", "cramjam"),
    ("cryptography", "cryptography.hazmat.primitives.hashes"),
    ("curl-cffi", "curl_cffi"),
    ("debugpy", "debugpy"),
    ("duckdb", "duckdb"),
    ("faiss-cpu", "faiss"),
    ("fastavro", "fastavro"),
    ("fiona", "fiona"),
    ("fonttools", "fontTools.varLib.iup"),
    ("frozenlist", "frozenlist"),
    ("gevent", "gevent"),
    ("greenlet", "greenlet"),
    ("grpcio", "grpc"),
    ("h5py", "h5py"),
    ("hf-xet", "hf_xet"),
    ("hiredis", "hiredis"),
    ("httptools", "httptools"),
    ("imagecodecs", "imagecodecs._shared"),
    ("jiter", "jiter"),
    ("kiwisolver", "kiwisolver"),
    ("lightgbm", "lightgbm"),
    ("llvmlite", "llvmlite.binding"),
    ("lxml", "lxml.etree"),
    ("lz4", "lz4.frame"),
    ("markupsafe", "markupsafe"),
    ("matplotlib", "matplotlib.pyplot"),
    ("msgpack", "msgpack"),
    ("multidict", "multidict"),
    ("ndindex", "ndindex"),
    ("netcdf4", "netCDF4"),
    ("numba", "numba"),
    ("numexpr", "numexpr"),
    ("numpy", "numpy"),
    ("onnxruntime", "onnxruntime"),
    ("opencv-python", "cv2"),
    ("orjson", "orjson"),
    ("pandas", "pandas"),
    ("pillow", "PIL.Image"),
    ("polars", "polars"),
    ("polars-runtime-32", "polars"),
    ("propcache", "propcache.api"),
    ("protobuf", "google.protobuf.descriptor"),
    ("psutil", "psutil"),
    ("psycopg2-binary", "psycopg2"),
    ("pyarrow", "pyarrow"),
    ("pycryptodome", "Crypto.Cipher.AES"),
    ("pydantic-core", "pydantic.main"),
    ("pymssql", "pymssql"),
    ("pymupdf", "pymupdf"),
    ("pynacl", "nacl.bindings"),
    ("pyodbc", "pyodbc"),
    ("pyogrio", "pyogrio"),
    ("pyproj", "pyproj"),
    ("pyqt5", "PyQt5.QtWidgets"),
    ("pyqt5-qt5", "PyQt5.QtCore"),
    ("pyqt5-sip", "PyQt5.sip"),
    ("pyqt6", "PyQt6.QtWidgets"),
    ("pyqt6-qt6", "PyQt6.QtCore"),
    ("pyqt6-sip", "PyQt6.sip"),
    ("pyside6-essentials", "PySide6.QtWidgets"),
    ("pywavelets", "pywt"),
    ("pywin32", "win32api"),
    ("pyyaml", "yaml"),
    ("pyzmq", "zmq"),
    ("rapidfuzz", "rapidfuzz"),
    ("rasterio", "rasterio"),
    ("regex", "regex"),
    ("rpds-py", "rpds"),
    ("ruamel-yaml-clib", "ruamel.yaml"),
    ("safetensors", "safetensors"),
    ("scikit-image", "skimage.measure._label"),
    ("scikit-learn", "sklearn.linear_model"),
    ("scipy", "scipy.linalg"),
    ("sentencepiece", "sentencepiece"),
    ("shapely", "shapely"),
    ("shiboken6", "PySide6.QtCore"),
    ("simplejson", "simplejson"),
    ("sqlalchemy", "sqlalchemy"),
    ("statsmodels", "statsmodels.api"),
    ("tables", "tables"),
    ("tiktoken", "tiktoken"),
    ("tokenizers", "tokenizers"),
    ("tornado", "tornado.websocket"),
    ("ujson", "ujson"),
    ("vtk", "vtk"),
    ("watchfiles", "watchfiles"),
    ("websockets", "websockets.speedups"),
    ("wrapt", "wrapt"),
    ("xgboost", "xgboost"),
    ("xxhash", "xxhash"),
    ("yarl", "yarl"),
    ("z3-solver", "z3"),
    ("zope-interface", "zope.interface"),
    ("zstandard", "zstandard"),
];

/// Distributions whose import loads none of their native modules as far as WhyDLL sees, with the
/// reason.
const UNSEEN: [(&str, &str); 2] = [
    ("debugpy", "its modules are for a program that is debugged, and the adapter imports them then"),
    ("z3-solver", "it tries the folders of PATH, and what `importlib.resources` gives"),
];

#[test]
#[ignore = "needs tests/real/packages"]
fn no_false_alarm_with_python_3_8() {
    no_false_alarm("3.8");
}

#[test]
#[ignore = "needs tests/real/packages"]
fn no_false_alarm_with_python_3_11() {
    no_false_alarm("3.11");
}

#[test]
#[ignore = "needs tests/real/packages"]
fn no_false_alarm_with_python_3_13() {
    no_false_alarm("3.13");
}

fn no_false_alarm(version: &str) {
    let environment = format!("packages-{version}");
    let distributions = native_files(&real(&environment));
    let known: BTreeMap<&str, &str> = PACKAGES.into();
    let mut wrong = Vec::new();
    for distribution in distributions.keys().filter(|name| !known.contains_key(name.as_str())) {
        wrong.push(format!("{distribution} holds native modules, and nothing here imports it"));
    }
    let packages: Vec<(&str, &str)> =
        PACKAGES.into_iter().filter(|(name, _)| distributions.contains_key(*name)).collect();
    assert!(packages.len() >= 60, "{environment} has lost packages: {}", packages.len());

    // Several in one run, which share what they read and are diagnosed one by one.
    for some in packages.chunks(8) {
        let imports: Vec<&str> = some.iter().flat_map(|(_, import)| ["--import", import]).collect();
        let report = check(&environment, MACHINE, &imports);
        wrong.extend(alarms(&report).map(|alarm| format!("a false alarm: {alarm:#}")));
        let packages = report.json["packages"].as_array().map_or(0, Vec::len);
        if packages == 0 {
            wrong.push(format!("nothing was diagnosed for {imports:?}"));
        }
    }
    // Without following anything there would be no alarm either, so something must have been loaded.
    for (distribution, import) in packages {
        let is_seen =
            loaded(&environment, import).iter().any(|path| distributions[distribution].contains(path));
        let unseen = UNSEEN.iter().find(|(name, _)| *name == distribution);
        match (is_seen, unseen) {
            (true, Some((_, reason))) => {
                wrong.push(format!("`import {import}` is followed now; it was not, because {reason}"));
            }
            (false, None) => wrong.push(format!("`import {import}` loads nothing native of {distribution}")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{environment}:\n{}", wrong.join("\n"));
}

/// Returns the findings that report a failure.
fn alarms(report: &Report) -> impl Iterator<Item = &Value> {
    report
        .findings()
        .iter()
        .filter(|finding| finding["severity"] == "error" || finding["severity"] == "warning")
}

/// Returns the files of site-packages that an import loads.
fn loaded(environment: &str, import: &str) -> Vec<String> {
    let mut command = vec!["chain".to_owned(), import.to_owned(), "--format".to_owned(), "json".to_owned()];
    command.extend(on(environment, MACHINE));
    let answer = whydll(command);
    assert_eq!((answer.status, answer.err.as_str()), (0, ""), "whydll chain {import}");
    let site_packages = plain(&text(&real(environment).join("Lib/site-packages/")));
    let chain = answer.json();
    let modules = chain["modules"].as_array().map(Vec::as_slice).unwrap_or_default();
    let paths = modules.iter().filter_map(|module| module["path"].as_str().map(plain));
    paths.filter_map(|path| Some(path.strip_prefix(&site_packages)?.to_owned())).collect()
}

/// Returns the native files of each distribution according to its RECORD, relative to
/// site-packages.
fn native_files(environment: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut distributions = BTreeMap::new();
    for entry in fs::read_dir(environment.join("Lib/site-packages")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap();
        let Some((name, _)) = name.strip_suffix(".dist-info").and_then(|name| name.rsplit_once('-')) else {
            continue;
        };
        let record = fs::read_to_string(folder.join("RECORD")).unwrap();
        let files = record.lines().filter_map(|line| line.split(',').next()).map(plain);
        let native: BTreeSet<String> =
            files.filter(|file| file.ends_with(".pyd") || file.ends_with(".dll")).collect();
        if !native.is_empty() {
            distributions.insert(name.to_lowercase().replace(['_', '.'], "-"), native);
        }
    }
    distributions
}

/// Returns a path in a form that can be compared.
fn plain(path: &str) -> String {
    path.replace('\\', "/").to_lowercase()
}

/// An import, and a DLL that it needs: its folder, relative to site-packages, and its name or how
/// that begins.
type Deleted = (&'static str, &'static str, &'static str);

/// DLLs of packages, for each Python.
const DELETED: [(&str, &[Deleted]); 3] = [
    (
        "3.8",
        &[
            ("numpy", "numpy/.libs", "libopenblas"),
            ("scipy.linalg", "scipy.libs", "libopenblas"),
            ("h5py", "h5py", "hdf5.dll"),
            ("pyarrow", "pyarrow", "arrow.dll"),
            ("PyQt5.QtWidgets", "PyQt5/Qt5/bin", "Qt5Core.dll"),
            ("faiss", "faiss_cpu.libs", "openblas"),
            ("netCDF4", "netCDF4.libs", "netcdf"),
            ("rasterio", "rasterio.libs", "gdal"),
            ("shapely", "shapely.libs", "geos_c"),
            ("win32api", "pywin32_system32", "pywintypes"),
        ],
    ),
    (
        "3.11",
        &[
            ("pandas", "numpy.libs", "libscipy_openblas64_"),
            ("fiona", "fiona.libs", "gdal"),
            ("lightgbm", "lightgbm/bin", "lib_lightgbm.dll"),
            ("PySide6.QtWidgets", "PySide6", "Qt6Core.dll"),
            ("psycopg2", "psycopg2_binary.libs", "libpq"),
            ("sklearn.linear_model", "sklearn/.libs", "vcomp140.dll"),
            ("vtk", "vtk.libs", "vtkCommonCore"),
        ],
    ),
    (
        "3.13",
        &[
            ("pyogrio", "pyogrio.libs", "gdal"),
            ("pyproj", "pyproj.libs", "proj"),
            ("PyQt6.QtWidgets", "PyQt6/Qt6/bin", "Qt6Core.dll"),
            ("statsmodels.api", "scipy.libs", "libscipy_openblas"),
            ("xgboost", "xgboost/lib", "xgboost.dll"),
        ],
    ),
];

#[test]
#[ignore = "needs tests/real/packages"]
fn a_dll_that_was_deleted_from_a_package_is_named() {
    let mut wrong = Vec::new();
    for (version, faults) in DELETED {
        let original = real(&format!("packages-{version}"));
        // On the same disk, so that the files can be shared.
        let folder = tempfile::tempdir_in(original.parent().unwrap()).unwrap();
        let environment = folder.path().join("environment");
        link_tree(&original, &environment);
        for (import, place, name) in faults {
            let place = Path::new("Lib/site-packages").join(place);
            let dll = only_file(&environment.join(&place), name);
            fs::remove_file(environment.join(&place).join(&dll)).unwrap();
            // With a fixed PATH: fiona adds each of its directories that has a GDAL.
            let path = ["--path", r"C:\Windows\System32"];
            let report = check(&text(&environment), MACHINE, &[&["--import", import], &path[..]].concat());
            if let Err(fault) = names(&report, &dll) {
                wrong.push(format!("Python {version}, `import {import}` without {dll}: {fault}"));
            }
            fs::hard_link(original.join(&place).join(&dll), environment.join(&place).join(&dll)).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Checks that there is one finding, an error which says that the package of this DLL is damaged.
fn names(report: &Report, dll: &str) -> Result<(), String> {
    let findings: Vec<&Value> = alarms(report).collect();
    let [finding] = findings.as_slice() else {
        return Err(format!("expected one finding, not {}: {findings:#?}", findings.len()));
    };
    let named: Vec<String> = strings(&finding["dlls"]).into_iter().map(file_name).collect();
    match (finding["severity"].as_str(), finding["code"].as_str()) {
        (Some("error"), Some("damaged-install")) if named == [dll.to_lowercase()] => Ok(()),
        _ => Err(format!("{finding:#}")),
    }
}

/// Returns the file of a folder with this name, or the one whose name begins with it.
fn only_file(folder: &Path, name: &str) -> String {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let fits = |file: &String| match name.ends_with(".dll") {
        true => file.eq_ignore_ascii_case(name),
        false => file.starts_with(name) && file.ends_with(".dll"),
    };
    let mut found: Vec<String> = names.filter(fits).collect();
    // `geos_c-….dll` and `hdf5_hl-….dll` don't match a shorter name with a hash.
    found.sort_by_key(String::len);
    assert!(!found.is_empty(), "{} has no {name}", folder.display());
    found.remove(0)
}
