//! Tracebacks, as users paste them.

use whydll::report::Explanation;
use whydll::traceback::{decoded, read};

use crate::{Target, texts};

pub const TRACEBACK: Target = Target { name: "traceback", run, seeds };

fn run(text: &[u8]) {
    if let Ok(traceback) = read(&decoded(text)) {
        let explanation =
            Explanation { traceback: &traceback, import: Some("a"), same_environment: Some(false) };
        explanation.markdown_alone("none was given");
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = texts(&[
        r#"Traceback (most recent call last):
  File "C:\env\lib\site-packages\tensorflow\python\pywrap_tensorflow.py", line 64, in <module>
    from tensorflow.python._pywrap_tensorflow_internal import *
ImportError: DLL load failed while importing _pywrap_tensorflow_internal: The specified module could not be found.

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "main.py", line 1, in <module>
    import tensorflow as tf
  File "C:\env\lib\site-packages\tensorflow\__init__.py", line 41, in <module>
    from tensorflow.python.tools import module_util as _module_util
ImportError: Traceback (most recent call last):
  File "C:\env\lib\site-packages\tensorflow\python\platform\self_check.py", line 1, in preload_check
    raise ImportError(
ImportError: Could not find the DLL(s) 'msvcp140.dll or msvcp140_1.dll'. TensorFlow requires that these DLLs be installed
Failed to load the native TensorFlow runtime.
"#,
        "---------------------------------------------------------------------------\n\
         ImportError                               Traceback (most recent call last)\n\
         Cell In[1], line 2\n      1 import os\n----> 2 import torch\n\n\
         File ~\\env\\Lib\\site-packages\\torch\\__init__.py:148\n    146 err = ctypes.WinError(last_error)\n--> 148 raise err\n\n\
         OSError: [WinError 126] Das angegebene Modul wurde nicht gefunden. Error loading \"C:\\env\\lib\\fbgemm.dll\" or one of its dependencies.\n",
        "\u{1b}[31mModuleNotFoundError\u{1b}[0m: No module named 'numpy.core._multiarray_umath'\n\
         ERROR:root:FileNotFoundError: Could not find module 'C:\\a\\b.dll' (or one of its dependencies). Try using the full path\n\
         │ /a/lib/site-packages/c/__init__.py:3 in <module> │\nWinError 193: %1 ist keine zulässige Win32-Anwendung\n",
    ]);
    let units = "\u{feff}ImportError: DLL load failed: Не найден указанный модуль.\r\n".encode_utf16();
    seeds.push(units.flat_map(u16::to_le_bytes).collect());
    seeds
}
