//! Which processor real modules need to start, as their code tells. `WHYDLL_REAL` names the folder of real environments.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs};

use whydll::host::{Disk, Files, WinPath};

/// TensorFlow 2.3 is built for AVX throughout, and 2.21 is not: of half a million instructions of each, a tenth is AVX's in the one and
/// none in the other (objdump). What else people install runs on every x64 processor: it asks before it uses more.
#[test]
fn tensorflow_2_3_needs_avx_and_nothing_else_does() {
    let real = PathBuf::from(
        env::var_os("WHYDLL_REAL").expect("set WHYDLL_REAL to the folder that tests/real/setup prints"),
    );
    let disk = Disk::new(Arc::default());
    let mut examined = 0;
    let mut needy = BTreeSet::new();
    for environment in ["complete", "complete-2.21", "packages-3.13"] {
        images(&real.join(environment), &mut |image| {
            examined += 1;
            let needs = disk.instructions(&WinPath::from_native(image)).unwrap_or_default();
            if !needs.is_empty() {
                let package =
                    image.strip_prefix(real.join(environment).join("Lib/site-packages")).unwrap_or(image);
                let package =
                    package.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
                needy.insert((
                    environment,
                    package.unwrap_or_default(),
                    needs.iter().cloned().collect::<Vec<_>>().join(" "),
                ));
            }
        });
    }
    assert!(examined > 1000, "only {examined} images");
    assert_eq!(needy, BTreeSet::from([("complete", "tensorflow".to_owned(), "avx".to_owned())]));
}

fn images(folder: &Path, see: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).expect("it is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            images(&path, see);
        } else if path.extension().is_some_and(|extension| extension == "pyd" || extension == "dll") {
            see(&path);
        }
    }
}
