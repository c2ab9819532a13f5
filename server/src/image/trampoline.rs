//! uv's trampolines: programs that start the Python whose path they carry.

use pelite::image::RT_RCDATA;

use super::{Image, ImageError, resources::Key};

/// The longest path that is read, in bytes: Windows knows no longer ones.
const MAX_PATH: u32 = 32 * 1024;

/// What `UV_TRAMPOLINE_KIND` says of one that starts Python itself, and not a script (1).
const STARTS_PYTHON: u8 = 2;

/// What a file ends with that starts Python itself.
const MARK: &[u8] = b"UVPY";

impl Image<'_> {
    /// The program that a trampoline for Python starts, as it names it: mostly by a full path, else by one
    /// from its own folder. None of an image that is no such trampoline. `file` is the whole file.
    ///
    /// Since uv 0.9.9 two resources tell it (`crates/uv-trampoline/src/bounce.rs`); before, the end of the
    /// file did, with the path, its length, and a mark.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadTable`] if the resources lie outside the image; [`ImageError::TooMany`] beyond 4096
    /// resources.
    pub fn trampoline_target(&self, file: &[u8]) -> Result<Option<String>, ImageError> {
        let kind = self.data(RT_RCDATA, Key::Name("UV_TRAMPOLINE_KIND"), MAX_PATH)?;
        let path = match kind.and_then(<[u8]>::first) {
            Some(&STARTS_PYTHON) => self.data(RT_RCDATA, Key::Name("UV_PYTHON_PATH"), MAX_PATH)?,
            Some(_) => None,
            None => at_the_end(file),
        };
        // Nothing starts by a path that is no UTF-8.
        Ok(path.and_then(|path| String::from_utf8(path.to_vec()).ok()).filter(|path| !path.is_empty()))
    }
}

fn at_the_end(file: &[u8]) -> Option<&[u8]> {
    let (rest, length) = file.strip_suffix(MARK)?.split_last_chunk()?;
    let length = u32::from_le_bytes(*length);
    let start = rest.len().checked_sub(usize::try_from(length).ok()?)?;
    rest.get(start..).filter(|_| length <= MAX_PATH)
}

#[cfg(test)]
mod tests {
    use world::pe::{ImageSpec, write};

    use super::*;

    fn target(file: &[u8]) -> Option<String> {
        Image::parse(file).unwrap().trampoline_target(file).unwrap()
    }

    const PYTHON: &str = r"C:\Python\python.exe";

    fn with_resources(path: &str) -> Vec<u8> {
        let version = Some([1, 2, 3, 4]);
        write(&ImageSpec { starts: Some(path.to_owned()), version, ..ImageSpec::exe("python.exe") })
    }

    fn with_end(path: &str, mark: &[u8]) -> Vec<u8> {
        let length = (path.len() as u32).to_le_bytes();
        [write(&ImageSpec::exe("python.exe")).as_slice(), path.as_bytes(), &length, mark].concat()
    }

    #[test]
    fn the_path_stands_in_resources_or_at_the_end() {
        assert_eq!(target(&with_resources(PYTHON)).as_deref(), Some(PYTHON));
        assert_eq!(target(&with_end(PYTHON, MARK)).as_deref(), Some(PYTHON));
        assert_eq!(target(&write(&ImageSpec::exe("python.exe"))), None);
    }

    #[test]
    fn a_trampoline_for_a_script_is_none() {
        assert_eq!(target(&with_end(PYTHON, b"UVSC")), None);
        let mut script = with_resources(PYTHON);
        let kind = script.windows(PYTHON.len()).rposition(|bytes| bytes == PYTHON.as_bytes()).unwrap();
        let kind = kind + script[kind..].iter().position(|byte| *byte == STARTS_PYTHON).unwrap();
        script[kind] = 1;
        assert_eq!(target(&script), None);
    }

    #[test]
    fn paths_that_are_none() {
        let longest = "x".repeat(MAX_PATH as usize);
        assert_eq!(target(&with_resources(&longest)), Some(longest.clone()));
        assert_eq!(target(&with_end(&longest, MARK)), Some(longest.clone()));
        for path in ["", &(longest + "x")] {
            assert_eq!(target(&with_resources(path)), None);
            assert_eq!(target(&with_end(path, MARK)), None);
        }
        let mut length_of_all = with_end("", MARK);
        let end = length_of_all.len() - MARK.len();
        length_of_all[end - 4..end].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(target(&length_of_all), None);
        assert_eq!(at_the_end(MARK), None);
        let mut no_text = with_end(PYTHON, MARK);
        let at = no_text.len() - MARK.len() - 5;
        no_text[at] = 0xff;
        assert_eq!(target(&no_text), None);
    }
}
