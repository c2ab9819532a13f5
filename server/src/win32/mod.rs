//! The Win32 error codes of failed loads: what Windows calls them, what it prints, what they mean,
//! and what the user can do.
//!
//! All other modules read [`ERRORS`]: the loader reports its codes, CPython's exceptions contain its
//! messages, a traceback is recognized by them, and an explanation shows what they mean. To add a
//! code, add an entry to `table.rs`.

mod table;

pub use table::ERRORS;

/// A file or directory cannot be read with the rights of the user.
pub const ERROR_ACCESS_DENIED: u32 = 5;
/// The flags of a load contradict each other.
pub const ERROR_INVALID_PARAMETER: u32 = 87;
/// A DLL is in none of the directories.
pub const ERROR_MOD_NOT_FOUND: u32 = 126;
/// A DLL lacks an export that is imported by name.
pub const ERROR_PROC_NOT_FOUND: u32 = 127;
/// A DLL lacks an export that is imported by number.
pub const ERROR_INVALID_ORDINAL: u32 = 182;
/// A file is not an image that this process can map.
pub const ERROR_BAD_EXE_FORMAT: u32 = 193;
/// A path has too many characters.
pub const ERROR_FILENAME_EXCED_RANGE: u32 = 206;
/// A DLL was mapped, but its initialization failed.
pub const ERROR_DLL_INIT_FAILED: u32 = 1114;
/// The assembly that a manifest names is missing.
pub const ERROR_SXS_CANT_GEN_ACTCTX: u32 = 14001;

/// A Win32 error that a load can end with.
#[derive(Debug, PartialEq, Eq)]
pub struct Win32Error {
    /// The code, as `GetLastError` returns it.
    pub code: u32,
    /// Its name in `winerror.h`.
    pub symbol: &'static str,
    /// The English message, as `FormatMessageW` returns it without the line end.
    pub message: &'static str,
    /// The message in other display languages of Windows, as far as they are known. Without the last
    /// punctuation mark.
    pub translations: &'static [&'static str],
    /// What the error means when a DLL is loaded, as a part of a sentence.
    pub meaning: &'static str,
    /// The extent to which a check of the files predicts it.
    pub predictability: Predictability,
}

/// The extent to which a check of the files predicts an error, and what to do where it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predictability {
    /// Its causes are in the files, and the simulated loader reports it as Windows does.
    Complete,
    /// Some of its causes are in the files.
    Partial {
        /// What the user can do if none of these causes was found.
        remedy: &'static str,
    },
    /// Its causes are outside of the files: policies, virus scanners, memory.
    Impossible {
        /// What the user can do.
        remedy: &'static str,
    },
}

impl Win32Error {
    /// Returns the error with a code, or `None` if the table lacks it.
    pub fn of(code: u32) -> Option<&'static Win32Error> {
        ERRORS.iter().find(|known| known.code == code)
    }

    /// Returns the error whose message `text` begins with, in any of the known languages. Python
    /// prints the message without the code.
    pub fn of_message(text: &str) -> Option<&'static Win32Error> {
        let text = comparable(text);
        let begins_with = |message: &str| {
            let message = comparable(message);
            match message.split_once("%1") {
                // Some programs put the name of the file in the place of %1.
                Some((before, after)) => text.starts_with(before) && text.contains(after),
                None => text.starts_with(&message),
            }
        };
        ERRORS.iter().find(|known| {
            begins_with(first_sentence(known.message))
                || known.translations.iter().any(|message| begins_with(message))
        })
    }

    /// Returns what the user can do where a check of the files doesn't find the cause.
    pub fn remedy(&self) -> Option<&'static str> {
        match self.predictability {
            Predictability::Complete => None,
            Predictability::Partial { remedy } | Predictability::Impossible { remedy } => Some(remedy),
        }
    }
}

/// Returns the English message of a code. Other display languages of Windows have their own messages,
/// so compare codes rather than messages.
pub fn message(code: u32) -> Option<&'static str> {
    Win32Error::of(code).map(|error| error.message)
}

/// Returns the first sentence of a message: the advice that follows is often cut off.
fn first_sentence(message: &str) -> &str {
    message.split_once(". ").map_or(message, |(first, _)| first)
}

/// Returns a message without what differs between the ways in which it is quoted.
fn comparable(message: &str) -> String {
    let words = message.trim().trim_end_matches(['.', '。', '!']).to_lowercase();
    words.replace(['\u{a0}', ' '], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_complete_and_in_order() {
        assert!(ERRORS.is_sorted_by_key(|error| error.code));
        for Win32Error { code, symbol, message, translations, meaning, .. } in &ERRORS {
            assert!(symbol.starts_with("ERROR_"), "{code}");
            assert!(message.ends_with('.') && !meaning.ends_with('.'), "{code}");
            assert!(!translations.iter().any(|message| message.ends_with(['.', '。'])), "{code}");
        }
        for remedy in ERRORS.iter().filter_map(Win32Error::remedy) {
            assert!(remedy.ends_with('.'), "{remedy}");
        }
    }

    #[test]
    fn every_message_gives_its_code() {
        for error in &ERRORS {
            for message in error.translations.iter().chain([&error.message]) {
                for quoted in
                    [(*message).to_owned(), format!(" {}。 A remark.", message.replace(' ', "\u{a0}"))]
                {
                    assert_eq!(Win32Error::of_message(&quoted), Some(error), "{quoted}");
                }
            }
        }
        let code = |text: &str| Win32Error::of_message(text).map(|error| error.code);
        assert_eq!(code(r"C:\a.pyd is not a valid Win32 application."), Some(ERROR_BAD_EXE_FORMAT));
        assert_eq!(code("This program is blocked by group policy"), Some(1260));
        assert_eq!(code("页面文件太小，无法完成操作。"), Some(1455));
        assert_eq!(code("Something else"), None);
        assert_eq!(code(""), None);
    }
}
