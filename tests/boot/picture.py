"""Pictures of a guest's screen: QEMU's PPM, PNG for people, and reading the characters and colours back.

A cell of 8x16 pixels has at most two colours; which glyph it is, drivers/display/make_font.py's table of the same
font tells. So a screen is compared as text with colours, whatever its size, and times and addresses in it are
recognised by regular expressions.
"""

import dataclasses
import importlib.util
import struct
import zlib
from collections import Counter
from typing import Iterator

from cairn_tools.project import ROOT, ToolError

FONT = "/usr/share/consolefonts/Uni2-Terminus16.psf.gz"
WIDTH = 8

_UNKNOWN = "\N{REPLACEMENT CHARACTER}"
Colour = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class Cell:
    character: str
    fore: str  # rrggbb
    back: str
    underlined: bool = False
    cursor: bool = False


def _font_maker():
    spec = importlib.util.spec_from_file_location("make_font", ROOT / "drivers/display/make_font.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Font:
    """Which character a bitmap is. ASCII wins where several share a glyph."""

    def __init__(self, path: str = FONT) -> None:
        maker = _font_maker()
        self.height, glyphs, table = maker.read_font(path)
        self._characters: dict[bytes, str] = {}
        for code, glyph in sorted(table.items(), reverse=True):
            self._characters[glyphs[glyph * self.height : (glyph + 1) * self.height]] = chr(code)
        for code, glyph in maker.block_elements(self.height).items():
            self._characters.setdefault(glyph, chr(code))

    def find(self, bitmap: bytes) -> str | None:
        return self._characters.get(bitmap)


@dataclasses.dataclass(frozen=True)
class Picture:
    width: int
    height: int
    pixels: bytes  # red, green, blue

    @staticmethod
    def from_ppm(data: bytes) -> "Picture":
        kind, size, depth, pixels = data.split(b"\n", 3)
        width, height = map(int, size.split())
        if kind != b"P6" or depth != b"255" or len(pixels) != width * height * 3:
            raise ToolError("QEMU's picture is not a PPM file of 24 bits")
        return Picture(width, height, pixels)

    def png(self) -> bytes:
        """With a palette where 256 colours are enough, and as few bits for each pixel as they need."""
        colours = {bytes(each) for each in zip(*[iter(self.pixels)] * 3)}
        if len(colours) > 256:
            rows = (self.pixels[y * self.width * 3 : (y + 1) * self.width * 3] for y in range(self.height))
            return _png(self.width, self.height, 8, 2, b"", rows)
        palette = sorted(colours)
        bits = next(bits for bits in (1, 2, 4, 8) if len(palette) <= 1 << bits)
        index = {colour: number for number, colour in enumerate(palette)}
        return _png(self.width, self.height, bits, 3, b"".join(palette), self._packed(index, bits))

    def _packed(self, index: dict[bytes, int], bits: int) -> Iterator[bytes]:
        for y in range(self.height):
            row = self.pixels[y * self.width * 3 : (y + 1) * self.width * 3]
            value = 0
            for x in range(self.width):
                value = value << bits | index[row[x * 3 : x * 3 + 3]]
            size = (self.width * bits + 7) // 8
            yield (value << (size * 8 - self.width * bits)).to_bytes(size, "big")

    def cells(self, font: Font) -> list[list[Cell]]:
        """The grid of characters. What is beyond it must be black."""
        return [[self._cell(font, row, column) for column in range(self.width // WIDTH)]
                for row in range(self.height // font.height)]

    def summary(self, width: int, height: int) -> list[str]:
        """Size, and for each row of characters of that size which colours it has, background first."""
        lines = [f"{self.width}x{self.height}"]
        for top in range(0, self.height - height + 1, height):
            row = self.pixels[top * self.width * 3 : (top + height) * self.width * 3]
            count = Counter(row[x : x + 3] for x in range(0, len(row), 3))
            back = count.most_common(1)[0][0]
            lines.append(" ".join([back.hex(), *sorted(colour.hex() for colour in count if colour != back)]))
        return lines

    def _cell(self, font: Font, row: int, column: int) -> Cell:
        lines = []
        for y in range(row * font.height, (row + 1) * font.height):
            start = (y * self.width + column * WIDTH) * 3
            line = self.pixels[start : start + WIDTH * 3]
            lines.append([line[x : x + 3] for x in range(0, WIDTH * 3, 3)])
        count = Counter(pixel for line in lines for pixel in line)
        if len(count) == 1:
            (colour,) = count
            return Cell(" ", "", colour.hex())
        if len(count) > 2:
            return Cell(_UNKNOWN, "", "")
        for back in sorted(count, key=lambda colour: -count[colour]):
            fore = next(colour for colour in count if colour != back)
            bitmap = bytes(sum((pixel == fore) << (WIDTH - 1 - x) for x, pixel in enumerate(line)) for line in lines)
            for variant, underlined, cursor in _variants(bitmap):
                character = font.find(variant)
                if character is not None:
                    return Cell(character, fore.hex(), back.hex(), underlined, cursor)
        return Cell(_UNKNOWN, "", "")


def _variants(bitmap: bytes) -> Iterator[tuple[bytes, bool, bool]]:
    """The bitmap as it is, without an underline, without a cursor, and upright again."""
    yield bitmap, False, False
    cursor = bitmap[:-2] + bytes(byte ^ 0xFF for byte in bitmap[-2:])
    yield cursor, False, True
    if bitmap[-2] == 0xFF:
        yield bitmap[:-2] + b"\0" + bitmap[-1:], True, False
    half = len(bitmap) // 2
    yield bytes(byte << 1 & 0xFF for byte in bitmap[:half]) + bitmap[half:], False, False


def _png(width: int, height: int, bits: int, kind: int, palette: bytes, rows: Iterator[bytes]) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    body = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))
    if palette:
        body += chunk(b"PLTE", palette)
    data = b"".join(b"\0" + row for row in rows)
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")


def markup(cells: list[list[Cell]]) -> list[str]:
    """A line for each row: where colours change, "‹fore/back›" stands before the text; the usual grey on black is "‹›".
    Trailing black is left out; "»" stands for blanks of another colour."""
    usual = ("aaaaaa", "000000")
    lines = []
    for row in cells:
        line, before = "", usual
        while row and row[-1].character == " " and row[-1].back == "000000" and not row[-1].cursor:
            row = row[:-1]
        for cell in row:
            fore = cell.fore or (before[0] if cell.back == before[1] else usual[0])
            if (fore, cell.back) != before and cell.character != _UNKNOWN:
                line += "‹›" if (fore, cell.back) == usual else f"‹{fore}/{cell.back}›"
                before = (fore, cell.back)
            line += ("_" if cell.underlined and cell.character != " " else "") + cell.character
            line += "◂" if cell.cursor else ""
        # Blanks in a colour of their own, up to the end.
        lines.append(line if line == line.rstrip() else line.rstrip() + "»")
    while lines and not lines[-1]:
        lines.pop()
    return lines
