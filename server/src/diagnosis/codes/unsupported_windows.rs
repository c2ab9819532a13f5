#![doc = include_str!("../../../../docs/codes/unsupported-windows.md")]

use crate::diagnosis::wording::{first_symbols, list, windows_error};
use crate::diagnosis::{Case, Finding, Problem, origins};
use crate::host::is_of_windows;
use crate::loader::{Cause, Fault};

pub(super) fn recognizes(case: &Case<'_>, problem: &Problem) -> bool {
    problem.fault().is_some_and(|fault| why(case, fault).is_some())
}

/// Returns a sentence that states which part of Windows is missing.
fn why(case: &Case<'_>, fault: &Fault) -> Option<String> {
    let windows = &case.host.windows_directory;
    match &fault.cause {
        Cause::NewerWindows { needs, .. } => {
            Some(format!("Its header requires Windows {}.{}", needs.0, needs.1))
        }
        Cause::MissingExport { provider, symbols, .. }
            if provider.path.is_within(windows) && is_of_windows(provider.path.file_name()) =>
        {
            Some(format!("It imports {}, which {} does not export", first_symbols(symbols), provider.path))
        }
        Cause::NotFound { .. } if is_of_windows(fault.culprit()) => Some(format!(
            "It imports {}, which is a part of Windows that this one does not have",
            fault.culprit()
        )),
        Cause::NotFound { .. } if is_api_set(fault.culprit()) => {
            Some(format!("It imports the API set {}, which this Windows does not have", fault.culprit()))
        }
        _ => None,
    }
}

/// Whether this name is reserved for API sets (Microsoft, "Windows API sets").
fn is_api_set(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("api-ms-") || name.starts_with("ext-ms-")
}

pub(super) fn describe(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some((problem, fault)) = problems.first().and_then(|problem| Some((problem, problem.fault()?)))
    else {
        return;
    };
    let Some(why) = why(case, fault) else { return };
    let asking = match fault.cause {
        Cause::NewerWindows { .. } => fault.chain.last(),
        _ => fault.importer(),
    };
    let path = asking.and_then(|link| link.path.as_ref());
    let module = path.map_or_else(|| fault.culprit().to_owned(), |path| case.short(path));
    let version = case.host.windows_version.as_deref().map_or(String::new(), |v| format!(" ({v})"));
    let (consequence, package) = match problem.loaded_by {
        Some(_) => (case.consequence(finding.severity), "its package"),
        None => ("Python itself cannot start".to_owned(), "Python"),
    };
    let code = windows_error(problem.code);
    // The target of a forwarder names the missing component.
    let absent = match &fault.cause {
        Cause::NotFound { .. } if !is_api_set(fault.culprit()) => Some(fault.culprit().to_owned()),
        Cause::MissingExport { forwarder: Some(forwarder), .. } => {
            forwarder.target.split('.').next().map(|name| format!("{name}.dll"))
        }
        _ => None,
    };
    if let Some(absent) = absent {
        let names = if finding.dlls.len() > 1 { list(&finding.dlls, "and") } else { absent.clone() };
        finding.what = format!("{consequence}: {module} needs {names}, which this Windows{version} lacks.");
        finding.evidence = match &fault.cause {
            Cause::NotFound { .. } => {
                format!("{}; {}.", case.describe_request(problem), case.where_searched(problem))
            }
            _ => format!("{why}: that is in {absent}, which does not exist{code}."),
        };
        let known = origins::of_windows(&absent).map(|known| format!("{known} "));
        finding.advice = format!(
            "{}Use a Windows that has it, or a version of {package} that does not need it.",
            known.unwrap_or_default()
        );
        return;
    }
    finding.what = format!("{consequence}: {module} needs a newer Windows than this one{version}.");
    finding.evidence = format!("{why}{code}.");
    finding.advice =
        format!("Install an older version of {package} that supports this Windows, or update Windows.");
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::check;

    #[test]
    fn an_api_set_that_this_windows_does_not_have() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            machine windows-10
            /Python/Lib/site-packages/a.pyd  imports api-ms-win-core-future-l1-1-0.dll
            import a
            "#,
            expect![[r#"
                error unsupported-windows: api-ms-win-core-future-l1-1-0.dll
                  `import a` will fail: a.pyd needs a newer Windows than this one (10.0.19045).
                  It imports the API set api-ms-win-core-future-l1-1-0.dll, which this Windows does not have (Windows error 126).
                  Install an older version of its package that supports this Windows, or update Windows.
                  Python: ImportError: DLL load failed while importing a: The specified module could not be found.
            "#]],
        );
    }

    #[test]
    fn a_python_whose_header_asks_for_a_later_windows() {
        check(
            r#"
            /Python/python.exe       imports python313.dll, needs windows 11.0
            /Python/python313.dll    version 3.13.2150.1013, needs windows 11.0
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/a.pyd
            import a
            "#,
            expect![[r#"
                error unsupported-windows: python.exe
                  Python itself cannot start: C:\Python\python.exe needs a newer Windows than this one (10.0.22631).
                  Its header requires Windows 11.0 (Windows error 193).
                  Install an older version of Python that supports this Windows, or update Windows.
            "#]],
        );
    }
}
