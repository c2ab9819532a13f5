#![doc = include_str!("../../../../docs/codes/incompatible-versions.md")]

use std::collections::BTreeMap;
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};
use version_ranges::Ranges;

use crate::action::Action;
use crate::cpython::{Finder, Found};
use crate::diagnosis::cures::UNKNOWN_UNTIL_INSTALLED;
use crate::diagnosis::wording::{name_of, some_of};
use crate::diagnosis::{Case, Code, Finding, Fix};
use crate::diagnosis::{Related, Severity};
use crate::environment::{Distribution, DistributionKind, Requirement};
use crate::host::WinPath;
use crate::plan::{Event, Plan, Step};
use crate::source;

/// The release date of NumPy 2.0.0, 2024-06-16 (PyPI), in seconds since 1970. An image that was
/// linked earlier was most likely built with NumPy 1 if it uses NumPy at all, so it is worth
/// examining.
const NUMPY_2: u32 = 1_718_496_000;

/// The maximum number of modules that a sentence names.
const MOST_MODULES: usize = 2;

/// Returns the incompatibilities among the modules that an import executed and loaded.
pub(in crate::diagnosis) fn of_imported(case: &Case<'_>, plan: &Plan<'_>, first_step: usize) -> Vec<Finding> {
    // A step under an unknown condition proves nothing.
    let steps: Vec<&Step> = plan.steps().iter().skip(first_step).filter(|step| !step.uncertain).collect();
    built_for_numpy_1(case, &steps).into_iter().chain(generated_for_protobuf_3(case, plan, &steps)).collect()
}

/// A step, and the file that makes it an incompatibility.
struct Culprit<'s> {
    step: &'s Step,
    path: &'s WinPath,
}

/// Returns an error if at least one of the failures isn't handled.
fn severity(culprits: &[Culprit<'_>]) -> Severity {
    match culprits.iter().any(|culprit| !culprit.step.guarded) {
        true => Severity::Error,
        false => Severity::Warning,
    }
}

fn finding(case: &Case<'_>, culprits: &[Culprit<'_>]) -> Finding {
    let mut finding = case.finding(Code::IncompatibleVersions, &[], severity(culprits), None);
    let native = culprits.iter().filter(|culprit| matches!(culprit.step.event, Event::Extension { .. }));
    finding.dlls = native.map(|culprit| culprit.path.file_name().to_owned()).collect();
    if let Some((place, path)) = culprits.first().map(|first| (&first.step.at, first.path))
        && let Some(file) = &place.file
    {
        let message = format!("{} is imported here", path.file_name());
        finding.related.push(Related { file: file.clone(), line: place.line, message });
    }
    finding
}

/// Names the files: "pkg/a.pyd", "pkg/a.pyd and pkg/b.pyd", "pkg/a.pyd, pkg/b.pyd and 7 more".
fn named(case: &Case<'_>, culprits: &[Culprit<'_>]) -> String {
    some_of(culprits.iter().map(|culprit| case.short(culprit.path)), MOST_MODULES)
}

fn built_for_numpy_1(case: &Case<'_>, steps: &[&Step]) -> Option<Finding> {
    let files = &*case.host.files;
    let numpy = installed(case, "numpy")?;
    // `numpy/core/_multiarray_umath.py` of NumPy 2: its `__getattr__` raises an exception when a
    // module for NumPy 1 requests `_ARRAY_API`.
    let gate = numpy.folder.join("numpy\\core\\_multiarray_umath.py");
    if !files.is_file(&gate) || !files.contains(&gate, "compiled using NumPy 1.x").unwrap_or(false) {
        return None;
    }
    let mut providers: BTreeMap<&str, Vec<&Distribution>> = BTreeMap::new();
    let mut culprits: Vec<Culprit<'_>> = Vec::new();
    for step in steps {
        let Event::Extension { name, path, loaded: true } = &step.event else {
            continue;
        };
        let package = source::top_level(name);
        let known = providers.entry(package).or_insert_with(|| case.environment.providers(package, files));
        let forbids = known.iter().any(|distribution| forbids_numpy_2(case, distribution).is_some());
        let is_known = culprits.iter().any(|culprit| culprit.path == path);
        if !is_known && (forbids || is_old(case, path)) && is_for_numpy_1_only(case, path) {
            culprits.push(Culprit { step, path });
        }
    }
    let first = culprits.first()?;
    let package = match &first.step.event {
        Event::Extension { name, .. } => source::top_level(name),
        _ => return None,
    };
    let owner = providers.get(package).and_then(|known| known.first());
    let version = numpy.version.as_deref().unwrap_or("2");
    let mut finding = finding(case, &culprits);
    finding.what = format!(
        "{}: {} {} built for NumPy 1, and NumPy {version} is installed.",
        case.consequence(finding.severity),
        named(case, &culprits),
        if culprits.len() == 1 { "is" } else { "are" },
    );
    let requirement = owner.and_then(|owner| {
        let requirement = forbids_numpy_2(case, owner)?;
        Some(format!(" {} requires numpy{requirement}.", name_of(owner, files)))
    });
    finding.evidence = format!(
        "{} looks for NumPy's C interface in numpy.core, where only NumPy 1 has it (in NumPy 2 it is in \
         numpy._core, and {} refuses modules for NumPy 1).{}",
        first.path.file_name(),
        case.short(&gate),
        requirement.unwrap_or_default(),
    );
    let newer = owner.map_or_else(|| package.to_owned(), |owner| name_of(owner, files));
    finding.advice = format!("Install NumPy 1, or a version of {newer} that was built with NumPy 2.");
    // NumPy always prints this, whatever the package does with the exception. TensorFlow 2.10
    // raises a TypeError a little later.
    finding.python_error = Some(format!(
        "A module that was compiled using NumPy 1.x cannot be run in NumPy {version} as it may crash."
    ));
    finding.fixes.extend(install(case, "numpy", "numpy<2", "Install NumPy 1"));
    Some(finding)
}

/// Returns the distribution that `sys.path` finds first. Conda's JSON files are skipped, since they
/// only record who installed it.
fn installed<'c>(case: &Case<'c>, name: &str) -> Option<&'c Distribution> {
    let mut found = case.environment.distributions.iter();
    found.find(|found| found.normalized == name && found.kind != DistributionKind::Conda)
}

/// Whether an image was linked before NumPy 2 was released.
fn is_old(case: &Case<'_>, path: &WinPath) -> bool {
    case.host.files.image(path).is_ok_and(|image| (1..NUMPY_2).contains(&image.time_stamp))
}

/// Whether `import_array()` of the headers that a module was built with requests NumPy 1's C
/// interface. Since 1.16 it requests that of `numpy.core._multiarray_umath`; since 2.0
/// `numpy._core._multiarray_umath`, and the other only as a fallback
/// (`numpy/_core/code_generators/generate_numpy_api.py`).
fn is_for_numpy_1_only(case: &Case<'_>, path: &WinPath) -> bool {
    let holds = |text: &str| case.host.files.contains(path, text);
    holds("\0numpy.core._multiarray_umath\0") == Ok(true)
        && holds("numpy._core._multiarray_umath") == Ok(false)
}

/// Returns the versions of NumPy that a distribution requires, if they exclude NumPy 2 and later.
/// Environment markers are ignored: all of its requirements for Windows must exclude them.
fn forbids_numpy_2(case: &Case<'_>, distribution: &Distribution) -> Option<String> {
    let metadata = distribution.metadata(&*case.host.files).ok()?;
    let mut required = metadata.requires.iter().filter(|needed| needed.name == "numpy");
    let numpy_2 = Ranges::higher_than(Version::new([2]).with_dev(Some(0)));
    let forbids = |needed: &Requirement| allowed(needed).is_some_and(|allowed| allowed.is_disjoint(&numpy_2));
    let first = required.clone().find(|needed| needed.applies_on_windows())?;
    required.all(|needed| !needed.applies_on_windows() || forbids(needed)).then(|| first.versions.clone())
}

/// Returns the versions that a requirement allows. Returns `None` if it can't be parsed or allows
/// all versions.
fn allowed(needed: &Requirement) -> Option<Ranges<Version>> {
    let specifiers = VersionSpecifiers::from_str(&needed.versions).ok()?;
    (!specifiers.is_empty()).then(|| Ranges::from(specifiers))
}

fn generated_for_protobuf_3(case: &Case<'_>, plan: &Plan<'_>, steps: &[&Step]) -> Option<Finding> {
    let protobuf = installed(case, "protobuf")?;
    if !runs_in_upb(case, plan, protobuf) {
        return None;
    }
    let mut culprits: Vec<Culprit<'_>> = Vec::new();
    let mut package = "";
    for step in steps {
        let Event::Module { name, path } = &step.event else {
            continue;
        };
        if creates_descriptors_itself(case, path) {
            if culprits.is_empty() {
                package = source::top_level(name);
            }
            culprits.push(Culprit { step, path });
        }
    }
    let first = culprits.first()?;
    let files = &*case.host.files;
    let owner = case.environment.providers(package, files).into_iter().next();
    let version = protobuf.version.as_deref().unwrap_or("4 or later");
    let mut finding = finding(case, &culprits);
    finding.what = format!(
        "{}: {} {} generated for protobuf 3, and protobuf {version} is installed.",
        case.consequence(finding.severity),
        named(case, &culprits),
        if culprits.len() == 1 { "was" } else { "were" },
    );
    // The distribution's own requirement, if it excludes the installed version.
    let required = owner.and_then(|owner| {
        let metadata = owner.metadata(files).ok()?;
        let needed = metadata.requires.iter().find(|needed| needed.name == "protobuf")?.clone();
        let installed = Version::from_str(protobuf.version.as_deref()?).ok()?;
        allowed(&needed).is_some_and(|allowed| !allowed.contains(&installed)).then_some(needed.versions)
    });
    finding.evidence = format!(
        "{} creates its descriptors itself, as code from protoc before 3.19 does, and \
         google/_upb/_message.pyd of protobuf {version} refuses that.{}",
        case.short(first.path),
        match (&required, owner) {
            (Some(versions), Some(owner)) =>
                format!(" {} requires protobuf{versions}.", name_of(owner, files)),
            _ => String::new(),
        }
    );
    let newer = owner.map_or_else(|| package.to_owned(), |owner| name_of(owner, files));
    finding.advice = format!(
        "Install protobuf 3, or a version of {newer} that was generated for protobuf 4 or later; or set \
         PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python, which is slower."
    );
    finding.python_error = Some("TypeError: Descriptors cannot be created directly.".to_owned());
    let wanted = format!("protobuf{}", required.as_deref().unwrap_or("<3.21"));
    finding.fixes.extend(install(case, "protobuf", &wanted, "Install protobuf 3"));
    Some(finding)
}

/// Whether protobuf will use its native implementation of 4.21 and later, which refuses old code
/// (`google/protobuf/internal/api_implementation.py`). It is the default if it can be imported.
fn runs_in_upb(case: &Case<'_>, plan: &Plan<'_>, protobuf: &Distribution) -> bool {
    if plan.known_variable("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION").is_some_and(|chosen| chosen != "upb") {
        return false;
    }
    let finder = Finder::new(case.environment, case.host);
    let folder = protobuf.folder.join("google\\_upb");
    match finder.submodule("_message", &[folder]) {
        Found::Extension { path, .. } => plan.interpreter().clone().load_extension(&path).is_ok(),
        _ => false,
    }
}

/// Whether a module was generated by a protoc before 3.19. Such code lists the fields and values of
/// messages and enums with calls to the classes of `google.protobuf.descriptor`, at this
/// indentation. protobuf's own `descriptor_pb2.py` has them one level deeper, under a condition
/// that is false here.
fn creates_descriptors_itself(case: &Case<'_>, path: &WinPath) -> bool {
    let lists =
        ["fields=[\n    _descriptor.FieldDescriptor(", "values=[\n    _descriptor.EnumValueDescriptor("];
    let holds = |text: &str| case.host.files.contains(path, text) == Ok(true);
    path.as_str().ends_with("_pb2.py")
        && lists.iter().any(|text| holds(text) || holds(&text.replace('\n', "\r\n")))
}

/// Returns a fix that installs another version with the installer of the current one.
fn install(case: &Case<'_>, name: &str, wanted: &str, title: &str) -> Option<Fix> {
    let is_from_conda =
        case.environment.distributions.iter().any(|distribution| {
            distribution.kind == DistributionKind::Conda && distribution.normalized == name
        });
    if !is_from_conda {
        return case.install(&[wanted], title);
    }
    let installer = case.environment.conda(&*case.host.files);
    let action = Action::Run(installer.install(&[wanted]));
    Some(Fix::new(format!("{title}{}", installer.with()), action).untestable(UNKNOWN_UNTIL_INSTALLED))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use expect_test::{Expect, expect};

    use crate::testing;

    /// A string in modules that were built with NumPy 1.
    const OF_NUMPY_1: &str = "\0numpy.core._multiarray_umath\0";

    /// The strings in modules that were built with NumPy 2: they look for the new name first and
    /// fall back to the old one.
    const OF_NUMPY_2: &str = "\0numpy._core._multiarray_umath\0numpy.core._multiarray_umath\0";

    /// Times in 2021 and 2025, in seconds since 1970.
    const BEFORE_NUMPY_2: u32 = 1_620_000_000;
    const SINCE_NUMPY_2: u32 = 1_740_000_000;

    /// Checks Python 3.8 with NumPy `numpy` and a package `pkg` with a requirement, in addition to
    /// these files and directives. The package's `native.pyd` contains `text` and was linked at the
    /// given time.
    fn check_numpy(
        numpy: &str,
        requirement: &str,
        (text, linked): (&str, u32),
        machine: &str,
        expected: Expect,
    ) {
        let gate = match numpy.starts_with('2') {
            true => {
                "/s/numpy/core/_multiarray_umath.py  text\n    msg = 'A module that was compiled using NumPy 1.x cannot be run'"
            }
            false => "/s/numpy/core/_multiarray_umath.pyd",
        };
        let world = format!(
            "/Python/python.exe       imports python38.dll
/Python/python38.dll     version 3.8.10150.1013
/Python/Lib/os.py        text
/s/numpy/__init__.py     text
{gate}
/s/numpy-{numpy}.dist-info/METADATA  text
    Name: numpy
    Version: {numpy}
/s/numpy-{numpy}.dist-info/RECORD  text
    numpy/__init__.py,,
/s/pkg/native.pyd
/s/pkg-1.0.dist-info/METADATA  text
    Name: pkg
    Version: 1.0
    {requirement}
/s/pkg-1.0.dist-info/RECORD  text
    pkg/__init__.py,,
    pkg/native.pyd,,
{machine}
import pkg
"
        );
        let world = world.replace("/s/", "/Python/Lib/site-packages/");
        let change = |world: &world::World| {
            let path = world.path("/Python/Lib/site-packages/pkg/native.pyd");
            let mut image = fs::read(&path).unwrap();
            // "PE Format": the offset of the signature is at 0x3c, and the time stamp is 8 bytes
            // after the signature.
            let header = u32::from_le_bytes(image[0x3c..0x40].try_into().unwrap()) as usize;
            image[header + 8..header + 12].copy_from_slice(&linked.to_le_bytes());
            image.extend_from_slice(text.as_bytes());
            fs::write(&path, image).unwrap();
        };
        testing::check_changed(&world, change, expected);
    }

    const IMPORTED: &str = "/s/pkg/__init__.py  text\n    import numpy\n    from . import native";

    #[test]
    fn a_module_for_numpy_1_with_numpy_2_that_its_package_allows() {
        check_numpy(
            "2.2.6",
            "Requires-Dist: numpy (>=1.20)",
            (OF_NUMPY_1, BEFORE_NUMPY_2),
            IMPORTED,
            expect![[r#"
                error incompatible-versions: native.pyd
                  `import pkg` will fail: pkg/native.pyd is built for NumPy 1, and NumPy 2.2.6 is installed.
                  native.pyd looks for NumPy's C interface in numpy.core, where only NumPy 1 has it (in NumPy 2 it is in numpy._core, and numpy/core/_multiarray_umath.py refuses modules for NumPy 1).
                  Install NumPy 1, or a version of pkg that was built with NumPy 2.
                  Python: A module that was compiled using NumPy 1.x cannot be run in NumPy 2.2.6 as it may crash.
                  ? Install NumPy 1 | C:\Python\python.exe -m pip install 'numpy<2'
            "#]],
        );
    }

    #[test]
    fn a_package_that_excludes_numpy_2_and_was_built_late_or_reproducibly() {
        check_numpy(
            "2.0.0",
            "Requires-Dist: numpy<2.0.0,>=1.23.5; python_version <= '3.11'",
            (OF_NUMPY_1, SINCE_NUMPY_2),
            IMPORTED,
            expect![[r#"
                error incompatible-versions: native.pyd
                  `import pkg` will fail: pkg/native.pyd is built for NumPy 1, and NumPy 2.0.0 is installed.
                  native.pyd looks for NumPy's C interface in numpy.core, where only NumPy 1 has it (in NumPy 2 it is in numpy._core, and numpy/core/_multiarray_umath.py refuses modules for NumPy 1). pkg requires numpy<2.0.0,>=1.23.5.
                  Install NumPy 1, or a version of pkg that was built with NumPy 2.
                  Python: A module that was compiled using NumPy 1.x cannot be run in NumPy 2.0.0 as it may crash.
                  ? Install NumPy 1 | C:\Python\python.exe -m pip install 'numpy<2'
            "#]],
        );
    }

    #[test]
    fn with_numpy_1_it_is_healthy() {
        check_numpy(
            "1.26.4",
            "Requires-Dist: numpy<2",
            (OF_NUMPY_1, BEFORE_NUMPY_2),
            IMPORTED,
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn a_cautious_upper_bound_is_not_reported() {
        check_numpy(
            "2.2.6",
            "Requires-Dist: numpy<2",
            (OF_NUMPY_2, SINCE_NUMPY_2),
            IMPORTED,
            expect![[r#"
            healthy
        "#]],
        );
    }

    #[test]
    fn a_bound_of_a_package_that_does_not_use_numpys_interface_is_not_reported() {
        check_numpy(
            "2.2.6",
            "Requires-Dist: numpy<2",
            ("numpy.core._multiarray_umath failed to import", BEFORE_NUMPY_2),
            IMPORTED,
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn a_module_whose_failure_is_handled_is_a_warning() {
        check_numpy(
            "2.2.6",
            "Requires-Dist: numpy~=1.19.2",
            (OF_NUMPY_1, SINCE_NUMPY_2),
            "/s/pkg/__init__.py  text\n    try:\n        from . import native\n    except ImportError:\n        native = None",
            expect![[r#"
                warning incompatible-versions: native.pyd
                  A part of what `import pkg` uses is broken: pkg/native.pyd is built for NumPy 1, and NumPy 2.2.6 is installed.
                  native.pyd looks for NumPy's C interface in numpy.core, where only NumPy 1 has it (in NumPy 2 it is in numpy._core, and numpy/core/_multiarray_umath.py refuses modules for NumPy 1). pkg requires numpy~=1.19.2.
                  Install NumPy 1, or a version of pkg that was built with NumPy 2.
                  Python: A module that was compiled using NumPy 1.x cannot be run in NumPy 2.2.6 as it may crash.
                  ? Install NumPy 1 | C:\Python\python.exe -m pip install 'numpy<2'
            "#]],
        );
    }

    #[test]
    fn a_module_under_an_unknown_condition_is_not_reported() {
        check_numpy(
            "2.2.6",
            "Requires-Dist: numpy<2",
            (OF_NUMPY_1, BEFORE_NUMPY_2),
            "/s/pkg/__init__.py  text\n    import random\n    if random.random() < 0.5:\n        from . import native",
            expect![[r#"
                healthy
            "#]],
        );
    }

    /// Checks Python 3.8 with protobuf `version` and a package whose import runs generated code, in
    /// addition to these files and directives.
    fn check_protobuf(version: &str, generated: &str, machine: &str, expected: Expect) {
        let world = format!(
            "/Python/python.exe       imports python38.dll
/Python/python38.dll     version 3.8.10150.1013
/Python/Lib/os.py        text
/s/protobuf-{version}.dist-info/METADATA  text
    Name: protobuf
    Version: {version}
/s/pkg/__init__.py  text
    from . import shape_pb2
/s/pkg/shape_pb2.py  text
{generated}
/s/pkg-1.0.dist-info/METADATA  text
    Name: pkg-gpu
    Version: 1.0
    Requires-Dist: protobuf (<3.20,>=3.9.2)
/s/pkg-1.0.dist-info/RECORD  text
    pkg/__init__.py,,
    pkg/shape_pb2.py,,
{machine}
import pkg
"
        );
        testing::check(&world.replace("/s/", "/Python/Lib/site-packages/"), expected);
    }

    const UPB: &str = "/s/google/_upb/_message.pyd";

    /// Code written by protoc 3.8 (TensorFlow's `tensor_shape_pb2.py`, shortened). protobuf 4.25.3
    /// raises "TypeError: Descriptors cannot be created directly" for it.
    const BY_PROTOC_3_8: &str = "
    from google.protobuf import descriptor as _descriptor
    _SHAPE = _descriptor.Descriptor(
      name='Shape',
      fields=[
        _descriptor.FieldDescriptor(
          name='size', full_name='Shape.size', index=0),
      ],
    )";

    /// Code written by protoc 3.20 and later.
    const BY_PROTOC_3_20: &str = "
    from google.protobuf.internal import builder as _builder
    DESCRIPTOR = _descriptor_pool.Default().AddSerializedFile(b'')
    _builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, globals())";

    /// Code of protobuf's own `descriptor_pb2.py`, where native descriptors are used and the
    /// condition is false.
    const UNDER_A_CONDITION: &str = "
    if _descriptor._USE_C_DESCRIPTORS == False:
      _SHAPE = _descriptor.Descriptor(
        name='Shape',
        fields=[
          _descriptor.FieldDescriptor(
            name='size', full_name='Shape.size', index=0),
        ],
      )";

    #[test]
    fn code_generated_for_protobuf_3_with_protobuf_4() {
        check_protobuf(
            "4.25.3",
            BY_PROTOC_3_8,
            UPB,
            expect![[r#"
                error incompatible-versions: 
                  `import pkg` will fail: pkg/shape_pb2.py was generated for protobuf 3, and protobuf 4.25.3 is installed.
                  pkg/shape_pb2.py creates its descriptors itself, as code from protoc before 3.19 does, and google/_upb/_message.pyd of protobuf 4.25.3 refuses that. pkg-gpu requires protobuf<3.20,>=3.9.2.
                  Install protobuf 3, or a version of pkg-gpu that was generated for protobuf 4 or later; or set PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python, which is slower.
                  Python: TypeError: Descriptors cannot be created directly.
                  ? Install protobuf 3 | C:\Python\python.exe -m pip install 'protobuf<3.20,>=3.9.2'
            "#]],
        );
    }

    #[test]
    fn with_protobuf_3_it_is_healthy() {
        check_protobuf(
            "3.20.3",
            BY_PROTOC_3_8,
            "/s/google/protobuf/pyext/_message.pyd",
            expect![[r#"
            healthy
        "#]],
        );
    }

    #[test]
    fn new_code_is_healthy() {
        check_protobuf(
            "4.25.3",
            BY_PROTOC_3_20,
            UPB,
            expect![[r#"
            healthy
        "#]],
        );
        check_protobuf(
            "4.25.3",
            UNDER_A_CONDITION,
            UPB,
            expect![[r#"
            healthy
        "#]],
        );
    }

    #[test]
    fn the_python_implementation_accepts_old_code() {
        check_protobuf(
            "4.25.3",
            BY_PROTOC_3_8,
            "/s/google/_upb/_message.pyd\nvariable PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION python",
            expect![[r#"
                healthy
            "#]],
        );
        check_protobuf(
            "4.25.3",
            BY_PROTOC_3_8,
            "/s/google/_upb/_message.pyd  imports nowhere.dll",
            expect![[r#"
                healthy
            "#]],
        );
    }
}
