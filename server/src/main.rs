//! The `whydll` binary: language server and command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    whydll::cli::run()
}
