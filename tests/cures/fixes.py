"""Carries out WhyDLL's advice, as the user would."""

import json

from machine import NEWEST, PROGRAM, RUNTIME_2013, SYSTEM32, WITH_RUNTIME_2013, genuine_python, unpacked
from recipes import replace

# The installers of the redistributable, the newest one and that of 2013.
REDISTRIBUTABLE = "https://aka.ms/vc14/vc_redist.x64.exe"
REDISTRIBUTABLE_2013 = "https://aka.ms/highdpimfc2013x64enu"
# How uv is installed.
UV = "https://docs.astral.sh/uv/"
# Where Python's own installer or archive comes from.
PYTHON = "https://www.python.org/downloads/"
# uv's commands that differ from pip's.
OF_UV = {"--reinstall": "--force-reinstall", "--no-cache": "--no-cache-dir"}


class CannotError(Exception):
    """A fix fails, or can't be carried out here."""


def carry_out(fix, machine, interpreter):
    """Carries out a fix. Returns the Python that runs the program from now on."""
    kind = fix["kind"]
    if kind == "steps":
        for step in fix["steps"]:
            interpreter = carry_out(step, machine, interpreter)
    elif kind == "run":
        run(fix["command"], machine)
    elif kind == "open":
        install(fix["value"], machine, interpreter)
    elif kind == "edit":
        edit(machine.file(PROGRAM), fix["line"], fix["value"])
    elif kind == "rename":
        file = machine.file(fix["from"])
        file.rename(file.with_name(fix["to"]))
    elif kind == "setting":
        interpreter = selected(fix["value"])
    else:
        raise CannotError(f"unknown kind of fix: {kind}")
    return interpreter


def run(command, machine):
    """Runs pip, or lets pip do what uv would."""
    program, *words = command
    if words[:2] == ["-m", "pip"]:
        said = machine.run_pip(program, *words[2:])
    elif program == "uv" and words[0] == "pip" and "--python" in words:
        if not machine.file(machine.uv()).exists():
            raise CannotError(f"{' '.join(command)}: uv is not installed")
        place = words.index("--python")
        interpreter = words[place + 1]
        words = [OF_UV.get(word, word) for word in words[1:place] + words[place + 2:]]
        said = machine.run_pip(interpreter, *words, lent=True)
    else:
        raise CannotError(f"{' '.join(command)} can't be run here")
    errors = [line for line in said.splitlines() if line.startswith("ERROR:") or "No module named pip" in line]
    if errors:
        raise CannotError(f"{' '.join(command)}: {errors[0]}")


def install(address, machine, interpreter):
    """Runs the installer at a URL."""
    if address == REDISTRIBUTABLE:
        files, folder = NEWEST.iterdir(), SYSTEM32
    elif address == REDISTRIBUTABLE_2013:
        files, folder = unpacked(WITH_RUNTIME_2013, "3.11").glob(f"*/{RUNTIME_2013}"), SYSTEM32
    elif address.startswith(PYTHON):
        files, folder = genuine_python("3.11").iterdir(), machine.base_of(interpreter)
    elif address.startswith(UV):
        machine.add_uv()
        return
    else:
        raise CannotError(f"{address} can't be installed here")
    for file in files:
        replace(machine.file(folder) / file.name, file.read_bytes())


def edit(program, line, statements):
    lines = program.read_text(encoding="utf-8").splitlines(keepends=True)
    lines.insert(line - 1, f"{statements}\n")
    replace(program, "".join(lines).encode())


def selected(setting):
    """Returns the interpreter that a line of settings names."""
    try:
        return json.loads("{" + setting + "}")["whydll.interpreter"]
    except (json.JSONDecodeError, KeyError):
        raise CannotError(f"{setting} names no interpreter")
