"""Runs one import in a real Python under Wine, and records Python's report and the loader's. For
`truth` and the census."""

import json
import os
import re
import signal
import subprocess

TIMEOUT = 600  # seconds for one import; 20 are usual

# The import, and a report of it on stdout. Only the report counts: under Wine a process may die and
# still return 0. Marks separate it from TensorFlow's own output.
BEGIN, END = "<<<report", "report>>>"


class NoReportError(Exception):
    """Python crashed or never answered; `stderr` is its output until then."""

    def __init__(self, why, stderr):
        super().__init__(why)
        self.stderr = stderr


def probe(package):
    # From 3.12 on, the module `platform` uses `_wmi` to get the version of Windows, and works
    # without it. Wine 8 never answers it. Exit handlers are not part of the import, and some never
    # end.
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
    """Returns the report and Wine's trace. `root` is the directory of python.exe under Wine; `more` are variables."""
    variables = {**wine.environment(
        # +loaddll reports what is loaded and whether it is Wine's own, warn+module why something
        # isn't, +pid whether it was this process or one that it started.
        WINEDEBUG="+pid,fixme-all,err+module,warn+module,trace+loaddll",
        WINEPATH=";".join(f"{root}\\{folder}" for folder in on_path),
        PYTHONDONTWRITEBYTECODE="1",  # the environments share files, which must not change
        PYTHONIOENCODING="utf-8",
        PYTHONHASHSEED="0",  # otherwise the order of sets, and possibly of imports, changes every time
        TF_CPP_MIN_LOG_LEVEL="0",
        KMP_AFFINITY="disabled",  # Intel's OpenMP asks Wine 8 for the processor's topology, and ends the process without
    ), **more}
    process = subprocess.Popen([wine.loader, f"{root}\\python.exe", "-c", program(package)], env=variables,
                               cwd=wine.prefix / "drive_c",  # irrelevant to an import, and the same everywhere
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
    """Returns the output of a killed process. A process that it started may still hold the pipes."""
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
    """Returns the relevant line. TensorFlow wraps an error into a message that quotes the whole
    traceback, whose last line is the original error; numpy wraps it into advice, and the error is
    near its end. Otherwise it is the first line."""
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
    """Returns what could not be loaded, each file once, in the order of the trace. `needed_by` is
    null for what a program requested itself. Files that fail only because of another file's failure
    are omitted: they are its `needed_by`."""
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
        # Wine has just reported the same without the reason.
        if by is not None and events and events[-1]["needed_by"] is None and base(events[-1]["name"]) == base(name):
            events.pop()
        event = {"name": tidy(readable(name)), "needed_by": tidy(readable(by)), "why": STATUS.get(status, status)}
        # Windows' file names are case-insensitive.
        if str(event).lower() not in [str(other).lower() for other in events]:
            events.append(event)
    return events


def base(path):
    return path.rsplit("\\", 1)[-1].lower()


def readable(path):
    return None if path is None else path.replace("\\\\", "\\").replace("C:\\windows\\system32", "System32")


def loaded(stderr, root):
    """Returns the modules in the order in which the loader completed them, so each after its
    dependencies, without Wine's own."""
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
