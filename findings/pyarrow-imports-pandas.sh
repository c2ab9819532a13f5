#!/usr/bin/env bash
# `import pyarrow.dataset` imports pandas if it is installed, although no line of Python does:
# pyarrow's C++ code does.
#
# pyarrow._dataset, a Cython module, makes an expression of the value True during its initialization
# (`_dataset.pyx`). That uses the C++ code that converts Python values (libarrow_python), which
# imports pandas once to be able to recognize its values, whatever the value is. `import pyarrow`
# alone makes no value. Neither the package's Python source nor the imports in the code of its
# extension modules show any of this, and pandas alone has 43 native modules. It is optional:
# without pandas the import works, too.
#
# Needs pip and Python 3.11 or later. Downloads 80 MB.
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
    """The first finder: finds nothing, and records the frame that imports pandas."""

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
