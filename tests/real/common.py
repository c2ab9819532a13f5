"""Shared by `setup` and `truth`: the place of the cache, and how to start Wine."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

# SIGTERM must not leave Wine's server behind, so it has to unwind like Ctrl-C.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))

CACHE = Path(os.environ.get("WHYDLL_TEST_CACHE") or "~/.cache/whydll-tests").expanduser().absolute()
ENVIRONMENTS = CACHE / "environments"
PREFIXES = CACHE / "wine"
REDISTRIBUTABLES = CACHE / "redistributables"

INSTALL_WINE = "Debian and Ubuntu: apt-get install --no-install-recommends wine wine64 mingw-w64"


def say(text):
    print(text, file=sys.stderr, flush=True)


def find(names):
    """Returns the first of some programs that exists. Debian keeps Wine's own binaries out of PATH:
    those in /usr/bin are wrappers that also require 32-bit Wine."""
    for name in names:
        for folder in ("/usr/lib/wine", None):
            found = shutil.which(name, path=folder)
            if found:
                return found
    sys.exit(f"{names[0]} not found, and without Wine there is no Windows to compare with. {INSTALL_WINE}")


class Wine:
    """One Wine prefix, which is one simulated Windows machine."""

    def __init__(self, prefix):
        self.prefix = Path(prefix)
        self.loader = find(["wine64", "wine"])
        self.server = find(["wineserver64", "wineserver"])

    def environment(self, **more):
        # Nothing of the caller's environment is passed on: PYTHONPATH or VIRTUAL_ENV would change
        # what is measured. HOME is in the prefix because Wine links the user's real directories
        # into the drive.
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.prefix),
            "WINEPREFIX": str(self.prefix),
            "WINEARCH": "win64",
            "WINESERVER": self.server,
            "WINEDEBUG": "-all",
            # No menus, no .NET, no browser, no crash dialog. The redistributable's names are set in
            # the prefix's registry instead, see `setup`.
            "WINEDLLOVERRIDES": "winemenubuilder.exe=d;mscoree=d;mshtml=d;winedbg.exe=d",
            **more,
        }

    def __enter__(self):
        # Wine's server and services are started on demand, inherit the pipes of the program that
        # needed them, and keep them open, so a reader of that program's output would wait forever.
        # So they are started first, without pipes, after ending what an interrupted run has left.
        self.stop()
        try:
            subprocess.run([self.server, "-p"], env=self.environment(), check=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.run("cmd", "/c", "exit")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        subprocess.run([self.server, "-k"], env=self.environment(),
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def settle(self):
        """Waits until everything has ended and the registry is written."""
        subprocess.run([self.server, "-w"], env=self.environment(), check=True, timeout=120)

    def run(self, *arguments, timeout=180):
        subprocess.run([self.loader, *arguments], env=self.environment(), check=True, timeout=timeout,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
