//! The section `whydll` of the editor's settings.

use serde_json::Value;

use crate::diagnosis::{Code, PackageFilter, Severity, SeveritySettings};
use crate::source::top_level;

/// The user's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The interpreter, or the folder of an environment.
    pub interpreter: Option<String>,
    /// The machine, as a value of `--host`.
    pub host: Option<String>,
    /// PATH of the analysed machine.
    pub search_path: Option<String>,
    /// The packages whose imports are watched.
    pub packages: PackageFilter,
    /// The severities of findings.
    pub severity: SeveritySettings,
    /// The log level.
    pub log_level: LogLevel,
}

/// How much is logged, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Off,
    Error,
    Warning,
    Info,
    Debug,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            interpreter: None,
            host: None,
            search_path: None,
            packages: PackageFilter::Native,
            severity: SeveritySettings::default(),
            log_level: LogLevel::Info,
        }
    }
}

impl Settings {
    /// Reads the valid settings, and returns a message for each invalid one.
    pub fn read(section: &Value) -> (Settings, Vec<String>) {
        let mut settings = Settings::default();
        let mut problems = Vec::new();
        let Some(fields) = section.as_object() else {
            if !section.is_null() {
                problems.push(format!("expected settings to be an object, got {section}"));
            }
            return (settings, problems);
        };
        for (name, value) in fields {
            if value.is_null() {
                continue;
            }
            if settings.set(name, value).is_none() {
                problems.push(format!("invalid value for the setting whydll.{name}: {value}"));
            }
        }
        (settings, problems)
    }

    /// Applies one setting. Returns `None` if its value or a part of it is invalid; valid parts
    /// apply.
    fn set(&mut self, name: &str, value: &Value) -> Option<()> {
        match name {
            "interpreter" => self.interpreter = filled(value.as_str()?),
            "host" => self.host = filled(value.as_str()?),
            "searchPath" => {
                self.search_path = match value.as_str() {
                    Some(text) => filled(text),
                    None => filled(&strings(value)?.join(";")),
                }
            }
            "packages" => {
                let names = value.as_array()?;
                let known = names.iter().filter_map(Value::as_str);
                let named: Vec<String> = known.filter_map(|name| filled(top_level(name))).collect();
                self.packages =
                    if named.is_empty() { PackageFilter::Native } else { PackageFilter::Named(named) };
                names.iter().all(Value::is_string).then_some(())?;
            }
            "severity" => {
                let named = value.as_object()?;
                let is_code = |name: &str| Code::ALL.iter().any(|code| code.name() == name);
                let known = named.iter().filter(|(code, _)| is_code(code));
                let known = known.filter_map(|(code, level)| Some((code.clone(), severity(level)?)));
                let known: Vec<_> = known.collect();
                let is_valid = known.len() == named.len();
                self.severity = known.into_iter().collect();
                is_valid.then_some(())?;
            }
            "logLevel" => self.log_level = log_level(value.as_str()?)?,
            // The rest of the section belongs to the editor.
            _ => {}
        }
        Some(())
    }
}

fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn strings(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

fn severity(name: &Value) -> Option<Option<Severity>> {
    match name.as_str()? {
        "off" => Some(None),
        name => Severity::named(name).map(Some),
    }
}

fn log_level(name: &str) -> Option<LogLevel> {
    Some(match name {
        "off" => LogLevel::Off,
        "error" => LogLevel::Error,
        "warn" | "warning" => LogLevel::Warning,
        "info" => LogLevel::Info,
        "debug" | "trace" => LogLevel::Debug,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn check(section: Value, expected: Expect) {
        let (settings, problems) = Settings::read(&section);
        expected.assert_eq(&format!("{settings:#?}\n{}", problems.join("\n")));
    }

    #[test]
    fn all_settings_are_read() {
        check(
            json!({
                "interpreter": "C:\\env", "host": "windows-10", "packages": ["tensorflow", "torch.nn"],
                "severity": { "missing-dll": "warning", "bad-image": "off" }, "logLevel": "debug",
                "searchPath": ["C:\\a", "C:\\b"], "path": "whydll"
            }),
            expect![[r#"
                Settings {
                    interpreter: Some(
                        "C:\\env",
                    ),
                    host: Some(
                        "windows-10",
                    ),
                    search_path: Some(
                        "C:\\a;C:\\b",
                    ),
                    packages: Named(
                        [
                            "tensorflow",
                            "torch",
                        ],
                    ),
                    severity: {
                        "bad-image": None,
                        "missing-dll": Some(
                            Warning,
                        ),
                    },
                    log_level: Debug,
                }
            "#]],
        );
    }

    #[test]
    fn invalid_settings_are_ignored_and_the_others_apply() {
        check(
            json!({ "interpreter": "", "host": 7, "packages": 3, "severity": "loud", "logLevel": [], "searchPath": "a;b" }),
            expect![[r#"
                Settings {
                    interpreter: None,
                    host: None,
                    search_path: Some(
                        "a;b",
                    ),
                    packages: Native,
                    severity: {},
                    log_level: Info,
                }
                invalid value for the setting whydll.host: 7
                invalid value for the setting whydll.logLevel: []
                invalid value for the setting whydll.packages: 3
                invalid value for the setting whydll.severity: "loud""#]],
        );
    }

    #[test]
    fn the_valid_parts_of_a_setting_apply() {
        check(
            json!({ "packages": ["torch", 3], "severity": { "bad-image": "hint", "missing-dll": "loud" } }),
            expect![[r#"
                Settings {
                    interpreter: None,
                    host: None,
                    search_path: None,
                    packages: Named(
                        [
                            "torch",
                        ],
                    ),
                    severity: {
                        "bad-image": Some(
                            Hint,
                        ),
                    },
                    log_level: Info,
                }
                invalid value for the setting whydll.packages: ["torch",3]
                invalid value for the setting whydll.severity: {"bad-image":"hint","missing-dll":"loud"}"#]],
        );
    }

    /// The settings that only the editor uses.
    const OF_EDITOR: [&str; 4] = ["path", "runFixes", "showNotifications", "trace.server"];

    #[test]
    fn the_extension_and_the_documentation_have_the_same_settings() {
        let read = |path: &str| {
            std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path))
        };
        let manifest: Value = serde_json::from_str(&read("client-vscode/package.json").unwrap()).unwrap();
        let properties = manifest["contributes"]["configuration"]["properties"].as_object().unwrap();
        let name_of = |key: &String| key.strip_prefix("whydll.").unwrap().to_owned();
        let mut ours: Vec<String> = properties.keys().map(name_of).collect();
        ours.retain(|name| !OF_EDITOR.contains(&name.as_str()));
        ours.sort();
        let documented = read("docs/editors.md").unwrap();
        let section =
            documented.split_once("### Settings").unwrap().1.split_once("### Notifications").unwrap().0;
        let rows = section.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0));
        let mut rows: Vec<&str> = rows.collect();
        rows.sort_unstable();
        assert_eq!(ours, rows);
        let page = read("client-vscode/README.md").unwrap();
        for key in properties.keys() {
            assert!(page.contains(&format!("| `{key}` |")), "{key} is not in client-vscode/README.md");
        }

        let severity = properties["whydll.severity"]["properties"].as_object().unwrap();
        let codes: Vec<&str> = severity.keys().map(String::as_str).collect();
        let mut known: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        known.sort_unstable();
        assert_eq!(codes, known);
        for (code, schema) in severity {
            for level in schema["enum"].as_array().unwrap() {
                let section = json!({ "severity": { code: level } });
                assert_eq!(Settings::read(&section).1, Vec::<String>::new(), "{section}");
            }
        }
        for level in properties["whydll.logLevel"]["enum"].as_array().unwrap() {
            assert!(
                log_level(level.as_str().unwrap()).is_some()
                    && section.contains(&format!("`{}`", level.as_str().unwrap()))
            );
        }
        // The defaults in the manifest equal ours.
        for name in &ours {
            let default = &properties[&format!("whydll.{name}")]["default"];
            let (settings, problems) = Settings::read(&json!({ name: default }));
            assert_eq!((settings, problems), (Settings::default(), Vec::new()), "{name}");
        }
    }

    #[test]
    fn an_unknown_code_is_reported() {
        check(
            json!({ "severity": { "missing-vc": "off" }, "packages": [] }),
            expect![[r#"
                Settings {
                    interpreter: None,
                    host: None,
                    search_path: None,
                    packages: Native,
                    severity: {},
                    log_level: Info,
                }
                invalid value for the setting whydll.severity: {"missing-vc":"off"}"#]],
        );
    }
}
