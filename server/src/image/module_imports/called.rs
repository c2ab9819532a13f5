//! The functions of CPython's C API that matter for what a module imports.

/// What one of CPython's functions does, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Called {
    /// `PyImport_ImportModule(name)`, and `PyImport_ImportModuleAttrString(name, attribute)`, which
    /// Python's own modules use.
    Import,
    /// `PyImport_ImportModuleLevel(name, globals, locals, names, level)`
    ImportLevel,
    /// `PyImport_Import(name)`, whose name is an object.
    ImportObject,
    /// `PyCapsule_Import(name, no_block)`, which imports the first part of the name and gets the
    /// others as attributes (`Objects/capsule.c`).
    Capsule,
    /// `PyImport_AddModule(name)`: Cython's modules share one named `cython_runtime`.
    Add,
    /// `PyModuleDef_Init(definition)`: the code that initializes the module is called later
    /// ("Multi-phase initialization", PEP 489).
    Define,
    /// `PyImport_ImportModuleLevelObject(name, globals, locals, names, level)`
    ImportStatement,
    /// `PyImport_GetModule(name)`, which Cython calls before it imports a module.
    Get,
    /// `PyModule_GetDict(module)`
    Dictionary,
    /// `PyMemoryView_FromMemory(memory, size, flags)`
    View,
    /// `PyBytes_FromStringAndSize(bytes, size)`
    Bytes,
    /// `PyUnicode_FromString(text)`
    Text,
    /// `PyUnicode_FromStringAndSize(text, size)`
    SizedText,
    /// `PyUnicode_InternFromString(text)`, by which Cython makes the objects of its strings.
    InternedText,
    /// `PyUnicode_DecodeUTF8(text, size, errors)`, the same since Cython 3.2.
    DecodedText,
    /// Another function that returns an object, or null if it fails.
    Make,
    /// A function that returns 0, or something else if it fails.
    Do,
    /// `PyErr_Clear()`
    Clear,
    /// `PyErr_ExceptionMatches(class)`
    Matches,
    /// `PyErr_Occurred()`
    Occurred,
    /// A function that is called where something has failed.
    Raise,
}

impl Called {
    /// Returns `None` for a function that doesn't matter.
    pub fn by_name(function: &[u8]) -> Option<Called> {
        if !function.starts_with(b"Py") && !function.starts_with(b"_Py") {
            return None;
        }
        Some(match function {
            b"PyImport_ImportModule"
            | b"PyImport_ImportModuleNoBlock"
            | b"PyImport_ImportModuleAttrString"
            | b"_PyImport_GetModuleAttrString" => Called::Import,
            b"PyImport_ImportModuleLevel" => Called::ImportLevel,
            b"PyImport_Import" | b"PyImport_ImportModuleAttr" | b"_PyImport_GetModuleAttr" => {
                Called::ImportObject
            }
            b"PyCapsule_Import" => Called::Capsule,
            b"PyImport_AddModule" | b"PyImport_AddModuleRef" => Called::Add,
            b"PyModuleDef_Init" => Called::Define,
            b"PyImport_ImportModuleLevelObject" => Called::ImportStatement,
            b"PyImport_GetModule" => Called::Get,
            b"PyModule_GetDict" => Called::Dictionary,
            b"PyMemoryView_FromMemory" => Called::View,
            b"PyBytes_FromStringAndSize" => Called::Bytes,
            b"PyUnicode_FromString" => Called::Text,
            b"PyUnicode_FromStringAndSize" => Called::SizedText,
            b"PyUnicode_InternFromString" => Called::InternedText,
            b"PyUnicode_DecodeUTF8" => Called::DecodedText,
            b"PyErr_Clear" => Called::Clear,
            b"PyErr_ExceptionMatches" => Called::Matches,
            b"PyErr_Occurred" => Called::Occurred,
            b"PyErr_Format"
            | b"PyErr_SetString"
            | b"PyErr_SetObject"
            | b"PyErr_SetNone"
            | b"PyErr_NoMemory"
            | b"PyErr_Print"
            | b"PyErr_BadArgument"
            | b"PyErr_BadInternalCall" => Called::Raise,
            b"PyModule_AddObject"
            | b"PyModule_AddObjectRef"
            | b"PyModule_Add"
            | b"PyModule_AddType"
            | b"PyModule_AddFunctions"
            | b"PyModule_AddIntConstant"
            | b"PyModule_AddStringConstant"
            | b"PyType_Ready"
            | b"PyDict_SetItem"
            | b"PyDict_SetItemString"
            | b"PyObject_SetAttr"
            | b"PyObject_SetAttrString" => Called::Do,
            b"PyList_New"
            | b"PyTuple_New"
            | b"PyDict_New"
            | b"PyTuple_Pack"
            | b"PyObject_GetAttr"
            | b"PyObject_GetAttrString"
            | b"PyModule_Create2"
            | b"PyModule_NewObject"
            | b"PyCapsule_New"
            | b"PyCapsule_GetPointer"
            | b"PyErr_NewException"
            | b"PyErr_NewExceptionWithDoc"
            | b"PyType_FromSpec"
            | b"PyType_FromSpecWithBases"
            | b"PyType_FromModuleAndSpec"
            | b"PyLong_FromLong"
            | b"PyObject_CallObject"
            | b"PyObject_CallFunction"
            | b"PyObject_CallMethod" => Called::Make,
            _ => return None,
        })
    }

    /// Whether it imports a module.
    pub fn imports(self) -> bool {
        matches!(
            self,
            Called::Import
                | Called::ImportLevel
                | Called::ImportObject
                | Called::Capsule
                | Called::ImportStatement
        )
    }
}
