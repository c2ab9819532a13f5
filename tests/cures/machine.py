"""The Windows machine of the cases: a Wine prefix in which genuine Pythons with real wheels are installed."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from threading import Lock

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "real"))
from common import CACHE, ENVIRONMENTS, PREFIXES, REDISTRIBUTABLES, Wine
from recipes import (alone, build, digest, downloads, embeddable_python, fetch_pythons, install, link_machine,
                     link_tree, pip, replace, write)

CURES = CACHE / "cures"
WHEELS = CURES / "wheels"
UNPACKED = CURES / "unpacked"

BASE = "with-ucrt"  # the machine of tests/real that ours is made of
PINS = HERE / "wheels.txt"
PYTHONS = "3.8", "3.11", "3.13"
PIP = "pip==25.0.1"

# The redistributable's DLLs. tests/real has several versions of them.
NEWEST = REDISTRIBUTABLES / "redistributable"
RUNTIMES = {"newest": NEWEST, "14.34": REDISTRIBUTABLES / "redistributable-14.34",
            "14.29": REDISTRIBUTABLES / "redistributable-14.29", "32-bit": REDISTRIBUTABLES / "redistributable-32"}
# Those of the redistributable of 2013, which Wine would replace with its own, and a wheel that contains them.
RUNTIME_2013 = "msvcr120.dll"
WITH_RUNTIME_2013 = "glfw==2.11.0"
# Wine 8 lacks these DLLs, which Rust's standard library and Qt need.
SHIMS = HERE.parent / "windows" / "bcryptprimitives.c", HERE.parent / "census" / "icuuc.c"

PROJECT = "C:\\project"
PROGRAM = f"{PROJECT}\\main.py"
SYSTEM32 = "C:\\windows\\system32"
# The directories of every drive; everything else in C: belongs to a case.
OF_WINDOWS = {"windows", "program files", "program files (x86)", "programdata", "users"}
# If two threads need the same directory, one builds it.
BUILDING = Lock()
TIMEOUT = 180  # seconds for one process; 5 are usual


# --- Built once ------------------------------------------------------------------------------------------------------


def prepare(machines):
    """Downloads and builds what is missing, including this number of machines."""
    subprocess.run([HERE.parent / "real" / "setup"], check=True, stdout=subprocess.DEVNULL)
    with alone():
        fetch_pythons(*PYTHONS)
    CURES.mkdir(parents=True, exist_ok=True)
    with alone("cures"):
        for heading in pins():
            fetch(heading)
        build(WHEELS, digest(PINS.read_text()), link_wheels)
        base = CACHE / "stamps" / PREFIXES.name / BASE
        key = digest(base.read_text(), *[file.read_text() for file in (Path(__file__), *SHIMS)])
        for number in range(machines):
            build(machine_folder(number), key, machine)


def machine_folder(number):
    return CURES / f"machine-{number}"


def pins():
    """Returns the pinned wheels by heading."""
    found = {}
    for line in PINS.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            wheels = found.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            wheels.append(line)
    return found


def version_of(heading):
    return heading.partition(" ")[0]


def platform_of(heading):
    return "win32" if heading.endswith(" 32-bit") else "win_amd64"


def fetched(heading):
    return CURES / f"downloads-{heading.replace(' ', '-')}"


def fetch(heading):
    wheels = pins()[heading]

    def recipe(folder):
        folder.mkdir()
        pip("download", "--no-deps", "--dest", folder, "--only-binary", ":all:", "--platform", platform_of(heading),
            "--python-version", version_of(heading), *wheels)

    build(fetched(heading), digest(heading, *wheels), recipe)


def link_wheels(folder):
    """Links all wheels that pip may install for a fix into one directory."""
    folder.mkdir()
    for source in [*map(fetched, pins()), downloads("tensorflow"), downloads("redistributable")]:
        for wheel in source.glob("*.whl"):
            link(wheel, folder / wheel.name)


def machine(folder):
    """Makes a machine without a redistributable. Its drive E: has files that don't belong to the
    machine, and WhyDLL can't see it."""
    link_machine(BASE, folder)
    system32 = folder / "drive_c/windows/system32"
    for shim in SHIMS:
        dll = system32 / f"{shim.stem}.dll"
        subprocess.run(["x86_64-w64-mingw32-gcc", "-shared", "-O1", shim, "-ladvapi32", "-o", dll], check=True)
    for name in [*os.listdir(NEWEST), RUNTIME_2013]:
        (system32 / name).unlink(missing_ok=True)
    drive = folder / "dosdevices" / "e:"
    drive.unlink()
    drive.symlink_to(os.path.join("..", ".."))


def genuine_python(version):
    """Returns the directory of a Python without packages."""
    folder = UNPACKED / f"python-{version}"

    def recipe(partial):
        embeddable_python(partial, version)
        # `platform` uses it to get the version of Windows, and works without it. Wine 8 never answers it.
        (partial / "_wmi.pyd").unlink(missing_ok=True)

    with BUILDING:
        build(folder, version, recipe)
    return folder


def unpacked(pin, heading):
    """Returns the directory with a wheel's files. One that is not below this heading is taken from
    another."""
    first = sorted(pins().items(), key=lambda item: item[0] != heading)
    heading = next(heading for heading, wheels in first if pin in wheels)
    start = pin.replace("-", "_").replace("==", "-").lower()
    [wheel] = [wheel for wheel in fetched(heading).glob("*.whl") if wheel.name.lower().startswith(f"{start}-")]
    folder = UNPACKED / wheel.stem
    with BUILDING:
        build(folder, wheel.name, lambda partial: install(partial, version_of(heading), "--platform",
                                                          platform_of(heading), "--no-index", wheel))
    return folder / "Lib" / "site-packages"


def link(source, target):
    """Makes a hard link, unless another wheel has the same file."""
    if not os.path.exists(target):
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)


# --- The machine of one case -----------------------------------------------------------------------------------------


class Machine(Wine):
    """Every case begins with `clear`. All paths are Windows', and the same for every case, so that
    Python finds its bytecode of earlier cases."""

    def __init__(self, number):
        super().__init__(machine_folder(number))
        self.drive = self.prefix / "drive_c"

    def clear(self):
        """Removes everything of the previous case."""
        for folder in self.drive.iterdir():
            if folder.name.lower() not in OF_WINDOWS:
                shutil.rmtree(folder)
        for folder in ("AppData\\Roaming\\Python", "AppData\\Roaming\\uv", ".local"):
            shutil.rmtree(self.file(f"{self.user()}\\{folder}"), ignore_errors=True)
        for name in [*os.listdir(NEWEST), RUNTIME_2013]:
            self.file(f"{SYSTEM32}\\{name}").unlink(missing_ok=True)
        self.file(PROJECT).mkdir()

    def file(self, path):
        """Returns the real path of a file of drive C:, which need not exist. Windows' names are
        case-insensitive."""
        drive, *names = path.replace("/", "\\").split("\\")
        if drive.upper() != "C:":
            raise ValueError(f"{path} is not on drive C:")
        file = self.drive
        for name in filter(None, names):
            there = os.listdir(file) if file.is_dir() else []
            file /= next((one for one in there if one.lower() == name.lower()), name)
        return file

    def user(self):
        """Returns the home directory of the only user."""
        [name] = {folder.name for folder in (self.drive / "users").iterdir()} - {"Public"}
        return f"C:\\users\\{name}"

    def user_site(self):
        return f"{self.user()}\\AppData\\Roaming\\Python\\Python311\\site-packages"

    def add_python(self, prefix, *wheels, version="3.11"):
        """Adds a genuine Python with these wheels."""
        self.file(prefix).parent.mkdir(parents=True, exist_ok=True)
        link_tree(genuine_python(version), self.file(prefix))
        self.add_wheels(f"{prefix}\\Lib\\site-packages", *wheels, heading=version)

    def add_environment(self, prefix, name):
        """Adds an environment of tests/real, which lacks pip."""
        link_tree(ENVIRONMENTS / name, self.file(prefix))
        (self.file(prefix) / "_wmi.pyd").unlink(missing_ok=True)
        self.add_wheels(f"{prefix}\\Lib\\site-packages", PIP)

    def add_venv(self, prefix, base, *wheels, with_base=False, made_by=""):
        """Adds a virtual environment. The embeddable Python lacks the launcher of `venv`, so
        another real one stands in; `run_python` does what the launcher would."""
        scripts = self.file(prefix) / "Scripts"
        scripts.mkdir(parents=True)
        shutil.copyfile(unpacked("setuptools==75.8.0", "3.11") / "setuptools" / "cli-64.exe", scripts / "python.exe")
        write(self.file(prefix) / "pyvenv.cfg",
              f"home = {base}\ninclude-system-site-packages = {str(with_base).lower()}\nversion = 3.11.9\n{made_by}")
        self.add_wheels(f"{prefix}\\Lib\\site-packages", *wheels)

    def uv(self):
        """Returns the path at which uv's installer puts it."""
        return f"{self.user()}\\.local\\bin\\uv.exe"

    def add_uv(self):
        """Adds a file in its place: its commands are given to pip."""
        uv = self.file(self.uv())
        uv.parent.mkdir(parents=True)
        uv.write_bytes(b"")

    def add_wheels(self, folder, *wheels, heading="3.11"):
        for wheel in wheels:
            shutil.copytree(unpacked(wheel, heading), self.file(folder), copy_function=link, dirs_exist_ok=True)

    def add_runtime(self, folder, version):
        """Copies the redistributable's DLLs. Those of Python stay."""
        target = self.file(folder)
        target.mkdir(parents=True, exist_ok=True)
        for dll in RUNTIMES[version].iterdir():
            link(dll, target / dll.name)

    def base_of(self, interpreter):
        """Returns the directory of the python.exe that finally runs: for a virtual environment,
        that of its base."""
        folder = interpreter.rpartition("\\")[0]
        configuration = self.file(folder).parent / "pyvenv.cfg"
        if not configuration.is_file():
            return folder
        lines = configuration.read_text(encoding="utf-8").splitlines()
        return next(line.partition("=")[2].strip() for line in lines if line.startswith("home"))

    def run_python(self, interpreter, *arguments, on_path=(), **variables):
        """Runs Python. Returns its output."""
        program = f"{self.base_of(interpreter)}\\python.exe"
        if program != interpreter:
            # The launcher of a virtual environment starts the base interpreter like this.
            variables["__PYVENV_LAUNCHER__"] = interpreter
        environment = self.environment(
            WINEPATH=";".join(on_path),
            PYTHONPYCACHEPREFIX="E:\\bytecode",  # the environments share files: leave them alone
            PYTHONIOENCODING="utf-8",
            KMP_AFFINITY="disabled",  # Intel's OpenMP asks Wine 8 for the processor's topology, and dies without
            **variables,
        )
        environment["WINEDLLOVERRIDES"] += f";{RUNTIME_2013}=n"
        process = subprocess.Popen([self.loader, program, *arguments], env=environment, cwd=self.file(PROJECT),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   encoding="utf-8", errors="replace", start_new_session=True)
        try:
            return process.communicate(timeout=TIMEOUT)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return f"no answer within {TIMEOUT} s"

    def run_pip(self, interpreter, *arguments, lent=False):
        """Runs pip, which only finds our wheels. Returns its output. pip can be lent to an
        environment that has none."""
        package = unpacked(PIP, "3.11").relative_to(CURES)
        variables = {"PYTHONPATH": "E:\\" + str(package).replace("/", "\\")} if lent else {}
        return self.run_python(interpreter, "-m", "pip", *arguments, PIP_NO_INDEX="1", PIP_FIND_LINKS="E:\\wheels",
                               PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_COMPILE="0", PIP_NO_INPUT="1", **variables)
