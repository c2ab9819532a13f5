//! The symbols that images export and import.

use crate::host::fact::{AssumedImage, Fact, Retention};
use crate::host::fault::ImageFault;
use crate::host::native_files::NativeFiles;
use crate::host::path::WinPath;
use crate::image::{Binding, CONSTEXPR_MUTEX, Export, Image, ImageError, Machine, Symbol};

/// The match of what one image imports from a DLL with the exports of another image.
#[derive(Debug, Clone)]
pub struct BindingOf {
    /// The image that imports, and the one that exports.
    pub files: [WinPath; 2],
    /// The name of the DLL in the import table.
    pub dll: String,
}

impl Fact for BindingOf {
    type Answer = Binding;
    type Fault = ImageFault;

    const NAME: &'static str = "bindings";
    const RETENTION: Retention = Retention::Cache;

    fn files(&self) -> &[WinPath] {
        &self.files
    }

    fn files_mut(&mut self) -> &mut [WinPath] {
        &mut self.files
    }

    fn detail(&self) -> String {
        self.dll.clone()
    }

    /// An ARM64X image is seen as the process of the other image would see it. If both are ARM64X,
    /// only symbols that are missing in both kinds of process count as missing.
    fn read(&self, disk: &NativeFiles) -> Result<Binding, ImageFault> {
        let [importer, exporter] = &self.files;
        let (importer, exporter) = (disk.map(importer)?, disk.map(exporter)?);
        let (importer, exporter) = (importer.image()?, exporter.image()?);
        let views = (importer.seen_by_x64(), exporter.seen_by_x64());
        let (importing, exporting) = (parsed(&views.0)?, parsed(&views.1)?);
        let native = || Binding::between(&importer, &self.dll, &exporter);
        let emulated = || {
            Binding::between(
                importing.as_ref().unwrap_or(&importer),
                &self.dll,
                exporting.as_ref().unwrap_or(&exporter),
            )
        };
        Ok(match (&importing, &exporting) {
            (Some(_), Some(_)) => native()?.in_common(&emulated()?),
            (Some(_), None) if exporter.machine() != Machine::Arm64 => emulated()?,
            (None, Some(_)) if importer.machine() != Machine::Arm64 => emulated()?,
            _ => native()?,
        })
    }

    /// Returns `None` if code that locks a `std::mutex` may run with a runtime that is too old for
    /// it, see [`Binding::between`]. Which locks are taken at the start is only known if both files
    /// exist.
    fn of_assumed_image(
        &self,
        exporter: &AssumedImage,
        contains: &dyn Fn(&WinPath, &str) -> bool,
    ) -> Option<Binding> {
        let [importer, _] = &self.files;
        let may_crash = exporter.version.is_some_and(|version| version < CONSTEXPR_MUTEX)
            && self.dll.eq_ignore_ascii_case("msvcp140.dll")
            && contains(importer, "_Mtx_lock\0")
            && !contains(importer, "_Mtx_init_in_situ\0");
        (!may_crash).then(Binding::default)
    }

    fn usual() -> Option<Binding> {
        Some(Binding::default())
    }
}

fn parsed(view: &Option<Vec<u8>>) -> Result<Option<Image<'_>>, ImageError> {
    view.as_deref().map(Image::parse).transpose()
}

/// The export of an image with a name or an ordinal.
#[derive(Debug, Clone)]
pub struct ExportOf {
    /// The image.
    pub file: WinPath,
    /// The name or ordinal.
    pub symbol: Symbol,
}

impl Fact for ExportOf {
    type Answer = Option<Export>;
    type Fault = ImageFault;

    const NAME: &'static str = "exports";

    fn files(&self) -> &[WinPath] {
        std::slice::from_ref(&self.file)
    }

    fn files_mut(&mut self) -> &mut [WinPath] {
        std::slice::from_mut(&mut self.file)
    }

    fn detail(&self) -> String {
        self.symbol.to_string()
    }

    /// An ARM64X image may export it in any kind of process. DLLs made by Wine are assumed to
    /// export everything, because nothing is known about them.
    fn read(&self, disk: &NativeFiles) -> Result<Option<Export>, ImageFault> {
        let map = disk.map(&self.file)?;
        let image = map.image()?;
        let found = match (image.export(&self.symbol)?, image.seen_by_x64()) {
            (None, Some(view)) => Image::parse(&view)?.export(&self.symbol)?,
            (found, _) => found,
        };
        Ok(found.or_else(|| image.is_of_wine().then_some(Export::Address(0))))
    }

    fn of_assumed_image(
        &self,
        _: &AssumedImage,
        _: &dyn Fn(&WinPath, &str) -> bool,
    ) -> Option<Option<Export>> {
        Some(Some(Export::Address(0)))
    }
}
