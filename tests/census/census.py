"""Shared by `renew` and `run`: the packages, the environments that have them, and the recorded lists."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "real"))
from common import CACHE, PREFIXES
from recipes import alone, build, digest, embeddable_python, fetch_pythons, install, link_machine

VERSIONS = "3.13", "3.11"
CENSUS = CACHE / "census"
MACHINE = PREFIXES / "census"
BASE = "with-ucrt"  # the machine of tests/real that it is made of
DRIVE = MACHINE / "drive_c"
MODULES = HERE / "modules"
SAMPLE = "sample"


@dataclass
class Group:
    """An environment: the distributions that are installed together, and the imports of them."""

    version: str
    name: str
    imports: dict[str, list[str]] = field(default_factory=dict)  # by distribution

    @property
    def title(self) -> str:
        return f"{self.version}-{self.name}"

    @property
    def folder(self) -> Path:
        return CENSUS / self.title

    def lists(self) -> list["List"]:
        names = dict.fromkeys(name for names in self.imports.values() for name in names)
        return [List(self, name) for name in names]


@dataclass
class List:
    """The record of one import: its outcome, the native modules that it loaded, and those that failed."""

    group: Group
    name: str
    outcome: str = ""
    modules: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return MODULES / self.group.title / f"{self.name}.txt"

    def text(self) -> str:
        lines = [self.outcome, *self.modules, *(f"failed: {failure}" for failure in self.failures)]
        return "".join(f"{line}\n" for line in lines)

    def read(self) -> "List":
        self.outcome, *lines = self.file.read_text(encoding="utf-8").splitlines()
        self.modules = [line for line in lines if not line.startswith("failed: ")]
        self.failures = [line.removeprefix("failed: ") for line in lines if line.startswith("failed: ")]
        return self


def groups(*versions: str) -> list[Group]:
    found = []
    for version in versions or VERSIONS:
        for name, lines in sections(HERE / f"packages-{version}.txt").items():
            found.append(Group(version, name, {words[0]: words[1:] for words in map(str.split, lines)}))
    return found


def sections(file: Path) -> dict[str, list[str]]:
    """Returns the lines of a file by heading."""
    found: dict[str, list[str]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            lines = found.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            lines.append(line)
    return found


def lock_file(version: str) -> Path:
    return HERE / f"lock-{version}.txt"


def install_group(group: Group) -> None:
    """Installs the environment of a group according to its lock file."""
    pins = sections(lock_file(group.version))[group.name]

    def recipe(env: Path) -> None:
        embeddable_python(env, group.version)
        # `platform` uses it to get the version of Windows, and works without it. Wine 8 never answers it.
        (env / "_wmi.pyd").unlink(missing_ok=True)
        requirements = env / "requirements.txt"
        requirements.write_text("\n".join(pins), encoding="utf-8")
        install(env, group.version, "--requirement", requirements)

    with alone():
        fetch_pythons(group.version)
    with alone(f"census-{group.title}"):
        build(group.folder, digest(group.version, *pins), recipe)


def build_machine() -> None:
    """Makes a Windows under Wine whose drive E: is the directory of the environments."""
    if not (PREFIXES / BASE).is_dir():
        subprocess.run([HERE.parent / "real" / "setup"], check=True, stdout=subprocess.DEVNULL)
    # Rust's standard library gets random numbers from this DLL, which Wine lacks before version 9.
    random = HERE.parent / "windows" / "bcryptprimitives.c"
    shims = [random, HERE / "icuuc.c"]

    def recipe(prefix: Path) -> None:
        link_machine(BASE, prefix)
        for shim in shims:
            dll = prefix / "drive_c/windows/system32" / f"{shim.stem}.dll"
            subprocess.run(["x86_64-w64-mingw32-gcc", "-shared", "-O1", shim, "-ladvapi32", "-o", dll], check=True)
        drive = prefix / "dosdevices" / "e:"
        drive.unlink()
        drive.symlink_to(os.path.join("..", "..", "..", CENSUS.name))

    CENSUS.mkdir(parents=True, exist_ok=True)
    with alone("census-machine"):
        build(MACHINE, digest(*[shim.read_text() for shim in shims]), recipe)
