//! Files that describe environments and distributions: `pyvenv.cfg`, RECORD, METADATA, conda's
//! JSON, the install manager's files, and so on.

use whydll::diagnosis::{Import, diagnose};
use whydll::environment::Environment;
use whydll::environment::discovery::Search;

use crate::Target;
use crate::machine::machine;

pub const METADATA: Target = Target { name: "metadata", run, seeds };

/// The files whose contents an input has, each with valid contents.
const INPUT_FILES: [(&str, &str); 22] = [
    (
        r"C:\env\pyvenv.cfg",
        "home = C:\\Python\nimplementation = CPython\nuv = 0.13.0\nversion_info = 3.8.10\ninclude-system-site-packages = true\n",
    ),
    (
        r"C:\env\Lib\site-packages\a-1.0.dist-info\METADATA",
        "Metadata-Version: 2.1\nName: a\nVersion: 1.0\nRequires-Python: >=3.8,!=3.9.*\n\
         Requires-Dist: b[fast] (>=2.0,<3) ; platform_system == \"Windows\"\nRequires-Dist: c==1.0.*; extra == 'x'\n\
         Requires-Dist: e ~=1.4.2\n\nText\n",
    ),
    (
        r"C:\env\Lib\site-packages\a-1.0.dist-info\RECORD",
        "a/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\na/_native.cp38-win_amd64.pyd,sha256=47DEQ,9\n\
         a.libs/b.dll,,\n\"a/with, comma.dll\",sha256=x,\"7\"\n../../Scripts/a.exe,sha256=x,100\na-1.0.dist-info/RECORD,,\n",
    ),
    (r"C:\env\Lib\site-packages\a-1.0.dist-info\WHEEL", "Wheel-Version: 1.0\nTag: cp38-cp38-win_amd64\n"),
    (r"C:\env\Lib\site-packages\a-1.0.dist-info\INSTALLER", "uv\n"),
    (
        r"C:\env\Lib\site-packages\a-1.0.dist-info\direct_url.json",
        r#"{"url": "file:///C:/w/a", "dir_info": {"editable": true}}"#,
    ),
    (r"C:\env\Lib\site-packages\a-1.0.dist-info\top_level.txt", "a\n_a\n"),
    (
        r"C:\env\Lib\site-packages\b-2.0-py3.8.egg-info\PKG-INFO",
        "Metadata-Version: 1.0\nName: b\nVersion: 2.0\nRequires-Dist: a\n",
    ),
    (
        r"C:\env\Lib\site-packages\b-2.0-py3.8.egg-info\installed-files.txt",
        "..\\b\\__init__.py\n..\\b\\b.pyd\nPKG-INFO\n",
    ),
    (
        r"C:\env\Lib\site-packages\in_place.pth",
        "# a comment\nC:\\w\\src\n..\\other\nimport __editable___p_1_0_finder; __editable___p_1_0_finder.install()\nimport os\n",
    ),
    (
        r"C:\env\Lib\site-packages\__editable___p_1_0_finder.py",
        "MAPPING: dict[str, str] = {'p': 'C:\\\\w\\\\p', 'q': r'C:\\w\\q'}\nNAMESPACES = {}\n",
    ),
    (r"C:\env\.project", "C:\\w\n"),
    (r"C:\Python\python38._pth", "python38.zip\n.\nLib\\site-packages\n# import site\nimport site\n"),
    (
        r"C:\conda\conda-meta\d-3.0-py38_0.json",
        r#"{"name": "d", "version": "3.0", "build": "py38_0", "files": ["Lib/d/d.pyd", "Library/bin/d.dll"],
            "paths_data": {"paths": [{"_path": "Lib/d/d.pyd", "sha256": "00", "size_in_bytes": 9}]}}"#,
    ),
    (
        r"C:\conda\conda-meta\history",
        "==> 2026-01-01 12:00:00 <==\n# cmd: C:\\mambaforge\\Scripts\\mamba create -n x python=3.8\n# conda version: 24.1.0\n+defaults::d-3.0-py38_0\n",
    ),
    (r"C:\conda\conda-meta\pixi", r#"{"manifest_path": "C:\\w\\pixi.toml", "environment_name": "default"}"#),
    (r"C:\old\Lib\orig-prefix.txt", "C:\\Python\n"),
    (r"C:\old\Lib\site-packages\easy-install.pth", "./e-1.0-py3.8.egg\n"),
    (r"C:\old\Lib\site-packages\g.egg-link", "C:\\w\\g\n.\n"),
    (r"C:\bin\python.exe.__target__", r"C:\Python\python.exe"),
    (
        r"C:\Users\me\AppData\Local\Python\pythoncore-3.8-64\__install__.json",
        r#"{"schema": 1, "company": "PythonCore", "sort-version": "3.8.10rc1", "executable": ".\\python.exe"}"#,
    ),
    (
        r"C:\Users\me\AppData\Roaming\Python\PyManager.json",
        r#"{"install_dir": "%LocalAppData%\\Python", "confirm": false}"#,
    ),
];

/// Files that exist for every input.
const OTHERS: [&str; 14] = [
    r"C:\Python\python.exe",
    r"C:\Python\python38.dll",
    r"C:\env\Scripts\python.exe",
    r"C:\conda\python.exe",
    r"C:\conda\python38.dll",
    r"C:\old\Scripts\python.exe",
    r"C:\old\Scripts\python38.dll",
    r"C:\env\Lib\site-packages\a\__init__.py",
    r"C:\env\Lib\site-packages\a\_native.cp38-win_amd64.pyd",
    r"C:\env\Lib\site-packages\a.libs\b.dll",
    r"C:\env\Lib\site-packages\b\b.pyd",
    r"C:\conda\Lib\d\d.pyd",
    r"C:\bin\python.exe",
    r"C:\Users\me\AppData\Local\Python\pythoncore-3.8-64\python.exe",
];

/// Separates the files of an input.
const END: char = '\u{1e}';

fn run(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let given = INPUT_FILES.iter().map(|(path, _)| *path).zip(input.split(END).map(str::to_owned));
    let others = OTHERS.iter().map(|path| (*path, String::new()));
    let host = machine(others.chain(given));
    let files = &*host.files;
    let search = Search::on(&host);
    let _ = (search.selected(), search.all());
    for folder in [r"C:\env", r"C:\Python", r"C:\conda", r"C:\old", r"C:\bin"] {
        let Ok(environment) = Environment::on(&folder.into(), &host) else { continue };
        for distribution in &environment.distributions {
            let _ = (distribution.metadata(files), distribution.all_files(files));
            let _ = (distribution.expected_files(files), distribution.missing_files(files));
            let _ =
                (distribution.wheel_tags(files), distribution.top_level(files), distribution.shim_for(files));
            if let Some(installer) = environment.installer_for(distribution, files) {
                let _ = installer.reinstall(&distribution.name, distribution.version.as_deref());
            }
        }
        let _ = (environment.installer(files), environment.pip(files), environment.conda(files));
        let _ = (environment.providers("a", files), environment.owner_of(&OTHERS[8].into(), files));
        // Missing files of `a` are to be reinstalled from its source.
        if environment.find("a").is_some() {
            diagnose(&host, &environment, &[Import::first("a")]);
        }
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let join = |texts: &[&str]| texts.join(&END.to_string()).into_bytes();
    let whole = INPUT_FILES.map(|(_, text)| text);
    let without = |given: &str| {
        let texts: Vec<&str> = whole.iter().map(|text| if *text == given { "" } else { text }).collect();
        join(&texts)
    };
    vec![join(&whole), without(whole[4]), without(whole[15]), join(&whole[..3])]
}
