#!/usr/bin/env bash
# LIEF 1.0.0 silently loses resources of valid files: of a DLL of .NET Core it shows 132 of 153.
#
# It protects itself against cycles by recording the positions that it has visited. Those of
# resources are offsets in the file, while those of directories include the start of the tree twice
# (`parse_resource_node` in src/PE/ResourceNode.cpp: `base_offset + current_offset`, where the
# latter already contains the former). So a resource counts as a cycle if its entry is as far from a
# directory as the tree is from the start of the file. In most files the tree is shorter than that.
# If it is longer, as in DLLs that only contain resources, everything that collides is omitted: a
# resource, or a directory with all its contents.
#
# Needs Python 3 with pip. Downloads 40 MB.
#
# Seen on 2026-11-30, LIEF 1.0.0, mscorrc.debug.dll of dotnetcore2 3.1.23 (win_amd64):
#   resources in the file: 153
#   resources that LIEF shows: 132
#   those that are left by a walk with LIEF's guard are the same: True
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check lief==1.0.0
"$work/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --platform win_amd64 --dest "$work" dotnetcore2==3.1.23
"$work/venv/bin/python" - "$work" <<'PYTHON'
import struct
import sys
import zipfile
from pathlib import Path

import lief

DIRECTORY = 1 << 31

work = Path(sys.argv[1])
[wheel] = work.glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    [entry] = [name for name in archive.namelist() if name.endswith("/mscorrc.debug.dll")]
    path = archive.extract(entry, work)
image = Path(path).read_bytes()

# The file of .NET Core is 64-bit. The third data directory is that of the resources.
header = struct.unpack_from("<I", image, 0x3C)[0]
address = struct.unpack_from("<I", image, header + 24 + 112 + 2 * 8)[0]
sections, optional = (struct.unpack_from("<H", image, header + field)[0] for field in (6, 20))
table = header + 24 + optional
places = [struct.unpack_from("<8xIIII", image, table + 40 * number) for number in range(sections)]
[start] = [offset for _, place, _, offset in places if place == address]


def walk(directory, shift, seen, path=()):
    """Yields the resources by their numbers, without those at visited positions. Directories are shifted."""
    if directory + shift in seen:
        return
    seen.add(directory + shift)
    named, numbered = struct.unpack_from("<HH", image, start + directory + 12)
    for index in range(named + numbered):
        number, link = struct.unpack_from("<II", image, start + directory + 16 + 8 * index)
        if link & DIRECTORY:
            yield from walk(link & ~DIRECTORY, shift, seen, (*path, number))
        elif link in seen:
            return
        else:
            seen.add(link)
            yield *path, number


def shown(node, path=()):
    if node.is_data:
        yield path
    for child in node.childs:
        yield from shown(child, (*path, child.id))


there = set(walk(0, 0, set()))
guarded = set(walk(0, start, set()))
lief.logging.disable()
of_lief = set(shown(lief.PE.parse(path).resources))
print(f"resources in the file: {len(there)}")
print(f"resources that LIEF shows: {len(of_lief)}")
print(f"those that are left by a walk with LIEF's guard are the same: {of_lief == guarded}")
assert len(there) == 153 and len(of_lief) == 132, "LIEF shows something else"
assert of_lief == guarded, "the guard does not explain it"
PYTHON
