//! Findings as text for a terminal, as a document in Markdown, and as JSON for programs. Knows nothing of editors.

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
use crate::diagnosis::{Diagnosis, Finding, Gap, Health, Package, Severity};
use crate::environment::Environment;
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

/// The answer of a check.
pub struct Report<'a> {
    /// The environment that was looked at.
    pub environment: &'a Environment,
    /// The machine.
    pub host: &'a Host,
    /// What was assumed without being told, for people.
    pub assumed: Option<String>,
    /// The packages that were asked about.
    pub packages: Vec<Package>,
    /// What was found, in order.
    pub findings: Vec<Located>,
    /// The documents that were read; none if none were given.
    pub documents: Vec<CheckedDocument>,
}

/// A finding, and the import statement that it belongs to.
pub struct Located {
    /// The finding.
    pub finding: Finding,
    /// Where: an index into [`Report::documents`], and the module's name there.
    pub at: Option<(usize, Range)>,
}

/// A Python file that was checked, or a cell of a notebook.
pub struct CheckedDocument {
    /// The file, as it was given.
    pub name: String,
    /// What a link to the file names, where one may lead there.
    pub address: Option<String>,
    /// Of a cell, its 0-based place among all cells.
    pub cell: Option<usize>,
    /// Its text.
    pub text: String,
    /// How many imports in it are of packages that are watched.
    pub watched_imports: usize,
    /// Its imports.
    pub statements: Vec<Statement>,
    /// The 0-based line of `import os` at its top level, if it has one.
    pub imports_os: Option<u32>,
}

/// Where an import stands in a document.
pub struct Statement {
    /// The module's name in the text.
    pub range: Range,
    /// 0-based line on which its outermost statement begins.
    pub line: u32,
    /// Bytes of program before it, see [`ImportStatement::before`].
    pub before: usize,
}

impl From<&ImportStatement> for Statement {
    fn from(import: &ImportStatement) -> Statement {
        Statement { range: import.range, line: import.statement_line, before: import.before.len() }
    }
}

/// A place in a document.
struct Place {
    /// For people: `main.py:3`, `main.ipynb, cell 2, line 3`.
    name: String,
    /// Its address, if a link may lead there.
    link: Option<String>,
}

impl CheckedDocument {
    /// In which nothing was found yet.
    pub fn new(name: String, text: String) -> CheckedDocument {
        CheckedDocument {
            name,
            address: None,
            cell: None,
            text,
            watched_imports: 0,
            statements: Vec::new(),
            imports_os: None,
        }
    }

    fn place(&self, start: Position) -> Place {
        let line = start.line + 1;
        let address = self.address.as_ref();
        match self.cell {
            Some(cell) => Place {
                name: format!("{}, cell {}, line {line}", self.name, cell + 1),
                link: address.cloned(),
            },
            None => Place {
                name: format!("{}:{line}", self.name),
                link: address.map(|address| format!("{address}#L{line}")),
            },
        }
    }
}

impl<'a> Report<'a> {
    /// In which nothing was checked yet.
    pub fn new(environment: &'a Environment, host: &'a Host, assumed: Option<String>) -> Report<'a> {
        let (packages, findings, documents) = Default::default();
        Report { environment, host, assumed, packages, findings, documents }
    }

    /// What gives users other names where the report is passed on.
    pub fn redactor(&self) -> Redactor {
        let environment = self.environment;
        let paths =
            [&environment.selected, &environment.interpreter, &environment.prefix, &environment.base_prefix];
        let paths = paths.into_iter().chain(&environment.user_site).map(WinPath::as_str);
        let named = self.documents.iter().map(|document| document.name.as_str());
        let searched = self.host.variables.get("PATH").into_iter().flat_map(|path| path.split(';'));
        Redactor::of(self.host, paths.chain(named).chain(searched))
    }

    /// Of imports that stand in no document.
    pub fn of(
        environment: &'a Environment,
        host: &'a Host,
        assumed: Option<String>,
        Diagnosis { findings, packages, .. }: Diagnosis,
    ) -> Report<'a> {
        let findings = findings.into_iter().map(|finding| Located { finding, at: None }).collect();
        Report { packages, findings, ..Report::new(environment, host, assumed) }
    }
}

impl Report<'_> {
    /// How many files were checked.
    fn files(&self) -> usize {
        let texts = self.documents.iter().filter(|document| document.cell.is_none()).count();
        let cells = self.documents.iter().filter(|document| document.cell.is_some());
        let notebooks: BTreeSet<&str> = cells.map(|cell| cell.name.as_str()).collect();
        texts + notebooks.len()
    }

    /// In one word.
    pub fn health(&self) -> Health {
        let findings: Vec<Finding> = self.findings.iter().map(|located| located.finding.clone()).collect();
        Health::of(&findings)
    }

    /// All of it in a few words: `tensorflow: 2 DLLs missing`.
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

    /// The packages whose import fails where the program is ready for it.
    fn handled(&self) -> impl Iterator<Item = &str> {
        let findings = self.findings.iter().map(|located| &located.finding);
        findings.filter(|finding| finding.is_handled).map(|finding| top_level(&finding.package))
    }

    /// Whether some import fails.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|located| located.finding.severity == Severity::Error)
    }

    /// What is to be told of the imports. One cause is told once, however many imports run into it.
    fn causes(&self) -> Vec<&Located> {
        self.told_once(false)
    }

    /// What is no more than a note, likewise.
    fn notes(&self) -> Vec<&Located> {
        self.told_once(true)
    }

    fn told_once(&self, notes: bool) -> Vec<&Located> {
        let mut told: Vec<&Located> = Vec::new();
        for located in self.findings.iter().filter(|located| located.finding.is_note == notes) {
            if !told.iter().any(|known| known.has_same_cause(located)) {
                told.push(located);
            }
        }
        told
    }

    /// Where a cause is met: its own place first.
    fn places_of(&self, located: &Located) -> Vec<Place> {
        let others = self.findings.iter().filter(|other| other.at != located.at);
        let met = std::iter::once(located).chain(others.filter(|other| other.has_same_cause(located)));
        let place = |located: &Located| {
            let (document, range) = located.at?;
            Some(self.documents.get(document)?.place(range.start))
        };
        let mut places: Vec<Place> = met.filter_map(place).collect();
        if places.len() > MOST_PLACES {
            let more = places.split_off(MOST_PLACES).len();
            places.push(Place { name: format!("and {more} more"), link: None });
        }
        places
    }

    /// The 0-based line of the document before which an edit inserts its statement; none for what is no edit, or in no document.
    fn line_of(&self, located: &Located, action: &Action) -> Option<u32> {
        let (document, range) = located.at?;
        let statements = &self.documents.get(document)?.statements;
        let statement = match action {
            action if action.is_insertion() => statements.iter().find(|it| it.range == range),
            Action::MoveImport { after, .. } => statements.iter().find(|it| it.before == *after),
            _ => None,
        };
        Some(statement?.line)
    }

    /// What a person is to run, open, insert or set: see [`Action::value`]. What is inserted imports what it needs.
    fn value_of(&self, located: &Located, action: &Action) -> String {
        let value = action.value();
        let is_edit = matches!(action, Action::AddDllDirectory(_) | Action::PrependPath(_));
        let document = located.at.and_then(|(document, _)| self.documents.get(document));
        let imports_os = document.and_then(|document| document.imports_os);
        let line = self.line_of(located, action);
        let has_os = imports_os.is_some_and(|os| line.is_some_and(|line| os < line));
        if is_edit && !has_os { format!("import os\n{value}") } else { value }
    }

    /// From the Python file that imports down to the culprit.
    fn chain_of(&self, finding: &Finding) -> Vec<Link> {
        let python = finding.related.iter().rev();
        let python = python.map(|at| Link { name: self.short(&at.file), remark: Remark::Line(at.line) });
        let native = finding.chain.iter().map(|link| Link {
            name: link.path.as_ref().map_or_else(|| link.name.clone(), |path| self.short(path)),
            remark: link.remark.clone().map_or(Remark::None, Remark::Culprit),
        });
        python.chain(native).collect()
    }

    /// Paths in the folder of packages begin there.
    fn short(&self, path: &WinPath) -> String {
        let below = self.environment.site_packages.iter().find_map(|folder| path.below(folder));
        below.map_or_else(|| path.as_str().to_owned(), |tail| tail.replace('\\', "/"))
    }

    /// A place where an import could not be followed, and what is not known there.
    fn gap(&self, gap: &Gap) -> String {
        match &gap.file {
            Some(file) => format!("{} line {}: {}", self.short(file), gap.line, gap.what),
            None => format!("line {}: {}", gap.line, gap.what),
        }
    }

    /// The VC++ runtimes of the machine: those that lie there, and those that are registered although they do not.
    fn runtimes(&self) -> String {
        let runtimes =
            self.host.vc_runtimes().into_iter().map(|it| format!("{} ({})", it.version, it.machine));
        let registered = self.host.misregistered_runtimes().into_iter();
        let registered =
            registered.map(|it| format!("{} ({})", it.registered.version, it.registered.machine));
        let there = match runtimes.collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => "no VC++ runtime in its system directory".to_owned(),
            some => format!("VC++ runtime {some}"),
        };
        match registered.collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => there,
            some => format!("{there}, though {some} is registered"),
        }
    }
}

/// Of the places where one cause is met, so many are told.
const MOST_PLACES: usize = 11;

/// A line of a finding's chain.
struct Link {
    name: String,
    remark: Remark,
}

enum Remark {
    None,
    /// The line of a Python file.
    Line(u32),
    Culprit(String),
}

impl Link {
    /// Without colours.
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
