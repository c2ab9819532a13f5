//! # access-denied
//!
//! A DLL or extension module is there, but this user may not read it.
//!
//! ## What it means
//! Windows refuses to open the file (error 5). Usual reasons: the package was installed by an administrator with
//! narrower rights, or an antivirus program holds the file back.
//!
//! ## How we know
//! Opening the file for reading, on Windows for executing too, fails with "access denied"; or the folder of the environment in which
//! it is looked for cannot be listed. Where a folder denies, it is named.
//!
//! ## What to do
//! Give yourself the right to read and execute the file and its folder, or install the package again as the user who
//! runs it. If it comes back, look at the antivirus program's messages.

use crate::diagnosis::{Case, Culprit, Finding, Problem};
use crate::host::{FileError, WinPath};
use crate::loader::{Cause, Fault};

pub(super) fn recognizes(case: &Case<'_>, problem: &Problem) -> bool {
    unreadable(case, problem).is_some()
}

/// The file or folder that cannot be opened, and why.
fn unreadable(case: &Case<'_>, problem: &Problem) -> Option<(WinPath, FileError)> {
    match &problem.culprit {
        Culprit::Module(missing) => {
            let withheld = missing.withheld.as_ref().filter(|it| it.why == FileError::AccessDenied)?;
            Some((withheld.path.clone(), FileError::AccessDenied))
        }
        Culprit::Image(Fault { cause: Cause::Unreadable { path, error }, .. }) => {
            Some((path.clone(), error.clone()))
        }
        Culprit::Image(Fault { cause: Cause::NotFound { searched }, .. }) => {
            let own = |folder: &WinPath| {
                let environment = case.environment;
                [&environment.prefix, &environment.base_prefix].iter().any(|prefix| folder.is_within(prefix))
            };
            let mut folders =
                searched.iter().map(|searched| &searched.directory).filter(|folder| own(folder));
            let folder = folders.find(|folder| denies(case, folder))?;
            Some((folder.clone(), FileError::AccessDenied))
        }
        _ => None,
    }
}

fn denies(case: &Case<'_>, folder: &WinPath) -> bool {
    case.host.files.folder(folder) == Err(FileError::AccessDenied)
}

/// The outermost folder around `path` that cannot be listed.
fn denying_folder(case: &Case<'_>, path: &WinPath) -> Option<WinPath> {
    let folders = std::iter::successors(path.parent(), WinPath::parent);
    folders.filter(|folder| denies(case, folder)).last()
}

pub(super) fn tell(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some((path, error)) = problems.first().and_then(|problem| unreadable(case, problem)) else {
        return;
    };
    let path = &path;
    let folder =
        denying_folder(case, path).map_or(String::new(), |folder| format!(" The folder {folder} denies it."));
    finding.what = format!("{}: {} cannot be read.", case.consequence(finding.severity), case.short(path));
    finding.evidence = format!("Opening {path} fails: {error}.{folder}");
    finding.advice =
        "Correct the permissions of the file and its folder, or install its package again.".to_owned();
    let fix = case.reinstall_owner(path);
    finding.fixes.extend(fix.map(|fix| fix.untestable("the folder may keep the permissions that deny it")));
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
                  Correct the permissions of the file and its folder, or install its package again.
                  Python: ImportError: DLL load failed while importing native: Access is denied.
            "#]],
        );
    }

    #[test]
    fn a_folder_that_this_user_may_not_look_into() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                import os
                os.add_dll_directory(os.path.join(os.path.dirname(__file__), 'libs'))
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports a.dll
            /Python/Lib/site-packages/pkg/libs/a.dll
            denied /Python/Lib/site-packages/pkg/libs
            import pkg
            "#,
            expect![[r#"
                error access-denied: a.dll
                  `import pkg` will fail: pkg/libs cannot be read.
                  Opening C:\Python\Lib\site-packages\pkg\libs fails: access is denied.
                  Correct the permissions of the file and its folder, or install its package again.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
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
                  Correct the permissions of the file and its folder, or install its package again.
                  Python: ImportError: DLL load failed while importing native: Access is denied.
                  ? Reinstall pkg 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
            "#]],
        );
    }
}
