"""Makes a C++ source from a console font of a Debian package (PSF 1 with a Unicode table, psf(5), gzip).

    make_font.py FONT.psf.gz OUT.cpp

The table maps code points of the basic plane to glyphs, sorted; where the font has none of the characters that programs
draw frames with, the map has a plain one for them.
"""

import gzip
import struct
import sys

MAGIC = b"\x36\x04"
MODE_512, MODE_TABLE = 1, 2
SEPARATOR, SEQUENCE = 0xFFFF, 0xFFFE

# What is shown instead, when the font lacks it.
SUBSTITUTES = {
    "┏┓┗┛┣┫┳┻╋╭╮╰╯": "┌┐└┘├┤┬┴┼┌┐└┘",
    "━╌╍┄┅┃╎╏┆┇": "─────│││││",
    "‘’‚‛“”„‟′″": "''\'\'\"\"\"\"'\"",
    "‐‑‒–—―−": "-------",
    "…•▪‣": "....",
    "✓✔✗✘△▽▷◁": "vvxx▲▼▶◀",
    "\u00a0\u2007\u202f": "   ",
}


def read_font(path: str) -> tuple[int, bytes, dict[int, int]]:
    """The height, the glyphs, and which glyph a code point has."""
    data = gzip.open(path).read()
    if data[:2] != MAGIC or not data[2] & MODE_TABLE:
        sys.exit(f"{path}: not a PSF 1 font with a Unicode table")
    count = 512 if data[2] & MODE_512 else 256
    height = data[3]
    glyphs = data[4 : 4 + count * height]
    words = struct.unpack(f"<{(len(data) - 4 - len(glyphs)) // 2}H", data[4 + len(glyphs) :])
    table: dict[int, int] = {}
    glyph, in_sequence = 0, False
    for word in words:
        if word == SEPARATOR:
            glyph, in_sequence = glyph + 1, False
        elif word == SEQUENCE:
            in_sequence = True
        elif not in_sequence:
            table.setdefault(word, glyph)
    for wanted, instead in SUBSTITUTES.items():
        for code, substitute in zip(wanted, instead):
            if ord(code) not in table and ord(substitute) in table:
                table[ord(code)] = table[ord(substitute)]
    return height, glyphs, table


def block_elements(height: int) -> dict[int, bytes]:
    """U+2580 to U+259F: halves, eighths, shades and quadrants, not all of which a font has."""
    def rows(first: int, last: int, bits: int) -> bytes:
        return bytes(bits if first <= row < last else 0 for row in range(height))

    blocks = {0x2580: rows(0, height // 2, 0xFF), 0x2588: rows(0, height, 0xFF), 0x2590: rows(0, height, 0x0F),
              0x2594: rows(0, height // 8, 0xFF), 0x2595: rows(0, height, 0x01)}
    for eighths in range(1, 8):
        blocks[0x2580 + eighths] = rows(height - height * eighths // 8, height, 0xFF)
        blocks[0x2590 - eighths] = rows(0, height, 0xFF << (8 - eighths) & 0xFF)
    shades = {0x2591: (0x88, 0x22), 0x2592: (0xAA, 0x55), 0x2593: (0x77, 0xDD)}
    blocks |= {code: bytes(bits[row % 2] for row in range(height)) for code, bits in shades.items()}
    # Upper left 1, upper right 2, lower left 4, lower right 8.
    for code, quarters in zip(range(0x2596, 0x25A0), (4, 8, 1, 13, 9, 7, 11, 2, 6, 14)):
        top = (0xF0 if quarters & 1 else 0) | (0x0F if quarters & 2 else 0)
        bottom = (0xF0 if quarters & 4 else 0) | (0x0F if quarters & 8 else 0)
        blocks[code] = bytes(top if row < height // 2 else bottom for row in range(height))
    return blocks


def main() -> None:
    height, glyphs, table = read_font(sys.argv[1])
    for code, glyph in block_elements(height).items():
        if code not in table:
            table[code] = len(glyphs) // height
            glyphs += glyph

    def lines(values: list[str]) -> str:
        return "\n".join("    " + " ".join(values[at : at + 16]) for at in range(0, len(values), 16))

    with open(sys.argv[2], "w", encoding="ascii") as out:
        out.write("// Made by drivers/display/make_font.py.\n")
        out.write('#include "drivers/display/font.h"\n\nnamespace cairn::drivers {\n\n')
        out.write("namespace {\n\nconstexpr u8 kGlyphs[] = {\n")
        out.write(lines([f"{byte:#04x}," for byte in glyphs]))
        out.write("\n};\nconstexpr Font::Mapping kMap[] = {\n")
        out.write(lines([f"{{{code:#x}, {glyph}}}," for code, glyph in sorted(table.items())]))
        out.write(f"\n}};\n\n}}  // namespace\n\nconstinit const Font kBuiltInFont{{8, {height}, kGlyphs, kMap}};\n\n")
        out.write("}  // namespace cairn::drivers\n")


if __name__ == "__main__":
    main()
