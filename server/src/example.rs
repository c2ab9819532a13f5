//! A recorded broken environment, for trying WhyDLL on a machine that has none.

use crate::host::Host;
use crate::host::snapshot::{self, SnapshotError};

/// TensorFlow 2.3.0 for Windows with Python 3.8, on a Windows 11 without the VC++ redistributable.
/// Recorded by `whydll snapshot` from real files, see `data/README.md`.
const RECORDED: &[u8] = include_bytes!("../data/demo.snapshot.json.xz");

/// A typical program for the example.
pub const PROGRAM: &str = "\
\"\"\"Trains a small model.\"\"\"
import numpy as np
import tensorflow as tf

model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
";

/// Returns the machine of the example.
pub fn machine() -> Result<Host, SnapshotError> {
    snapshot::read(RECORDED, "the built-in snapshot")
}
