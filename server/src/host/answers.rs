//! What was found out of one environment, kept in the user's cache folder from run to run.
//!
//! | file | holds |
//! |---|---|
//! | `facts-ENVIRONMENT.bin` | a [`FactCache`](super::FactCache) |
//! | `answer-ENVIRONMENT-QUESTION.bin` | one answer, with the [`Reading`] that it was worked out from |
//! | `environment-ENVIRONMENT.txt` | the path of the environment |
//!
//! What an answer is, this room does not know: bytes, which are handed back as long as every proof of the reading
//! holds. A file that is torn, foreign or of another program is as good as none. Who asks for less than it could
//! have loses time; nobody gets an answer that is not today's.

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
use super::reading::Reading;

/// So many answers are kept of an environment: one for each import, machine and PATH that was asked about.
const MOST_ANSWERS: usize = 32;

/// No answer is as long, nor what it was worked out from.
const LONGEST: u64 = 64 << 20;

/// What nobody used for so long is removed.
const KEPT: Duration = Duration::from_secs(60 * DAY.as_secs());

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Changes with what is stored here; what an answer holds changes with the program.
const FORMAT: &[u8; 16] = b"whydll-answer-1\n";

/// All that decides an answer beside the files: equal bytes, equal question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question(u128);

impl Question {
    /// The question that these bytes make up, put to this build of the program; none if it does not know which
    /// build it is.
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

/// Version, and size and time of the program's file: what is built anew may answer otherwise.
static BUILD: LazyLock<Option<Vec<u8>>> = LazyLock::new(|| {
    let metadata = fs::metadata(std::env::current_exe().ok()?).ok()?;
    let built = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    postcard::to_stdvec(&(env!("CARGO_PKG_VERSION"), metadata.len(), built.as_nanos())).ok()
});

/// The files of one environment in the user's cache folder.
#[derive(Debug, Clone)]
pub struct Answers {
    folder: PathBuf,
    /// The interpreter or the environment's folder, as it was named.
    python: PathBuf,
    /// What stands for it in the names of files.
    environment: String,
    /// Nothing is recalled, only kept.
    afresh: bool,
}

/// The stored form of an answer.
#[derive(Serialize, Deserialize)]
struct Stored<B> {
    question: Question,
    reading: Reading,
    answer: B,
}

impl Answers {
    /// Those of the environment that `python` names; none if nothing shall be kept.
    pub fn of(python: &Path) -> Option<Answers> {
        Answers::within(cache_folder()?, python)
    }

    /// The same in this cache folder.
    pub fn within(folder: PathBuf, python: &Path) -> Option<Answers> {
        let python = std::path::absolute(python).ok()?;
        let mut name = rustc_hash::FxHasher::default();
        name.write(WinPath::from_native(&python).key().as_bytes());
        Some(Answers { folder, python, environment: format!("{:016x}", name.finish()), afresh: false })
    }

    /// The same for somebody who wants every answer worked out afresh. They are kept all the same.
    pub fn afresh(self) -> Answers {
        Answers { afresh: true, ..self }
    }

    /// Where facts are kept, see [`FactCache`](super::FactCache).
    pub fn facts_file(&self) -> PathBuf {
        self.folder.join(format!("facts-{}.bin", self.environment))
    }

    /// The answer that was given, and what was read for it, if `files` still say the same.
    pub fn recall(&self, question: Question, files: &dyn Files) -> Option<(Vec<u8>, Reading)> {
        if self.afresh {
            return None;
        }
        let path = self.answer_file(question);
        let mut file = fs::File::open(&path).ok()?;
        let metadata = file.metadata().ok().filter(|metadata| metadata.len() <= LONGEST)?;
        let mut bytes = Vec::with_capacity(metadata.len() as usize + 1);
        (&mut file).take(LONGEST).read_to_end(&mut bytes).ok()?;
        let (expected, body) = bytes.strip_prefix(FORMAT)?.split_at_checked(4)?;
        if u32::from_le_bytes(expected.try_into().ok()?) != checksum(body) {
            return None;
        }
        let stored: Stored<&[u8]> = postcard::from_bytes(body).ok()?;
        if stored.question != question || !stored.reading.still_holds(files) {
            return None;
        }
        let answer = stored.answer.to_owned();
        // Its time tells when it was used last, as exactly as it has to.
        if metadata.modified().ok().and_then(|used| used.elapsed().ok()).is_some_and(|unused| unused > DAY) {
            let touched = fs::File::options().append(true).open(&path);
            let _ = touched.and_then(|file| file.set_modified(SystemTime::now()));
        }
        Some((answer, stored.reading))
    }

    /// Keeps an answer, and makes room for it.
    /// Nothing is kept of what cannot be proven later.
    pub fn keep(&self, question: Question, reading: Reading, answer: &[u8]) -> std::io::Result<()> {
        if !reading.is_proven() {
            return Ok(());
        }
        let stored = Stored { question, reading, answer };
        let body = postcard::to_stdvec(&stored).map_err(std::io::Error::other)?;
        if body.len() as u64 > LONGEST / 2 {
            return Ok(());
        }
        replace(&self.answer_file(question), "answer", |out| {
            out.write_all(FORMAT)?;
            out.write_all(&checksum(&body).to_le_bytes())?;
            out.write_all(&body)
        })?;
        self.sign()?;
        self.tidy_up(SystemTime::now())
    }

    /// Leaves the path of the environment, by which others see that it is gone.
    fn sign(&self) -> std::io::Result<()> {
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

    /// Removes the answers that were used least lately, if there are too many of this environment, and all that
    /// is kept of environments that are gone or that nobody asked about.
    fn tidy_up(&self, now: SystemTime) -> std::io::Result<()> {
        let mut kept: HashMap<String, Kept> = HashMap::new();
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
                    let kept = kept.entry(environment).or_default();
                    // The signature stays as it was written.
                    if kind != Kind::Signature {
                        kept.used = kept.used.max(Some(used));
                    }
                    kept.files.push((used, kind, entry.path()));
                }
            }
        }
        for (environment, mut kept) in kept {
            if environment != self.environment {
                let unused =
                    kept.used.is_none_or(|used| now.duration_since(used).is_ok_and(|age| age > KEPT));
                if unused || kept.is_gone() {
                    kept.files.iter().for_each(|(_, _, file)| drop(fs::remove_file(file)));
                }
                continue;
            }
            kept.files.retain(|(_, kind, _)| *kind == Kind::Answer);
            kept.files.sort_by_key(|(used, ..)| *used);
            let surplus = kept.files.len().saturating_sub(MOST_ANSWERS);
            kept.files.iter().take(surplus).for_each(|(_, _, file)| drop(fs::remove_file(file)));
        }
        Ok(())
    }
}

/// What lies in the cache folder of one environment.
#[derive(Default)]
struct Kept {
    used: Option<SystemTime>,
    files: Vec<(SystemTime, Kind, PathBuf)>,
}

impl Kept {
    fn is_gone(&self) -> bool {
        let signature = self.files.iter().find(|(_, kind, _)| *kind == Kind::Signature);
        let python = signature.and_then(|(_, _, file)| fs::read_to_string(file).ok());
        python.is_some_and(|python| Path::new(&python).try_exists().is_ok_and(|exists| !exists))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Facts,
    Answer,
    Signature,
}

/// The name of a file that is ours to remove.
enum Name {
    Temporary,
    Of { environment: String, kind: Kind },
}

impl Name {
    fn of(name: &str) -> Option<Name> {
        if (name.starts_with(".facts-") || name.starts_with(".answer-")) && name.ends_with(".tmp") {
            return Some(Name::Temporary);
        }
        let (stem, extension) = name.rsplit_once('.')?;
        let mut parts = stem.split('-');
        let kind = match (parts.next()?, extension) {
            ("facts", "bin") => Kind::Facts,
            ("answer", "bin") => Kind::Answer,
            ("environment", "txt") => Kind::Signature,
            _ => return None,
        };
        let is_number = |part: &&str| part.bytes().all(|b| b.is_ascii_hexdigit());
        let environment = parts.next().filter(|part| part.len() == 16).filter(is_number)?;
        let question = parts.next().filter(|part| part.len() == 32).filter(is_number);
        let complete = question.is_some() == (kind == Kind::Answer) && parts.next().is_none();
        complete.then(|| Name::Of { environment: environment.to_owned(), kind })
    }
}

/// Of this user: `WHYDLL_CACHE_DIR`, which may be empty so that nothing is kept, or where the system keeps caches.
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
    use super::super::{Disk, Host, Proof, Witness};
    use super::*;

    /// A folder with a file that has been there for long, and the question that is asked about it.
    struct Asked {
        root: tempfile::TempDir,
        answers: Answers,
        question: Question,
    }

    impl Asked {
        fn new() -> Asked {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir_all(root.path().join("Windows/System32")).unwrap();
            fs::create_dir(root.path().join("cache")).unwrap();
            let asked = Asked {
                answers: Answers::within(root.path().join("cache"), root.path()).unwrap(),
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

        fn read(&self) -> Reading {
            let (host, witness) = Witness::over(&self.host());
            let windows = WinPath::new(r"C:\Windows");
            let _ = host.files.text(&windows.join("a.txt"));
            let _ = host.files.text(&windows.join("b.txt"));
            host.files.is_file(&windows.join("System32").join("c.dll"));
            host.files.is_file(&windows.join("nowhere").join("c.dll"));
            witness.reading()
        }

        fn recall(&self) -> Option<Vec<u8>> {
            let (answer, reading) = self.answers.recall(self.question, &*self.host().files)?;
            assert_eq!(reading, self.read());
            Some(answer)
        }

        fn keep(&self) {
            self.answers.keep(self.question, self.read(), b"because").unwrap();
        }
    }

    #[test]
    fn a_reading_names_what_was_found_and_what_was_not() {
        let reading = Asked::new().read();
        let folders: Vec<&str> = reading.folders().map(WinPath::as_str).collect();
        assert_eq!(folders, [r"C:\Windows\nowhere", r"C:\Windows\System32"]);
        let files: Vec<WinPath> = reading.files().collect();
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
            // Nobody asked for this one.
            asked.write("Windows/d.txt", "text");
            assert_eq!(asked.recall().as_deref(), Some(&b"because"[..]));
            change(&asked);
            assert_eq!(asked.answers.recall(asked.question, &*asked.host().files), None, "change {number}");
        }
    }

    #[test]
    fn what_changed_just_now_is_not_kept() {
        let asked = Asked::new();
        fs::write(asked.root.path().join("Windows/a.txt"), "text").unwrap();
        assert!(matches!(asked.host().files.proof(&r"C:\Windows\a.txt".into()), Proof::Young(_)));
        let reading = asked.read();
        assert!(reading.still_holds(&*asked.host().files) && !reading.is_proven());
        asked.keep();
        assert_eq!(asked.recall(), None);
    }

    #[test]
    fn a_file_that_is_cut_or_altered_anywhere_is_none() {
        let asked = Asked::new();
        asked.keep();
        let file = asked.answers.answer_file(asked.question);
        let whole = fs::read(&file).unwrap();
        let files: Disk = Disk::with_drive(asked.root.path().to_owned(), Default::default());
        for length in 0..whole.len() {
            fs::write(&file, &whole[..length]).unwrap();
            assert_eq!(asked.answers.recall(asked.question, &files), None, "cut at {length}");
            let mut altered = whole.clone();
            altered[length] = altered[length].wrapping_add(1);
            fs::write(&file, altered).unwrap();
            assert_eq!(asked.answers.recall(asked.question, &files), None, "altered at {length}");
        }
        fs::write(&file, &whole).unwrap();
        let other = Question::of(&[b"what"]).unwrap();
        fs::write(asked.answers.answer_file(other), &whole).unwrap();
        assert_eq!(asked.answers.recall(other, &files), None, "the answer to another question");
        assert!(asked.answers.clone().afresh().recall(asked.question, &files).is_none());
        assert!(asked.answers.recall(asked.question, &files).is_some());
    }

    #[test]
    fn only_so_many_answers_are_kept() {
        let asked = Asked::new();
        let questions: Vec<Question> =
            (0..MOST_ANSWERS as u8 + 5).map(|n| Question::of(&[&[n]]).unwrap()).collect();
        for (at, question) in questions.iter().enumerate() {
            asked.answers.keep(*question, asked.read(), b"because").unwrap();
            let used = SystemTime::now() - DAY + Duration::from_secs(at as u64);
            let file = fs::File::options().append(true).open(asked.answers.answer_file(*question));
            file.unwrap().set_modified(used).unwrap();
        }
        let kept = |question: &&Question| asked.answers.answer_file(**question).exists();
        assert_eq!(questions.iter().filter(kept).count(), MOST_ANSWERS);
        assert!(questions.iter().rev().take(MOST_ANSWERS).all(|question| kept(&question)));
    }

    #[test]
    fn parts_of_a_question_do_not_run_into_each_other() {
        assert_ne!(Question::of(&[b"ab", b"c"]), Question::of(&[b"a", b"bc"]));
        assert_ne!(Question::of(&[b"ab"]), Question::of(&[b"ab", b""]));
    }
}
