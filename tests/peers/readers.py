"""Prints what two other readers of PE files find, in the form of `src/main.rs`.

    python3 readers.py pefile|lief

Each path on standard input is answered with a line of JSON.
"""

import json
import sys


def text(name):
    """Decodes UTF-8, and replaces what isn't."""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name


def symbol(name, ordinal):
    return f"#{ordinal}" if ordinal is not None else text(name)


def version(high, low):
    return f"{high >> 16}.{high & 0xffff}.{low >> 16}.{low & 0xffff}"


def exports(entries):
    """Returns exports by ordinal and by name. Each entry: ordinal, name, address, and the
    forwarder's target as a pair."""
    ordinals, names = {}, []
    for ordinal, name, address, forward in entries:
        target = "{}!{}".format(*forward) if forward else hex(address)
        ordinals[ordinal] = target
        if name:
            names.append([text(name), target])
    return {"ordinals": sorted(map(list, ordinals.items())), "names": sorted(names)}


def reader_pefile():
    import pefile

    # By default pefile limits tables and names; here they are compared completely.
    limit = 1 << 20
    pefile.MAX_IMPORT_SYMBOLS = limit
    pefile.MAX_IMPORT_NAME_LENGTH = pefile.MAX_SYMBOL_NAME_LENGTH = 1 << 12
    directories = [pefile.DIRECTORY_ENTRY[f"IMAGE_DIRECTORY_ENTRY_{name}"]
                   for name in ("EXPORT", "IMPORT", "RESOURCE", "DELAY_IMPORT")]

    def imports(image, table):
        # If pefile knows the name of an ordinal, it gives both.
        return [[text(one.dll), [symbol(entry.name, entry.ordinal if entry.import_by_ordinal else None)
                                 for entry in one.imports]]
                for one in getattr(image, table, [])]

    def entries(image):
        for entry in image.DIRECTORY_ENTRY_EXPORT.symbols if hasattr(image, "DIRECTORY_ENTRY_EXPORT") else ():
            dll, _, name = text(entry.forwarder or b"").rpartition(".")
            yield entry.ordinal, entry.name, entry.address, (dll, name) if entry.forwarder else None

    def facts(path):
        try:
            image = pefile.PE(path, fast_load=True, max_symbol_exports=limit, max_repeated_symbol=limit)
        except pefile.PEFormatError as error:
            return {"error": str(error)}
        with image:
            image.parse_data_directories(directories)
            fixed = getattr(image, "VS_FIXEDFILEINFO", None)
            return {
                "imports": imports(image, "DIRECTORY_ENTRY_IMPORT"),
                "delay imports": imports(image, "DIRECTORY_ENTRY_DELAY_IMPORT"),
                **exports(entries(image)),
                "version": version(fixed[0].FileVersionMS, fixed[0].FileVersionLS) if fixed else None,
            }

    return facts


def reader_lief():
    import lief

    lief.logging.disable()
    config = lief.PE.ParserConfig()
    config.parse_signature = config.parse_reloc = False  # not compared

    def imports(table):
        return [[text(one.name), [symbol(entry.name, entry.ordinal if entry.is_ordinal else None)
                                  for entry in one.entries]]
                for one in table]

    def entries(image):
        for entry in image.get_export().entries if image.has_exports else ():
            forward = entry.forward_information if entry.is_forwarded else None
            target = (forward.library, forward.function) if forward else None
            yield entry.ordinal, entry.name, entry.address, target

    def facts(path):
        image = lief.PE.parse(path, config)
        if image is None:
            return {"error": "it gives no image"}
        versions = image.resources_manager.version if image.has_resources else []
        return {
            "imports": imports(image.imports),
            "delay imports": imports(image.delay_imports),
            **exports(entries(image)),
            "version": version(versions[0].file_info.file_version_ms, versions[0].file_info.file_version_ls)
                       if versions else None,
        }

    return facts


def main():
    facts = {"pefile": reader_pefile, "lief": reader_lief}[sys.argv[1]]()
    for line in sys.stdin:
        print(json.dumps(facts(line.rstrip("\n"))), flush=True)


if __name__ == "__main__":
    main()
