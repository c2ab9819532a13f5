use std::fmt::Write;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use world::World;

use super::*;
use crate::diagnosis::{Consent, Diagnosis, Finding, FixOutcome, Import, diagnose, record};
use crate::environment::Environment;
use crate::testing::{diagnosed, on_large_stack};

const STORY: &str = "
    /Python/python.exe       imports python38.dll
    /Python/python38.dll     version 3.8.10150.1013
    /Python/Lib/os.py        text
    /Python/Lib/site-packages/pkg/__init__.py   text
        import os, glob, ctypes
        for dll in glob.glob(os.path.join(os.path.dirname(__file__), '*.dll')):
            ctypes.WinDLL(dll)
        try:
            from . import optional
        except ImportError:
            pass
        from . import native
    /Python/Lib/site-packages/pkg/native.cp38-win_amd64.pyd   imports msvcp140.dll, helper.dll
    /Python/Lib/site-packages/pkg/optional.pyd  imports cudart64_101.dll
    /Python/Lib/site-packages/pkg/helper.dll
    /Python/Lib/site-packages/pkg-1.0.dist-info/METADATA   text
        Metadata-Version: 2.1
        Name: pkg
        Version: 1.0

        A description that stays at home.
    /Python/Lib/site-packages/pkg-1.0.dist-info/RECORD     text
        pkg/__init__.py,sha256=x,20
        pkg/helper.dll,sha256=x,7
        pkg/gone.dll,sha256=x,7
        secret_plans/secret.txt,sha256=x,20
    /cuda/cudart64_101.dll
    path /cuda
    import pkg
";

/// Records the diagnosis of a world. Returns the snapshot and the diagnosis.
fn recorded(world: &str) -> (Vec<u8>, Diagnosis) {
    let world = World::new(world).unwrap();
    let (host, environment, diagnosis) = diagnosed(&world);
    let (host, recorder) = Recorder::over(&host);
    let file = world.root().join("machine.json.xz");
    on_large_stack(|| {
        let environment = Environment::on(&environment.interpreter, &host).unwrap();
        let imports = [Import::first("pkg")];
        let recorded = record(&recorder, &host, &environment, &imports, Consent::default(), "").unwrap();
        recorded.snapshot.write(&file).unwrap();
    });
    (std::fs::read(file).unwrap(), diagnosis)
}

fn replayed(snapshot: &[u8]) -> Result<Diagnosis, SnapshotError> {
    let host = read(snapshot, "machine.json.xz")?;
    let interpreter = host.recorded_interpreter.clone().unwrap();
    Ok(on_large_stack(|| {
        let environment = Environment::on(&interpreter, &host).unwrap();
        diagnose(&host, &environment, &[Import::first("pkg")])
    }))
}

fn unpacked(snapshot: &[u8]) -> String {
    let mut text = String::new();
    XzReader::new(snapshot, false).read_to_string(&mut text).unwrap();
    text
}

fn check_refused(snapshot: &[u8], expected: Expect) {
    match read(snapshot, "machine.json.xz") {
        Ok(_) => panic!("it was read"),
        Err(error) => expected.assert_eq(&error.to_string()),
    }
}

#[test]
fn a_recorded_machine_gives_the_same_diagnosis() {
    let (snapshot, diagnosis) = recorded(STORY);
    let again = replayed(&snapshot).unwrap();
    assert_eq!(diagnosis.findings.len(), 3);
    assert_eq!(again.findings, diagnosis.findings);
    assert_eq!((again.packages, again.health), (diagnosis.packages, diagnosis.health));
}

/// A package with secrets in every place that a diagnosis reads, and a few strings that influence
/// what it loads. Each word that starts with `SECRET` is a secret.
const SECRETIVE: &str = r#"
    /Users/ADALOVELACE/Python/python.exe       imports python38.dll
    /Users/ADALOVELACE/Python/python38.dll     version 3.8.10150.1013
    /Users/ADALOVELACE/Python/Lib/os.py        text
    "/Users/ADALOVELACE/OneDrive - SECRETcompany/lib/other.dll"
    "/Users/ADALOVELACE/OneDrive - SECRETcompany/src/"
    /Users/ADALOVELACE/env/Scripts/python.exe
    /Users/ADALOVELACE/env/pyvenv.cfg   text
        home = C:\Users\AdaLovelace\Python
        prompt = SECRETprompt
        command = C:\Users\AdaLovelace\Python\python.exe -m venv SECRETcommand
    /Users/ADALOVELACE/env/Lib/site-packages/sitecustomize.py   text
        TOKEN = 'SECRETsitecustomize'
    /Users/ADALOVELACE/env/Lib/site-packages/own.pth   text
        # SECRETremark
        C:\Users\adalovelace\OneDrive - SECRETcompany\src
        \\SECRETserver\SECRETshare\src
        import os; os.environ['A_TOKEN'] = 'SECRETpth'
    /Users/ADALOVELACE/env/Lib/site-packages/pkg-1.0.dist-info/METADATA   text
        Metadata-Version: 2.1
        Name: pkg
        Version: 1.0
        Author: SECRETauthor
        Author-email: SECRETaddress@example.org
        Keywords: SECRETkeyword
        Requires-Dist: numpy @ https://SECRETuser:SECRETword@example.org/SECRETpath.whl

        SECRETdescription
    /Users/ADALOVELACE/env/Lib/site-packages/pkg-1.0.dist-info/RECORD   text
        pkg/__init__.py,sha256=SECREThash,1
        pkg/SECRETmodule.py,sha256=SECREThash,1
        pkg/libs/helper.dll,sha256=SECREThash,99999999
        pkg-1.0.dist-info/SECRETfile,sha256=SECREThash,1
    /Users/ADALOVELACE/env/Lib/site-packages/pkg-1.0.dist-info/direct_url.json   text
        {"url": "https://SECRETuser:SECRETword@example.org/SECRETrepository.git"}
    /Users/ADALOVELACE/env/Lib/site-packages/pkg/settings.json   text
        {"mode": "full", "token": "SECRETjson", "more": ["SECRETlist"]}
    /Users/ADALOVELACE/env/Lib/site-packages/pkg/settings.ini   text
        token = SECRETini
    /Users/ADALOVELACE/env/Lib/site-packages/pkg/config.py   text
        "The docstring has SECRETdocstring."
        # SECRETcomment
        import json, os, sys
        API_KEY = 'SECRETconstant'
        RAW = b'SECRETbytes'
        DATABASE = 'postgres://ada:SECRETpassword@db.example/prod'
        SETTINGS = {'mode': 'full', 'key': 'SECRETvalue', 'keys': ['SECRETelement', ('SECRETinner',)]}
        def connect(address='SECRETdefault', *, token='SECRETkeyword'):
            return address
        os.environ['OPENAI_API_KEY'] = 'SECRETvariable'
        os.environ.setdefault('B_TOKEN', 'SECRETsetdefault')
        class Client:
            secret = 'SECRETattribute'
            def __init__(self, key, region='SECRETregion'):
                self.key = key
        client = Client('SECRETargument')
        stripped = ' SECRETstripped '.strip().lower()
        if len('SECRETlength') < 6 or 'SECRETcontained' in 'SECRETcontaining':
            weak = True
        line = '%s:%s' % ('SECRETleft', 'SECRETright') + 'SECRETformatted {}'.format('x')
        customers = [name.upper() for name in ('SECRETone', 'SECRETtwo')]
        greeting = f'SECRETjoined {client}'
        path = r'\\SECRETserver\SECRETshare\x'
        address = connect('SECRETcall' + API_KEY)
        with open(os.path.join(os.path.dirname(__file__), 'settings.json')) as file:
            FILE = json.load(file)
        with open(os.path.join(os.path.dirname(__file__), 'settings.ini')) as file:
            TEXT = file.read()
        if API_KEY and DATABASE and FILE['mode'] == 'full':
            folder = 'libs'
    /Users/ADALOVELACE/env/Lib/site-packages/pkg/__init__.py   text
        import os, sys, ctypes
        from . import config
        here = os.path.dirname(__file__)
        if config.SETTINGS['mode'] == 'full' and sys.platform == 'win32':
            ctypes.WinDLL(os.path.join(here, config.folder, 'helper.dll'))
        if config.SETTINGS['key'] == config.API_KEY:
            ctypes.WinDLL('never.dll')
    /Users/ADALOVELACE/env/Lib/site-packages/pkg/libs/helper.dll   imports gone.dll
    python /Users/ADALOVELACE/env
    variable TF_CPP_TOKEN SECRETenvironment
    variable CONDA_TOKEN SECRETconda
    path C:\Users\ADALovelace\OneDrive - SECRETcompany\lib;\\SECRETserver\SECRETshare\bin;C:\Windows\System32
    import pkg
"#;

/// Returns the words of a text that contain one of these secrets, in any case.
fn words_with(text: &str, secrets: [&str; 2]) -> BTreeSet<String> {
    let secrets = secrets.map(str::to_lowercase);
    let words = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    words.filter(|word| secrets.iter().any(|secret| word.contains(secret))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_secret_and_no_name_is_recorded(
        secret in "[A-Z][a-z]{2}[0-9]{2}[A-Za-z0-9]{4,20}",
        user in "[A-Z][a-z]{3}[0-9][a-z]{2,8}",
    ) {
        let story = SECRETIVE.replace("SECRET", &secret);
        let story = story.replace("ADALOVELACE", &user.to_uppercase()).replace("AdaLovelace", &user);
        let story = story.replace("adalovelace", &user.to_lowercase()).replace("ADALovelace", &user);
        let (snapshot, diagnosis) = recorded(&story);
        prop_assert_eq!(diagnosis.findings.len(), 2);
        let again = replayed(&snapshot).unwrap();
        let codes = |diagnosis: &Diagnosis| diagnosis.findings.iter().map(|it| it.code).collect::<Vec<_>>();
        prop_assert_eq!(codes(&again), codes(&diagnosis));
        let text = unpacked(&snapshot);
        prop_assert_eq!(words_with(&text, [&secret, &user]), BTreeSet::new());
        for needed in ["'win32", "'libs", "'helper.dll"] {
            prop_assert!(text.contains(needed), "{}", needed);
        }
    }
}

/// Returns the snapshot of a world, after checking that its replay gives the same diagnosis.
fn checked_snapshot(story: &str) -> String {
    let (snapshot, diagnosis) = recorded(story);
    let again = replayed(&snapshot).unwrap();
    assert_eq!(again.findings, diagnosis.findings);
    assert_eq!((again.packages, again.health), (diagnosis.packages, diagnosis.health));
    unpacked(&snapshot)
}

#[test]
fn neighbours_of_requested_files_are_not_recorded() {
    let text = checked_snapshot(
        r"
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg.pth   text
            C:\repositories\asked
        /Python/Lib/site-packages/pkg/__init__.py   text
            import os
            if os.path.isdir('C:/CUDA') and os.path.isfile('C:/data/flag.dll') and not os.path.exists('C:/data/none'):
                from . import native
        /Python/Lib/site-packages/pkg/native.pyd    imports gone.dll
        /CUDA/
        /data/flag.dll
        /data/neighbour.dll
        /repositories/asked/
        /repositories/neighbour/
        import pkg
        ",
    );
    assert!(text.contains("flag.dll") && text.contains("asked"));
    assert!(!text.contains("neighbour"));
}

#[test]
fn manifests_are_recorded() {
    let text = checked_snapshot(
        r#"
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg/__init__.py   text
            KEY = 'a text that is withheld'
            from . import native
        /Python/Lib/site-packages/pkg/native.pyd    imports part.dll, gone.dll, manifest "<assembly><dependency><dependentAssembly><assemblyIdentity name='parts' version='1.0.0.0'/></dependentAssembly></dependency></assembly>"
        /Python/Lib/site-packages/pkg/parts/parts.manifest   text
            <assembly><assemblyIdentity name='parts' version='1.0.0.0'/><file name='part.dll'/></assembly>
        /Python/Lib/site-packages/pkg/parts/part.dll
        import pkg
        "#,
    );
    assert!(text.contains("<file name='part.dll'/>") && !text.contains("withheld'"));
    assert!(!text.contains("a text that is withheld"));
}

#[test]
fn a_snapshot_whose_replay_differs_is_marked() {
    // The module reads its own metadata, of which a snapshot only contains the headers that WhyDLL
    // reads.
    let world = World::new(
        r"
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg/__init__.py   text
            with open('C:/Python/Lib/site-packages/pkg-1.0.dist-info/METADATA') as file:
                if 'Keywords' in file.read():
                    from . import native
        /Python/Lib/site-packages/pkg/native.pyd    imports gone.dll
        /Python/Lib/site-packages/pkg-1.0.dist-info/METADATA   text
            Name: pkg
            Keywords: these stay at home
        import pkg
        ",
    )
    .unwrap();
    let (host, environment, diagnosis) = diagnosed(&world);
    assert_eq!(diagnosis.findings.len(), 1);
    let (host, recorder) = Recorder::over(&host);
    on_large_stack(|| {
        let environment = Environment::on(&environment.interpreter, &host).unwrap();
        let imports = [Import::first("pkg")];
        let recorded = record(&recorder, &host, &environment, &imports, Consent::default(), "").unwrap();
        assert!(!recorded.is_exact);
        assert_eq!(recorded.snapshot.replayed().unwrap().kind, HostKind::Snapshot { is_exact: false });
        assert!(
            recorded.snapshot.contents().unwrap().files.values().all(|text| !text.contains("stay at home"))
        );
    });
}

#[test]
fn a_secret_that_influences_the_import_is_not_recorded() {
    let story = SECRETIVE.replace("'helper.dll'", "'helper.dll', 'ghp_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R'");
    let world = World::new(&story).unwrap();
    let (host, environment, _) = diagnosed(&world);
    let (host, recorder) = Recorder::over(&host);
    let imports = [Import::first("pkg")];
    let consent = Consent::default();
    let refused =
        on_large_stack(|| record(&recorder, &host, &environment, &imports, consent, "").err().unwrap());
    expect!["no snapshot was written: it would contain what looks like a token (“ghp_0a1B…”), and snapshots are made to be shared"]
        .assert_eq(&refused.to_string());
}

#[test]
fn searched_strings_are_recorded_without_the_files() {
    let story = "
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg/__init__.py   text
            from . import shape_pb2
        /Python/Lib/site-packages/pkg/shape_pb2.py  text
            _SHAPE = _descriptor.Descriptor(
              fields=[
                _descriptor.FieldDescriptor(  # a remark that stays at home
                  name='size')])
        /Python/Lib/site-packages/protobuf-4.25.3.dist-info/METADATA   text
            Name: protobuf
        /Python/Lib/site-packages/google/_upb/_message.pyd
        import pkg
    ";
    let (snapshot, diagnosis) = recorded(story);
    assert_eq!(diagnosis.findings.len(), 1);
    assert_eq!(replayed(&snapshot).unwrap().findings, diagnosis.findings);
    assert!(!unpacked(&snapshot).contains("stays at home"));
}

#[test]
fn facts_of_a_running_machine_are_recorded() {
    let long = "d".repeat(240);
    let story = format!(
        "
        /Python/python.exe       imports python38.dll
        /Python/python38.dll     version 3.8.10150.1013
        /Python/Lib/os.py        text
        /Python/Lib/site-packages/pkg/__init__.py   text
            try:
                from . import native
            except ImportError:
                pass
            from . import {long}
        /Python/Lib/site-packages/pkg/{long}.pyd
        /Python/Lib/site-packages/pkg/native.pyd    uses avx, imports msvcp140.dll
        short paths
        processor sse3
        registered 14.38.33130.0
        import pkg
        "
    );
    let (snapshot, diagnosis) = recorded(&story);
    let codes: Vec<&str> = diagnosis.findings.iter().map(|finding| finding.code.name()).collect();
    assert_eq!(codes, ["path-too-long", "missing-vc-runtime", "unsupported-cpu"]);
    assert!(diagnosis.findings.iter().any(|finding| finding.evidence.contains("The registry says")));
    assert_eq!(replayed(&snapshot).unwrap().findings, diagnosis.findings);
}

#[test]
fn a_snapshot_need_not_be_compressed() {
    let (snapshot, diagnosis) = recorded(STORY);
    let text = unpacked(&snapshot);
    assert_eq!(replayed(text.as_bytes()).unwrap().findings, diagnosis.findings);
}

#[test]
fn facts_that_a_diagnosis_does_not_need_are_not_recorded() {
    let text = unpacked(&recorded(STORY).0);
    for secret in ["A description that stays at home", "secret.txt"] {
        assert!(!text.contains(secret), "{secret} is in the snapshot");
    }
}

#[test]
fn facts_that_were_not_recorded_are_errors() {
    let (snapshot, _) = recorded(STORY);
    let host = read(&*snapshot, "machine.json.xz").unwrap();
    let elsewhere = WinPath::new(r"C:\nowhere\a.dll");
    assert_eq!(host.files.size(&elsewhere), Err(FileError::NotRecorded));
    assert_eq!(host.files.text(&elsewhere), Err(FileError::NotRecorded));
    assert!(host.files.image(&elsewhere).is_err() && host.files.script(&elsewhere).is_err());
    assert!(host.files.folder(&elsewhere).is_err() && host.files.archive(&elsewhere).is_err());
}

#[test]
fn a_snapshot_of_a_newer_version_is_refused() {
    check_refused(
        br#"{"whydllSnapshot": 99, "anything": ["new"]}"#,
        expect![
            "machine.json.xz is a snapshot in format 99, but this whydll reads formats up to 2 only: update whydll"
        ],
    );
}

#[test]
fn a_file_that_is_not_a_snapshot_is_refused_with_a_reason() {
    check_refused(
        b"",
        expect!["can't read snapshot machine.json.xz: EOF while parsing a value at line 1 column 0"],
    );
    check_refused(
        b"{",
        expect!["can't read snapshot machine.json.xz: EOF while parsing an object at line 1 column 1"],
    );
    check_refused(
        b"MZ\x90\0 a program",
        expect!["can't read snapshot machine.json.xz: expected value at line 1 column 1"],
    );
    check_refused(
        br#"{"whydllSnapshot": 1}"#,
        expect!["can't read snapshot machine.json.xz: missing field `interpreter` at line 1 column 21"],
    );
    check_refused(
        br#"{"whydllSnapshot": -1}"#,
        expect![
            "can't read snapshot machine.json.xz: invalid value: integer `-1`, expected u32 at line 1 column 21"
        ],
    );
    check_refused(
        b"\x1f\x8b and no more of it",
        expect!["can't read snapshot machine.json.xz: invalid gzip header"],
    );
    check_refused(b"\x1f\x8b", expect!["can't read snapshot machine.json.xz: unexpected end of file"]);
    check_refused(
        "[".repeat(1_000_000).as_bytes(),
        expect!["can't read snapshot machine.json.xz: it is nested 1000000 levels deep"],
    );
}

#[test]
fn a_snapshot_truncated_anywhere_is_refused() {
    let (snapshot, _) = recorded(STORY);
    let lengths = (0..snapshot.len()).step_by(snapshot.len() / 50);
    for length in lengths.chain([snapshot.len() - 1]) {
        let error = read(&snapshot[..length], "machine.json.xz").err();
        assert!(matches!(error, Some(SnapshotError::Damaged { .. })), "{length} bytes: {error:?}");
    }
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let (snapshot, _) = recorded(STORY);
    for at in (0..snapshot.len()).step_by(snapshot.len() / 200) {
        let mut damaged = snapshot.clone();
        damaged[at] ^= 0x55;
        // The header has a time and flags that aren't checked, and a repetition may refer to
        // another place with the same bytes. Any other change must be detected.
        if read(&*damaged, "machine.json.xz").is_ok() {
            assert!(at < 10 || unpacked(&damaged) == unpacked(&snapshot), "byte {at} was not detected");
        }
    }
}

/// Replays a snapshot whose facts were changed. Returns the outcome in words.
fn outcome(text: &str) -> String {
    let host = match read(text.as_bytes(), "machine.json.xz") {
        Ok(host) => host,
        Err(error) => {
            let error = error.to_string();
            // Without the place in the file.
            return format!("refused: {}", error.split(" at line").next().unwrap_or_default());
        }
    };
    let Some(interpreter) = host.recorded_interpreter.clone() else {
        return "no interpreter".to_owned();
    };
    on_large_stack(|| match Environment::at(&interpreter, &*host.files) {
        Ok(environment) => {
            let findings = diagnose(&host, &environment, &[Import::first("pkg")]).findings;
            let codes: Vec<&str> = findings.iter().map(|finding| finding.code.name()).collect();
            format!("diagnosed: {}", codes.join(", "))
        }
        Err(error) => format!("no environment: {error}"),
    })
}

#[test]
fn a_snapshot_of_malicious_facts_does_not_panic() {
    let text = unpacked(&recorded(STORY).0);
    let changes = [
        ("site-packages", "site-packages\u{0}"),
        (r"C:\\", ""),
        ("native", ""),
        ("native", "../../native"),
        ("2048", "-1"),
        (".dll", ""),
        ("imports", "exports"),
        ("python38", "python38python38python38"),
    ];
    let mut outcomes = String::new();
    for (from, to) in changes {
        let changed = text.replace(from, to);
        assert!(changed != text, "{from} is not in the snapshot");
        writeln!(outcomes, "{from:?} is {to:?}: {}", outcome(&changed)).unwrap();
    }
    expect![[r#"
        "site-packages" is "site-packages\0": refused: can't read snapshot machine.json.xz: control character (\u0000-\u001F) found while parsing a string
        "C:\\\\" is "": diagnosed: not-on-search-path
        "native" is "": diagnosed: missing-vc-runtime, not-on-search-path, damaged-install
        "native" is "../../native": diagnosed: not-on-search-path, damaged-install
        "2048" is "-1": refused: can't read snapshot machine.json.xz: invalid value: integer `-1`, expected u64
        ".dll" is "": no environment: C:\Python\python.exe cannot start: pythonXY.dll is not next to it
        "imports" is "exports": refused: can't read snapshot machine.json.xz: missing field `imports`
        "python38" is "python38python38python38": no environment: C:\Python\python.exe cannot start: pythonXY.dll is not next to it
    "#]].assert_eq(&outcomes);
}

#[test]
fn a_missing_file_is_an_error_with_its_name() {
    let error = open(Path::new("/nowhere/machine.json.xz")).err().unwrap();
    assert!(
        matches!(error, SnapshotError::File { .. }) && error.to_string().contains("/nowhere/machine.json.xz")
    );
}

/// The snapshot was written in version 1 of the format, from [`STORY`] with a System32 of three
/// DLLs.
#[test]
fn a_snapshot_of_the_first_format_is_still_read() {
    let (_, diagnosis) = recorded(STORY);
    let again = replayed(include_bytes!("first-format.json")).unwrap();
    assert_eq!(diagnosis.findings.len(), 3);
    assert!(diagnosis.findings.iter().all(|finding| finding.fixes.first().is_some_and(|fix| fix.preferred)));
    // It doesn't contain what follows a failure, so fixes cannot be tried.
    let tried = again.findings.iter().flat_map(|finding| &finding.fixes);
    assert!(tried.into_iter().any(|fix| matches!(fix.outcome, FixOutcome::Unknown(_))));
    let without_fixes = |diagnosis: Diagnosis| {
        let findings = diagnosis.findings.into_iter();
        findings
            .map(|it| Finding { advice: String::new(), fixes: Vec::new(), ..it })
            .collect::<Vec<Finding>>()
    };
    assert_eq!(without_fixes(again), without_fixes(diagnosis));
}
