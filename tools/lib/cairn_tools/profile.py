"""Shows where the instructions of a row of the benchmark go, by function of the kernel.

  tools/profile 'stat, 1 component'            a table: instructions for one operation, by function
  tools/profile fork+exit --svg flames.svg     and a flame graph
  tools/profile --stacks 'null call'           the stacks themselves, the dearest first
  tools/profile --files                        all rows: which source files' code they spend most in
  tools/profile --functions                    all rows: which functions they spend most in
  tools/profile --hot-files                    the files whose code is worth -O2: arch/x86_64/hot_files.txt

ROW is a row's name or a part of it that fits one row only; tools/bench lists them. Where all rows are looked
at, each counts the same, as in the geometric mean: a share of one per cent means that all rows together would be as
much faster without that code.
"""

import argparse
import bisect
import collections
import dataclasses
import html
import pathlib
import subprocess

from cairn_tools import qemu_plugin
from cairn_tools.bench_machine import VARIANT, listed, measure
from cairn_tools.build import VARIANTS, KernelImage, kernel_image
from cairn_tools.project import BUILD, ROOT, ToolError, install, main_guard, run

_USER = "user mode"
# A file is hot if each kibibyte of its code has at least this share of the rows' instructions. The rest of the image's
# mebibyte decides.
_HOT_SHARE = 0.0006 / 1024


class _Symbols:
    """Names of the kernel's functions by address."""

    def __init__(self, kernel: KernelImage):
        output = subprocess.run(["nm", "-C", "-n", kernel.with_symbols], capture_output=True, text=True, check=True,
                                timeout=60).stdout
        rows = [line.split(" ", 2) for line in output.splitlines()]
        rows = [(int(address, 16), name) for address, kind, name in rows if kind in "tTwW" and address.strip()]
        self._addresses = [address for address, _ in rows]
        self._names = [name for _, name in rows]

    def name(self, address: int) -> str:
        index = bisect.bisect_right(self._addresses, address) - 1
        return self._names[index] if index >= 0 else hex(address)


def _short(name: str) -> str:
    """Without arguments and our own namespace."""
    depth = 0
    for index, letter in enumerate(name):
        depth += {"<": 1, ">": -1}.get(letter, 0)
        if letter == "(" and depth == 0 and not name.startswith("(anonymous namespace)", index):
            name = name[:index]
            break
    return name.replace("cairn::", "").replace("(anonymous namespace)::", "")


Stacks = dict[tuple[int, ...], float]


def _run(words: list[str], kernel: KernelImage, what: str) -> dict[str, Stacks]:
    """Instructions for one operation by stack of addresses, the outermost first, row for row."""
    file = BUILD / "bench/profile"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = list(measure(kernel, "", words, what, qemu_options=qemu_plugin.options("profiler", file)).items())
    result: dict[str, Stacks] = {name: {} for name, _ in rows}
    with open(file, encoding="ascii") as lines:
        for line in lines:
            row, number, *places = line.split()
            if int(row) < len(rows):  # what comes behind the last row is the program's end
                result[rows[int(row)][0]][tuple(int(place, 16) for place in places)] = int(number)
    # Several operations may be one to the benchmark's loop, so the row's own figure says how many there were.
    for name, (_, figure) in rows:
        total = sum(result[name].values())
        result[name] = {stack: number * figure / total for stack, number in result[name].items()}
    return result


def stacks(row: str, kernel: KernelImage, quick: bool) -> dict[tuple[str, ...], float]:
    """Instructions for one operation by stack of functions, the outermost first; () is user mode."""
    names = listed(["--row", row])
    if row not in names and len(names) != 1:
        raise ToolError(f"'{row}' fits {len(names)} rows" + "".join(f"\n  {name}" for name in names), status=2)
    name = row if row in names else names[0]
    # Others may have the whole name in theirs.
    places = _run(["--row", name] + (["--quick"] if quick else []), kernel, name)[name]
    symbols = _Symbols(kernel)
    result: dict[tuple[str, ...], float] = collections.Counter()
    for addresses, number in places.items():
        functions = [_short(symbols.name(address)) for address in addresses]
        # The last place is where it ran; the one before is its function, unless a jump led out of that.
        stack = [one for index, one in enumerate(functions) if index == 0 or one != functions[index - 1]]
        result[tuple(stack)] += number
    return result


def _files(kernel: KernelImage, addresses: list[int]) -> dict[int, str]:
    """The source file that each address was compiled in: that of the function that all others there were inlined to."""
    output = subprocess.run(["llvm-symbolizer-19", f"--obj={kernel.with_symbols}", "--output-style=LLVM", "--inlines",
                             "--functions=none"], input="".join(f"{address:#x}\n" for address in addresses),
                            capture_output=True, text=True, check=True, timeout=900).stdout
    blocks = output.strip().split("\n\n")
    names = (block.splitlines()[-1].rsplit(":", 2)[0] for block in blocks)
    # Under ccache, paths may lead through the build folder.
    return {address: name.rsplit("/../../", 1)[-1].removeprefix(f"{ROOT}/")
            for address, name in zip(addresses, names, strict=True)}


@dataclasses.dataclass
class _Share:
    """Of all rows' instructions, each row being one; and the row with the most of it."""

    share: float = 0.0
    most: float = 0.0
    row: str = ""


def _all_rows(kernel: KernelImage, by_file: bool, quick: bool) -> dict[str, _Share]:
    """The shares of files or functions, the largest first."""
    rows = _run(["--quick"] if quick else [], kernel, "all rows")
    symbols = _Symbols(kernel)
    places = sorted({stack[-1] for counts in rows.values() for stack in counts if stack})
    names = _files(kernel, places) if by_file else {place: _short(symbols.name(place)) for place in places}
    result: dict[str, _Share] = collections.defaultdict(_Share)
    for row, counts in rows.items():
        own: dict[str, float] = collections.Counter()
        total = sum(counts.values())
        for stack, number in counts.items():
            own[names[stack[-1]] if stack else _USER] += number / total
        for name, share in own.items():
            result[name].share += share / len(rows)
            if share > result[name].most:
                result[name].most, result[name].row = share, row
    return dict(sorted(result.items(), key=lambda item: -item[1].share))


def _shares_table(shares: dict[str, _Share]) -> str:
    lines, total = ["  share      sum  name, and the row with the most of it"], 0.0
    for name, entry in shares.items():
        if entry.share >= 0.0002:
            total += entry.share
            lines.append(f"{entry.share:7.2%} {total:8.2%}  {name} ({entry.most:.0%} of {entry.row})")
    return "\n".join(lines)


def _code_size(name: str) -> int:
    """How much code a source file is, in the kernel that is not optimised as a whole."""
    sizes = [int(line.split()[1]) for file in VARIANTS["kernel"].folder.glob(f"CMakeFiles/cairn_*.dir/{name}.o")
             for line in run(["size", "-A", file], timeout=60, quiet=True).stdout.splitlines()
             if line.startswith(".text")]
    return sum(sizes)


def _hot_files(shares: dict[str, _Share]) -> str:
    """Those whose code is worth its room."""
    return "\n".join(sorted(name for name, entry in shares.items() if name.endswith(".cpp")
                            and entry.share >= _HOT_SHARE * max(_code_size(name), 1)))


def _table(counts: dict[tuple[str, ...], float]) -> str:
    own: dict[str, float] = collections.Counter()
    total: dict[str, float] = collections.Counter()
    for stack, number in counts.items():
        own[stack[-1] if stack else _USER] += number
        for name in set(stack) or {_USER}:
            total[name] += number
    lines = [f"{sum(counts.values()):12,.1f}              all", "         own         with callees"]
    for name, number in sorted(own.items(), key=lambda item: -item[1]):
        if number >= sum(counts.values()) / 1000:
            lines.append(f"{number:12,.1f} {total[name]:12,.1f} {name}")
    return "\n".join(lines)


_WIDTH, _HEIGHT = 1200, 17


def flame_graph(counts: dict[tuple[str, ...], float], title: str) -> str:
    """An SVG: each box is a function, as wide as its instructions, above the one that called it."""
    tree: dict = {}
    for stack, number in counts.items():
        node = tree
        for name in stack or (_USER,):
            entry = node.setdefault(name, [0.0, {}])
            entry[0] += number
            node = entry[1]
    scale = _WIDTH / sum(counts.values())
    boxes: list[str] = []
    deepest = 0

    def draw(node: dict, left: float, depth: int) -> None:
        nonlocal deepest
        for name, (number, children) in sorted(node.items(), key=lambda item: -item[1][0]):
            width = number * scale
            if width >= 0.5:
                deepest = max(deepest, depth)
                hue = 20 + sum(map(ord, name)) % 40
                text = html.escape(name[: int(width / 7)]) if width > 20 else ""
                boxes.append(f'<g><title>{html.escape(name)}: {number:,.0f}</title><rect x="{left:.1f}" y="Y{depth}"'
                             f' width="{width:.1f}" height="{_HEIGHT - 1}" fill="hsl({hue},80%,65%)"/>'
                             f'<text x="{left + 3:.1f}" y="T{depth}">{text}</text></g>')
                draw(children, left, depth + 1)
            left += width

    draw(tree, 0.0, 0)
    height = (deepest + 3) * _HEIGHT
    body = "\n".join(boxes)
    for depth in range(deepest, -1, -1):
        top = height - (depth + 1) * _HEIGHT
        body = body.replace(f'"Y{depth}"', f'"{top}"').replace(f'"T{depth}"', f'"{top + 12}"')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="monospace"'
            f' font-size="11"><text x="4" y="14" font-size="13">{html.escape(title)}</text>\n{body}\n</svg>\n')


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/profile", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", metavar="ROW", nargs="?", help="a row of tools/bench, or a part of its name")
    parser.add_argument("--files", action="store_true", help="all rows, by source file")
    parser.add_argument("--hot-files", action="store_true", help="the contents of arch/x86_64/hot_files.txt")
    parser.add_argument("--functions", action="store_true", help="all rows, by function")
    parser.add_argument("--svg", type=pathlib.Path, metavar="FILE", help="write a flame graph")
    parser.add_argument("--stacks", action="store_true", help="print stacks instead of functions")
    parser.add_argument("--quick", action="store_true", help="a tenth of the operations")
    parser.add_argument("--build-dir", type=pathlib.Path, metavar="DIR", help="the build folder of the kernel")
    parser.add_argument("--no-build", action="store_true", help="take what is built")
    options = parser.parse_args(arguments)
    if sum((options.row is not None, options.files, options.functions, options.hot_files)) != 1:
        parser.error("which row, or --files, --functions or --hot-files?")
    install("run")
    if options.files or options.hot_files:
        install("test")  # for the symbolizer
    if options.hot_files and not options.no_build:
        kernel_image()
    kernel = kernel_image(options.build_dir and options.build_dir.absolute(), build_first=not options.no_build,
                          variant=VARIANT)
    if options.row is None:
        shares = _all_rows(kernel, not options.functions, options.quick)
        print(_hot_files(shares) if options.hot_files else _shares_table(shares))
        return 0
    counts = stacks(options.row, kernel, options.quick)
    if options.stacks:
        for stack, number in sorted(counts.items(), key=lambda item: -item[1])[:60]:
            print(f"{number:10,.1f} {' > '.join(stack) or _USER}")
    else:
        print(_table(counts))
    if options.svg:
        title = f"{options.row}: {sum(counts.values()):,.0f} instructions for one operation"
        options.svg.write_text(flame_graph(counts, title), encoding="utf-8")
    return 0


if __name__ == "__main__":
    main_guard(main)
