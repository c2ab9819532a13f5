//! Compiled modules.

use whydll::source::lower_compiled;

use crate::Target;

pub const COMPILED: Target = Target { name: "compiled", run, seeds };

fn run(module: &[u8]) {
    let _ = lower_compiled(module);
}

/// One module, compiled by each version of Python.
fn seeds() -> Vec<Vec<u8>> {
    macro_rules! samples {
        ($($version:literal)*) => {
            vec![$(include_bytes!(concat!("../../server/src/source/compiled/samples/", $version, ".pyc")).to_vec()),*]
        };
    }
    samples!["3.8" "3.9" "3.10" "3.11" "3.12" "3.13"]
}
