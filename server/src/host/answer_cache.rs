//! The answer cache: results for one environment, kept in the user's cache directory between runs.
//!
//! | file | contents |
//! |---|---|
//! | `facts-ENVIRONMENT.bin` | a [`FactCache`](super::FactCache) |
//! | `answer-ENVIRONMENT-QUESTION.bin` | one answer, with the [`ReadSet`] on which it is based |
//! | `environment-ENVIRONMENT.txt` | the path of the environment |
//!
//! This module treats an answer as bytes, which it returns as long as all fingerprints of the
//! read set match. A file that is truncated, foreign, or from another build counts as missing. A
//! missed hit only costs time; an outdated answer is never returned.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::cache::{checksum, replace};
use super::files::Files;
use super::path::WinPath;
use super::read_set::ReadSet;

/// The maximum number of cached answers per environment. There is one for each combination of
/// import, machine, and PATH.
const MAX_ANSWERS: usize = 32;

/// The maximum size of an answer together with its read set, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// The age at which unused files are removed.
const MAX_AGE: Duration = Duration::from_secs(60 * DAY.as_secs());

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The version of the file format. The format of the answers changes with the build instead.
const FORMAT: &[u8; 16] = b"whydll-answer-1\n";

/// Everything besides the files that decides an answer, hashed: equal bytes make an equal question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question(u128);

impl Question {
    /// Hashes these parts together with the build of WhyDLL. Returns `None` if the build cannot be
    /// determined.
    pub fn of(parts: &[&[u8]]) -> Option<Question> {
        let build = BUILD.as_ref()?;
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u8(salt);
            for part in std::iter::once(&build.as_slice()).chain(parts) {
                hasher.write_usize(part.len());
                hasher.write(part);
            }
            u128::from(hasher.finish())
        };
        Some(Question((half(0) << 64) | half(1)))
    }
}

/// The version, and the size and time of the executable, because another build may give other
/// answers.
static BUILD: LazyLock<Option<Vec<u8>>> = LazyLock::new(|| {
    let metadata = fs::metadata(std::env::current_exe().ok()?).ok()?;
    let built = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    postcard::to_stdvec(&(env!("CARGO_PKG_VERSION"), metadata.len(), built.as_nanos())).ok()
});

/// The cached answers of one environment in the user's cache directory.
#[derive(Debug, Clone)]
pub struct AnswerCache {
    folder: PathBuf,
    /// The interpreter or the environment's directory, as given.
    python: PathBuf,
    /// The hash that identifies the environment in file names.
    environment: String,
    /// Whether stored answers are ignored; new ones are stored all the same.
    ignores_stored: bool,
}

/// The stored form of an answer.
#[derive(Serialize, Deserialize)]
struct Stored<B> {
    question: Question,
    read_set: ReadSet,
    answer: B,
}

impl AnswerCache {
    /// Opens the cache of the environment `python`. Returns `None` if caching is switched off.
    pub fn of(python: &Path) -> Option<AnswerCache> {
        AnswerCache::within(cache_folder()?, python)
    }

    /// Opens the cache of the environment `python` in this cache directory.
    pub fn within(folder: PathBuf, python: &Path) -> Option<AnswerCache> {
        let python = std::path::absolute(python).ok()?;
        let mut name = rustc_hash::FxHasher::default();
        name.write(WinPath::from_native(&python).key().as_bytes());
        Some(AnswerCache {
            folder,
            python,
            environment: format!("{:016x}", name.finish()),
            ignores_stored: false,
        })
    }

    /// Returns the same cache for a caller that wants every answer computed again. New answers are
    /// stored all the same.
    pub fn ignoring_stored(self) -> AnswerCache {
        AnswerCache { ignores_stored: true, ..self }
    }

    /// Returns the path of the [`FactCache`](super::FactCache) file.
    pub fn facts_file(&self) -> PathBuf {
        self.folder.join(format!("facts-{}.bin", self.environment))
    }

    /// Returns the stored answer and its read set if `files` still match it.
    pub fn recall(&self, question: Question, files: &dyn Files) -> Option<(Vec<u8>, ReadSet)> {
        if self.ignores_stored {
            return None;
        }
        let path = self.answer_file(question);
        let mut file = fs::File::open(&path).ok()?;
        let metadata = file.metadata().ok().filter(|metadata| metadata.len() <= MAX_BYTES)?;
        let mut bytes = Vec::with_capacity(metadata.len() as usize + 1);
        (&mut file).take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        let (expected, body) = bytes.strip_prefix(FORMAT)?.split_at_checked(4)?;
        if u32::from_le_bytes(expected.try_into().ok()?) != checksum(body) {
            return None;
        }
        let stored: Stored<&[u8]> = postcard::from_bytes(body).ok()?;
        if stored.question != question || !stored.read_set.still_holds(files) {
            return None;
        }
        let answer = stored.answer.to_owned();
        // The modification time records the last use, to the day.
        if metadata.modified().ok().and_then(|used| used.elapsed().ok()).is_some_and(|unused| unused > DAY) {
            let touched = fs::File::options().append(true).open(&path);
            let _ = touched.and_then(|file| file.set_modified(SystemTime::now()));
        }
        Some((answer, stored.read_set))
    }

    /// Stores an answer, and removes old ones. Nothing is stored if its read set cannot be verified
    /// later.
    pub fn keep(&self, question: Question, read_set: ReadSet, answer: &[u8]) -> std::io::Result<()> {
        if !read_set.is_verifiable() {
            return Ok(());
        }
        let stored = Stored { question, read_set, answer };
        let body = postcard::to_stdvec(&stored).map_err(std::io::Error::other)?;
        if body.len() as u64 > MAX_BYTES / 2 {
            return Ok(());
        }
        replace(&self.answer_file(question), "answer", |out| {
            out.write_all(FORMAT)?;
            out.write_all(&checksum(&body).to_le_bytes())?;
            out.write_all(&body)
        })?;
        self.write_signature()?;
        self.tidy_up(SystemTime::now())
    }

    /// Writes the path of the environment to a file, so that other runs notice when the environment
    /// is gone.
    fn write_signature(&self) -> std::io::Result<()> {
        let Some(python) = self.python.to_str() else { return Ok(()) };
        let file = self.folder.join(format!("environment-{}.txt", self.environment));
        match fs::read(&file) {
            Ok(signed) if signed == python.as_bytes() => Ok(()),
            _ => fs::write(file, python),
        }
    }

    fn answer_file(&self, question: Question) -> PathBuf {
        self.folder.join(format!("answer-{}-{:032x}.bin", self.environment, question.0))
    }

    /// Removes this environment's least recently used answers if there are too many, and all files
    /// of environments that are gone or have been unused for a long time.
    fn tidy_up(&self, now: SystemTime) -> std::io::Result<()> {
        let mut by_environment: HashMap<String, EnvironmentFiles> = HashMap::new();
        for entry in fs::read_dir(&self.folder)?.flatten() {
            let Some(name) = entry.file_name().to_str().and_then(Name::of) else { continue };
            let Ok(used) = entry.metadata().and_then(|metadata| metadata.modified()) else { continue };
            match name {
                Name::Temporary => {
                    if now.duration_since(used).is_ok_and(|age| age > DAY) {
                        let _ = fs::remove_file(entry.path());
                    }
                }
                Name::Of { environment, kind } => {
                    let files = by_environment.entry(environment).or_default();
                    // The signature isn't rewritten when it is used.
                    if kind != FileKind::Signature {
                        files.last_used = files.last_used.max(Some(used));
                    }
                    files.files.push((used, kind, entry.path()));
                }
            }
        }
        for (environment, mut files) in by_environment {
            if environment != self.environment {
                let unused = files
                    .last_used
                    .is_none_or(|used| now.duration_since(used).is_ok_and(|age| age > MAX_AGE));
                if unused || files.is_environment_gone() {
                    files.files.iter().for_each(|(_, _, file)| drop(fs::remove_file(file)));
                }
                continue;
            }
            files.files.retain(|(_, kind, _)| *kind == FileKind::Answer);
            files.files.sort_by_key(|(used, ..)| *used);
            let surplus = files.files.len().saturating_sub(MAX_ANSWERS);
            files.files.iter().take(surplus).for_each(|(_, _, file)| drop(fs::remove_file(file)));
        }
        Ok(())
    }
}

/// The files of one environment in the cache directory.
#[derive(Default)]
struct EnvironmentFiles {
    last_used: Option<SystemTime>,
    files: Vec<(SystemTime, FileKind, PathBuf)>,
}

impl EnvironmentFiles {
    fn is_environment_gone(&self) -> bool {
        let signature = self.files.iter().find(|(_, kind, _)| *kind == FileKind::Signature);
        let python = signature.and_then(|(_, _, file)| fs::read_to_string(file).ok());
        python.is_some_and(|python| Path::new(&python).try_exists().is_ok_and(|exists| !exists))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FileKind {
    Facts,
    Answer,
    Signature,
}

/// The name of a file that WhyDLL wrote and may remove.
enum Name {
    Temporary,
    Of { environment: String, kind: FileKind },
}

impl Name {
    fn of(name: &str) -> Option<Name> {
        if (name.starts_with(".facts-") || name.starts_with(".answer-")) && name.ends_with(".tmp") {
            return Some(Name::Temporary);
        }
        let (stem, extension) = name.rsplit_once('.')?;
        let mut parts = stem.split('-');
        let kind = match (parts.next()?, extension) {
            ("facts", "bin") => FileKind::Facts,
            ("answer", "bin") => FileKind::Answer,
            ("environment", "txt") => FileKind::Signature,
            _ => return None,
        };
        let is_number = |part: &&str| part.bytes().all(|b| b.is_ascii_hexdigit());
        let environment = parts.next().filter(|part| part.len() == 16).filter(is_number)?;
        let question = parts.next().filter(|part| part.len() == 32).filter(is_number);
        let complete = question.is_some() == (kind == FileKind::Answer) && parts.next().is_none();
        complete.then(|| Name::Of { environment: environment.to_owned(), kind })
    }
}

/// Returns the user's cache directory: `WHYDLL_CACHE_DIR`, which may be empty to switch caching
/// off, or else the system's usual place.
fn cache_folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|folder: &std::ffi::OsString| !folder.is_empty());
    if let Some(folder) = std::env::var_os("WHYDLL_CACHE_DIR") {
        return (folder != OsStr::new("")).then(|| PathBuf::from(folder));
    }
    if cfg!(windows) {
        return Some(PathBuf::from(variable("LOCALAPPDATA")?).join("whydll").join("cache"));
    }
    match variable("XDG_CACHE_HOME") {
        Some(folder) => Some(PathBuf::from(folder).join("whydll")),
        None => Some(PathBuf::from(variable("HOME")?).join(".cache").join("whydll")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Disk, Fingerprint, Host, ReadTracker};
    use super::*;

    /// A directory with a file that hasn't changed for a while, and a question about it.
    struct Asked {
        root: tempfile::TempDir,
        answers: AnswerCache,
        question: Question,
    }

    impl Asked {
        fn new() -> Asked {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir_all(root.path().join("Windows/System32")).unwrap();
            fs::create_dir(root.path().join("cache")).unwrap();
            let asked = Asked {
                answers: AnswerCache::within(root.path().join("cache"), root.path()).unwrap(),
                root,
                question: Question::of(&[b"why"]).unwrap(),
            };
            asked.write("Windows/a.txt", "text");
            asked
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.root.path().join(path);
            fs::write(&path, text).unwrap();
            let then = SystemTime::now() - DAY;
            fs::File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
        }

        fn host(&self) -> Host {
            Host::directory(self.root.path(), Default::default()).unwrap()
        }

        fn read(&self) -> ReadSet {
            let (host, tracker) = ReadTracker::over(&self.host());
            let windows = WinPath::new(r"C:\Windows");
            let _ = host.files.text(&windows.join("a.txt"));
            let _ = host.files.text(&windows.join("b.txt"));
            host.files.is_file(&windows.join("System32").join("c.dll"));
            host.files.is_file(&windows.join("nowhere").join("c.dll"));
            tracker.read_set()
        }

        fn recall(&self) -> Option<Vec<u8>> {
            let (answer, read_set) = self.answers.recall(self.question, &*self.host().files)?;
            assert_eq!(read_set, self.read());
            Some(answer)
        }

        fn keep(&self) {
            self.answers.keep(self.question, self.read(), b"because").unwrap();
        }
    }

    #[test]
    fn a_reading_contains_what_was_found_and_what_was_not() {
        let read_set = Asked::new().read();
        let folders: Vec<&str> = read_set.folders().map(WinPath::as_str).collect();
        assert_eq!(folders, [r"C:\Windows\nowhere", r"C:\Windows\System32"]);
        let files: Vec<WinPath> = read_set.files().collect();
        assert_eq!(files, [r"C:\Windows\a.txt".into(), r"C:\Windows\b.txt".into()]);
    }

    #[test]
    fn an_answer_is_recalled_until_something_changes() {
        let changes: [fn(&Asked); 7] = [
            |asked| asked.write("Windows/a.txt", "longer text"),
            |asked| asked.write("Windows/b.txt", "text"),
            |asked| asked.write("Windows/System32/c.dll", ""),
            |asked| fs::create_dir(asked.root.path().join("Windows/System32/c.dll")).unwrap(),
            |asked| fs::create_dir(asked.root.path().join("Windows/nowhere")).unwrap(),
            |asked| asked.write("Windows/nowhere", "a file"),
            |asked| fs::remove_file(asked.root.path().join("Windows/a.txt")).unwrap(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let asked = Asked::new();
            asked.keep();
            // Not part of the read set.
            asked.write("Windows/d.txt", "text");
            assert_eq!(asked.recall().as_deref(), Some(&b"because"[..]));
            change(&asked);
            assert_eq!(asked.answers.recall(asked.question, &*asked.host().files), None, "change {number}");
        }
    }

    #[test]
    fn an_answer_from_a_file_that_changed_just_now_is_not_stored() {
        let asked = Asked::new();
        fs::write(asked.root.path().join("Windows/a.txt"), "text").unwrap();
        assert!(matches!(
            asked.host().files.fingerprint(&r"C:\Windows\a.txt".into()),
            Fingerprint::Recent(_)
        ));
        let read_set = asked.read();
        assert!(read_set.still_holds(&*asked.host().files) && !read_set.is_verifiable());
        asked.keep();
        assert_eq!(asked.recall(), None);
    }

    #[test]
    fn a_truncated_or_altered_file_is_ignored() {
        let asked = Asked::new();
        asked.keep();
        let file = asked.answers.answer_file(asked.question);
        let whole = fs::read(&file).unwrap();
        let files: Disk = Disk::with_drive(asked.root.path().to_owned(), Default::default());
        for length in 0..whole.len() {
            fs::write(&file, &whole[..length]).unwrap();
            assert_eq!(asked.answers.recall(asked.question, &files), None, "truncated at {length}");
            let mut altered = whole.clone();
            altered[length] = altered[length].wrapping_add(1);
            fs::write(&file, altered).unwrap();
            assert_eq!(asked.answers.recall(asked.question, &files), None, "altered at {length}");
        }
        fs::write(&file, &whole).unwrap();
        let other = Question::of(&[b"what"]).unwrap();
        fs::write(asked.answers.answer_file(other), &whole).unwrap();
        assert_eq!(asked.answers.recall(other, &files), None, "the answer to another question");
        assert!(asked.answers.clone().ignoring_stored().recall(asked.question, &files).is_none());
        assert!(asked.answers.recall(asked.question, &files).is_some());
    }

    #[test]
    fn the_number_of_stored_answers_is_limited() {
        let asked = Asked::new();
        let questions: Vec<Question> =
            (0..MAX_ANSWERS as u8 + 5).map(|n| Question::of(&[&[n]]).unwrap()).collect();
        for (at, question) in questions.iter().enumerate() {
            asked.answers.keep(*question, asked.read(), b"because").unwrap();
            let used = SystemTime::now() - DAY + Duration::from_secs(at as u64);
            let file = fs::File::options().append(true).open(asked.answers.answer_file(*question));
            file.unwrap().set_modified(used).unwrap();
        }
        let kept = |question: &&Question| asked.answers.answer_file(**question).exists();
        assert_eq!(questions.iter().filter(kept).count(), MAX_ANSWERS);
        assert!(questions.iter().rev().take(MAX_ANSWERS).all(|question| kept(&question)));
    }

    #[test]
    fn the_boundaries_between_parts_of_a_question_count() {
        assert_ne!(Question::of(&[b"ab", b"c"]), Question::of(&[b"a", b"bc"]));
        assert_ne!(Question::of(&[b"ab"]), Question::of(&[b"ab", b""]));
    }
}
