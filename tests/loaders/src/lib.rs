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
//! A NAME may also be a path as Windows writes it. Folders that a directive names must exist, or Windows refuses it.
//!
//! The worlds written by hand lie in `worlds/`, one file for each kind of rule; a line `== title` begins a world. Those in
//! [`generated`] come from a seed each; one in which the loaders differ is made as small as possible and printed, ready
//! to be put into a file of `worlds/`.
//!
//! What is compared is an [`Outcome`] for every load: whether it succeeds, the Win32 code, who is to blame, the file of the
//! module, and the files of all modules of the world in the order of the process's list. Of system modules nothing is
//! compared but that a load of one gives it: Wine's DLLs import each other in their own way.
//!
//! Where Wine is known to differ from Windows, [`known_differences`] translate what Wine says before the comparison,
//! without a look at what ours says. Some things Wine cannot judge at all, so no world has them: `.local`,
//! `/DEPENDENTLOADFLAG`, versions of Windows that are too old, KnownDLLs and contracts of API sets (its lists are its own),
//! .NET, a file for a machine that Wine does not know at all in the middle of a search (ARM64), folders with the name of a
//! DLL, and files that may not be read (which root may).
//!
//! [`real`] are TensorFlow's own modules instead of a world's, well and with one fault each.

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
