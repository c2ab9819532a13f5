//! `importlib.metadata`: installed distributions.

use std::rc::Rc;

use super::super::exceptions::traced;
use super::super::value::{Exception, RecordObject, Value};
use super::super::world::World;
use super::super::{Place, Plan};
use super::{KnownCall, Outcome};
use crate::environment::Distribution;
use crate::host::WinPath;
use crate::source::standard::ImportlibMetadataName;

/// The class of the objects whose attributes are provided here.
const DISTRIBUTION: &str = "importlib.metadata.Distribution";

/// The maximum number of distributions whose versions are recorded.
const MAX_REQUESTED_VERSIONS: usize = 100;

impl Plan<'_> {
    pub(super) fn call_importlib_metadata(
        &mut self,
        name: ImportlibMetadataName,
        call: &KnownCall<'_>,
    ) -> Outcome {
        let Some(distribution) = call.named().text() else { return Ok(Value::Unknown) };
        let found = self.world.distribution(&distribution, call.place)?;
        Ok(match name {
            ImportlibMetadataName::Version => {
                let version = found.version.clone();
                if let Some(version) = &version
                    && self.world.requested_versions.len() < MAX_REQUESTED_VERSIONS
                {
                    self.world.requested_versions.push(((&*distribution).into(), version.as_str().into()));
                }
                version.map_or(Value::Unknown, Value::str)
            }
            ImportlibMetadataName::Distribution => {
                let attributes = vec![
                    ("version", found.version.as_ref().map_or(Value::Unknown, Value::str)),
                    ("name", Value::str(&found.name)),
                    ("location", Value::path(&found.location)),
                    ("files", self.world.files_of(found)),
                ];
                Value::Record(Rc::new(RecordObject { class: DISTRIBUTION, attributes }))
            }
            ImportlibMetadataName::Files => self.world.files_of(found),
        })
    }
}

impl World<'_> {
    fn distribution(&self, name: &str, place: &Place) -> Result<&'_ Distribution, Rc<Exception>> {
        self.environment().find(name).ok_or_else(|| {
            let text = format!("No package metadata was found for {name}");
            let bases = vec!["ModuleNotFoundError".into(), "ImportError".into()];
            let exception = Exception { bases, ..Exception::new("PackageNotFoundError", Some(text.into())) };
            traced(Rc::new(exception), place)
        })
    }

    /// Evaluates `distribution.files`: paths relative to the installation folder, each with its own
    /// `locate()`.
    fn files_of(&self, distribution: &Distribution) -> Value {
        const MAX: usize = 20_000;
        let files = self.files();
        let Ok(record) = distribution.expected_files(files) else { return Value::Unknown };
        if record.len() > MAX {
            return Value::Unknown;
        }
        let below = |path: &WinPath| path.below(&distribution.location).map(Value::path_of_text);
        Value::list(record.iter().filter_map(|row| below(&row.path)).collect())
    }
}

impl RecordObject {
    /// Calls a method of such an object.
    pub fn call(&self, method: &str, arguments: &[Value]) -> Value {
        match (self.class, method) {
            (DISTRIBUTION, "locate_file") => {
                let folder = self.get("location").and_then(|folder| folder.text());
                match (folder, arguments.first().and_then(Value::text)) {
                    (Some(folder), Some(file)) => Value::path(&WinPath::new(&*folder).join(&file)),
                    (Some(folder), None) => Value::Below(folder),
                    _ => Value::Unknown,
                }
            }
            _ => Value::Unknown,
        }
    }
}
