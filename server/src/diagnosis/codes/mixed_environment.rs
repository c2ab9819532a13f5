//! # mixed-environment
//!
//! Imported modules come from several environments, or packages overwrote each other's files.
//!
//! ## What it means
//! - *From elsewhere.* Python searches for packages in more places than the environment: in your
//!   user site-packages (`%APPDATA%\Python`, the target of `pip install --user`), in the
//!   directories of `PYTHONPATH`, in directories that `.pth` files add, and, in a virtual
//!   environment with `include-system-site-packages`, in the Python that it was created with. A
//!   NumPy in one of these can be too new or too old for the packages in the environment.
//! - *Two packages, the same files.* tensorflow, tensorflow-cpu, and tensorflow-gpu all install the
//!   directory `tensorflow`. The one that is installed last overwrites the other, and uninstalling
//!   either removes the files of both.
//! - *Refused.* A package checks itself whether another one is installed, and raises an exception
//!   (TensorFlow since 2.22).
//! - *pip over conda.* conda assumes that the package that it installed is still there.
//! - *Leftovers.* pip renames what it is about to remove (`~umpy`). If such files remain because
//!   pip was interrupted or because a program was still running, an installation didn't finish.
//!
//! ## How we know
//! *From elsewhere:* the import was followed. Some of its modules are in such a place and others in
//! the environment. A directory counts only if packages were installed into it. *The same files:*
//! the RECORDs of both packages list one file with different sizes. The wheel `tensorflow` of 2.11
//! to 2.18.0 contains no files on Windows, so it doesn't conflict with `tensorflow-intel`. *pip
//! over conda:* `conda-meta` names another version than the `.dist-info`, whose INSTALLER isn't
//! conda. These findings are information. They are warnings if the import fails, or if some of the
//! files on disk belong to one package and some to the other.
//!
//! ## What to do
//! Keep one copy and one installer per package: remove the other copy, or create a new environment.

mod from_elsewhere;
mod leftover;
mod pip_over_conda;
mod two_owners;

use std::collections::BTreeMap;

use crate::diagnosis::Severity;
use crate::diagnosis::case::{list, name_of};
use crate::diagnosis::{Case, Code, Finding};
use crate::environment::Distribution;
use crate::host::WinPath;
use crate::plan::{Event, ImportFailure, Plan};
use crate::source::{is_standard, top_level};

/// The maximum number of packages or files that a sentence names.
const MOST_NAMED: usize = 3;

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

/// The distributions that provide the executed top-level packages and modules, in the order of
/// `sys.path`.
type Providers<'a> = BTreeMap<String, Vec<&'a Distribution>>;

fn finding(case: &Case<'_>, is_suspect: bool, otherwise: Severity) -> Finding {
    let severity = if is_suspect { Severity::Warning } else { otherwise };
    case.finding(Code::MixedEnvironment, &[], severity, None)
}

/// Returns a name with its version: `numpy 2.0.1`.
fn with_version(case: &Case<'_>, distribution: &Distribution) -> String {
    let name = name_of(distribution, &*case.host.files);
    distribution.version.as_ref().map_or_else(|| name.clone(), |version| format!("{name} {version}"))
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
