//! Which instruction sets real modules need to start, according to their code. `WHYDLL_REAL` names
//! the directory of real environments.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs};

use whydll::host::{Disk, Files, WinPath};

/// TensorFlow 2.3 is built for AVX throughout, and 2.21 is not: of half a million instructions of
/// each, a tenth is AVX in the former and none in the latter (objdump). Other packages run on every
/// x64 processor: they check before they use more.
#[test]
#[ignore = "needs tests/real/packages"]
fn tensorflow_2_3_needs_avx_and_nothing_else_does() {
    let real = PathBuf::from(
        env::var_os("WHYDLL_REAL").expect("set WHYDLL_REAL to the folder that tests/real/setup prints"),
    );
    let disk: &dyn Files = &Disk::new(Arc::default());
    let mut examined = 0;
    let mut needing = BTreeSet::new();
    for environment in ["complete", "complete-2.21", "packages-3.13"] {
        images(&real.join(environment), &mut |image| {
            examined += 1;
            let needs = disk.instructions(&WinPath::from_native(image)).unwrap_or_default();
            if !needs.is_empty() {
                let package =
                    image.strip_prefix(real.join(environment).join("Lib/site-packages")).unwrap_or(image);
                let package =
                    package.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
                needing.insert((
                    environment,
                    package.unwrap_or_default(),
                    needs.iter().cloned().collect::<Vec<_>>().join(" "),
                ));
            }
        });
    }
    assert!(examined > 1000, "only {examined} images");
    assert_eq!(needing, BTreeSet::from([("complete", "tensorflow".to_owned(), "avx".to_owned())]));
}

fn images(folder: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).expect("the directory exists").flatten() {
        let path = entry.path();
        if path.is_dir() {
            images(&path, visit);
        } else if path.extension().is_some_and(|extension| extension == "pyd" || extension == "dll") {
            visit(&path);
        }
    }
}
