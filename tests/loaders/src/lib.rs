//! Compares two loaders: a world's program runs in the simulated loader
//! ([`whydll::loader::Process`]) and, as a real program, under Wine or on Windows. Both must report
//! the same for every load.
//!
//! A world is written in the language of the crate `world`. Its paths are those of drive `C:`,
//! whose `windows` directory is that of Wine or Windows. Its directives are the steps of the
//! program, in order ([`Program`]):
//!
//! | directive | does |
//! |---|---|
//! | `application /app` | the directory of the program (default: `/app`) |
//! | `current /x` | SetCurrentDirectory (initially the application directory) |
//! | `path /a;/b` | PATH (initially empty) |
//! | `set dll directory /x` | SetDllDirectory; without a directory it is reset |
//! | `add directory /x`, `remove directory /x` | AddDllDirectory, RemoveDllDirectory |
//! | `default directories 0x1000` | SetDefaultDllDirectories |
//! | `load NAME plain` | LoadLibrary |
//! | `load NAME altered` | `LOAD_WITH_ALTERED_SEARCH_PATH`: extension modules, up to CPython 3.7 |
//! | `load NAME modern` | `LOAD_LIBRARY_SEARCH_DEFAULT_DIRS`, `…_DLL_LOAD_DIR`: the same from CPython 3.8 on; the default |
//! | `load NAME ctypes` | `LOAD_LIBRARY_SEARCH_DEFAULT_DIRS`: a bare name in `ctypes` |
//! | `load NAME flags 0x900` | any flags |
//!
//! A NAME that begins with a slash is a file of the world; any other one is passed on unchanged, so
//! it may also be a path with backslashes. Directories that a directive names must exist, or
//! Windows refuses it.
//!
//! The worlds written by hand are in `worlds/`, one file for each kind of rule; a line `== title`
//! begins a world. Those in [`generated`] come from one seed each. A generated world in which the
//! loaders differ is shrunk and printed, ready to be added to a file in `worlds/`.
//!
//! The comparison is between two [`Outcome`]s for every load: whether it succeeds, the Win32 code,
//! the culprits, the file of the module, and the files of all modules of the world in the order of
//! the process's list. System modules are compared only if the program loads one itself: Wine's
//! DLLs import each other in their own way.
//!
//! Under Wine ([`wine`], used everywhere except on Windows), [`known_differences`] translates what
//! Wine reports where Wine is known to differ from Windows, without looking at the simulation. Wine
//! cannot judge some features at all, so no world has them: `.local`, `/DEPENDENTLOADFLAG`,
//! versions of Windows that are too old, KnownDLLs and contracts of API sets (Wine has its own
//! lists), .NET, a file for a machine that Wine does not know in the middle of a search (ARM64),
//! directories with the name of a DLL, and files that may not be read (root may).
//!
//! On Windows ([`native`]) nothing is translated, so an entry of the known differences that is
//! wrong shows up there. Windows reports no culprits, so those are not compared.
//!
//! The test programs that need another loader only run with `-- --include-ignored`, like the ignored
//! tests of others, so that `cargo test --workspace` needs Rust alone.
//!
//! [`real`] has TensorFlow's own modules in place of a world's, intact and with one fault each.

pub mod comparison;
pub mod generated;
pub mod known_differences;
pub mod native;
pub mod ours;
pub mod outcome;
pub mod probe;
pub mod program;
pub mod real;
pub mod trace;
pub mod wine;
pub mod written;

pub use outcome::{Fault, Outcome};
pub use program::{Program, Step};

/// Whether the ignored tests are included. If not, prints what they need.
pub fn includes_ignored(needed: &str) -> bool {
    let is_included = std::env::args().any(|argument| argument == "--include-ignored");
    if !is_included {
        println!("ignored, needs {needed}: run it with `-- --include-ignored`");
    }
    is_included
}
