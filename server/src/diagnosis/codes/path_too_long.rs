//! # path-too-long
//!
//! The path of a module has 260 characters or more, and Windows cannot load it from there.
//!
//! ## What it means
//! Windows' loader was made for paths of at most 259 characters. With `LongPathsEnabled` set, Python finds files beyond that,
//! but a DLL or extension module that carries a manifest (most do) is still refused: "The filename or extension is too long"
//! (error 206).
//!
//! ## How we know
//! The length of the path, and the manifest in the file.
//!
//! ## What to do
//! Make the environment anew in a folder near the root of the drive, such as `C:\venvs\tf`. The setting `LongPathsEnabled` alone
//! does not help here.

use crate::diagnosis::{Case, Finding, Problem};
use crate::fix::{Action, Fix};
use crate::loader::Cause;

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    problem.fault().is_some_and(|fault| matches!(fault.cause, Cause::PathTooLong { .. }))
}

pub(super) fn tell(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(Cause::PathTooLong { path }) =
        problems.first().and_then(Problem::fault).map(|fault| &fault.cause)
    else {
        return;
    };
    finding.what =
        format!("{}: the path of {} is too long.", case.consequence(finding.severity), path.file_name());
    finding.evidence = format!(
        "{path} has {} characters; Windows loads a module with a manifest from at most 259 (Windows error 206).",
        path.as_str().encode_utf16().count()
    );
    finding.advice = "Make the environment anew in a shorter folder.".to_owned();
    let choose = Fix::new("Choose an interpreter in a shorter folder", Action::ChooseInterpreter);
    finding.fixes.push(Fix { preferred: true, ..choose });
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
        let told = crate::testing::answer(&world(", manifest \"<assembly/>\"")).replace(&folder, "d…d");
        expect![[r#"
            error path-too-long: native.pyd
              `import pkg` will fail: the path of native.pyd is too long.
              C:\Python\Lib\site-packages\pkg\d…d\d…d\native.pyd has 284 characters; Windows loads a module with a manifest from at most 259 (Windows error 206).
              Make the environment anew in a shorter folder.
              Python: ImportError: DLL load failed while importing native: The filename or extension is too long.
              * Choose an interpreter in a shorter folder | whydll.interpreter
        "#]].assert_eq(&told);
        check(
            &world(""),
            expect![[r#"
                healthy
            "#]],
        );
    }
}
