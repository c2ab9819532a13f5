#!/usr/bin/env bash
# The release wheel of pyarrow 26.0.1 for Windows contains one function that was compiled without
# optimization: the one that initializes pyarrow.lib, 740,168 bytes of code. All others of the same
# file are optimized.
#
# Cython writes the code of a module's top level as one function. Above some size, Microsoft's
# compiler doesn't optimize a function (its warning C4883), even with /O2. So such a file has two
# styles: in this function each result goes through the stack (`mov [rsp+X], rax`, `cmp qword ptr
# [rsp+X], 0`), and the address of a global variable is computed step by step (`imul rcx, rcx, N`),
# where optimized code has `test rax, rax` and one address relative to RIP. A reader that was tested
# with the other 4,556 functions, or with smaller modules of the same Cython, finds no import by
# name in it.
#
# Needs pip, Python 3, and an objdump that supports PE (Debian's does). Downloads 30 MB.
#
# Seen on 2026-11-29, pyarrow 26.0.1, cp313, win_amd64:
#   4557 functions; the largest has 740168 bytes, the next one 100087
#   results that are compared on the stack: 1494 in the largest function, 0 in all others
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.13 \
    --implementation cp --platform win_amd64 --dest "$work" pyarrow==26.0.1
python3 - "$work" <<'PYTHON'
import re, struct, subprocess, sys, zipfile
from pathlib import Path

work = Path(sys.argv[1])
[wheel] = work.glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    path = Path(archive.extract("pyarrow/lib.cp313-win_amd64.pyd", work))
data = path.read_bytes()

# The function table of x64 images: begin, end, and unwind data, as relative addresses.
pe = struct.unpack_from("<I", data, 0x3C)[0]
sections, optional = struct.unpack_from("<H", data, pe + 6)[0], struct.unpack_from("<H", data, pe + 20)[0]
base = struct.unpack_from("<Q", data, pe + 48)[0]
where, length = struct.unpack_from("<II", data, pe + 160)
for number in range(sections):
    _, _, start, size, offset = struct.unpack_from("<8sIIII", data, pe + 24 + optional + 40 * number)
    if start <= where < start + size:
        table = data[offset + where - start :][:length]
functions = sorted((end - begin, begin, end) for begin, end, _ in struct.iter_unpack("<III", table))
(second, _, _), (largest, begin, end) = functions[-2:]
print(f"{len(functions)} functions; the largest has {largest} bytes, the next one {second}")

# A result that is stored on the stack, and compared with null there by the next instruction.
code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], check=True, capture_output=True, text=True).stdout
inside = outside = 0
previous = ("", "")
for line in code.splitlines():
    found = re.match(r"\s*([0-9a-f]+):\s+(\S+)\s*(\S*)", line)
    if not found:
        continue
    at, instruction = int(found[1], 16) - base, (found[2], found[3])
    stored = re.fullmatch(r"%rax,(0x[0-9a-f]+\(%rsp\))", previous[1])
    if previous[0] == "mov" and stored and instruction == ("cmpq", "$0x0," + stored[1]):
        inside, outside = (inside + 1, outside) if begin <= at < end else (inside, outside + 1)
    previous = instruction
print(f"results that are compared on the stack: {inside} in the largest function, {outside} in all others")
assert largest > 500_000 and second * 5 < largest, "the largest function is not what it was"
assert inside > 1_000 and outside <= 5, "the largest function is as optimized as the others"
PYTHON
