//! Scenarios of an editor window: what the editor does, what analyses find, and what is published.

use std::collections::BTreeMap;
use std::sync::Arc;

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tokio::sync::oneshot::error::TryRecvError;

use super::*;
use crate::action::Action;
use crate::diagnosis::{
    Code, Coverage, DiagnosedPackage, Diagnosis, DiagnosisMemo, Finding, Fix, Health as DiagnosisHealth,
    Import, PackageFilter, Severity,
};
use crate::environment::InterpreterSpec;
use crate::host::{Host, Watched, WinPath};
use crate::lsp::analysis::{Absence, Examined, Unavailable, names};
use crate::lsp::document::TextChange;
use crate::lsp::event::Query;
use crate::lsp::requests::code_action;
use crate::source::Position;

/// A window with the folder `/w`, whose settings name the interpreter `/env`.
struct Window {
    session: Session,
    last: u64,
    /// The imports of the last analysis.
    imports: Vec<Import>,
    /// The cancellation of the last analysis.
    stop: CancellationToken,
    /// The cancellation of the last background work.
    background: CancellationToken,
}

impl Window {
    fn new() -> Window {
        Window::with(json!({ "interpreter": "/env" }), ClientAbilities::default())
    }

    fn with(settings: Value, abilities: ClientAbilities) -> Window {
        let mut session = Session::default();
        session.begin(abilities, Some(&settings), vec![uri("/w")]);
        session.initialized();
        Window {
            session,
            last: 0,
            imports: Vec::new(),
            stop: CancellationToken::default(),
            background: CancellationToken::default(),
        }
    }

    fn open(&mut self, path: &str, text: &str) -> &mut Window {
        self.session.open(uri(path), 1, text.to_owned());
        self
    }

    /// Ends the last analysis with these findings.
    fn answered(&mut self, findings: &[(&str, &[Finding])]) -> &mut Window {
        let answer = answer(&self.imports, findings);
        self.session.analysed(self.last, answer);
        self
    }

    /// Reconciles the session and checks its effects.
    fn check(&mut self, expected: Expect) -> &mut Window {
        self.session.reconcile();
        let effects = self.session.take_effects();
        let text: String = effects.iter().map(|effect| self.describe(effect)).collect();
        expected.assert_eq(&without_drive(text));
        self
    }

    fn describe(&mut self, effect: &Effect) -> String {
        match effect {
            Effect::Publish(params) => {
                let version = params.version.map(|version| format!(" v{version}")).unwrap_or_default();
                let mut text = format!("{}{version}:", params.uri);
                for diagnostic in &params.diagnostics {
                    let start = diagnostic.range.start;
                    text += &format!(
                        "\n    {}:{} {:?} {}",
                        start.line,
                        start.character,
                        diagnostic.severity.unwrap(),
                        diagnostic.message
                    );
                }
                if params.diagnostics.is_empty() { text + " nothing\n" } else { text + "\n" }
            }
            Effect::Health(health) => {
                let scope = health.scope_uri.as_ref().map_or("elsewhere", |uri| uri.as_str());
                format!("{scope} is {}: {} ({})\n", health.state.name(), health.summary, health.findings)
            }
            Effect::Analyse { generation, analysis, .. } => {
                self.last = *generation;
                self.stop = analysis.stop.clone();
                self.imports = analysis.imports.clone();
                let folder =
                    |import: &Import| import.document.as_ref().map(|document| document.folder.clone());
                let asked = analysis.imports.iter().map(|import| match folder(import) {
                    Some(folder) => format!("{} in {folder}", import.name),
                    None => import.name.clone(),
                });
                let asked = asked.collect::<Vec<String>>().join(", ");
                format!("analyse {asked} in {:?}\n", analysis.target.interpreter)
            }
            Effect::ShowProgress(_) => "show progress, if it takes a while\n".to_owned(),
            Effect::Progress { message, .. } => format!("progress: {message}\n"),
            Effect::PullSettings { folders, .. } => {
                format!("ask for settings of {} folders\n", folders.len())
            }
            Effect::Watch { target, replaces, .. } => {
                let verb = if *replaces { "replace" } else { "extend" };
                format!("{verb} the watch on {:?}\n", target.interpreter)
            }
            Effect::Prove(analysis) => {
                self.background = analysis.stop.clone();
                format!(
                    "try the fixes of {} in {:?}\n",
                    names(&analysis.imports),
                    analysis.target.interpreter
                )
            }
            Effect::Forget(_) | Effect::Register(_) | Effect::Log(..) | Effect::GiveBackMemory => {
                String::new()
            }
        }
    }
}

/// On Windows a path has a drive, which the scenarios omit.
fn uri(path: &str) -> Url {
    let drive = if cfg!(windows) { "/c:" } else { "" };
    Url::parse(&format!("file://{drive}{path}")).unwrap()
}

fn without_drive(text: String) -> String {
    if !cfg!(windows) {
        return text;
    }
    let text = text.replace("file:///c:", "file://").replace(r"\\", "/").replace('\\', "/");
    text.replace("C:/", "/").replace("c:/", "/")
}

/// The answer to the `asked` imports with the findings for these names; other names have no
/// diagnosis.
fn answer(asked: &[Import], findings: &[(&str, &[Finding])]) -> Answer {
    let mut diagnoses = BTreeMap::new();
    for (import, findings) in findings {
        let name = import.split('.').next().unwrap();
        let missing = findings.iter().any(|finding| finding.code == Code::NotInstalled);
        let package = DiagnosedPackage {
            import: name.to_owned(),
            distribution: (!missing).then(|| format!("{name}-cpu")),
            version: (!missing).then(|| "2.3.0".to_owned()),
            path: (!missing).then(|| WinPath::new("/env/Lib/site-packages").join(name)),
            coverage: Coverage::default(),
        };
        let diagnosis = Diagnosis {
            findings: findings.to_vec(),
            packages: vec![package],
            health: DiagnosisHealth::of(findings),
            runtime: None,
        };
        let diagnosis = Arc::new(diagnosis);
        let named = asked.iter().filter(|asked| asked.name == *import).cloned();
        diagnoses.extend(named.map(|asked| (asked, diagnosis.clone())));
    }
    let examined = Examined {
        interpreter: "/env/python.exe".to_owned(),
        version: "3.8.10".to_owned(),
        kind: "venv".to_owned(),
        machine: "windows-11".to_owned(),
    };
    Answer { environment: Ok(examined), diagnoses, memo: DiagnosisMemo::default(), watched: None }
}

fn finding(code: Code, severity: Severity) -> Finding {
    Finding {
        code,
        severity,
        is_note: false,
        is_handled: false,
        package: "tensorflow".to_owned(),
        what: format!("{code} is the matter. And more."),
        evidence: String::new(),
        advice: String::new(),
        caution: String::new(),
        dlls: Vec::new(),
        chain: Vec::new(),
        searched: Vec::new(),
        win_error: None,
        python_error: None,
        related: Vec::new(),
        winner: None,
        fixes: Vec::new(),
    }
}

fn failure() -> Finding {
    finding(Code::MissingVcRuntime, Severity::Error)
}

#[test]
fn documents_with_the_same_import_in_one_folder_share_one_answer() {
    Window::new()
        .check(expect![[r#"
            analyse tensorflow in Named("/env")
            file:///w is checking: checking tensorflow (0)
        "#]])
        .open("/w/a.py", "import tensorflow\n")
        .open("/w/plain.py", "import os\n")
        .check(expect![[r#"
            file:///w/plain.py v1: nothing
        "#]])
        .answered(&[("tensorflow", &[failure()])])
        .check(expect![[r#"
            analyse tensorflow in /w in Named("/env")
            file:///w is broken: missing-vc-runtime is the matter (1)
        "#]])
        .answered(&[("tensorflow", &[failure()])])
        .check(expect![[r#"
            file:///w/a.py v1:
                0:7 Error missing-vc-runtime is the matter.
            And more.
        "#]])
        .open("/w/b.py", "\nimport tensorflow\n")
        .check(expect![[r#"
            file:///w/b.py v1:
                1:7 Error missing-vc-runtime is the matter.
            And more.
        "#]])
        .open("/w/inner/c.py", "import tensorflow\n")
        .check(expect![[r#"
            analyse tensorflow in /w/inner in Named("/env")
        "#]]);
}

#[test]
fn each_version_of_a_document_and_its_end_are_published() {
    let mut window = Window::new();
    window.check(expect![[r#"
        analyse tensorflow in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    window.answered(&[("tensorflow", &[])]).open("/w/a.py", "import tensorflow\n").check(expect![[r#"
        analyse tensorflow in /w in Named("/env")
        file:///w is healthy: tensorflow-cpu 2.3.0 imports without errors (0)
    "#]]);
    window.answered(&[("tensorflow", &[])]).check(expect![[r#"
        file:///w/a.py v1: nothing
    "#]]);
    let place = Position { line: 0, character: 0 };
    let insert = |text: &str| {
        let range = Some(crate::source::Range { start: place, end: place });
        vec![TextChange { range, text: text.to_owned() }]
    };
    window.session.change(&uri("/w/a.py"), 2, insert("#"));
    window.session.change(&uri("/w/a.py"), 3, insert("#"));
    window.check(expect![[r#"
        file:///w/a.py v3: nothing
    "#]]);
    window.session.close(uri("/w/a.py"));
    window.session.change(&uri("/w/a.py"), 4, insert("#"));
    window.check(expect![[r#"
        file:///w/a.py: nothing
    "#]]);
}

#[test]
fn an_answer_that_came_too_late_is_dropped() {
    let mut window = Window::new();
    window.open("/w/a.py", "import tensorflow\n").check(expect![[r#"
        analyse tensorflow, tensorflow in /w in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    let superseded = window.last;
    window.session.use_interpreter(Some(uri("/w")), "/other".into());
    window.check(expect![[r#"
        analyse tensorflow, tensorflow in /w in Named("/other")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    let late = answer(&window.imports, &[("tensorflow", &[failure()])]);
    window.session.analysed(superseded, late);
    window.check(expect![""]);
    window.answered(&[("tensorflow", &[])]).check(expect![[r#"
        file:///w/a.py v1: nothing
        file:///w is healthy: tensorflow-cpu 2.3.0 imports without errors (0)
    "#]]);
    // Back to the interpreter of the setting, whose answer was dropped. A document represents its folder.
    window.session.use_interpreter(Some(uri("/w/a.py")), "/env".into());
    window.check(expect![[r#"
        analyse tensorflow, tensorflow in /w in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    window.answered(&[("tensorflow", &[failure()])]).check(expect![[r#"
        file:///w/a.py v1:
            0:7 Error missing-vc-runtime is the matter.
        And more.
        file:///w is broken: missing-vc-runtime is the matter (1)
    "#]]);
    // And back to the other one, whose answer is known.
    window.session.use_interpreter(Some(uri("/w")), "/other".into());
    window.check(expect![[r#"
        file:///w/a.py v1: nothing
        file:///w is healthy: tensorflow-cpu 2.3.0 imports without errors (0)
    "#]]);
}

#[test]
fn each_import_has_its_own_diagnosis() {
    let text = "import tensorflow.keras\nfrom tensorflow import keras\n";
    let mut window = Window::new();
    window.open("/w/a.py", text).check(expect![[r#"
        analyse tensorflow, tensorflow in /w, tensorflow.keras in /w in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    let missing = finding(Code::NotInstalled, Severity::Error);
    window.answered(&[("tensorflow", &[]), ("tensorflow.keras", &[missing])]).check(expect![[r#"
        file:///w/a.py v1:
            0:7 Error not-installed is the matter.
        And more.
        file:///w is healthy: tensorflow-cpu 2.3.0 imports without errors (0)
    "#]]);
    window.session.check_again();
    window.check(expect![[r#"
        analyse tensorflow, tensorflow in /w, tensorflow.keras in /w in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    window.answered(&[("tensorflow", &[failure()])]).check(expect![[r#"
        analyse tensorflow.keras in /w in Named("/env")
        file:///w is broken: missing-vc-runtime is the matter (1)
    "#]]);
    window.answered(&[("tensorflow.keras", &[failure()])]).check(expect![[r#"
        file:///w/a.py v1:
            0:7 Error missing-vc-runtime is the matter.
        And more.
        Also at line 2.
    "#]]);
}

#[test]
fn the_code_around_an_import_and_the_settings_decide_the_severity() {
    let text = "try:\n    import tensorflow\nexcept ImportError:\n    pass\n\
                if TYPE_CHECKING:\n    import tensorflow\n";
    let mut window = Window::new();
    window.open("/w/a.py", text).check(expect![[r#"
        analyse tensorflow, tensorflow in /w in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    window.answered(&[("tensorflow", &[failure()])]).check(expect![[r#"
        file:///w/a.py v1:
            1:11 Hint missing-vc-runtime is the matter.
        And more.
        file:///w is healthy: missing-vc-runtime is the matter (1)
    "#]]);
    let settings = json!({ "interpreter": "/env", "severity": { "missing-vc-runtime": "off" } });
    window.session.settings_changed(&json!({ "whydll": settings }));
    window.check(expect![[r#"
        file:///w/a.py v1: nothing
        file:///w is healthy: tensorflow-cpu 2.3.0 imports without errors (0)
    "#]]);
}

#[test]
fn a_lazy_import_points_to_its_first_use() {
    let mut window = Window::new();
    let fails = Finding { what: "`import tensorflow` will fail: it is broken.".to_owned(), ..failure() };
    window.open("/w/a.py", "lazy import tensorflow as tf\n\nprint('ready')\ntf.run()\n");
    window.session.reconcile();
    window.session.take_effects().iter().for_each(|effect| drop(window.describe(effect)));
    window.answered(&[("tensorflow", &[fails])]).session.reconcile();
    let effects = window.session.take_effects();
    let published = effects.iter().find_map(|effect| match effect {
        Effect::Publish(params) => params.diagnostics.first(),
        _ => None,
    });
    let published = published.unwrap();
    assert_eq!((published.range.start.line, published.range.start.character), (0, 12));
    assert_eq!(
        published.message,
        "`import tensorflow` will fail when it is first used, on line 4: it is broken."
    );
    let [first] = published.related_information.as_deref().unwrap() else { panic!("{published:?}") };
    assert_eq!((first.location.range.start.line, first.location.range.end.character), (3, 2));
    assert_eq!(first.message, "`lazy import tensorflow` runs here, at its first use");
}

#[test]
fn a_package_that_no_document_imports_may_be_missing() {
    let mut window = Window::new();
    window.check(expect![[r#"
        analyse tensorflow in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    let missing = finding(Code::NotInstalled, Severity::Error);
    window.answered(&[("tensorflow", std::slice::from_ref(&missing))]).check(expect![[r#"
        file:///w is healthy: tensorflow is not installed, and no open file imports it (0)
    "#]]);
    window.open("/w/a.py", "import tensorflow\n").check(expect![[r#"
        analyse tensorflow in /w in Named("/env")
        file:///w is broken: not-installed is the matter (1)
    "#]]);
    window.answered(&[("tensorflow", &[missing])]).check(expect![[r#"
        file:///w/a.py v1:
            0:7 Error not-installed is the matter.
        And more.
    "#]]);
}

#[test]
fn nothing_begins_before_the_settings_are_known() {
    let abilities = ClientAbilities { configuration: true, ..ClientAbilities::default() };
    let mut window = Window::with(json!({}), abilities);
    window.open("/elsewhere.py", "import tensorflow\n").check(expect![[r#"
        ask for settings of 1 folders
    "#]]);
    let pulled = window.session.pulling.unwrap();
    window.session.settings_pulled(pulled - 1, &[json!({ "interpreter": "/old" })]);
    window.check(expect![""]);
    window
        .session
        .settings_pulled(pulled, &[json!({ "interpreter": "env" }), json!({ "interpreter": "/env" })]);
    window.check(expect![[r#"
        analyse tensorflow in Named("/w/env")
        file:///w is checking: checking tensorflow (0)
        elsewhere is checking: checking tensorflow (0)
    "#]]);
    window.answered(&[("tensorflow", &[])]).check(expect![[r#"
        analyse tensorflow, tensorflow in / in Named("/env")
        file:///w is healthy: tensorflow-cpu 2.3.0 imports without errors (0)
    "#]]);
}

#[test]
fn an_added_folder_takes_over_its_documents() {
    let mut window = Window::new();
    window.open("/v/a.py", "import tensorflow\n").check(expect![[r#"
        analyse tensorflow in Named("/env")
        file:///w is checking: checking tensorflow (0)
        elsewhere is checking: checking tensorflow (0)
    "#]]);
    window.answered(&[("tensorflow", &[])]).check(expect![[r#"
        analyse tensorflow in /v in Named("/env")
        file:///w is healthy: tensorflow-cpu 2.3.0 imports without errors (0)
        elsewhere is healthy: tensorflow-cpu 2.3.0 imports without errors (0)
    "#]]);
    window.answered(&[("tensorflow", &[])]).check(expect![[r#"
        file:///v/a.py v1: nothing
    "#]]);
    window.session.use_interpreter(Some(uri("/v")), "/other".into());
    window.session.folders_changed(vec![uri("/v")], &[uri("/w")]);
    window.check(expect![[r#"
        analyse tensorflow, tensorflow in /v in Named("/other")
        file:///v is checking: checking tensorflow (0)
    "#]]);
    window.answered(&[("tensorflow", &[failure()])]).check(expect![[r#"
        file:///v/a.py v1:
            0:7 Error missing-vc-runtime is the matter.
        And more.
        file:///v is broken: missing-vc-runtime is the matter (1)
    "#]]);
}

#[test]
fn an_unhealthy_environment_is_checked_again_after_a_save() {
    let mut window = Window::new();
    window.open("/w/a.py", "import tensorflow\n").check(expect![[r#"
        analyse tensorflow, tensorflow in /w in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    window.answered(&[("tensorflow", &[failure()])]).check(expect![[r#"
        file:///w/a.py v1:
            0:7 Error missing-vc-runtime is the matter.
        And more.
        file:///w is broken: missing-vc-runtime is the matter (1)
    "#]]);
    window.session.saved(&uri("/w/a.py"));
    window.check(expect![[r#"
        analyse tensorflow, tensorflow in /w in Named("/env")
    "#]]);
    window.answered(&[("tensorflow", &[])]).check(expect![[r#"
        file:///w/a.py v1: nothing
        file:///w is healthy: tensorflow-cpu 2.3.0 imports without errors (0)
    "#]]);
    window.session.saved(&uri("/w/a.py"));
    window.check(expect![""]);
}

#[test]
fn files_that_were_read_are_watched_and_checked_again_when_they_change() {
    let read = || {
        let host = Host::named("windows-11", Default::default()).unwrap();
        Watched::new(&host, &Default::default(), Vec::new(), false)
    };
    let mut window = Window::new();
    window.open("/w/a.py", "import tensorflow\n").check(expect![[r#"
        analyse tensorflow, tensorflow in /w in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    let target = window.session.scopes[0].target.clone();
    // There is no answer yet that could become stale.
    window.session.changed(target.clone());
    let found = answer(&window.imports, &[("tensorflow", &[])]);
    window.session.analysed(window.last, Answer { watched: read(), ..found });
    window.check(expect![[r#"
        replace the watch on Named("/env")
        file:///w/a.py v1: nothing
        file:///w is healthy: tensorflow-cpu 2.3.0 imports without errors (0)
    "#]]);
    window.open("/w/inner/b.py", "import tensorflow\n").check(expect![[r#"
        analyse tensorflow in /w/inner in Named("/env")
    "#]]);
    let found = answer(&window.imports, &[("tensorflow", &[])]);
    window.session.analysed(window.last, Answer { watched: read(), ..found });
    window.check(expect![[r#"
        extend the watch on Named("/env")
        file:///w/inner/b.py v1: nothing
    "#]]);
    window.session.changed(target.clone());
    window.session.changed(target);
    window.check(expect![[r#"
        analyse tensorflow, tensorflow in /w, tensorflow in /w/inner in Named("/env")
    "#]]);
    let gone = Answer {
        watched: read(),
        ..Answer::unknown(Unavailable { reason: "it is gone".to_owned(), absence: Absence::Gone }, None)
    };
    window.session.analysed(window.last, gone);
    window.check(expect![[r#"
        replace the watch on Named("/env")
        file:///w is unknown: it is gone (0)
    "#]]);
}

#[test]
fn a_superseded_analysis_is_cancelled() {
    let mut window = Window::new();
    window.open("/w/a.py", "import tensorflow\n").check(expect![[r#"
        analyse tensorflow, tensorflow in /w in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    let superseded = window.stop.clone();
    window.session.use_interpreter(Some(uri("/w")), "/other".into());
    assert!(!superseded.is_cancelled());
    window.check(expect![[r#"
        analyse tensorflow, tensorflow in /w in Named("/other")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    assert!(superseded.is_cancelled());
    let discarded = window.stop.clone();
    window.session.check_again();
    assert!(discarded.is_cancelled());
}

#[test]
fn an_analysis_that_panics_leaves_the_health_unknown() {
    let mut window = Window::new();
    window.open("/w/a.py", "import tensorflow\n").check(expect![[r#"
        analyse tensorflow, tensorflow in /w in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    window.session.analysed(window.last, Answer::failed());
    window.check(expect![[r#"
        file:///w/a.py v1: nothing
        file:///w is unknown: internal error during analysis; please report it (0)
    "#]]);
}

#[test]
fn an_event_that_panics_does_not_affect_the_rest() {
    let mut window = Window::new();
    let read = Box::new(|_: &Session| panic!("on purpose"));
    window.session.apply(SessionEvent::Query(Query { method: "test", read }));
    window.check(expect![[r#"
        analyse tensorflow in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
}

#[test]
fn any_package_with_native_code_is_watched_by_default() {
    let mut window = Window::new();
    let text =
        "import os\nimport pandas\nimport settings\ntry:\n    import h5py\nexcept ImportError:\n    pass\n";
    window.open("/w/a.py", text).check(expect![[r#"
        analyse h5py in /w, pandas in /w, settings in /w, tensorflow in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    let broken = finding(Code::MissingDll, Severity::Error);
    let damaged = finding(Code::DamagedInstall, Severity::Error);
    let findings: [(&str, &[Finding]); 4] =
        [("tensorflow", &[]), ("pandas", &[broken]), ("settings", &[]), ("h5py", &[damaged])];
    window.answered(&findings).check(expect![[r#"
        file:///w/a.py v1:
            1:7 Error missing-dll is the matter.
        And more.
            4:11 Hint damaged-install is the matter.
        And more.
        file:///w is broken: missing-dll is the matter (2)
    "#]]);
    // Only the packages that the user names are watched.
    let settings = json!({ "interpreter": "/env", "packages": ["h5py"] });
    window.session.settings_changed(&json!({ "whydll": settings }));
    window.check(expect![[r#"
        analyse h5py, h5py in /w in Named("/env")
        file:///w is checking: checking h5py (0)
    "#]]);
}

#[test]
fn a_module_that_is_saved_may_change_what_others_import() {
    let mut window = Window::new();
    window.open("/w/a.py", "import settings\nimport tensorflow\n").open("/w/settings.py", "x = 1\n");
    window.check(expect![[r#"
        analyse settings in /w, tensorflow, tensorflow in /w in Named("/env")
        file:///w/settings.py v1: nothing
        file:///w is checking: checking tensorflow (0)
    "#]]);
    window.answered(&[("tensorflow", &[]), ("settings", &[])]).check(expect![[r#"
        file:///w/a.py v1: nothing
        file:///w is healthy: tensorflow-cpu 2.3.0 and settings-cpu 2.3.0 import without errors (0)
    "#]]);
    window.session.saved(&uri("/w/settings.py"));
    window.check(expect![[r#"
        analyse settings in /w, tensorflow, tensorflow in /w in Named("/env")
    "#]]);
    window.answered(&[("tensorflow", &[]), ("settings", &[])]).check(expect![""]);
    // No other document has imports.
    window.session.saved(&uri("/w/a.py"));
    window.check(expect![""]);
}

#[test]
fn a_module_within_a_package_is_not_run_by_itself() {
    let mut window = Window::new();
    window.open("/w/pkg/a.py", "from . import b\nimport tensorflow\n").check(expect![[r#"
        analyse tensorflow in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
}

/// Checks the actions that are offered on the import of a document.
fn check_offers(window: &Window, expected: Expect) {
    let params = json!({
        "textDocument": { "uri": uri("/w/main.py") },
        "range": { "start": { "line": 0, "character": 8 }, "end": { "line": 0, "character": 8 } },
        "context": { "diagnostics": [] }
    });
    let offered = code_action::answer(&window.session, &serde_json::from_value(params).unwrap()).unwrap();
    let lines: String = offered
        .iter()
        .map(|offer| {
            let offer = serde_json::to_value(offer).unwrap();
            format!("{}: {} {}\n", offer["title"], offer["command"]["command"], offer["command"]["arguments"])
        })
        .collect();
    // On Windows a folder has a drive.
    expected.assert_eq(&lines.replace("file:///c:/", "file:///"));
}

#[test]
fn an_environment_that_has_the_package_is_offered() {
    let missing = |python: &str| {
        let use_it = Fix::new("Use it", Action::UseInterpreter(python.to_owned()));
        Finding { fixes: vec![use_it], ..finding(Code::NotInstalled, Severity::Error) }
    };
    let answered = |settings: Value, commands: &[&str], python: &str| {
        let commands = commands.iter().map(|&name| name.to_owned()).collect();
        let mut window = Window::with(settings, ClientAbilities { commands, ..ClientAbilities::default() });
        window.open("/w/main.py", "import tensorflow\n").session.reconcile();
        let effects = window.session.take_effects();
        effects.iter().for_each(|effect| drop(window.describe(effect)));
        window.answered(&[("tensorflow", &[missing(python)])]).session.reconcile();
        window
    };
    let window = answered(json!({}), &["whydll.chooseInterpreter"], "/other/python.exe");
    check_offers(
        &window,
        expect![[r#"
            "Use it": "whydll.chooseInterpreter" [{"path":"/other/python.exe","scopeUri":"file:///w"}]
            "Continue without tensorflow if its import fails (not a fix)": null null
            "Ignore not-installed on this line": null null
            "Ignore not-installed in this file": null null
        "#]],
    );
    // If the editor doesn't support the command, the server runs it.
    let mut window = answered(json!({}), &[], "/other/python.exe");
    check_offers(
        &window,
        expect![[r#"
            "Use it": "whydll.useInterpreter" [{"path":"/other/python.exe","scopeUri":"file:///w"}]
            "Continue without tensorflow if its import fails (not a fix)": null null
            "Ignore not-installed on this line": null null
            "Ignore not-installed in this file": null null
        "#]],
    );
    window.session.use_interpreter(Some(uri("/w")), "/other/python.exe".into());
    assert_eq!(
        window.session.scopes[0].target.interpreter,
        InterpreterSpec::Named("/other/python.exe".into())
    );
    // A path on another machine is valid only with the `host` setting.
    check_offers(
        &answered(json!({ "host": "/mnt" }), &[], r"C:\other\python.exe"),
        expect![[r#"
            "Use it": "whydll.useInterpreter" [{"path":"C:\\other\\python.exe","scopeUri":"file:///w"}]
            "Continue without tensorflow if its import fails (not a fix)": null null
            "Ignore not-installed on this line": null null
            "Ignore not-installed in this file": null null
        "#]],
    );
    if !cfg!(windows) {
        check_offers(
            &answered(json!({}), &[], r"C:\other\python.exe"),
            expect![[r#"
                "Continue without tensorflow if its import fails (not a fix)": null null
                "Ignore not-installed on this line": null null
                "Ignore not-installed in this file": null null
            "#]],
        );
    }
}

#[test]
fn a_slow_analysis_shows_its_progress_until_it_ends() {
    let abilities = ClientAbilities { shows_progress: true, ..ClientAbilities::default() };
    let mut window = Window::with(json!({ "interpreter": "/env", "packages": ["tensorflow"] }), abilities);
    window.open("/w/main.py", "import tensorflow\n").check(expect![[r#"
        show progress, if it takes a while
        analyse tensorflow, tensorflow in /w in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    let number = window.last;
    window.session.still_running(number);
    let mut effects = window.session.take_effects();
    let Some(Effect::Progress { message, ended, .. }) = effects.first_mut() else { panic!("no progress") };
    assert_eq!(message, "checking tensorflow");
    window.session.reconcile();
    assert_eq!(ended.try_recv(), Err(TryRecvError::Empty));
    window.answered(&[("tensorflow", &[])]).session.reconcile();
    assert_eq!(ended.try_recv(), Err(TryRecvError::Closed));
    // A fast analysis shows no progress.
    window.session.take_effects();
    window.session.still_running(number);
    assert!(window.session.take_effects().is_empty());
}

#[test]
fn the_setting_overrides_the_selection_and_a_command_overrides_both() {
    let mut window = Window::with(json!({}), ClientAbilities::default());
    let mut then = |step: &str, act: &dyn Fn(&mut Session)| {
        act(&mut window.session);
        let used = match &window.session.scopes[0].target.interpreter {
            InterpreterSpec::Named(path) => path.display().to_string(),
            InterpreterSpec::Search(_) => "searched".to_owned(),
        };
        format!("{step}: {used}\n")
    };
    let set = |session: &mut Session, path: Option<&str>| {
        session.settings_changed(&json!({ "whydll": { "interpreter": path } }));
    };
    let select = |session: &mut Session, path: Option<&str>| {
        session.interpreter_selected(Some(uri("/w")), path.map(PathBuf::from));
    };
    let order = |session: &mut Session, path: &str| {
        session.use_interpreter(Some(uri("/w/main.py")), PathBuf::from(path));
    };
    let steps = [
        then("nothing is named", &|_| {}),
        then("the editor selects one", &|session| select(session, Some("/selected"))),
        then("the setting names one", &|session| set(session, Some("/set"))),
        then("the editor selects another", &|session| select(session, Some("/selected2"))),
        then("the user orders one", &|session| order(session, "/ordered")),
        then("the setting is sent again", &|session| set(session, Some("/set"))),
        then("the selection is sent again", &|session| select(session, Some("/selected2"))),
        then("the editor selects a third", &|session| select(session, Some("/selected3"))),
        then("the user orders another", &|session| order(session, "/ordered2")),
        then("the setting names another", &|session| set(session, Some("/set2"))),
        then("the setting is emptied", &|session| set(session, None)),
        then("the user orders a third", &|session| order(session, "/ordered3")),
        then("the editor selects none", &|session| select(session, None)),
    ];
    expect![[r#"
        nothing is named: searched
        the editor selects one: /selected
        the setting names one: /set
        the editor selects another: /set
        the user orders one: /ordered
        the setting is sent again: /ordered
        the selection is sent again: /ordered
        the editor selects a third: /set
        the user orders another: /ordered2
        the setting names another: /set2
        the setting is emptied: /selected3
        the user orders a third: /ordered3
        the editor selects none: searched
    "#]]
    .assert_eq(&steps.concat());
}

/// Returns the event of a message from the editor.
fn event(method: &str, params: Value) -> SessionEvent {
    fn read<P: serde::de::DeserializeOwned>(params: Value) -> P {
        serde_json::from_value(params).unwrap()
    }
    match method {
        "initialized" => SessionEvent::Initialized,
        "textDocument/didOpen" => SessionEvent::DidOpen(read(params)),
        "textDocument/didChange" => SessionEvent::DidChange(read(params)),
        "textDocument/didSave" => SessionEvent::DidSave(read(params)),
        "textDocument/didClose" => SessionEvent::DidClose(read(params)),
        "workspace/didChangeConfiguration" => SessionEvent::DidChangeConfiguration(read(params)),
        "notebookDocument/didOpen" => SessionEvent::NotebookDidOpen(read(params)),
        "notebookDocument/didChange" => SessionEvent::NotebookDidChange(read(params)),
        "notebookDocument/didSave" => SessionEvent::NotebookDidSave(read(params)),
        "notebookDocument/didClose" => SessionEvent::NotebookDidClose(read(params)),
        other => panic!("{other}"),
    }
}

/// Handles a notification about a notebook, by the last word of its method.
fn notebook(window: &mut Window, method: &str, params: Value) {
    window.session.handle(event(&format!("notebookDocument/did{method}"), params));
}

/// Replays what an editor sent, one message per line, and shows how the log names it and what it
/// causes.
#[test]
fn a_recording_of_an_editor_is_replayed() {
    let recording = r##"
        initialized {}
        textDocument/didOpen {"textDocument": {"uri": "file:///w/secret%20plans/a.py", "languageId": "python", "version": 1, "text": "import torch\n"}}
        textDocument/didChange {"textDocument": {"uri": "file:///w/secret%20plans/a.py", "version": 2}, "contentChanges": [{"range": {"start": {"line": 0, "character": 7}, "end": {"line": 0, "character": 12}}, "text": "tensorflow"}]}
        textDocument/didOpen {"textDocument": {"uri": "file:///w/readme.md", "languageId": "markdown", "version": 1, "text": "import numpy"}}
        notebookDocument/didOpen {"notebookDocument": {"uri": "file:///w/n.ipynb", "cells": [{"kind": 2, "document": "vscode-notebook-cell:/w/n.ipynb#W0"}]}, "cellTextDocuments": [{"uri": "vscode-notebook-cell:/w/n.ipynb#W0", "languageId": "python", "version": 1, "text": "import scipy"}]}
        textDocument/didSave {"textDocument": {"uri": "file:///w/secret%20plans/a.py"}}
        textDocument/didClose {"textDocument": {"uri": "file:///w/secret%20plans/a.py"}}
        workspace/didChangeConfiguration {"settings": {"whydll": {"interpreter": "/env", "packages": ["tensorflow"]}}}
        notebookDocument/didClose {"notebookDocument": {"uri": "file:///w/n.ipynb"}, "cellTextDocuments": []}
    "##;
    let recording =
        if cfg!(windows) { recording.replace("file:///w", "file:///c:/w") } else { recording.into() };
    let mut window = Window::new();
    let mut log = String::new();
    let lines = recording.lines().map(str::trim).filter(|line| !line.is_empty());
    let messages = lines.map(|line| line.split_once(' ').unwrap());
    for (method, params) in messages {
        let mut next = Some(event(method, serde_json::from_str(params).unwrap()));
        while let Some(event) = next.take() {
            log += &format!("{event}\n");
            window.session.apply(event);
            window.session.reconcile();
            for effect in window.session.take_effects() {
                let described = window.describe(&effect);
                described.lines().for_each(|line| log += &format!("    {line}\n"));
                if let Effect::Analyse { generation, analysis, .. } = effect {
                    let found = [("tensorflow", &[failure()][..]), ("torch", &[]), ("scipy", &[])];
                    let answer = Box::new(answer(&analysis.imports, &found));
                    next = Some(SessionEvent::Analysed { generation, answer });
                }
            }
        }
    }
    expect![[r#"
        initialized
            analyse tensorflow in Named("/env")
            file:///w is checking: checking tensorflow (0)
        analysis 1 returned 1 diagnoses
            file:///w is broken: missing-vc-runtime is the matter (1)
        textDocument/didOpen a.py: 13 bytes
            analyse torch in /w/secret plans in Named("/env")
        analysis 2 returned 1 diagnoses
            file:///w/secret%20plans/a.py v1: nothing
            file:///w is broken: missing-vc-runtime is the matter (1)
        textDocument/didChange a.py to version 2
            analyse tensorflow in /w/secret plans in Named("/env")
            file:///w is broken: missing-vc-runtime is the matter (1)
        analysis 3 returned 1 diagnoses
            file:///w/secret%20plans/a.py v2:
                0:7 Error missing-vc-runtime is the matter.
            And more.
        textDocument/didOpen readme.md: 12 bytes
        notebookDocument/didOpen n.ipynb
            analyse scipy in /w in Named("/env")
        analysis 4 returned 1 diagnoses
            vscode-notebook-cell:/w/n.ipynb#W0 v1: nothing
            file:///w is broken: missing-vc-runtime is the matter (1)
        textDocument/didSave a.py
            analyse scipy in /w, tensorflow, tensorflow in /w/secret plans in Named("/env")
        analysis 5 returned 3 diagnoses
        textDocument/didClose a.py
            file:///w/secret%20plans/a.py: nothing
        workspace/didChangeConfiguration
            file:///w is broken: missing-vc-runtime is the matter (1)
        notebookDocument/didClose n.ipynb
            vscode-notebook-cell:/w/n.ipynb#W0: nothing
    "#]]
    .assert_eq(&without_drive(log));
}

#[test]
fn events_are_in_the_log_if_the_user_wants_to_debug() {
    let mut window =
        Window::with(json!({ "interpreter": "/env", "logLevel": "debug" }), ClientAbilities::default());
    window.session.apply(SessionEvent::CheckAgain);
    let effects = window.session.take_effects();
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Log(_, line) if line == "event: check again"))
    );
}

fn cell(name: &str) -> Value {
    json!({ "kind": if name.starts_with('m') { 1 } else { 2 }, "document": format!("vscode-notebook-cell:/w/n.ipynb#{name}") })
}

fn cell_text(name: &str, text: &str) -> Value {
    json!({ "uri": cell(name)["document"], "languageId": "python", "version": 1, "text": text })
}

/// Returns a window with an open notebook in its folder.
fn window_with_notebook(cells: &[(&str, &str)]) -> Window {
    let mut window = Window::new();
    open_notebook(&mut window, cells);
    window
}

fn open_notebook(window: &mut Window, cells: &[(&str, &str)]) {
    let document = json!({
        "uri": uri("/w/n.ipynb"), "notebookType": "jupyter-notebook", "version": 1,
        "cells": cells.iter().map(|(name, _)| cell(name)).collect::<Vec<Value>>(),
    });
    let texts: Vec<Value> = cells.iter().map(|(name, text)| cell_text(name, text)).collect();
    notebook(window, "Open", json!({ "notebookDocument": document, "cellTextDocuments": texts }));
}

/// Changes the notebook's cells.
fn edit(window: &mut Window, cells: Value) {
    let document = json!({ "uri": uri("/w/n.ipynb"), "version": 2 });
    notebook(window, "Change", json!({ "notebookDocument": document, "change": { "cells": cells } }));
}

/// Returns what a notebook runs before each import, without the kernel's own code.
fn befores(window: &Window) -> Vec<String> {
    let wanted = window.session.wanted(0).into_iter().filter(|import| import.document.is_some());
    let cells = wanted.map(|import| {
        let before = format!("{:?}", import.point).replace('"', "");
        let before = before.strip_prefix("[import ipykernel.kernelapp").unwrap();
        format!("{} after [{}", import.name, before.trim_start_matches(", "))
    });
    cells.collect()
}

/// Reconciles the session and returns its effects in alphabetical order.
fn sorted_effects(window: &mut Window) -> String {
    window.session.reconcile();
    let effects = window.session.take_effects();
    let mut lines: Vec<String> = effects.iter().map(|effect| window.describe(effect)).collect();
    lines.sort();
    without_drive(lines.concat())
}

#[test]
fn a_cell_is_diagnosed_after_those_above_it() {
    let mut window = window_with_notebook(&[
        ("W0", "import numpy\n%pip install x"),
        ("m1", "import markdown"),
        ("W2", "import tensorflow"),
        ("W3", "x = 1"),
    ]);
    expect![[r#"
        analyse numpy in /w, tensorflow, tensorflow in /w in Named("/env")
        file:///w is checking: checking tensorflow (0)
        vscode-notebook-cell:/w/n.ipynb#W3 v1: nothing
        vscode-notebook-cell:/w/n.ipynb#m1 v1: nothing
    "#]]
    .assert_eq(&sorted_effects(&mut window));
    assert_eq!(befores(&window), ["numpy after []", "tensorflow after [import numpy]"]);
    window.answered(&[("tensorflow", &[failure()]), ("numpy", &[])]);
    expect![[r#"
        file:///w is broken: missing-vc-runtime is the matter (1)
        vscode-notebook-cell:/w/n.ipynb#W0 v1: nothing
        vscode-notebook-cell:/w/n.ipynb#W2 v1:
            0:7 Error missing-vc-runtime is the matter.
        And more.
    "#]]
    .assert_eq(&sorted_effects(&mut window));
}

#[test]
fn a_notebook_follows_its_kernel() {
    let mut window = Window::with(json!({}), ClientAbilities::default());
    window.session.interpreter_selected(Some(uri("/w")), Some("/env".into()));
    let notebook = uri("/w/n.ipynb");
    window.session.kernel_selected(notebook.clone(), Some("/kernel".into()));
    window.open("/w/a.py", "import tensorflow\n");
    open_notebook(&mut window, &[("W0", "import numpy")]);
    let targets = |window: &Window| {
        let scopes = window.session.scopes.iter().filter(|scope| scope.in_use);
        scopes.map(|scope| scope.target.interpreter.path().unwrap().display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(targets(&window), ["/env", "/kernel"]);
    let interpreter_of = |window: &Window, document: &str| {
        let (_, view) = window
            .session
            .scope_views()
            .flat_map(|view| view.documents)
            .find(|(uri, _)| uri.as_str().contains(document))
            .unwrap();
        view.scope.target.interpreter.path().unwrap().display().to_string()
    };
    let interpreters = (interpreter_of(&window, "a.py"), interpreter_of(&window, "W0"));
    assert_eq!(interpreters, ("/env".to_owned(), "/kernel".to_owned()));
    // Another kernel, then an unknown one, which the second time changes nothing.
    window.session.kernel_selected(notebook.clone(), Some("/other".into()));
    assert_eq!(interpreter_of(&window, "W0"), "/other");
    window.session.kernel_selected(notebook.clone(), None);
    window.session.kernel_selected(notebook.clone(), None);
    assert_eq!(interpreter_of(&window, "W0"), "/env");
    // Closing the notebook removes its kernel.
    window.session.kernel_selected(notebook.clone(), Some("/kernel".into()));
    window.session.close_notebook(&notebook);
    assert_eq!(targets(&window), ["/env"]);
}

#[test]
fn a_comment_silences_a_finding_on_its_import_and_in_the_status_bar() {
    let mut window = Window::new();
    let text = "import tensorflow  # whydll: ignore[missing-vc-runtime]\nimport h5py\n";
    window.open("/w/a.py", text).check(expect![[r#"
        analyse h5py in /w, tensorflow, tensorflow in /w in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    window.answered(&[("tensorflow", &[failure()]), ("h5py", &[])]).check(expect![[r#"
        file:///w/a.py v1: nothing
        file:///w is healthy: tensorflow-cpu 2.3.0 and h5py-cpu 2.3.0 import without errors (0)
    "#]]);
}

#[test]
fn a_stub_file_has_no_findings() {
    let mut window = Window::new();
    window.open("/w/a.pyi", "import tensorflow\n").check(expect![[r#"
        analyse tensorflow in Named("/env")
        file:///w/a.pyi v1: nothing
        file:///w is checking: checking tensorflow (0)
    "#]]);
}

#[test]
fn edits_of_a_notebook_keep_the_order() {
    let mut window = window_with_notebook(&[("W0", "import numpy"), ("W1", "import tensorflow")]);
    assert_eq!(befores(&window), ["numpy after []", "tensorflow after [import numpy]"]);
    // Moved: removed and inserted elsewhere, while the document of the cell stays open.
    let moved = json!({ "structure": { "array": { "start": 0, "deleteCount": 2, "cells": [cell("W1"), cell("W0")] } } });
    edit(&mut window, moved);
    assert_eq!(befores(&window), ["numpy after [import tensorflow]", "tensorflow after []"]);
    // Added, with a document that is edited in the same notification.
    edit(
        &mut window,
        json!({
            "structure": {
                "array": { "start": 1, "deleteCount": 0, "cells": [cell("W2")] },
                "didOpen": [cell_text("W2", "import h5py")],
            },
            "textContent": [
                { "document": { "uri": cell("W2")["document"], "version": 2 }, "changes": [{ "text": "import scipy" }] }
            ],
        }),
    );
    assert_eq!(
        befores(&window),
        [
            "numpy after [import tensorflow, import scipy]",
            "scipy after [import tensorflow]",
            "tensorflow after []"
        ]
    );
    // A cell that becomes markup doesn't count, and counts again when it becomes code.
    let kind = |kind| json!({ "data": [{ "kind": kind, "document": cell("W1")["document"] }] });
    edit(&mut window, kind(1));
    assert_eq!(befores(&window), ["numpy after [import scipy]", "scipy after []"]);
    edit(&mut window, kind(2));
    // Removed. Positions outside the notebook are clamped to it.
    let removed = json!({
        "structure": {
            "array": { "start": 1, "deleteCount": 1 }, "didClose": [{ "uri": cell("W2")["document"] }],
        }
    });
    edit(&mut window, removed);
    edit(&mut window, json!({ "structure": { "array": { "start": 99, "deleteCount": 7 } } }));
    assert_eq!(befores(&window), ["numpy after [import tensorflow]", "tensorflow after []"]);
    notebook(
        &mut window,
        "Close",
        json!({ "notebookDocument": { "uri": uri("/w/n.ipynb") }, "cellTextDocuments": [] }),
    );
    assert!(window.session.documents.is_empty() && window.session.notebooks.is_empty());
    let published = window.session.take_effects().into_iter().filter(|e| matches!(e, Effect::Publish(_)));
    // One for each cell that was ever open.
    assert_eq!(published.count(), 3);
}

#[test]
fn an_unhealthy_environment_is_checked_again_after_a_notebook_is_saved() {
    let mut window = window_with_notebook(&[("W0", "import tensorflow")]);
    sorted_effects(&mut window);
    window.answered(&[("tensorflow", &[failure()])]);
    window.session.reconcile();
    window.session.take_effects();
    notebook(&mut window, "Save", json!({ "notebookDocument": { "uri": uri("/w/n.ipynb") } }));
    window.check(expect![[r#"
        analyse tensorflow, tensorflow in /w in Named("/env")
    "#]]);
}

#[test]
fn an_untitled_notebook_has_no_folder() {
    let mut window = Window::new();
    let document = json!({ "uri": "untitled:Untitled-1.ipynb", "cells": [cell("W0")], "notebookType": "x", "version": 1 });
    let texts = [cell_text("W0", "import tensorflow")];
    notebook(&mut window, "Open", json!({ "notebookDocument": document, "cellTextDocuments": texts }));
    let document = window.session.documents.values().next().unwrap();
    assert_eq!(document.scope, window.session.scopes.len() - 1);
    let Some(import) = document.read(&PackageFilter::Native).imports.first() else {
        panic!("nothing is imported")
    };
    assert_eq!(document.import_to_diagnose(import, &PackageFilter::Native).unwrap().document, None);
}

#[test]
fn a_fix_inserts_its_statement_into_the_cell() {
    let mut window = window_with_notebook(&[("W0", "import os"), ("W1", "%%time\n!dir\nimport tensorflow")]);
    sorted_effects(&mut window);
    let add = Fix::new("Add it", Action::AddDllDirectory(r"C:\dlls".to_owned()));
    window.answered(&[("tensorflow", &[Finding { fixes: vec![add], ..failure() }])]);
    let params = json!({
        "textDocument": { "uri": cell("W1")["document"] }, "context": { "diagnostics": [] },
        "range": { "start": { "line": 2, "character": 8 }, "end": { "line": 2, "character": 8 } },
    });
    let actions = code_action::answer(&window.session, &serde_json::from_value(params).unwrap());
    let edit = serde_json::to_value(actions).unwrap()[0]["edit"]["changes"].clone();
    expect![[r##"
        {
          "vscode-notebook-cell:/w/n.ipynb#W1": [
            {
              "newText": "os.add_dll_directory(r\"C:\\dlls\")\n",
              "range": {
                "end": {
                  "character": 0,
                  "line": 2
                },
                "start": {
                  "character": 0,
                  "line": 2
                }
              }
            }
          ]
        }"##]]
    .assert_eq(&serde_json::to_string_pretty(&edit).unwrap());
}
