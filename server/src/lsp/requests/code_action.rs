//! `textDocument/codeAction`: fixes and other actions for the findings on an import.

use std::collections::HashMap;

use serde_json::json;
use tower_lsp::lsp_types::{
    CodeAction, CodeActionContext, CodeActionKind, CodeActionOrCommand, CodeActionParams, CodeActionResponse,
    Command, Diagnostic, DocumentChangeOperation, DocumentChanges, OneOf,
    OptionalVersionedTextDocumentIdentifier, Position, Range, RenameFile, RenameFileOptions, ResourceOp,
    TextDocumentEdit, TextEdit, Url, WorkspaceEdit,
};

use super::execute_command::ServerCommand;
use crate::action::{Action, Shell};
use crate::diagnosis::{Finding, Fix, FixOutcome, Severity};
use crate::host::WinPath;
use crate::host::snapshot::Redactor;
use crate::lsp::client::ClientAbilities;
use crate::lsp::convert;
use crate::lsp::session::{DocumentView, Session};
use crate::source::{Document, Guard, ImportStatement, LineIndex, top_level};
use crate::visible::{visible, visible_lines};

/// Commands that the editor runs itself, if it announced them.
const RUN_IN_TERMINAL: &str = "whydll.runInTerminal";
const CHOOSE_INTERPRETER: &str = "whydll.chooseInterpreter";
const SHOW_CHAIN: &str = "whydll.showChain";
const SHOW_REPORT: &str = "whydll.showReport";
const COPY_TEXT: &str = "whydll.copyText";
const TURN_OFF: &str = "whydll.turnOff";

pub fn answer(session: &Session, params: &CodeActionParams) -> Option<CodeActionResponse> {
    if !wants_quick_fixes(&params.context) {
        return None;
    }
    let uri = &params.text_document.uri;
    let view = session.view(uri)?;
    let (mut actions, mut others) = (Vec::new(), Vec::new());
    for group in view.grouped_findings().unwrap_or_default() {
        let imports = std::iter::once(group.import).chain(group.also.iter().copied());
        let Some(import) =
            imports.into_iter().find(|import| touches(params.range, convert::range(import.range)))
        else {
            continue;
        };
        let diagnostic = editors_diagnostic(convert::diagnostic(uri, &group), &params.context);
        let offer = Offer { abilities: &session.abilities, uri, view: &view, import };
        // The edits must be those for this import, not for the first one.
        let known = view.findings(import).unwrap_or_default().into_iter();
        let own = known.into_iter().find(|own| group.finding.explains(own));
        let own = own.as_deref().unwrap_or(&group.finding);
        let fixes = own.fixes.iter().filter_map(|fix| offer.action(fix, &diagnostic));
        actions.extend(fixes.chain(offer.guard_import(own, &diagnostic)));
        others.extend(offer.other_actions(own, &diagnostic));
    }
    // Fixes come before actions that only show something.
    actions.append(&mut others);
    for action in &mut actions {
        action.title = visible(&action.title).into_owned();
    }
    Some(actions.into_iter().map(CodeActionOrCommand::CodeAction).collect())
}

/// Whether quick fixes are requested. Kinds form a tree, whose root is the empty kind.
fn wants_quick_fixes(context: &CodeActionContext) -> bool {
    let wanted = |kind: &CodeActionKind| *kind == CodeActionKind::EMPTY || *kind == CodeActionKind::QUICKFIX;
    context.only.as_ref().is_none_or(|only| only.iter().any(wanted))
}

fn touches(a: Range, b: Range) -> bool {
    a.start <= b.end && b.start <= a.end
}

/// Returns the editor's copy of our diagnostic. Editors match a fix to a diagnostic only if the fix
/// contains theirs.
fn editors_diagnostic(ours: Diagnostic, context: &CodeActionContext) -> Diagnostic {
    let same = |theirs: &&Diagnostic| {
        theirs.range == ours.range && theirs.code == ours.code && theirs.message == ours.message
    };
    context.diagnostics.iter().find(same).cloned().unwrap_or(ours)
}

/// The context in which actions on one import are created.
struct Offer<'a> {
    abilities: &'a ClientAbilities,
    uri: &'a Url,
    view: &'a DocumentView<'a>,
    import: &'a ImportStatement,
}

impl Offer<'_> {
    /// Returns the action for a fix, or `None` if this editor or this document doesn't support it.
    fn action(&self, fix: &Fix, diagnostic: &Diagnostic) -> Option<CodeAction> {
        let (edit, command) = match &fix.action {
            action if action.is_insertion() => (Some(self.edit(&action.value())?), None),
            Action::MoveImport { statement, above, to } => {
                (Some(self.move_import(statement, above, *to)?), None)
            }
            Action::Steps(steps) if steps.iter().all(|(_, step)| step.is_insertion()) => {
                (Some(self.edit(&fix.action.value().replace('\n', self.view.document.line_ending()))?), None)
            }
            // Other files than source code may be used elsewhere, so the user decides about those.
            Action::Rename { from, to } if is_source(from) => match self.rename(from, to) {
                Some(edit) => (Some(edit), None),
                None => (None, Some(self.command(fix)?)),
            },
            _ => (None, Some(self.command(fix)?)),
        };
        Some(CodeAction {
            title: match &fix.outcome {
                FixOutcome::Unknown(_) if fix.action != Action::ChooseInterpreter => {
                    format!("{} (not tried)", fix.title)
                }
                FixOutcome::LeadsTo(_) => format!("{} (not enough)", fix.title),
                _ => fix.title.clone(),
            },
            kind: Some(CodeActionKind::QUICKFIX),
            diagnostics: Some(vec![diagnostic.clone()]),
            edit,
            command,
            is_preferred: Some(fix.preferred),
            ..CodeAction::default()
        })
    }

    fn command(&self, fix: &Fix) -> Option<Command> {
        // The title already says what has to be installed first.
        let action = match &fix.action {
            Action::Steps(steps) => match steps.split_last() {
                Some(((_, last @ Action::Run(_)), rest))
                    if rest.iter().all(|(_, it)| matches!(it, Action::Open(_))) =>
                {
                    last
                }
                _ => &fix.action,
            },
            action => action,
        };
        let (name, argument) = match action {
            Action::Open(url) => (ServerCommand::OpenAddress.identifier(), json!(url)),
            Action::Run(command) if !command.is_one_line() => return None,
            Action::Run(command) if self.abilities.runs(RUN_IN_TERMINAL) => (
                RUN_IN_TERMINAL,
                json!({
                    "title": fix.title, "program": command.program, "args": command.arguments,
                    "lines": {
                        "powershell": command.line(Shell::WindowsPowerShell),
                        "pwsh": command.line(Shell::PowerShell),
                        "cmd": command.line(Shell::Cmd),
                        "posix": command.line(Shell::Posix),
                    },
                }),
            ),
            Action::Run(command) => (
                ServerCommand::ShowCommand.identifier(),
                json!({
                    "title": fix.title, "powershell": command.line(Shell::WindowsPowerShell),
                    "cmd": command.line(Shell::Cmd),
                }),
            ),
            // If the editor can't do it, the user can run the command.
            Action::Rename { .. } | Action::Steps(_) => (
                ServerCommand::ShowCommand.identifier(),
                json!({ "title": fix.title, "powershell": fix.action.value() }),
            ),
            Action::ChooseInterpreter if self.abilities.runs(CHOOSE_INTERPRETER) => {
                (CHOOSE_INTERPRETER, json!({ "scopeUri": self.view.scope.folder }))
            }
            // A path that is valid only on the analysed machine requires the `host` setting.
            Action::UseInterpreter(python)
                if cfg!(windows) || python.starts_with('/') || self.view.scope.target.host.is_some() =>
            {
                let known = self.abilities.runs(CHOOSE_INTERPRETER);
                let name =
                    if known { CHOOSE_INTERPRETER } else { ServerCommand::UseInterpreter.identifier() };
                (name, json!({ "scopeUri": self.view.scope.folder, "path": python }))
            }
            Action::UseInterpreter(_)
            | Action::ChooseInterpreter
            | Action::AddDllDirectory(_)
            | Action::PrependPath(_)
            | Action::LoadFirst(_)
            | Action::MoveImport { .. } => return None,
        };
        Some(Command::new(fix.title.clone(), name.to_owned(), Some(vec![argument])))
    }

    /// Returns the edit that renames a file, or `None` if the editor doesn't support it or the file
    /// isn't on this system.
    fn rename(&self, from: &str, to: &str) -> Option<WorkspaceEdit> {
        let old_uri = convert::file_url(&WinPath::new(from)).filter(|_| self.abilities.renames_files)?;
        let new_uri = convert::file_url(&WinPath::new(from).parent()?.join(to))?;
        let options = RenameFileOptions { overwrite: Some(false), ignore_if_exists: Some(false) };
        let rename = RenameFile { old_uri, new_uri, options: Some(options), annotation_id: None };
        let rename = DocumentChangeOperation::Op(ResourceOp::Rename(rename));
        Some(WorkspaceEdit {
            document_changes: Some(DocumentChanges::Operations(vec![rename])),
            ..WorkspaceEdit::default()
        })
    }

    fn edit(&self, statement: &str) -> Option<WorkspaceEdit> {
        Some(self.edits(vec![insertion(self.view, self.import, statement)?]))
    }

    /// Returns the edit that inserts the import above another one, and removes its line if that
    /// contains nothing else.
    fn move_import(&self, statement: &str, above: &str, to: u128) -> Option<WorkspaceEdit> {
        let document = self.view.document;
        let is_there = |import: &&ImportStatement| import.point.identity() == to && *import.module == *above;
        let target = self.view.imports().iter().find(is_there)?;
        let place = Position { line: target.statement_line, character: 0 };
        let inserted = format!("{statement}{}", document.line_ending());
        let mut edits = vec![TextEdit { range: Range { start: place, end: place }, new_text: inserted }];
        let line = self.import.range.start.line;
        if line_of(document.text(), line).is_some_and(|text| text == statement) {
            let whole = Range {
                start: Position { line, character: 0 },
                end: Position { line: line + 1, character: 0 },
            };
            edits.push(TextEdit { range: whole, new_text: String::new() });
        }
        Some(self.edits(edits))
    }

    /// Returns the action that wraps the import in a `try` statement, for programs that can do
    /// without the package. It isn't a cure.
    fn guard_import(&self, finding: &Finding, diagnostic: &Diagnostic) -> Option<CodeAction> {
        if finding.severity != Severity::Error || self.import.guard != Guard::None || self.import.is_access {
            return None;
        }
        let document = self.view.document;
        let line = self.import.range.start.line;
        let text = line_of(document.text(), line)?;
        let new_text = guarded(text, document.line_ending())?;
        let start = Position { line, character: 0 };
        let end = Position { line, character: text.encode_utf16().count().try_into().ok()? };
        Some(CodeAction {
            title: format!("Continue without {} if its import fails (not a fix)", finding.package),
            kind: Some(CodeActionKind::QUICKFIX),
            diagnostics: Some(vec![diagnostic.clone()]),
            edit: Some(self.edits(vec![TextEdit { range: Range { start, end }, new_text }])),
            is_preferred: Some(false),
            ..CodeAction::default()
        })
    }

    /// Returns the actions other than fixes, which show details of a finding or silence it.
    fn other_actions(&self, finding: &Finding, diagnostic: &Diagnostic) -> Vec<CodeAction> {
        let (code, package) = (finding.code.name(), top_level(&finding.package));
        let action = |title: String, edit, command| CodeAction {
            title,
            kind: Some(CodeActionKind::QUICKFIX),
            diagnostics: Some(vec![diagnostic.clone()]),
            edit,
            command,
            is_preferred: Some(false),
            ..CodeAction::default()
        };
        let copied = format!("{code}: {}\n{}", visible_lines(&finding.message()), finding.code.url());
        let copied = Redactor::knowing([]).text(&copied);
        let commands = [
            (
                format!("Show the DLL chain of {package}"),
                SHOW_CHAIN,
                json!({ "scopeUri": self.uri, "package": package }),
            ),
            ("Show the whole report".to_owned(), SHOW_REPORT, json!({ "scopeUri": self.uri })),
            (format!("Copy this finding ({code})"), COPY_TEXT, json!({ "text": copied })),
            (
                format!("Turn {code} off in the settings"),
                TURN_OFF,
                json!({ "scopeUri": self.uri, "code": code }),
            ),
        ];
        let commands = commands.into_iter().filter(|(_, name, _)| self.abilities.runs(name));
        let mut actions: Vec<CodeAction> = commands
            .map(|(title, name, argument)| {
                let command = Command::new(title.clone(), name.to_owned(), Some(vec![argument]));
                action(title, None, Some(command))
            })
            .collect();
        let at = actions.len().saturating_sub(1);
        let whole = if self.view.document.place.is_some() { "cell" } else { "file" };
        let silenced = [
            (format!("Ignore {code} on this line"), self.ignore_line(code)),
            (format!("Ignore {code} in this {whole}"), self.ignore_file(code)),
        ];
        let silenced = silenced
            .into_iter()
            .filter_map(|(title, edit)| Some(action(title, Some(self.edits(vec![edit?])), None)));
        let silenced: Vec<CodeAction> = silenced.collect();
        actions.splice(at..at, silenced);
        actions
    }

    /// Returns the edit that adds a comment at the end of the statement, or `None` if it wouldn't
    /// be a comment there, as within a multi-line string.
    fn ignore_line(&self, code: &str) -> Option<TextEdit> {
        let document = self.view.document;
        let line = self.import.end_line;
        let text = line_of(document.text(), line)?;
        let units = |text: &str| u32::try_from(text.encode_utf16().count()).ok();
        let known = text.rfind("# whydll: ignore[").filter(|_| text.ends_with(']'));
        let (from, new_text) = match known {
            Some(_) => (text.strip_suffix(']')?, format!(", {code}]")),
            None => (text.trim_end(), format!("  # whydll: ignore[{code}]")),
        };
        let start = Position { line, character: units(from)? };
        let end = Position { line, character: units(text)? };
        let changed = format!("{from}{new_text}");
        self.silencing(TextEdit { range: Range { start, end }, new_text }, line, text, &changed, code)
    }

    /// Returns the edit that adds a comment above the first statement.
    fn ignore_file(&self, code: &str) -> Option<TextEdit> {
        let document = self.view.document;
        let line = document.read(&self.view.settings.packages).first_statement_line;
        let text = line_of(document.text(), line)?;
        let comment = format!("# whydll: ignore-file[{code}]{}", document.line_ending());
        let bom = if text.starts_with('\u{feff}') { 1 } else { 0 };
        let place = Position { line, character: bom };
        let after_bom = text.trim_start_matches('\u{feff}');
        let changed = format!("{}{comment}{after_bom}", if bom == 1 { "\u{feff}" } else { "" });
        let edit = TextEdit { range: Range { start: place, end: place }, new_text: comment };
        self.silencing(edit, line, text, &changed, code)
    }

    /// Returns the edit if it silences the code on this import and affects no import. It changes
    /// the 0-based `line` from `text` to `changed`.
    fn silencing(
        &self,
        edit: TextEdit,
        line: u32,
        text: &str,
        changed: &str,
        code: &str,
    ) -> Option<TextEdit> {
        let document = self.view.document;
        let whole = document.text();
        let start = LineIndex::new(whole).offset(whole, crate::source::Position { line, character: 0 });
        let trial = format!("{}{changed}{}", whole.get(..start)?, whole.get(start + text.len()..)?);
        let (before, after) = (document.parse(whole).imports, document.parse(&trial).imports);
        let same = before.len() == after.len();
        let is_this = |import: &ImportStatement| {
            import.range == self.import.range && import.module == self.import.module
        };
        let at = before.iter().position(is_this)?;
        let is_silenced = after.get(at).is_some_and(|import| import.ignores.covers(code));
        (same && is_silenced).then_some(edit)
    }

    fn edits(&self, edits: Vec<TextEdit>) -> WorkspaceEdit {
        if !self.abilities.versioned_edits {
            return WorkspaceEdit::new(HashMap::from([(self.uri.clone(), edits)]));
        }
        let text_document = OptionalVersionedTextDocumentIdentifier {
            uri: self.uri.clone(),
            version: Some(self.view.document.version),
        };
        let edits = edits.into_iter().map(OneOf::Left).collect();
        let edit = TextDocumentEdit { text_document, edits };
        WorkspaceEdit {
            document_changes: Some(DocumentChanges::Edits(vec![edit])),
            ..WorkspaceEdit::default()
        }
    }
}

fn is_source(file: &str) -> bool {
    let path = WinPath::new(file);
    path.has_extension("py") || !path.file_name().contains('.')
}

/// Returns a line without its ending.
fn line_of(text: &str, line: u32) -> Option<&str> {
    let start = LineIndex::new(text).offset(text, crate::source::Position { line, character: 0 });
    text.get(start..)?.split(['\n', '\r']).next()
}

/// Returns the import statement of a line, wrapped in a `try` statement. Returns `None` if the
/// statement can't be understood from the line alone: with parentheses, several statements, or
/// several modules.
fn guarded(line: &str, line_ending: &str) -> Option<String> {
    let statement = line.trim_start();
    let indent = &line[..line.len() - statement.len()];
    if statement.contains(['(', ';', '\\', '#', '*']) {
        return None;
    }
    let name_of = |item: &str| {
        let mut words = item.split_whitespace();
        let (name, rest) = (words.next()?, words.collect::<Vec<&str>>());
        match rest.as_slice() {
            [] => Some(name.split('.').next().unwrap_or(name).to_owned()),
            ["as", alias] => Some((*alias).to_owned()),
            _ => None,
        }
    };
    let items: Vec<&str> = match statement.strip_prefix("import ") {
        Some(module) if !module.contains(',') => vec![module],
        Some(_) => return None,
        None => statement.strip_prefix("from ")?.split_once(" import ")?.1.split(',').collect(),
    };
    let names: Option<Vec<String>> = items.into_iter().map(name_of).collect();
    let step = if indent.contains('\t') { "\t" } else { "    " };
    let none = names?.join(" = ");
    Some(format!(
        "{indent}try:{line_ending}\
         {indent}{step}{statement}{line_ending}\
         {indent}except ImportError:{line_ending}\
         {indent}{step}{none} = None"
    ))
}

/// Returns the edit that inserts a statement, and `import os` if it needs that, on a line of its
/// own before the outermost statement that contains the import.
fn insertion(view: &DocumentView<'_>, import: &ImportStatement, statement: &str) -> Option<TextEdit> {
    let document = view.document;
    let Document { imports_os, imports_os_above, .. } = *document.read(&view.settings.packages);
    let has_os = !statement.contains("os.")
        || imports_os_above
        || imports_os.is_some_and(|line| line < import.statement_line);
    let parse = |text: &str| document.parse(text);
    let text = added(document.text(), parse, import, has_os, document.line_ending(), statement)?;
    let first_column = u32::from(import.statement_line == 0 && document.text().starts_with('\u{feff}'));
    let place = Position { line: import.statement_line, character: first_column };
    Some(TextEdit { range: Range { start: place, end: place }, new_text: text })
}

/// Returns the lines to insert, or `None` where a line can't be inserted: within a statement that
/// spans several lines, or before a `from __future__` on the import's own line.
fn added(
    text: &str,
    parse: impl Fn(&str) -> Document,
    import: &ImportStatement,
    has_os: bool,
    line_ending: &str,
    statement: &str,
) -> Option<String> {
    let line = crate::source::Position { line: import.statement_line, character: 0 };
    let (before, after) = text.split_at_checked(LineIndex::new(text).offset(text, line))?;
    let (bom, after) = match after.strip_prefix('\u{feff}') {
        Some(after) => ("\u{feff}", after),
        None => ("", after),
    };
    let import_os = format!("import os{line_ending}");
    let trial = format!("{before}{bom}{import_os}{after}");
    let imports = |text: &str| parse(text).imports.len();
    if after.trim_start().starts_with("from __future__") || imports(&trial) != imports(text) + 1 {
        return None;
    }
    Some(format!("{}{statement}{line_ending}", if has_os { "" } else { &import_os }))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Checks what is inserted before the last import of the document, and on which line.
    fn check(text: &str, expected: Expect) {
        let document = Document::parse(text);
        let import = document.imports.last().unwrap();
        let has_os = document.imports_os.is_some_and(|line| line < import.statement_line);
        let statement = crate::action::add_dll_directory(r"C:\dlls");
        let added = added(text, Document::parse, import, has_os, "\n", &statement);
        let added = added.unwrap_or_else(|| "nothing\n".to_owned());
        expected.assert_eq(&format!("before line {}:\n{added}", import.statement_line));
    }

    #[test]
    fn a_line_is_inserted_before_the_import() {
        check(
            "import numpy\nimport tensorflow\n",
            expect![[r#"
                before line 1:
                import os
                os.add_dll_directory(r"C:\dlls")
            "#]],
        );
        check(
            "import os\ndef f():\n    import tensorflow\n",
            expect![[r#"
                before line 1:
                os.add_dll_directory(r"C:\dlls")
            "#]],
        );
        check(
            "\u{feff}import tensorflow",
            expect![[r#"
                before line 0:
                import os
                os.add_dll_directory(r"C:\dlls")
            "#]],
        );
    }

    #[test]
    fn a_directory_for_path_is_inserted_in_the_same_way() {
        let text = "import tensorflow\n";
        let document = Document::parse(text);
        let import = document.imports.last().unwrap();
        let statement = Action::PrependPath(r"C:\cuda\bin".to_owned()).value();
        expect![[r#"
            import os
            os.environ["PATH"] = r"C:\cuda\bin;" + os.environ["PATH"]
        "#]]
        .assert_eq(&added(text, Document::parse, import, false, "\n", &statement).unwrap());
    }

    #[test]
    fn no_line_is_inserted_within_a_statement_or_before_a_future_import() {
        check(
            "x = '''\n'''; import tensorflow\n",
            expect![[r#"
            before line 1:
            nothing
        "#]],
        );
        check(
            "from __future__ import annotations; import tensorflow\n",
            expect![[r#"
            before line 0:
            nothing
        "#]],
        );
    }

    #[test]
    fn requested_kinds_are_matched_as_a_tree() {
        let wants = |only: Option<Vec<CodeActionKind>>| {
            wants_quick_fixes(&CodeActionContext { only, ..CodeActionContext::default() })
        };
        assert!(wants(None));
        assert!(wants(Some(vec![CodeActionKind::EMPTY])));
        assert!(wants(Some(vec![CodeActionKind::REFACTOR, CodeActionKind::QUICKFIX])));
        assert!(!wants(Some(vec![CodeActionKind::SOURCE])));
    }
}
