#![doc = include_str!("../../../../docs/codes/access-denied.md")]

use crate::diagnosis::{Case, Culprit, Finding, Problem};
use crate::host::{FileError, WinPath};
use crate::loader::{Cause, Fault};

pub(super) fn recognizes(case: &Case<'_>, problem: &Problem) -> bool {
    unreadable(case, problem).is_some()
}

/// Returns the file or directory that can't be opened, and why.
fn unreadable(case: &Case<'_>, problem: &Problem) -> Option<(WinPath, FileError)> {
    match &problem.culprit {
        Culprit::Module(missing) => {
            let inaccessible =
                missing.inaccessible.as_ref().filter(|it| it.why == FileError::AccessDenied)?;
            Some((inaccessible.path.clone(), FileError::AccessDenied))
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
            let folder = folders.find(|folder| denies_access(case, folder))?;
            Some((folder.clone(), FileError::AccessDenied))
        }
        _ => None,
    }
}

fn denies_access(case: &Case<'_>, folder: &WinPath) -> bool {
    case.host.files.folder(folder) == Err(FileError::AccessDenied)
}

/// Returns the outermost directory around `path` that can't be listed.
fn denying_folder(case: &Case<'_>, path: &WinPath) -> Option<WinPath> {
    let folders = std::iter::successors(path.parent(), WinPath::parent);
    folders.filter(|folder| denies_access(case, folder)).last()
}

pub(super) fn describe(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some((path, error)) = problems.first().and_then(|problem| unreadable(case, problem)) else {
        return;
    };
    let path = &path;
    let folder = denying_folder(case, path)
        .map_or(String::new(), |folder| format!(" The folder {folder} denies_access access."));
    finding.what = format!("{}: {} cannot be read.", case.consequence(finding.severity), case.short(path));
    finding.evidence = format!("Opening {path} fails: {error}.{folder}");
    finding.advice = "Fix the permissions of the file and its folder, or reinstall its package.".to_owned();
    let fix = case.reinstall_owner(path);
    finding.fixes.extend(fix.map(|fix| fix.untestable("the folder may keep its permissions")));
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::check;

    #[test]
    fn a_module_that_this_user_cannot_read() {
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
                  Fix the permissions of the file and its folder, or reinstall its package.
                  Python: ImportError: DLL load failed while importing native: Access is denied.
            "#]],
        );
    }

    #[test]
    fn a_folder_that_this_user_cannot_list() {
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
                  Fix the permissions of the file and its folder, or reinstall its package.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
            "#]],
        );
    }

    #[test]
    fn an_unreadable_dll_of_a_known_package() {
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
                  Fix the permissions of the file and its folder, or reinstall its package.
                  Python: ImportError: DLL load failed while importing native: Access is denied.
                  ? Reinstall pkg 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
            "#]],
        );
    }
}
