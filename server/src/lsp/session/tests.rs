//! Stories of a window: what the editor does, what is found out, and what the editor is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::diagnosis::{Code, Diagnosis, Health as Word, Import, Package};
use crate::host::WinPath;
use crate::lsp::analysis::{Examined, names};
use crate::source::Position;

/// A window with the folder `/w`, whose settings name the interpreter `/env`.
struct Window {
    session: Session,
    last: u64,
}

impl Window {
    fn new() -> Window {
        Window::with(json!({ "interpreter": "/env" }), ClientAbilities::default())
    }

    fn with(settings: Value, abilities: ClientAbilities) -> Window {
        let mut session = Session::default();
        session.begin(abilities, Some(&settings), vec![uri("/w")]);
        session.initialized();
        Window { session, last: 0 }
    }

    fn open(&mut self, path: &str, text: &str) -> &mut Window {
        self.session.open(uri(path), 1, text.to_owned());
        self
    }

    /// The analysis that was begun last ends so.
    fn answered(&mut self, findings: &[(&str, &[Finding])]) -> &mut Window {
        let answer = answer(findings);
        self.session.analysed(self.last, answer);
        self
    }

    /// What follows from all that happened.
    fn check(&mut self, expected: Expect) -> &mut Window {
        self.session.settle();
        let effects = self.session.take_effects();
        let told: String = effects.iter().map(|effect| self.told(effect)).collect();
        expected.assert_eq(&told);
        self
    }

    fn told(&mut self, effect: &Effect) -> String {
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
            Effect::Analyse { generation, analysis } => {
                self.last = *generation;
                format!("analyse {} in {:?}\n", names(&analysis.imports), analysis.target.interpreter)
            }
            Effect::PullSettings { folders, .. } => {
                format!("ask for settings of {} folders\n", folders.len())
            }
            Effect::AwaitQuiet { .. } => "wait for quiet\n".to_owned(),
            Effect::Register(_) | Effect::Log(..) | Effect::GiveBackMemory => String::new(),
        }
    }
}

fn uri(path: &str) -> Url {
    Url::parse(&format!("file://{path}")).unwrap()
}

fn answer(findings: &[(&str, &[Finding])]) -> Answer {
    let mut diagnoses = BTreeMap::new();
    for (import, findings) in findings {
        let name = import.split('.').next().unwrap();
        let missing = findings.iter().any(|finding| finding.code == Code::NotInstalled);
        let package = Package {
            import: name.to_owned(),
            distribution: (!missing).then(|| format!("{name}-cpu")),
            version: (!missing).then(|| "2.3.0".to_owned()),
            path: (!missing).then(|| WinPath::new("/env/Lib/site-packages").join(name)),
        };
        let diagnosis =
            Diagnosis { findings: findings.to_vec(), packages: vec![package], health: Word::of(findings) };
        diagnoses.insert(Import::first(import), Arc::new(diagnosis));
    }
    let examined = Examined {
        interpreter: "/env/python.exe".to_owned(),
        version: "3.8.10".to_owned(),
        kind: "venv".to_owned(),
        machine: "windows-11".to_owned(),
    };
    Answer { environment: Ok(examined), diagnoses }
}

fn finding(code: Code, severity: Severity) -> Finding {
    Finding {
        code,
        severity,
        package: "tensorflow".to_owned(),
        what: format!("{code} is the matter. And more."),
        evidence: String::new(),
        advice: String::new(),
        dlls: Vec::new(),
        chain: Vec::new(),
        searched: Vec::new(),
        win_error: None,
        python_error: None,
        related: Vec::new(),
        fixes: Vec::new(),
    }
}

fn failure() -> Finding {
    finding(Code::MissingVcRuntime, Severity::Error)
}

#[test]
fn the_first_document_waits_for_the_answer_and_the_second_does_not() {
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
            file:///w/a.py v1:
                0:7 Error missing-vc-runtime is the matter. And more.
            file:///w is broken: missing-vc-runtime is the matter (1)
        "#]])
        .open("/w/b.py", "\nimport tensorflow\n")
        .check(expect![[r#"
            file:///w/b.py v1:
                1:7 Error missing-vc-runtime is the matter. And more.
        "#]]);
}

#[test]
fn each_state_of_a_text_is_told_and_the_end_too() {
    let mut window = Window::new();
    window.check(expect![[r#"
        analyse tensorflow in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    window.answered(&[("tensorflow", &[])]).open("/w/a.py", "import tensorflow\n").check(expect![[r#"
        file:///w/a.py v1: nothing
        file:///w is healthy: tensorflow-cpu 2.3.0 imports (0)
    "#]]);
    let place = Position { line: 0, character: 0 };
    let insert = |text: &str| {
        let range = Some(crate::source::Range { start: place, end: place });
        vec![Change { range, text: text.to_owned() }]
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
        analyse tensorflow in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    let superseded = window.last;
    window.session.interpreter_selected(Some(uri("/w")), Some("/other".into()));
    window.check(expect![[r#"
        analyse tensorflow in Named("/other")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    window.session.analysed(superseded, answer(&[("tensorflow", &[failure()])]));
    window.check(expect![""]);
    window.answered(&[("tensorflow", &[])]).check(expect![[r#"
        file:///w/a.py v1: nothing
        file:///w is healthy: tensorflow-cpu 2.3.0 imports (0)
    "#]]);
    // Back to the setting, whose answer was dropped. A document in the folder stands for it.
    window.session.interpreter_selected(Some(uri("/w/a.py")), None);
    window.check(expect![[r#"
        analyse tensorflow in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    window.answered(&[("tensorflow", &[failure()])]).check(expect![[r#"
        file:///w/a.py v1:
            0:7 Error missing-vc-runtime is the matter. And more.
        file:///w is broken: missing-vc-runtime is the matter (1)
    "#]]);
    // And once more to the other: it is known.
    window.session.interpreter_selected(Some(uri("/w")), Some("/other".into()));
    window.check(expect![[r#"
        file:///w/a.py v1: nothing
        file:///w is healthy: tensorflow-cpu 2.3.0 imports (0)
    "#]]);
}

#[test]
fn what_is_in_a_package_fails_with_it_and_else_is_asked_for() {
    let text = "import tensorflow.keras\nfrom tensorflow import keras\n";
    let mut window = Window::new();
    window.check(expect![[r#"
        analyse tensorflow in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    window.answered(&[("tensorflow", &[failure()])]).open("/w/a.py", text).check(expect![[r#"
        file:///w/a.py v1:
            0:7 Error missing-vc-runtime is the matter. And more.
            1:5 Error missing-vc-runtime is the matter. And more.
        file:///w is broken: missing-vc-runtime is the matter (1)
    "#]]);
    window.session.check_again();
    window.check(expect![[r#"
        analyse tensorflow, tensorflow.keras in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    window.answered(&[("tensorflow", &[])]).check(expect![[r#"
        analyse tensorflow.keras in Named("/env")
        file:///w is healthy: tensorflow-cpu 2.3.0 imports (0)
    "#]]);
    let missing = finding(Code::NotInstalled, Severity::Error);
    window.answered(&[("tensorflow.keras", &[missing])]).check(expect![[r#"
        file:///w/a.py v1:
            0:7 Error not-installed is the matter. And more.
    "#]]);
}

#[test]
fn what_stands_around_an_import_and_the_user_decide_how_severe_it_is() {
    let text = "try:\n    import tensorflow\nexcept ImportError:\n    pass\n\
                if TYPE_CHECKING:\n    import tensorflow\n";
    let mut window = Window::new();
    window.open("/w/a.py", text).check(expect![[r#"
        analyse tensorflow in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    window.answered(&[("tensorflow", &[failure()])]).check(expect![[r#"
        file:///w/a.py v1:
            1:11 Information missing-vc-runtime is the matter. And more.
        file:///w is broken: missing-vc-runtime is the matter (1)
    "#]]);
    let settings = json!({ "interpreter": "/env", "severity": { "missing-vc-runtime": "off" } });
    window.session.settings_changed(&json!({ "whydll": settings }));
    window.check(expect![[r#"
        file:///w/a.py v1: nothing
        file:///w is healthy: tensorflow-cpu 2.3.0 imports (0)
    "#]]);
}

#[test]
fn a_package_that_nobody_imports_may_be_absent() {
    let mut window = Window::new();
    window.check(expect![[r#"
        analyse tensorflow in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    let missing = finding(Code::NotInstalled, Severity::Error);
    window.answered(&[("tensorflow", &[missing])]).check(expect![[r#"
        file:///w is healthy: tensorflow is not installed, and no open file imports it (0)
    "#]]);
    window.open("/w/a.py", "import tensorflow\n").check(expect![[r#"
        file:///w/a.py v1:
            0:7 Error not-installed is the matter. And more.
        file:///w is broken: not-installed is the matter (1)
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
        analyse tensorflow in Named("/env")
        file:///w is healthy: tensorflow-cpu 2.3.0 imports (0)
    "#]]);
}

#[test]
fn a_folder_that_is_added_takes_its_documents() {
    let mut window = Window::new();
    window.open("/v/a.py", "import tensorflow\n").check(expect![[r#"
        analyse tensorflow in Named("/env")
        file:///w is checking: checking tensorflow (0)
        elsewhere is checking: checking tensorflow (0)
    "#]]);
    window.answered(&[("tensorflow", &[])]).check(expect![[r#"
        file:///v/a.py v1: nothing
        file:///w is healthy: tensorflow-cpu 2.3.0 imports (0)
        elsewhere is healthy: tensorflow-cpu 2.3.0 imports (0)
    "#]]);
    window.session.interpreter_selected(Some(uri("/v")), Some("/other".into()));
    window.session.folders_changed(vec![uri("/v")], &[uri("/w")]);
    window.check(expect![[r#"
        analyse tensorflow in Named("/other")
        file:///v is checking: checking tensorflow (0)
    "#]]);
    window.answered(&[("tensorflow", &[failure()])]).check(expect![[r#"
        file:///v/a.py v1:
            0:7 Error missing-vc-runtime is the matter. And more.
        file:///v is broken: missing-vc-runtime is the matter (1)
    "#]]);
}

#[test]
fn what_is_ill_is_looked_at_again_when_something_is_saved_or_installed() {
    let mut window = Window::new();
    window.open("/w/a.py", "import tensorflow\n").check(expect![[r#"
        analyse tensorflow in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    window.answered(&[("tensorflow", &[failure()])]).check(expect![[r#"
        file:///w/a.py v1:
            0:7 Error missing-vc-runtime is the matter. And more.
        file:///w is broken: missing-vc-runtime is the matter (1)
    "#]]);
    window.session.saved(&uri("/w/a.py"));
    window.check(expect![[r#"
        analyse tensorflow in Named("/env")
    "#]]);
    window.answered(&[("tensorflow", &[])]).check(expect![[r#"
        file:///w/a.py v1: nothing
        file:///w is healthy: tensorflow-cpu 2.3.0 imports (0)
    "#]]);
    window.session.saved(&uri("/w/a.py"));
    window.check(expect![""]);
    window.session.files_changed();
    window.session.files_changed();
    window.check(expect![[r#"
        wait for quiet
        wait for quiet
    "#]]);
    window.session.quiet(1);
    window.check(expect![""]);
    window.session.quiet(2);
    window.check(expect![[r#"
        analyse tensorflow in Named("/env")
    "#]]);
}

#[test]
fn an_analysis_that_fails_leaves_the_health_unknown() {
    let mut window = Window::new();
    window.open("/w/a.py", "import tensorflow\n").check(expect![[r#"
        analyse tensorflow in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
    window.session.analysed(window.last, Answer::failed());
    window.check(expect![[r#"
        file:///w/a.py v1: nothing
        file:///w is unknown: the analysis failed in a way that it should not; please report it (0)
    "#]]);
}

#[test]
fn an_event_whose_handling_panics_leaves_the_rest() {
    let mut window = Window::new();
    window.session.apply(Box::new(|_| panic!("on purpose")));
    window.check(expect![[r#"
        analyse tensorflow in Named("/env")
        file:///w is checking: checking tensorflow (0)
    "#]]);
}
