//! Generates worlds from a seed: images in several directories, not all of them valid, and a
//! program that loads some.

use std::collections::BTreeSet;
use std::fmt;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Names that no DLL of Windows or Wine has.
const NAMES: &[&str] = &["alfa", "bravo", "charlie", "delta", "foxtrot", "golf"];

/// The directories of the images.
const FOLDERS: &[&str] = &[
    "/dlls",
    "/app",
    "/added",
    "/more",
    "/current",
    "/path",
    "/set",
    "/dlls/sub",
    "/windows/system32",
    "/windows/system",
    "/windows",
];

/// The directories that the program names. Windows refuses those that do not exist, so they are
/// declared.
const OWN_FOLDERS: &[&str] = FOLDERS.split_at(8).0;

/// A generated world. `Display` writes its source.
#[derive(Debug, Clone)]
pub struct Generated {
    images: Vec<Image>,
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
struct Image {
    folder: &'static str,
    name: &'static str,
    nature: &'static str,
    imports: Vec<Import>,
    delay_imports: Vec<Import>,
    exports: [Export; 3],
}

#[derive(Debug, Clone)]
struct Import {
    name: &'static str,
    spelling: Spelling,
    symbol: &'static str,
}

#[derive(Debug, Clone)]
enum Export {
    Address,
    Forwarder { name: &'static str, symbol: &'static str },
    Absent,
}

#[derive(Debug, Clone, Copy)]
enum Spelling {
    Plain,
    Capitals,
    WithoutSuffix,
    DotAtTheEnd,
}

#[derive(Debug, Clone)]
enum Step {
    LoadImage { image: prop::sample::Index, flags: &'static str },
    LoadName { name: &'static str, spelling: Spelling, flags: &'static str },
    LoadNowhere { folder: &'static str, name: &'static str, flags: &'static str },
    Current(&'static str),
    Path(Vec<&'static str>),
    SetDllDirectory(Option<&'static str>),
    AddDirectory(&'static str),
    RemoveDirectory(&'static str),
    DefaultDirectories(&'static str),
}

/// The strategy that generates worlds.
fn worlds() -> impl Strategy<Value = Generated> {
    (prop::collection::vec(image(), 2..=12), prop::collection::vec(step(), 2..=9))
        .prop_map(|(images, steps)| Generated { images, steps })
}

fn image() -> impl Strategy<Value = Image> {
    let nature = prop_oneof![
        30 => Just(""),
        3 => Just("x86"),
        1 => select(&["empty", "junk", "html", "zip", "cut 100", "cut 600", "cut 1100"][..]),
    ];
    // Wine never ends on circular forwarders.
    let exports = [export(&["h", "#7", "absent"]), export(&["h", "absent"]), export(&["whydll", "absent"])];
    let imports = prop::collection::vec(import(), 0..=3);
    let delay_imports = prop_oneof![9 => Just(Vec::new()), 1 => prop::collection::vec(import(), 1..=2)];
    (select(FOLDERS), select(NAMES), nature, imports, delay_imports, exports).prop_map(
        |(folder, name, nature, imports, delay_imports, exports)| Image {
            folder,
            name,
            nature,
            imports,
            delay_imports,
            exports,
        },
    )
}

fn import() -> impl Strategy<Value = Import> {
    let symbol = prop_oneof![
        6 => Just(""),
        3 => Just("!f"),
        3 => Just("!#7"),
        3 => Just("!h"),
        1 => Just("!"),
    ];
    (select(NAMES), spelling(), symbol).prop_map(|(name, spelling, symbol)| Import { name, spelling, symbol })
}

fn spelling() -> impl Strategy<Value = Spelling> {
    prop_oneof![
        8 => Just(Spelling::Plain),
        1 => Just(Spelling::Capitals),
        1 => Just(Spelling::WithoutSuffix),
    ]
}

/// Generates an export, which may forward to one of these symbols.
fn export(symbols: &'static [&'static str]) -> impl Strategy<Value = Export> {
    let forwarder = (select(NAMES), select(symbols));
    prop_oneof![
        20 => Just(Export::Address),
        3 => forwarder.prop_map(|(name, symbol)| Export::Forwarder { name, symbol }),
        1 => Just(Export::Absent),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let flags = || {
        prop_oneof![
            4 => Just("modern"),
            4 => Just("altered"),
            3 => Just("plain"),
            3 => Just("ctypes"),
            1 => select(
                &[
                    "flags 0x100", "flags 0x200", "flags 0x400", "flags 0x800", "flags 0x900", "flags 0x600",
                    "flags 0x1008",
                ][..],
            ),
        ]
    };
    let bare = || prop_oneof![8 => spelling(), 1 => Just(Spelling::DotAtTheEnd)];
    let folders = || prop::collection::vec(select(FOLDERS), 1..=3);
    prop_oneof![
        8 => (any::<prop::sample::Index>(), flags()).prop_map(|(image, flags)| Step::LoadImage { image, flags }),
        4 => (select(NAMES), bare(), flags())
            .prop_map(|(name, spelling, flags)| Step::LoadName { name, spelling, flags }),
        1 => (select(FOLDERS), select(NAMES), flags())
            .prop_map(|(folder, name, flags)| Step::LoadNowhere { folder, name, flags }),
        2 => select(OWN_FOLDERS).prop_map(Step::Current),
        2 => folders().prop_map(Step::Path),
        1 => prop::option::weighted(0.8, select(FOLDERS)).prop_map(Step::SetDllDirectory),
        4 => select(OWN_FOLDERS).prop_map(Step::AddDirectory),
        1 => select(OWN_FOLDERS).prop_map(Step::RemoveDirectory),
        1 => select(&["0x1000", "0x800", "0x200", "0x600", "0xe00"][..]).prop_map(Step::DefaultDirectories),
    ]
}

impl Spelling {
    fn of(self, name: &str) -> String {
        match self {
            Spelling::Plain => format!("{name}.dll"),
            Spelling::Capitals => format!("{}.DLL", name.to_uppercase()),
            Spelling::WithoutSuffix => name.to_owned(),
            Spelling::DotAtTheEnd => format!("{name}.dll."),
        }
    }
}

impl Image {
    fn path(&self) -> String {
        format!("{}/{}.dll", self.folder, self.name)
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut attributes = Vec::new();
        if !self.nature.is_empty() {
            attributes.push(self.nature.to_owned());
        }
        // Only images have imports.
        if !["empty", "junk", "html", "zip"].contains(&self.nature) {
            let list = |imports: &[Import]| {
                let imports = imports.iter().map(|i| format!("{}{}", i.spelling.of(i.name), i.symbol));
                imports.collect::<Vec<_>>().join(", ")
            };
            if !self.imports.is_empty() {
                attributes.push(format!("imports {}", list(&self.imports)));
            }
            if !self.delay_imports.is_empty() {
                attributes.push(format!("delay imports {}", list(&self.delay_imports)));
            }
            let exports = ["f", "g@7", "h"].iter().zip(&self.exports).filter_map(|(name, form)| match form {
                Export::Address => Some((*name).to_owned()),
                Export::Forwarder { name: dll, symbol } => Some(format!("{name}={dll}.{symbol}")),
                Export::Absent => None,
            });
            let exports: Vec<String> = exports.collect();
            if !exports.is_empty() {
                attributes.push(format!("exports {}", exports.join(", ")));
            }
        }
        write!(f, "{}  {}", self.path(), attributes.join(", "))
    }
}

impl fmt::Display for Generated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut declared = BTreeSet::new();
        let images: Vec<&Image> =
            self.images.iter().filter(|image| declared.insert((image.folder, image.name))).collect();
        let mut folders = BTreeSet::new();
        let mut added: Vec<&str> = Vec::new();
        let mut directives = Vec::new();
        for step in &self.steps {
            directives.push(match step {
                Step::LoadImage { image, flags } => format!("load {} {flags}", image.get(&images).path()),
                Step::LoadName { name, spelling, flags } => format!("load {} {flags}", spelling.of(name)),
                Step::LoadNowhere { folder, name, flags } => format!("load {folder}/{name}.dll {flags}"),
                Step::Current(folder) => {
                    folders.insert(*folder);
                    format!("current {folder}")
                }
                Step::Path(list) => format!("path {}", list.join(";")),
                Step::SetDllDirectory(Some(folder)) => format!("set dll directory {folder}"),
                Step::SetDllDirectory(None) => "set dll directory".to_owned(),
                Step::AddDirectory(folder) => {
                    folders.insert(*folder);
                    added.push(folder);
                    format!("add directory {folder}")
                }
                Step::RemoveDirectory(folder) => match added.iter().rposition(|known| known == folder) {
                    Some(at) => format!("remove directory {}", added.remove(at)),
                    // Windows refuses a cookie that it did not issue.
                    None => continue,
                },
                Step::DefaultDirectories(flags) => format!("default directories {flags}"),
            });
        }
        for image in &images {
            writeln!(f, "{image}")?;
        }
        for folder in folders {
            writeln!(f, "{folder}/")?;
        }
        for directive in directives {
            writeln!(f, "{directive}")?;
        }
        Ok(())
    }
}

/// Generates the world of a seed.
pub fn world(seed: u64) -> Box<dyn ValueTree<Value = Generated>> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let tree = worlds().boxed().new_tree(&mut runner);
    tree.unwrap_or_else(|reason| panic!("the strategy rejects nothing: {reason}"))
}

/// Returns the strategy, for property tests.
pub fn any_world() -> BoxedStrategy<Generated> {
    worlds().boxed()
}

/// Returns the smallest world that still `fails`, found in at most `trials` trials.
pub fn shrunk(
    mut tree: Box<dyn ValueTree<Value = Generated>>,
    trials: usize,
    mut fails: impl FnMut(&str) -> bool,
) -> String {
    let mut smallest = tree.current().to_string();
    for _ in 0..trials {
        let text = tree.current().to_string();
        let continues = if text == smallest || fails(&text) {
            smallest = text;
            tree.simplify()
        } else {
            tree.complicate()
        };
        if !continues {
            break;
        }
    }
    smallest
}
