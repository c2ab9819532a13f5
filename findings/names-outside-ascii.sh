#!/usr/bin/env bash
# Functions with Greek names: the wheel of CasADi for Windows exports and imports names that are not
# ASCII. pefile takes the first of them for garbage and shows no exported name after it, 25 of 371;
# LIEF shows all of them, but omits imports of such names.
#
# Since GCC 10, C++ identifiers may be Greek (`eval_ψ` in alpaqa, a solver that CasADi includes),
# and are in the tables in UTF-8. "PE Format" says ASCII; Windows compares the names byte by byte
# and binds them. pefile has a list of the characters of a name (`is_valid_function_name`): it ends
# the list of exported names at the first one with others, and skips such imports. The remaining
# exports have ordinals only. LIEF applies the C library's `isprint` to each byte
# (`Parser::is_valid_import_name`), for imports only.
#
# Needs Python 3 with pip. Downloads 70 MB.
#
# Seen on 2026-11-30, pefile 2024.8.26, LIEF 1.0.0, casadi 3.8.2 (win_amd64):
#   libalpaqa.dll exports 371 names, 36 of them not ASCII: pefile shows 25, LIEF 371
#   libcasadi_nlpsol_alpaqa.dll imports 6 names that are not ASCII: pefile shows 0, LIEF 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check pefile==2024.8.26 lief==1.0.0
"$work/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --implementation cp --python-version 3.11 --platform win_amd64 --dest "$work" casadi==3.8.2
"$work/venv/bin/python" - "$work" <<'PYTHON'
import struct
import sys
import zipfile
from pathlib import Path

import lief
import pefile

work = Path(sys.argv[1])
[wheel] = work.glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    exporter = archive.extract("casadi/libalpaqa.dll", work)
    importer = archive.extract("casadi/libcasadi_nlpsol_alpaqa.dll", work)
lief.logging.disable()


class Image:
    """The bytes of an image, read at relative addresses."""

    def __init__(self, path):
        self.bytes = Path(path).read_bytes()
        header = struct.unpack_from("<I", self.bytes, 0x3C)[0]
        sections, optional = (struct.unpack_from("<H", self.bytes, header + field)[0] for field in (6, 20))
        self.exports, _, self.imports = struct.unpack_from("<III", self.bytes, header + 24 + 112)
        table = header + 24 + optional
        places = [table + 40 * number for number in range(sections)]
        self.sections = [struct.unpack_from("<8xIIII", self.bytes, place) for place in places]

    def offset(self, at):
        [found] = [at - start + file for size, start, _, file in self.sections if start <= at < start + size]
        return found

    def numbers(self, form, at):
        return struct.unpack_from(form, self.bytes, self.offset(at))

    def name(self, at):
        start = self.offset(at)
        return self.bytes[start : self.bytes.index(b"\0", start)]

    def exported(self):
        _, _, _, _, _, _, count, _, names, _ = self.numbers("<10I", self.exports)
        return [self.name(at) for at in self.numbers(f"<{count}I", names)]

    def imported(self):
        at = self.imports
        while True:
            thunks, _, _, dll, _ = self.numbers("<5I", at)
            if not dll:
                return
            while (thunk := self.numbers("<Q", thunks)[0]) != 0:
                if not thunk >> 63:
                    yield self.name(thunk + 2)
                thunks += 8
            at += 20


def parsed(path):
    """Returns the image as read by pefile and by LIEF."""
    image = pefile.PE(path, fast_load=True)
    image.parse_data_directories([0, 1])
    return image, lief.PE.parse(path)


names = Image(exporter).exported()
greek = sum(not name.isascii() for name in names)
of_pefile, of_lief = parsed(exporter)
exported = [sum(symbol.name is not None for symbol in of_pefile.DIRECTORY_ENTRY_EXPORT.symbols),
            sum(bool(entry.name) for entry in of_lief.get_export().entries)]
print(f"libalpaqa.dll exports {len(names)} names, {greek} of them not ASCII: "
      f"pefile shows {exported[0]}, LIEF {exported[1]}")

count = sum(not name.isascii() for name in Image(importer).imported())
of_pefile, of_lief = parsed(importer)
imports = of_pefile.DIRECTORY_ENTRY_IMPORT
imported = [sum(not (symbol.name or b"").isascii() for dll in imports for symbol in dll.imports),
            sum(not entry.name.isascii() for dll in of_lief.imports for entry in dll.entries)]
print(f"libcasadi_nlpsol_alpaqa.dll imports {count} names that are not ASCII: "
      f"pefile shows {imported[0]}, LIEF {imported[1]}")
assert (len(names), exported) == (371, [25, 371]), "the exports are shown otherwise"
assert (count, imported) == (6, [0, 0]), "the imports are shown otherwise"
PYTHON
