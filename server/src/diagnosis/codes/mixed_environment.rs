#![doc = include_str!("../../../../docs/codes/mixed-environment.md")]

mod from_elsewhere;
mod leftover;
mod pip_over_conda;
mod shared;
mod two_owners;

use std::collections::BTreeMap;

use self::shared::{Providers, with_version};
use crate::diagnosis::Severity;
use crate::diagnosis::wording::{list, name_of};
use crate::diagnosis::{Case, Code, Finding};
use crate::environment::Distribution;
use crate::host::WinPath;
use crate::plan::{Event, ImportFailure, Plan};
use crate::source::{is_standard, top_level};

/// Returns the mixtures among the modules that an import executed and loaded. `known` are the
/// findings on that import so far.
pub(in crate::diagnosis) fn of_imported(
    case: &Case<'_>,
    plan: &Plan<'_>,
    first_step: usize,
    known: &[Finding],
) -> Vec<Finding> {
    let fails = known.iter().any(|finding| finding.severity == Severity::Error);
    let mut executed: BTreeMap<&str, &WinPath> = BTreeMap::new();
    // A step under an unknown condition proves nothing.
    for step in plan.steps().iter().skip(first_step).filter(|step| !step.uncertain) {
        if let Event::Module { name, path } | Event::Extension { name, path, .. } = &step.event
            && !is_standard(top_level(name))
        {
            executed.entry(top_level(name)).or_insert(path);
        }
    }
    // Each distribution is read only once, because that accesses the disk.
    let mut providers: Providers<'_> = BTreeMap::new();
    for distribution in &case.environment.distributions {
        for name in distribution.top_level(&*case.host.files) {
            if executed.contains_key(name.as_str()) || name == top_level(case.import) {
                providers.entry(name).or_default().push(distribution);
            }
        }
    }
    let mut findings: Vec<Finding> =
        from_elsewhere::of_imported(case, &executed, &providers, fails).into_iter().collect();
    findings.extend(two_owners::of_imported(case, &providers, fails));
    findings.extend(pip_over_conda::of_imported(case, &providers, fails));
    findings.extend(leftover::of_imported(case, &executed, &providers, fails));
    findings
}

/// Returns the finding for distributions that a package refuses to be imported with.
pub(in crate::diagnosis) fn of_refusal(case: &Case<'_>, error: &ImportFailure) -> Finding {
    let mut finding = case.finding(Code::MixedEnvironment, &[], Severity::Error, Some(error));
    let version = |name: &String| {
        case.environment.find(name).map_or_else(|| name.clone(), |one| with_version(case, one))
    };
    let versions: Vec<String> = error.conflicting_distributions.iter().map(version).collect();
    finding.what = format!(
        "{}: {} are installed together, which it refuses.",
        case.consequence(Severity::Error),
        list(&versions, "and")
    );
    if let Some((file, line)) = error.trace.first() {
        finding.evidence = format!(
            "{} (line {line}) compares the versions of these distributions and raises an exception if they \
             differ.",
            case.short(file)
        );
    }
    finding.advice = "Uninstall all of them, then install the one that you want.".to_owned();
    let clashing: Vec<&Distribution> =
        error.conflicting_distributions.iter().filter_map(|name| case.environment.find(name)).collect();
    // A single one of them may be all that is needed; without any of them, the package is gone.
    for one in &clashing {
        finding
            .fixes
            .extend(case.uninstall(&[*one], &format!("Uninstall {}", name_of(one, &*case.host.files))));
    }
    finding
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use crate::testing::check;

    const PYTHON: &str = "\
/Python/python.exe       imports python38.dll
/Python/python38.dll     version 3.8.10150.1013
/Python/Lib/os.py        text
";

    /// A package with native code that imports another package.
    pub const PACKAGE: &str = "\
/Python/Lib/site-packages/pkg/__init__.py    text
    import numpy
    from . import core
/Python/Lib/site-packages/pkg/core.pyd
/Python/Lib/site-packages/pkg-1.0.dist-info/RECORD    text
    pkg/__init__.py,,
    pkg/core.pyd,,
";

    pub fn numpy(site_packages: &str, version: &str) -> String {
        format!(
            "\
{site_packages}/numpy/__init__.py    text
{site_packages}/numpy-{version}.dist-info/RECORD    text
    numpy/__init__.py,sha256=x,0
"
        )
    }

    /// The code of `tensorflow/python/platform/self_check.py` since 2.22.
    #[test]
    fn a_package_that_refuses_another_one() {
        let package = "\
/Python/Lib/site-packages/pkg/__init__.py    text
    import importlib.metadata, struct
    installed = {}
    for name in ['pkg', 'pkg-cpu', 'pkg-gpu']:
        try:
            installed[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    if struct.calcsize('P') != 8:
        raise ImportError('this is for 64 bits')
    if len(set(installed.values())) > 1:
        raise ImportError('Found conflicting installations: %s.' % ', '.join('%s %s' % one for one in installed.items()))
    from . import core
/Python/Lib/site-packages/pkg/core.pyd
/Python/Lib/site-packages/pkg-1.0.dist-info/METADATA    text
    Name: pkg
    Version: 1.0
/Python/Lib/site-packages/pkg-1.0.dist-info/RECORD    text
    pkg/core.pyd,,
";
        let other = |version: &str| {
            format!(
                "\
/Python/Lib/site-packages/pkg_cpu-{version}.dist-info/METADATA    text
    Name: pkg-cpu
    Version: {version}
"
            )
        };
        check_with(
            &[package, &other("0.9")],
            expect![[r#"
                error mixed-environment: 
                  `import pkg` will fail: pkg 1.0 and pkg-cpu 0.9 are installed together, which it refuses.
                  pkg/__init__.py (line 11) compares the versions of these distributions and raises an exception if they differ.
                  Uninstall all of them, then install the one that you want.
                  Python: ImportError: Found conflicting installations: pkg 1.0, pkg-cpu 0.9.
                  ? Uninstall pkg-cpu | C:\Python\python.exe -m pip uninstall -y pkg-cpu
            "#]],
        );
        check_with(
            &[package, &other("1.0")],
            expect![[r#"
            healthy
        "#]],
        );
    }

    pub fn check_with(parts: &[&str], expected: Expect) {
        check(&format!("{PYTHON}{}import pkg\n", parts.concat()), expected);
    }
}
