//! An environment that is broken, to be looked at where none is: recorded from real files.

use crate::host::Host;
use crate::host::snapshot::{self, SnapshotError};

/// TensorFlow 2.3.0 for Windows with Python 3.8, on a Windows 11 without the VC++ redistributable: facts
/// recorded by `whydll snapshot`, see `data/README.md`.
const RECORDED: &[u8] = include_bytes!("../data/demo.snapshot.json.xz");

/// The program of somebody who wants to learn something from data.
pub const PROGRAM: &str = "\
\"\"\"Trains a small model.\"\"\"
import numpy as np
import tensorflow as tf

model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
";

/// The machine that it is on.
pub fn machine() -> Result<Host, SnapshotError> {
    snapshot::read(RECORDED, "the built-in snapshot")
}
