"""Runs CPython's own parser on the modules that a file lists, one per line."""

import ast
import sys
import warnings

warnings.simplefilter("ignore")  # invalid escapes in third-party code
with open(sys.argv[1], encoding="utf-8") as modules:
    for path in modules.read().splitlines():
        with open(path, "rb") as module:
            ast.parse(module.read(), path)
