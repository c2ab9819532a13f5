//! The tests of the command line, one module for each subject. `cargo test -p end-to-end field::`
//! runs the tests of one.

mod acceptance;
mod bad_input;
mod cures;
mod demo;
mod environments;
mod explain;
mod field;
mod modules;
mod names;
mod notebooks;
mod packages;
mod pythons;
mod remembered;
mod snapshot;
mod truth;
