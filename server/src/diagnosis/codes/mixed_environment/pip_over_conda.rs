//! A package that pip installed over conda's.

use std::str::FromStr;

use pep440_rs::Version;

use super::shared::{Providers, finding, with_version};
use crate::diagnosis::Severity;
use crate::diagnosis::cures::UNKNOWN_UNTIL_INSTALLED;
use crate::diagnosis::wording::name_of;
use crate::diagnosis::{Case, Finding};
use crate::environment::{Distribution, DistributionKind};

pub(super) fn of_imported(case: &Case<'_>, providers: &Providers<'_>, fails: bool) -> Vec<Finding> {
    let files = &*case.host.files;
    let mut findings = Vec::new();
    let of_conda = case.environment.distributions.iter().filter(|one| one.kind == DistributionKind::Conda);
    for conda in of_conda {
        let is_of_pip = |one: &&Distribution| {
            let installer = || files.text(&one.location.join("INSTALLER")).unwrap_or_default();
            one.kind == DistributionKind::DistInfo
                && one.normalized == conda.normalized
                && are_different(one.version.as_deref(), conda.version.as_deref())
                && !matches!(installer().trim(), "" | "conda")
        };
        let Some(pip) = providers.values().flatten().copied().find(is_of_pip) else { continue };
        let mut finding = finding(case, fails, Severity::Information);
        let name = name_of(pip, files);
        let version = conda.version.as_deref().unwrap_or_default();
        finding.what =
            format!("{} was installed over conda's {} {version}.", with_version(case, pip), conda.name);
        finding.evidence = format!(
            "According to {}, conda installed {version}, but the INSTALLER of {} is not conda.",
            conda.location,
            pip.location.file_name()
        );
        finding.advice =
            "Let one of them manage the package: uninstall pip's copy and reinstall conda's.".to_owned();
        let uninstall = case.uninstall(&[pip], &format!("Uninstall pip's {name}"));
        let again = case.reinstall(conda).map(|fix| fix.untestable(UNKNOWN_UNTIL_INSTALLED));
        finding.fixes = match (uninstall, again) {
            // Uninstalling alone would leave no package, since conda's files are gone.
            (Some(uninstall), Some(again)) => vec![uninstall.and(&again)],
            (uninstall, again) => uninstall.into_iter().chain(again).collect(),
        };
        findings.push(finding);
    }
    findings
}

fn are_different(one: Option<&str>, other: Option<&str>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    match (Version::from_str(one), Version::from_str(other)) {
        (Ok(one), Ok(other)) => one != other,
        _ => one != other,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::diagnosis::codes::mixed_environment::tests::{PACKAGE, check_with, numpy};

    #[test]
    fn pip_over_conda() {
        let conda = |version: &str, installer: &str| {
            format!(
                "{PACKAGE}{}\
/Python/Lib/site-packages/numpy-2.0.dist-info/INSTALLER    text
    {installer}
/Python/conda-meta/numpy-{version}-py38_0.json    text
    {{ \"name\": \"numpy\", \"files\": [] }}
",
                numpy("/Python/Lib/site-packages", "2.0")
            )
        };
        check_with(
            &[&conda("1.19", "pip")],
            expect![[r#"
                information mixed-environment: 
                  numpy 2.0 was installed over conda's numpy 1.19.
                  According to C:\Python\conda-meta\numpy-1.19-py38_0.json, conda installed 1.19, but the INSTALLER of numpy-2.0.dist-info is not conda.
                  Let one of them manage the package: uninstall pip's copy and reinstall conda's.
                  ? Uninstall pip's numpy, then reinstall numpy 1.19 with conda | C:\Python\python.exe -m pip uninstall -y numpy | conda install --force-reinstall -p C:\Python numpy=1.19
            "#]],
        );
        check_with(
            &[&conda("2.0.0", "pip")],
            expect![[r#"
            healthy
        "#]],
        );
        check_with(
            &[&conda("1.19", "conda")],
            expect![[r#"
            healthy
        "#]],
        );
    }
}
