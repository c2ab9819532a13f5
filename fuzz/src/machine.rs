//! A machine whose text files come from the input. All its other files are valid.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use whydll::host::facts::{Contains, ExportOf, ImageFacts, ImageOf, ModulesIn, ScriptOf, SizeOf, TextOf};
use whydll::host::{AnyAnswer, AnyFact, Entry, EntryKind, FileError, Files, Folder, Host, WinPath};
use whydll::image::{Export, FileVersion};
use whydll::source::lower;

/// A clean Windows with these text files.
pub fn machine<'a>(files: impl IntoIterator<Item = (&'a str, String)>) -> Host {
    let texts = files.into_iter().map(|(path, text)| (WinPath::new(path), text.into()));
    static WINDOWS: LazyLock<Host> = LazyLock::new(|| Host::named("windows-11", Arc::default()).unwrap());
    let mut host = WINDOWS.clone();
    host.files = Arc::new(InputMachine::new(texts.collect()));
    host
}

struct InputMachine {
    texts: HashMap<WinPath, Arc<str>>,
    folders: HashMap<WinPath, Arc<Folder>>,
}

impl InputMachine {
    fn new(texts: HashMap<WinPath, Arc<str>>) -> InputMachine {
        let mut entries: HashMap<WinPath, Vec<Entry>> = HashMap::new();
        for path in texts.keys() {
            let (mut below, mut kind) = (path.clone(), EntryKind::File);
            while let Some(folder) = below.parent() {
                let entry = Entry { name: below.file_name().to_owned(), kind };
                entries.entry(folder.clone()).or_default().push(entry);
                (below, kind) = (folder, EntryKind::Folder);
            }
        }
        let folders = entries.into_iter().map(|(path, entries)| (path, Arc::new(Folder::new(entries))));
        InputMachine { texts, folders: folders.collect() }
    }
}

impl Files for InputMachine {
    fn folder(&self, path: &WinPath) -> Result<Arc<Folder>, FileError> {
        self.folders.get(path).cloned().ok_or(FileError::NotFound)
    }

    fn answer(&self, fact: &dyn AnyFact) -> AnyAnswer {
        let text = |path: &WinPath| self.texts.get(path).ok_or(FileError::NotFound);
        fact.files().iter().try_for_each(|file| text(file).map(drop))?;
        let usual = fact.kind().usual();
        let fact = fact.as_any();
        Ok(if let Some(SizeOf(path)) = fact.downcast_ref() {
            Arc::new(text(path)?.len() as u64)
        } else if let Some(TextOf(path)) = fact.downcast_ref() {
            Arc::new(text(path)?.clone())
        } else if fact.is::<ImageOf>() {
            let version = Some(FileVersion([3, 8, 10150, 1013]));
            Arc::new(ImageFacts { version, ..ImageFacts::default() })
        } else if let Some(ScriptOf { file, .. }) = fact.downcast_ref() {
            Arc::new(lower(text(file)?))
        } else if fact.is::<ModulesIn>() {
            Arc::new(Vec::<String>::new())
        } else if fact.is::<ExportOf>() {
            Arc::new(None::<Export>)
        } else if let Some(Contains { file, string }) = fact.downcast_ref() {
            Arc::new(text(file)?.contains(string))
        } else {
            usual.ok_or(FileError::NotRecorded)?
        })
    }
}
