//! Two loaders, one answer: a world's program runs in the simulated loader ([`whydll::loader::Process`]) and, as a real
//! program, under Wine, and both must say the same of every load.
//!
//! A world is a text in the language of the crate `world`. Its paths are those of drive `C:`, whose `windows` folder is
//! Wine's own. Its directives are what the program does, in order ([`Program`]):
//!
//! | directive | does |
//! |---|---|
//! | `application /app` | where the program lies (default: `/app`) |
//! | `current /x` | SetCurrentDirectory (at first the application's directory) |
//! | `path /a;/b` | PATH (at first empty) |
//! | `set dll directory /x` | SetDllDirectory; without a folder it is taken back |
//! | `add directory /x`, `remove directory /x` | AddDllDirectory, RemoveDllDirectory |
//! | `default directories 0x1000` | SetDefaultDllDirectories |
//! | `load NAME plain` | LoadLibrary |
//! | `load NAME altered` | `LOAD_WITH_ALTERED_SEARCH_PATH`: extension modules, up to CPython 3.7 |
//! | `load NAME modern` | `LOAD_LIBRARY_SEARCH_DEFAULT_DIRS`, `…_DLL_LOAD_DIR`: the same from CPython 3.8 on; the default |
//! | `load NAME ctypes` | `LOAD_LIBRARY_SEARCH_DEFAULT_DIRS`: a bare name in `ctypes` |
//! | `load NAME flags 0x900` | any flags |
//!
//! A NAME that begins with a slash is a file of the world; any other one is passed on as it is.
//!
//! The worlds written by hand lie in `worlds/`, one file for each kind of rule; a line `== title` begins a world. Those in
//! [`generated`] come from a seed each. What is compared is an [`Outcome`] for every load. System modules are not
//! compared: Wine's DLLs import each other in their own way. Where Wine is known to differ from Windows,
//! [`known_differences`] translate what Wine says before the comparison, without a look at what ours says.

pub mod comparison;
pub mod generated;
pub mod known_differences;
pub mod ours;
pub mod outcome;
pub mod program;
pub mod real;
pub mod trace;
pub mod wine;
pub mod written;

pub use outcome::{Fault, Outcome};
pub use program::{Program, Step};
