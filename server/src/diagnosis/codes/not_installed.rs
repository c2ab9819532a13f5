#![doc = include_str!("../../../../docs/codes/not-installed.md")]

use std::collections::BTreeSet;

use crate::action::Action;
use crate::diagnosis::wording::{name_of, some_of};
use crate::diagnosis::{Case, Culprit, DiagnosedPackage, Finding, Fix, Problem, Severity};
use crate::environment::{Environment, Note, names, normalized};
use crate::source;

/// The maximum number of environments with the package that are named and offered.
const MOST_NAMED: usize = 3;

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    matches!(problem.culprit, Culprit::Module(_))
}

pub(super) fn describe(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(Culprit::Module(missing)) = problems.first().map(|problem| &problem.culprit) else {
        return;
    };
    let top_level = source::top_level(case.import);
    let asked = missing.name == case.import || missing.name == top_level;
    let environment = case.environment;
    let interpreter = &environment.interpreter;
    finding
        .python_error
        .get_or_insert_with(|| format!("ModuleNotFoundError: No module named '{}'", missing.name));
    let folders: Vec<String> =
        environment.site_packages.iter().map(|folder| folder.as_str().to_owned()).collect();
    let no_site = environment.notes.iter().find_map(|note| match note {
        Note::NoSite { file } => Some(file),
        _ => None,
    });
    // If a submodule is missing, the package itself was found.
    let package = missing.name.split_once('.').map(|(package, _)| package);
    let is_removed = source::is_standard(&missing.name) && missing.name != "distutils";
    finding.what = if let Some(package) = package {
        format!(
            "{}: {package} is installed, but it does not contain {}.",
            case.consequence(finding.severity),
            missing.name
        )
    } else if asked && is_removed {
        format!(
            "{}: Python {}.{} no longer includes {}.",
            case.consequence(Severity::Error),
            environment.version.major,
            environment.version.minor,
            missing.name
        )
    } else if asked {
        format!(
            "{} is not installed in the selected environment, so {}.",
            missing.name,
            case.consequence(Severity::Error)
        )
    } else if source::is_standard(&missing.name) {
        format!(
            "{}: it needs {}, which Python {}.{} no longer includes.",
            case.consequence(finding.severity),
            missing.name,
            environment.version.major,
            environment.version.minor
        )
    } else {
        format!("{}: it needs {}, which is not installed.", case.consequence(finding.severity), missing.name)
    };
    if let Some(package) = package {
        finding.evidence = "The package contains no file or folder of that name.".to_owned();
        finding.advice =
            "Choose the environment whose version has it, or install another version.".to_owned();
        let files = &*case.host.files;
        let is_shared = environment
            .sys_path
            .iter()
            .map(|entry| entry.path.join(package))
            .any(|folder| files.is_folder(&folder) && !files.is_file(&folder.join("__init__.py")));
        if is_shared {
            finding.evidence = format!(
                "Several distributions share the folder {package}, and none of the installed ones contains \
                 it."
            );
            finding.advice = format!("Install the distribution that provides {}.", missing.name);
            return;
        }
        let distribution = environment.providers(package, files).into_iter().next();
        finding.fixes.extend(distribution.and_then(|one| case.update(one)));
        return;
    }
    finding.evidence = match (no_site, folders.is_empty()) {
        (Some(file), _) => {
            format!("{file} does not contain `import site`, so no package folder is searched.")
        }
        (None, true) => format!("{interpreter} has no package folder."),
        (None, false) => format!("{} is not in {}.", missing.name, folders.join(" or ")),
    };
    let others = case.other_environments_with(source::top_level(&missing.name));
    if !others.is_empty() {
        let words = |(environment, package): &(Environment, DiagnosedPackage)| {
            let version = environment.full_version();
            format!("{} (Python {version}, {})", environment.interpreter, package.installed())
        };
        let named = some_of(others.iter().map(words), MOST_NAMED);
        finding.evidence = format!("{} It is in {named}.", finding.evidence);
    }
    if is_removed {
        describe_removed_module(case, problems.first(), finding);
        return;
    }
    finding.advice = match asked {
        true => "Choose the environment that has it, or install it into this one.".to_owned(),
        false => "Install it into this environment, or choose one that has it.".to_owned(),
    };
    finding.fixes =
        others.iter().take(MOST_NAMED).map(|(other, package)| case.use_interpreter(other, package)).collect();
    if no_site.is_none() {
        let title = |distribution: &str| format!("Install {distribution} into this environment");
        let module = source::top_level(&missing.name);
        let distribution = distribution_of(case, problems.first(), module, &others);
        if distribution.is_none() && others.is_empty() {
            finding.advice = match suggestion(case, module) {
                Some(name) => format!("Did you mean {name}? WhyDLL knows no package that provides {module}."),
                None => format!(
                    "WhyDLL does not know which package provides {module}: look it up before you install one."
                ),
            };
        }
        finding.fixes.extend(distribution.and_then(|name| case.install(&[&name], &title(&name))));
    }
    let choose = Fix::new("Choose another interpreter", Action::ChooseInterpreter);
    finding.fixes.push(choose.untestable("the interpreter has not been chosen yet"));
}

/// Returns an installed or well-known module with a similar name.
fn suggestion(case: &Case<'_>, module: &str) -> Option<String> {
    let files = &*case.host.files;
    let installed: BTreeSet<String> =
        case.environment.distributions.iter().flat_map(|one| one.top_level(files)).collect();
    names::closest_name(module, installed.iter().map(String::as_str)).map(str::to_owned)
}

/// Describes a package's import of a module that was removed from Python.
fn describe_removed_module(case: &Case<'_>, problem: Option<&Problem>, finding: &mut Finding) {
    let files = &*case.host.files;
    let file = problem.and_then(|problem| problem.trace.first()?.file.as_ref());
    let choose = Fix::new("Choose an interpreter with an older Python", Action::ChooseInterpreter)
        .untestable("the interpreter has not been chosen yet");
    match file.and_then(|file| case.environment.owner_of(file, files)) {
        Some(owner) => {
            let name = name_of(owner, files);
            finding.advice =
                format!("Install a version of {name} that supports this Python, or choose an older Python.");
            finding.fixes = case.update(owner).into_iter().chain([choose]).collect();
        }
        None => {
            finding.advice = "Choose an older Python.".to_owned();
            finding.fixes = vec![choose];
        }
    }
}

/// Returns the distribution that provides a module: a missing requirement of the importing
/// distribution with a similar name, or else a well-known distribution, or else the only missing
/// requirement.
fn distribution_of(
    case: &Case<'_>,
    problem: Option<&Problem>,
    module: &str,
    others: &[(Environment, DiagnosedPackage)],
) -> Option<String> {
    if module == "distutils" {
        // setuptools includes its own copy.
        return Some("setuptools".to_owned());
    }
    let known = names::distribution_of(module).map(str::to_owned);
    // Another environment that has the module records its distribution.
    let known = known.or_else(|| others.iter().find_map(|(_, package)| package.distribution.clone()));
    let module = normalized(module);
    let file = problem.and_then(|problem| problem.trace.first()?.file.as_ref());
    let lacking = file.map(|file| case.environment.lacks_for(file, &*case.host.files));
    let lacking: Vec<String> = lacking.into_iter().flatten().map(|needed| needed.name).collect();
    let alike = lacking
        .iter()
        .find(|name| **name == module)
        .or_else(|| lacking.iter().find(|name| name.split('-').any(|part| part == module)));
    match (alike, lacking.as_slice()) {
        (Some(name), _) => Some(name.clone()),
        (None, _) if known.is_some() => known,
        (None, [only]) => Some(only.clone()),
        // An unknown name could be anyone's: misspelt, or a name that no package should have.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::check;

    #[test]
    fn a_package_that_is_not_installed_anywhere() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            import tensorflow
            import tensorflow.keras
            "#,
            expect![[r#"
                error not-installed: 
                  tensorflow is not installed in the selected environment, so `import tensorflow` will fail.
                  C:\Python\python.exe has no package folder.
                  Choose the environment that has it, or install it into this one.
                  Python: ModuleNotFoundError: No module named 'tensorflow'
                  ? Install tensorflow into this environment | C:\Python\python.exe -m pip install tensorflow
                  ? Choose another interpreter | whydll.interpreter
                error not-installed: 
                  tensorflow is not installed in the selected environment, so `import tensorflow.keras` will fail.
                  C:\Python\python.exe has no package folder.
                  Choose the environment that has it, or install it into this one.
                  Python: ModuleNotFoundError: No module named 'tensorflow'
                  ? Install tensorflow into this environment | C:\Python\python.exe -m pip install tensorflow
                  ? Choose another interpreter | whydll.interpreter
            "#]],
        );
    }

    #[test]
    fn a_package_that_other_environments_have() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /work/a/Scripts/python.exe
            /work/a/pyvenv.cfg       text
                home = C:\Python
            /work/.venv/Scripts/python.exe
            /work/.venv/pyvenv.cfg   text
                home = C:\Python
            /work/.venv/Lib/site-packages/pkg/__init__.py    text
            /work/.venv/Lib/site-packages/pkg_cpu-1.2.dist-info/METADATA    text
                Name: pkg-cpu
            /work/.venv/Lib/site-packages/pkg_cpu-1.2.dist-info/RECORD      text
                pkg/__init__.py,,
            /Users/me/miniconda3/envs/ml/python.exe      imports python311.dll
            /Users/me/miniconda3/envs/ml/python311.dll   version 3.11.4150.1013
            /Users/me/miniconda3/envs/ml/Lib/os.py       text
            /Users/me/miniconda3/envs/ml/conda-meta/history          text
            /Users/me/miniconda3/envs/ml/Lib/site-packages/pkg.py    text
            /Users/me/miniconda3/envs/other/python.exe   imports python311.dll
            /Users/me/miniconda3/envs/other/python311.dll
            /Users/me/miniconda3/envs/other/conda-meta/history       text
            python /work/a
            import pkg
            "#,
            expect![[r#"
                error not-installed: 
                  pkg is not installed in the selected environment, so `import pkg` will fail.
                  C:\work\a\Scripts\python.exe has no package folder. It is in C:\work\.venv\Scripts\python.exe (Python 3.8.10, pkg-cpu 1.2) and C:\Users\me\miniconda3\envs\ml\python.exe (Python 3.11.4, pkg).
                  Use C:\work\.venv\Scripts\python.exe, which has pkg-cpu 1.2, or use C:\Users\me\miniconda3\envs\ml\python.exe, which has pkg.
                  Python: ModuleNotFoundError: No module named 'pkg'
                  * Use C:\work\.venv\Scripts\python.exe, which has pkg-cpu 1.2 | "whydll.interpreter": "C:\\work\\.venv\\Scripts\\python.exe"
                  - Use C:\Users\me\miniconda3\envs\ml\python.exe, which has pkg | "whydll.interpreter": "C:\\Users\\me\\miniconda3\\envs\\ml\\python.exe"
                  ? Install pkg-cpu into this environment | C:\work\a\Scripts\python.exe -m pip install pkg-cpu
                  ? Choose another interpreter | whydll.interpreter
            "#]],
        );
    }

    #[test]
    fn a_submodule_that_does_not_exist() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
            import pkg.absent
            "#,
            expect![[r#"
                error not-installed: 
                  `import pkg.absent` will fail: pkg is installed, but it does not contain pkg.absent.
                  The package contains no file or folder of that name.
                  Choose the environment whose version has it, or install another version.
                  Python: ModuleNotFoundError: No module named 'pkg.absent'
            "#]],
        );
    }

    #[test]
    fn an_undeclared_requirement_is_not_reported_as_missing() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                import numpy
            import pkg
            "#,
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn a_package_whose_absence_is_handled_but_that_is_needed_later() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                try:
                    import numpy
                except ImportError as e:
                    raise ImportError('pkg needs numpy') from e
            import pkg
            "#,
            expect![[r#"
                error not-installed: 
                  `import pkg` will fail: it needs numpy, which is not installed.
                  numpy is not in C:\Python\Lib\site-packages.
                  Install it into this environment, or choose one that has it.
                  Python: ImportError: pkg needs numpy
                  ? Install numpy into this environment | C:\Python\python.exe -m pip install numpy
                  ? Choose another interpreter | whydll.interpreter
            "#]],
        );
    }

    #[test]
    fn an_embeddable_python_does_not_search_site_packages() {
        check(
            r#"
            /embed/python.exe       imports python38.dll
            /embed/python38.dll     version 3.8.10150.1013
            /embed/python38.zip     zip
            /embed/python38._pth    text
                python38.zip
                .
            /embed/Lib/site-packages/pkg/__init__.py   text
            python /embed
            import pkg
            "#,
            expect![[r#"
                error not-installed: 
                  pkg is not installed in the selected environment, so `import pkg` will fail.
                  C:\embed\python38._pth does not contain `import site`, so no package folder is searched.
                  Choose the environment that has it, or install it into this one.
                  Python: ModuleNotFoundError: No module named 'pkg'
                  ? Choose another interpreter | whydll.interpreter
            "#]],
        );
    }
}
