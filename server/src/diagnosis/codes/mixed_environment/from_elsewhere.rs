//! Modules in another environment, or in a directory that several environments share.

use std::collections::{BTreeMap, BTreeSet};

use super::shared::{MOST_NAMED, Providers, finding, with_version};
use crate::diagnosis::Severity;
use crate::diagnosis::wording::{list, name_of, some_of};
use crate::diagnosis::{Case, Finding};
use crate::environment::{Distribution, DistributionKind, Origin, PathEntry};
use crate::host::WinPath;

/// Whether packages were installed into a directory.
fn contains_distributions(case: &Case<'_>, folder: &WinPath) -> bool {
    case.environment
        .distributions
        .iter()
        .any(|one| one.kind != DistributionKind::Conda && one.folder == *folder)
}

/// Describes what put a directory outside of the environment on `sys.path`. Returns `None` for the
/// environment's own directories, and for those of a program, which contain modules but no
/// installed packages.
fn foreign(case: &Case<'_>, entry: &PathEntry) -> Option<String> {
    let environment = case.environment;
    let is_own = entry.path.is_within(&environment.prefix);
    match &entry.origin {
        Origin::UserSite => Some("your user site-packages".to_owned()),
        _ if is_own || !contains_distributions(case, &entry.path) => None,
        Origin::PythonPath => Some("a folder of PYTHONPATH".to_owned()),
        Origin::Pth { file, line } => Some(format!("which {file}:{line} adds")),
        Origin::SitePackages | Origin::Prefix => {
            Some("the Python that this environment was created with".to_owned())
        }
        _ => None,
    }
}

pub(super) fn of_imported(
    case: &Case<'_>,
    executed: &BTreeMap<&str, &WinPath>,
    providers: &Providers<'_>,
    fails: bool,
) -> Option<Finding> {
    let environment = case.environment;
    let serving = |path: &WinPath| {
        let holding = environment.sys_path.iter().filter(|entry| path.is_within(&entry.path));
        holding.max_by_key(|entry| entry.path.as_str().len())
    };
    let mut from: Option<(&PathEntry, String, Vec<&str>)> = None;
    let mut has_own = false;
    for (name, path) in executed {
        let Some(entry) = serving(path) else { continue };
        match (foreign(case, entry), &mut from) {
            (Some(_), Some((known, _, names))) if *known == entry => names.push(name),
            // Only the first entry of `sys.path` is reported.
            (Some(words), None) => from = Some((entry, words, vec![name])),
            (Some(_), Some(_)) => {}
            (None, _) => has_own |= environment.site_packages.iter().any(|own| path.is_within(own)),
        }
    }
    let (entry, words, names) = from?;
    let provided_in = |is_there: &dyn Fn(&WinPath) -> bool, name: &str| {
        providers.get(name)?.iter().copied().find(|one| is_there(&one.folder))
    };
    let own: Vec<&Distribution> = names
        .iter()
        .filter_map(|name| provided_in(&|folder| folder.is_within(&environment.prefix), name))
        .collect();
    // If all packages are in one place, nothing is mixed, wherever that place is.
    if !has_own && own.is_empty() {
        return None;
    }
    let there: BTreeSet<String> = names
        .iter()
        .map(|name| {
            let provider = provided_in(&|folder| *folder == entry.path, name);
            provider.map_or_else(|| (*name).to_owned(), |one| with_version(case, one))
        })
        .collect();
    // `include-system-site-packages` is a deliberate choice.
    let is_wanted = matches!(entry.origin, Origin::SitePackages | Origin::Prefix);
    let mut finding = finding(case, fails, if is_wanted { Severity::Hint } else { Severity::Information });
    let is_or_are = if there.len() == 1 { "comes" } else { "come" };
    finding.what = format!(
        "`import {}` mixes environments: {} {is_or_are} from {}, {words}.",
        case.import,
        some_of(there.iter().cloned(), MOST_NAMED),
        entry.path
    );
    let hidden = some_of(own.iter().map(|one| with_version(case, one)), MOST_NAMED);
    finding.evidence = match own.is_empty() {
        true => "The import was followed: other packages that it uses are in the environment.".to_owned(),
        false => format!("That folder comes first on sys.path; the environment has {hidden} of its own."),
    };
    finding.advice = match &entry.origin {
        Origin::UserSite => "Uninstall it there, or set the variable PYTHONNOUSERSITE=1.",
        Origin::PythonPath => "Remove the folder from PYTHONPATH.",
        Origin::Pth { .. } => "Remove the line if the environment should be self-contained.",
        _ => "Install it into the environment if that should be self-contained.",
    }
    .to_owned();
    if entry.origin == Origin::UserSite && environment.prefix == environment.base_prefix {
        // pip uninstalls the copy that Python finds first.
        let mut foreign: Vec<&Distribution> =
            names.iter().filter_map(|name| provided_in(&|folder| *folder == entry.path, name)).collect();
        foreign.dedup_by(|one, other| one.location == other.location);
        let named: Vec<String> = foreign.iter().map(|one| name_of(one, &*case.host.files)).collect();
        let title = format!("Uninstall {} from your user site-packages", list(&named, "and"));
        finding.fixes.extend(case.uninstall(&foreign, &title));
    }
    Some(finding)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::diagnosis::codes::mixed_environment::tests::{PACKAGE, check_with, numpy};

    #[test]
    fn a_package_in_the_user_site_hides_one_in_the_environment() {
        let user_site = "/Users/me/AppData/Roaming/Python/Python38/site-packages";
        let user = [numpy(user_site, "2.0"), "variable APPDATA C:\\Users\\me\\AppData\\Roaming\n".to_owned()]
            .concat();
        let own = numpy("/Python/Lib/site-packages", "1.19");
        check_with(
            &[PACKAGE, &own, &user],
            expect![[r#"
                information mixed-environment: 
                  `import pkg` mixes environments: numpy 2.0 comes from C:\Users\me\AppData\Roaming\Python\Python38\site-packages, your user site-packages.
                  That folder comes first on sys.path; the environment has numpy 1.19 of its own.
                  Uninstall numpy from your user site-packages.
                  * Uninstall numpy from your user site-packages | C:\Python\python.exe -m pip uninstall -y numpy
            "#]],
        );
        // If the import fails, the mixture may be the cause.
        let broken = PACKAGE.replace("core.pyd\n/", "core.pyd  imports nowhere.dll\n/");
        check_with(
            &[&broken, &own, &user],
            expect![[r#"
                error missing-dll: nowhere.dll
                  `import pkg` will fail: nowhere.dll is missing.
                  pkg/core.pyd imports nowhere.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
                  Install the program or package that the DLL belongs to, or another version of pkg.
                  Python: ImportError: DLL load failed while importing core: The specified module could not be found.
                  ? Update pkg | C:\Python\python.exe -m pip install --upgrade pkg
                warning mixed-environment: 
                  `import pkg` mixes environments: numpy 2.0 comes from C:\Users\me\AppData\Roaming\Python\Python38\site-packages, your user site-packages.
                  That folder comes first on sys.path; the environment has numpy 1.19 of its own.
                  Uninstall numpy from your user site-packages.
                  * Uninstall numpy from your user site-packages | C:\Python\python.exe -m pip uninstall -y numpy
            "#]],
        );
        // Packages in one place aren't a mixture.
        let all = PACKAGE.replace("/Python/Lib/site-packages", user_site);
        check_with(
            &[&all, &user],
            expect![[r#"
            healthy
        "#]],
        );
        check_with(
            &[PACKAGE, &own, &user, "variable PYTHONNOUSERSITE 1\n"],
            expect![[r#"
            healthy
        "#]],
        );
    }

    #[test]
    fn a_folder_of_pythonpath_or_of_a_path_file() {
        let own = numpy("/Python/Lib/site-packages", "1.19");
        let other = numpy("/other/Lib/site-packages", "2.0");
        let variable = "variable PYTHONPATH C:\\other\\Lib\\site-packages\n";
        check_with(
            &[PACKAGE, &own, &other, variable],
            expect![[r#"
                information mixed-environment: 
                  `import pkg` mixes environments: numpy 2.0 comes from C:\other\Lib\site-packages, a folder of PYTHONPATH.
                  That folder comes first on sys.path; the environment has numpy 1.19 of its own.
                  Remove the folder from PYTHONPATH.
            "#]],
        );
        let path_file = "/Python/Lib/site-packages/other.pth  text\n    C:\\other\\Lib\\site-packages\n";
        check_with(
            &[PACKAGE, &other, path_file],
            expect![[r#"
                information mixed-environment: 
                  `import pkg` mixes environments: numpy 2.0 comes from C:\other\Lib\site-packages, which C:\Python\Lib\site-packages\other.pth:1 adds.
                  The import was followed: other packages that it uses are in the environment.
                  Remove the line if the environment should be self-contained.
            "#]],
        );
        // Modules of the program and of a project in development are used deliberately.
        let project =
            "/project/numpy/__init__.py  text\n/Python/Lib/site-packages/x.pth  text\n    C:\\project\n";
        check_with(
            &[PACKAGE, project],
            expect![[r#"
            healthy
        "#]],
        );
    }

    #[test]
    fn the_base_of_an_environment() {
        let venv = "\
/venv/Scripts/python.exe
/venv/pyvenv.cfg  text
    home = C:\\Python
    include-system-site-packages = true
python /venv
";
        let own = PACKAGE.replace("/Python/", "/venv/");
        check_with(
            &[&own, &numpy("/Python/Lib/site-packages", "1.19"), venv],
            expect![[r#"
                hint mixed-environment: 
                  `import pkg` mixes environments: numpy 1.19 comes from C:\Python\Lib\site-packages, the Python that this environment was created with.
                  The import was followed: other packages that it uses are in the environment.
                  Install it into the environment if that should be self-contained.
            "#]],
        );
    }
}
