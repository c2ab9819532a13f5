"""One import by a real Python under Wine: what Python says of it, and what the loader did. For `truth` and the census."""

import json
import os
import re
import signal
import subprocess

TIMEOUT = 600  # seconds for one import; 20 are usual

# The import itself, and a report of it on stdout. Only the report counts: under Wine a process may die and still
# return 0. TensorFlow's own output must not get between the lines, hence the marks.
BEGIN, END = "<<<report", "report>>>"


class NoReportError(Exception):
    """Python crashed or never answered; `stderr` is what was heard until then."""

    def __init__(self, why, stderr):
        super().__init__(why)
        self.stderr = stderr


def probe(package):
    # From 3.12 on the module `platform` asks `_wmi` for Windows' version, and can do without. Wine 8 never answers it.
    # What a process does as it ends is no part of the import, and some never end.
    return f"""
import json, os, sys, traceback; sys.modules["_wmi"] = None
report = {{"imports": True}}
try:
    import {package}
except BaseException as e:
    report = {{"imports": False, "exception": type(e).__name__, "text": str(e), "traceback": traceback.format_exc()}}
sys.__stdout__.write("{BEGIN}" + json.dumps(report) + "{END}")
sys.__stdout__.flush()
os._exit(0)
"""


def run(wine, root, package, on_path=(), timeout=TIMEOUT, program=probe, **more):
    """The report, and what Wine said. `root` is the folder of python.exe, as Wine names it; `more` are variables."""
    variables = {**wine.environment(
        # +loaddll tells what is loaded and whether it is Wine's own, warn+module why something is not, +pid whether it was
        # this process or one that it started.
        WINEDEBUG="+pid,fixme-all,err+module,warn+module,trace+loaddll",
        WINEPATH=";".join(f"{root}\\{folder}" for folder in on_path),
        PYTHONDONTWRITEBYTECODE="1",  # the environments share files: leave them alone
        PYTHONIOENCODING="utf-8",
        PYTHONHASHSEED="0",  # else sets of names have another order every time, and so may imports
        TF_CPP_MIN_LOG_LEVEL="0",
        KMP_AFFINITY="disabled",  # Intel's OpenMP asks Wine 8 for a processor's neighbours, and ends the process without
    ), **more}
    process = subprocess.Popen([wine.loader, f"{root}\\python.exe", "-c", program(package)], env=variables,
                               cwd=wine.prefix / "drive_c",  # of no use to an import, and the same everywhere
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               encoding="utf-8", errors="replace", start_new_session=True)
    try:
        stdout, stderr = process.communicate(timeout=timeout)
        why = "Python ended without a report"
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        stdout, stderr = heard(process)
        why = f"no answer within {timeout} s"
    stderr = of_first_process(stderr)
    found = re.search(f"{BEGIN}(.*){END}", stdout, re.DOTALL)
    if not found:
        raise NoReportError(why, stderr)
    return json.loads(found[1]), stderr


def heard(process):
    """What a process that is killed has said. One that it started may still hold the pipes."""
    try:
        return process.communicate(timeout=10)
    except subprocess.TimeoutExpired as e:
        return tuple((text or b"").decode("utf-8", "replace") for text in (e.stdout, e.stderr))


def of_first_process(stderr):
    lines = stderr.splitlines()
    of = re.compile(r"([0-9a-f]{4}):[0-9a-f]{4}:(?:trace|warn|err|fixme):")
    first = next((found[1] for found in map(of.match, lines) if found), None)
    return "\n".join(line for line in lines if not (found := of.match(line)) or found[1] == first)


def message(text):
    """The line that says it. TensorFlow wraps an error into a text that quotes the whole traceback, whose last line is
    the original error; numpy wraps it into advice, near the end of which it stands. Else it is the first line."""
    if text is None:
        return None
    for wrapped in (r"\ATraceback \(most recent call last\):\n(?:[ \t].*\n|\n)*\w+: (.*)", r"^Original error was: (.*)"):
        found = re.search(wrapped, text, re.MULTILINE)
        if found:
            return found[1]
    return next((line for line in text.splitlines() if line.strip()), "")


STATUS = {"c0000135": "not found", "c000007b": "not a valid image", "c000012f": "not a valid image",
          "c0000130": "not a valid image", "c0000020": "not a valid image", "c0000022": "access denied"}


def failures(stderr, tidy):
    """What could not be loaded, each file once, in the order of the trace. `needed_by` is null for what a program asked
    for itself. Files that fail only because of another file's failure are left out: they are its `needed_by`."""
    events, victims = [], set()
    for line in stderr.splitlines():
        missing = re.search(r'err:module:import_dll Library (.+?) \(which is needed by L"(.+?)"\) not found', line)
        broken = re.search(r'err:module:import_dll Loading library (.+?) \(which is needed by L"(.+?)"\) failed '
                           r'\(error (\w+)\)', line)
        asked = re.search(r'warn:module:load_dll Failed to load module L"(.+?)"; status=(\w+)', line)
        if missing:
            name, by, status = missing[1], missing[2], "c0000135"
        elif broken:
            name, by, status = broken[1], broken[2], broken[3]
        elif asked:
            name, by, status = asked[1], None, asked[2]
        else:
            continue
        if by is not None:
            victims.add(base(by))
        if base(name) in victims:
            continue
        # Wine has just said the same without the reason.
        if by is not None and events and events[-1]["needed_by"] is None and base(events[-1]["name"]) == base(name):
            events.pop()
        event = {"name": tidy(readable(name)), "needed_by": tidy(readable(by)), "why": STATUS.get(status, status)}
        # Windows' file names have no case.
        if str(event).lower() not in [str(other).lower() for other in events]:
            events.append(event)
    return events


def base(path):
    return path.rsplit("\\", 1)[-1].lower()


def readable(path):
    return None if path is None else path.replace("\\\\", "\\").replace("C:\\windows\\system32", "System32")


def loaded(stderr, root):
    """The modules in the order in which the loader was done with them, that is, a module after those that it needs, and
    without those that are Wine's own."""
    modules = []
    for path in re.findall(r'trace:loaddll:build_module Loaded L"(.+?)" at \w+: native', stderr):
        path = path.replace("\\\\", "\\").lower()
        for folder, short in ((f"{root}\\".lower(), ""), ("c:\\windows\\system32\\", "system32\\")):
            if path.startswith(folder):
                path = short + path[len(folder):]
        path = path.replace("\\", "/")
        if path not in modules:
            modules.append(path)
    return modules
