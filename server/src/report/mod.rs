//! Renders findings as text for a terminal, as Markdown, and as JSON. Knows nothing about editors.

mod chain;
mod contents;
mod environments;
mod explanation;
mod json;
pub mod markdown;
mod page;
#[cfg(test)]
mod tests;
mod text;
mod tree;

use std::collections::BTreeSet;

use crate::action::Action;
use crate::diagnosis::{DiagnosedPackage, Diagnosis, Finding, Gap, Health, Severity};
use crate::environment::{Assumption, Environment};
use crate::host::snapshot::Redactor;
use crate::host::{Host, WinPath};
use crate::source::{ImportStatement, Position, Range, top_level};

pub use chain::{chain_json, chain_text};
pub use contents::contents;
pub use environments::{Environments, Listed, environments_json, environments_text};
pub use explanation::Explanation;
pub use json::check_json;
pub use markdown::check_markdown;
pub use page::{chain_page, empty_page};
pub use text::check_text;
pub use tree::{Node, NodeState, chain_tree};

/// The result of a check.
pub struct Report<'a> {
    /// The environment that was checked.
    pub environment: &'a Environment,
    /// The machine.
    pub host: &'a Host,
    /// What was assumed about the machine because the user didn't select one.
    pub assumed: Option<Assumption>,
    /// The packages that were checked.
    pub packages: Vec<DiagnosedPackage>,
    /// The findings, in order.
    pub findings: Vec<Located>,
    /// The documents that were read; empty if only packages were checked.
    pub documents: Vec<CheckedDocument>,
}

/// A finding, and the import statement that it belongs to.
pub struct Located {
    /// The finding.
    pub finding: Finding,
    /// An index into [`Report::documents`], and the range of the module's name there.
    pub at: Option<(usize, Range)>,
}

/// A Python file that was checked, or a cell of a notebook.
pub struct CheckedDocument {
    /// The name of the file, as it was given.
    pub name: String,
    /// The target of links to the file, if the output supports them.
    pub link: Option<String>,
    /// The 0-based index of a cell among all cells.
    pub cell: Option<usize>,
    /// Its content.
    pub text: String,
    /// The number of imports of watched packages in it.
    pub watched_imports: usize,
    /// Its imports.
    pub statements: Vec<Statement>,
    /// The 0-based line of `import os` at its top level, if it has one.
    pub imports_os: Option<u32>,
}

/// The location of an import in a document.
pub struct Statement {
    /// The range of the module's name.
    pub range: Range,
    /// The 0-based line on which its outermost statement begins.
    pub line: u32,
    /// The identity of its place in the program, see
    /// [`ImportPoint::identity`](crate::source::ImportPoint::identity).
    pub point: u128,
}

impl From<&ImportStatement> for Statement {
    fn from(import: &ImportStatement) -> Statement {
        Statement { range: import.range, line: import.statement_line, point: import.point.identity() }
    }
}

/// A location in a document, for display.
struct Location {
    /// Human-readable: `main.py:3`, `main.ipynb, cell 2, line 3`.
    name: String,
    /// The target of a link to it, if the output supports links.
    link: Option<String>,
}

impl CheckedDocument {
    /// Creates a document without findings.
    pub fn new(name: String, text: String) -> CheckedDocument {
        CheckedDocument {
            name,
            link: None,
            cell: None,
            text,
            watched_imports: 0,
            statements: Vec::new(),
            imports_os: None,
        }
    }

    fn location(&self, start: Position) -> Location {
        let line = start.line + 1;
        let link = self.link.as_ref();
        match self.cell {
            Some(cell) => Location {
                name: format!("{}, cell {}, line {line}", self.name, cell + 1),
                link: link.cloned(),
            },
            None => Location {
                name: format!("{}:{line}", self.name),
                link: link.map(|link| format!("{link}#L{line}")),
            },
        }
    }
}

impl<'a> Report<'a> {
    /// Creates an empty report.
    pub fn new(environment: &'a Environment, host: &'a Host, assumed: Option<Assumption>) -> Report<'a> {
        let (packages, findings, documents) = Default::default();
        Report { environment, host, assumed, packages, findings, documents }
    }

    /// Returns the redactor that replaces user names in a report that is shared.
    pub fn redactor(&self) -> Redactor {
        let environment = self.environment;
        let paths =
            [&environment.selected, &environment.interpreter, &environment.prefix, &environment.base_prefix];
        let paths = paths.into_iter().chain(&environment.user_site).map(WinPath::as_str);
        let named = self.documents.iter().map(|document| document.name.as_str());
        let searched = self.host.variables.get("PATH").into_iter().flat_map(|path| path.split(';'));
        Redactor::of(self.host, paths.chain(named).chain(searched))
    }

    /// Creates the report on imports that belong to no document.
    pub fn of(
        environment: &'a Environment,
        host: &'a Host,
        assumed: Option<Assumption>,
        Diagnosis { findings, packages, .. }: Diagnosis,
    ) -> Report<'a> {
        let findings = findings.into_iter().map(|finding| Located { finding, at: None }).collect();
        Report { packages, findings, ..Report::new(environment, host, assumed) }
    }
}

impl Report<'_> {
    /// Returns the number of files that were checked.
    fn files(&self) -> usize {
        let modules = self.documents.iter().filter(|document| document.cell.is_none()).count();
        let cells = self.documents.iter().filter(|document| document.cell.is_some());
        let notebooks: BTreeSet<&str> = cells.map(|cell| cell.name.as_str()).collect();
        modules + notebooks.len()
    }

    /// Returns the health in one word.
    pub fn health(&self) -> Health {
        let findings: Vec<Finding> = self.findings.iter().map(|located| located.finding.clone()).collect();
        Health::of(&findings)
    }

    /// Returns a short summary: `tensorflow: 2 DLLs missing`.
    fn headline(&self) -> String {
        let findings = self.findings.iter().map(|located| &located.finding);
        let findings = findings.filter(|finding| !finding.is_note && finding.severity <= Severity::Warning);
        let briefs: BTreeSet<String> = findings.clone().map(Finding::brief).collect();
        let handled: BTreeSet<&str> = self.handled().collect();
        match (findings.min_by_key(|finding| finding.severity), handled.first()) {
            (Some(worst), _) if briefs.len() > 1 => {
                format!("{} (and {} more)", worst.brief(), briefs.len() - 1)
            }
            (Some(worst), _) => worst.brief(),
            (None, Some(package)) => format!("{package} fails to import, and the program handles it"),
            (None, None) if self.packages.iter().any(|package| !package.coverage.is_full()) => {
                "no problems found, as far as the imports could be followed".to_owned()
            }
            (None, None) => "no problems found".to_owned(),
        }
    }

    /// Returns the packages whose import fails in a place where the program handles the failure.
    fn handled(&self) -> impl Iterator<Item = &str> {
        let findings = self.findings.iter().map(|located| &located.finding);
        findings.filter(|finding| finding.is_handled).map(|finding| top_level(&finding.package))
    }

    /// Whether some import fails.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|located| located.finding.severity == Severity::Error)
    }

    /// Returns the findings to show, each cause once, however many imports it affects.
    fn causes(&self) -> Vec<&Located> {
        self.deduplicated(false)
    }

    /// Returns the notes to show, each cause once.
    fn notes(&self) -> Vec<&Located> {
        self.deduplicated(true)
    }

    fn deduplicated(&self, notes: bool) -> Vec<&Located> {
        let mut unique: Vec<&Located> = Vec::new();
        for located in self.findings.iter().filter(|located| located.finding.is_note == notes) {
            if !unique.iter().any(|known| known.has_same_cause(located)) {
                unique.push(located);
            }
        }
        unique
    }

    /// Returns the locations of all findings with the same cause, first that of `located` itself.
    fn locations_of(&self, located: &Located) -> Vec<Location> {
        let others = self.findings.iter().filter(|other| other.at != located.at);
        let all = std::iter::once(located).chain(others.filter(|other| other.has_same_cause(located)));
        let location = |located: &Located| {
            let (document, range) = located.at?;
            Some(self.documents.get(document)?.location(range.start))
        };
        let mut locations: Vec<Location> = all.filter_map(location).collect();
        if locations.len() > MAX_LOCATIONS {
            let more = locations.split_off(MAX_LOCATIONS).len();
            locations.push(Location { name: format!("and {more} more"), link: None });
        }
        locations
    }

    /// Returns the 0-based line before which an edit inserts its statement, or `None` if the action
    /// isn't an edit or the finding isn't in a document.
    fn line_of(&self, located: &Located, action: &Action) -> Option<u32> {
        let (document, range) = located.at?;
        let statements = &self.documents.get(document)?.statements;
        let statement = match action {
            action if action.is_insertion() => statements.iter().find(|it| it.range == range),
            Action::MoveImport { to, .. } => statements.iter().find(|it| it.point == *to),
            _ => None,
        };
        Some(statement?.line)
    }

    /// Returns what the user has to run, open, insert, or set, see [`Action::value`]. Inserted code
    /// includes `import os` if it needs that.
    fn value_of(&self, located: &Located, action: &Action) -> String {
        let value = action.value();
        let is_edit = matches!(action, Action::AddDllDirectory(_) | Action::PrependPath(_));
        let document = located.at.and_then(|(document, _)| self.documents.get(document));
        let imports_os = document.and_then(|document| document.imports_os);
        let line = self.line_of(located, action);
        let has_os = imports_os.is_some_and(|os| line.is_some_and(|line| os < line));
        if is_edit && !has_os { format!("import os\n{value}") } else { value }
    }

    /// Returns the chain from the importing Python file down to the culprit.
    fn chain_of(&self, finding: &Finding) -> Vec<ChainLine> {
        let python = finding.related.iter().rev();
        let python = python
            .map(|at| ChainLine { name: self.environment.short(&at.file), remark: Remark::Line(at.line) });
        let native = finding.chain.iter().map(|link| ChainLine {
            name: link.path.as_ref().map_or_else(|| link.name.clone(), |path| self.environment.short(path)),
            remark: link.remark.clone().map_or(Remark::None, Remark::Culprit),
        });
        python.chain(native).collect()
    }

    /// Describes a location where an import couldn't be followed, and what is unknown there.
    fn gap(&self, gap: &Gap) -> String {
        match &gap.file {
            Some(file) => format!("{} line {}: {}", self.environment.short(file), gap.line, gap.what),
            None => format!("line {}: {}", gap.line, gap.what),
        }
    }

    /// Describes the VC++ runtimes of the machine: those that are present, and those that are
    /// registered but missing.
    fn runtimes(&self) -> String {
        let runtimes =
            self.host.vc_runtimes().into_iter().map(|it| format!("{} ({})", it.version, it.machine));
        let registered = self.host.misregistered_runtimes().into_iter();
        let registered =
            registered.map(|it| format!("{} ({})", it.registered.version, it.registered.machine));
        let present = match runtimes.collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => "no VC++ runtime in its system directory".to_owned(),
            some => format!("VC++ runtime {some}"),
        };
        match registered.collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => present,
            some => format!("{present}, although {some} is registered"),
        }
    }
}

/// The maximum number of locations that are shown for one cause.
const MAX_LOCATIONS: usize = 11;

/// A line of a finding's chain.
struct ChainLine {
    name: String,
    remark: Remark,
}

enum Remark {
    None,
    /// The line of a Python file.
    Line(u32),
    Culprit(String),
}

impl ChainLine {
    /// Renders the line without colours.
    fn text(&self) -> String {
        match &self.remark {
            Remark::None => self.name.clone(),
            Remark::Line(line) => format!("{} line {line}", self.name),
            Remark::Culprit(what) => format!("{}  {what}", self.name),
        }
    }
}

impl Located {
    fn has_same_cause(&self, other: &Located) -> bool {
        self.finding.explains(&other.finding)
    }
}
