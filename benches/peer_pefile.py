"""Runs pefile for what the loader needs first: the names of imported DLLs."""

import sys

import pefile

count = 0
for path in sys.argv[1:]:
    image = pefile.PE(path, fast_load=True)
    image.parse_data_directories([pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_IMPORT"]])
    count += len(getattr(image, "DIRECTORY_ENTRY_IMPORT", []))
    image.close()
print(count, "imports of", len(sys.argv) - 1, "images")
