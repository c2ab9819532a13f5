//! What the editor asks. Each file is named for its method; `answer` reads the session and changes nothing.

pub mod code_action;
pub mod execute_command;
pub mod hover;
pub mod initialize;
pub mod shutdown;
