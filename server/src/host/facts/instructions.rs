//! The instruction sets that an image needs to start.

use std::collections::BTreeSet;

use crate::host::fact::{AssumedImage, Fact};
use crate::host::fault::ImageFault;
use crate::host::native_files::NativeFiles;
use crate::host::path::WinPath;

/// The instruction sets without which an image cannot start, see [`Image::instructions_at_start`].
///
/// [`Image::instructions_at_start`]: crate::image::Image::instructions_at_start
#[derive(Debug, Clone)]
pub struct InstructionsOf(pub WinPath);

impl Fact for InstructionsOf {
    type Answer = BTreeSet<String>;
    type Fault = ImageFault;

    const NAME: &'static str = "instructions";

    fn files(&self) -> &[WinPath] {
        std::slice::from_ref(&self.0)
    }

    fn files_mut(&mut self) -> &mut [WinPath] {
        std::slice::from_mut(&mut self.0)
    }

    fn read(&self, disk: &NativeFiles) -> Result<BTreeSet<String>, ImageFault> {
        Ok(disk.map(&self.0)?.image()?.instructions_at_start()?)
    }

    /// Windows runs on every processor that it starts on.
    fn of_assumed_image(
        &self,
        _: &AssumedImage,
        _: &dyn Fn(&WinPath, &str) -> bool,
    ) -> Option<BTreeSet<String>> {
        Some(BTreeSet::new())
    }

    fn usual() -> Option<BTreeSet<String>> {
        Some(BTreeSet::new())
    }
}
