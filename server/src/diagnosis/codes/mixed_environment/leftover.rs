//! Leftovers of an installation that didn't finish.

use std::collections::{BTreeMap, BTreeSet};

use super::shared::{MOST_NAMED, Providers, finding};
use crate::diagnosis::Severity;
use crate::diagnosis::wording::some_of;
use crate::diagnosis::{Case, Finding};
use crate::environment::Note;
use crate::host::WinPath;
use crate::source::top_level;

pub(super) fn of_imported(
    case: &Case<'_>,
    executed: &BTreeMap<&str, &WinPath>,
    providers: &Providers<'_>,
    fails: bool,
) -> Option<Finding> {
    let asked = top_level(case.import);
    let distributions = providers.values().flatten().map(|one| one.name.as_str());
    let names: BTreeSet<&str> = executed.keys().copied().chain([asked]).chain(distributions).collect();
    let is_of_these = |path: &&WinPath| names.iter().any(|name| is_leftover_of(path.file_name(), name));
    let notes = case.environment.notes.iter();
    let left = notes.filter_map(|note| if let Note::Leftover { path } = note { Some(path) } else { None });
    let left: Vec<&WinPath> = left.filter(is_of_these).collect();
    let first = left.first()?;
    let mut finding = finding(case, fails, Severity::Hint);
    let named = some_of(left.iter().map(|path| path.file_name().to_owned()), MOST_NAMED);
    let folder = first.parent().map(|folder| folder.as_str().to_owned()).unwrap_or_default();
    finding.what = format!(
        "pip left {named} behind in {folder}: remains of a package that `import {}` uses.",
        case.import
    );
    finding.evidence = "pip renames files before it removes them, and deletes them at the end of an \
                        installation. It did not get that far, or a program was still using them."
        .to_owned();
    finding.advice = match fails {
        true => "Reinstall the package, and delete the leftovers.".to_owned(),
        false => "The leftovers can be deleted.".to_owned(),
    };
    let provider = providers.get(asked).and_then(|providers| providers.first());
    let again = provider.filter(|_| fails).and_then(|one| case.reinstall(one));
    finding.fixes.extend(again);
    Some(finding)
}

/// Whether pip would give this name to a file of `name` that it removes. Of `numpy` or
/// `numpy-1.19.5.dist-info`, it replaces the first letter by `~`, and then further letters by
/// characters from a list (`AdjacentTempDirectory` in pip/_internal/utils/temp_dir.py).
fn is_leftover_of(leftover: &str, name: &str) -> bool {
    let Some(rest) = leftover.strip_prefix('~') else { return false };
    let rest = match rest.strip_suffix(".dist-info") {
        Some(described) => described.rsplit_once('-').map_or(described, |(name, _)| name),
        None => rest,
    };
    let tail = rest.trim_start_matches(|c: char| "-~.=%0123456789".contains(c));
    let replaced = name.len().checked_sub(tail.len());
    !tail.is_empty() && replaced == Some(1 + rest.len() - tail.len()) && name.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::is_leftover_of;
    use crate::diagnosis::codes::mixed_environment::tests::{PACKAGE, check_with, numpy};

    #[test]
    fn leftovers_of_pip() {
        let left =
            "/Python/Lib/site-packages/~umpy/__init__.py  text\n/Python/Lib/site-packages/~cipy/x.py  text\n";
        let own = numpy("/Python/Lib/site-packages", "1.19");
        check_with(
            &[PACKAGE, &own, left],
            expect![[r#"
                hint mixed-environment: 
                  pip left ~umpy behind in C:\Python\Lib\site-packages: remains of a package that `import pkg` uses.
                  pip renames files before it removes them, and deletes them at the end of an installation. It did not get that far, or a program was still using them.
                  The leftovers can be deleted.
            "#]],
        );
        let broken = PACKAGE.replace("core.pyd\n/", "core.pyd  imports nowhere.dll\n/");
        check_with(
            &[&broken, &own, left],
            expect![[r#"
                error missing-dll: nowhere.dll
                  `import pkg` will fail: nowhere.dll is missing.
                  pkg/core.pyd imports nowhere.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
                  Install the program or package that the DLL belongs to, or another version of pkg.
                  Python: ImportError: DLL load failed while importing core: The specified module could not be found.
                  ? Update pkg | C:\Python\python.exe -m pip install --upgrade pkg
                warning mixed-environment: 
                  pip left ~umpy behind in C:\Python\Lib\site-packages: remains of a package that `import pkg` uses.
                  pip renames files before it removes them, and deletes them at the end of an installation. It did not get that far, or a program was still using them.
                  Reinstall the package, and delete the leftovers.
            "#]],
        );
    }

    #[test]
    fn names_of_leftovers() {
        for leftover in ["~umpy", "~-mpy", "~~mpy", "~umpy-1.19.5.dist-info", "~-~.y"] {
            assert!(is_leftover_of(leftover, "numpy"), "{leftover}");
        }
        for other in ["~cipy", "numpy", "~", "~numpy", "~-umpy", "~umpy2"] {
            assert!(!is_leftover_of(other, "numpy"), "{other}");
        }
    }
}
