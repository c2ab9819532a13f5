//! METADATA and PKG-INFO: the headers that name the requirements of a distribution.

use serde::{Deserialize, Serialize};

/// Returns the name as normalized by PEP 503: lower case, with each run of `-`, `_`, and `.`
/// replaced by one `-`.
pub fn normalized(name: &str) -> String {
    let mut normalized = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if normalized.ends_with('-') => {}
            '-' | '_' | '.' => normalized.push('-'),
            c => normalized.extend(c.to_lowercase()),
        }
    }
    normalized
}

/// The metadata of a distribution. Unknown and malformed headers are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The name in the author's spelling.
    pub name: Option<String>,
    /// The version.
    pub version: Option<String>,
    /// The supported versions of Python, such as `>=3.9`.
    pub requires_python: Option<String>,
    /// The requirements, in order.
    pub requires: Vec<Requirement>,
}

/// A `Requires-Dist` header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// The name, normalized by PEP 503.
    pub name: String,
    /// The versions, such as `==2.12.0`. Empty for any version.
    pub versions: String,
    /// The condition, such as `platform_system == "Windows"`. Empty for none.
    pub marker: String,
}

impl Metadata {
    /// Parses the headers up to the first empty line; the description follows it.
    pub(super) fn parse(text: &str) -> Metadata {
        let mut metadata = Metadata::default();
        for header in headers(text.trim_start_matches('\u{feff}')) {
            let Some((key, value)) = header.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "name" => metadata.name = Some(value.to_owned()),
                "version" => metadata.version = Some(value.to_owned()),
                "requires-python" => metadata.requires_python = Some(value.to_owned()),
                "requires-dist" => metadata.requires.extend(Requirement::parse(value)),
                _ => {}
            }
        }
        metadata
    }
}

/// Returns the header lines, each joined with its continuation lines, which start with whitespace.
fn headers(text: &str) -> Vec<String> {
    let mut headers: Vec<String> = Vec::new();
    for line in text.lines().take_while(|line| !line.trim().is_empty()) {
        match headers.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => headers.push(line.to_owned()),
        }
    }
    headers
}

impl Requirement {
    /// Parses the name, the versions, and the marker of a PEP 508 requirement; extras are ignored.
    pub(super) fn parse(text: &str) -> Option<Requirement> {
        let (what, marker) = text.split_once(';').unwrap_or((text, ""));
        let name_end =
            what.find(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))).unwrap_or(what.len());
        let (name, rest) = what.split_at_checked(name_end)?;
        let versions = match rest.trim_start().strip_prefix('[') {
            Some(extras) => extras.split_once(']').map_or("", |(_, versions)| versions),
            None => rest,
        };
        let versions: String =
            versions.chars().filter(|c| !c.is_whitespace() && !matches!(c, '(' | ')')).collect();
        (!name.is_empty()).then(|| Requirement {
            name: normalized(name),
            versions,
            marker: marker.trim().to_owned(),
        })
    }

    /// Whether it may apply on Windows. It doesn't if the marker requires another system, or an
    /// extra, which isn't installed by default. Other comparisons aren't understood and count as
    /// true.
    pub fn applies_on_windows(&self) -> bool {
        let marker: String = self.marker.chars().filter(|c| !c.is_whitespace()).collect();
        let marker = marker.replace('\'', "\"");
        let asks = |name: &str, windows: &str| match marker.split_once(&format!("{name}==\"")) {
            Some((_, value)) => value.starts_with(&format!("{windows}\"")),
            None => !marker.contains(&format!("{name}!=\"{windows}\"")),
        };
        self.marker.contains(" or ")
            && ["platform_system==\"Windows\"", "sys_platform==\"win32\"", "os_name==\"nt\""]
                .iter()
                .any(|test| marker.contains(test))
            || (!marker.contains("extra==")
                && asks("platform_system", "Windows")
                && asks("sys_platform", "win32")
                && asks("os_name", "nt"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expect: Expect) {
        let metadata = Metadata::parse(text);
        let mut output = format!(
            "{} {} on Python {}\n",
            metadata.name.as_deref().unwrap_or("?"),
            metadata.version.as_deref().unwrap_or("?"),
            metadata.requires_python.as_deref().unwrap_or("?"),
        );
        for requirement in metadata.requires {
            let here = if requirement.applies_on_windows() { "windows" } else { "elsewhere" };
            output += &format!("{here}: {} {}\n", requirement.name, requirement.versions);
        }
        expect.assert_eq(&output);
    }

    #[test]
    fn a_shim_needs_another_wheel_on_each_system() {
        check(
            "Metadata-Version: 2.1\n\
             Name: tensorflow\n\
             Version: 2.12.0\n\
             Requires-Python: >=3.8\n\
             Requires-Dist: tensorflow-cpu-aws (==2.12.0) ; platform_system == \"Linux\" and (platform_machine == \"arm64\")\n\
             Requires-Dist: tensorflow-intel (==2.12.0) ; platform_system == \"Windows\"\n\
             Requires-Dist: nvidia-cudnn-cu12 (==8.9.4.25) ; extra == 'and-cuda'\n\
             Requires-Dist: gui (==1) ; platform_system == 'Windows' and extra == 'gui'\n\
             \n\
             Requires-Dist: this is the description\n",
            expect![[r#"
                tensorflow 2.12.0 on Python >=3.8
                elsewhere: tensorflow-cpu-aws ==2.12.0
                windows: tensorflow-intel ==2.12.0
                elsewhere: nvidia-cudnn-cu12 ==8.9.4.25
                elsewhere: gui ==1
            "#]],
        );
    }

    #[test]
    fn requirements_are_read_in_every_spelling() {
        check(
            "\u{feff}NAME: Some.Thing\r\nRequires-Dist: Py_YAML[fast, c] >= 5 , <7\r\nRequires-Dist: six\r\n\
             Requires-Dist: colorama; sys_platform == 'win32' or platform_system == 'Linux'\r\n\
             Requires-Dist: uvloop; sys_platform != 'win32'\r\nRequires-Dist: local @ file:///x\r\n",
            expect![[r#"
                Some.Thing ? on Python ?
                windows: py-yaml >=5,<7
                windows: six 
                windows: colorama 
                elsewhere: uvloop 
                windows: local @file:///x
            "#]],
        );
    }

    #[test]
    fn malformed_headers_are_ignored() {
        check(
            "no header\n folded\nRequires-Dist:\nRequires-Dist: ;;\nRequires-Dist: [x\nName\n\u{fffd}: \u{fffd}",
            expect![[r#"
                ? ? on Python ?
            "#]],
        );
        check(
            "",
            expect![[r#"
            ? ? on Python ?
        "#]],
        );
    }
}
