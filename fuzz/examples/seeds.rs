//! Writes the seeds of a target to a directory: `seeds TARGET DIRECTORY`.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, folder] = arguments.as_slice() else {
        eprintln!("seeds TARGET DIRECTORY");
        return ExitCode::FAILURE;
    };
    let Some(target) = fuzz::TARGETS.iter().find(|target| target.name == name) else {
        eprintln!(
            "unknown target {name}, expected one of: {}",
            fuzz::TARGETS.map(|target| target.name).join(" ")
        );
        return ExitCode::FAILURE;
    };
    let folder = PathBuf::from(folder);
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(&folder)?;
        for (number, seed) in target.seeds().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
        Ok(())
    };
    match write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}
