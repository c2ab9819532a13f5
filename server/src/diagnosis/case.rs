//! The input of a code: one problem of one import, with the machine and the environment.

use crate::cpython::StableAbi;
use crate::environment::{Distribution, DistributionKind, Environment, EnvironmentKind};
use crate::host::{Host, WinPath};
use crate::loader::{Cause, Fault, Link, Provider, Rule};
use crate::plan::{ImportFailure, LoadKind};

use super::code::Code;
use super::finding::{ChainLink, FAILS, Finding, Related, SearchedDirectory};
use super::origins;
use super::problem::{Culprit, Problem};
use super::severity::Severity;
use super::wording::{list, some_of, windows_error};

/// A diagnosed import with its machine and environment.
pub struct Case<'a> {
    /// The machine.
    pub host: &'a Host,
    /// The environment.
    pub environment: &'a Environment,
    /// The dotted name of the import.
    pub import: &'a str,
}

impl Case<'_> {
    /// Creates a finding with the parts that don't depend on the code.
    pub(super) fn finding(
        &self,
        code: Code,
        problems: &[Problem],
        severity: Severity,
        error: Option<&ImportFailure>,
    ) -> Finding {
        let first = problems.first();
        let fault = first.and_then(Problem::fault);
        let mut dlls: Vec<String> = Vec::new();
        for fault in problems.iter().filter_map(Problem::fault) {
            if !dlls.iter().any(|known| known.eq_ignore_ascii_case(fault.culprit())) {
                dlls.push(fault.culprit().to_owned());
            }
        }
        let mut related: Vec<Related> = Vec::new();
        for problem in problems {
            for place in &problem.trace {
                let Some(file) = &place.file else {
                    continue;
                };
                if related.iter().any(|known| known.file == *file && known.line == place.line) {
                    continue;
                }
                related.push(Related {
                    file: file.clone(),
                    line: place.line,
                    message: self.describe_place(problem),
                });
            }
        }
        Finding {
            code,
            severity,
            is_note: false,
            is_handled: false,
            package: self.import.to_owned(),
            what: String::new(),
            evidence: String::new(),
            advice: String::new(),
            caution: String::new(),
            dlls,
            chain: fault.map(chain).unwrap_or_default(),
            searched: fault.map(searched).unwrap_or_default(),
            win_error: first.and_then(|problem| problem.code),
            python_error: error
                .map(|error| error.sentence.clone())
                .or_else(|| first.and_then(|problem| problem.sentence.clone())),
            related,
            winner: None,
            fixes: Vec::new(),
        }
    }

    fn describe_place(&self, problem: &Problem) -> String {
        match (&problem.culprit, problem.loaded_by) {
            (Culprit::Image(fault), Some(LoadKind::Ctypes)) => {
                format!(
                    "{} is loaded here with ctypes",
                    fault.chain.first().map_or("a library", |l| l.name.as_str())
                )
            }
            (Culprit::Image(fault), Some(LoadKind::FileCheck)) => {
                format!("{} is looked for here", fault.culprit())
            }
            (Culprit::Image(fault), _) => {
                format!("{} is imported here", fault.chain.first().map_or("a module", |l| l.name.as_str()))
            }
            (Culprit::OtherPython { module, .. }, _) => format!("{} is imported here", module.file_name()),
            (Culprit::Module(missing), _) => format!("{} is imported here", missing.name),
            (Culprit::HiddenPackage(hidden), _) => format!("{} is imported here", hidden.by.file_name()),
        }
    }

    /// Returns "`import tensorflow` will fail" or "A part of what `import tensorflow` uses is
    /// broken".
    pub(super) fn consequence(&self, severity: Severity) -> String {
        match severity {
            Severity::Error => format!("`import {}` {FAILS}", self.import),
            _ => format!("A part of what `import {}` uses is broken", self.import),
        }
    }

    /// Returns a short human-readable path: from the package on, or the full path.
    pub(super) fn short(&self, path: &WinPath) -> String {
        self.environment.short(path)
    }

    /// Returns the path of a module in a chain, shortened like [`Case::short`].
    pub(super) fn short_of(&self, link: Option<&Link>) -> String {
        match link {
            Some(Link { path: Some(path), .. }) => self.short(path),
            Some(link) => link.name.clone(),
            None => self.import.to_owned(),
        }
    }

    /// Returns the importer and how it requests the culprit: "self_check.py (line 50) loads b.dll"
    /// or "a.pyd imports b.dll".
    pub(super) fn describe_request(&self, problem: &Problem) -> String {
        let Some(fault) = problem.fault() else {
            return String::new();
        };
        if let Some(importer) = fault.importer() {
            let name = match &importer.path {
                Some(path) => self.short(path),
                None => importer.name.clone(),
            };
            return format!("{name} imports {}", fault.culprit());
        }
        let place = problem.trace.iter().find_map(|place| Some((place.file.as_ref()?, place.line)));
        let verb = match problem.loaded_by {
            Some(LoadKind::Ctypes) => "loads",
            Some(LoadKind::FileCheck) => "asks for",
            _ => "imports",
        };
        match place {
            Some((file, line)) => {
                format!("{} (line {line}) {verb} {}", self.short(file), fault.culprit())
            }
            None => format!("{} is needed to start Python", fault.culprit()),
        }
    }

    /// Returns the searched directories: "Python 3.8 looks for it in A, B and C, and it is in none
    /// of them (Windows error 126)".
    pub(super) fn where_searched(&self, problem: &Problem) -> String {
        let searched = problem.fault().map(|fault| fault.cause.searched()).unwrap_or_default();
        let names: Vec<String> = searched
            .iter()
            .map(|searched| match searched.rule {
                Rule::System32 => "System32".to_owned(),
                _ => self.short(&searched.directory),
            })
            .collect();
        let code = windows_error(problem.code);
        if names.is_empty() {
            return format!("it does not exist{code}");
        }
        format!(
            "Python {} looks for it in {}, and it is in none of them{code}",
            self.environment.series(),
            list(&names, "and"),
        )
    }

    /// Returns why this module resolves an import: "this copy was loaded first by the rule "full
    /// path" (scipy/_distributor_init.py:40)".
    pub(super) fn why_found(&self, provider: &Provider) -> String {
        let mut by: Vec<String> = provider.loaded_at.iter().map(ToString::to_string).collect();
        by.extend(provider.importers.iter().map(|link| self.short_of(Some(link))));
        let by = if by.is_empty() { String::new() } else { format!(" ({})", by.join(" → ")) };
        let rule = format!("by the rule \"{}\"{by}", provider.rule);
        if provider.was_loaded {
            format!(
                "this copy was loaded first {rule}, and Windows reuses a DLL that is already loaded, \
                 wherever it is"
            )
        } else {
            format!("this copy is found {rule}")
        }
    }

    /// Returns a sentence, preceded by a space, if the registry entry of the VC++ redistributable
    /// for this environment disagrees with its DLL. Returns an empty string otherwise.
    pub(super) fn registry_mismatch(&self) -> String {
        let all = self.host.misregistered_runtimes();
        let Some(it) = all.iter().find(|it| it.registered.machine == self.environment.machine) else {
            return String::new();
        };
        let system = self.host.system_directory(self.environment.machine).join("msvcp140.dll");
        let found = match it.found {
            Some(version) => format!("is {version}"),
            None => "is gone".to_owned(),
        };
        let version = it.registered.version;
        format!(" The registry says that the redistributable {version} is installed, but {system} {found}.")
    }

    /// Returns the distribution that a file belongs to: the one whose RECORD lists it, or else the
    /// one whose package contains it.
    pub(super) fn owner_of(&self, path: &WinPath) -> Option<&Distribution> {
        let files = &*self.host.files;
        self.environment.owner_of(path, files).or_else(|| {
            let folders = &self.environment.site_packages;
            let tail = folders.iter().find_map(|folder| path.below(folder))?;
            let top_level = tail.split(['/', '\\']).next()?;
            self.environment.providers(top_level, files).into_iter().next()
        })
    }

    /// Returns " Its wheel was made for cp314-cp314-win_amd64.", or an empty string if the tags
    /// aren't recorded.
    pub(super) fn made_for(&self, owner: Option<&Distribution>) -> String {
        let tags = owner.map(|owner| owner.wheel_tags(&*self.host.files)).unwrap_or_default();
        match tags.as_slice() {
            [] => String::new(),
            tags => format!(" Its wheel was made for {}.", some_of(tags.iter().cloned(), 2)),
        }
    }

    /// Whether a file belongs to Python itself and not to a package.
    pub(super) fn is_of_python(&self, path: &WinPath) -> bool {
        let Environment { base_prefix, application_directory, site_packages, python_dll, .. } =
            self.environment;
        let next_to = |folder: &WinPath| path.parent().as_ref() == Some(folder);
        let folders = ["DLLs", "Lib", "tcl"].map(|folder| base_prefix.join(folder));
        let is_next_to = next_to(base_prefix)
            || next_to(application_directory)
            || python_dll.parent().is_some_and(|folder| next_to(&folder));
        // Other installers put DLLs there, too.
        let is_there = folders.iter().any(|folder| path.is_within(folder))
            || is_next_to && (!path.has_extension("dll") || origins::is_of_python(path.file_name()));
        is_there && !site_packages.iter().any(|folder| folder != base_prefix && path.is_within(folder))
    }

    /// Whether a module or DLL of Python itself fails.
    pub(super) fn concerns_python_itself(&self, problem: &Problem) -> bool {
        let Some(fault) = problem.fault() else { return false };
        let is_stable_abi = StableAbi::of(fault.culprit()).is_some();
        let importer = fault.importer().or(fault.chain.last()).and_then(|link| link.path.as_ref());
        is_stable_abi || importer.is_some_and(|path| self.is_of_python(path))
    }

    /// Returns the conda package that lists a DLL of this name in a directory that conda's Python
    /// searches.
    pub(super) fn conda_owner_of(&self, dll: &str) -> Option<&Distribution> {
        let files = &*self.host.files;
        let conda = self.environment.distributions.iter().filter(|one| one.kind == DistributionKind::Conda);
        let lists = |one: &&Distribution| {
            let record = one.record(files);
            record.is_ok_and(|record| {
                record.rows.iter().any(|row| row.path.file_name().eq_ignore_ascii_case(dll))
            })
        };
        conda.into_iter().find(lists)
    }

    /// Whether this is a DLL of the stable ABI that conda's Python was packaged without.
    /// Reinstalling Python wouldn't bring it (conda-forge/python-feedstock#934).
    pub(super) fn is_missing_from_conda_python(&self, dll: &str) -> bool {
        let own = self.environment.python_dll.file_name();
        StableAbi::of(dll).is_some()
            && self.conda_owner_of(dll).is_none()
            && self.conda_owner_of(own).is_some()
    }

    /// Whether conda manages the environment.
    pub(super) fn is_conda(&self) -> bool {
        self.environment.kind == EnvironmentKind::Conda
    }
}

fn chain(fault: &Fault) -> Vec<ChainLink> {
    let culprit = fault.chain.len().saturating_sub(1);
    let link = |(at, link): (usize, &Link)| ChainLink {
        name: link.name.clone(),
        path: link.path.clone(),
        remark: (at == culprit).then(|| problem_with(link, &fault.cause).to_owned()),
    };
    fault.chain.iter().enumerate().map(link).collect()
}

/// Describes the problem with a culprit in a few words. Not every culprit is refused: some are
/// loaded and make the importing module fail.
fn problem_with(culprit: &Link, cause: &Cause) -> &'static str {
    match cause {
        Cause::MissingExport { .. } => "lacks a required function",
        Cause::OutdatedRuntime { .. } => "is too old",
        Cause::LacksInstructions { .. } => "crashes when it starts",
        _ if culprit.path.is_none() => "not found",
        _ => "cannot be loaded",
    }
}

fn searched(fault: &Fault) -> Vec<SearchedDirectory> {
    fault
        .cause
        .searched()
        .iter()
        .map(|searched| SearchedDirectory {
            directory: searched.directory.clone(),
            rule: searched.rule.to_string(),
            remark: searched
                .passed_over
                .as_ref()
                .map(|over| format!("the file there is {}", over.machine.words())),
        })
        .collect()
}
