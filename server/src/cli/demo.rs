//! `whydll demo`: the main job on a recorded real environment.

use std::process::ExitCode;

use clap::Args;

use super::check::{self, Program};
use super::target::Target;
use super::{CommandError, ReportFormat, print};
use crate::diagnosis::{ALWAYS, Watch};
use crate::environment::Environment;
use crate::host::snapshot;
use crate::report::CheckedDocument;

#[derive(Args)]
pub struct DemoArguments {
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// TensorFlow 2.3.0 for Windows with Python 3.8, on a Windows 11 without the VC++ redistributable: facts
/// recorded by `whydll snapshot`, see `data/README.md`.
const RECORDED: &[u8] = include_bytes!("../../data/demo.snapshot.json.xz");

/// The program of somebody who wants to learn something from data.
const PROGRAM: &str = "\
\"\"\"Trains a small model.\"\"\"
import numpy as np
import tensorflow as tf

model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
";

pub fn run(arguments: DemoArguments) -> Result<ExitCode, CommandError> {
    let host = snapshot::read(RECORDED, "the built-in snapshot")?;
    let interpreter = host.recorded_interpreter.clone().ok_or(CommandError::NoInterpreter)?;
    let environment = Environment::at(&interpreter, &*host.files)?;
    let target = Target::of_recorded(host, environment);
    let document = CheckedDocument::new("train.py".to_owned(), PROGRAM.to_owned());
    let watch = Watch::Named(vec![ALWAYS.to_owned()]);
    let report = check::check_programs(&target, vec![Program { parts: vec![document], path: None }], &watch);
    let failed = report.has_errors();
    print(&arguments.format.told(&report))?;
    Ok(ExitCode::from(u8::from(failed)))
}
