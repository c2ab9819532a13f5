//! `whydll.example`: the report on the built-in example of a broken environment, in Markdown.

use crate::diagnosis::{ALWAYS_WATCHED, Import, diagnose};
use crate::environment::Environment;
use crate::example;
use crate::report::{Report, check_markdown};

/// Returns the report. Needs as much stack as a diagnosis.
pub fn report() -> Result<String, String> {
    let host = example::machine().map_err(|error| error.to_string())?;
    let interpreter = host.recorded_interpreter.clone().ok_or("the example names no interpreter")?;
    let environment = Environment::at(&interpreter, &*host.files).map_err(|error| error.to_string())?;
    let diagnosis = diagnose(&host, &environment, &[Import::first(ALWAYS_WATCHED)]);
    Ok(check_markdown(&Report::of(&environment, &host, None, diagnosis)))
}
