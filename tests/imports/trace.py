"""Imports a module in this Python and prints, as JSON, what that ran and loaded, in order.

    python3 trace.py FOLDER NAME        FOLDER has the installed packages, and is put first on sys.path

CPython reports this by audit events: `import` has a file name when a native module is loaded
(Python/importdl.c), `exec` has the code of each Python module, `ctypes.dlopen` the name of a
library.
"""

import json
import os
import sys

folder, name = sys.argv[1:]
sys.path[:] = [folder, *(entry for entry in sys.path[1:] if entry)]
search = list(sys.path)
before = set(sys.modules)
natives, modules, libraries = [], [], []


def native_importer(name):
    """Returns the native module whose initialization, directly or through its imports, imports `name`.

    The frames of its loader are further down (Lib/importlib/_bootstrap_external.py, ExtensionFileLoader)."""
    frame = sys._getframe(2)
    while frame:
        code = frame.f_code
        if code.co_name in ("create_module", "exec_module") and "importlib._bootstrap_external" in code.co_filename:
            loader = frame.f_locals.get("self")
            if type(loader).__name__ == "ExtensionFileLoader" and loader.path != name:
                return loader.path
        frame = frame.f_back
    return None


def listen(event, arguments):
    if event == "import" and arguments[1] and os.path.isabs(arguments[1]):
        natives.append([arguments[1], native_importer(arguments[1])])
    elif event == "exec" and arguments[0].co_name == "<module>" and os.path.isabs(arguments[0].co_filename):
        modules.append([arguments[0].co_filename, native_importer(arguments[0].co_filename)])
    elif event == "ctypes.dlopen" and isinstance(arguments[0], (str, bytes)):
        libraries.append(os.fsdecode(arguments[0]))


sys.addaudithook(listen)
# The output of packages on import is not ours.
report, sys.stdout = sys.stdout, sys.stderr
error = None
try:
    __import__(name)
except BaseException as exception:
    error = f"{type(exception).__name__}: {exception}"
json.dump({
    "executable": sys.executable,
    "version": "%d.%d.%d" % sys.version_info[:3],
    "prefix": sys.prefix,
    "search": search,
    "before": sorted(before),
    "natives": natives,
    "modules": modules,
    "libraries": libraries,
    "error": error,
}, report)
report.flush()
# Threads and exit handlers of packages don't run any more.
os._exit(0)
