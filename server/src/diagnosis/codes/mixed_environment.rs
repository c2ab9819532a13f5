//! # mixed-environment
//!
//! What is imported comes from several environments, or from several packages that overwrote each other's files.
//!
//! ## What it means
//! - *From elsewhere.* Python looks for packages in more places than the environment: in your user site-packages
//!   (`%APPDATA%\Python`, where `pip install --user` puts them), in the folders of `PYTHONPATH`, where a `.pth` file says, and, in a
//!   virtual environment with `include-system-site-packages`, in the Python that it was made with. A NumPy that lies there can be too
//!   new or too old for what the environment holds.
//! - *Two packages, the same files.* tensorflow, tensorflow-cpu and tensorflow-gpu all install the folder `tensorflow`. The one that is
//!   installed last overwrites the other, and whichever is uninstalled takes the files of both with it.
//! - *pip over conda.* conda believes that it still has the package that it installed.
//! - *Leftovers.* pip renames what it is about to remove (`~umpy`). What is left of that, after an interruption or because a program
//!   was still running, shows that an installation did not come to its end.
//!
//! ## How we know
//! *From elsewhere:* the import was followed, and its modules lie there, while others lie in the environment; a folder counts
//! only if packages were installed into it. *The same files:* the RECORDs of both list one file with different sizes. The wheel
//! `tensorflow` of 2.11 to 2.18.0 holds no files on Windows, so it does not quarrel with `tensorflow-intel`. *pip over conda:*
//! `conda-meta` names another version than the `.dist-info`, whose INSTALLER is not conda. It is information, unless the import
//! fails, or the files on the disk are partly of the one and partly of the other package: then a warning.
//!
//! ## What to do
//! One environment, one owner: remove the other copy, or make a fresh environment.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use pep440_rs::Version;

use crate::diagnosis::case::{list, name_of, some_of};
use crate::diagnosis::finding::Severity;
use crate::diagnosis::{Case, Code, Finding};
use crate::environment::{Distribution, DistributionKind, Note, Origin, PathEntry};
use crate::fix::{Action, Command, Fix};
use crate::host::WinPath;
use crate::plan::{Event, Plan};
use crate::source::{is_standard, top_level};

/// A sentence names so many packages or files at most.
const MOST_NAMED: usize = 3;

/// What is mixed among what an import ran and loaded. `known` are the findings on that import so far.
pub(in crate::diagnosis) fn of_imported(
    case: &Case<'_>,
    plan: &Plan<'_>,
    first_step: usize,
    known: &[Finding],
) -> Vec<Finding> {
    let fails = known.iter().any(|finding| finding.severity == Severity::Error);
    let mut ran: BTreeMap<&str, &WinPath> = BTreeMap::new();
    // What stands under a condition that is not known proves nothing.
    for step in plan.steps().iter().skip(first_step).filter(|step| !step.uncertain) {
        if let Event::Module { name, path } | Event::Extension { name, path, .. } = &step.event
            && !is_standard(top_level(name))
        {
            ran.entry(top_level(name)).or_insert(path);
        }
    }
    // What each distribution provides is asked once: it takes a look at the disk.
    let mut providers: Providers<'_> = BTreeMap::new();
    for distribution in &case.environment.distributions {
        for name in distribution.top_level(&*case.host.files) {
            if ran.contains_key(name.as_str()) || name == top_level(case.import) {
                providers.entry(name).or_default().push(distribution);
            }
        }
    }
    let mut findings: Vec<Finding> = from_elsewhere(case, &ran, &providers, fails).into_iter().collect();
    findings.extend(of_two_owners(case, &providers, fails));
    findings.extend(pip_over_conda(case, &providers, fails));
    findings.extend(leftover(case, &ran, &providers, fails));
    findings
}

/// The distributions that provide the top-level packages and modules that ran, in the order of `sys.path`.
type Providers<'a> = BTreeMap<String, Vec<&'a Distribution>>;

fn finding(case: &Case<'_>, is_suspect: bool, otherwise: Severity) -> Finding {
    let severity = if is_suspect { Severity::Warning } else { otherwise };
    case.finding(Code::MixedEnvironment, &[], severity, None)
}

/// `numpy 2.0.1`
fn with_version(case: &Case<'_>, distribution: &Distribution) -> String {
    let name = name_of(distribution, &*case.host.files);
    distribution.version.as_ref().map_or_else(|| name.clone(), |version| format!("{name} {version}"))
}

/// Whether packages were installed into a folder.
fn holds_distributions(case: &Case<'_>, folder: &WinPath) -> bool {
    case.environment
        .distributions
        .iter()
        .any(|one| one.kind != DistributionKind::Conda && one.folder == *folder)
}

/// Who put a folder outside of the environment on `sys.path`, in words; none for the environment's own folders, and for those of a
/// program, which hold modules but no installed packages.
fn foreign(case: &Case<'_>, entry: &PathEntry) -> Option<String> {
    let environment = case.environment;
    let is_own = entry.path.is_within(&environment.prefix);
    match &entry.origin {
        Origin::UserSite => Some("your user site-packages".to_owned()),
        _ if is_own || !holds_distributions(case, &entry.path) => None,
        Origin::PythonPath => Some("a folder of PYTHONPATH".to_owned()),
        Origin::Pth { file, line } => Some(format!("which {file}:{line} adds")),
        Origin::SitePackages | Origin::Prefix => {
            Some("the Python that this environment was made with".to_owned())
        }
        _ => None,
    }
}

fn from_elsewhere(
    case: &Case<'_>,
    ran: &BTreeMap<&str, &WinPath>,
    providers: &Providers<'_>,
    fails: bool,
) -> Option<Finding> {
    let environment = case.environment;
    let serving = |path: &WinPath| {
        let holding = environment.sys_path.iter().filter(|entry| path.is_within(&entry.path));
        holding.max_by_key(|entry| entry.path.as_str().len())
    };
    let mut from: Option<(&PathEntry, String, Vec<&str>)> = None;
    let mut has_own = false;
    for (name, path) in ran {
        let Some(entry) = serving(path) else { continue };
        match (foreign(case, entry), &mut from) {
            (Some(_), Some((known, _, names))) if *known == entry => names.push(name),
            // The first on sys.path is told.
            (Some(words), None) => from = Some((entry, words, vec![name])),
            (Some(_), Some(_)) => {}
            (None, _) => has_own |= environment.site_packages.iter().any(|own| path.is_within(own)),
        }
    }
    let (entry, words, names) = from?;
    let provided_in = |is_there: &dyn Fn(&WinPath) -> bool, name: &str| {
        providers.get(name)?.iter().copied().find(|one| is_there(&one.folder))
    };
    let own: Vec<&Distribution> = names
        .iter()
        .filter_map(|name| provided_in(&|folder| folder.is_within(&environment.prefix), name))
        .collect();
    // Whoever has all packages in one place mixes nothing, wherever it is.
    if !has_own && own.is_empty() {
        return None;
    }
    let there: BTreeSet<String> = names
        .iter()
        .map(|name| {
            let provider = provided_in(&|folder| *folder == entry.path, name);
            provider.map_or_else(|| (*name).to_owned(), |one| with_version(case, one))
        })
        .collect();
    // Who lets an environment see the packages of its base wants them.
    let is_wanted = matches!(entry.origin, Origin::SitePackages | Origin::Prefix);
    let mut finding = finding(case, fails, if is_wanted { Severity::Hint } else { Severity::Information });
    let is_or_are = if there.len() == 1 { "comes" } else { "come" };
    finding.what = format!(
        "`import {}` mixes environments: {} {is_or_are} from {}, {words}.",
        case.import,
        some_of(there.iter().cloned(), MOST_NAMED),
        entry.path
    );
    let hidden = some_of(own.iter().map(|one| with_version(case, one)), MOST_NAMED);
    finding.evidence = match own.is_empty() {
        true => "The import was followed: other packages that it uses lie in the environment.".to_owned(),
        false => format!("That folder comes first on sys.path; the environment has {hidden} of its own."),
    };
    finding.advice = match &entry.origin {
        Origin::UserSite => "Uninstall it there, or set the variable PYTHONNOUSERSITE=1.",
        Origin::PythonPath => "Take the folder out of PYTHONPATH.",
        Origin::Pth { .. } => "Remove the line, if the environment shall stand for itself.",
        _ => "Install it into the environment, if that shall stand for itself.",
    }
    .to_owned();
    if entry.origin == Origin::UserSite && environment.prefix == environment.base_prefix {
        // pip uninstalls what Python finds first.
        let names: Vec<String> =
            there.iter().filter_map(|one| one.split(' ').next().map(str::to_owned)).collect();
        let words = ["uninstall", "-y"].into_iter().chain(names.iter().map(String::as_str));
        let title = format!("Uninstall {} from your user site-packages", list(&names, "and"));
        let action = case.pip(&words.collect::<Vec<_>>());
        finding.fixes.push(Fix { preferred: true, ..Fix::new(title, action) });
    }
    Some(finding)
}

/// A file that two distributions list with different sizes.
struct Shared {
    path: WinPath,
    /// It is as the first of them lists it, as the second does.
    is_of: (bool, bool),
}

fn of_two_owners(case: &Case<'_>, providers: &Providers<'_>, fails: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut told: BTreeSet<(&WinPath, &WinPath)> = BTreeSet::new();
    for (name, providers) in providers {
        for (at, one) in providers.iter().enumerate() {
            for other in providers.iter().skip(at + 1).filter(|other| other.folder == one.folder) {
                if told.contains(&(&one.location, &other.location)) {
                    continue;
                }
                let shared = shared(case, name, one, other);
                if !shared.is_empty() {
                    told.insert((&one.location, &other.location));
                    findings.push(of_these_owners(case, one, other, &shared, fails));
                }
            }
        }
    }
    findings
}

fn shared(case: &Case<'_>, package: &str, one: &Distribution, other: &Distribution) -> Vec<Shared> {
    let files = &*case.host.files;
    let mut listed: BTreeMap<WinPath, u64> = BTreeMap::new();
    for row in one.expected_files(files).unwrap_or_default() {
        listed.extend(row.size.map(|size| (row.path, size)));
    }
    let native = other.expected_files(files).unwrap_or_default().into_iter();
    let mut both: Vec<(WinPath, u64, u64)> =
        native.filter_map(|row| Some((row.path.clone(), *listed.get(&row.path)?, row.size?))).collect();
    // Of packages without native code the first module tells.
    let first = format!("{package}/__init__.py");
    let sizes = (recorded_size(case, one, &first), recorded_size(case, other, &first));
    if let (Some(size), Some(other_size)) = sizes {
        both.push((one.folder.join(&first), size, other_size));
    }
    let differing = both.into_iter().filter(|(_, size, other_size)| size != other_size);
    differing
        .filter_map(|(path, size, other_size)| {
            let on_disk = files.size(&path).ok()?;
            Some(Shared { path, is_of: (on_disk == size, on_disk == other_size) })
        })
        .collect()
}

/// The size that RECORD gives for a file that is not native.
fn recorded_size(case: &Case<'_>, distribution: &Distribution, path: &str) -> Option<u64> {
    if distribution.kind != DistributionKind::DistInfo {
        return None;
    }
    let record = case.host.files.text(&distribution.location.join("RECORD")).ok()?;
    let row = record.lines().find_map(|line| line.strip_prefix(path)?.strip_prefix(','))?;
    row.rsplit(',').next()?.trim().parse().ok()
}

fn of_these_owners(
    case: &Case<'_>,
    one: &Distribution,
    other: &Distribution,
    shared: &[Shared],
    fails: bool,
) -> Finding {
    let (names, other_name) = (with_version(case, one), with_version(case, other));
    let of_one = shared.iter().filter(|file| file.is_of.0).count();
    let of_other = shared.iter().filter(|file| file.is_of.1).count();
    let is_mixture = of_one > 0 && of_other > 0;
    let mut finding = finding(case, fails || is_mixture, Severity::Information);
    let native = shared.iter().filter(|file| !file.path.has_extension("py"));
    finding.dlls = native.map(|file| file.path.file_name().to_owned()).collect();
    finding.what = format!("{names} and {other_name} install the same files and overwrote each other's.");
    let files = some_of(shared.iter().map(|file| case.short(&file.path)), MOST_NAMED);
    let state = match (of_one, of_other) {
        (0, 0) => "what is there is of neither".to_owned(),
        (_, 0) => format!("what is there is of {names}"),
        (0, _) => format!("what is there is of {other_name}"),
        _ => "some of what is there is of the one, some of the other".to_owned(),
    };
    finding.evidence = format!("Both RECORDs list {files}, with different sizes; {state}.");
    finding.advice = "Uninstall both, then install the one that you want.".to_owned();
    let name = |distribution| name_of(distribution, &*case.host.files);
    let (one_name, other_name) = (name(one), name(other));
    // Where an upgrade was interrupted, both have one name.
    let mut both = vec![one_name.as_str(), other_name.as_str()];
    both.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    let words: Vec<&str> = ["uninstall", "-y"].into_iter().chain(both.iter().copied()).collect();
    let owned: Vec<String> = both.iter().map(|name| (*name).to_owned()).collect();
    let uninstall = Fix::new(format!("Uninstall {}", list(&owned, "and")), case.pip(&words));
    finding.fixes = vec![Fix { preferred: true, ..uninstall }, case.reinstall(one)];
    if both.len() == 2 {
        finding.fixes.push(case.reinstall(other));
    }
    finding
}

fn pip_over_conda(case: &Case<'_>, providers: &Providers<'_>, fails: bool) -> Vec<Finding> {
    let files = &*case.host.files;
    let mut findings = Vec::new();
    let of_conda = case.environment.distributions.iter().filter(|one| one.kind == DistributionKind::Conda);
    for conda in of_conda {
        let is_of_pip = |one: &&Distribution| {
            let installer = || files.text(&one.location.join("INSTALLER")).unwrap_or_default();
            one.kind == DistributionKind::DistInfo
                && one.normalized == conda.normalized
                && are_different(one.version.as_deref(), conda.version.as_deref())
                && !matches!(installer().trim(), "" | "conda")
        };
        let Some(pip) = providers.values().flatten().copied().find(is_of_pip) else { continue };
        let mut finding = finding(case, fails, Severity::Information);
        let name = name_of(pip, files);
        let version = conda.version.as_deref().unwrap_or_default();
        finding.what =
            format!("{} was installed over conda's {} {version}.", with_version(case, pip), conda.name);
        finding.evidence = format!(
            "{} says that conda installed {version}, and the INSTALLER of {} is not conda.",
            conda.location,
            pip.location.file_name()
        );
        finding.advice =
            "Let one of them manage the package: uninstall pip's and install conda's again.".to_owned();
        let uninstall = Fix::new(format!("Uninstall pip's {name}"), case.pip(&["uninstall", "-y", &name]));
        let prefix = case.environment.prefix.as_str();
        let words = ["install", "--prefix", prefix, "--force-reinstall", &conda.name];
        let again = Fix::new(
            format!("Install conda's {} again", conda.name),
            Action::Run(Command::new("conda", words)),
        );
        finding.fixes = vec![Fix { preferred: true, ..uninstall }, again];
        findings.push(finding);
    }
    findings
}

fn are_different(one: Option<&str>, other: Option<&str>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    match (Version::from_str(one), Version::from_str(other)) {
        (Ok(one), Ok(other)) => one != other,
        _ => one != other,
    }
}

fn leftover(
    case: &Case<'_>,
    ran: &BTreeMap<&str, &WinPath>,
    providers: &Providers<'_>,
    fails: bool,
) -> Option<Finding> {
    let asked = top_level(case.import);
    let distributions = providers.values().flatten().map(|one| one.name.as_str());
    let names: BTreeSet<&str> = ran.keys().copied().chain([asked]).chain(distributions).collect();
    let is_of_these = |path: &&WinPath| names.iter().any(|name| is_leftover_of(path.file_name(), name));
    let notes = case.environment.notes.iter();
    let left = notes.filter_map(|note| if let Note::Leftover { path } = note { Some(path) } else { None });
    let left: Vec<&WinPath> = left.filter(is_of_these).collect();
    let first = left.first()?;
    let mut finding = finding(case, fails, Severity::Hint);
    let named = some_of(left.iter().map(|path| path.file_name().to_owned()), MOST_NAMED);
    let folder = first.parent().map(|folder| folder.as_str().to_owned()).unwrap_or_default();
    finding.what = format!("pip left {named} behind in {folder}, of what `import {}` uses.", case.import);
    finding.evidence = "pip renames what it is about to remove, and deletes it at the end of the installation, which it did not reach or where a program still used it.".to_owned();
    finding.advice = match fails {
        true => "Install the package again, and delete what is left.".to_owned(),
        false => "It can be deleted.".to_owned(),
    };
    let provider = providers.get(asked).and_then(|providers| providers.first());
    finding
        .fixes
        .extend(provider.filter(|_| fails).map(|one| Fix { preferred: true, ..case.reinstall(one) }));
    Some(finding)
}

/// Whether pip would give this name to what it removes: of `numpy` or `numpy-1.19.5.dist-info` it replaces the first letters by `~` and
/// then others of its list (`AdjacentTempDirectory` in pip/_internal/utils/temp_dir.py).
fn is_leftover_of(leftover: &str, name: &str) -> bool {
    let Some(rest) = leftover.strip_prefix('~') else { return false };
    let rest = match rest.strip_suffix(".dist-info") {
        Some(described) => described.rsplit_once('-').map_or(described, |(name, _)| name),
        None => rest,
    };
    let tail = rest.trim_start_matches(|c: char| "-~.=%0123456789".contains(c));
    let replaced = name.len().checked_sub(tail.len());
    !tail.is_empty() && replaced == Some(1 + rest.len() - tail.len()) && name.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::is_leftover_of;
    use crate::testing::check;

    const PYTHON: &str = "\
/Python/python.exe       imports python38.dll
/Python/python38.dll     version 3.8.10150.1013
/Python/Lib/os.py        text
";

    /// A package of native code that imports another.
    const PACKAGE: &str = "\
/Python/Lib/site-packages/pkg/__init__.py    text
    import numpy
    from . import core
/Python/Lib/site-packages/pkg/core.pyd
/Python/Lib/site-packages/pkg-1.0.dist-info/RECORD    text
    pkg/__init__.py,,
    pkg/core.pyd,,
";

    fn numpy(site_packages: &str, version: &str) -> String {
        format!(
            "\
{site_packages}/numpy/__init__.py    text
{site_packages}/numpy-{version}.dist-info/RECORD    text
    numpy/__init__.py,sha256=x,0
"
        )
    }

    fn check_with(parts: &[&str], expected: Expect) {
        check(&format!("{PYTHON}{}import pkg\n", parts.concat()), expected);
    }

    #[test]
    fn a_package_of_the_user_hides_the_environment_s() {
        let user_site = "/Users/me/AppData/Roaming/Python/Python38/site-packages";
        let user = [numpy(user_site, "2.0"), "variable APPDATA C:\\Users\\me\\AppData\\Roaming\n".to_owned()]
            .concat();
        let own = numpy("/Python/Lib/site-packages", "1.19");
        check_with(
            &[PACKAGE, &own, &user],
            expect![[r#"
            information mixed-environment: 
              `import pkg` mixes environments: numpy 2.0 comes from C:\Users\me\AppData\Roaming\Python\Python38\site-packages, your user site-packages.
              That folder comes first on sys.path; the environment has numpy 1.19 of its own.
              Uninstall it there, or set the variable PYTHONNOUSERSITE=1.
              * Uninstall numpy from your user site-packages | C:\Python\python.exe -m pip uninstall -y numpy
        "#]],
        );
        // Of a failing import it may be the cause.
        let broken = PACKAGE.replace("core.pyd\n/", "core.pyd  imports nowhere.dll\n/");
        check_with(
            &[&broken, &own, &user],
            expect![[r#"
            error missing-dll: nowhere.dll
              `import pkg` will fail: nowhere.dll is missing.
              pkg/core.pyd imports nowhere.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the package that needs it again, or install what the DLL belongs to.
              Python: ImportError: DLL load failed while importing core: The specified module could not be found.
              * Reinstall pkg 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
            warning mixed-environment: 
              `import pkg` mixes environments: numpy 2.0 comes from C:\Users\me\AppData\Roaming\Python\Python38\site-packages, your user site-packages.
              That folder comes first on sys.path; the environment has numpy 1.19 of its own.
              Uninstall it there, or set the variable PYTHONNOUSERSITE=1.
              * Uninstall numpy from your user site-packages | C:\Python\python.exe -m pip uninstall -y numpy
        "#]],
        );
        // All in one place is no mixture.
        let all = PACKAGE.replace("/Python/Lib/site-packages", user_site);
        check_with(
            &[&all, &user],
            expect![[r#"
            healthy
        "#]],
        );
        check_with(
            &[PACKAGE, &own, &user, "variable PYTHONNOUSERSITE 1\n"],
            expect![[r#"
            healthy
        "#]],
        );
    }

    #[test]
    fn a_folder_of_pythonpath_or_of_a_path_file() {
        let own = numpy("/Python/Lib/site-packages", "1.19");
        let other = numpy("/other/Lib/site-packages", "2.0");
        let variable = "variable PYTHONPATH C:\\other\\Lib\\site-packages\n";
        check_with(
            &[PACKAGE, &own, &other, variable],
            expect![[r#"
            information mixed-environment: 
              `import pkg` mixes environments: numpy 2.0 comes from C:\other\Lib\site-packages, a folder of PYTHONPATH.
              That folder comes first on sys.path; the environment has numpy 1.19 of its own.
              Take the folder out of PYTHONPATH.
        "#]],
        );
        let path_file = "/Python/Lib/site-packages/other.pth  text\n    C:\\other\\Lib\\site-packages\n";
        check_with(
            &[PACKAGE, &other, path_file],
            expect![[r#"
            information mixed-environment: 
              `import pkg` mixes environments: numpy 2.0 comes from C:\other\Lib\site-packages, which C:\Python\Lib\site-packages\other.pth:1 adds.
              The import was followed: other packages that it uses lie in the environment.
              Remove the line, if the environment shall stand for itself.
        "#]],
        );
        // Modules of the program, and of a project in development, are meant.
        let project =
            "/project/numpy/__init__.py  text\n/Python/Lib/site-packages/x.pth  text\n    C:\\project\n";
        check_with(
            &[PACKAGE, project],
            expect![[r#"
            healthy
        "#]],
        );
    }

    #[test]
    fn the_base_of_an_environment() {
        let venv = "\
/venv/Scripts/python.exe
/venv/pyvenv.cfg  text
    home = C:\\Python
    include-system-site-packages = true
python /venv
";
        let own = PACKAGE.replace("/Python/", "/venv/");
        check_with(
            &[&own, &numpy("/Python/Lib/site-packages", "1.19"), venv],
            expect![[r#"
            hint mixed-environment: 
              `import pkg` mixes environments: numpy 1.19 comes from C:\Python\Lib\site-packages, the Python that this environment was made with.
              The import was followed: other packages that it uses lie in the environment.
              Install it into the environment, if that shall stand for itself.
        "#]],
        );
    }

    fn two(first: u64, second: u64, native: &str) -> String {
        format!(
            "\
/Python/Lib/site-packages/pkg/__init__.py    text
    from . import a, b
/Python/Lib/site-packages/pkg/a.pyd    size 4000
/Python/Lib/site-packages/pkg/b.pyd    size 5000{native}
/Python/Lib/site-packages/pkg-1.0.dist-info/RECORD    text
    pkg/__init__.py,sha256=x,24
    pkg/a.pyd,sha256=x,4000
    pkg/b.pyd,sha256=x,{first}
/Python/Lib/site-packages/pkg_cpu-1.0.dist-info/RECORD    text
    pkg/__init__.py,sha256=x,24
    pkg/a.pyd,sha256=x,3500
    pkg/b.pyd,sha256=x,{second}
"
        )
    }

    #[test]
    fn two_packages_that_own_the_same_files() {
        check_with(
            &[&two(5000, 4500, "")],
            expect![[r#"
            information mixed-environment: a.pyd, b.pyd
              pkg 1.0 and pkg_cpu 1.0 install the same files and overwrote each other's.
              Both RECORDs list pkg/a.pyd and pkg/b.pyd, with different sizes; what is there is of pkg 1.0.
              Uninstall both, then install the one that you want.
              * Uninstall pkg and pkg_cpu | C:\Python\python.exe -m pip uninstall -y pkg pkg_cpu
              - Reinstall pkg 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
              - Reinstall pkg_cpu 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg_cpu==1.0
        "#]],
        );
        // Each has overwritten a part.
        check_with(
            &[&two(4500, 5000, "")],
            expect![[r#"
            warning mixed-environment: a.pyd, b.pyd
              pkg 1.0 and pkg_cpu 1.0 install the same files and overwrote each other's.
              Both RECORDs list pkg/a.pyd and pkg/b.pyd, with different sizes; some of what is there is of the one, some of the other.
              Uninstall both, then install the one that you want.
              * Uninstall pkg and pkg_cpu | C:\Python\python.exe -m pip uninstall -y pkg pkg_cpu
              - Reinstall pkg 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
              - Reinstall pkg_cpu 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg_cpu==1.0
        "#]],
        );
        check_with(
            &[&two(5000, 4500, ", imports nowhere.dll")],
            expect![[r#"
            error missing-dll: nowhere.dll
              `import pkg` will fail: nowhere.dll is missing.
              pkg/b.pyd imports nowhere.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
              Install the package that needs it again, or install what the DLL belongs to.
              Python: ImportError: DLL load failed while importing b: The specified module could not be found.
              * Reinstall pkg 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
            warning mixed-environment: a.pyd, b.pyd
              pkg 1.0 and pkg_cpu 1.0 install the same files and overwrote each other's.
              Both RECORDs list pkg/a.pyd and pkg/b.pyd, with different sizes; what is there is of pkg 1.0.
              Uninstall both, then install the one that you want.
              * Uninstall pkg and pkg_cpu | C:\Python\python.exe -m pip uninstall -y pkg pkg_cpu
              - Reinstall pkg 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
              - Reinstall pkg_cpu 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg_cpu==1.0
        "#]],
        );
    }

    #[test]
    fn packages_that_share_a_folder_share_no_files() {
        // As nvidia's do: the first module is the same.
        check_with(
            &["\
/Python/Lib/site-packages/pkg/__init__.py    text
    from . import a
/Python/Lib/site-packages/pkg/a.pyd    size 4000
/Python/Lib/site-packages/pkg_a-1.0.dist-info/RECORD    text
    pkg/__init__.py,sha256=x,20
    pkg/a.pyd,sha256=x,4000
/Python/Lib/site-packages/pkg_b-1.0.dist-info/RECORD    text
    pkg/__init__.py,sha256=x,20
    pkg/b.pyd,sha256=x,
/Python/Lib/site-packages/pkg/b.pyd
"],
            expect![[r#"
                healthy
            "#]],
        );
        // As tensorflow 2.12: the wheel of that name is empty.
        check_with(
            &["\
/Python/Lib/site-packages/pkg/__init__.py    text
    from . import a
/Python/Lib/site-packages/pkg/a.pyd    size 4000
/Python/Lib/site-packages/pkg-1.0.dist-info/METADATA    text
    Name: pkg
    Version: 1.0
    Requires-Dist: pkg-intel (==1.0) ; platform_system == \"Windows\"
/Python/Lib/site-packages/pkg-1.0.dist-info/RECORD    text
    pkg-1.0.dist-info/METADATA,,
/Python/Lib/site-packages/pkg_intel-1.0.dist-info/RECORD    text
    pkg/__init__.py,sha256=x,20
    pkg/a.pyd,sha256=x,4000
"],
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn two_packages_without_native_code() {
        let second = "\
/Python/Lib/site-packages/numpy_nightly-2.0.dist-info/RECORD    text
    numpy/__init__.py,sha256=y,7
";
        check_with(
            &[PACKAGE, &numpy("/Python/Lib/site-packages", "1.19"), second],
            expect![[r#"
            information mixed-environment: 
              numpy 1.19 and numpy_nightly 2.0 install the same files and overwrote each other's.
              Both RECORDs list numpy/__init__.py, with different sizes; what is there is of numpy 1.19.
              Uninstall both, then install the one that you want.
              * Uninstall numpy and numpy_nightly | C:\Python\python.exe -m pip uninstall -y numpy numpy_nightly
              - Reinstall numpy 1.19 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir numpy==1.19
              - Reinstall numpy_nightly 2.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir numpy_nightly==2.0
        "#]],
        );
    }

    #[test]
    fn pip_over_conda() {
        let conda = |version: &str, installer: &str| {
            format!(
                "{PACKAGE}{}\
/Python/Lib/site-packages/numpy-2.0.dist-info/INSTALLER    text
    {installer}
/Python/conda-meta/numpy-{version}-py38_0.json    text
    {{ \"name\": \"numpy\", \"files\": [] }}
",
                numpy("/Python/Lib/site-packages", "2.0")
            )
        };
        check_with(
            &[&conda("1.19", "pip")],
            expect![[r#"
            information mixed-environment: 
              numpy 2.0 was installed over conda's numpy 1.19.
              C:\Python\conda-meta\numpy-1.19-py38_0.json says that conda installed 1.19, and the INSTALLER of numpy-2.0.dist-info is not conda.
              Let one of them manage the package: uninstall pip's and install conda's again.
              * Uninstall pip's numpy | C:\Python\python.exe -m pip uninstall -y numpy
              - Install conda's numpy again | conda install --prefix C:\Python --force-reinstall numpy
        "#]],
        );
        check_with(
            &[&conda("2.0.0", "pip")],
            expect![[r#"
            healthy
        "#]],
        );
        check_with(
            &[&conda("1.19", "conda")],
            expect![[r#"
            healthy
        "#]],
        );
    }

    #[test]
    fn what_pip_left() {
        let left =
            "/Python/Lib/site-packages/~umpy/__init__.py  text\n/Python/Lib/site-packages/~cipy/x.py  text\n";
        let own = numpy("/Python/Lib/site-packages", "1.19");
        check_with(
            &[PACKAGE, &own, left],
            expect![[r#"
                hint mixed-environment: 
                  pip left ~umpy behind in C:\Python\Lib\site-packages, of what `import pkg` uses.
                  pip renames what it is about to remove, and deletes it at the end of the installation, which it did not reach or where a program still used it.
                  It can be deleted.
            "#]],
        );
        let broken = PACKAGE.replace("core.pyd\n/", "core.pyd  imports nowhere.dll\n/");
        check_with(
            &[&broken, &own, left],
            expect![[r#"
                error missing-dll: nowhere.dll
                  `import pkg` will fail: nowhere.dll is missing.
                  pkg/core.pyd imports nowhere.dll; Python 3.8 looks for it in pkg, C:\Python and System32, and it is in none of them (Windows error 126).
                  Install the package that needs it again, or install what the DLL belongs to.
                  Python: ImportError: DLL load failed while importing core: The specified module could not be found.
                  * Reinstall pkg 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
                warning mixed-environment: 
                  pip left ~umpy behind in C:\Python\Lib\site-packages, of what `import pkg` uses.
                  pip renames what it is about to remove, and deletes it at the end of the installation, which it did not reach or where a program still used it.
                  Install the package again, and delete what is left.
                  * Reinstall pkg 1.0 | C:\Python\python.exe -m pip install --force-reinstall --no-deps --no-cache-dir pkg==1.0
            "#]],
        );
    }

    #[test]
    fn names_that_pip_gives() {
        for leftover in ["~umpy", "~-mpy", "~~mpy", "~umpy-1.19.5.dist-info", "~-~.y"] {
            assert!(is_leftover_of(leftover, "numpy"), "{leftover}");
        }
        for other in ["~cipy", "numpy", "~", "~numpy", "~-umpy", "~umpy2"] {
            assert!(!is_leftover_of(other, "numpy"), "{other}");
        }
    }
}
