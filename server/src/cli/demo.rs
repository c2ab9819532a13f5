//! `whydll demo`: a check of the built-in recording of a real environment.

use std::process::ExitCode;

use clap::Args;

use super::check;
use super::{CommandError, ReportFormat, print};
use crate::check::SourceFile;
use crate::diagnosis::{ALWAYS_WATCHED, PackageFilter};
use crate::environment::{Environment, OpenTarget};
use crate::example;
use crate::report::CheckedDocument;

#[derive(Args)]
pub struct DemoArguments {
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

pub fn run(arguments: DemoArguments) -> Result<ExitCode, CommandError> {
    let host = example::machine()?;
    let interpreter = host.recorded_interpreter.clone().ok_or(CommandError::NoInterpreter)?;
    let environment = Environment::at(&interpreter, &*host.files)?;
    let target = OpenTarget::of_recorded(host, environment);
    let document = CheckedDocument::new("train.py".to_owned(), example::PROGRAM.to_owned());
    let filter = PackageFilter::Named(vec![ALWAYS_WATCHED.to_owned()]);
    let report =
        check::check_programs(&target, vec![SourceFile { parts: vec![document], path: None }], &filter);
    let failed = report.has_errors();
    print(&arguments.format.render(&report))?;
    Ok(ExitCode::from(u8::from(failed)))
}
