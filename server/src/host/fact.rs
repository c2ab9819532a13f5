//! Facts: typed questions about the contents of files.
//!
//! A [`Fact`] names the files that it is about and reads its answer from them. What is between the
//! question and the disk (caches, the read tracker, changes, a recorder) handles every fact as an
//! [`AnyFact`], without knowing which one it is.

use std::any::Any;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::fault::ImageFault;
use super::native_files::NativeFiles;
use super::path::WinPath;
use crate::image::{FileVersion, Machine};

/// A question about the contents of files, with the type of its answer.
pub trait Fact: Clone + Send + Sync + 'static {
    /// The answer. What is stored of it must be readable by later versions, see [`Fact::NAME`].
    type Answer: PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The reason why there may be no answer.
    type Fault: From<ImageFault> + Into<ImageFault> + Serialize + DeserializeOwned;

    /// The name of its table in snapshots.
    const NAME: &'static str;

    /// How long an answer is kept.
    const RETENTION: Retention = Retention::Memory;

    /// Returns the files that decide the answer.
    fn files(&self) -> &[WinPath];

    /// Returns the same files in order to exchange them.
    fn files_mut(&mut self) -> &mut [WinPath];

    /// Returns what distinguishes the question from others of its type about the same files.
    fn detail(&self) -> String {
        String::new()
    }

    /// Reads the answer.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or isn't what the question assumes.
    fn read(&self, disk: &NativeFiles) -> Result<Self::Answer, Self::Fault>;

    /// Returns the answer if the last of the files that are images is one of which little is
    /// known. Returns `None` if the answer is unknown, too. `contains` returns whether another
    /// file contains a string.
    fn of_assumed_image(
        &self,
        _image: &AssumedImage,
        _contains: &dyn Fn(&WinPath, &str) -> bool,
    ) -> Option<Self::Answer> {
        None
    }

    /// Returns the answer that snapshots leave out, because nearly all files have it.
    fn usual() -> Option<Self::Answer> {
        None
    }
}

/// How long an answer is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Not at all, because the question is cheap or isn't repeated.
    None,
    /// As long as a [`Disk`](super::Disk) is used.
    Memory,
    /// Encoded in a [`FactCache`](super::FactCache), until a file changes.
    Cache,
    /// Both.
    MemoryAndCache,
}

/// An image of which only this is known: a DLL of a built-in Windows, or one that a fix adds. It is
/// assumed to export everything and to need nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssumedImage {
    /// The machine for which it is built.
    pub machine: Machine,
    /// Its file version.
    pub version: Option<FileVersion>,
    /// Its size in bytes, if it is known.
    pub size: Option<u64>,
}

/// A value of any fact's answer type.
pub type AnyValue = Arc<dyn Any + Send + Sync>;

/// The answer to any fact.
pub type AnyAnswer = Result<AnyValue, ImageFault>;

/// A [`Fact`] of any type.
pub trait AnyFact: Send + Sync {
    /// See [`Fact::files`].
    fn files(&self) -> &[WinPath];

    /// Returns the same question about other files.
    fn about(&self, files: Vec<WinPath>) -> Box<dyn AnyFact>;

    /// Returns what identifies the question.
    fn key(&self) -> FactKey;

    /// Returns what all questions of the fact have in common.
    fn kind(&self) -> &'static FactKind;

    /// See [`Fact::read`].
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or isn't what the question assumes.
    fn read(&self, disk: &NativeFiles) -> AnyAnswer;

    /// See [`Fact::of_assumed_image`].
    fn of_assumed_image(
        &self,
        image: &AssumedImage,
        contains: &dyn Fn(&WinPath, &str) -> bool,
    ) -> Option<AnyValue>;

    /// Returns the fact for a downcast.
    fn as_any(&self) -> &dyn Any;
}

impl<F: Fact> AnyFact for F {
    fn files(&self) -> &[WinPath] {
        Fact::files(self)
    }

    fn about(&self, files: Vec<WinPath>) -> Box<dyn AnyFact> {
        let mut fact = self.clone();
        fact.files_mut().iter_mut().zip(files).for_each(|(file, other)| *file = other);
        Box::new(fact)
    }

    fn key(&self) -> FactKey {
        let mut detail = self.detail();
        let (file, others) = match Fact::files(self) {
            [file, others @ ..] => (file.clone(), others),
            [] => (WinPath::new(""), [].as_slice()),
        };
        for other in others {
            detail.push('|');
            detail.push_str(&other.key());
        }
        FactKey { kind: FactKind::of::<F>(), file, detail }
    }

    fn kind(&self) -> &'static FactKind {
        FactKind::of::<F>()
    }

    fn read(&self, disk: &NativeFiles) -> AnyAnswer {
        match Fact::read(self, disk) {
            Ok(answer) => Ok(Arc::new(answer)),
            Err(fault) => Err(fault.into()),
        }
    }

    fn of_assumed_image(
        &self,
        image: &AssumedImage,
        contains: &dyn Fn(&WinPath, &str) -> bool,
    ) -> Option<AnyValue> {
        Some(Arc::new(Fact::of_assumed_image(self, image, contains)?))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What identifies a question.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FactKey {
    /// Which fact it is.
    pub kind: &'static FactKind,
    /// The first of its files.
    pub file: WinPath,
    /// Its [detail](Fact::detail), and the keys of its other files, separated by `|`, which no
    /// Windows path contains. Empty if there is nothing more than the file.
    pub detail: String,
}

/// What all questions of a fact have in common, and how their answers are stored. Two values are
/// equal if their names are.
#[derive(Debug)]
pub struct FactKind {
    /// See [`Fact::NAME`].
    pub name: &'static str,
    /// See [`Fact::RETENTION`].
    pub retention: Retention,
    encode: fn(&AnyValue) -> Option<Vec<u8>>,
    decode: fn(&[u8]) -> Option<AnyValue>,
    to_json: fn(&AnyAnswer) -> serde_json::Result<Value>,
    table_from_json: fn(&str) -> serde_json::Result<BTreeMap<String, AnyAnswer>>,
    usual: fn() -> Option<AnyValue>,
    is_usual: fn(&AnyValue) -> bool,
}

/// Carries the constant of a fact.
struct KindOf<F>(std::marker::PhantomData<F>);

impl<F: Fact> KindOf<F> {
    const KIND: &'static FactKind = &FactKind {
        name: F::NAME,
        retention: F::RETENTION,
        encode: |value| postcard::to_stdvec(value.downcast_ref::<F::Answer>()?).ok(),
        decode: |bytes| Some(Arc::new(postcard::from_bytes::<F::Answer>(bytes).ok()?)),
        to_json: |answer| match answer {
            Ok(value) => serde_json::to_value(Ok::<_, F::Fault>(value.downcast_ref::<F::Answer>())),
            Err(fault) => serde_json::to_value(Err::<F::Answer, F::Fault>(fault.clone().into())),
        },
        table_from_json: |json| {
            let table: BTreeMap<String, Result<F::Answer, F::Fault>> = serde_json::from_str(json)?;
            let erased = |answer: Result<F::Answer, F::Fault>| match answer {
                Ok(value) => Ok(Arc::new(value) as AnyValue),
                Err(fault) => Err(fault.into()),
            };
            Ok(table.into_iter().map(|(key, answer)| (key, erased(answer))).collect())
        },
        usual: || Some(Arc::new(F::usual()?)),
        is_usual: |value| F::usual().is_some_and(|usual| value.downcast_ref() == Some(&usual)),
    };
}

impl FactKind {
    /// Returns the kind of a fact.
    pub fn of<F: Fact>() -> &'static FactKind {
        KindOf::<F>::KIND
    }

    /// Encodes an answer for a cache.
    pub fn encode(&self, value: &AnyValue) -> Option<Vec<u8>> {
        (self.encode)(value)
    }

    /// Decodes an answer from a cache. Returns `None` if the bytes have another format.
    pub fn decode(&self, bytes: &[u8]) -> Option<AnyValue> {
        (self.decode)(bytes)
    }

    /// Converts an answer for a snapshot.
    ///
    /// # Errors
    ///
    /// If JSON cannot represent the answer.
    pub fn to_json(&self, answer: &AnyAnswer) -> serde_json::Result<Value> {
        (self.to_json)(answer)
    }

    /// Reads a table of a snapshot.
    ///
    /// # Errors
    ///
    /// If it isn't a table of such answers.
    pub fn table_from_json(&self, json: &str) -> serde_json::Result<BTreeMap<String, AnyAnswer>> {
        (self.table_from_json)(json)
    }

    /// See [`Fact::usual`].
    pub fn usual(&self) -> Option<AnyValue> {
        (self.usual)()
    }

    /// Whether an answer is the [usual](Fact::usual) one.
    pub fn is_usual(&self, answer: &AnyAnswer) -> bool {
        answer.as_ref().is_ok_and(self.is_usual)
    }
}

impl PartialEq for FactKind {
    fn eq(&self, other: &FactKind) -> bool {
        self.name == other.name
    }
}

impl Eq for FactKind {}

impl Hash for FactKind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Ord for FactKind {
    fn cmp(&self, other: &FactKind) -> Ordering {
        self.name.cmp(other.name)
    }
}

impl PartialOrd for FactKind {
    fn partial_cmp(&self, other: &FactKind) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
