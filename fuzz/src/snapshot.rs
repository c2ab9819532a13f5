//! Snapshots in all formats, and the diagnosis of the recorded machine.

use std::io::{Read, Write};
use std::sync::Arc;

use lzma_rust2::{XzOptions, XzReader, XzWriter};
use serde_json::{Value, json};
use whydll::diagnosis::{Consent, DiagnosisCache, Import, chain, record};
use whydll::environment::Environment;
use whydll::host::snapshot::{Recorder, read};
use whydll::host::{Baseline, Host, WinPath};
use whydll::report::{Report, check_json, check_markdown, check_text};
use world::World;

use crate::Target;

pub const SNAPSHOT: Target = Target { name: "snapshot", run, seeds };

fn run(file: &[u8]) {
    let Ok(host) = read(file, "snapshot") else { return };
    let Some(interpreter) = &host.recorded_interpreter else { return };
    let Ok(environment) = Environment::on(interpreter, &host) else { return };
    let mut diagnoses =
        DiagnosisCache::new(&host, &environment, None).diagnose_and_prove(&[Import::first("pkg")]);
    if let Some(diagnosis) = diagnoses.pop() {
        let report = Report::of(&environment, &host, None, diagnosis);
        let _ = (check_text(&report), check_markdown(&report), check_json(&report));
    }
    chain(&host, &environment, &["pkg"]);
}

/// A machine on which some things fail.
const STORY: &str = "
    /Python/python.exe       imports python38.dll
    /Python/python38.dll     version 3.8.10150.1013
    /Python/Lib/os.py        text
    /Python/Lib/site-packages/pkg/__init__.py   text
        import os, sys, ctypes
        for name in ['a.dll', 'helper.dll']:
            ctypes.WinDLL(os.path.join(os.path.dirname(__file__), name))
        class Loader:
            def __init__(self, path):
                self.path = path
            def load(self):
                return ctypes.CDLL(self.path + f'{1}.dll')
        def names():
            yield from [x for x in 'abc' if x]
        try:
            from . import optional
        except (ImportError, OSError) as e:
            raise RuntimeError('no') from e
        if sys.version_info >= (3, 8) and sys.platform == 'win32':
            with open('x') as f: Loader('b').load()
        while True:
            break
        from .native import *
    /Python/Lib/site-packages/pkg/native.cp38-win_amd64.pyd   imports msvcp140.dll, helper.dll!f
    /Python/Lib/site-packages/pkg/optional.pyd  imports cudart64_101.dll
    /Python/Lib/site-packages/pkg/helper.dll
    /Python/Lib/site-packages/pkg-1.0.dist-info/METADATA   text
        Metadata-Version: 2.1
        Name: pkg
        Version: 1.0
    /Python/Lib/site-packages/pkg-1.0.dist-info/RECORD     text
        pkg/__init__.py,sha256=x,20
        pkg/helper.dll,sha256=x,7
        pkg/gone.dll,sha256=x,7
";

/// Returns the snapshot that the program writes of it.
fn recorded() -> Vec<u8> {
    let world = World::new(STORY).unwrap();
    let host = Host::baseline(Baseline::DEFAULT, Some(world.root()), Arc::default());
    let (host, recorder) = Recorder::over(&host);
    let environment = Environment::on(&WinPath::new(r"C:\Python\python.exe"), &host).unwrap();
    let file = world.root().join("snapshot.json.xz");
    let imports = [Import::first("pkg")];
    stacker::grow(whydll::source::STACK, || {
        let recorded = record(&recorder, &host, &environment, &imports, Consent::default(), "").unwrap();
        recorded.snapshot.write(&file).unwrap();
    });
    std::fs::read(file).unwrap()
}

/// Returns the same, small and uncompressed.
pub fn second_format() -> Vec<u8> {
    let mut whole = Vec::new();
    XzReader::new(&*recorded(), false).read_to_end(&mut whole).unwrap();
    small(&whole)
}

fn seeds() -> Vec<Vec<u8>> {
    let second = second_format();
    let first = small(include_bytes!("../../server/src/host/snapshot/first-format.json"));
    let mut by_xz = XzWriter::new(Vec::new(), XzOptions::with_preset(6)).unwrap();
    by_xz.write_all(&second).unwrap();
    let mut by_gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    by_gzip.write_all(&first).unwrap();
    vec![by_xz.finish().unwrap(), by_gzip.finish().unwrap(), second, first]
}

/// Removes most of what is the same on every machine: contracts of API sets and names of DLLs would
/// be most of a seed.
fn small(snapshot: &[u8]) -> Vec<u8> {
    let mut snapshot: Value = serde_json::from_slice(snapshot).unwrap();
    let contract = json!({ "api-ms-win-crt-math-l1-1": { "host": "ucrtbase.dll" } });
    snapshot["apiSets"] = json!({ "contracts": contract, "may_know_more": true });
    snapshot["knownDlls"] = json!(["kernel32.dll", "ntdll.dll"]);
    for folder in [r"C:\Windows\System32", r"C:\Windows\SysWOW64"] {
        if let Some(listing) = snapshot["facts"]["folders"].get_mut(folder)
            && listing["Ok"].is_array()
        {
            listing["Ok"][1] = json!(["kernel32.dll", "ntdll.dll", "ucrtbase.dll"]);
        }
    }
    serde_json::to_vec(&snapshot).unwrap()
}
