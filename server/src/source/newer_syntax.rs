//! Syntax that only newer versions of Python support. Older ones can't compile the module, and so
//! can't import it.

use ruff_python_ast::ModModule;
use ruff_python_ast::{PySourceType, PythonVersion};
use ruff_python_parser::{ParseOptions, Parsed, UnsupportedSyntaxErrorKind, parse_unchecked};
use serde::{Deserialize, Serialize};

/// The minor version that added lazy imports (PEP 810), Python 3.15.
pub const LAZY_IMPORTS: u16 = 15;

/// A use of syntax that older versions don't support.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NewerSyntax {
    /// The first version 3.`since` of Python that supports it.
    pub since: u16,
    /// The 1-based line.
    pub line: u32,
    /// The syntax as written, or its name: "`match`".
    pub what: String,
}

impl NewerSyntax {
    /// Creates the entry for a lazy import on this line.
    pub(super) fn lazy_import(line: u32) -> NewerSyntax {
        NewerSyntax { since: LAZY_IMPORTS, line, what: LAZY_IMPORT.to_owned() }
    }
}

const LAZY_IMPORT: &str = "`lazy import`";

/// Parses a document and detects all syntax newer than Python 3.7. A broken document is parsed as
/// far as possible.
pub(super) fn parsed(text: &str) -> Parsed<ModModule> {
    let options = ParseOptions::from(PySourceType::Python).with_target_version(PythonVersion::PY37);
    match parse_unchecked(text, options).try_into_module() {
        Some(parsed) => parsed,
        None => ruff_python_parser::parse_unchecked_source(text, PySourceType::Python),
    }
}

/// Returns the first use of each version's syntax, ordered by version. `line_of` returns the line
/// of a byte offset.
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

/// Returns the version 3.x that added a syntax (each version's "What's New in Python"), and its
/// name. Returns `None` for syntax that other versions compile too, possibly with another meaning.
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
