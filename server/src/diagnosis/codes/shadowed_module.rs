#![doc = include_str!("../../../../docs/codes/shadowed-module.md")]

use crate::action::Action;
use crate::cpython::{Finder, Found};
use crate::diagnosis::wording::name_of;
use crate::diagnosis::{Case, Culprit, Finding, Fix, FixEffect, HiddenPackage, Problem, Severity};
use crate::environment::normalized;
use crate::host::{Change, Files, WinPath};
use crate::plan::{Event, Plan};
use crate::source::{StmtKind, is_standard, top_level};

/// Returns the installed package that a module in the program's directory hides, if an import found
/// that module.
pub(in crate::diagnosis) fn hidden(
    case: &Case<'_>,
    plan: &Plan<'_>,
    folder: &WinPath,
) -> Option<HiddenPackage> {
    let name = top_level(case.import);
    let file = plan.steps().iter().find_map(|step| match &step.event {
        Event::Module { name: module, path } | Event::Extension { name: module, path, .. } => {
            (module == name).then_some(path)
        }
        _ => None,
    })?;
    let own = folder.join(name);
    let by = match file.parent()? {
        parent if parent == *folder => file.clone(),
        parent if parent == own => own,
        _ => return None,
    };
    let installed: Vec<WinPath> = case.environment.sys_path.iter().map(|entry| entry.path.clone()).collect();
    let package = match Finder::new(case.environment, case.host).top_level(name, &installed) {
        Found::Package { folder, .. } => folder,
        Found::Source(path)
        | Found::Extension { path, folder: None }
        | Found::Opaque { path: Some(path) } => path,
        Found::Extension { folder: Some(folder), .. } => folder,
        _ => return None,
    };
    let is_another = package != by && !is_standard(name);
    (is_another && !is_source_of(case, name, folder)).then(|| HiddenPackage {
        by,
        file: file.clone(),
        package,
    })
}

/// Whether a directory is the source of an installed package. A developer who works there wants to
/// import it.
fn is_source_of(case: &Case<'_>, package: &str, folder: &WinPath) -> bool {
    let files = &*case.host.files;
    let distributions = case.environment.providers(package, files);
    let is_its_name = |name: &str| distributions.iter().any(|one| one.normalized == normalized(name));
    let described = ["pyproject.toml", "setup.cfg", "setup.py"].into_iter();
    let described = described.map(|name| folder.join(name)).filter(|file| files.is_file(file));
    described.filter_map(|file| files.text(&file).ok()).any(|text| {
        text.lines().any(|line| {
            let value = line.trim_start().strip_prefix("name").map(str::trim_start);
            let value = value.and_then(|rest| rest.strip_prefix('=')).unwrap_or_default();
            is_its_name(value.trim_matches(|c: char| c.is_whitespace() || "\"',".contains(c)))
        })
    })
}

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    matches!(problem.culprit, Culprit::HiddenPackage(_))
}

pub(super) fn describe(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(Culprit::HiddenPackage(hidden)) = problems.first().map(|problem| &problem.culprit) else {
        return;
    };
    let files = &*case.host.files;
    let name = top_level(case.import);
    let own = hidden.by.file_name();
    let provider = case.environment.providers(name, files).into_iter().next();
    let package = match provider.map(|provider| (name_of(provider, files), provider.version.as_ref())) {
        Some((name, Some(version))) => format!("the installed {name} {version}"),
        Some((name, None)) => format!("the installed {name}"),
        None => format!("the installed {name}"),
    };
    let is_folder = hidden.by != hidden.file;
    let thing = if is_folder { "folder" } else { "file" };
    finding.what = match finding.severity {
        Severity::Error => {
            format!("`import {}` will fail: your {thing} {own} hides {package}.", case.import)
        }
        _ => format!("`import {}` uses your {thing} {own}, not {package}.", case.import),
    };
    let folder = hidden.by.parent().map(|folder| folder.as_str().to_owned()).unwrap_or_default();
    let again = match imports_itself(files, &hidden.file, name) {
        true => " The file imports that name itself, so it gets itself, partially initialized.",
        false => "",
    };
    finding.evidence =
        format!("Python looks in {folder} first, so it never reaches {}.{again}", hidden.package);
    // importlib's message continues, unlike ours (`_find_and_load_unlocked`).
    if let Some(sentence) = finding.python_error.as_mut().filter(|_| !is_folder)
        && sentence.starts_with("ModuleNotFoundError: No module named")
    {
        *sentence = format!("{sentence}; '{name}' is not a package");
    }
    let to = free_name(files, &hidden.by);
    finding.advice = format!("Rename the {thing}.");
    finding.caution = format!("Use the new name wherever your program imports your own {thing}.");
    let rename = Action::Rename { from: hidden.by.as_str().to_owned(), to: to.clone() };
    let effect = FixEffect::of_files([(hidden.by.clone(), Change::Gone)]);
    finding.fixes = vec![Fix::new(format!("Rename the {thing} {own} to {to}"), rename).with_effect(effect)];
}

/// Whether a module imports its own name.
fn imports_itself(files: &dyn Files, module: &WinPath, name: &str) -> bool {
    let script = files.script(module).unwrap_or_default();
    script.body.iter().any(|stmt| match &stmt.kind {
        StmtKind::Import { module, .. } | StmtKind::ImportFrom { level: 0, module, .. } => {
            top_level(module) == name
        }
        _ => false,
    })
}

/// Returns an unused name in the same directory: `my_tensorflow.py`.
fn free_name(files: &dyn Files, path: &WinPath) -> String {
    const MOST: usize = 100;
    let name = path.file_name();
    let first = format!("my_{name}");
    let (stem, ending) = first.split_at(first.find('.').unwrap_or(first.len()));
    let more = (2..MOST).map(|number| format!("{stem}_{number}{ending}"));
    let is_free =
        |name: &String| path.parent().is_some_and(|folder| files.kind(&folder.join(name.as_str())).is_none());
    std::iter::once(first.clone()).chain(more).find(is_free).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use crate::testing::check;

    /// Checks a Python with a package of native code, and a program in `/w`.
    fn check_with(program: &str, expected: Expect) {
        let python = "\
/Python/python.exe       imports python38.dll
/Python/python38.dll     version 3.8.10150.1013
/Python/Lib/os.py        text
/Python/Lib/site-packages/pkg/__init__.py    text
    from . import core
/Python/Lib/site-packages/pkg/core.pyd
/Python/Lib/site-packages/pkg/sub.py         text
/Python/Lib/site-packages/pkg_cpu-1.2.dist-info/METADATA    text
    Name: pkg-cpu
/Python/Lib/site-packages/pkg_cpu-1.2.dist-info/RECORD      text
    pkg/__init__.py,,
    pkg/core.pyd,,
script /w/main.py
";
        check(&format!("{python}{program}"), expected);
    }

    #[test]
    fn a_file_next_to_the_program() {
        check_with(
            "/w/pkg.py  text\n    import pkg\nimport pkg\nimport pkg.sub\n",
            expect![[r#"
                warning shadowed-module: 
                  `import pkg` uses your file pkg.py, not the installed pkg-cpu 1.2.
                  Python looks in C:\w first, so it never reaches C:\Python\Lib\site-packages\pkg. The file imports that name itself, so it gets itself, partially initialized.
                  Rename the file pkg.py to my_pkg.py.
                  Use the new name wherever your program imports your own file.
                  * Rename the file pkg.py to my_pkg.py | Rename-Item -LiteralPath C:\w\pkg.py -NewName my_pkg.py
                error shadowed-module: 
                  `import pkg.sub` will fail: your file pkg.py hides the installed pkg-cpu 1.2.
                  Python looks in C:\w first, so it never reaches C:\Python\Lib\site-packages\pkg. The file imports that name itself, so it gets itself, partially initialized.
                  Rename the file pkg.py to my_pkg.py.
                  Use the new name wherever your program imports your own file.
                  Python: ModuleNotFoundError: No module named 'pkg.sub'; 'pkg' is not a package
                  * Rename the file pkg.py to my_pkg.py | Rename-Item -LiteralPath C:\w\pkg.py -NewName my_pkg.py
            "#]],
        );
    }

    #[test]
    fn a_folder_next_to_the_program() {
        check_with(
            "/w/pkg/__init__.py  text\nimport pkg\n",
            expect![[r#"
                warning shadowed-module: 
                  `import pkg` uses your folder pkg, not the installed pkg-cpu 1.2.
                  Python looks in C:\w first, so it never reaches C:\Python\Lib\site-packages\pkg.
                  Rename the folder pkg to my_pkg.
                  Use the new name wherever your program imports your own folder.
                  * Rename the folder pkg to my_pkg | Rename-Item -LiteralPath C:\w\pkg -NewName my_pkg
            "#]],
        );
    }

    #[test]
    fn modules_that_hide_nothing() {
        // A directory without `__init__.py`.
        check_with(
            "/w/pkg/data.txt  text\nimport pkg\n",
            expect![[r#"
            healthy
        "#]],
        );
        // A name with different letter case.
        check_with(
            "/w/PKG.py  text\nimport pkg\n",
            expect![[r#"
            healthy
        "#]],
        );
        // No package is installed.
        check_with(
            "/w/other.py  text\nimport other\n",
            expect![[r#"
            healthy
        "#]],
        );
        // The project of the package itself.
        check_with(
            "/w/pkg.py  text\n/w/pyproject.toml  text\n    [project]\n    name = \"Pkg.CPU\"\nimport pkg\n",
            expect![[r#"
                healthy
            "#]],
        );
        // A module of a package isn't next to the program.
        check_with(
            "/w/__init__.py  text\n/w/pkg.py  text\nimport pkg\n",
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn an_isolated_python_does_not_search_the_program_s_folder() {
        check(
            r#"
            /embed/python.exe       imports python38.dll
            /embed/python38.dll     version 3.8.10150.1013
            /embed/python38.zip     zip
            /embed/python38._pth    text
                python38.zip
                Lib/site-packages
            /embed/Lib/site-packages/pkg.pyd
            /w/pkg.py               text
            python /embed
            script /w/main.py
            import pkg
            "#,
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn the_new_name_is_unused() {
        check_with(
            "/w/pkg.py  text\n/w/my_pkg.py  text\n/w/MY_pkg_2.py  text\nimport pkg\n",
            expect![[r#"
                warning shadowed-module: 
                  `import pkg` uses your file pkg.py, not the installed pkg-cpu 1.2.
                  Python looks in C:\w first, so it never reaches C:\Python\Lib\site-packages\pkg.
                  Rename the file pkg.py to my_pkg_3.py.
                  Use the new name wherever your program imports your own file.
                  * Rename the file pkg.py to my_pkg_3.py | Rename-Item -LiteralPath C:\w\pkg.py -NewName my_pkg_3.py
            "#]],
        );
    }
}
