//! The installer of an environment, and its commands. Not every environment has pip, and pip must
//! not be used in every environment.

use crate::action::Command;
use crate::host::{EntryKind, Files, Host, WinPath};

use super::{Distribution, DistributionKind, Environment, EnvironmentKind};

/// A program that installs distributions into an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installer {
    /// The pip of this interpreter.
    Pip {
        /// The full path of its `python.exe`.
        python: WinPath,
    },
    /// The pip of another interpreter, because this one has none (`pip --python`, from pip 22.3
    /// on).
    PipOf {
        /// The interpreter that runs pip.
        base: WinPath,
        /// The interpreter that pip installs for.
        python: WinPath,
    },
    /// uv, which needs no pip in the environment.
    Uv {
        /// The interpreter that it installs for.
        python: WinPath,
        /// Whether the standard library contains a file `EXTERNALLY-MANAGED`, which forbids
        /// installations unless they are forced (PEP 668).
        is_managed: bool,
    },
    /// conda, mamba, or micromamba.
    Conda {
        /// The program's name.
        program: &'static str,
        /// The environment's directory.
        prefix: WinPath,
    },
    /// pixi, for which the environment belongs to a project.
    Pixi {
        /// The project's manifest.
        manifest: WinPath,
    },
    /// Poetry, for which the environment belongs to a project.
    Poetry {
        /// The project's directory, if it is known.
        project: Option<WinPath>,
    },
    /// Pipenv, for which the environment belongs to a project.
    Pipenv,
    /// uv, for which the environment belongs to a project: it removes everything that its lock file
    /// doesn't list.
    UvProject {
        /// The project's directory.
        project: WinPath,
    },
}

impl Installer {
    /// Returns the words that a title adds for this installer, with a leading space. Empty for pip,
    /// which is the default.
    pub fn with(&self) -> &'static str {
        match self {
            Installer::Pip { .. } => "",
            Installer::PipOf { .. } => " with the pip of its base",
            Installer::Uv { .. } => " with uv",
            Installer::Conda { program: "mamba", .. } => " with mamba",
            Installer::Conda { program: "micromamba", .. } => " with micromamba",
            Installer::Conda { .. } => " with conda",
            Installer::Pixi { .. } => " with pixi",
            Installer::Poetry { .. } => " with Poetry",
            Installer::Pipenv => " with Pipenv",
            Installer::UvProject { .. } => " with uv",
        }
    }

    /// Returns the command that installs these requirements.
    pub fn install(&self, wanted: &[&str]) -> Command {
        match self {
            Installer::Pip { .. } | Installer::PipOf { .. } | Installer::Uv { .. } => {
                self.pip("install", &[], wanted)
            }
            Installer::Conda { .. } => self.conda(&["install"], wanted),
            Installer::Pixi { manifest } => {
                command("pixi", &["add", "--manifest-path", manifest.as_str()], wanted)
            }
            Installer::Poetry { project } => poetry(project.as_ref(), wanted),
            Installer::Pipenv => command("pipenv", &["install"], wanted),
            Installer::UvProject { project } => {
                command("uv", &["add", "--project", project.as_str()], wanted)
            }
        }
    }

    /// Returns the command that installs the newest version of an installed distribution.
    pub fn upgrade(&self, name: &str) -> Command {
        match self {
            Installer::Pip { .. } | Installer::PipOf { .. } | Installer::Uv { .. } => {
                self.pip("install", &["--upgrade"], &[name])
            }
            Installer::Conda { .. } => self.conda(&["update"], &[name]),
            Installer::Pixi { manifest } => {
                command("pixi", &["upgrade", "--manifest-path", manifest.as_str()], &[name])
            }
            Installer::Poetry { project } => poetry(project.as_ref(), &[&format!("{name}@latest")]),
            // `upgrade` only changes the lock file.
            Installer::Pipenv => command("pipenv", &["update"], &[name]),
            Installer::UvProject { project } => {
                command("uv", &["sync", "--project", project.as_str(), "--upgrade-package"], &[name])
            }
        }
    }

    /// Returns the command that installs a distribution again in this version, or `None` if the
    /// installer has no such command.
    pub fn reinstall(&self, name: &str, version: Option<&str>) -> Option<Command> {
        let pinned =
            |sign| version.map_or_else(|| name.to_owned(), |version| format!("{name}{sign}{version}"));
        Some(match self {
            Installer::Pip { .. } | Installer::PipOf { .. } => {
                self.pip("install", &["--force-reinstall", "--no-deps", "--no-cache-dir"], &[&pinned("==")])
            }
            Installer::Uv { .. } => {
                self.pip("install", &["--reinstall", "--no-deps", "--no-cache"], &[&pinned("==")])
            }
            Installer::Conda { .. } => self.conda(&["install", "--force-reinstall"], &[&pinned("=")]),
            Installer::Pixi { manifest } => {
                command("pixi", &["reinstall", "--manifest-path", manifest.as_str()], &[name])
            }
            Installer::UvProject { project } => {
                command("uv", &["sync", "--project", project.as_str(), "--reinstall-package"], &[name])
            }
            Installer::Poetry { .. } | Installer::Pipenv => return None,
        })
    }

    /// Returns the command that removes these distributions.
    pub fn uninstall(&self, names: &[&str]) -> Command {
        match self {
            Installer::Pip { .. } | Installer::PipOf { .. } => self.pip("uninstall", &["-y"], names),
            Installer::Uv { .. } => self.pip("uninstall", &[], names),
            Installer::Conda { .. } => self.conda(&["remove"], names),
            Installer::Pixi { manifest } => {
                command("pixi", &["remove", "--manifest-path", manifest.as_str()], names)
            }
            Installer::Poetry { project: Some(project) } => {
                command("poetry", &["-C", project.as_str(), "remove"], names)
            }
            Installer::Poetry { project: None } => command("poetry", &["remove"], names),
            Installer::Pipenv => command("pipenv", &["uninstall"], names),
            Installer::UvProject { project } => {
                command("uv", &["remove", "--project", project.as_str()], names)
            }
        }
    }

    fn pip(&self, verb: &str, options: &[&str], names: &[&str]) -> Command {
        let rest = [options, names].concat();
        match self {
            Installer::PipOf { base, python } => {
                command(base.as_str(), &["-m", "pip", "--python", python.as_str(), verb], &rest)
            }
            Installer::Uv { python, is_managed } => {
                let force: &[&str] = if *is_managed { &["--break-system-packages"] } else { &[] };
                let first = ["pip", verb, "--python", python.as_str()];
                command("uv", &[first.as_slice(), force].concat(), &rest)
            }
            Installer::Pip { python } => command(python.as_str(), &["-m", "pip", verb], &rest),
            _ => command("pip", &[verb], &rest),
        }
    }

    fn conda(&self, words: &[&str], names: &[&str]) -> Command {
        let Installer::Conda { program, prefix } = self else { return command("conda", words, names) };
        command(program, &[words, &["-p", prefix.as_str()]].concat(), names)
    }
}

fn command(program: &str, words: &[&str], rest: &[&str]) -> Command {
    Command::new(program, words.iter().chain(rest).copied())
}

fn poetry(project: Option<&WinPath>, wanted: &[&str]) -> Command {
    match project {
        Some(project) => command("poetry", &["-C", project.as_str(), "add"], wanted),
        None => command("poetry", &["add"], wanted),
    }
}

impl Environment {
    /// Returns the installer of PyPI distributions for it, or `None` if there is none.
    pub fn installer(&self, files: &dyn Files) -> Option<Installer> {
        if self.kind != EnvironmentKind::Venv {
            return self.installer_of_base(files);
        }
        let project = self.prefix.parent().filter(|_| self.prefix.file_name().eq_ignore_ascii_case(".venv"));
        let has = |name: &str| project.as_ref().is_some_and(|project| files.is_file(&project.join(name)));
        let is_below = |name: &str| self.prefix.as_str().to_ascii_lowercase().contains(name);
        if has("poetry.lock") || is_below("\\pypoetry\\") {
            return Some(Installer::Poetry { project: project.clone().filter(|_| has("poetry.lock")) });
        }
        let is_pipenvs = files
            .text(&self.prefix.join(".project"))
            .is_ok_and(|folder| files.is_file(&WinPath::new(folder.trim()).join("Pipfile")));
        if has("Pipfile") || is_pipenvs {
            return Some(Installer::Pipenv);
        }
        if has("uv.lock") {
            return project.map(|project| Installer::UvProject { project });
        }
        self.pip(files)
    }

    /// Returns the installer that works independently of a project's tool: the available pip, or
    /// uv.
    pub fn pip(&self, files: &dyn Files) -> Option<Installer> {
        let python = self.interpreter.clone();
        if self.kind != EnvironmentKind::Venv {
            return self.installer_of_base(files);
        }
        if self.has_pip(&self.prefix, files) {
            return Some(Installer::Pip { python });
        }
        if self.is_made_by_uv(files) {
            return Some(Installer::Uv { python, is_managed: false });
        }
        let base = self.program.clone();
        self.has_pip(&self.base_prefix, files).then_some(Installer::PipOf { base, python })
    }

    /// Returns the installer for the Python that runs, which for a virtual environment is its base,
    /// or `None` if there is none.
    pub fn installer_of_base(&self, files: &dyn Files) -> Option<Installer> {
        let python = match self.kind {
            EnvironmentKind::Venv => self.program.clone(),
            _ => self.interpreter.clone(),
        };
        let is_managed = self.is_managed(files);
        if is_managed {
            return Some(Installer::Uv { python, is_managed });
        }
        match self.base_kind {
            // The embeddable package includes neither pip nor ensurepip.
            EnvironmentKind::Embeddable
                if !files.is_folder(&self.base_prefix.join("Lib\\site-packages\\pip")) =>
            {
                Some(Installer::Uv { python, is_managed })
            }
            _ if self.has_pip(&self.base_prefix, files) => Some(Installer::Pip { python }),
            EnvironmentKind::Conda => Some(self.conda(files)),
            _ => None,
        }
    }

    /// Returns the installer that reinstalls a distribution of this environment or installs another
    /// version of it: the one that installed it before.
    pub fn installer_for(&self, distribution: &Distribution, files: &dyn Files) -> Option<Installer> {
        match distribution.kind {
            DistributionKind::Conda => Some(self.conda(files)),
            // conda's packages also contain the `.dist-info` of Python packages.
            _ if self.kind == EnvironmentKind::Conda
                && files
                    .text(&distribution.location.join("INSTALLER"))
                    .is_ok_and(|by| by.trim() == "conda") =>
            {
                Some(self.conda(files))
            }
            _ => self.installer(files),
        }
    }

    /// Returns the program that manages a conda environment. pixi leaves a file in `conda-meta`;
    /// the others record their commands in its history.
    pub fn conda(&self, files: &dyn Files) -> Installer {
        let prefix = self.base_prefix.clone();
        // pixi writes its manifest's path to this file (`conda-meta\pixi` of pixi 0.77), and a
        // history without commands.
        if let Ok(json) = files.text(&prefix.join("conda-meta\\pixi")) {
            let fields: serde_json::Value = serde_json::from_str(&json).unwrap_or_default();
            let manifest = fields.get("manifest_path").and_then(|path| path.as_str()).map(WinPath::new);
            let above = std::iter::successors(prefix.parent(), WinPath::parent);
            let project = || above.skip_while(|folder| folder.file_name() != ".pixi").nth(1);
            if let Some(manifest) = manifest.or_else(project) {
                return Installer::Pixi { manifest };
            }
        }
        let history = files.text(&prefix.join("conda-meta\\history")).unwrap_or_else(|_| "".into());
        let last = history.lines().rev().find(|line| line.starts_with("# cmd:")).unwrap_or_default();
        let program = ["micromamba", "mamba"].into_iter().find(|name| last.contains(name));
        Installer::Conda { program: program.unwrap_or("conda"), prefix }
    }

    /// Whether `python -m pip` works in a prefix. An installed Python without pip usually has
    /// ensurepip, which can install it.
    fn has_pip(&self, prefix: &WinPath, files: &dyn Files) -> bool {
        if files.is_folder(&prefix.join("Lib\\site-packages\\pip")) {
            return true;
        }
        match *prefix == self.base_prefix {
            true => !files.is_folder(&prefix.join("Lib\\ensurepip")),
            // If nothing is installed, the future installer isn't known.
            false => {
                files.folder(&prefix.join("Lib\\site-packages")).map_or(true, |listing| {
                    !listing.entries().iter().any(|entry| entry.kind == EntryKind::Folder)
                }) && !self.is_made_by_uv(files)
            }
        }
    }

    /// Whether uv is on this machine as far as its files show: it made this environment, or it is
    /// on PATH or where its installer puts it.
    pub fn has_uv(&self, host: &Host) -> bool {
        let files = &*host.files;
        let own = host.variables.get("USERPROFILE").into_iter().flat_map(|home| {
            [".local\\bin", ".cargo\\bin"].map(|tail| WinPath::new(home.as_str()).join(tail))
        });
        let mut folders =
            host.path_directories().into_iter().chain(host.running.path_directories()).chain(own);
        self.is_made_by_uv(files)
            || self.is_managed(files)
            || folders.any(|folder| files.is_file(&folder.join("uv.exe")))
    }

    /// Whether pip refuses to install into its base, see [`Installer::Uv`].
    fn is_managed(&self, files: &dyn Files) -> bool {
        files.is_file(&self.base_prefix.join("Lib\\EXTERNALLY-MANAGED"))
    }

    fn is_made_by_uv(&self, files: &dyn Files) -> bool {
        let config = files.text(&self.prefix.join("pyvenv.cfg")).unwrap_or_else(|_| "".into());
        config.lines().any(|line| line.split('=').next().is_some_and(|key| key.trim() == "uv"))
    }

    /// Whether only an administrator can write to a directory of this environment.
    pub fn is_protected(&self, folder: &WinPath) -> bool {
        let mut names = folder.as_str().split('\\').skip(1);
        names.next().is_some_and(|first| first.to_ascii_lowercase().starts_with("program files"))
    }
}
