//! The one binary: the language server and the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    whydll::cli::run()
}
