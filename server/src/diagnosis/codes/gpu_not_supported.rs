#![doc = include_str!("../../../../docs/codes/gpu-not-supported.md")]

use std::str::FromStr;

use pep440_rs::Version;

use crate::action::Action;
use crate::diagnosis::{Case, Code, Finding, Fix, gpu};
use crate::loader::LoadFlags;
use crate::plan::Plan;

/// TensorFlow's documentation of this.
const GUIDE: &str = "https://www.tensorflow.org/install/pip#windows-wsl2_1";

/// Returns the finding for an import of a TensorFlow without GPU support.
pub(in crate::diagnosis) fn after_import(
    case: &Case<'_>,
    plan: &Plan<'_>,
    first_step: usize,
) -> Option<Finding> {
    let build = gpu::Build::of(plan, first_step).filter(|build| !build.is_cuda)?;
    let owner = case.environment.owner_of(&build.file, &*case.host.files)?;
    let version = Version::from_str(owner.version.as_deref()?).ok()?;
    // In earlier versions, a build without CUDA was a choice: another wheel supported it.
    if version < Version::new([2, 11]) {
        return None;
    }
    let mut process = plan.interpreter().process.clone();
    let driver = process.load(gpu::DRIVER, LoadFlags::ALTERED_SEARCH_PATH).is_ok();
    let sign = match driver {
        true => format!("the NVIDIA driver is installed ({} loads)", gpu::DRIVER),
        false => case.evidence_of_cuda()?,
    };
    let mut finding =
        case.finding(Code::GpuNotSupported, &[], Code::GpuNotSupported.default_severity(), None);
    finding.what = format!(
        "TensorFlow {version} cannot use the GPU on Windows: 2.10 was the last version that could. It works \
         on the CPU."
    );
    finding.evidence =
        format!("According to {}, this build has no CUDA support, and {sign}.", case.short(&build.file));
    finding.advice =
        "If you want the GPU, run TensorFlow in WSL2, or use TensorFlow 2.10 with CUDA 11.2 (up to Python \
         3.10), or a framework whose Windows wheels support CUDA."
            .to_owned();
    let guide = Fix::new("Open TensorFlow's guide for WSL2", Action::Open(GUIDE.to_owned()));
    finding.fixes.push(guide);
    let python = &case.environment.version;
    // The wheels of 2.10 are for Python 3.7 to 3.10. They were built with NumPy 1, but their
    // metadata doesn't say so.
    if python.at_least(3, 7) && !python.at_least(3, 11) {
        finding.fixes.extend(
            case.install(&["tensorflow==2.10.1", "numpy<2"], "Install TensorFlow 2.10 into this environment"),
        );
    }
    Some(finding)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use crate::testing;

    /// Checks TensorFlow `version` without CUDA on Python 3.`minor`, on a machine with these files
    /// and directives.
    fn check(version: &str, minor: u32, machine: &str, expected: Expect) {
        testing::check(
            &format!(
                "
                /Python/python.exe           imports python3{minor}.dll
                /Python/python3{minor}.dll   version 3.{minor}.10150.1013
                /Python/Lib/os.py            text
                /Python/Lib/site-packages/tensorflow/__init__.py    text
                    from tensorflow.python.platform import build_info
                /Python/Lib/site-packages/tensorflow/python/platform/build_info.py    text
                    import collections
                    build_info = collections.OrderedDict([('is_cuda_build', False), ('is_rocm_build', False)])
                /Python/Lib/site-packages/tensorflow_intel-{version}.dist-info/METADATA   text
                    Name: tensorflow-intel
                    Version: {version}
                /Python/Lib/site-packages/tensorflow_intel-{version}.dist-info/RECORD     text
                    tensorflow/__init__.py,,
                    tensorflow/python/platform/build_info.py,,
                {machine}
                import tensorflow
                "
            ),
            expected,
        );
    }

    const DRIVER: &str = "/driver/nvcuda.dll\n                path /driver";

    #[test]
    fn a_driver_shows_that_there_is_a_gpu() {
        check(
            "2.15.0",
            10,
            DRIVER,
            expect![[r#"
                information gpu-not-supported: 
                  TensorFlow 2.15.0 cannot use the GPU on Windows: 2.10 was the last version that could. It works on the CPU.
                  According to tensorflow/python/platform/build_info.py, this build has no CUDA support, and the NVIDIA driver is installed (nvcuda.dll loads).
                  If you want the GPU, run TensorFlow in WSL2, or use TensorFlow 2.10 with CUDA 11.2 (up to Python 3.10), or a framework whose Windows wheels support CUDA.
                  ? Open TensorFlow's guide for WSL2 | https://www.tensorflow.org/install/pip#windows-wsl2_1
                  ? Install TensorFlow 2.10 into this environment | C:\Python\python.exe -m pip install tensorflow==2.10.1 'numpy<2'
            "#]],
        );
    }

    #[test]
    fn cuda_path_shows_that_cuda_was_installed() {
        check(
            "2.20.0rc0",
            13,
            "variable CUDA_PATH C:\\cuda",
            expect![[r#"
                information gpu-not-supported: 
                  TensorFlow 2.20.0rc0 cannot use the GPU on Windows: 2.10 was the last version that could. It works on the CPU.
                  According to tensorflow/python/platform/build_info.py, this build has no CUDA support, and CUDA_PATH is C:\cuda.
                  If you want the GPU, run TensorFlow in WSL2, or use TensorFlow 2.10 with CUDA 11.2 (up to Python 3.10), or a framework whose Windows wheels support CUDA.
                  ? Open TensorFlow's guide for WSL2 | https://www.tensorflow.org/install/pip#windows-wsl2_1
            "#]],
        );
    }

    #[test]
    fn nvidia_wheels_show_that_the_gpu_is_wanted() {
        check(
            "2.11.0",
            9,
            "/Python/Lib/site-packages/nvidia/cudnn/bin/cudnn64_8.dll",
            expect![[r#"
                information gpu-not-supported: 
                  TensorFlow 2.11.0 cannot use the GPU on Windows: 2.10 was the last version that could. It works on the CPU.
                  According to tensorflow/python/platform/build_info.py, this build has no CUDA support, and nvidia/cudnn/bin exists.
                  If you want the GPU, run TensorFlow in WSL2, or use TensorFlow 2.10 with CUDA 11.2 (up to Python 3.10), or a framework whose Windows wheels support CUDA.
                  ? Open TensorFlow's guide for WSL2 | https://www.tensorflow.org/install/pip#windows-wsl2_1
                  ? Install TensorFlow 2.10 into this environment | C:\Python\python.exe -m pip install tensorflow==2.10.1 'numpy<2'
            "#]],
        );
    }

    #[test]
    fn without_any_sign_nothing_is_reported() {
        check(
            "2.20.0",
            13,
            "",
            expect![[r#"
            healthy
        "#]],
        );
    }

    #[test]
    fn before_2_11_a_build_without_cuda_is_not_reported() {
        check(
            "2.10.1",
            10,
            DRIVER,
            expect![[r#"
            healthy
        "#]],
        );
    }

    #[test]
    fn a_driver_for_another_architecture_does_not_count() {
        check(
            "2.15.0",
            10,
            "/driver/nvcuda.dll  arm64\n                path /driver",
            expect![[r#"
            healthy
        "#]],
        );
    }
}
