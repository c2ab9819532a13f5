//! Requests from the editor. Each file is named after its method or command. Handlers read the
//! session and don't change it.

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
