//! What a code is asked about: one problem of one import, and where things can be looked up.

use crate::cpython::{LoadError, StableAbi};
use crate::environment::{Distribution, DistributionKind, Environment, Kind};
use crate::host::{Files, Host, WinPath};
use crate::image::Symbol;
use crate::loader::{Cause, Failure, Fault, Link, Provider, Rule};
use crate::plan::{ImportFailure, LoadFailure, LoadKind, MissingModule, Place};

use super::codes;
use super::codes::shadowed_module::HiddenPackage;
use super::finding::{ChainLink, FAILS, Finding, Related, SearchedDirectory, Severity};
use super::origins;

/// A sentence names so many symbols at most.
pub(super) const MOST_SYMBOLS: usize = 3;

/// An import that was asked about, where it was asked.
pub struct Case<'a> {
    /// The machine.
    pub host: &'a Host,
    /// The environment.
    pub environment: &'a Environment,
    /// Dotted name.
    pub import: &'a str,
}

/// One thing that went wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// What.
    pub culprit: Culprit,
    /// The statements that lead there, innermost first.
    pub trace: Vec<Place>,
    /// Who asked for it, if it was Python code.
    pub loaded_by: Option<LoadKind>,
    /// What Python says of that load.
    pub sentence: Option<String>,
    /// The Win32 code that the program gets. A culprit which Windows would reach only later has its own.
    pub code: Option<u32>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Culprit {
    /// An image cannot be loaded.
    Image(Fault),
    /// An extension module is for another Python, whose DLL it imports.
    OtherPython { module: WinPath, dll: String },
    /// A Python module is not there.
    Module(MissingModule),
    /// A module of the program is found before the installed package.
    HiddenPackage(HiddenPackage),
}

impl Problem {
    /// The problems of a load that failed: one for each culprit.
    pub fn of_load(load: &LoadFailure) -> Vec<Problem> {
        let problem = |culprit, code| Problem {
            culprit,
            trace: vec![load.at.clone()],
            loaded_by: Some(load.kind),
            sentence: Some(load.sentence.clone()),
            code,
        };
        match &load.error {
            LoadError::OtherPython { dll, .. } => {
                let module = WinPath::new(load.target.clone());
                vec![problem(Culprit::OtherPython { module, dll: dll.clone() }, None)]
            }
            LoadError::Crash(fault) => vec![problem(Culprit::Image((**fault).clone()), None)],
            LoadError::Windows(failure) => failure
                .faults()
                .map(|fault| {
                    // Where nothing is loaded, Windows reports nothing.
                    let code = (load.kind != LoadKind::Look).then(|| fault.cause.code());
                    problem(Culprit::Image(fault.clone()), code)
                })
                .collect(),
        }
    }

    /// A load that no statement makes: the start of the interpreter, or what native code asks for.
    pub fn of_process(failure: Failure) -> Problem {
        Problem {
            code: Some(failure.code()),
            culprit: Culprit::Image(failure.first),
            trace: Vec::new(),
            loaded_by: None,
            sentence: None,
        }
    }

    /// A module that Python does not find.
    pub fn of_missing_module(missing: MissingModule, trace: &[(WinPath, u32)]) -> Problem {
        let place = |(file, line): &(WinPath, u32)| Place { file: Some(file.clone()), line: *line };
        Problem {
            culprit: Culprit::Module(missing),
            trace: trace.iter().map(place).collect(),
            loaded_by: None,
            sentence: None,
            code: None,
        }
    }

    /// A package that is not what is imported.
    pub fn of_hidden_package(hidden: HiddenPackage) -> Problem {
        Problem {
            culprit: Culprit::HiddenPackage(hidden),
            trace: Vec::new(),
            loaded_by: None,
            sentence: None,
            code: None,
        }
    }

    /// The image that could not be loaded, if that is the problem.
    pub fn fault(&self) -> Option<&Fault> {
        match &self.culprit {
            Culprit::Image(fault) => Some(fault),
            _ => None,
        }
    }

    /// The fault, if the image was found nowhere.
    pub fn not_found(&self) -> Option<&Fault> {
        self.fault().filter(|fault| matches!(fault.cause, Cause::NotFound { .. }))
    }
}

impl Case<'_> {
    /// Groups the problems by the code that explains them, and has each code tell its own.
    pub(super) fn explain(
        &self,
        problems: Vec<Problem>,
        severity: Severity,
        error: Option<&ImportFailure>,
    ) -> Vec<Finding> {
        let mut groups: Vec<(codes::Code, Vec<Problem>)> = Vec::new();
        for problem in problems {
            let Some(code) = codes::explaining(self, &problem) else {
                continue;
            };
            match groups.iter_mut().find(|(known, _)| *known == code) {
                Some((_, group)) if !group.iter().any(|known| known.culprit == problem.culprit) => {
                    group.push(problem);
                }
                Some(_) => {}
                None => groups.push((code, vec![problem])),
            }
        }
        codes::damaged_install::take_consequences(self, &mut groups);
        groups
            .into_iter()
            .map(|(code, group)| {
                let mut finding = self.finding(code, &group, severity, error);
                codes::tell(code, self, &group, &mut finding);
                finding
            })
            .collect()
    }

    /// A finding with all that does not depend on its code.
    pub(super) fn finding(
        &self,
        code: codes::Code,
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
                    message: self.done_at(problem),
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

    fn done_at(&self, problem: &Problem) -> String {
        match (&problem.culprit, problem.loaded_by) {
            (Culprit::Image(fault), Some(LoadKind::Ctypes)) => {
                format!(
                    "{} is loaded here with ctypes",
                    fault.chain.first().map_or("a library", |l| l.name.as_str())
                )
            }
            (Culprit::Image(fault), Some(LoadKind::Look)) => {
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

    /// `import tensorflow` will fail / a part of what it uses is broken.
    pub(super) fn consequence(&self, severity: Severity) -> String {
        match severity {
            Severity::Error => format!("`import {}` {FAILS}", self.import),
            _ => format!("A part of what `import {}` uses is broken", self.import),
        }
    }

    /// The file as people know it: from its package on, or its full path.
    pub(super) fn short(&self, path: &WinPath) -> String {
        self.environment.short(path)
    }

    /// A module of a chain, as [`Case::short`] says its path.
    pub(super) fn short_of(&self, link: Option<&Link>) -> String {
        match link {
            Some(Link { path: Some(path), .. }) => self.short(path),
            Some(link) => link.name.clone(),
            None => self.import.to_owned(),
        }
    }

    /// "self_check.py (line 50) loads it with ctypes" or "b.dll, needed by a.pyd, imports it".
    pub(super) fn who_needs(&self, problem: &Problem) -> String {
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
            Some(LoadKind::Look) => "asks for",
            _ => "imports",
        };
        match place {
            Some((file, line)) => {
                format!("{} (line {line}) {verb} {}", self.short(file), fault.culprit())
            }
            None => format!("{} is needed to start Python", fault.culprit()),
        }
    }

    /// "Python 3.8 looks for it in A, B and C (Windows error 126)"
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

    /// Why this module and no other serves an import: "this copy was loaded first by the rule "full path"
    /// (scipy/_distributor_init.py:40)".
    pub(super) fn why_this_one(&self, provider: &Provider) -> String {
        let mut by: Vec<String> = provider.asked_by.iter().map(ToString::to_string).collect();
        by.extend(provider.brought_by.iter().map(|link| self.short_of(Some(link))));
        let by = if by.is_empty() { String::new() } else { format!(" ({})", by.join(" → ")) };
        let rule = format!("by the rule \"{}\"{by}", provider.rule);
        if provider.was_loaded {
            format!(
                "this copy was loaded first {rule}, and Windows takes a DLL that is loaded wherever it lies"
            )
        } else {
            format!("this copy is taken {rule}")
        }
    }

    /// What the registry says of the VC++ redistributable for this environment, where it does not agree with its DLL:
    /// a sentence with a blank in front.
    pub(super) fn registry_disagrees(&self) -> String {
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

    /// The distribution that a file belongs to: the one whose RECORD lists it, or else the one whose package contains it.
    pub(super) fn owner_of(&self, path: &WinPath) -> Option<&Distribution> {
        let files = &*self.host.files;
        self.environment.owner_of(path, files).or_else(|| {
            let folders = &self.environment.site_packages;
            let tail = folders.iter().find_map(|folder| path.below(folder))?;
            let top_level = tail.split(['/', '\\']).next()?;
            self.environment.providers(top_level, files).into_iter().next()
        })
    }

    /// " Its wheel was made for cp314-cp314-win_amd64."; nothing if nobody says so.
    pub(super) fn made_for(&self, owner: Option<&Distribution>) -> String {
        let tags = owner.map(|owner| owner.wheel_tags(&*self.host.files)).unwrap_or_default();
        match tags.as_slice() {
            [] => String::new(),
            tags => format!(" Its wheel was made for {}.", some_of(tags.iter().cloned(), 2)),
        }
    }

    /// Whether a file is Python's own, and of no package.
    pub(super) fn is_of_python(&self, path: &WinPath) -> bool {
        let Environment { base_prefix, application_directory, site_packages, python_dll, .. } =
            self.environment;
        let beside = |folder: &WinPath| path.parent().as_ref() == Some(folder);
        let folders = ["DLLs", "Lib", "tcl"].map(|folder| base_prefix.join(folder));
        let is_beside = beside(base_prefix)
            || beside(application_directory)
            || python_dll.parent().is_some_and(|folder| beside(&folder));
        // Others put DLLs there, too.
        let is_there = folders.iter().any(|folder| path.is_within(folder))
            || is_beside && (!path.has_extension("dll") || origins::is_of_python(path.file_name()));
        is_there && !site_packages.iter().any(|folder| folder != base_prefix && path.is_within(folder))
    }

    /// Whether a module of Python itself fails, or a DLL that belongs to Python itself.
    pub(super) fn is_pythons_own(&self, problem: &Problem) -> bool {
        let Some(fault) = problem.fault() else { return false };
        let is_stable_abi = StableAbi::of(fault.culprit()).is_some();
        let importer = fault.importer().or(fault.chain.last()).and_then(|link| link.path.as_ref());
        is_stable_abi || importer.is_some_and(|path| self.is_of_python(path))
    }

    /// The package of conda that brought a DLL of this name, where it lists one in a folder that conda's Python searches.
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

    /// Whether it is a DLL of the stable ABI that conda's Python was packaged without: to install that again
    /// would not bring it (conda-forge/python-feedstock#934).
    pub(super) fn is_not_in_conda_s_python(&self, dll: &str) -> bool {
        let own = self.environment.python_dll.file_name();
        StableAbi::of(dll).is_some()
            && self.conda_owner_of(dll).is_none()
            && self.conda_owner_of(own).is_some()
    }

    /// Whether conda manages the environment.
    pub(super) fn is_conda(&self) -> bool {
        self.environment.kind == Kind::Conda
    }
}

/// A distribution's name as its author writes it; the folder's name has `_` for `-`.
pub(super) fn name_of(distribution: &Distribution, files: &dyn Files) -> String {
    let metadata = distribution.metadata(files).ok();
    metadata.and_then(|metadata| metadata.name.clone()).unwrap_or_else(|| distribution.name.clone())
}

fn chain(fault: &Fault) -> Vec<ChainLink> {
    let culprit = fault.chain.len().saturating_sub(1);
    let link = |(at, link): (usize, &Link)| ChainLink {
        name: link.name.clone(),
        path: link.path.clone(),
        remark: (at == culprit).then(|| matter_with(link, &fault.cause).to_owned()),
    };
    fault.chain.iter().enumerate().map(link).collect()
}

/// What is the matter with a culprit, in a few words. Not every culprit is refused: some are loaded, and fail whoever needs them.
fn matter_with(culprit: &Link, cause: &Cause) -> &'static str {
    match cause {
        Cause::MissingExport { .. } => "lacks what is taken from it",
        Cause::OutdatedRuntime { .. } => "is too old",
        Cause::LacksInstructions { .. } => "crashes as it starts",
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
                .map(|over| format!("the one there is {}", over.machine.words())),
        })
        .collect()
}

/// " (Windows error 126)"; nothing if the load itself goes well.
pub(super) fn windows_error(code: Option<u32>) -> String {
    code.map_or(String::new(), |code| format!(" (Windows error {code})"))
}

/// The first [`MOST_SYMBOLS`]: "`a`, `b` and `c`".
pub(super) fn first_symbols(symbols: &[Symbol]) -> String {
    let names: Vec<String> = symbols.iter().take(MOST_SYMBOLS).map(|symbol| format!("`{symbol}`")).collect();
    list(&names, "and")
}

/// The first `most` of them, and how many more there are: "a and b", "a, b and c", "a, b and 5 more".
pub(super) fn some_of(all: impl ExactSizeIterator<Item = String>, most: usize) -> String {
    let more = all.len().saturating_sub(most);
    // One more is named as well.
    let named = if more == 1 { most + 1 } else { most };
    let mut names: Vec<String> = all.take(named).collect();
    if more > 1 {
        names.push(format!("{more} more"));
    }
    list(&names, "and")
}

/// "a", "a and b", "a, b and c"
pub(super) fn list(names: &[String], last: &str) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., end] => format!("{} {last} {end}", rest.join(", ")),
    }
}
