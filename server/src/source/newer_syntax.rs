//! Syntax that only newer versions of Python know: with others the module does not compile, and so is not imported.

use ruff_python_ast::ModModule;
use ruff_python_ast::{PySourceType, PythonVersion};
use ruff_python_parser::{ParseOptions, Parsed, UnsupportedSyntaxErrorKind, parse_unchecked};
use serde::{Deserialize, Serialize};

/// Python 3.15 brought lazy imports (PEP 810).
pub const LAZY_IMPORTS: u16 = 15;

/// A use of syntax that older versions do not know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NewerSyntax {
    /// The first version 3.`since` of Python that knows it.
    pub since: u16,
    /// 1-based.
    pub line: u32,
    /// As it is written, or called: "`match`".
    pub what: String,
}

impl NewerSyntax {
    /// A lazy import on this line.
    pub(super) fn lazy_import(line: u32) -> NewerSyntax {
        NewerSyntax { since: LAZY_IMPORTS, line, what: LAZY_IMPORT.to_owned() }
    }
}

const LAZY_IMPORT: &str = "`lazy import`";

/// Parses a text, and notices all syntax that came after Python 3.7. A broken text is parsed as far as that goes.
pub(super) fn parsed(text: &str) -> Parsed<ModModule> {
    let options = ParseOptions::from(PySourceType::Python).with_target_version(PythonVersion::PY37);
    match parse_unchecked(text, options).try_into_module() {
        Some(parsed) => parsed,
        None => ruff_python_parser::parse_unchecked_source(text, PySourceType::Python),
    }
}

/// The first use of each version's syntax in a parsed text, in the order of versions. `line_of` gives the line of a place, in bytes.
pub(super) fn newer_syntax(parsed: &Parsed<ModModule>, line_of: impl Fn(usize) -> u32) -> Vec<NewerSyntax> {
    let mut found: Vec<NewerSyntax> = Vec::new();
    for error in parsed.unsupported_syntax_errors() {
        let Some((since, what)) = known(error.kind) else { continue };
        if !found.iter().any(|other| other.since == since) {
            let line = line_of(error.range.start().to_usize());
            found.push(NewerSyntax { since, line, what: what.to_owned() });
        }
    }
    found.sort();
    found
}

/// Which version 3.x brought a syntax (each version's "What's New in Python"), and what it is called. None of what other versions
/// compile all the same, if to something else.
fn known(kind: UnsupportedSyntaxErrorKind) -> Option<(u16, &'static str)> {
    use UnsupportedSyntaxErrorKind as Kind;
    Some(match kind {
        Kind::Walrus => (8, "`:=`"),
        Kind::PositionalOnlyParameter => (8, "`/` among parameters"),
        Kind::StarTuple(_) => (8, "`*` in a tuple without parentheses"),
        Kind::RelaxedDecorator(_) => (9, "a decorator of this form"),
        Kind::UnparenthesizedUnpackInFor => (9, "`*` in `for … in`"),
        Kind::UnparenthesizedNamedExpr(_) => (10, "`:=` without parentheses"),
        Kind::Match => (10, "`match`"),
        Kind::ExceptStar => (11, "`except*`"),
        Kind::StarExpressionInIndex => (11, "`*` in an index"),
        Kind::StarAnnotation => (11, "`*` in an annotation"),
        Kind::Pep701FString(_) => (12, "an f-string of this form"),
        Kind::TypeParameterList => (12, "type parameters in brackets"),
        Kind::TypeAliasStatement => (12, "`type`"),
        Kind::TypeParamDefault => (13, "a default of a type parameter"),
        Kind::UnparenthesizedExceptionTypes => (14, "`except` with several classes without parentheses"),
        Kind::TemplateStrings => (14, "a template string"),
        Kind::LazyImportStatement => (LAZY_IMPORTS, LAZY_IMPORT),
        Kind::UnpackingInComprehension(_) => (15, "`*` in a comprehension"),
        Kind::ParenthesizedContextManager | Kind::ParenthesizedKeywordArgumentName => return None,
    })
}
