//! # access-denied
//!
//! A DLL or extension module is there, but this user may not read it.
//!
//! ## What it means
//! Windows refuses to open the file (error 5). Usual reasons: the package was installed by an administrator with
//! narrower rights, or an antivirus program holds the file back.
//!
//! ## How we know
//! Opening the file for reading fails with "access denied".
//!
//! ## What to do
//! Give yourself the right to read and execute the file and its folder, or install the package again as the user who
//! runs it. If it comes back, look at the antivirus program's messages.

use crate::diagnosis::{Case, Culprit, Finding, Problem};
use crate::host::FileError;
use crate::loader::{Cause, Fault};
use crate::plan::MissingModule;

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    if let Culprit::Module(missing) = &problem.culprit {
        return missing.denied.is_some();
    }
    problem.fault().is_some_and(|fault| matches!(fault.cause, Cause::Unreadable { .. }))
}

pub(super) fn tell(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let (path, error) = match problems.first().map(|problem| &problem.culprit) {
        Some(Culprit::Module(MissingModule { denied: Some(path), .. })) => (path, &FileError::AccessDenied),
        Some(Culprit::Image(Fault { cause: Cause::Unreadable { path, error }, .. })) => (path, error),
        _ => return,
    };
    finding.what = format!("{}: {} cannot be read.", case.consequence(finding.severity), case.short(path));
    finding.evidence = format!("Opening {path} fails: {error}.");
    finding.advice = "Mend the rights of the file and its folder, or install its package again.".to_owned();
    if let Some(mut fix) = case.reinstall_owner(path) {
        fix.preferred = true;
        finding.fixes.push(fix);
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::check;

    #[test]
    fn a_module_that_this_user_may_not_read() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd
            denied /Python/Lib/site-packages/pkg/native.pyd
            import pkg
            "#,
            expect![[r#"
                error access-denied: native.pyd
                  `import pkg` will fail: pkg/native.pyd cannot be read.
                  Opening C:\Python\Lib\site-packages\pkg\native.pyd fails: access is denied.
                  Mend the rights of the file and its folder, or install its package again.
                  Python: ImportError: DLL load failed while importing native: Access is denied.
                  * Choose another interpreter | whydll.interpreter
            "#]],
        );
    }

    #[test]
    fn a_dll_that_this_user_may_not_read_and_whose_package_is_known() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports a.dll
            /Python/Lib/site-packages/pkg/a.dll
            /Python/Lib/site-packages/pkg-1.0.dist-info/METADATA   text
                Name: pkg
                Version: 1.0
            /Python/Lib/site-packages/pkg-1.0.dist-info/RECORD     text
                pkg/native.pyd,,
                pkg/a.dll,,
            denied /Python/Lib/site-packages/pkg/a.dll
            import pkg
            "#,
            expect![[r#"
                error access-denied: a.dll
                  `import pkg` will fail: pkg/a.dll cannot be read.
                  Opening C:\Python\Lib\site-packages\pkg\a.dll fails: access is denied.
                  Mend the rights of the file and its folder, or install its package again.
                  Python: ImportError: DLL load failed while importing native: Access is denied.
                  * Reinstall pkg 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
            "#]],
        );
    }
}
