#![doc = include_str!("../../../../docs/codes/bad-image.md")]

use crate::diagnosis::wording::name_of;
use crate::diagnosis::{Case, Finding, Problem};
use crate::loader::Cause;

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    problem.fault().is_some_and(|fault| matches!(fault.cause, Cause::BadImage { .. }))
}

pub(super) fn describe(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(fault) = problems.first().and_then(Problem::fault) else {
        return;
    };
    let Cause::BadImage { path, error } = &fault.cause else {
        return;
    };
    let name = case.short(path);
    finding.what = format!("{}: {name} is damaged.", case.consequence(finding.severity));
    let files = &*case.host.files;
    let recorded = case.environment.owner_of(path, files).and_then(|owner| {
        let rows = owner.expected_files(files).ok()?;
        let row = rows.into_iter().find(|row| row.path == *path)?;
        Some(format!(
            " {} recorded a size of {} bytes when it was installed.",
            name_of(owner, files),
            row.size?
        ))
    });
    finding.evidence =
        format!("Windows refuses the file (error 193): {error}.{}", recorded.unwrap_or_default());
    finding.advice = format!("Replace {path} with an intact copy from its original source.");
    finding.fixes.extend(case.reinstall_owner(path).map(|fix| case.restoring(fix, path)));
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::check;

    #[test]
    fn the_actual_content_of_the_file_is_described() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports a.dll
            /Python/Lib/site-packages/pkg/a.dll          html
            import pkg
            "#,
            expect![[r#"
                error bad-image: a.dll
                  `import pkg` will fail: pkg/a.dll is damaged.
                  Windows refuses the file (error 193): the file is not a Windows program or DLL; it looks like a web page (HTML).
                  Replace C:\Python\Lib\site-packages\pkg\a.dll with an intact copy from its original source.
                  Python: ImportError: DLL load failed while importing native: %1 is not a valid Win32 application.
            "#]],
        );
    }

    #[test]
    fn the_installed_size_is_reported() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.cp38-win_amd64.pyd     empty
            /Python/Lib/site-packages/pkg-1.0.dist-info/METADATA   text
                Name: pkg
                Version: 1.0
            /Python/Lib/site-packages/pkg-1.0.dist-info/RECORD     text
                pkg/__init__.py,sha256=x,20
                pkg/native.cp38-win_amd64.pyd,sha256=x,123456
            import pkg
            "#,
            expect![[r#"
                error bad-image: native.cp38-win_amd64.pyd
                  `import pkg` will fail: pkg/native.cp38-win_amd64.pyd is damaged.
                  Windows refuses the file (error 193): the file is empty. pkg recorded a size of 123456 bytes when it was installed.
                  Reinstall pkg 1.0.
                  Python: ImportError: DLL load failed while importing native: %1 is not a valid Win32 application.
                  * Reinstall pkg 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
            "#]],
        );
    }

    #[test]
    fn a_truncated_file_names_what_is_missing() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg.pyd            cut 700
            import pkg
            "#,
            expect![[r#"
                error bad-image: pkg.pyd
                  `import pkg` will fail: pkg.pyd is damaged.
                  Windows refuses the file (error 193): the file has only 700 bytes, but section .rdata should end at byte 1536.
                  Replace C:\Python\Lib\site-packages\pkg.pyd with an intact copy from its original source.
                  Python: ImportError: DLL load failed while importing pkg: %1 is not a valid Win32 application.
            "#]],
        );
    }

    #[test]
    fn a_damaged_copy_that_is_only_on_path_is_not_a_bad_image() {
        check(
            r#"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg.pyd            imports a.dll
            /tools/a.dll          junk
            path /tools
            import pkg
            "#,
            expect![[r#"
                error missing-dll: a.dll
                  `import pkg` will fail: a.dll is missing.
                  pkg.pyd imports a.dll; Python 3.8 looks for it in C:\Python\Lib\site-packages, C:\Python and System32, and it is in none of them (Windows error 126).
                  Install the program or package that the DLL belongs to.
                  Python: ImportError: DLL load failed while importing pkg: The specified module could not be found.
            "#]],
        );
    }
}
