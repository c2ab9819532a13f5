//! Side-by-side manifests: the assemblies that an image requires, and the files of an assembly.
//!
//! Source: Microsoft, "Assembly Manifests", "Application Manifests"; Wine's `dlls/ntdll/actctx.c`,
//! whose conformance test `dlls/kernel32/tests/actctx.c` also runs on Windows.

use serde::{Deserialize, Serialize};

use super::{Image, ImageError};

/// The DLLs and assemblies that a manifest names.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The assemblies that it depends on, in order, except for optional ones.
    pub dependencies: Vec<Assembly>,
    /// The names of the DLLs that the assembly itself consists of.
    pub files: Vec<String>,
}

/// The identity of a side-by-side assembly.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Assembly {
    /// `Microsoft.VC90.CRT`
    pub name: String,
    /// `9.0.21022.8`; empty if the manifest doesn't specify it.
    pub version: String,
    /// `amd64`, `x86` or `*`; empty if the manifest doesn't specify it.
    pub architecture: String,
    /// Eight bytes in hexadecimal, for an assembly in `WinSxS`, which all programs share.
    pub public_key_token: Option<String>,
    /// `en-US`, if the assembly is for one language.
    pub language: Option<String>,
}

impl Manifest {
    /// Parses a manifest. Returns `None` if it isn't XML with an `assembly` as its root, because
    /// Windows refuses such a manifest.
    pub fn parse(xml: &str) -> Option<Manifest> {
        let options = roxmltree::ParsingOptions { nodes_limit: MAX_NODES, ..Default::default() };
        let document = roxmltree::Document::parse_with_options(xml, options).ok()?;
        let root = document.root_element();
        if root.tag_name().name() != "assembly" {
            return None;
        }
        let mut manifest = Manifest::default();
        for element in root.children().filter(roxmltree::Node::is_element) {
            match element.tag_name().name() {
                "dependency" if element.attribute("optional") != Some("yes") => {
                    let identities = element
                        .children()
                        .filter(|child| child.tag_name().name() == "dependentAssembly")
                        .flat_map(|dependent| dependent.children())
                        .filter(|child| child.tag_name().name() == "assemblyIdentity");
                    manifest.dependencies.extend(identities.filter_map(identity));
                }
                "file" => manifest.files.extend(element.attribute("name").map(str::to_owned)),
                _ => {}
            }
        }
        Some(manifest)
    }
}

/// The maximum number of elements and attributes. Real manifests have far fewer.
const MAX_NODES: u32 = 100_000;

fn identity(element: roxmltree::Node<'_, '_>) -> Option<Assembly> {
    let value = |name: &str| element.attribute(name).map(str::trim).filter(|value| !value.is_empty());
    let specific = |name: &str| value(name).filter(|value| *value != "*" && *value != "neutral");
    Some(Assembly {
        name: value("name")?.to_owned(),
        version: value("version").unwrap_or_default().to_owned(),
        architecture: value("processorArchitecture").unwrap_or_default().to_ascii_lowercase(),
        public_key_token: value("publicKeyToken").map(str::to_ascii_lowercase),
        language: specific("language").map(str::to_owned),
    })
}

/// `CREATEPROCESS_MANIFEST_RESOURCE_ID`: the manifest of a program, or of an assembly in a DLL.
pub const PROGRAM_MANIFEST: u32 = 1;

/// `ISOLATIONAWARE_MANIFEST_RESOURCE_ID`: the manifest for resolving a DLL's own imports.
pub const LIBRARY_MANIFEST: u32 = 2;

impl Image<'_> {
    /// Returns the image's manifests with the numbers of their resources. Invalid manifests are
    /// omitted.
    ///
    /// # Errors
    ///
    /// The same as of [`Image::manifest`].
    pub fn manifests(&self) -> Result<Vec<(u32, Manifest)>, ImageError> {
        let mut manifests = Vec::new();
        for number in [PROGRAM_MANIFEST, LIBRARY_MANIFEST] {
            let manifest = self.manifest(number)?.and_then(|xml| Manifest::parse(&xml));
            manifests.extend(manifest.map(|manifest| (number, manifest)));
        }
        Ok(manifests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_and_files_are_read() {
        let manifest = Manifest::parse(
            r#"<?xml version="1.0"?>
            <assembly xmlns="urn:schemas-microsoft-com:asm.v1" manifestVersion="1.0">
              <file name="Parts.dll" hash="00"/>
              <dependency><dependentAssembly>
                <assemblyIdentity type="win32" name="Microsoft.VC90.CRT" version="9.0.21022.8"
                    processorArchitecture="AMD64" publicKeyToken="1FC8B3B9A1E18E3B" language="*"/>
              </dependentAssembly></dependency>
              <dependency optional="yes"><dependentAssembly>
                <assemblyIdentity type="win32" name="perhaps" version="1.0.0.0"/>
              </dependentAssembly></dependency>
            </assembly>"#,
        )
        .unwrap();
        assert_eq!(manifest.files, ["Parts.dll"]);
        let [crt] = &manifest.dependencies[..] else { panic!("{manifest:?}") };
        assert_eq!((crt.name.as_str(), crt.architecture.as_str()), ("Microsoft.VC90.CRT", "amd64"));
        assert_eq!((crt.public_key_token.as_deref(), &crt.language), (Some("1fc8b3b9a1e18e3b"), &None));
    }

    #[test]
    fn invalid_manifests_are_rejected() {
        for xml in ["", "no XML", "<a/>", "<assembly", "<!DOCTYPE assembly [<!ENTITY a 'b'>]><assembly/>"] {
            assert_eq!(Manifest::parse(xml), None, "{xml}");
        }
    }
}
