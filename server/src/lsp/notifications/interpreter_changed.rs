//! `whydll/interpreterChanged`, a custom notification:
//! `{ "scopeUri": URI | null, "path": string | null, "notebook"?: boolean }`.

use std::path::PathBuf;

use serde_json::Value;
use tower_lsp::lsp_types::Url;

use crate::lsp::session::Session;
use crate::lsp::settings::LogLevel;

pub fn apply(session: &mut Session, params: &Value) {
    let is_notebook = params.get("notebook").and_then(Value::as_bool) == Some(true);
    match read(params) {
        Some((Some(notebook), path)) if is_notebook => session.kernel_selected(notebook, path),
        Some((scope, path)) => session.interpreter_selected(scope, path),
        None => session.log(LogLevel::Warning, || format!("whydll/interpreterChanged with {params}")),
    }
}

/// Parses the scope and the path, which are also the arguments of `whydll.useInterpreter`.
pub fn read(params: &Value) -> Option<(Option<Url>, Option<PathBuf>)> {
    let string = |name: &str| match params.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(value) => value.as_str().map(Some),
    };
    let scope = string("scopeUri")?.map(Url::parse).transpose().ok()?;
    let path = string("path")?.filter(|path| !path.is_empty()).map(PathBuf::from);
    params.is_object().then_some((scope, path))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_strings_are_paths() {
        let read = |params: Value| read(&params).map(|(scope, path)| (scope.map(String::from), path));
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            read(json!({ "scopeUri": "file:///c%3A/a", "path": "C:\\env" })),
            Some((some("file:///c%3A/a"), Some("C:\\env".into())))
        );
        assert_eq!(read(json!({ "scopeUri": null, "path": null })), Some((None, None)));
        assert_eq!(read(json!({ "path": "" })), Some((None, None)));
        assert_eq!(read(json!({ "scopeUri": 7, "path": ["x"] })), None);
        assert_eq!(read(json!([])), None);
    }
}
