#!/usr/bin/env bash
# `import pyarrow.dataset` imports pandas where that is installed, and no line of Python does: pyarrow's C++ code does.
#
# pyarrow._dataset, a module of Cython, makes an expression of the value True as it is initialized (`_dataset.pyx`). That goes through
# the C++ code which converts values of Python (libarrow_python), which wants to recognize values of pandas, and imports it for that,
# once, whatever the value is. `import pyarrow` alone makes no value. A reader of the package's Python text, or of the imports in the code of its extension
# modules, finds nothing of it, and pandas alone brings 43 native modules. It is optional: without pandas the import works all the same.
#
# Needs pip and Python 3.11 or later. Fetches 80 MB.
#
# Seen on 2026-11-29, pyarrow 26.0.1 with pandas 3.1.1, Python 3.11.7 on x86-64 Linux:
#   after `import pyarrow`: pandas is not imported
#   after `import pyarrow.dataset`: pandas is imported, asked for within pyarrow/dataset.py: from pyarrow._dataset import (  # noqa
#   native modules of pandas: 43
#   pyarrow/dataset.py names pandas: False
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: pyarrow==26.0.1 pandas==3.1.1
"$work/venv/bin/python" - <<'PYTHON'
import sys
import traceback
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

asked = []


class Observer:
    """The first finder: it finds nothing, and remembers who asks for pandas."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "pandas":
            frames = [frame for frame in traceback.extract_stack()[:-1] if "importlib" not in frame.filename]
            asked.append(frames[-1])


sys.meta_path.insert(0, Observer)

import pyarrow

before = "pandas" in sys.modules
print(f"after `import pyarrow`: pandas is {'' if before else 'not '}imported")
import pyarrow.dataset

after = "pandas" in sys.modules
[frame] = asked
place = "/".join(Path(frame.filename).parts[-2:])
print(f"after `import pyarrow.dataset`: pandas is {'' if after else 'not '}imported, asked for within {place}: {frame.line}")
files = [getattr(module, "__file__", None) or "" for name, module in sys.modules.items() if name.startswith("pandas.")]
print(f"native modules of pandas: {sum(file.endswith(tuple(EXTENSION_SUFFIXES)) for file in files)}")
names = "import pandas" in Path(pyarrow.dataset.__file__).read_text()
print(f"pyarrow/dataset.py names pandas: {names}")
assert not before and after, "pyarrow imports pandas at another time"
assert place == "pyarrow/dataset.py" and frame.line.startswith("from pyarrow._dataset import"), "something else imports pandas"
assert not names, "the text of pyarrow.dataset imports pandas"
PYTHON
