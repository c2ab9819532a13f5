//! uv's trampolines: programs that contain the path of a Python and start it.

use pelite::image::RT_RCDATA;

use super::{Image, ImageError, resources::Key};

/// The maximum length of a path in bytes. Windows has no longer paths.
const MAX_PATH: u32 = 32 * 1024;

/// The value of `UV_TRAMPOLINE_KIND` in a trampoline for Python. It is 1 in one for a script.
const STARTS_PYTHON: u8 = 2;

/// The last bytes of an older trampoline for Python.
const MAGIC: &[u8] = b"UVPY";

impl Image<'_> {
    /// Returns the path of the program that a trampoline for Python starts; `None` if the image
    /// isn't such a trampoline. The path is mostly absolute, otherwise relative to the
    /// trampoline's directory. `file` is the whole file.
    ///
    /// Since uv 0.9.9, two resources contain the kind of trampoline and the path
    /// (`crates/uv-trampoline/src/bounce.rs`). Older trampolines end with the path, its length, and
    /// a magic number.
    ///
    /// # Errors
    ///
    /// [`ImageError::BadTable`] if the resources are outside the image; [`ImageError::TooMany`] if
    /// there are more than 4096.
    pub fn trampoline_target(&self, file: &[u8]) -> Result<Option<String>, ImageError> {
        let kind = self.data(RT_RCDATA, Key::Name("UV_TRAMPOLINE_KIND"), MAX_PATH)?;
        let path = match kind.and_then(<[u8]>::first) {
            Some(&STARTS_PYTHON) => self.data(RT_RCDATA, Key::Name("UV_PYTHON_PATH"), MAX_PATH)?,
            Some(_) => None,
            None => path_at_end(file),
        };
        // A trampoline fails if its path isn't UTF-8.
        Ok(path.and_then(|path| String::from_utf8(path.to_vec()).ok()).filter(|path| !path.is_empty()))
    }
}

/// Returns the path at the end of an older trampoline.
fn path_at_end(file: &[u8]) -> Option<&[u8]> {
    let (rest, length) = file.strip_suffix(MAGIC)?.split_last_chunk()?;
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

    fn with_end(path: &str, magic: &[u8]) -> Vec<u8> {
        let length = (path.len() as u32).to_le_bytes();
        [write(&ImageSpec::exe("python.exe")).as_slice(), path.as_bytes(), &length, magic].concat()
    }

    #[test]
    fn the_path_is_in_resources_or_at_the_end() {
        assert_eq!(target(&with_resources(PYTHON)).as_deref(), Some(PYTHON));
        assert_eq!(target(&with_end(PYTHON, MAGIC)).as_deref(), Some(PYTHON));
        assert_eq!(target(&write(&ImageSpec::exe("python.exe"))), None);
    }

    #[test]
    fn a_trampoline_for_a_script_has_no_target() {
        assert_eq!(target(&with_end(PYTHON, b"UVSC")), None);
        let mut script = with_resources(PYTHON);
        let kind = script.windows(PYTHON.len()).rposition(|bytes| bytes == PYTHON.as_bytes()).unwrap();
        let kind = kind + script[kind..].iter().position(|byte| *byte == STARTS_PYTHON).unwrap();
        script[kind] = 1;
        assert_eq!(target(&script), None);
    }

    #[test]
    fn invalid_paths_are_ignored() {
        let longest = "x".repeat(MAX_PATH as usize);
        assert_eq!(target(&with_resources(&longest)), Some(longest.clone()));
        assert_eq!(target(&with_end(&longest, MAGIC)), Some(longest.clone()));
        for path in ["", &(longest + "x")] {
            assert_eq!(target(&with_resources(path)), None);
            assert_eq!(target(&with_end(path, MAGIC)), None);
        }
        let mut length_of_all = with_end("", MAGIC);
        let end = length_of_all.len() - MAGIC.len();
        length_of_all[end - 4..end].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(target(&length_of_all), None);
        assert_eq!(path_at_end(MAGIC), None);
        let mut not_utf8 = with_end(PYTHON, MAGIC);
        let at = not_utf8.len() - MAGIC.len() - 5;
        not_utf8[at] = 0xff;
        assert_eq!(target(&not_utf8), None);
    }
}
