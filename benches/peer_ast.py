"""CPython's own parser on the modules that a file lists, one a line."""

import ast
import sys
import warnings

warnings.simplefilter("ignore")  # invalid escapes in what others wrote
with open(sys.argv[1], encoding="utf-8") as modules:
    for path in modules.read().splitlines():
        with open(path, "rb") as module:
            ast.parse(module.read(), path)
