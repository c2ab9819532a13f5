//! A machine whose text files come from the input. All its other files are valid.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use whydll::host::{Entry, EntryKind, FileError, Files, Folder, Host, ImageFacts, ImageFault, WinPath};
use whydll::image::{Binding, Export, FileVersion, Symbol};
use whydll::source::{Script, lower};

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

    fn size(&self, path: &WinPath) -> Result<u64, FileError> {
        self.text(path).map(|text| text.len() as u64)
    }

    fn text(&self, path: &WinPath) -> Result<Arc<str>, FileError> {
        self.texts.get(path).cloned().ok_or(FileError::NotFound)
    }

    fn image(&self, path: &WinPath) -> Result<Arc<ImageFacts>, ImageFault> {
        self.text(path)?;
        Ok(Arc::new(ImageFacts { version: Some(FileVersion([3, 8, 10150, 1013])), ..ImageFacts::default() }))
    }

    fn script(&self, path: &WinPath) -> Result<Arc<Script>, FileError> {
        self.text(path).map(|text| Arc::new(lower(&text)))
    }

    fn archive(&self, path: &WinPath) -> Result<Arc<Vec<String>>, FileError> {
        self.text(path).map(|_| Arc::default())
    }

    fn binding(&self, _: &WinPath, _: &str, _: &WinPath) -> Result<Arc<Binding>, ImageFault> {
        Ok(Arc::default())
    }

    fn export(&self, _: &WinPath, _: &Symbol) -> Result<Option<Export>, ImageFault> {
        Ok(None)
    }

    fn contains(&self, path: &WinPath, text: &str) -> Result<bool, FileError> {
        self.text(path).map(|content| content.contains(text))
    }

    fn instructions(&self, _: &WinPath) -> Result<Arc<BTreeSet<String>>, ImageFault> {
        Ok(Arc::default())
    }
}
