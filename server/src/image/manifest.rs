//! Side-by-side manifests: which assemblies an image asks for, and which files an assembly brings.
//!
//! Source: Microsoft, "Assembly Manifests", "Application Manifests"; Wine's `dlls/ntdll/actctx.c`, whose
//! conformance test `dlls/kernel32/tests/actctx.c` is run on Windows too.

use serde::{Deserialize, Serialize};

use super::{Image, ImageError};

/// What a manifest says of DLLs.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The assemblies that it depends on, in order; optional ones are left out.
    pub dependencies: Vec<Assembly>,
    /// Names of the DLLs that the assembly itself consists of.
    pub files: Vec<String>,
}

/// The identity of a side-by-side assembly.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Assembly {
    /// `Microsoft.VC90.CRT`
    pub name: String,
    /// `9.0.21022.8`; empty if the manifest does not say.
    pub version: String,
    /// `amd64`, `x86` or `*`; empty if the manifest does not say.
    pub architecture: String,
    /// Eight bytes in hexadecimal, of an assembly that is shared by all programs (in `WinSxS`).
    pub public_key_token: Option<String>,
    /// `en-US`, if the assembly is for one language.
    pub language: Option<String>,
}

impl Manifest {
    /// Reads a manifest; none if it is no XML or has no `assembly` at its root, which makes Windows refuse it.
    pub fn parse(text: &str) -> Option<Manifest> {
        let options = roxmltree::ParsingOptions { nodes_limit: MOST_NODES, ..Default::default() };
        let document = roxmltree::Document::parse_with_options(text, options).ok()?;
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

/// More elements and attributes than any real manifest has.
const MOST_NODES: u32 = 100_000;

fn identity(element: roxmltree::Node<'_, '_>) -> Option<Assembly> {
    let said = |name: &str| element.attribute(name).map(str::trim).filter(|value| !value.is_empty());
    let specific = |name: &str| said(name).filter(|value| *value != "*" && *value != "neutral");
    Some(Assembly {
        name: said("name")?.to_owned(),
        version: said("version").unwrap_or_default().to_owned(),
        architecture: said("processorArchitecture").unwrap_or_default().to_ascii_lowercase(),
        public_key_token: said("publicKeyToken").map(str::to_ascii_lowercase),
        language: specific("language").map(str::to_owned),
    })
}

/// `CREATEPROCESS_MANIFEST_RESOURCE_ID`: the manifest of a program, or of an assembly that a DLL carries.
pub const PROGRAM_MANIFEST: u32 = 1;

/// `ISOLATIONAWARE_MANIFEST_RESOURCE_ID`: the manifest by which a DLL's own imports are resolved.
pub const LIBRARY_MANIFEST: u32 = 2;

impl Image<'_> {
    /// What the image's manifests say of DLLs, with the numbers of their resources. What is no manifest is left out.
    ///
    /// # Errors
    /// As [`Image::manifest`].
    pub fn manifests(&self) -> Result<Vec<(u32, Manifest)>, ImageError> {
        let mut manifests = Vec::new();
        for number in [PROGRAM_MANIFEST, LIBRARY_MANIFEST] {
            let manifest = self.manifest(number)?.and_then(|text| Manifest::parse(&text));
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
    fn what_is_no_manifest_is_none() {
        for text in ["", "no XML", "<a/>", "<assembly", "<!DOCTYPE assembly [<!ENTITY a 'b'>]><assembly/>"] {
            assert_eq!(Manifest::parse(text), None, "{text}");
        }
    }
}
