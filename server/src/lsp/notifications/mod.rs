//! Notifications from the editor. Each file is named after its method; `apply` changes the session.

pub mod did_change;
pub mod did_change_configuration;
pub mod did_change_workspace_folders;
pub mod did_close;
pub mod did_open;
pub mod did_save;
pub mod initialized;
pub mod interpreter_changed;
pub mod notebook_did_change;
pub mod notebook_did_close;
pub mod notebook_did_open;
pub mod notebook_did_save;
