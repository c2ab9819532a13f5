//! What TensorFlow does about an NVIDIA GPU: what its build says, which libraries it loads by name, and where such
//! libraries lie on a machine.

use super::case::Case;
use crate::host::{EntryKind, WinPath};
use crate::plan::{Constant, Event, Plan};

/// The name of the driver's library: `GetCudaDriverDsoHandle` in TensorFlow's
/// `stream_executor/platform/default/dso_loader.cc`. NVIDIA's driver puts it into System32.
pub(super) const DRIVER: &str = "nvcuda.dll";

/// Where NVIDIA keeps all versions of CUDA and of cuDNN.
pub(super) const CUDA_ARCHIVE: &str = "https://developer.nvidia.com/cuda-toolkit-archive";
pub(super) const CUDNN_ARCHIVE: &str = "https://developer.nvidia.com/rdp/cudnn-archive";

/// What a TensorFlow that was imported says of itself in `tensorflow/python/platform/build_info.py`, which its build
/// writes. Up to 2.2 these are names of the module, since 2.3 entries of a table.
pub(super) struct Build {
    /// That file.
    pub file: WinPath,
    /// It can use CUDA.
    pub is_cuda: bool,
    /// Major and minor version of the CUDA that it was built with.
    pub cuda: Option<(u32, u32)>,
}

impl Build {
    /// None if no TensorFlow was imported from a step on, or one that does not say.
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
            Some(Constant::Text(version)) => version_of(&version),
            _ => None,
        };
        Some(Build { file: file.clone(), is_cuda, cuda })
    }
}

/// `tensorflow.python.platform.build_info`; 1.15 and 2.0 to 2.1 lie in `tensorflow_core`.
fn is_build_info(module: &str) -> bool {
    let package = module.strip_suffix(".python.platform.build_info");
    matches!(package, Some("tensorflow" | "tensorflow_core"))
}

/// `10.1`, or `64_101` as it ends the name of cudart.
fn version_of(text: &str) -> Option<(u32, u32)> {
    if let Some((major, minor)) = text.split_once('.') {
        return Some((major.parse().ok()?, minor.parse().ok()?));
    }
    let digits = text.strip_prefix("64_")?;
    let (major, minor) = digits.split_at_checked(digits.len().checked_sub(1)?)?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// What a build for one CUDA needs.
pub(super) struct Libraries {
    /// For people: "11.2".
    pub cuda: &'static str,
    /// The cuDNN that it was tested with.
    pub cudnn: &'static str,
    /// The names that TensorFlow loads when it looks for GPUs, all of which must load (`TryDlopenCUDALibraries` in
    /// `stream_executor/platform/default/dlopen_checker.cc`). A name is that of the library and a version of its own,
    /// which `cuda_config.h` has at build time; the pairs are those of the official wheels, whose modules hold these
    /// strings and whose logs show the names.
    pub names: &'static [&'static str],
}

/// The builds with CUDA that load it on demand: 1.15 and 2.0 with CUDA 10.0, 2.1 to 2.3 with 10.1, 2.4 with 11.0, 2.5 to 2.10
/// with 11.2. Another CUDA's names are not known, and nothing is said of them.
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
        // `build_info` says `cudart64_112.dll`; no such file exists, and TensorFlow asks for 110.
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

/// What a missing DLL belongs to, where its name is that of a library of NVIDIA's: "CUDA 10.0", "cuDNN 7", "the NVIDIA
/// driver". Explains a load that failed; decides nothing.
pub(super) fn product(dll: &str) -> Option<String> {
    let dll = dll.to_ascii_lowercase();
    if dll == DRIVER {
        return Some("the NVIDIA driver".to_owned());
    }
    let (library, version) = dll.strip_suffix(".dll")?.split_once("64_")?;
    let number: u32 = version.parse().ok()?;
    match library {
        "cudnn" => Some(format!("cuDNN {number}")),
        // cudart's number has the minor version; from 11 on it stays the same for all of a major version.
        "cudart" | "cublas" | "cublaslt" if (12..80).contains(&number) => Some(format!("CUDA {number}.x")),
        "cudart" if number >= 110 => Some(format!("CUDA {}", number / 10)),
        "cudart" => Some(format!("CUDA {}.{}", number / 10, number % 10)),
        "cublas" | "cublaslt" if number == 11 => Some("CUDA 11.x".to_owned()),
        "cublas" | "cublaslt" | "cufft" | "curand" | "cusolver" | "cusparse" => {
            Some(match (library, number) {
                // The others had it too up to 10.0; since then each counts its own versions (the wheels nvidia-cufft-cu12 11.4,
                // nvidia-cufft 12.5 and so on).
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
    /// The folders where NVIDIA's installers and wheels put libraries of CUDA and cuDNN, as far as they exist: those
    /// of `CUDA_PATH` and its kin, `Program Files`, and `nvidia/*/bin` of the environment.
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

    /// What shows that somebody wants a GPU here although no driver is there: "C:\…\bin exists".
    pub(super) fn sign_of_cuda(&self) -> Option<String> {
        if let Some(value) = self.host.variables.get("CUDA_PATH") {
            return Some(format!("CUDA_PATH is {value}"));
        }
        self.cuda_folders().first().map(|folder| format!("{} is there", self.short(folder)))
    }
}
