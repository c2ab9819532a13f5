//! # unsupported-cpu
//!
//! A module requires a newer processor than this machine's.
//!
//! ## What it means
//! Compilers can be configured to use instructions that older processors lack. TensorFlow's builds
//! for Windows have used AVX since version 1.6 (2.3 uses it throughout; 2.21, which was built with
//! another compiler, doesn't). On a processor without AVX, or in a virtual machine that hides it,
//! they end when they start. The cause is either an illegal instruction, which Python reports as "A
//! dynamic link library (DLL) initialization routine failed" (error 1114) or not at all, or
//! TensorFlow's own check: "The TensorFlow library was compiled to use AVX instructions, but these
//! aren't available on your machine."
//!
//! ## How we know
//! The code that runs when the module starts was read: its entry point, the initializers of its
//! global objects, and the functions that they call, each up to its first condition. This code runs
//! on every machine. The features of the processor are known for a running machine (`--host live`)
//! and for a snapshot of one. For other hosts they are unknown, and nothing is reported.
//!
//! ## What to do
//! Use another machine, or a build of the package for older processors. A virtual machine may have
//! to expose the processor's features.

use crate::diagnosis::case::{list, windows_error};
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
