#!/usr/bin/env bash
# The wheels of msvc-runtime for 32-bit Pythons (win32) contain DLLs for 64-bit processes since
# 14.34, and the one for ARM64 contains one.
#
# msvc-runtime is how users without administrator rights get the Visual C++ runtime: its DLLs are
# installed next to python.exe. pip trusts the tag in the wheel's name and its WHEEL file, and
# installs it into a 32-bit Python without a warning. A 32-bit process cannot load any of the DLLs
# (error 193). The extension module in the same wheel is really 32-bit.
#
# Needs Python 3 with pip. Downloads 12 MB.
#
# Seen on 2026-11-30:
#   msvc_runtime-14.29.30133-cp310-cp310-win32.whl: 1 pyd x86, 19 dll x86
#   msvc_runtime-14.44.35112-cp311-cp311-win32.whl: 1 pyd x86, 22 dll x64
#   msvc_runtime-14.51.36231-cp312-cp312-win32.whl: 1 pyd x86, 22 dll x64
#   msvc_runtime-14.51.36231-cp312-cp312-win_arm64.whl: 1 dll x64, 1 pyd arm64, 21 dll arm64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fetch() {
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$work" \
        --implementation cp --python-version "$2" --platform "$3" "msvc-runtime==$1"
}
fetch 14.29.30133 3.10 win32
fetch 14.44.35112 3.11 win32
fetch 14.51.36231 3.12 win32
fetch 14.51.36231 3.12 win_arm64

python3 - "$work" <<'PYTHON'
import struct
import sys
import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath

MACHINES = {0x14C: "x86", 0x8664: "x64", 0xAA64: "arm64"}


def machine(image):
    """Returns the machine in the header of a PE file."""
    (header,) = struct.unpack_from("<I", image, 0x3C)
    return MACHINES[struct.unpack_from("<H", image, header + 4)[0]]


seen = {}
for wheel in sorted(Path(sys.argv[1]).glob("*.whl")):
    images = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith((".dll", ".pyd")):
                images[name] = machine(archive.read(name))
    counted = Counter((PurePosixPath(name).suffix[1:], for_) for name, for_ in images.items())
    told = ", ".join(f"{count} {kind} {for_}" for (kind, for_), count in counted.most_common()[::-1])
    print(f"{wheel.name}: {told}")
    seen[wheel.name] = counted

assert all(for_ == "x86" for _, for_ in seen["msvc_runtime-14.29.30133-cp310-cp310-win32.whl"]), "14.29 is not 32-bit"
for version in "14.44.35112-cp311-cp311", "14.51.36231-cp312-cp312":
    counted = seen[f"msvc_runtime-{version}-win32.whl"]
    assert counted[("dll", "x64")] and not counted[("dll", "x86")], f"{version} for win32 is as it should be"
    assert counted[("pyd", "x86")] == 1, f"the module of {version} is for another machine"
arm = seen["msvc_runtime-14.51.36231-cp312-cp312-win_arm64.whl"]
assert arm[("dll", "x64")] == 1, "the wheel for ARM64 is as it should be"
PYTHON
