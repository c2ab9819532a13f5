//! The attributes of a file: the comma-separated items after its path.

use std::path::Path;

use super::samples;
use crate::error::Mistake;
use crate::pe::{EntryPoint, Export, ImageSpec, Import, Kind, Machine, Symbol};

/// The attributes of a file.
pub(super) struct Attributes {
    pub(super) content: Content,
    pub(super) cut: Option<u64>,
    pub(super) size: Option<u64>,
    pub(super) readonly: bool,
    pub(super) unreadable: bool,
}

/// The content of a file.
pub(super) enum Content {
    /// The indented lines below its declaration.
    Text,
    /// A fixed sample.
    Sample(&'static [u8]),
    /// An image.
    Image(Box<ImageSpec>),
    /// An image whose manifest is the indented lines.
    ManifestOf(Box<ImageSpec>),
}

/// The symbol that every image exports, and that an import without a symbol imports: loaders skip
/// a DLL from which nothing is imported.
const STAND_IN: &str = "whydll";

/// The highest ordinal that can be given to an export. Exports without an ordinal are numbered
/// above it.
const HIGHEST_ORDINAL: u16 = 0x7fff;

impl Attributes {
    /// Reads the attributes of the file with this name.
    pub(super) fn read(name: &str, text: &str) -> Result<Attributes, Mistake> {
        let mut image = blank_image(name);
        let mut of_image = None;
        let mut manifest_follows = false;
        let mut plain: Option<(&str, Content)> = None;
        let (mut cut, mut size) = (None, None);
        let (mut readonly, mut unreadable) = (false, false);

        for (item, attribute) in parse(text)? {
            match attribute {
                Attribute::Plain(content) => {
                    if let Some((other, _)) = plain.replace((item, content)) {
                        return Err(contradiction(other, item));
                    }
                }
                Attribute::Cut(len) => cut = Some(len),
                Attribute::Size(len) => size = Some(len),
                Attribute::Readonly => readonly = true,
                Attribute::Unreadable => unreadable = true,
                Attribute::Image(attribute) => {
                    of_image.get_or_insert(item);
                    manifest_follows |= matches!(attribute, ImageAttribute::ManifestFollows);
                    apply(attribute, &mut image)?;
                }
            }
        }

        let content = match (plain, of_image) {
            (Some((item, _)), Some(other)) => return Err(contradiction(item, other)),
            (Some((_, content)), None) => content,
            (None, None) if !is_image_name(name) => Content::Sample(b""),
            (None, _) => {
                complete_exports(&mut image.exports)?;
                if !image.for_x64.exports.is_empty() {
                    complete_exports(&mut image.for_x64.exports)?;
                }
                let image = Box::new(image);
                if manifest_follows { Content::ManifestOf(image) } else { Content::Image(image) }
            }
        };
        Ok(Attributes { content, cut, size, readonly, unreadable })
    }
}

fn contradiction(one: &str, other: &str) -> Mistake {
    Mistake::Contradiction(one.to_owned(), other.to_owned())
}

fn is_image_name(name: &str) -> bool {
    ["dll", "exe", "pyd", "so"].iter().any(|extension| has_extension(name, extension))
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

fn blank_image(name: &str) -> ImageSpec {
    if has_extension(name, "exe") { ImageSpec::exe(name) } else { ImageSpec::dll(name) }
}

/// Adds the stand-in, and checks that no two exports are the same.
fn complete_exports(exports: &mut Vec<Export>) -> Result<(), Mistake> {
    let stand_in = Export::named(STAND_IN);
    if !exports.iter().any(|export| export.name == stand_in.name) {
        exports.push(stand_in);
    }
    for (i, export) in exports.iter().enumerate() {
        let earlier = &exports[..i];
        if let Some(name) = &export.name
            && earlier.iter().any(|other| other.name == export.name)
        {
            return Err(Mistake::ExportedTwice(name.clone()));
        }
        if let Some(ordinal) = export.ordinal
            && earlier.iter().any(|other| other.ordinal == export.ordinal)
        {
            return Err(Mistake::ExportedTwice(format!("@{ordinal}")));
        }
    }
    Ok(())
}

/// One attribute. A list is one attribute, although its items are separated by commas like
/// attributes.
enum Attribute<'a> {
    Plain(Content),
    Cut(u64),
    Size(u64),
    Readonly,
    Unreadable,
    Image(ImageAttribute<'a>),
}

/// An attribute of images only.
enum ImageAttribute<'a> {
    Machine(Machine),
    Exe,
    Imports(Vec<&'a str>),
    DelayImports(Vec<&'a str>),
    Exports(Vec<&'a str>),
    X64Imports(Vec<&'a str>),
    X64Exports(Vec<&'a str>),
    Version([u16; 4]),
    Linker((u8, u8)),
    NeedsWindows((u16, u16)),
    Clr,
    Manifest(&'a str),
    ManifestFollows,
    Starts(&'a str),
    DependentLoadFlags(u16),
    EntryPoint(EntryPoint),
    InitCallsFirstImport,
    Cimports(Vec<&'a str>),
}

fn apply(attribute: ImageAttribute, image: &mut ImageSpec) -> Result<(), Mistake> {
    match attribute {
        ImageAttribute::Machine(machine) => image.machine = machine,
        ImageAttribute::Exe => image.kind = Kind::Exe,
        ImageAttribute::Imports(items) => add_imports(&mut image.imports, &items)?,
        ImageAttribute::DelayImports(items) => add_imports(&mut image.delay_imports, &items)?,
        ImageAttribute::Exports(items) => add_exports(&mut image.exports, items)?,
        ImageAttribute::X64Imports(items) => add_imports(&mut image.for_x64.imports, &items)?,
        ImageAttribute::X64Exports(items) => add_exports(&mut image.for_x64.exports, items)?,
        ImageAttribute::Version(version) => image.version = Some(version),
        ImageAttribute::Linker(version) => image.linker = version,
        ImageAttribute::NeedsWindows(version) => image.needs_windows = version,
        ImageAttribute::Clr => image.clr = true,
        ImageAttribute::Manifest(text) => image.manifest = Some(text.to_owned()),
        ImageAttribute::ManifestFollows => {}
        ImageAttribute::Starts(program) => image.starts = Some(program.to_owned()),
        ImageAttribute::DependentLoadFlags(flags) => image.dependent_load_flags = Some(flags),
        ImageAttribute::EntryPoint(entry_point) => image.entry_point = entry_point,
        ImageAttribute::InitCallsFirstImport => {
            let stem = image.name.split('.').next().unwrap_or_default();
            image.exports.push(Export::named(format!("PyInit_{stem}")));
            image.init_calls_first_import = true;
        }
        ImageAttribute::Cimports(modules) => {
            let stem = image.name.split('.').next().unwrap_or_default();
            image.exports.push(Export::named(format!("PyInit_{stem}")));
            add_imports(
                &mut image.imports,
                &["python3.dll!PyImport_AddModule", "python3.dll!PyImport_ImportModule"],
            )?;
            image.cimports.extend(modules.into_iter().map(str::to_owned));
        }
    }
    Ok(())
}

/// Parses attributes, each with its source.
fn parse(text: &str) -> Result<Vec<(&str, Attribute<'_>)>, Mistake> {
    let mut attributes: Vec<(&str, Attribute)> = Vec::new();
    for item in split_at_commas(text)? {
        if let Some(attribute) = keyword(item)? {
            attributes.push((item, attribute));
            continue;
        }
        match attributes.last_mut() {
            Some((
                _,
                Attribute::Image(
                    ImageAttribute::Imports(list)
                    | ImageAttribute::DelayImports(list)
                    | ImageAttribute::Exports(list)
                    | ImageAttribute::X64Imports(list)
                    | ImageAttribute::X64Exports(list)
                    | ImageAttribute::Cimports(list),
                ),
            )) if !item.is_empty() => list.push(item),
            _ => return Err(Mistake::Attribute(item.to_owned())),
        }
    }
    Ok(attributes)
}

/// Splits a string at the commas outside of quotation marks. An empty string has no items.
fn split_at_commas(text: &str) -> Result<Vec<&str>, Mistake> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut quoted = false;
    let items = text.split(|c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    let items = items.map(str::trim).collect();
    if quoted {
        return Err(Mistake::Unclosed);
    }
    Ok(items)
}

/// Parses an item as an attribute. Returns `None` if it is another item of a list.
fn keyword(item: &str) -> Result<Option<Attribute<'_>>, Mistake> {
    use ImageAttribute as Of;

    let image = |attribute| Ok(Some(Attribute::Image(attribute)));
    let plain = |content| Ok(Some(Attribute::Plain(content)));
    let sample = |bytes| plain(Content::Sample(bytes));
    match item {
        "text" => return plain(Content::Text),
        "empty" => return sample(b""),
        "junk" => return sample(samples::JUNK),
        "html" => return sample(samples::HTML),
        "zip" => return sample(samples::ZIP),
        "readonly" => return Ok(Some(Attribute::Readonly)),
        "unreadable" => return Ok(Some(Attribute::Unreadable)),
        "x86" => return image(Of::Machine(Machine::X86)),
        "x86_64" => return image(Of::Machine(Machine::X86_64)),
        "arm64" => return image(Of::Machine(Machine::Arm64)),
        "arm64ec" => return image(Of::Machine(Machine::Arm64Ec)),
        "arm64x" => return image(Of::Machine(Machine::Arm64X)),
        "exe" => return image(Of::Exe),
        "clr" => return image(Of::Clr),
        "crashes" => return image(Of::EntryPoint(EntryPoint::Crashes)),
        "refuses" => return image(Of::EntryPoint(EntryPoint::Refuses)),
        "uses avx" => return image(Of::EntryPoint(EntryPoint::UsesAvx)),
        "calls its first import" => return image(Of::EntryPoint(EntryPoint::CallsFirstImport)),
        "calls its first import as it is initialized" => return image(Of::InitCallsFirstImport),
        "manifest" => return image(Of::ManifestFollows),
        _ => {}
    }
    if let Some(first) = after("imports", item) {
        image(Of::Imports(vec![first]))
    } else if let Some(first) = after("delay imports", item) {
        image(Of::DelayImports(vec![first]))
    } else if let Some(first) = after("exports", item) {
        image(Of::Exports(vec![first]))
    } else if let Some(first) = after("x64 imports", item) {
        image(Of::X64Imports(vec![first]))
    } else if let Some(first) = after("x64 exports", item) {
        image(Of::X64Exports(vec![first]))
    } else if let Some(first) = after("cimports", item) {
        image(Of::Cimports(vec![first]))
    } else if let Some(text) = after("version", item) {
        image(Of::Version(version(text)?))
    } else if let Some(text) = after("linker", item) {
        let [major, minor] = version(text)?;
        image(Of::Linker((byte(text, major)?, byte(text, minor)?)))
    } else if let Some(text) = after("needs windows", item) {
        let [major, minor] = version(text)?;
        image(Of::NeedsWindows((major, minor)))
    } else if let Some(text) = after("dependent load flags", item) {
        image(Of::DependentLoadFlags(number(text)?))
    } else if let Some(text) = after("manifest", item) {
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        match text {
            Some(text) => image(Of::Manifest(text)),
            None => Err(Mistake::Attribute(item.to_owned())),
        }
    } else if let Some(program) = after("starts", item) {
        image(Of::Starts(program))
    } else if let Some(text) = after("cut", item) {
        Ok(Some(Attribute::Cut(number(text)?)))
    } else if let Some(text) = after("size", item) {
        Ok(Some(Attribute::Size(number(text)?)))
    } else {
        Ok(None)
    }
}

/// Returns what follows a keyword, if the item begins with it and something follows.
fn after<'a>(keyword: &str, item: &'a str) -> Option<&'a str> {
    let rest = item.strip_prefix(keyword)?;
    rest.starts_with(char::is_whitespace).then(|| rest.trim_start())
}

/// Parses a decimal number, or a hexadecimal one that begins with `0x`.
fn number<N: TryFrom<u64>>(text: &str) -> Result<N, Mistake> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    number.and_then(|number| N::try_from(number).ok()).ok_or_else(|| Mistake::Number(text.to_owned()))
}

/// Parses numbers separated by dots; missing ones at the end are 0.
fn version<const N: usize>(text: &str) -> Result<[u16; N], Mistake> {
    let mut version = [0; N];
    let mut parts = text.split('.');
    for (part, text) in version.iter_mut().zip(&mut parts) {
        *part = number(text)?;
    }
    match parts.next() {
        None => Ok(version),
        Some(_) => Err(Mistake::Number(text.to_owned())),
    }
}

fn byte(text: &str, part: u16) -> Result<u8, Mistake> {
    u8::try_from(part).map_err(|_| Mistake::Number(text.to_owned()))
}

fn add_exports(exports: &mut Vec<Export>, items: Vec<&str>) -> Result<(), Mistake> {
    for item in items {
        exports.push(export(item)?);
    }
    Ok(())
}

/// Adds items such as `a.dll`, `a.dll!f`, and `a.dll!#7`, with one entry for each DLL. `a.dll!`
/// names a DLL and imports nothing from it.
fn add_imports(imports: &mut Vec<Import>, items: &[&str]) -> Result<(), Mistake> {
    for item in items {
        let mistake = || Mistake::Import((*item).to_owned());
        if item.contains(char::is_whitespace) {
            return Err(mistake());
        }
        let (dll, symbol) = match item.split_once('!') {
            None => (*item, Some(Symbol::Name(STAND_IN.to_owned()))),
            Some((dll, "")) => (dll, None),
            Some((dll, symbol)) => {
                let symbol = match symbol.strip_prefix('#') {
                    Some(ordinal) => Symbol::Ordinal(ordinal.parse().map_err(|_| mistake())?),
                    None => Symbol::Name(symbol.to_owned()),
                };
                (dll, Some(symbol))
            }
        };
        if dll.is_empty() {
            return Err(mistake());
        }
        let known = imports.iter_mut().find(|import| import.dll.eq_ignore_ascii_case(dll));
        match known {
            Some(import) => import.symbols.extend(symbol),
            None => imports.push(Import { dll: dll.to_owned(), symbols: Vec::from_iter(symbol) }),
        }
    }
    Ok(())
}

/// Parses `f`, `f@7`, or `@7`, optionally followed by `=other.g` or `=other.#7`.
fn export(item: &str) -> Result<Export, Mistake> {
    let mistake = || Mistake::Export(item.to_owned());
    let (entry, forward) = match item.split_once('=') {
        Some((entry, forward)) => (entry, Some(forward)),
        None => (item, None),
    };
    // C++ names contain at signs; only digits at the end are an ordinal.
    let (name, ordinal) = match entry.rsplit_once('@') {
        Some((name, digits)) if is_number(digits) => (name, Some(digits)),
        _ => (entry, None),
    };
    let ordinal = match ordinal {
        Some(digits) => Some(
            digits
                .parse()
                .ok()
                .filter(|ordinal| (1..=HIGHEST_ORDINAL).contains(ordinal))
                .ok_or_else(mistake)?,
        ),
        None => None,
    };
    let has_target = forward.is_none_or(|forward| {
        forward.rsplit_once('.').is_some_and(|(dll, symbol)| !dll.is_empty() && !symbol.is_empty())
    });
    if item.contains(char::is_whitespace) || !has_target || (name.is_empty() && ordinal.is_none()) {
        return Err(mistake());
    }
    Ok(Export {
        name: (!name.is_empty()).then(|| name.to_owned()),
        ordinal,
        forward: forward.map(str::to_owned),
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
