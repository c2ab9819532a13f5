//! The facts that diagnoses ask for. Each is a type here that implements [`Fact`](super::Fact), and
//! nothing else: what is between the question and the disk handles all facts alike.

mod content;
mod image;
mod instructions;
mod modules;
mod symbols;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use content::{Contains, SizeOf, TextOf};
pub use image::{DllNames, ImageFacts, ImageOf};
pub use instructions::InstructionsOf;
pub use modules::{ModulesIn, ScriptOf};
pub use symbols::{BindingOf, ExportOf};

use super::fact::FactKind;
use super::fault::{FileError, ImageFault};
use super::files::Files;
use super::path::WinPath;
use crate::image::{Binding, Export, Symbol};
use crate::source::Script;

/// Returns the facts that a snapshot has a table of. Modules are stored differently.
pub(super) fn recorded() -> [&'static FactKind; 8] {
    [
        FactKind::of::<SizeOf>(),
        FactKind::of::<TextOf>(),
        FactKind::of::<ImageOf>(),
        FactKind::of::<BindingOf>(),
        FactKind::of::<ExportOf>(),
        FactKind::of::<Contains>(),
        FactKind::of::<InstructionsOf>(),
        FactKind::of::<ModulesIn>(),
    ]
}

/// The questions that many callers ask.
impl dyn Files + '_ {
    /// Returns the size of a file in bytes.
    ///
    /// # Errors
    ///
    /// If it doesn't exist or cannot be accessed.
    pub fn size(&self, path: &WinPath) -> Result<u64, FileError> {
        self.ask(SizeOf(path.clone())).map(|size| *size)
    }

    /// Reads a small text file (configuration, metadata). Invalid UTF-8 is replaced.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is too large.
    pub fn text(&self, path: &WinPath) -> Result<Arc<str>, FileError> {
        self.ask(TextOf(path.clone())).map(|text| (*text).clone())
    }

    /// Reads the facts about an image.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or isn't an image.
    pub fn image(&self, path: &WinPath) -> Result<Arc<ImageFacts>, ImageFault> {
        self.ask(ImageOf(path.clone()))
    }

    /// Reads what importing a Python module does, or, for a [part](WinPath::with_part) of a module,
    /// what the definition in that part does.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is a compiled module of an unknown format.
    pub fn script(&self, path: &WinPath) -> Result<Arc<Script>, FileError> {
        self.ask(ScriptOf::at(path))
    }

    /// Lists the modules in a zip archive on `sys.path`, see [`ModulesIn`].
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or isn't an archive.
    pub fn archive(&self, path: &WinPath) -> Result<Arc<Vec<String>>, FileError> {
        self.ask(ModulesIn(path.clone()))
    }

    /// Matches what the image `importer` imports from `dll` with the exports of the image
    /// `exporter`.
    ///
    /// # Errors
    ///
    /// If one of the files cannot be read, or isn't an image.
    pub fn binding(
        &self,
        importer: &WinPath,
        dll: &str,
        exporter: &WinPath,
    ) -> Result<Arc<Binding>, ImageFault> {
        self.ask(BindingOf { files: [importer.clone(), exporter.clone()], dll: dll.to_owned() })
    }

    /// Returns the export of an image with a name or an ordinal.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or isn't an image.
    pub fn export(&self, path: &WinPath, symbol: &Symbol) -> Result<Option<Export>, ImageFault> {
        let export = self.ask(ExportOf { file: path.clone(), symbol: symbol.clone() })?;
        Ok((*export).clone())
    }

    /// Whether a file contains a string. This reads the whole file, so callers should have another
    /// reason to expect the string in it.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is larger than any image.
    pub fn contains(&self, path: &WinPath, string: &str) -> Result<bool, FileError> {
        let contains = Contains { file: path.clone(), string: string.to_owned() };
        self.ask(contains).map(|contains| *contains)
    }

    /// Returns the instruction sets without which an image cannot start, see [`InstructionsOf`].
    /// They are only needed if the processor lacks some.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or isn't an image.
    pub fn instructions(&self, path: &WinPath) -> Result<Arc<BTreeSet<String>>, ImageFault> {
        self.ask(InstructionsOf(path.clone()))
    }
}
