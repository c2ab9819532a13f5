#![doc = include_str!("../../../../docs/codes/missing-gpu-library.md")]

use crate::action::{Action, Command};
use crate::cpython::CONDA_FOLDERS;
use crate::diagnosis::Severity;
use crate::diagnosis::cures::UNKNOWN_UNTIL_INSTALLED;
use crate::diagnosis::wording::{list, some_of, windows_error};
use crate::diagnosis::{Case, Code, Finding, Fix, Problem, gpu};
use crate::environment::EnvironmentKind;
use crate::host::WinPath;
use crate::loader::{Fault, LoadFlags, Process};
use crate::plan::Plan;

/// The maximum number of DLLs that a sentence names.
const MOST_NAMES: usize = 3;

/// Returns the finding for libraries that TensorFlow won't find when it looks for GPUs, after a
/// successful import.
pub(in crate::diagnosis) fn after_import(
    case: &Case<'_>,
    plan: &Plan<'_>,
    first_step: usize,
) -> Option<Finding> {
    let build = gpu::Build::of(plan, first_step).filter(|build| build.is_cuda)?;
    let wanted = gpu::libraries(build.cuda?)?;
    // The usual way to disable GPUs (CUDA C++ Programming Guide, "CUDA Environment Variables").
    if plan.known_variable("CUDA_VISIBLE_DEVICES").is_some_and(|devices| matches!(devices, "-1" | "")) {
        return None;
    }
    let mut process = plan.interpreter().process.clone();
    if case.is_conda() {
        activate(case, plan, &mut process);
    }
    let driver = load(&mut process, gpu::DRIVER).is_none();
    let sign = if driver { None } else { case.evidence_of_cuda() };
    if !driver && sign.is_none() {
        return None;
    }
    let mut problems: Vec<Problem> = Vec::new();
    for name in wanted.names {
        problems.extend(load(&mut process, name));
    }
    if problems.is_empty() {
        return None;
    }
    let path_is_known = case.host.variables.contains_key("PATH") && plan.known_variable("PATH").is_some();
    let severity = match driver && path_is_known {
        true => Code::MissingGpuLibrary.default_severity(),
        false => Severity::Information,
    };
    let mut finding = case.finding(Code::MissingGpuLibrary, &problems, severity, None);
    let copies = copies(case, &finding.dlls);
    let are_all_there = copies.iter().all(|(_, copy)| copy.is_some());
    // CUDA's installer puts its directory on PATH.
    if are_all_there && !path_is_known {
        return None;
    }
    let folders = folders(&copies);
    let refused = problems.iter().find(|problem| problem.not_found().is_none());
    finding.what = format!(
        "TensorFlow will work without the GPU: {} {}.",
        named(&finding.dlls),
        match (refused, are_all_there, finding.dlls.len()) {
            (Some(_), ..) => "cannot be loaded".to_owned(),
            (None, true, 1) => format!("is in {}, where TensorFlow does not look", written(&folders)),
            (None, true, _) => format!("are in {}, where TensorFlow does not look", written(&folders)),
            (None, false, 1) => "is missing".to_owned(),
            (None, false, _) => "are missing".to_owned(),
        }
    );
    let path = match path_is_known {
        true => "the directories of PATH",
        false => "PATH (whose value is unknown)",
    };
    let name = |problem: &Problem| problem.fault().map_or("one of them", Fault::culprit).to_owned();
    let why = match (refused, problems.first()) {
        (Some(refused), _) => {
            format!("Windows refuses {}{}", name(refused), windows_error(refused.code))
        }
        (None, first) => format!(
            "{} is not in the folder of python.exe, in the Windows folders, or in {path}",
            first.map_or_else(|| "one".to_owned(), name)
        ),
    };
    let on_gpu = match (driver, sign) {
        (true, _) => format!("The NVIDIA driver is installed ({} loads).", gpu::DRIVER),
        (false, Some(sign)) => {
            format!("{} of the NVIDIA driver is not found either, but {sign}.", gpu::DRIVER)
        }
        (false, None) => return None,
    };
    finding.evidence = format!(
        "According to {}, this build is for CUDA {}; it loads the libraries by name when it looks for GPUs, \
         and {why}. {on_gpu}",
        case.short(&build.file),
        wanted.cuda,
    );
    cure(case, &wanted, &folders, are_all_there, &mut finding);
    Some(finding)
}

/// Loads a library as TensorFlow's `LoadDynamicLibrary` does
/// (`core/platform/windows/load_library.cc`): with a bare name and `LOAD_WITH_ALTERED_SEARCH_PATH`.
fn load(process: &mut Process, name: &str) -> Option<Problem> {
    process.load(name, LoadFlags::ALTERED_SEARCH_PATH).err().map(Problem::of_process)
}

/// Sets PATH as in an activated conda environment, the supported way to use one (conda's
/// `activate.py`, `_get_path_dirs`).
fn activate(case: &Case<'_>, plan: &Plan<'_>, process: &mut Process) {
    let prefix = &case.environment.prefix;
    let mut path = vec![prefix.as_str().to_owned()];
    path.extend(CONDA_FOLDERS.iter().map(|tail| prefix.join(tail).as_str().to_owned()));
    path.extend(plan.known_variable("PATH").map(str::to_owned));
    process.set_variable("PATH", Some(&path.join(";")));
}

/// Returns each DLL with a copy for the same architecture, if one exists. A copy in a directory of
/// NVIDIA's installers is preferred.
fn copies(case: &Case<'_>, dlls: &[String]) -> Vec<(String, Option<WinPath>)> {
    let installed = case.cuda_folders();
    let copy = |dll: &String| {
        let installed_copy = installed.iter().map(|folder| folder.join(dll)).find(|copy| case.fits(copy));
        installed_copy.or_else(|| case.elsewhere(dll).into_iter().next())
    };
    dlls.iter().map(|dll| (dll.clone(), copy(dll))).collect()
}

fn folders(copies: &[(String, Option<WinPath>)]) -> Vec<WinPath> {
    let mut folders: Vec<WinPath> = Vec::new();
    for folder in copies.iter().filter_map(|(_, copy)| copy.as_ref()?.parent()) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

/// Names the DLLs: "a.dll and b.dll", "a.dll, b.dll, c.dll and 5 more".
fn named(dlls: &[String]) -> String {
    some_of(dlls.iter().cloned(), MOST_NAMES)
}

fn written(folders: &[WinPath]) -> String {
    let names: Vec<String> = folders.iter().map(|folder| folder.as_str().to_owned()).collect();
    list(&names, "and")
}

fn cure(
    case: &Case<'_>,
    wanted: &gpu::Libraries,
    folders: &[WinPath],
    are_all_there: bool,
    finding: &mut Finding,
) {
    let (cuda, cudnn) = (wanted.cuda, wanted.cudnn);
    let store = match case.environment.base_kind {
        EnvironmentKind::Store => {
            " The Python of the Microsoft Store does not search PATH: use the one from python.org."
        }
        _ => "",
    };
    if are_all_there {
        let what = if folders.len() == 1 { "that folder" } else { "those folders" };
        finding.advice = format!(
            "If you want the GPU, put {what} on PATH (os.add_dll_directory does not help, because \
             TensorFlow's loads do not search its directories).{store}"
        );
    } else {
        finding.advice = format!(
            "If you do not need the GPU, ignore this. Otherwise, install CUDA {cuda} and cuDNN {cudnn} (a \
             newer CUDA uses other names) and put their bin folders on PATH.{store}"
        );
        if case.is_conda() {
            let prefix = case.environment.prefix.as_str();
            let (toolkit, cudnn) = (format!("cudatoolkit={cuda}"), format!("cudnn={cudnn}"));
            let words = ["install", "--prefix", prefix, "-c", "conda-forge", &toolkit, &cudnn];
            let title = format!("Install CUDA {cuda} and its cuDNN with conda");
            let fix = Fix::new(title, Action::Run(Command::new("conda", words)));
            finding.fixes.push(fix.untestable(UNKNOWN_UNTIL_INSTALLED));
        }
        let cudnn_only = finding.dlls.iter().all(|dll| dll.starts_with("cudnn"));
        if !cudnn_only {
            let title = format!("Open NVIDIA's archive for CUDA {cuda}");
            finding.fixes.push(Fix::new(title, Action::Open(gpu::CUDA_ARCHIVE.to_owned())));
        }
        if finding.dlls.iter().any(|dll| dll.starts_with("cudnn")) {
            let title = format!("Open NVIDIA's archive for cuDNN {cudnn}");
            finding.fixes.push(Fix::new(title, Action::Open(gpu::CUDNN_ARCHIVE.to_owned())));
        }
    }
    for folder in folders.iter().filter(|_| store.is_empty()) {
        let title = format!("Put {folder} on PATH before the import");
        finding.fixes.push(case.before_the_import(title, Action::PrependPath(folder.as_str().to_owned())));
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use crate::testing;

    /// Checks a TensorFlow for Python 3.8 with this `build_info.py`, on a machine with these files
    /// and directives.
    fn check(build_info: &str, machine: &str, expected: Expect) {
        testing::check(
            &format!(
                "
                /Python/python.exe       imports python38.dll
                /Python/python38.dll     version 3.8.10150.1013
                /Python/Lib/os.py        text
                /Python/Lib/site-packages/tensorflow/__init__.py    text
                    from tensorflow.python.platform import build_info
                /Python/Lib/site-packages/tensorflow/python/platform/build_info.py    text
                    {build_info}
                {machine}
                "
            ),
            expected,
        );
    }

    const CUDA_10_1: &str =
        "build_info = {'cuda_version': '64_101', 'cudnn_version': '64_7', 'is_cuda_build': True}";

    /// The values of [`CUDA_10_1`] in the notation of 2.1 and 2.2.
    const NAMES: &str = "is_cuda_build = True; cuda_version_number = '10.1'; cudnn_version_number = '7'";

    const CUDA_11_2: &str = "import collections; build_info = collections.OrderedDict([('cuda_version', '64_112'), ('is_cuda_build', True)])";

    #[test]
    fn with_a_driver_and_no_cuda() {
        check(
            CUDA_11_2,
            "
                /driver/nvcuda.dll
                path /driver
                import tensorflow
            ",
            expect![[r#"
                warning missing-gpu-library: cudart64_110.dll, cublas64_11.dll, cublasLt64_11.dll, cufft64_10.dll, curand64_10.dll, cusolver64_11.dll, cusparse64_11.dll, cudnn64_8.dll
                  TensorFlow will work without the GPU: cudart64_110.dll, cublas64_11.dll, cublasLt64_11.dll and 5 more are missing.
                  According to tensorflow/python/platform/build_info.py, this build is for CUDA 11.2; it loads the libraries by name when it looks for GPUs, and cudart64_110.dll is not in the folder of python.exe, in the Windows folders, or in the directories of PATH. The NVIDIA driver is installed (nvcuda.dll loads).
                  If you do not need the GPU, ignore this. Otherwise, install CUDA 11.2 and cuDNN 8.1 (a newer CUDA uses other names) and put their bin folders on PATH.
                  ? Open NVIDIA's archive for CUDA 11.2 | https://developer.nvidia.com/cuda-toolkit-archive
                  ? Open NVIDIA's archive for cuDNN 8.1 | https://developer.nvidia.com/rdp/cudnn-archive
            "#]],
        );
    }

    #[test]
    fn a_build_info_with_names_instead_of_a_dictionary() {
        check(
            NAMES,
            "
                /driver/nvcuda.dll
                path /driver;/cuda/bin
                /cuda/bin/cudart64_101.dll
                /cuda/bin/cublas64_10.dll
                /cuda/bin/cufft64_10.dll
                /cuda/bin/curand64_10.dll
                /cuda/bin/cusolver64_10.dll
                /cuda/bin/cusparse64_10.dll
                import tensorflow
            ",
            expect![[r#"
                warning missing-gpu-library: cudnn64_7.dll
                  TensorFlow will work without the GPU: cudnn64_7.dll is missing.
                  According to tensorflow/python/platform/build_info.py, this build is for CUDA 10.1; it loads the libraries by name when it looks for GPUs, and cudnn64_7.dll is not in the folder of python.exe, in the Windows folders, or in the directories of PATH. The NVIDIA driver is installed (nvcuda.dll loads).
                  If you do not need the GPU, ignore this. Otherwise, install CUDA 10.1 and cuDNN 7.6 (a newer CUDA uses other names) and put their bin folders on PATH.
                  ? Open NVIDIA's archive for cuDNN 7.6 | https://developer.nvidia.com/rdp/cudnn-archive
            "#]],
        );
    }

    #[test]
    fn with_all_libraries_on_path_it_is_healthy() {
        check(
            CUDA_10_1,
            "
                /driver/nvcuda.dll
                path /driver;/cuda/bin;/cudnn/bin
                /cuda/bin/cudart64_101.dll
                /cuda/bin/cublas64_10.dll
                /cuda/bin/cufft64_10.dll
                /cuda/bin/curand64_10.dll
                /cuda/bin/cusolver64_10.dll
                /cuda/bin/cusparse64_10.dll
                /cudnn/bin/cudnn64_7.dll
                import tensorflow
            ",
            expect![[r#"
                healthy
            "#]],
        );
    }

    /// CUDA in its installer's directory, cuDNN in pip's.
    const ELSEWHERE: &str = "
                /driver/nvcuda.dll
                \"/Program Files/NVIDIA GPU Computing Toolkit/CUDA/v10.1/bin/cudart64_101.dll\"
                \"/Program Files/NVIDIA GPU Computing Toolkit/CUDA/v10.1/bin/cublas64_10.dll\"
                \"/Program Files/NVIDIA GPU Computing Toolkit/CUDA/v10.1/bin/cufft64_10.dll\"
                \"/Program Files/NVIDIA GPU Computing Toolkit/CUDA/v10.1/bin/curand64_10.dll\"
                \"/Program Files/NVIDIA GPU Computing Toolkit/CUDA/v10.1/bin/cusolver64_10.dll\"
                \"/Program Files/NVIDIA GPU Computing Toolkit/CUDA/v10.1/bin/cusparse64_10.dll\"
                /Python/Lib/site-packages/nvidia/cudnn/bin/cudnn64_7.dll
                path /driver
        ";

    #[test]
    fn all_libraries_in_directories_that_are_not_searched() {
        check(
            CUDA_10_1,
            &format!("{ELSEWHERE}\n                import tensorflow"),
            expect![[r#"
                warning missing-gpu-library: cudart64_101.dll, cublas64_10.dll, cufft64_10.dll, curand64_10.dll, cusolver64_10.dll, cusparse64_10.dll, cudnn64_7.dll
                  TensorFlow will work without the GPU: cudart64_101.dll, cublas64_10.dll, cufft64_10.dll and 4 more are in C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v10.1\bin and C:\Python\Lib\site-packages\nvidia\cudnn\bin, where TensorFlow does not look.
                  According to tensorflow/python/platform/build_info.py, this build is for CUDA 10.1; it loads the libraries by name when it looks for GPUs, and cudart64_101.dll is not in the folder of python.exe, in the Windows folders, or in the directories of PATH. The NVIDIA driver is installed (nvcuda.dll loads).
                  Put C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v10.1\bin on PATH before the import, then put C:\Python\Lib\site-packages\nvidia\cudnn\bin on PATH before the import.
                  * Put C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v10.1\bin on PATH before the import, then put C:\Python\Lib\site-packages\nvidia\cudnn\bin on PATH before the import | os.environ["PATH"] = r"C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v10.1\bin;" + os.environ["PATH"] | os.environ["PATH"] = r"C:\Python\Lib\site-packages\nvidia\cudnn\bin;" + os.environ["PATH"]
            "#]],
        );
    }

    #[test]
    fn add_dll_directory_does_not_help_and_path_does() {
        check(
            CUDA_10_1,
            &format!(
                "{ELSEWHERE}
                before import os
                before os.add_dll_directory(r'C:\\Program Files\\NVIDIA GPU Computing Toolkit\\CUDA\\v10.1\\bin')
                import tensorflow
                before os.environ[\"PATH\"] = r\"C:\\Program Files\\NVIDIA GPU Computing Toolkit\\CUDA\\v10.1\\bin;\" + os.environ[\"PATH\"]
                before os.environ[\"PATH\"] = r\"C:\\Python\\Lib\\site-packages\\nvidia\\cudnn\\bin;\" + os.environ[\"PATH\"]
                import tensorflow
                "
            ),
            expect![[r#"
                warning missing-gpu-library: cudart64_101.dll, cublas64_10.dll, cufft64_10.dll, curand64_10.dll, cusolver64_10.dll, cusparse64_10.dll, cudnn64_7.dll
                  TensorFlow will work without the GPU: cudart64_101.dll, cublas64_10.dll, cufft64_10.dll and 4 more are in C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v10.1\bin and C:\Python\Lib\site-packages\nvidia\cudnn\bin, where TensorFlow does not look.
                  According to tensorflow/python/platform/build_info.py, this build is for CUDA 10.1; it loads the libraries by name when it looks for GPUs, and cudart64_101.dll is not in the folder of python.exe, in the Windows folders, or in the directories of PATH. The NVIDIA driver is installed (nvcuda.dll loads).
                  Put C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v10.1\bin on PATH before the import, then put C:\Python\Lib\site-packages\nvidia\cudnn\bin on PATH before the import.
                  * Put C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v10.1\bin on PATH before the import, then put C:\Python\Lib\site-packages\nvidia\cudnn\bin on PATH before the import | os.environ["PATH"] = r"C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v10.1\bin;" + os.environ["PATH"] | os.environ["PATH"] = r"C:\Python\Lib\site-packages\nvidia\cudnn\bin;" + os.environ["PATH"]
                healthy
            "#]],
        );
    }

    #[test]
    fn without_a_driver_and_without_a_sign_of_cuda_nothing_is_reported() {
        check(
            CUDA_11_2,
            "import tensorflow",
            expect![[r#"
            healthy
        "#]],
        );
    }

    #[test]
    fn without_a_driver_but_with_cuda_path_it_is_information() {
        check(
            CUDA_11_2,
            "
                variable CUDA_PATH C:\\cuda
                path /bin
                import tensorflow
            ",
            expect![[r#"
                information missing-gpu-library: cudart64_110.dll, cublas64_11.dll, cublasLt64_11.dll, cufft64_10.dll, curand64_10.dll, cusolver64_11.dll, cusparse64_11.dll, cudnn64_8.dll
                  TensorFlow will work without the GPU: cudart64_110.dll, cublas64_11.dll, cublasLt64_11.dll and 5 more are missing.
                  According to tensorflow/python/platform/build_info.py, this build is for CUDA 11.2; it loads the libraries by name when it looks for GPUs, and cudart64_110.dll is not in the folder of python.exe, in the Windows folders, or in the directories of PATH. nvcuda.dll of the NVIDIA driver is not found either, but CUDA_PATH is C:\cuda.
                  If you do not need the GPU, ignore this. Otherwise, install CUDA 11.2 and cuDNN 8.1 (a newer CUDA uses other names) and put their bin folders on PATH.
                  ? Open NVIDIA's archive for CUDA 11.2 | https://developer.nvidia.com/cuda-toolkit-archive
                  ? Open NVIDIA's archive for cuDNN 8.1 | https://developer.nvidia.com/rdp/cudnn-archive
            "#]],
        );
    }

    #[test]
    fn hidden_devices_mean_that_no_gpu_is_wanted() {
        check(
            CUDA_11_2,
            "
                /driver/nvcuda.dll
                path /driver
                before import os
                before os.environ['CUDA_VISIBLE_DEVICES'] = '-1'
                import tensorflow
            ",
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn a_library_that_cannot_be_loaded() {
        check(
            CUDA_10_1,
            "
                /driver/nvcuda.dll
                path /driver;/cuda/bin
                /cuda/bin/cudart64_101.dll
                /cuda/bin/cublas64_10.dll
                /cuda/bin/cufft64_10.dll
                /cuda/bin/curand64_10.dll
                /cuda/bin/cusolver64_10.dll
                /cuda/bin/cusparse64_10.dll
                /cuda/bin/cudnn64_7.dll      junk
                import tensorflow
            ",
            expect![[r#"
                warning missing-gpu-library: cudnn64_7.dll
                  TensorFlow will work without the GPU: cudnn64_7.dll cannot be loaded.
                  According to tensorflow/python/platform/build_info.py, this build is for CUDA 10.1; it loads the libraries by name when it looks for GPUs, and Windows refuses cudnn64_7.dll (Windows error 193). The NVIDIA driver is installed (nvcuda.dll loads).
                  If you do not need the GPU, ignore this. Otherwise, install CUDA 10.1 and cuDNN 7.6 (a newer CUDA uses other names) and put their bin folders on PATH.
                  ? Open NVIDIA's archive for cuDNN 7.6 | https://developer.nvidia.com/rdp/cudnn-archive
            "#]],
        );
    }

    #[test]
    fn an_unknown_cuda_version_is_not_reported() {
        check(
            "build_info = {'cuda_version': '64_999', 'is_cuda_build': True}",
            "
                /driver/nvcuda.dll
                path /driver
                import tensorflow
            ",
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn a_build_without_cuda_is_not_reported() {
        check(
            "build_info = {'is_cuda_build': False}",
            "
                /driver/nvcuda.dll
                path /driver
                import tensorflow
            ",
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn the_build_info_of_another_package_is_ignored() {
        testing::check(
            r"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/other/__init__.py    text
                from other.python.platform import build_info
            /Python/Lib/site-packages/other/python/platform/build_info.py    text
                build_info = {'cuda_version': '64_112', 'is_cuda_build': True}
            /driver/nvcuda.dll
            path /driver
            import other
            ",
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn in_a_conda_environment_its_own_folder_is_on_path() {
        testing::check(
            r"
            /conda/python.exe       imports python38.dll
            /conda/python38.dll     version 3.8.10150.1013
            /conda/conda-meta/history
            /conda/Lib/os.py        text
            /conda/Lib/site-packages/tensorflow/__init__.py    text
                from tensorflow.python.platform import build_info
            /conda/Lib/site-packages/tensorflow/python/platform/build_info.py    text
                build_info = {'cuda_version': '64_101', 'is_cuda_build': True}
            /conda/Library/bin/cudart64_101.dll
            /conda/Library/bin/cublas64_10.dll
            /conda/Library/bin/cufft64_10.dll
            /conda/Library/bin/curand64_10.dll
            /conda/Library/bin/cusolver64_10.dll
            /conda/Library/bin/cusparse64_10.dll
            /driver/nvcuda.dll
            path /driver
            python /conda
            import tensorflow
            ",
            expect![[r#"
                warning missing-gpu-library: cudnn64_7.dll
                  TensorFlow will work without the GPU: cudnn64_7.dll is missing.
                  According to tensorflow/python/platform/build_info.py, this build is for CUDA 10.1; it loads the libraries by name when it looks for GPUs, and cudnn64_7.dll is not in the folder of python.exe, in the Windows folders, or in the directories of PATH. The NVIDIA driver is installed (nvcuda.dll loads).
                  If you do not need the GPU, ignore this. Otherwise, install CUDA 10.1 and cuDNN 7.6 (a newer CUDA uses other names) and put their bin folders on PATH.
                  ? Install CUDA 10.1 and its cuDNN with conda | conda install --prefix C:\conda -c conda-forge cudatoolkit=10.1 cudnn=7.6
                  ? Open NVIDIA's archive for cuDNN 7.6 | https://developer.nvidia.com/rdp/cudnn-archive
            "#]],
        );
    }

    #[test]
    fn if_path_is_unknown_the_directory_of_the_installer_is_assumed_to_be_on_it() {
        check(
            CUDA_10_1,
            &format!(
                "{ELSEWHERE}
                before import os
                before os.environ['PATH'] = input()
                import tensorflow"
            ),
            expect![[r#"
                healthy
            "#]],
        );
    }

    #[test]
    fn if_path_is_unknown_it_is_information() {
        check(
            CUDA_11_2,
            "
                /driver/nvcuda.dll
                path /driver
                before import os
                before os.environ['PATH'] = input()
                import tensorflow
            ",
            expect![[r#"
                information missing-gpu-library: cudart64_110.dll, cublas64_11.dll, cublasLt64_11.dll, cufft64_10.dll, curand64_10.dll, cusolver64_11.dll, cusparse64_11.dll, cudnn64_8.dll
                  TensorFlow will work without the GPU: cudart64_110.dll, cublas64_11.dll, cublasLt64_11.dll and 5 more are missing.
                  According to tensorflow/python/platform/build_info.py, this build is for CUDA 11.2; it loads the libraries by name when it looks for GPUs, and cudart64_110.dll is not in the folder of python.exe, in the Windows folders, or in PATH (whose value is unknown). The NVIDIA driver is installed (nvcuda.dll loads).
                  If you do not need the GPU, ignore this. Otherwise, install CUDA 11.2 and cuDNN 8.1 (a newer CUDA uses other names) and put their bin folders on PATH.
                  ? Open NVIDIA's archive for CUDA 11.2 | https://developer.nvidia.com/cuda-toolkit-archive
                  ? Open NVIDIA's archive for cuDNN 8.1 | https://developer.nvidia.com/rdp/cudnn-archive
            "#]],
        );
    }

    #[test]
    fn conda_installs_cuda_itself() {
        testing::check(
            r"
            /conda/python.exe       imports python38.dll
            /conda/python38.dll     version 3.8.10150.1013
            /conda/conda-meta/history
            /conda/Lib/os.py        text
            /conda/Lib/site-packages/tensorflow/__init__.py    text
                from tensorflow.python.platform import build_info
            /conda/Lib/site-packages/tensorflow/python/platform/build_info.py    text
                build_info = {'cuda_version': '64_110', 'is_cuda_build': True}
            /driver/nvcuda.dll
            path /driver
            python /conda
            import tensorflow
            ",
            expect![[r#"
                warning missing-gpu-library: cudart64_110.dll, cublas64_11.dll, cublasLt64_11.dll, cufft64_10.dll, curand64_10.dll, cusolver64_10.dll, cusparse64_11.dll, cudnn64_8.dll
                  TensorFlow will work without the GPU: cudart64_110.dll, cublas64_11.dll, cublasLt64_11.dll and 5 more are missing.
                  According to tensorflow/python/platform/build_info.py, this build is for CUDA 11.0; it loads the libraries by name when it looks for GPUs, and cudart64_110.dll is not in the folder of python.exe, in the Windows folders, or in the directories of PATH. The NVIDIA driver is installed (nvcuda.dll loads).
                  If you do not need the GPU, ignore this. Otherwise, install CUDA 11.0 and cuDNN 8.0 (a newer CUDA uses other names) and put their bin folders on PATH.
                  ? Install CUDA 11.0 and its cuDNN with conda | conda install --prefix C:\conda -c conda-forge cudatoolkit=11.0 cudnn=8.0
                  ? Open NVIDIA's archive for CUDA 11.0 | https://developer.nvidia.com/cuda-toolkit-archive
                  ? Open NVIDIA's archive for cuDNN 8.0 | https://developer.nvidia.com/rdp/cudnn-archive
            "#]],
        );
    }

    #[test]
    fn a_tensorflow_that_cannot_be_imported_does_not_look_for_a_gpu() {
        testing::check(
            r"
            /Python/python.exe       imports python38.dll
            /Python/python38.dll     version 3.8.10150.1013
            /Python/Lib/os.py        text
            /Python/Lib/site-packages/tensorflow/__init__.py    text
                from tensorflow.python.platform import build_info
                from tensorflow.python import native
            /Python/Lib/site-packages/tensorflow/python/native.pyd    imports nowhere.dll
            /Python/Lib/site-packages/tensorflow/python/platform/build_info.py    text
                build_info = {'cuda_version': '64_112', 'is_cuda_build': True}
            /driver/nvcuda.dll
            path /driver
            import tensorflow
            ",
            expect![[r#"
                error missing-dll: nowhere.dll
                  `import tensorflow` will fail: nowhere.dll is missing.
                  tensorflow/python/native.pyd imports nowhere.dll; Python 3.8 looks for it in tensorflow/python, C:\Python and System32, and it is in none of them (Windows error 126).
                  Install the program or package that the DLL belongs to.
                  Python: ImportError: DLL load failed while importing native: The specified module could not be found.
            "#]],
        );
    }
}
