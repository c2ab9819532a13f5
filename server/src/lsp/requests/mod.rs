//! What the editor asks. Each file is named for its method, or for the command that a person gives; what answers reads the session and
//! changes nothing.

pub mod chain;
pub mod check_folder;
pub mod code_action;
pub mod confirm;
pub mod debug_information;
pub mod environments;
pub mod example;
pub mod execute_command;
pub mod explain;
pub mod hover;
pub mod initialize;
pub mod report;
pub mod shutdown;
pub mod snapshot;
