//! Fixes that several codes offer, each with its effect and the command of the tool that manages
//! the environment.

use crate::action::{Action, Command};
use crate::cpython::{CONDA_FOLDERS, Finder, Found};
use crate::environment::discovery::Search;
use crate::environment::{Distribution, DistributionKind, Environment, EnvironmentKind, Installer};
use crate::host::{Change, WinPath};

use super::case::Case;
use super::fix::{Burden, Fix, FixEffect};
use super::package::{DiagnosedPackage, package};
use super::wording::name_of;

/// The maximum number of other environments that are offered.
const MOST_OTHERS: usize = 3;

/// The reason why an installation can't be simulated.
pub(super) const UNKNOWN_UNTIL_INSTALLED: &str = "the files that it installs are not known in advance";

/// Whether a file is an image, by its extension.
pub(super) fn is_native(path: &WinPath) -> bool {
    ["dll", "pyd", "exe"].iter().any(|extension| path.has_extension(extension))
}

/// The URL of uv's installation guide.
const UV: &str = "https://docs.astral.sh/uv/getting-started/installation/";

/// Whether these are plain names and versions. A name in a package's metadata might otherwise act
/// as an option of the installer, or refer to a file or a URL (`name @ https://…`).
fn are_requirements(words: &[&str]) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-+!*=<>~,[]".contains(c);
    words
        .iter()
        .all(|word| word.starts_with(|c: char| c.is_ascii_alphanumeric()) && word.chars().all(is_plain))
}

impl Case<'_> {
    /// Returns a fix that installs these requirements. Returns `None` if no installer is available.
    /// The installed files aren't known in advance.
    pub(super) fn install(&self, wanted: &[&str], title: &str) -> Option<Fix> {
        let installer = self.environment.installer(&*self.host.files).filter(|_| are_requirements(wanted))?;
        let action = self.run_with(&installer, title, installer.install(wanted));
        Some(
            Fix::new(format!("{title}{}", self.with_installer(&installer)), action)
                .untestable(UNKNOWN_UNTIL_INSTALLED),
        )
    }

    fn needs_uv(&self, installer: &Installer) -> bool {
        matches!(installer, Installer::Uv { .. }) && !self.environment.has_uv(self.host)
    }

    /// Returns the words for an installer in a title, preceded by a space.
    pub(super) fn with_installer(&self, installer: &Installer) -> String {
        let first = if self.needs_uv(installer) { ", which has to be installed first" } else { "" };
        format!("{}{first}", installer.with())
    }

    /// Returns an action that runs an installer's command. If the installer is uv and the machine
    /// lacks it, uv is installed first.
    pub(super) fn run_with(&self, installer: &Installer, title: &str, command: Command) -> Action {
        if !self.needs_uv(installer) {
            return Action::Run(command);
        }
        let uv = ("Install uv".to_owned(), Action::Open(UV.to_owned()));
        Action::Steps(vec![uv, (title.to_owned(), Action::Run(command))])
    }

    /// Returns a fix that installs the newest version of a distribution. Returns `None` if no
    /// installer is available.
    pub(super) fn update(&self, distribution: &Distribution) -> Option<Fix> {
        let files = &*self.host.files;
        let installer = self.environment.installer_for(distribution, files)?;
        let name = name_of(distribution, files);
        are_requirements(&[&name]).then_some(())?;
        let command = match self.source_of(distribution) {
            // A distribution of that name on PyPI may be something else.
            Source::Elsewhere => return None,
            source => source.named_in(installer.upgrade(&name)),
        };
        let action = self.run_with(&installer, &format!("Update {name}"), command);
        let (remark, burden) = self.burden(Burden::Small);
        let title = format!("Update {name}{}{remark}", self.with_installer(&installer));
        Some(Fix::new(title, action).untestable(UNKNOWN_UNTIL_INSTALLED).with_burden(burden))
    }

    /// Returns the words for a title, and the burden of a change to this environment's packages.
    /// The burden is `usual` if the environment's directory is writable.
    fn burden(&self, usual: Burden) -> (&'static str, Burden) {
        match self.environment.is_protected(&self.environment.prefix) {
            true => (", as an administrator", Burden::Administrator),
            false => ("", usual),
        }
    }

    /// Returns a fix that uninstalls distributions of one environment, all with the installer of
    /// the first.
    pub(super) fn uninstall(&self, distributions: &[&Distribution], title: &str) -> Option<Fix> {
        let files = &*self.host.files;
        let installer = self.environment.installer_for(distributions.first()?, files)?;
        let mut names: Vec<String> = distributions.iter().map(|one| name_of(one, files)).collect();
        // After an interrupted upgrade, two distributions have the same name.
        names.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
        let words: Vec<&str> = names.iter().map(String::as_str).collect();
        are_requirements(&words).then_some(())?;
        // The user site-packages directory is writable without an administrator.
        let is_own = distributions.iter().any(|one| one.folder.is_within(&self.environment.prefix));
        let (remark, burden) = if is_own { self.burden(Burden::Wide) } else { ("", Burden::Wide) };
        let title = format!("{title}{}{remark}", self.with_installer(&installer));
        let action = self.run_with(&installer, &title, installer.uninstall(&words));
        let fix = Fix::new(title, action).with_burden(burden);
        let recorded: Result<Vec<Vec<WinPath>>, _> =
            distributions.iter().map(|one| one.all_files(files)).collect();
        Some(match recorded {
            Ok(recorded) => {
                let gone = recorded.concat().into_iter().map(|path| (path, Change::Gone));
                fix.with_effect(FixEffect::of_files(gone))
            }
            Err(_) => fix.untestable("its installed files are not recorded"),
        })
    }

    /// Returns a fix that reinstalls the distribution that owns `path` at its version, or repairs
    /// Python if the file is Python's own.
    pub(super) fn reinstall_owner(&self, path: &WinPath) -> Option<Fix> {
        if self.is_of_python(path) {
            return Some(self.repair_python(path));
        }
        self.reinstall(self.owner_of(path)?)
    }

    /// Returns the other environments of the machine whose Python finds this module, with the
    /// package that provides it.
    pub(super) fn other_environments_with(&self, name: &str) -> Vec<(Environment, DiagnosedPackage)> {
        // A directory with one virtual environment may contain others.
        let folder =
            self.environment.prefix.parent().filter(|_| self.environment.kind == EnvironmentKind::Venv);
        let others = Search::on(self.host).in_folder(folder).all().into_iter();
        let others = others.filter_map(|found| found.environment.ok());
        let others = others.filter(|other| other.interpreter != self.environment.interpreter);
        let having = others.filter_map(|other| {
            let sys_path: Vec<WinPath> = other.sys_path.iter().map(|entry| entry.path.clone()).collect();
            let found = Finder::new(&other, self.host).top_level(name, &sys_path);
            let has = matches!(found, Found::Package { .. } | Found::Source(_) | Found::Extension { .. });
            let package = has.then(|| package(self.host, &other, name))?;
            Some((other, package))
        });
        having.collect()
    }

    /// Returns a fix that runs the program in another environment.
    pub(super) fn use_interpreter(&self, other: &Environment, package: &DiagnosedPackage) -> Fix {
        let python = other.interpreter.as_str().to_owned();
        let effect = FixEffect { interpreter: Some(other.interpreter.clone()), ..FixEffect::default() };
        let title = format!("Use {python}, which has {}", package.installed());
        Fix::new(title, Action::UseInterpreter(python)).with_effect(effect).with_burden(Burden::Wide)
    }

    /// Returns a fix that runs the program with the interpreter itself instead of an alias, in
    /// whose process fewer directories are searched. Returns `None` if no alias was selected.
    pub(super) fn without_alias(&self) -> Option<Fix> {
        let environment = self.environment;
        environment.launcher_directory.as_ref().and(environment.launcher())?;
        let python = environment.interpreter.as_str().to_owned();
        let effect = FixEffect { interpreter: Some(environment.interpreter.clone()), ..FixEffect::default() };
        let title = format!("Use {python} itself instead of its alias");
        Some(Fix::new(title, Action::UseInterpreter(python)).with_effect(effect).with_burden(Burden::Wide))
    }

    /// Returns fixes that run the program in another environment that has the package.
    pub(super) fn other_interpreters(&self, name: &str) -> Vec<Fix> {
        let others = self.other_environments_with(name).into_iter().take(MOST_OTHERS);
        others.map(|(other, package)| self.use_interpreter(&other, &package)).collect()
    }

    /// Returns a fix that activates a conda environment. Activation prepends the environment's
    /// directories to PATH, which its Python searches up to 3.7 and, due to conda's own patch, also
    /// later.
    pub(super) fn activation(&self) -> Option<Fix> {
        let prefix = &self.environment.prefix;
        if !self.is_conda() {
            return None;
        }
        let Installer::Conda { program, .. } = self.environment.conda(&*self.host.files) else { return None };
        let inner = CONDA_FOLDERS.iter().map(|tail| prefix.join(tail));
        let path: Vec<WinPath> = std::iter::once(prefix.clone()).chain(inner).collect();
        let action = Action::Run(Command::new(program, ["activate", prefix.as_str()]));
        let title = format!("Activate the environment with {program}, and run the program in that terminal");
        Some(Fix::new(title, action).with_effect(FixEffect { path, ..FixEffect::default() }))
    }

    /// Returns a fix that inserts a statement before the import.
    pub(super) fn before_the_import(&self, title: impl Into<String>, action: Action) -> Fix {
        let effect = FixEffect::of_statements(format!("import os\n{}", action.value()));
        Fix::new(title, action).with_effect(effect)
    }

    /// Returns the change to an intact image of `size` bytes, or of unknown size if `size` is 0.
    fn intact_image(&self, size: u64) -> Change {
        Change::Image { machine: self.environment.machine, version: None, size }
    }

    /// Adds to a reinstallation that it restores this file, even if the file's size is correct now.
    pub(super) fn restoring(&self, mut fix: Fix, path: &WinPath) -> Fix {
        if is_native(path) && !fix.effect.files.iter().any(|(known, _)| known == path) {
            fix.effect.files.push((path.clone(), self.intact_image(0)));
        }
        fix
    }

    /// Returns a fix that renames a file that is in the way. A package that owns the file may still
    /// need it.
    pub(super) fn set_aside(&self, path: &WinPath) -> Fix {
        let to = format!("{}.old", path.file_name());
        let is_protected =
            self.environment.is_protected(path) || path.is_within(&self.host.windows_directory);
        let owner = self.environment.owner_of(path, &*self.host.files);
        let (remark, burden) = match (owner, is_protected) {
            (Some(owner), _) => {
                (format!(" (installed by {})", name_of(owner, &*self.host.files)), Burden::ByHand)
            }
            (None, true) => (", as an administrator".to_owned(), Burden::Administrator),
            (None, false) => (String::new(), Burden::Wide),
        };
        let action = Action::Rename { from: path.as_str().to_owned(), to: to.clone() };
        let title = match burden {
            Burden::ByHand => format!("Rename {path}{remark} to {to}"),
            _ => format!("Rename {path} to {to}{remark}"),
        };
        Fix::new(title, action)
            .with_effect(FixEffect::of_files([(path.clone(), Change::Gone)]))
            .with_burden(burden)
    }

    /// Returns a fix that reinstalls Python itself but keeps its packages, and so restores this
    /// file.
    pub(super) fn repair_python(&self, lost: &WinPath) -> Fix {
        let change = if is_native(lost) { self.intact_image(0) } else { Change::Unread };
        let is_protected = self.environment.is_protected(&self.environment.base_prefix);
        self.reinstall_python()
            .with_effect(FixEffect::of_files([(lost.clone(), change)]))
            .with_burden(if is_protected { Burden::Administrator } else { Burden::Wide })
    }

    /// Returns a fix that installs a newer release of Python.
    pub(super) fn update_python(&self) -> Fix {
        let series = self.environment.version.series();
        let title =
            format!("Update Python {} to the newest release of {series}", self.environment.full_version());
        let action = match self.environment.base_kind {
            EnvironmentKind::Conda => {
                Action::Run(self.environment.conda(&*self.host.files).upgrade("python"))
            }
            _ => Action::Open("https://www.python.org/downloads/windows/".to_owned()),
        };
        Fix::new(title, action).untestable(UNKNOWN_UNTIL_INSTALLED).with_burden(Burden::Wide)
    }

    fn reinstall_python(&self) -> Fix {
        let version = self.environment.version;
        let number = version.to_string();
        let series = self.environment.series();
        // The notation of Python installers for a build: `3.14t`.
        let tag =
            |version: &str| format!("{version}{}", if self.environment.free_threaded { "t" } else { "" });
        let prefix = self.environment.base_prefix.as_str().to_ascii_lowercase();
        match self.environment.base_kind {
            EnvironmentKind::Conda => {
                let installer = self.environment.conda(&*self.host.files);
                let title =
                    format!("Reinstall Python in this environment{}", self.with_installer(&installer));
                let command = installer.reinstall("python", None);
                Fix::new(title, command.map_or(Action::ChooseInterpreter, Action::Run))
            }
            EnvironmentKind::Store => {
                let title = format!("Repair Python {series} in the list of installed apps");
                Fix::new(title, Action::Open("ms-settings:appsfeatures".to_owned()))
            }
            _ if prefix.contains("\\appdata\\local\\python\\pythoncore-") => {
                let tag = tag(&version.series().to_string());
                let words = ["install", "--repair", &tag];
                Fix::new(
                    format!("Repair Python {tag} with the Python install manager"),
                    Action::Run(Command::new("py", words)),
                )
            }
            _ if prefix.contains("\\pyenv-win\\versions\\") => Fix::new(
                format!("Reinstall Python {} with pyenv", tag(&number)),
                Action::Run(Command::new("pyenv", ["install", "--force", &tag(&number)])),
            ),
            _ if prefix.contains("\\uv\\python\\") => {
                let tag = tag(&number);
                let words = ["python", "install", "--reinstall", &tag];
                Fix::new(format!("Reinstall Python {tag} with uv"), Action::Run(Command::new("uv", words)))
            }
            kind => {
                let full = self.environment.full_version();
                let title = match kind {
                    EnvironmentKind::Embeddable => format!("Download the embeddable Python {full} again"),
                    _ => format!("Repair Python {full} with its installer"),
                };
                let page = match version.micro {
                    Some(_) => format!("release/python-{}/", number.replace('.', "")),
                    None => "windows/".to_owned(),
                };
                Fix::new(title, Action::Open(format!("https://www.python.org/downloads/{page}")))
            }
        }
    }

    /// Returns a fix that reinstalls a distribution at its version, so that its files match its
    /// RECORD. Returns `None` if no installer can do it.
    pub(super) fn reinstall(&self, distribution: &Distribution) -> Option<Fix> {
        let files = &*self.host.files;
        let name = name_of(distribution, files);
        let version = distribution.version.as_deref();
        are_requirements(&[&name, version.unwrap_or(&name)]).then_some(())?;
        // If the tool can't reinstall, the pip of its project's environment does it.
        let installer = self.environment.installer_for(distribution, files)?;
        let (installer, command) = match installer.reinstall(&name, version) {
            Some(command) => (installer, command),
            None => {
                let pip = self.environment.pip(files)?;
                let command = pip.reinstall(&name, version)?;
                (pip, command)
            }
        };
        let source = self.source_of(distribution);
        let command = source.named_in(command);
        let with = self.with_installer(&installer);
        let wanted = version.map_or_else(|| name.clone(), |version| format!("{name} {version}"));
        let damaged = distribution.missing_files(files).unwrap_or_default().into_iter();
        let intact = damaged.map(|file| (file.path, self.intact_image(file.expected.unwrap_or_default())));
        let effect = FixEffect::of_files(intact);
        let (remark, burden) = self.burden(Burden::Small);
        let title = format!("Reinstall {wanted}{with}{remark}");
        let action = self.run_with(&installer, &title, command);
        let fix = Fix::new(title, action);
        Some(
            match source {
                Source::Elsewhere => {
                    fix.untestable("it was not installed from PyPI, which may not have this version")
                }
                Source::Pypi | Source::Index(_) => fix.with_effect(effect),
            }
            .with_burden(burden),
        )
    }

    /// Whether a distribution was built from a repository, a directory, or a source archive. A
    /// downloaded wheel most likely is from PyPI.
    fn has_direct_url(&self, distribution: &Distribution) -> bool {
        let metadata = self.host.files.text(&distribution.location.join("direct_url.json"));
        let metadata =
            metadata.ok().and_then(|metadata| serde_json::from_str::<serde_json::Value>(&metadata).ok());
        let is_wheel = |url: &str| url.starts_with("file:") && url.ends_with(".whl");
        metadata
            .is_some_and(|metadata| !metadata.get("url").and_then(|url| url.as_str()).is_some_and(is_wheel))
    }

    /// Returns the origin of a distribution. A local version (`2.9.0+cu126`) is never on PyPI (PEP
    /// 440), and a distribution that wasn't installed from an index has a `direct_url.json` (PEP
    /// 610).
    fn source_of(&self, distribution: &Distribution) -> Source {
        if distribution.kind != DistributionKind::DistInfo {
            return Source::Pypi;
        }
        let local = distribution.version.as_deref().and_then(|version| version.split_once('+'));
        match local {
            Some((_, build)) if PYTORCH.contains(&distribution.normalized.as_str()) => {
                Source::Index(format!("https://download.pytorch.org/whl/{build}"))
            }
            Some(_) => Source::Elsewhere,
            None if self.has_direct_url(distribution) => Source::Elsewhere,
            None => Source::Pypi,
        }
    }
}

/// The origin of a distribution's files.
enum Source {
    Pypi,
    /// A separate index.
    Index(String),
    /// Unknown.
    Elsewhere,
}

impl Source {
    /// Returns an installer's command that uses this origin.
    fn named_in(&self, mut command: Command) -> Command {
        if let Source::Index(index) = self {
            command.arguments.extend(["--index-url".to_owned(), index.clone()]);
        }
        command
    }
}

/// The projects on PyTorch's own index, which has a directory for each build.
const PYTORCH: [&str; 3] = ["torch", "torchaudio", "torchvision"];
