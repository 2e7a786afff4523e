"""Shows where the instructions of a row of the benchmark go, by function of the kernel.

  tools/profile 'stat, 1 component'            a table: instructions for one operation, by function
  tools/profile fork+exit --svg flames.svg     and a flame graph
  tools/profile --stacks 'null call'           the stacks themselves, the dearest first

ROW is a row's name or a part of it that fits one row only; tools/bench lists them.
"""

import argparse
import bisect
import collections
import html
import pathlib
import subprocess

from cairn_tools import bench, qemu_plugin
from cairn_tools.build import KernelImage, kernel_image, user_program
from cairn_tools.project import BUILD, ToolError, install, main_guard

_USER = "user mode"


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


def stacks(row: str, kernel: KernelImage, quick: bool) -> dict[tuple[str, ...], float]:
    """Instructions for one operation by stack of functions, the outermost first; () is user mode."""
    listed = [line.split("\t") for line in subprocess.run(
        [user_program("cairn_bench", build_first=False), "--list", "--row", row], capture_output=True, text=True,
        check=True, timeout=60).stdout.splitlines()]
    exact = [words for words in listed if words[0] == row]
    if len(exact or listed) != 1:
        raise ToolError(f"'{row}' fits {len(listed)} rows" + "".join(f"\n  {words[0]}" for words in listed), status=2)
    name, _, count = (exact or listed)[0]
    operations = max(int(count) // 10, 1) if quick else int(count)
    file = BUILD / "bench/profile"
    file.parent.mkdir(parents=True, exist_ok=True)
    words = ["--row", name] + (["--quick"] if quick else [])
    bench.measure(kernel, "", words, name, qemu_options=qemu_plugin.options("profiler", file))
    symbols = _Symbols(kernel)
    result: dict[tuple[str, ...], float] = collections.Counter()
    for line in file.read_text(encoding="ascii").splitlines():
        number, *places = line.split()
        names = [_short(symbols.name(int(place, 16))) for place in places]
        # The last place is where it ran; the one before is its function, unless a jump led out of that.
        stack = [one for index, one in enumerate(names) if index == 0 or one != names[index - 1]]
        result[tuple(stack)] += int(number) / operations
    return result


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
    parser.add_argument("row", metavar="ROW", help="a row of tools/bench, or a part of its name")
    parser.add_argument("--svg", type=pathlib.Path, metavar="FILE", help="write a flame graph")
    parser.add_argument("--stacks", action="store_true", help="print stacks instead of functions")
    parser.add_argument("--quick", action="store_true", help="a tenth of the operations")
    parser.add_argument("--no-build", action="store_true", help="take what is built")
    options = parser.parse_args(arguments)
    install("run")
    kernel = kernel_image(build_first=not options.no_build, variant=bench.VARIANT)
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
