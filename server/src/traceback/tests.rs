//! Tracebacks as users paste them.

use expect_test::{Expect, expect};

use super::*;

fn check(text: &str, expected: Expect) {
    expected.assert_eq(&describe(read(text)));
}

fn describe(read: Result<Traceback, TracebackError>) -> String {
    let read = match read {
        Ok(read) => read,
        Err(error) => return format!("{error}\n"),
    };
    let mut out = format!("{}: {}\n", read.exception.as_deref().unwrap_or("?"), read.message);
    out += &format!("{:?}", read.failure);
    if let Some(WinError { code, printed }) = read.win_error {
        out += &format!(" {code}{}", if printed { " printed" } else { "" });
    }
    out += "\n";
    if let Some(FailedImport { module, names, at }) = read.import {
        let names: String = names.iter().map(|name| format!(" {name}")).collect();
        out += &format!("import {module}{names}");
        out += &at.map_or("\n".to_owned(), |(file, line)| format!(" at {file}:{}\n", line.unwrap_or(0)));
    }
    out + &read.environment.map_or(String::new(), |environment| format!("in {environment}\n"))
}

const TENSORFLOW: &str = r#"Traceback (most recent call last):
  File "C:\Users\me\tf\lib\site-packages\tensorflow\python\pywrap_tensorflow.py", line 64, in <module>
    from tensorflow.python._pywrap_tensorflow_internal import *
ImportError: DLL load failed while importing _pywrap_tensorflow_internal: SENTENCE

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "train.py", line 3, in <module>
    import tensorflow as tf
  File "C:\Users\me\tf\lib\site-packages\tensorflow\__init__.py", line 41, in <module>
    from tensorflow.python.tools import module_util as _module_util
  File "C:\Users\me\tf\lib\site-packages\tensorflow\python\pywrap_tensorflow.py", line 83, in <module>
    raise ImportError(msg)
ImportError: Traceback (most recent call last):
  File "C:\Users\me\tf\lib\site-packages\tensorflow\python\pywrap_tensorflow.py", line 64, in <module>
    from tensorflow.python._pywrap_tensorflow_internal import *
ImportError: DLL load failed while importing _pywrap_tensorflow_internal: SENTENCE


Failed to load the native TensorFlow runtime.

See https://www.tensorflow.org/install/errors
"#;

#[test]
fn tensorflows_wrapper_around_a_failed_load_is_understood() {
    check(
        &TENSORFLOW.replace("SENTENCE", "The specified module could not be found."),
        expect![[r#"
        ImportError: DLL load failed while importing _pywrap_tensorflow_internal: The specified module could not be found.
        Extension { module: Some("_pywrap_tensorflow_internal") } 126
        import tensorflow at train.py:3
        in C:\Users\me\tf
    "#]],
    );
    // Only the last line, as users search for it.
    check(
        "Failed to load the native TensorFlow runtime.\n",
        expect![[r#"
            ?: Failed to load the native TensorFlow runtime.
            Part { module: "tensorflow" }
            import tensorflow
        "#]],
    );
}

#[test]
fn messages_of_windows_are_understood_in_many_languages() {
    let sentences = [
        "Das angegebene Modul wurde nicht gefunden.",
        "Не найден указанный модуль.",
        "Le module spécifié est introuvable.",
        "No se puede encontrar el módulo especificado.",
        "Impossibile trovare il modulo specificato.",
        "Não foi possível encontrar o módulo especificado.",
        "找不到指定的模块。",
        "指定されたモジュールが見つかりません。",
        "지정된 모듈을 찾을 수 없습니다.",
        "Nie można odnaleźć określonego modułu.",
        "Belirtilen modül bulunamadı.",
        "找不到指定的程序。",
        "Die angegebene Prozedur wurde nicht gefunden.",
        "%1 ist keine zulässige Win32-Anwendung.",
        "C:\\x.pyd n’est pas une application Win32 valide.",
        "%1 не является приложением Win32.",
        "动态链接库(DLL)初始化例程失败。",
        "Произошел сбой в программе инициализации библиотеки динамической компоновки (DLL).",
        "Zugriff verweigert",
        "操作系统无法运行 %1。",
    ];
    let codes: Vec<Option<u32>> = sentences
        .iter()
        .map(|sentence| {
            let read = read(&TENSORFLOW.replace("SENTENCE", sentence)).unwrap();
            assert_eq!(
                read.failure,
                TracebackFailure::Extension { module: Some("_pywrap_tensorflow_internal".to_owned()) }
            );
            assert!(read.message.ends_with(&sentence.replace('’', "'")), "{}", read.message);
            read.win_error.map(|error| error.code)
        })
        .collect();
    let not_found = [Some(126); 11];
    assert_eq!(codes[..11], not_found);
    let others = [127, 127, 193, 193, 193, 1114, 1114, 5].map(Some);
    assert_eq!(codes[11..19], others);
    assert_eq!(codes[19], None);
}

#[test]
fn older_pythons_do_not_name_the_module() {
    check(
        "Traceback (most recent call last):\n  File \"<stdin>\", line 1, in <module>\n  \
         File \"C:\\Anaconda3\\envs\\tf\\lib\\site-packages\\tensorflow\\__init__.py\", line 24, in <module>\n    \
         from tensorflow.python import *\n\
         ImportError: DLL load failed: Das angegebene Modul wurde nicht gefunden.\n",
        expect![[r#"
            ImportError: DLL load failed: Das angegebene Modul wurde nicht gefunden.
            Extension { module: None } 126
            import tensorflow at <stdin>:1
            in C:\Anaconda3\envs\tf
        "#]],
    );
    check(
        "ImportError: DLL load failed with error code 193\n",
        expect![[r#"
        ImportError: DLL load failed with error code 193
        Extension { module: None } 193 printed
    "#]],
    );
}

#[test]
fn tensorflows_own_message_about_dlls_is_understood() {
    check(
        "  File \"D:\\py\\lib\\site-packages\\tensorflow\\python\\platform\\self_check.py\", line 54, in preload_check\n    \
         raise ImportError(\n\
         ImportError: Could not find the DLL(s) 'msvcp140.dll or msvcp140_1.dll'. TensorFlow requires that these DLLs be \
         installed in a directory that is named in your %PATH% environment variable.\n",
        expect![[r#"
            ImportError: Could not find the DLL(s) 'msvcp140.dll or msvcp140_1.dll'. TensorFlow requires that these DLLs be installed in a directory that is named in your %PATH% environment variable.
            Dlls { names: ["msvcp140.dll", "msvcp140_1.dll"] } 126
            import tensorflow
            in D:\py
        "#]],
    );
    check(
        "ImportError: Could not find 'cudart64_100.dll'. TensorFlow requires that this DLL be installed in a directory",
        expect![[r#"
            ImportError: Could not find 'cudart64_100.dll'. TensorFlow requires that this DLL be installed in a directory
            Dlls { names: ["cudart64_100.dll"] } 126
            import tensorflow
        "#]],
    );
}

#[test]
fn the_messages_of_ctypes_are_understood() {
    check(
        "Traceback (most recent call last):\r\n  File \"main.py\", line 1, in <module>\r\n    from torch import nn, optim\r\n  \
         File \"E:\\env\\Lib\\site-packages\\torch\\__init__.py\", line 281, in <module>\r\n    _load_dll_libraries()\r\n    ^^^^^\r\n\
         OSError: [WinError 126] Не найден указанный модуль. Error loading \"E:\\env\\Lib\\site-packages\\torch\\lib\\fbgemm.dll\" \
         or one of its dependencies.\r\n",
        expect![[r#"
            OSError: [WinError 126] Не найден указанный модуль. Error loading "E:\env\Lib\site-packages\torch\lib\fbgemm.dll" or one of its dependencies.
            Dlls { names: ["E:\\env\\Lib\\site-packages\\torch\\lib\\fbgemm.dll"] } 126 printed
            import torch nn optim at main.py:1
            in E:\env
        "#]],
    );
    check(
        "OSError: [WinError 193] %1 n'est pas une application Win32 valide\n",
        expect![[r#"
        OSError: [WinError 193] %1 n'est pas une application Win32 valide
        Dlls { names: [] } 193 printed
    "#]],
    );
    check(
        "FileNotFoundError: Could not find module 'C:\\env\\lib\\site-packages\\llama_cpp\\llama.dll' (or one of its dependencies). \
         Try using the full path with constructor syntax.\n",
        expect![[r#"
            FileNotFoundError: Could not find module 'C:\env\lib\site-packages\llama_cpp\llama.dll' (or one of its dependencies). Try using the full path with constructor syntax.
            Dlls { names: ["C:\\env\\lib\\site-packages\\llama_cpp\\llama.dll"] } 126
            import llama_cpp
            in C:\env
        "#]],
    );
    // The exception first, frames without indentation: Streamlit.
    check(
        "OSError: [WinError 1114] 动态链接库(DLL)初始化例程失败。 Error loading \"C:\\P\\Lib\\site-packages\\torch\\lib\\c10.dll\" or one of \
         its dependencies.\nTraceback:\nFile \"F:\\x\\app.py\", line 13, in <module>\nimport torch\n\
         File \"C:\\P\\Lib\\site-packages\\torch\\__init__.py\", line 281, in <module>\n_load_dll_libraries()\n",
        expect![[r#"
            OSError: [WinError 1114] 动态链接库(DLL)初始化例程失败。 Error loading "C:\P\Lib\site-packages\torch\lib\c10.dll" or one of its dependencies.
            Dlls { names: ["C:\\P\\Lib\\site-packages\\torch\\lib\\c10.dll"] } 1114 printed
            import torch at F:\x\app.py:13
            in C:\P
        "#]],
    );
}

#[test]
fn a_missing_module_is_named() {
    check(
        "Traceback (most recent call last):\n  File \"C:\\w\\a.py\", line 2, in <module>\n    import os, tensorflow.keras as k\n\
         ModuleNotFoundError: No module named 'tensorflow'\n",
        expect![[r#"
            ModuleNotFoundError: No module named 'tensorflow'
            NoModule { module: "tensorflow" }
            import tensorflow.keras at C:\w\a.py:2
        "#]],
    );
    check(
        "ModuleNotFoundError: No module named 'numpy.core._multiarray_umath'\n",
        expect![[r#"
        ModuleNotFoundError: No module named 'numpy.core._multiarray_umath'
        NoModule { module: "numpy.core._multiarray_umath" }
        import numpy
    "#]],
    );
    check(
        "ImportError: numpy.core.multiarray failed to import\n",
        expect![[r#"
            ImportError: numpy.core.multiarray failed to import
            Part { module: "numpy.core.multiarray" }
            import numpy
        "#]],
    );
}

/// Python 3.15 prints first the statement, then its first use.
#[test]
fn a_lazy_import_fails_where_it_is_used() {
    check(
        r#"
Traceback (most recent call last):
  File "C:\work\main.py", line 1, in <module>
    lazy import tensorflow as tf
ImportError: lazy import of 'tensorflow' raised an exception during resolution

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "C:\work\main.py", line 3, in <module>
    tf.run()
    ^^
  File "C:\Python315\Lib\site-packages\tensorflow\__init__.py", line 40, in <module>
    from tensorflow.python import pywrap_tensorflow
ImportError: DLL load failed while importing pywrap_tensorflow: The specified module could not be found.
"#,
        expect![[r#"
            ImportError: DLL load failed while importing pywrap_tensorflow: The specified module could not be found.
            Extension { module: Some("pywrap_tensorflow") } 126
            import tensorflow at C:\work\main.py:3
            in C:\Python315
        "#]],
    );
    check(
        r#"
Traceback (most recent call last):
  File "C:\work\main.py", line 1, in <module>
    lazy import pandas
ImportError: lazy import of 'pandas' raised an exception during resolution

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "C:\work\main.py", line 3, in <module>
    pandas
ModuleNotFoundError: No module named 'pandas'
"#,
        expect![[r#"
            ModuleNotFoundError: No module named 'pandas'
            NoModule { module: "pandas" }
            import pandas
        "#]],
    );
}

#[test]
fn the_reason_within_numpys_advice_is_found() {
    check(
        "Traceback (most recent call last):\n  File \"C:\\env\\lib\\site-packages\\numpy\\core\\__init__.py\", line 23, in <module>\n    \
         from . import multiarray\nImportError: DLL load failed while importing _multiarray_umath: The specified module could not be found.\n\n\
         During handling of the above exception, another exception occurred:\n\n\
         Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    import pandas\n  \
         File \"C:\\env\\lib\\site-packages\\pandas\\__init__.py\", line 16, in <module>\n    raise ImportError(\nImportError: \n\n\
         IMPORTANT: PLEASE READ THIS FOR ADVICE ON HOW TO SOLVE THIS ISSUE!\n\n\
         Original error was: DLL load failed while importing _multiarray_umath: The specified module could not be found.\n",
        expect![[r#"
            ImportError: DLL load failed while importing _multiarray_umath: The specified module could not be found.
            Extension { module: Some("_multiarray_umath") } 126
            import pandas at a.py:1
            in C:\env
        "#]],
    );
    check(
        "ImportError: \n\nIMPORTANT: PLEASE READ THIS FOR ADVICE\n\nOriginal error was: DLL load failed: %1 is not a valid Win32 application.\n",
        expect![[r#"
            ImportError: DLL load failed: %1 is not a valid Win32 application.
            Extension { module: None } 193
        "#]],
    );
}

#[test]
fn the_markers_and_colours_of_ipython_are_understood() {
    check(
        "\u{1b}[1;31m---------------------------------------------------------------------------\u{1b}[0m\n\
         \u{1b}[1;31mImportError\u{1b}[0m                               Traceback (most recent call last)\n\
         Cell \u{1b}[1;32mIn[1], line 1\u{1b}[0m\n\u{1b}[1;32m----> 1\u{1b}[0m \u{1b}[38;5;28;01mimport\u{1b}[39;00m tensorflow \u{1b}[38;5;28;01mas\u{1b}[39;00m tf\n\
         \nFile \u{1b}[1;32m~\\anaconda3\\envs\\tf\\Lib\\site-packages\\tensorflow\\__init__.py:38\u{1b}[0m\n\
         \u{1b}[0;32m     35\u{1b}[0m import sys as _sys\n\
         \u{1b}[1;32m---> 38\u{1b}[0m from tensorflow.python.tools import module_util\n\n\
         ImportError: DLL load failed while importing _pywrap_tensorflow_common: Belirtilen modül bulunamadı.\n",
        expect![[r#"
            ImportError: DLL load failed while importing _pywrap_tensorflow_common: Belirtilen modül bulunamadı.
            Extension { module: Some("_pywrap_tensorflow_common") } 126
            import tensorflow at a cell:1
            in ~\anaconda3\envs\tf
        "#]],
    );
    check(
        "---------------------------------------------------------------------------\n\
         ImportError                               Traceback (most recent call last)\n\
         ~\\Anaconda3\\lib\\site-packages\\tensorflow\\python\\pywrap_tensorflow.py in <module>\n     57 \n---> 58   from x import *\n     59 \n\n\
         ImportError: DLL load failed: No se puede encontrar el módulo especificado.\n\n\
         During handling of the above exception, another exception occurred:\n\n\
         ImportError                               Traceback (most recent call last)\n\
         <ipython-input-1-64156d691fe5> in <module>\n----> 1 from tensorflow import keras\n\n\
         ~\\Anaconda3\\lib\\site-packages\\tensorflow\\__init__.py in <module>\n---> 41 from tensorflow.python import x\n\n\
         ImportError: Traceback (most recent call last):\n  File \"C:\\Users\\me\\Anaconda3\\lib\\site-packages\\tensorflow\\python\\pywrap_tensorflow.py\", line 58, in <module>\n\
         ImportError: DLL load failed: No se puede encontrar el módulo especificado.\n\n\nFailed to load the native TensorFlow runtime.\n",
        expect![[r#"
            ImportError: DLL load failed: No se puede encontrar el módulo especificado.
            Extension { module: None } 126
            import tensorflow keras at a cell:0
            in ~\Anaconda3
        "#]],
    );
}

#[test]
fn prefixes_of_loggers_are_skipped() {
    let lines = "Traceback (most recent call last):\n  File \"A:\\x\\settings.py\", line 3, in <module>\n    import torch\n  \
                 File \"C:\\P\\Lib\\site-packages\\torch\\__init__.py\", line 281, in <module>\n    _load_dll_libraries()\n\
                 OSError: [WinError 1114] ??? Error loading \"C:\\P\\Lib\\site-packages\\torch\\lib\\c10.dll\" or one of its dependencies.";
    for prefix in [
        "[2025-11-01 01:13:49 +0800] [27792] [INFO] [Worker] ",
        "web_1  | ",
        "2024-01-01 12:00:00,123 ERROR root: ",
        "",
    ] {
        let text: String = lines.lines().map(|line| format!("{prefix}{line}\n")).collect();
        check(
            &text,
            expect![[r#"
                OSError: [WinError 1114] ??? Error loading "C:\P\Lib\site-packages\torch\lib\c10.dll" or one of its dependencies.
                Dlls { names: ["C:\\P\\Lib\\site-packages\\torch\\lib\\c10.dll"] } 1114 printed
                import torch at A:\x\settings.py:3
                in C:\P
            "#]],
        );
    }
    // Rich draws a box around the traceback.
    check(
        "╭──────────── Traceback (most recent call last) ────────────╮\n│ C:\\w\\a.py:1 in <module>                                  │\n\
         │                                                           │\n│ ❱ 1 import cv2                                            │\n\
         ╰───────────────────────────────────────────────────────────╯\nImportError: DLL load failed while importing cv2: ...\n",
        expect![[r#"
            ImportError: DLL load failed while importing cv2: ...
            Extension { module: Some("cv2") }
            import cv2 at C:\w\a.py:1
        "#]],
    );
}

#[test]
fn the_last_failed_import_of_several_counts() {
    check(
        "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    import numpy\n\
         ModuleNotFoundError: No module named 'numpy'\n\n>>> import scipy\n\
         Traceback (most recent call last):\n  File \"b.py\", line 1, in <module>\n    import scipy\n\
         ModuleNotFoundError: No module named 'scipy'\nTraceback (most recent call last):\n  File \"c.py\", line 9, in f\n    x()\n\
         ValueError: no\n",
        expect![[r#"
            ModuleNotFoundError: No module named 'scipy'
            NoModule { module: "scipy" }
            import scipy at b.py:1
        "#]],
    );
}

#[test]
fn a_text_without_a_failed_import_is_an_error() {
    check(
        "",
        expect![[r#"
        no traceback found: paste everything that Python printed, from `Traceback (most recent call last)` to the last line
    "#]],
    );
    check(
        "All went well, and there is no Error in it: none at all.\n",
        expect![[r#"
        no traceback found: paste everything that Python printed, from `Traceback (most recent call last)` to the last line
    "#]],
    );
    check(
        "Traceback (most recent call last):\n  File \"c.py\", line 9, in f\n    except ImportError:\nValueError: no\n",
        expect![[r#"
            not a failed import: the exception is ValueError
        "#]],
    );
    check(
        "Traceback (most recent call last):\n  File \"c.py\", line 9, in f\n    from a import b\n\
         ImportError: cannot import name 'b' from 'a' (C:\\env\\a.py)\n",
        expect![[r#"
            ImportError: cannot import name 'b' from 'a' (C:\env\a.py)
            Other
            import a b at c.py:9
        "#]],
    );
}

#[test]
fn the_environment_is_the_folder_above_the_packages() {
    let environment = |file: &str| frames::environment_of(file).map(str::to_owned);
    assert_eq!(environment(r"C:\env\Lib\site-packages\x\y.py").as_deref(), Some(r"C:\env"));
    assert_eq!(environment(r"/mnt/c/env/Lib/Site-Packages/x.py").as_deref(), Some("/mnt/c/env"));
    assert_eq!(
        environment("/home/me/.venv/lib/python3.11/site-packages/x.py").as_deref(),
        Some("/home/me/.venv")
    );
    assert_eq!(environment(r"C:\Users\me\AppData\Roaming\Python\Python38\site-packages\x.py"), None);
    assert_eq!(environment(r"C:\env\Lib\x.py"), None);
    assert_eq!(frames::package_of(r"C:\env\lib\site-packages\a-1.0.egg\a\b.py"), Some("a"));
    assert_eq!(frames::package_of(r"C:\env\lib\site-packages\six.py"), Some("six"));
    assert_eq!(frames::package_of(r"C:\env\lib\os.py"), None);
}

#[test]
fn utf_16_from_powershell_is_decoded() {
    let text = "python : Traceback\r\nImportError: DLL load failed: Не найден указанный модуль.\r\n";
    let units = |to: fn(u16) -> [u8; 2]| {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(to).collect::<Vec<u8>>()
    };
    assert_eq!(decoded(&units(u16::to_le_bytes)), text);
    assert_eq!(decoded(&units(u16::to_be_bytes)), text);
    assert_eq!(decoded(format!("\u{feff}{text}").as_bytes()), text);
    assert_eq!(decoded(&[0xff, 0xfe, 0x41]), "");
    assert!(decoded(b"DLL load failed: \xcd\xe5 \xed\xe0").starts_with("DLL load failed: "));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in r#"(Traceback \(most recent call last\)|File "|"|, line |ImportError: |DLL load failed|\[WinError |'|--->|│|é|:|\n| |\\|in |a\.py|\x1b\[|\PC){0,60}"#) {
        let _ = describe(read(&text));
    }
}
