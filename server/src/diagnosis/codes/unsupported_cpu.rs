#![doc = include_str!("../../../../docs/codes/unsupported-cpu.md")]

use crate::diagnosis::wording::{list, windows_error};
use crate::diagnosis::{Case, Finding, Problem};
use crate::loader::{Cause, Fault};

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    problem.fault().is_some_and(|fault| matches!(fault.cause, Cause::LacksInstructions { .. }))
}

pub(super) fn describe(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(problem) = problems.first() else { return };
    let Some(Fault { cause: Cause::LacksInstructions { path, sets }, .. }) = problem.fault() else { return };
    let sets = list(&sets.iter().map(|set| set.to_uppercase()).collect::<Vec<_>>(), "and");
    let module = case.short(path);
    finding.what = format!("{}: {module} needs a processor with {sets}.", case.consequence(finding.severity));
    finding.evidence = format!(
        "The code that always runs when it starts uses {sets}, which this processor does not support{}.",
        windows_error(problem.code)
    );
    finding.advice =
        "Use another machine or a build for older processors; a virtual machine may have to expose the \
                      features of its processor."
            .to_owned();
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::check;

    #[test]
    fn a_processor_without_what_a_module_starts_with() {
        check(
            r#"
            /Python/python.exe       imports python313.dll
            /Python/python313.dll    version 3.13.2150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/pkg/__init__.py    text
                from . import native
            /Python/Lib/site-packages/pkg/native.pyd     imports core.dll
            /Python/Lib/site-packages/pkg/core.dll       uses avx
            import pkg
            processor sse3 ssse3 sse4.1 sse4.2 popcnt avx
            import pkg
            processor sse3 ssse3 sse4.1 sse4.2 popcnt
            import pkg
            "#,
            expect![[r#"
                healthy
                healthy
                error unsupported-cpu: core.dll
                  `import pkg` will fail: pkg/core.dll needs a processor with AVX.
                  The code that always runs when it starts uses AVX, which this processor does not support (Windows error 1114).
                  Use another machine or a build for older processors; a virtual machine may have to expose the features of its processor.
                  Python: ImportError: DLL load failed while importing native: A dynamic link library (DLL) initialization routine failed.
            "#]],
        );
    }
}
