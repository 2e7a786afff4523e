#!/usr/bin/env python3
"""Makes the kernel's symbol table from the output of `nm --defined-only --demangle`.

    make_symbol_table.py NAMES OUTPUT

Output, little-endian: u32 count; count u32 function offsets from text_start, ascending; count u32
offsets of their names in the blob; the blob of zero-terminated names. A name is the qualified name of
the function without the namespace cairn, template arguments and parameters.
"""
import re
import struct
import sys


def strip_brackets(name: str, opening: str, closing: str) -> str:
    """Removes what stands between (nested) brackets, the brackets included."""
    depth = 0
    kept = []
    for character in name:
        if character == opening:
            depth += 1
        elif character == closing and depth > 0:
            depth -= 1
        elif depth == 0:
            kept.append(character)
    return "".join(kept)


def short_name(name: str) -> str:
    """The qualified name only: "a::B<c>::d(int) const [clone .cold]" becomes "a::B::d"."""
    name = name.replace("(anonymous namespace)::", "").replace("cairn::", "")
    name = re.sub(r"\[clone [^]]*\]", "", name)
    name = re.sub(r"\{lambda\(.*?\)#\d+\}", "lambda", name)
    # Brackets that belong to an operator's name are not brackets.
    name = name.replace("operator()", "operator call").replace("operator<=>", "operator spaceship")
    name = name.replace("operator->", "operator arrow")
    if not re.search(r"operator[<>]", name):
        name = strip_brackets(name, "<", ">")
    name = strip_brackets(name, "(", ")").replace(" const", "").strip()
    if "operator" not in name and " " in name:
        name = name.split(" ")[-1]  # a template's name begins with the return type
    return name


def is_local_label(name: str) -> bool:
    """Labels inside a routine in assembly ("routine.label"); a compiler's clones are not meant."""
    return "." in name.split(" [clone")[0]


def read_functions(path: str) -> tuple[int, dict[int, str]]:
    """text_start and the functions of the image by address; the shortest of several names wins."""
    base = 0
    functions: dict[int, str] = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            address_text, kind, name = line.rstrip("\n").split(" ", 2)
            address = int(address_text, 16)
            if name == "text_start":
                base = address
            elif kind in "tTwW" and not is_local_label(name):
                short = short_name(name)
                if address not in functions or len(short) < len(functions[address]):
                    functions[address] = short
    return base, functions


def main() -> None:
    base, functions = read_functions(sys.argv[1])
    addresses = sorted(address for address in functions if address >= base)
    blob = bytearray()
    name_offsets: dict[str, int] = {}
    for address in addresses:
        name = functions[address]
        if name not in name_offsets:
            name_offsets[name] = len(blob)
            blob += name.encode() + b"\0"
    with open(sys.argv[2], "wb") as output:
        output.write(struct.pack("<I", len(addresses)))
        for address in addresses:
            output.write(struct.pack("<I", address - base))
        for address in addresses:
            output.write(struct.pack("<I", name_offsets[functions[address]]))
        output.write(blob)


if __name__ == "__main__":
    main()
