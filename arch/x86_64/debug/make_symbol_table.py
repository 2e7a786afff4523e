#!/usr/bin/env python3
"""Makes the kernel's symbol table from the output of `nm --defined-only --demangle`.

    make_symbol_table.py NAMES OUTPUT

Output: 159 pairs of bytes; one entry for each function, by ascending address, but for those that only go on with the
name of the one before (overloads, a function's cold part); a zero byte. An entry is
  - how far the function lies behind the one before (the first: behind text_start), plus one, in groups of
    seven bits, the lowest first, with bit 7 set in all but the last (LEB128);
  - how many bytes its name shares with the name before, in one byte;
  - the rest of its name, and a zero byte. In it each byte that is no printable ASCII character, from 1 to 31 and from
    128 to 255, stands for the two of one pair, which may be such bytes themselves (byte pair encoding, P. Gage, 1994).
A name is the qualified name of the function without the namespace cairn, template arguments and
parameters, cut to what arch::Symbol has room for. Neighbours are mostly of one class or namespace, so that
half of the bytes need not be stored.
"""
import collections
import os
import re
import sys

LONGEST_NAME = 127
PAIR_CODES = [*range(1, 32), *range(128, 256)]


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


def leb128(number: int) -> bytes:
    """The number in groups of seven bits."""
    groups = bytearray()
    while number >= 0x80:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def encode_pairs(texts: list[bytes]) -> tuple[bytes, list[bytes]]:
    """The pairs, and the ASCII texts with them: the most frequent pair gets the next byte, again and again."""
    joined = b"\0".join(texts)
    pairs = bytearray()
    for code in PAIR_CODES:
        counts = collections.Counter(zip(joined, joined[1:]))
        possible = (pair for pair in counts if 0 not in pair)
        frequent = max(possible, key=lambda pair: (counts[pair], pair), default=(0, 0))
        pairs += bytes(frequent)
        if 0 not in frequent:
            joined = joined.replace(bytes(frequent), bytes([code]))
    return bytes(pairs), joined.split(b"\0")


def main() -> None:
    base, functions = read_functions(sys.argv[1])
    heads, rests = [], []
    before, name_before = base, b""
    for address in sorted(address for address in functions if address >= base):
        name = functions[address].encode("ascii", "replace")[:LONGEST_NAME]
        if name == name_before:
            continue
        shared = len(os.path.commonprefix([name_before, name]))
        heads.append(leb128(address - before + 1) + bytes([shared]))
        rests.append(name[shared:])
        before, name_before = address, name
    pairs, rests = encode_pairs(rests)
    with open(sys.argv[2], "wb") as output:
        output.write(pairs + b"".join(head + rest + b"\0" for head, rest in zip(heads, rests)) + b"\0")


if __name__ == "__main__":
    main()
