"""The failures: what is installed, what is wrong with it, and whether a fix is to be preferred. All
of them were reported by users, most with exactly these versions."""

import subprocess
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Callable, Optional

from machine import PIP, PROJECT, REDISTRIBUTABLES, SYSTEM32, Machine
from recipes import replace, write

PREFIX = "C:\\Python311"
PYTHON = f"{PREFIX}\\python.exe"
SITE = f"{PREFIX}\\Lib\\site-packages"
VENV = f"{PROJECT}\\.venv"
VENV_PYTHON = f"{VENV}\\Scripts\\python.exe"

NUMPY = ["numpy==1.26.4"]
PANDAS = [*NUMPY, "pandas==2.2.3", "python-dateutil==2.9.0.post0", "pytz==2024.2", "six==1.16.0", "tzdata==2024.2"]
TORCH = ["torch==2.9.0", "filelock==3.16.1", "fsspec==2024.10.0", "jinja2==3.1.4", "markupsafe==3.0.2", "mpmath==1.3.0",
         "networkx==3.4.2", "sympy==1.13.3", "typing-extensions==4.15.0"]
ONNX = [*NUMPY, "onnx==1.16.2", "protobuf==5.28.3"]
ONNXRUNTIME = [*NUMPY, "onnxruntime==1.23.2", "coloredlogs==15.0.1", "flatbuffers==24.3.25", "humanfriendly==10.0",
               "mpmath==1.3.0", "packaging==24.2", "protobuf==5.28.3", "pyreadline3==3.5.4", "sympy==1.13.3"]
PYQT = ["PyQt5==5.15.11", "PyQt5-Qt5==5.15.2", "PyQt5-sip==12.15.0"]
CRYPTOGRAPHY = ["cryptography==43.0.3", "cffi==1.17.1", "pycparser==2.22"]
CTRANSLATE2 = [*NUMPY, "ctranslate2==4.5.0", "pyyaml==6.0.2", "setuptools==75.8.0"]
LIGHTGBM = [*NUMPY, "lightgbm==4.6.0", "scipy==1.14.1"]
OPTREE = ["optree==0.19.0", "typing-extensions==4.15.0"]
PYARROW = ["pyarrow==18.1.0"]


class Preferred(Enum):
    """Whether a fix is to be preferred."""

    MUST = "must be"
    # The fix cures, but nothing on the machine proves that: it depends on a wheel that only pip will see.
    MAY = "may be"
    # No available fix cures.
    NEVER = "must not be"


@dataclass
class Case:
    name: str
    # The lines of the program with the imports.
    program: str
    # The packages of Python 3.11 in addition to pip; None: the machine has no such Python.
    wheels: Optional[list] = None
    # The redistributable in System32, if there is one.
    runtime: Optional[str] = "newest"
    # Further changes to the machine.
    make: Callable[[Machine], None] = lambda machine: None
    # The interpreter that runs the program.
    python: str = PYTHON
    # The directories on PATH.
    on_path: tuple = ()
    # More arguments for `whydll check`.
    ask: tuple = ()
    preferred: Preferred = Preferred.MUST


def cases():
    return [*without_runtime(), *old_runtimes(), *orders(), *damaged(), *misplaced(), *of_python(), *elsewhere()]


# --- No redistributable ----------------------------------------------------------------------------------------------


def without_runtime():
    def case(name, wheels, **more):
        return Case(f"{name} without the redistributable", f"import {name}\n", wheels, runtime=None, **more)

    return [
        case("greenlet", ["greenlet==3.3.1"]),
        case("kiwisolver", ["kiwisolver==1.4.7"]),
        case("lightgbm", LIGHTGBM),
        case("ctranslate2", CTRANSLATE2),
        case("llvmlite.binding", ["llvmlite==0.45.0"]),
        case("onnxruntime", ONNXRUNTIME),
        case("torch", TORCH),
        tensorflow("2.3", "C:\\Python38", "complete"),
        tensorflow("2.21", "C:\\Python313", "complete-2.21"),
        Case("pyzbar without the redistributable of 2013", "import pyzbar.pyzbar\n", ["pyzbar==0.1.9"]),
        # For this Python, pip knows no newer one than 14.34, in which this onnx crashes.
        Case("onnx for Python 3.8 without the redistributable", "import onnx\n", runtime=None, make=old_python,
             python="C:\\Python38\\python.exe"),
        Case("lightgbm without vcomp140.dll", "import lightgbm\n", LIGHTGBM,
             make=lambda machine: machine.file(f"{SYSTEM32}\\vcomp140.dll").unlink()),
        Case("greenlet without the redistributable and without pip", "import greenlet\n", runtime=None,
             make=lambda machine: machine.add_python(PREFIX, "greenlet==3.3.1")),
        Case("greenlet without the redistributable where uv made everything", "import greenlet\n", runtime=None,
             make=all_by_uv, python=VENV_PYTHON),
        Case("greenlet, and a 32-bit redistributable next to Python", "import greenlet\n", ["greenlet==3.3.1"],
             runtime=None, make=lambda machine: machine.add_runtime(PREFIX, "32-bit")),
        Case("the redistributable is only in a virtual environment", "import greenlet\n", [], runtime=None,
             make=venv_with_runtime, python=VENV_PYTHON),
        Case("the redistributable is only on PATH", "import greenlet\n", ["greenlet==3.3.1"], runtime=None,
             make=lambda machine: machine.add_runtime("C:\\tools", "newest"), on_path=("C:\\tools",)),
    ]


def tensorflow(number, prefix, environment):
    return Case(f"tensorflow {number} without the redistributable", "import tensorflow\n", None, runtime=None,
                make=lambda machine: machine.add_environment(prefix, environment), python=f"{prefix}\\python.exe")


def old_python(machine):
    machine.add_python("C:\\Python38", PIP, "numpy==1.24.4", "onnx==1.16.2", "protobuf==5.28.3", version="3.8")


def all_by_uv(machine):
    """pip refuses to change uv's Pythons, and uv's environments have no pip."""
    machine.add_uv()
    base = f"{machine.user()}\\AppData\\Roaming\\uv\\python\\cpython-3.11.9-windows-x86_64-none"
    machine.add_python(base, PIP)
    write(machine.file(f"{base}\\Lib\\EXTERNALLY-MANAGED"),
          "[externally-managed]\nError=This Python installation is managed by uv and should not be modified.\n")
    machine.add_venv(VENV, base, "greenlet==3.3.1", made_by="uv = 0.9.5\n")


def venv_with_runtime(machine):
    """As after `pip install msvc-runtime`: the running process is the base's, and doesn't search there."""
    machine.add_venv(VENV, PREFIX, PIP, "greenlet==3.3.1")
    machine.add_runtime(VENV, "newest")
    machine.add_runtime(f"{VENV}\\Scripts", "newest")


# --- Old copies of its DLLs ------------------------------------------------------------------------------------------


def old_runtimes():
    def next_to_python(version):
        return lambda machine: machine.add_runtime(PREFIX, version)

    return [
        Case("onnx, 14.34 in System32", "import onnx\n", ONNX, runtime="14.34"),
        Case("torch, 14.34 in System32", "import torch\n", TORCH, runtime="14.34"),
        Case("llvmlite, 14.29 in System32", "from llvmlite import binding\n", ["llvmlite==0.45.0"], runtime="14.29"),
        Case("onnxruntime, 14.29 next to Python", "import onnxruntime\n", ONNXRUNTIME, make=next_to_python("14.29")),
        Case("llvmlite, 14.29 next to Python", "from llvmlite import binding\n", ["llvmlite==0.45.0"], make=next_to_python("14.29")),
        Case("onnx, 14.34 next to Python and none in System32", "import onnx\n", ONNX, runtime=None, make=next_to_python("14.34")),
        Case("onnx in a virtual environment, 14.34 next to its base", "import onnx\n", [], make=venv_of_old_base,
             python=VENV_PYTHON),
        Case("onnx, 14.34 next to Python by pip", "import onnx\n", ONNX, make=msvc_runtime_by_pip),
        Case("onnx, 14.34 next to Python by pip and none in System32", "import onnx\n", ONNX, runtime=None,
             make=msvc_runtime_by_pip),
    ]


def venv_of_old_base(machine):
    machine.add_runtime(PREFIX, "14.34")
    machine.add_venv(VENV, PREFIX, PIP, *ONNX)


def msvc_runtime_by_pip(machine):
    said = machine.run_pip(PYTHON, "install", "msvc-runtime==14.34.31931")
    if "Successfully installed" not in said:
        raise RuntimeError(said)


# --- Earlier imports -------------------------------------------------------------------------------------------------


def orders():
    def pyarrow_and_optree(how, program, make=lambda machine: None):
        return Case(f"pyarrow before optree{how}", program, [*PYARROW, *OPTREE], make=make)

    return [
        pyarrow_and_optree("", '"""A program."""\n\nfrom __future__ import annotations\n\nimport pyarrow\nimport optree\n'),
        pyarrow_and_optree(", in one statement", "import os\nimport pyarrow, optree\n"),
        pyarrow_and_optree(", in a block", "if __name__ == '__main__':\n    import pyarrow\n    import optree\n"),
        pyarrow_and_optree(", in a module of the program", "import tables\nimport optree\n",
                           lambda machine: write(machine.file(f"{PROJECT}\\tables.py"), "import pyarrow\n")),
        Case("PyQt5 before optree", "import PyQt5\nimport optree\n", [*PYQT, *OPTREE]),
        Case("pyzmq before onnx", "import zmq\nimport onnx\n", [*ONNX, "pyzmq==26.1.0"]),
        Case("PyQt5 before torch", "from PyQt5 import QtWidgets\nimport torch\n", [*PYQT, *TORCH]),
        Case("pyarrow before pyopenms", "import pyarrow\nimport pyopenms\n", [*PYARROW, *PANDAS, "pyopenms==3.2.0"]),
    ]


# --- Damaged installs ------------------------------------------------------------------------------------------------


def damaged():
    def case(name, program, wheels, pattern, damage=None):
        def make(machine):
            [file] = machine.file(SITE).glob(pattern)
            if damage:
                replace(file, damage(file.read_bytes()))
            else:
                file.unlink()
        return Case(name, program, wheels, make=make)

    h5py = [*NUMPY, "h5py==3.12.1"]
    return [
        case("numpy's OpenBLAS is deleted", "import numpy\n", NUMPY, "numpy.libs/libopenblas*.dll"),
        case("a module of h5py is deleted", "import h5py\n", h5py, "h5py/_errors.*.pyd"),
        case("a DLL of h5py is deleted", "import h5py\n", h5py, "h5py/hdf5.dll"),
        case("kiwisolver's module is empty", "import kiwisolver\n", ["kiwisolver==1.4.7"], "kiwisolver/_cext.*.pyd",
             lambda whole: b""),
        case("grpcio's module is cut", "import grpc\n", ["grpcio==1.67.1"], "grpc/_cython/cygrpc.*.pyd",
             lambda whole: whole[:4096]),
        case("cryptography's module is a text file", "from cryptography.hazmat.primitives import hashes\n", CRYPTOGRAPHY,
             "cryptography/hazmat/bindings/_rust.pyd", lambda whole: b"This is not a DLL.\r\n" * 1000),
        case("greenlet's module is for 32 bits", "import greenlet\n", ["greenlet==3.3.1"], "greenlet/_greenlet.*.pyd",
             lambda whole: (REDISTRIBUTABLES / "redistributable-32" / "msvcp140.dll").read_bytes()),
        Case("numpy is for 32 bits", "import numpy\n", [],
             make=lambda machine: machine.add_wheels(SITE, *NUMPY, heading="3.11 32-bit"), preferred=Preferred.MAY),
        Case("a DLL of h5py is deleted in the user's own packages", "import h5py\n", NUMPY, make=user_without_hdf5),
        Case("kiwisolver's module is empty in the base of a virtual environment", "import kiwisolver\n",
             ["kiwisolver==1.4.7"], make=venv_with_damaged_base, python=VENV_PYTHON),
        Case("a DLL of h5py is deleted where uv rules", "import h5py\n", [], make=uv_venv_without_hdf5,
             python=VENV_PYTHON),
    ]


def user_without_hdf5(machine):
    machine.add_wheels(machine.user_site(), "h5py==3.12.1")
    machine.file(f"{machine.user_site()}\\h5py\\hdf5.dll").unlink()


def venv_with_damaged_base(machine):
    machine.add_venv(VENV, PREFIX, PIP, with_base=True)
    damage_kiwisolver(machine)


def damage_kiwisolver(machine):
    [module] = machine.file(SITE).glob("kiwisolver/_cext.*.pyd")
    replace(module, b"")


def uv_venv_without_hdf5(machine):
    machine.add_uv()
    machine.add_venv(VENV, PREFIX, *NUMPY, "h5py==3.12.1", made_by="uv = 0.9.5\n")
    machine.file(f"{VENV}\\Lib\\site-packages\\h5py\\hdf5.dll").unlink()


# --- DLLs in directories that are not searched -----------------------------------------------------------------------


def misplaced():
    def case(where, folder=None, program="import meshpy.tet\n", **more):
        make = (lambda machine: add_mingw(machine, folder)) if folder else (lambda machine: None)
        return Case(f"MinGW's DLLs are {where}", program, [*NUMPY, "meshpy==2025.1.1"], make=make, **more)

    mingw = "C:\\msys64\\mingw64\\bin"
    in_function = "def main():\n    import meshpy.tet\n\nmain()\n"
    return [
        case("on PATH only", mingw, on_path=(mingw,)),
        case("on PATH only, for an import in a function", mingw, in_function, on_path=(mingw,)),
        case("in another folder of the environment", f"{PREFIX}\\Library\\bin"),
        # The wheel never had them, so reinstalling it doesn't help.
        case("nowhere", preferred=Preferred.NEVER),
        # The files of a program are not known before it is installed.
        Case("VLC is not installed", "import vlc\n", ["python-vlc==3.0.21203"], ask=("--import", "vlc"),
             preferred=Preferred.NEVER),
    ]


def add_mingw(machine, folder):
    target = machine.file(folder)
    target.mkdir(parents=True)
    for name in ("libgcc_s_seh-1.dll", "libstdc++-6.dll"):
        found = subprocess.run(["x86_64-w64-mingw32-gcc", f"-print-file-name={name}"], stdout=subprocess.PIPE, text=True)
        replace(target / name, Path(found.stdout.strip()).read_bytes())


# --- Python's own files ----------------------------------------------------------------------------------------------


def of_python():
    def case(package, program, dll, wheels=()):
        return Case(f"{package} without {dll}", program, list(wheels),
                    make=lambda machine: machine.file(f"{PREFIX}\\{dll}").unlink())

    return [
        case("cryptography", "from cryptography.hazmat.primitives import hashes\n", "python3.dll", CRYPTOGRAPHY),
        case("ctypes", "import ctypes\n", "libffi-8.dll"),
        case("sqlite3", "import sqlite3\n", "sqlite3.dll"),
        case("ssl", "import ssl\n", "libcrypto-3.dll"),
    ]


# --- Another package, another Python ---------------------------------------------------------------------------------


def elsewhere():
    def hidden(by, *files):
        def make(machine):
            for file in files:
                path = machine.file(f"{PROJECT}\\{file}")
                path.parent.mkdir(exist_ok=True)
                write(path, "values = [1, 2, 3]\n")
        return Case(f"{by} next to the program", "import numpy.linalg\n", NUMPY, make=make)

    def in_venv(name, make, program="import kiwisolver\n", **more):
        return Case(name, program, ["kiwisolver==1.4.7"], make=make, python=VENV_PYTHON, ask=("--import", "kiwisolver"),
                    **more)

    return [
        hidden("numpy.py", "numpy.py"),
        hidden("numpy.py and my_numpy.py", "numpy.py", "my_numpy.py"),
        hidden("a folder numpy", "numpy\\__init__.py"),
        Case("h5py for NumPy 1, and NumPy 2", "import h5py\n", ["h5py==3.10.0", "numpy==2.2.6"],
             preferred=Preferred.MAY),
        Case("NumPy 2 in the user's own packages", "import h5py\n", [*NUMPY, "h5py==3.10.0"], make=numpy_of_user),
        Case("tensorboardX for protobuf 3, and protobuf 5", "import tensorboardX\n",
             [*NUMPY, "protobuf==5.28.3", "six==1.16.0", "tensorboardX==2.5"], ask=("--import", "tensorboardX"),
             preferred=Preferred.MAY),
        in_venv("kiwisolver is in another environment", lambda machine: machine.add_venv(VENV, PREFIX, PIP)),
        in_venv("kiwisolver is in another environment, and damaged there", venv_beside_damage),
        # With the other interpreter, the program would fail a line earlier.
        in_venv("kiwisolver is in another environment, which lacks greenlet",
                lambda machine: machine.add_venv(VENV, PREFIX, PIP, "greenlet==3.3.1"),
                "import greenlet\nimport kiwisolver\n", preferred=Preferred.MAY),
        Case("kiwisolver is for another Python", "import kiwisolver\n", ["kiwisolver==1.4.7"], make=newer_python,
             python="C:\\Python313\\python.exe"),
    ]


def venv_beside_damage(machine):
    machine.add_venv(VENV, PREFIX, PIP)
    damage_kiwisolver(machine)


def newer_python(machine):
    """Packages for Python 3.11 in Python 3.13, as after a careless upgrade."""
    machine.add_python("C:\\Python313", PIP, version="3.13")
    machine.add_wheels("C:\\Python313\\Lib\\site-packages", "kiwisolver==1.4.7", heading="3.11")


def numpy_of_user(machine):
    machine.add_wheels(machine.user_site(), "numpy==2.2.6")
