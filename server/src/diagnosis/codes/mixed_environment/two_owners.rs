//! Two distributions that install the same files.

use std::collections::{BTreeMap, BTreeSet};

use super::shared::{MOST_NAMED, Providers, finding, with_version};
use crate::diagnosis::Severity;
use crate::diagnosis::cures::UNKNOWN_UNTIL_INSTALLED;
use crate::diagnosis::wording::{list, name_of, some_of};
use crate::diagnosis::{Case, Finding};
use crate::environment::{Distribution, DistributionKind};
use crate::host::WinPath;

/// A file that two distributions list with different sizes.
struct Shared {
    path: WinPath,
    /// Whether it has the size that the first and the second distribution list.
    has_size_of: (bool, bool),
}

pub(super) fn of_imported(case: &Case<'_>, providers: &Providers<'_>, fails: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut reported: BTreeSet<(&WinPath, &WinPath)> = BTreeSet::new();
    for (name, providers) in providers {
        for (at, one) in providers.iter().enumerate() {
            for other in providers.iter().skip(at + 1).filter(|other| other.folder == one.folder) {
                if reported.contains(&(&one.location, &other.location)) {
                    continue;
                }
                let shared = shared(case, name, one, other);
                if !shared.is_empty() {
                    reported.insert((&one.location, &other.location));
                    findings.push(of_these_owners(case, one, other, &shared, fails));
                }
            }
        }
    }
    findings
}

fn shared(case: &Case<'_>, package: &str, one: &Distribution, other: &Distribution) -> Vec<Shared> {
    let files = &*case.host.files;
    let mut listed: BTreeMap<WinPath, u64> = BTreeMap::new();
    for row in one.expected_files(files).unwrap_or_default() {
        listed.extend(row.size.map(|size| (row.path, size)));
    }
    let native = other.expected_files(files).unwrap_or_default().into_iter();
    let mut both: Vec<(WinPath, u64, u64)> =
        native.filter_map(|row| Some((row.path.clone(), *listed.get(&row.path)?, row.size?))).collect();
    // Packages without native code are compared by their first module.
    let first = format!("{package}/__init__.py");
    let sizes = (recorded_size(case, one, &first), recorded_size(case, other, &first));
    if let (Some(size), Some(other_size)) = sizes {
        both.push((one.folder.join(&first), size, other_size));
    }
    let differing = both.into_iter().filter(|(_, size, other_size)| size != other_size);
    differing
        .filter_map(|(path, size, other_size)| {
            let on_disk = files.size(&path).ok()?;
            Some(Shared { path, has_size_of: (on_disk == size, on_disk == other_size) })
        })
        .collect()
}

/// Returns the size that RECORD gives for a file that isn't native.
fn recorded_size(case: &Case<'_>, distribution: &Distribution, path: &str) -> Option<u64> {
    if distribution.kind != DistributionKind::DistInfo {
        return None;
    }
    let record = case.host.files.text(&distribution.location.join("RECORD")).ok()?;
    let row = record.lines().find_map(|line| line.strip_prefix(path)?.strip_prefix(','))?;
    row.rsplit(',').next()?.trim().parse().ok()
}

fn of_these_owners(
    case: &Case<'_>,
    one: &Distribution,
    other: &Distribution,
    shared: &[Shared],
    fails: bool,
) -> Finding {
    let (names, other_name) = (with_version(case, one), with_version(case, other));
    let of_one = shared.iter().filter(|file| file.has_size_of.0).count();
    let of_other = shared.iter().filter(|file| file.has_size_of.1).count();
    let is_mixture = of_one > 0 && of_other > 0;
    let mut finding = finding(case, fails || is_mixture, Severity::Information);
    let native = shared.iter().filter(|file| !file.path.has_extension("py"));
    finding.dlls = native.map(|file| file.path.file_name().to_owned()).collect();
    finding.what = format!("{names} and {other_name} install the same files and overwrote each other's.");
    let files = some_of(shared.iter().map(|file| case.short(&file.path)), MOST_NAMED);
    let state = match (of_one, of_other) {
        (0, 0) => "the files on disk belong to neither".to_owned(),
        (_, 0) => format!("the files on disk belong to {names}"),
        (0, _) => format!("the files on disk belong to {other_name}"),
        _ => "some of the files on disk belong to the one, some to the other".to_owned(),
    };
    finding.evidence = format!("Both RECORDs list {files}, with different sizes; {state}.");
    finding.advice = "Uninstall both, then install the one that you want.".to_owned();
    let name = |distribution| name_of(distribution, &*case.host.files);
    // After an interrupted upgrade, both have the same name.
    let mut both = vec![name(one), name(other)];
    both.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    let uninstall = case.uninstall(&[one, other], &format!("Uninstall {}", list(&both, "and")));
    let again = [one, other].into_iter().take(both.len()).filter_map(|wanted| {
        let uninstall = uninstall.clone()?;
        Some(uninstall.and(&case.reinstall(wanted)?.untestable(UNKNOWN_UNTIL_INSTALLED)))
    });
    finding.fixes = again.collect();
    finding
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::diagnosis::codes::mixed_environment::tests::{PACKAGE, check_with, numpy};

    fn two(first: u64, second: u64, native: &str) -> String {
        format!(
            "\
/Python/Lib/site-packages/pkg/__init__.py    text
    from . import a, b
/Python/Lib/site-packages/pkg/a.pyd    size 4000
/Python/Lib/site-packages/pkg/b.pyd    size 5000{native}
/Python/Lib/site-packages/pkg-1.0.dist-info/RECORD    text
    pkg/__init__.py,sha256=x,24
    pkg/a.pyd,sha256=x,4000
    pkg/b.pyd,sha256=x,{first}
/Python/Lib/site-packages/pkg_cpu-1.0.dist-info/RECORD    text
    pkg/__init__.py,sha256=x,24
    pkg/a.pyd,sha256=x,3500
    pkg/b.pyd,sha256=x,{second}
"
        )
    }

    #[test]
    fn two_packages_with_the_same_files() {
        check_with(
            &[&two(5000, 4500, "")],
            expect![[r#"
                information mixed-environment: a.pyd, b.pyd
                  pkg 1.0 and pkg_cpu 1.0 install the same files and overwrote each other's.
                  Both RECORDs list pkg/a.pyd and pkg/b.pyd, with different sizes; the files on disk belong to pkg 1.0.
                  Uninstall both, then install the one that you want.
                  ? Uninstall pkg and pkg_cpu, then reinstall pkg 1.0 | C:\Python\python.exe -m pip uninstall -y pkg pkg_cpu | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
                  ? Uninstall pkg and pkg_cpu, then reinstall pkg_cpu 1.0 | C:\Python\python.exe -m pip uninstall -y pkg pkg_cpu | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg_cpu==1.0
            "#]],
        );
        // Each has overwritten some files.
        check_with(
            &[&two(4500, 5000, "")],
            expect![[r#"
                warning mixed-environment: a.pyd, b.pyd
                  pkg 1.0 and pkg_cpu 1.0 install the same files and overwrote each other's.
                  Both RECORDs list pkg/a.pyd and pkg/b.pyd, with different sizes; some of the files on disk belong to the one, some to the other.
                  Uninstall both, then install the one that you want.
                  ? Uninstall pkg and pkg_cpu, then reinstall pkg 1.0 | C:\Python\python.exe -m pip uninstall -y pkg pkg_cpu | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
                  ? Uninstall pkg and pkg_cpu, then reinstall pkg_cpu 1.0 | C:\Python\python.exe -m pip uninstall -y pkg pkg_cpu | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg_cpu==1.0
            "#]],
        );
        check_with(
            &[&two(5000, 4500, ", imports nowhere.dll")],
            expect![[r#"
                error missing-dll: nowhere.dll
                  `import pkg` will fail: nowhere.dll is missing.
                  pkg/b.pyd imports nowhere.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
                  Install the program or package that the DLL belongs to, or another version of pkg.
                  Python: ImportError: DLL load failed while importing b: The specified module could not be found.
                  ? Update pkg | C:\Python\python.exe -m pip install --upgrade pkg
                warning mixed-environment: a.pyd, b.pyd
                  pkg 1.0 and pkg_cpu 1.0 install the same files and overwrote each other's.
                  Both RECORDs list pkg/a.pyd and pkg/b.pyd, with different sizes; the files on disk belong to pkg 1.0.
                  Uninstall both, then install the one that you want.
                  ? Uninstall pkg and pkg_cpu, then reinstall pkg 1.0 | C:\Python\python.exe -m pip uninstall -y pkg pkg_cpu | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
                  ? Uninstall pkg and pkg_cpu, then reinstall pkg_cpu 1.0 | C:\Python\python.exe -m pip uninstall -y pkg pkg_cpu | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg_cpu==1.0
            "#]],
        );
    }

    #[test]
    fn packages_that_share_a_folder_but_no_files() {
        // NVIDIA's packages share a directory, and their first modules are the same.
        check_with(
            &["\
/Python/Lib/site-packages/pkg/__init__.py    text
    from . import a
/Python/Lib/site-packages/pkg/a.pyd    size 4000
/Python/Lib/site-packages/pkg_a-1.0.dist-info/RECORD    text
    pkg/__init__.py,sha256=x,20
    pkg/a.pyd,sha256=x,4000
/Python/Lib/site-packages/pkg_b-1.0.dist-info/RECORD    text
    pkg/__init__.py,sha256=x,20
    pkg/b.pyd,sha256=x,
/Python/Lib/site-packages/pkg/b.pyd
"],
            expect![[r#"
                healthy
            "#]],
        );
        // The wheel `tensorflow` 2.12 is empty.
        check_with(
            &["\
/Python/Lib/site-packages/pkg/__init__.py    text
    from . import a
/Python/Lib/site-packages/pkg/a.pyd    size 4000
/Python/Lib/site-packages/pkg-1.0.dist-info/METADATA    text
    Name: pkg
    Version: 1.0
    Requires-Dist: pkg-intel (==1.0) ; platform_system == \"Windows\"
/Python/Lib/site-packages/pkg-1.0.dist-info/RECORD    text
    pkg-1.0.dist-info/METADATA,,
/Python/Lib/site-packages/pkg_intel-1.0.dist-info/RECORD    text
    pkg/__init__.py,sha256=x,20
    pkg/a.pyd,sha256=x,4000
"],
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn two_packages_without_native_code() {
        let second = "\
/Python/Lib/site-packages/numpy_nightly-2.0.dist-info/RECORD    text
    numpy/__init__.py,sha256=y,7
";
        check_with(
            &[PACKAGE, &numpy("/Python/Lib/site-packages", "1.19"), second],
            expect![[r#"
                information mixed-environment: 
                  numpy 1.19 and numpy_nightly 2.0 install the same files and overwrote each other's.
                  Both RECORDs list numpy/__init__.py, with different sizes; the files on disk belong to numpy 1.19.
                  Uninstall both, then install the one that you want.
                  ? Uninstall numpy and numpy_nightly, then reinstall numpy 1.19 | C:\Python\python.exe -m pip uninstall -y numpy numpy_nightly | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir numpy==1.19
                  ? Uninstall numpy and numpy_nightly, then reinstall numpy_nightly 2.0 | C:\Python\python.exe -m pip uninstall -y numpy numpy_nightly | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir numpy_nightly==2.0
            "#]],
        );
    }
}
