"""What `setup` and `truth` share: where the cache is, and how to start Wine."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

# To be told to end must not leave Wine's server behind, so it has to unwind like Ctrl-C does.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))

CACHE = Path(os.environ.get("WHYDLL_TEST_CACHE") or "~/.cache/whydll-tests").expanduser().absolute()
ENVIRONMENTS = CACHE / "environments"
PREFIXES = CACHE / "wine"
REDISTRIBUTABLES = CACHE / "redistributables"

INSTALL_WINE = "Debian and Ubuntu: apt-get install --no-install-recommends wine wine64 mingw-w64"


def say(text):
    print(text, file=sys.stderr, flush=True)


def find(names):
    """The first of some programs that exists. Debian keeps Wine's own binaries out of PATH: what it has in
    /usr/bin are wrappers that want 32-bit Wine as well."""
    for name in names:
        for folder in ("/usr/lib/wine", None):
            found = shutil.which(name, path=folder)
            if found:
                return found
    sys.exit(f"{names[0]} not found, and without Wine there is no Windows to compare with. {INSTALL_WINE}")


class Wine:
    """One prefix, that is, one simulated Windows machine."""

    def __init__(self, prefix):
        self.prefix = Path(prefix)
        self.loader = find(["wine64", "wine"])
        self.server = find(["wineserver64", "wineserver"])

    def environment(self, **more):
        # Nothing of the caller's environment goes in: PYTHONPATH or VIRTUAL_ENV would change what is measured.
        # HOME lies in the prefix because Wine links a user's real folders into the drive.
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.prefix),
            "WINEPREFIX": str(self.prefix),
            "WINEARCH": "win64",
            "WINESERVER": self.server,
            "WINEDEBUG": "-all",
            # No menus, no .NET, no browser, no crash dialogue. The redistributable's names are not set here but in
            # the prefix's registry, see `setup`.
            "WINEDLLOVERRIDES": "winemenubuilder.exe=d;mscoree=d;mshtml=d;winedbg.exe=d",
            **more,
        }

    def __enter__(self):
        # Wine's server and services are started on demand, and then inherit the pipes of the program that needed them
        # and keep them open: whoever reads that program's output waits for ever. Hence they come first, with no pipe
        # to inherit. What an interrupted run has left goes before.
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
        """Waits until everything has ended and the registry is on disk."""
        subprocess.run([self.server, "-w"], env=self.environment(), check=True, timeout=120)

    def run(self, *arguments, timeout=180):
        subprocess.run([self.loader, *arguments], env=self.environment(), check=True, timeout=timeout,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
