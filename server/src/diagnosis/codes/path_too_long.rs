#![doc = include_str!("../../../../docs/codes/path-too-long.md")]

use crate::action::Action;
use crate::diagnosis::wording::windows_error;
use crate::diagnosis::{Case, Culprit, Finding, Fix, Problem};
use crate::host::{FileError, WinPath};
use crate::loader::{Cause, Fault};

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    long_path(problem).is_some()
}

fn long_path(problem: &Problem) -> Option<&WinPath> {
    match &problem.culprit {
        Culprit::Image(Fault { cause: Cause::PathTooLong { path }, .. }) => Some(path),
        Culprit::Module(missing) => {
            missing.inaccessible.as_ref().filter(|it| it.why == FileError::PathTooLong).map(|it| &it.path)
        }
        _ => None,
    }
}

pub(super) fn describe(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some((problem, path)) = problems.first().and_then(|problem| Some((problem, long_path(problem)?)))
    else {
        return;
    };
    let rule = match case.host.running.long_paths {
        Some(false) => "without LongPathsEnabled, programs can use paths of at most 259",
        _ => "Windows loads a module with a manifest only from a path of at most 259",
    };
    finding.what =
        format!("{}: the path of {} is too long.", case.consequence(finding.severity), path.file_name());
    finding.evidence = format!(
        "{path} has {} characters; {rule}{}.",
        path.as_str().encode_utf16().count(),
        windows_error(problem.code)
    );
    finding.advice = "Recreate the environment in a folder with a shorter path.".to_owned();
    let choose = Fix::new("Choose an interpreter in a folder with a shorter path", Action::ChooseInterpreter);
    finding.fixes.push(choose.untestable("the interpreter has not been chosen yet"));
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::check;

    #[test]
    fn a_module_with_a_manifest_deep_below() {
        let folder = ["d"; 120].concat();
        let world = |manifest: &str| {
            format!(
                "
                /Python/python.exe       imports python313.dll
                /Python/python313.dll    version 3.13.2150.1013
                /Python/Lib/os.py        text
                /Python/Lib/site-packages/pkg/__init__.py                     text
                    from .{folder}.{folder} import native
                /Python/Lib/site-packages/pkg/{folder}/__init__.py            text
                /Python/Lib/site-packages/pkg/{folder}/{folder}/__init__.py   text
                /Python/Lib/site-packages/pkg/{folder}/{folder}/native.pyd    exports f{manifest}
                import pkg
                "
            )
        };
        let answer = crate::testing::answer(&world(", manifest \"<assembly/>\"")).replace(&folder, "d…d");
        expect![[r#"
            error path-too-long: native.pyd
              `import pkg` will fail: the path of native.pyd is too long.
              C:\Python\Lib\site-packages\pkg\d…d\d…d\native.pyd has 284 characters; Windows loads a module with a manifest only from a path of at most 259 (Windows error 206).
              Recreate the environment in a folder with a shorter path.
              Python: ImportError: DLL load failed while importing native: The filename or extension is too long.
              ? Choose an interpreter in a folder with a shorter path | whydll.interpreter
        "#]].assert_eq(&answer);
        check(
            &world(""),
            expect![[r#"
                healthy
            "#]],
        );
        let short = world("").replace("import pkg", "short paths\n                import pkg");
        let answer = crate::testing::answer(&short).replace(&folder, "d…d");
        expect![[r#"
            error path-too-long: 
              `import pkg` will fail: the path of __init__.py is too long.
              C:\Python\Lib\site-packages\pkg\d…d\d…d\__init__.py has 285 characters; without LongPathsEnabled, programs can use paths of at most 259.
              Recreate the environment in a folder with a shorter path.
              Python: ModuleNotFoundError: No module named 'pkg.d…d.d…d'
              ? Choose an interpreter in a folder with a shorter path | whydll.interpreter
        "#]].assert_eq(&answer);
    }
}
