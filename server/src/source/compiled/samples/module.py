"""What the samples beside this file are compiled from: python -m py_compile, with each version."""
import sys, os.path as path
from .. import (first, second as renamed)
from everything import *

if sys.platform == "win32":
    import on_windows
elif "posix" in sys.builtin_module_names:
    import on_posix
else:
    import elsewhere

try:
    import attempted
    from attempted import part
except ImportError:
    attempted = None
else:
    import succeeded

if first or renamed:
    import either
if first and not renamed:
    import one


class Class:
    import within_a_class


def function():
    import within_a_function


with open(path.join("a", "b")) as file:
    import within_with

for number in range(3):
    import within_a_loop

if sys.version_info < (3, 0):
    raise ImportError("too old")

names = sys.builtin_module_names
if "nt" in names and sys.version_info >= (3, 8):
    import a.b.c
    import a.b.c as c

rest: tuple = names[1:3]
if first or rest:
    import one_of_both
else:
    import none_of_both
if rest is None:
    import without_names
if rest is not None:
    import with_names

try:
    if rest:
        import attempted_if
except ImportError:
    pass


def __getattr__(name):
    global Executor
    if name == "Executor":
        from .thread import Executor as executor
        Executor = executor
        return executor
    raise AttributeError(f"no {name}")
