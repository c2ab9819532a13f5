"""What lazy.pyc beside this file is compiled from: python -m py_compile, with Python 3.15."""
import sys
lazy import json
lazy import os.path as path
lazy import a.b.c
lazy from .sub import first as renamed, second
from ..package import eager

greeting = t"hello {sys.platform!r:>9} and {eager}"
if sys.platform == "" or sys.maxsize == -1:
    import unlikely
if eager is True:
    import likely
try:
    import attempted
except ImportError:
    pass
