//! TensorFlow's use of NVIDIA GPUs: what its build was configured for, which libraries it loads by
//! name, and where these are on a machine.

use super::case::Case;
use crate::host::{EntryKind, WinPath};
use crate::plan::{Constant, Event, Plan};

/// The file name of the driver's library: `GetCudaDriverDsoHandle` in TensorFlow's
/// `stream_executor/platform/default/dso_loader.cc`. NVIDIA's driver installs it into System32.
pub(super) const DRIVER: &str = "nvcuda.dll";

/// The URLs of NVIDIA's archives of CUDA and cuDNN versions.
pub(super) const CUDA_ARCHIVE: &str = "https://developer.nvidia.com/cuda-toolkit-archive";
pub(super) const CUDNN_ARCHIVE: &str = "https://developer.nvidia.com/rdp/cudnn-archive";

/// The configuration that an imported TensorFlow was built with, from
/// `tensorflow/python/platform/build_info.py`, which the build generates. Up to 2.2 the values are
/// names in the module; since 2.3 they are entries of a dictionary.
pub(super) struct Build {
    /// Full path of `build_info.py`.
    pub file: WinPath,
    /// Whether the build can use CUDA.
    pub is_cuda: bool,
    /// The major and minor version of the CUDA that it was built with.
    pub cuda: Option<(u32, u32)>,
}

impl Build {
    /// Reads the configuration of a TensorFlow that was imported at or after the given step.
    /// Returns `None` if there is none, or if it doesn't contain the values.
    pub fn of(plan: &Plan<'_>, first_step: usize) -> Option<Build> {
        let (module, file) = plan.steps().iter().skip(first_step).find_map(|step| match &step.event {
            Event::Module { name, path } if is_build_info(name) => Some((name, path)),
            _ => None,
        })?;
        let says = |key: &str| {
            plan.constant(module, "build_info", Some(key)).or_else(|| plan.constant(module, key, None))
        };
        let Constant::Bool(is_cuda) = says("is_cuda_build")? else {
            return None;
        };
        let cuda = says("cuda_version").or_else(|| says("cuda_version_number"));
        let cuda = match cuda {
            Some(Constant::Str(version)) => version_of(&version),
            _ => None,
        };
        Some(Build { file: file.clone(), is_cuda, cuda })
    }
}

/// Whether this is `tensorflow.python.platform.build_info`. In 1.15 and 2.0 to 2.1 the package is
/// `tensorflow_core`.
fn is_build_info(module: &str) -> bool {
    let package = module.strip_suffix(".python.platform.build_info");
    matches!(package, Some("tensorflow" | "tensorflow_core"))
}

/// Parses a CUDA version: `10.1`, or `64_101` as in the name of cudart.
fn version_of(text: &str) -> Option<(u32, u32)> {
    if let Some((major, minor)) = text.split_once('.') {
        return Some((major.parse().ok()?, minor.parse().ok()?));
    }
    let digits = text.strip_prefix("64_")?;
    let (major, minor) = digits.split_at_checked(digits.len().checked_sub(1)?)?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The libraries that a build for one version of CUDA needs.
pub(super) struct Libraries {
    /// The human-readable version: "11.2".
    pub cuda: &'static str,
    /// The version of cuDNN that it was tested with.
    pub cudnn: &'static str,
    /// The names of the DLLs that TensorFlow loads when it looks for GPUs, all of which must load
    /// (`TryDlopenCUDALibraries` in `stream_executor/platform/default/dlopen_checker.cc`). A name
    /// consists of the library's name and its own version, which comes from `cuda_config.h` at
    /// build time. These are the names in the official wheels: their modules contain the strings,
    /// and their logs show them.
    pub names: &'static [&'static str],
}

/// Returns the libraries of the builds that load CUDA on demand: 1.15 and 2.0 with CUDA 10.0, 2.1
/// to 2.3 with 10.1, 2.4 with 11.0, 2.5 to 2.10 with 11.2. Returns `None` for other versions, whose
/// names aren't known.
pub(super) fn libraries(cuda: (u32, u32)) -> Option<Libraries> {
    Some(match cuda {
        (10, 0) => Libraries {
            cuda: "10.0",
            cudnn: "7.4",
            names: &[
                "cudart64_100.dll",
                "cublas64_100.dll",
                "cufft64_100.dll",
                "curand64_100.dll",
                "cusolver64_100.dll",
                "cusparse64_100.dll",
                "cudnn64_7.dll",
            ],
        },
        (10, 1) => Libraries {
            cuda: "10.1",
            cudnn: "7.6",
            names: &[
                "cudart64_101.dll",
                "cublas64_10.dll",
                "cufft64_10.dll",
                "curand64_10.dll",
                "cusolver64_10.dll",
                "cusparse64_10.dll",
                "cudnn64_7.dll",
            ],
        },
        (11, 0) => Libraries {
            cuda: "11.0",
            cudnn: "8.0",
            names: &[
                "cudart64_110.dll",
                "cublas64_11.dll",
                "cublasLt64_11.dll",
                "cufft64_10.dll",
                "curand64_10.dll",
                "cusolver64_10.dll",
                "cusparse64_11.dll",
                "cudnn64_8.dll",
            ],
        },
        // `build_info` contains `cudart64_112.dll`, but no such file exists, and TensorFlow loads
        // 110.
        (11, 2) => Libraries {
            cuda: "11.2",
            cudnn: "8.1",
            names: &[
                "cudart64_110.dll",
                "cublas64_11.dll",
                "cublasLt64_11.dll",
                "cufft64_10.dll",
                "curand64_10.dll",
                "cusolver64_11.dll",
                "cusparse64_11.dll",
                "cudnn64_8.dll",
            ],
        },
        _ => return None,
    })
}

/// Returns the product that a missing DLL belongs to, if it is named like a library of NVIDIA:
/// "CUDA 10.0", "cuDNN 7", "the NVIDIA driver". It explains a failed load and never decides that
/// something fails.
pub(super) fn product(dll: &str) -> Option<String> {
    let dll = dll.to_ascii_lowercase();
    if dll == DRIVER {
        return Some("the NVIDIA driver".to_owned());
    }
    let (library, version) = dll.strip_suffix(".dll")?.split_once("64_")?;
    let number: u32 = version.parse().ok()?;
    match library {
        "cudnn" => Some(format!("cuDNN {number}")),
        // The number of cudart includes the minor version. From 11 on, it is the same for all minor
        // versions.
        "cudart" | "cublas" | "cublaslt" if (12..80).contains(&number) => Some(format!("CUDA {number}.x")),
        "cudart" if number >= 110 => Some(format!("CUDA {}", number / 10)),
        "cudart" => Some(format!("CUDA {}.{}", number / 10, number % 10)),
        "cublas" | "cublaslt" if number == 11 => Some("CUDA 11.x".to_owned()),
        "cublas" | "cublaslt" | "cufft" | "curand" | "cusolver" | "cusparse" => {
            Some(match (library, number) {
                // The others also had it up to 10.0. Since then, each library has its own version
                // (the wheels nvidia-cufft-cu12 11.4, nvidia-cufft 12.5 and so on).
                (_, 80..=100) => format!("CUDA {}.{}", number / 10, number % 10),
                ("cufft", 11) => "CUDA 12.x".to_owned(),
                ("cufft" | "cusolver", 12) => "CUDA 13.x".to_owned(),
                _ => "CUDA".to_owned(),
            })
        }
        _ => None,
    }
}

impl Case<'_> {
    /// Returns the existing directories into which NVIDIA's installers and wheels put libraries of
    /// CUDA and cuDNN: those of the `CUDA_PATH` variables, in `Program Files`, and `nvidia/*/bin`
    /// of the environment.
    pub(super) fn cuda_folders(&self) -> Vec<WinPath> {
        let files = &*self.host.files;
        let mut folders: Vec<WinPath> = Vec::new();
        for (_, value) in self.host.variables.iter().filter(|(name, _)| name.starts_with("CUDA_PATH")) {
            folders.push(WinPath::new(value.as_str()).join("bin"));
        }
        let mut parents: Vec<WinPath> = Vec::new();
        if let Some(drive) = self.host.windows_directory.parent() {
            let programs = drive.join("Program Files");
            parents.push(programs.join("NVIDIA GPU Computing Toolkit\\CUDA"));
            parents.push(programs.join("NVIDIA\\CUDNN"));
        }
        parents.extend(self.environment.site_packages.iter().map(|folder| folder.join("nvidia")));
        for parent in parents {
            let Ok(listing) = files.folder(&parent) else {
                continue;
            };
            let inner = listing.entries();
            let inner = inner.iter().filter(|entry| entry.kind == EntryKind::Folder);
            folders.extend(inner.map(|entry| parent.join(&entry.name).join("bin")));
        }
        let mut existing: Vec<WinPath> = Vec::new();
        for folder in folders {
            if !existing.contains(&folder) && files.is_folder(&folder) {
                existing.push(folder);
            }
        }
        existing
    }

    /// Returns a sign that a GPU should be used although no driver is installed: "C:\…\bin exists".
    pub(super) fn evidence_of_cuda(&self) -> Option<String> {
        if let Some(value) = self.host.variables.get("CUDA_PATH") {
            return Some(format!("CUDA_PATH is {value}"));
        }
        self.cuda_folders().first().map(|folder| format!("{} exists", self.short(folder)))
    }
}
