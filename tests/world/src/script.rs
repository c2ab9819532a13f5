//! Parses a world, as the crate's documentation describes it, into the files to write.

mod attributes;
mod samples;

use std::collections::HashMap;

use crate::error::{Mistake, WorldError};
use crate::pe;
use attributes::{Attributes, Content};

/// A parsed world.
pub(crate) struct Script {
    pub(crate) files: Vec<File>,
    pub(crate) directives: Vec<String>,
}

/// A declared file.
pub(crate) struct File {
    /// The line that declares it.
    pub(crate) line: usize,
    /// Its path from the root, with a slash at the beginning and without one at the end.
    pub(crate) path: String,
    /// Its bytes, or `None` for a directory.
    pub(crate) content: Option<Vec<u8>>,
    /// The length to which it is padded with zeros.
    pub(crate) padded_to: Option<u64>,
    pub(crate) readonly: bool,
    pub(crate) unreadable: bool,
}

impl Script {
    pub(crate) fn read(text: &str) -> Result<Script, WorldError> {
        let mut script = Script { files: Vec::new(), directives: Vec::new() };
        let mut declared = HashMap::new();
        for item in items(text)? {
            if !item.head.starts_with(['/', '"']) {
                item.refuse_block()?;
                script.directives.push(item.head.to_owned());
                continue;
            }
            let file = read_file(&item)?;
            // Paths are case-insensitive on Windows.
            if let Some(line) = declared.insert(file.path.to_lowercase(), item.line) {
                let path = file.path;
                return Err(item.mistaken(Mistake::DeclaredTwice { path, line }));
            }
            script.files.push(file);
        }
        Ok(script)
    }
}

/// A declaration or a directive, with the indented lines below it.
struct Item<'a> {
    line: usize,
    head: &'a str,
    block: Vec<&'a str>,
    /// The number of the line in which the block begins.
    block_line: usize,
}

impl Item<'_> {
    fn mistaken(&self, mistake: Mistake) -> WorldError {
        let line = self.line;
        WorldError::Mistaken { line, mistake }
    }

    fn refuse_block(&self) -> Result<(), WorldError> {
        if self.block.is_empty() {
            return Ok(());
        }
        Err(WorldError::Mistaken { line: self.block_line, mistake: Mistake::Continuation })
    }

    fn block_text(&self) -> String {
        self.block.iter().flat_map(|line| [line, "\n"]).collect()
    }
}

/// Splits a world into its items, and removes the common indentation that it has inside Rust
/// code.
fn items(text: &str) -> Result<Vec<Item<'_>>, WorldError> {
    let indentation = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let is_blank = |line: &&str| line.trim().is_empty();
    let margin = text.lines().filter(|line| !is_blank(line)).map(indentation).min().unwrap_or(0);

    let mut items: Vec<Item> = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        if is_blank(&content) {
            if let Some(item) = items.last_mut() {
                item.block.push("");
            }
            continue;
        }
        let content = &content[margin..];
        if content.starts_with('#') {
            continue;
        }
        if !content.starts_with(char::is_whitespace) {
            items.push(Item { line, head: content.trim_end(), block: Vec::new(), block_line: line });
            continue;
        }
        let mistaken = |mistake| WorldError::Mistaken { line, mistake };
        let content = content.strip_prefix("    ").ok_or_else(|| mistaken(Mistake::Indentation))?;
        let item = items.last_mut().ok_or_else(|| mistaken(Mistake::Continuation))?;
        if item.block.iter().all(|line| line.is_empty()) {
            item.block_line = line;
        }
        item.block.push(content);
    }
    for item in &mut items {
        while item.block.last().is_some_and(|line| line.is_empty()) {
            item.block.pop();
        }
    }
    Ok(items)
}

fn read_file(item: &Item) -> Result<File, WorldError> {
    let mistaken = |mistake| item.mistaken(mistake);
    let (path, rest) = split_path(item.head).map_err(mistaken)?;
    let file = File {
        line: item.line,
        path: path.strip_suffix('/').unwrap_or(path).to_owned(),
        content: None,
        padded_to: None,
        readonly: false,
        unreadable: false,
    };
    check_path(&file.path).map_err(mistaken)?;
    if path.ends_with('/') {
        if !rest.is_empty() {
            return Err(mistaken(Mistake::FolderAttributes));
        }
        item.refuse_block()?;
        return Ok(file);
    }

    let name = path.rsplit('/').next().unwrap_or(path);
    let attributes = Attributes::read(name, rest).map_err(mistaken)?;
    let mut bytes = match attributes.content {
        Content::Text => item.block_text().into_bytes(),
        Content::ManifestOf(mut spec) => {
            spec.manifest = Some(item.block_text());
            pe::write(&spec)
        }
        Content::Image(spec) => {
            item.refuse_block()?;
            pe::write(&spec)
        }
        Content::Sample(bytes) => {
            item.refuse_block()?;
            bytes.to_vec()
        }
    };
    if let Some(cut) = attributes.cut {
        cut_off(&mut bytes, cut).map_err(mistaken)?;
    }
    if let Some(size) = attributes.size {
        check_size(&bytes, size).map_err(mistaken)?;
    }
    Ok(File {
        content: Some(bytes),
        padded_to: attributes.size,
        readonly: attributes.readonly,
        unreadable: attributes.unreadable,
        ..file
    })
}

/// Splits the path, which quotation marks may enclose, from the attributes.
fn split_path(head: &str) -> Result<(&str, &str), Mistake> {
    let (path, attributes) = match head.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or(Mistake::Unclosed)?,
        None => head.split_once(char::is_whitespace).unwrap_or((head, "")),
    };
    Ok((path, attributes.trim_start()))
}

fn check_path(path: &str) -> Result<(), Mistake> {
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.contains(|c: char| r#"<>:"\|?*"#.contains(c) || c.is_control())
            // Windows strips these, and nothing remains of `.` and `..`.
            && !name.ends_with(['.', ' '])
    };
    match path.strip_prefix('/') {
        Some(names) if names.split('/').all(is_name) => Ok(()),
        _ => Err(Mistake::Path(path.to_owned())),
    }
}

fn cut_off(bytes: &mut Vec<u8>, cut: u64) -> Result<(), Mistake> {
    let len = bytes.len() as u64;
    if cut >= len {
        return Err(Mistake::Cut { cut, len });
    }
    bytes.truncate(cut as usize);
    Ok(())
}

fn check_size(bytes: &[u8], size: u64) -> Result<(), Mistake> {
    let len = bytes.len() as u64;
    if size < len {
        return Err(Mistake::Size { size, len });
    }
    Ok(())
}
