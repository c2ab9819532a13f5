//! The reasons why a file or an image cannot be read.

use serde::{Deserialize, Serialize};

use crate::image::ImageError;

/// The reason why a file or directory could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum FileError {
    /// The file or directory doesn't exist.
    #[error("it does not exist")]
    NotFound,
    /// The user may not read it.
    #[error("access is denied")]
    AccessDenied,
    /// Its path is longer than programs may use on this machine.
    #[error("its path is too long")]
    PathTooLong,
    /// A directory instead of a file, or the reverse.
    #[error("it is {0}")]
    WrongKind(String),
    /// The file is larger than the limit.
    #[error("it is too large ({0} bytes)")]
    TooLarge(u64),
    /// The directory of the zip archive cannot be read.
    #[error("it is not a readable zip archive: {0}")]
    BadArchive(String),
    /// The snapshot doesn't contain it.
    #[error("the snapshot does not contain it")]
    NotRecorded,
    /// The compiled module cannot be read.
    #[error("{0}")]
    BadModule(String),
    /// Any other error of the operating system.
    #[error("{0}")]
    Other(String),
}

/// The reason why an image could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ImageFault {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file isn't a valid image.
    #[error(transparent)]
    Image(#[from] ImageError),
}

impl From<std::io::Error> for FileError {
    fn from(error: std::io::Error) -> FileError {
        match error.kind() {
            std::io::ErrorKind::NotFound => FileError::NotFound,
            std::io::ErrorKind::PermissionDenied => FileError::AccessDenied,
            std::io::ErrorKind::NotADirectory => FileError::WrongKind("not a folder".into()),
            std::io::ErrorKind::IsADirectory => FileError::WrongKind("a folder".into()),
            _ => FileError::Other(error.to_string()),
        }
    }
}

impl From<ImageFault> for FileError {
    /// Returns the error for a caller that doesn't need to know what is wrong with an image.
    fn from(fault: ImageFault) -> FileError {
        match fault {
            ImageFault::File(error) => error,
            ImageFault::Image(error) => FileError::Other(error.to_string()),
        }
    }
}
