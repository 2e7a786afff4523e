"""Measures Cairn beside Debian's Linux, in guest instructions: both boot in the same emulated machine, in which
an instruction takes a nanosecond, run the same program, and the figures are the same from run to run.

  tools/bench                       the whole table, as Markdown
  tools/bench --quick               a tenth of the operations in each row
  tools/bench --row fork            the rows whose name contains a text
  tools/bench --family memory       the rows of a family
  tools/bench --json FILE           the table as JSON, too
  tools/bench --checked             only the kernel that all tests run, with its checks of locks: what CI does
  tools/bench --events              instead, what instructions do not price: CR3 writes, locked instructions, ...
  tools/bench --scale               instead, two CPUs beside one: wall time, so let the host do nothing else
  tools/bench --shared              instead, which cache lines two CPUs have in common when each runs a row

Linux stands twice: at its strongest (without mitigations and what else costs time), and as Debian ships it. Rows that
are more than 5 % worse than in docs/performance.json are printed at the end.
docs/performance.md says what the figures mean and what they do not.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import math
import pathlib

from cairn_tools import bench_events, bench_scale, bench_shared, debian, footprint
from cairn_tools.bench_machine import STRONGEST, VARIANT, Kernel, listed, measure
from cairn_tools.build import KernelFile, KernelImage, kernel_image, user_program
from cairn_tools.project import ROOT, install, main_guard
from cairn_tools.root_image import root_image

_WORSE = 1.05
_LAST = ROOT / "docs/performance.json"


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table: instructions for one operation, NaN where a kernel could not do it."""

    name: str
    family: str
    linux: float
    debian: float  # Linux as Debian ships it
    cairn: float
    checked: float  # Cairn with its checks

    @property
    def ratio(self) -> float:
        return self.cairn / self.linux


@dataclasses.dataclass(frozen=True)
class _Selection:
    """What of the table is wanted: the benchmark's own arguments, and rows that are measured without it."""

    words: list[str]
    footprints: list[str]

    def measure(self, kernel: Kernel, arguments: str, what: str) -> dict[str, tuple[str, float]]:
        rows = {}
        if listed(self.words):
            rows = measure(kernel, arguments, self.words, what)
        if self.footprints:
            rows |= footprint.measure(kernel, arguments, what, self.footprints)
        return rows


def _select(options: argparse.Namespace) -> _Selection:
    words = ["--quick"] if options.quick else []
    words += ["--row", options.row] if options.row else []
    words += [word for family in options.family for word in ("--family", family)]
    footprints = [row for row in footprint.ROWS if (options.row or "") in row
                  and (not options.family or footprint.FAMILY in options.family)
                  and not ((options.quick or options.checked) and row == footprint.SMALLEST)]
    return _Selection(words, footprints)


def _linux() -> KernelFile:
    return KernelFile(debian.linux_kernel())


def _cairn() -> KernelImage:
    return kernel_image(build_first=False, variant=VARIANT)


def _table(selection: _Selection) -> list[Row]:
    runs = ((_linux(), STRONGEST, "Linux at its strongest"), (_linux(), "", "Linux as Debian ships it"),
            (_cairn(), "", "Cairn"), (kernel_image(build_first=False), "", "Cairn with its checks"))
    # Two emulators at a time: they take a processor each, and counts do not depend on how long it takes.
    with concurrent.futures.ThreadPoolExecutor(2) as jobs:
        strongest, shipped, cairn, checked = jobs.map(lambda run: selection.measure(*run), runs)
    return [Row(name, family, strongest[name][1], shipped[name][1], figure, checked[name][1])
            for name, (family, figure) in cairn.items()]


def _events(selection: _Selection) -> int:
    # With one CPU, Linux takes the lock prefixes out of its code, unless it is told not to.
    linux = bench_events.count_events(_linux(), f"{STRONGEST} noreplace-smp", selection.words, "Linux at its strongest")
    print(bench_events.markdown(linux, bench_events.count_events(_cairn(), "", selection.words, "Cairn")))
    return 0


def _scale(selection: _Selection) -> int:
    words = [word for word in selection.words if word != "--quick"]
    # With an emulated CPU for each thread, Linux distrusts the counter that it uses in the table (and reads the HPET in
    # a system call), unless it is told not to.
    rounds = [(bench_scale.factors(_linux(), f"{STRONGEST} tsc=reliable", words, f"Linux at its strongest, {time}"),
               bench_scale.factors(_cairn(), "", words, f"Cairn, {time}")) for time in ("first time", "second time")]
    linux, cairn = (bench_scale.better(first, second) for first, second in zip(*rounds))
    print(bench_scale.markdown(linux, cairn))
    return 1 if any(math.isnan(row.factor) for row in cairn.values()) else 0


def _shared(selection: _Selection) -> int:
    words = [word for word in selection.words if word != "--quick"]
    linux = bench_shared.measure(_linux(), STRONGEST, words, "Linux at its strongest")
    print(bench_shared.markdown(_cairn(), linux, bench_shared.measure(_cairn(), "", words, "Cairn")))
    return 0


def _last() -> dict[str, dict]:
    """The rows of the last table that landed, by name."""
    return {row["row"]: row for row in json.loads(_LAST.read_text(encoding="utf-8"))["rows"]} if _LAST.exists() else {}


def _worse(figures: dict[str, float], which: str) -> str:
    before = {name: row[which] for name, row in _last().items()}
    lines = [f"  {name}: {figure:,.0f} instead of {before[name]:,.0f}" for name, figure in figures.items()
             if before.get(name) and not figure <= before[name] * _WORSE]
    return "More than 5 % worse than in docs/performance.json:\n" + "\n".join(lines) if lines else ""


def _checked(selection: _Selection) -> int:
    """The kernel with its checks alone, beside its own last figures."""
    rows = selection.measure(kernel_image(build_first=False), "", "Cairn with its checks")
    last = _last()
    print("| row | last | now |\n| --- | ---: | ---: |")
    for name, (_, figure) in rows.items():
        known = last.get(name, {}).get("checked")
        before = f"{known:,.0f}" if known else ""
        print(f"| {name} | {before} | {_number(figure)} |")
    print(_worse({name: figure for name, (_, figure) in rows.items()}, "checked"))
    return 1 if any(math.isnan(figure) for _, figure in rows.values()) else 0


def _mean(rows: list[Row]) -> float:
    return math.exp(sum(math.log(row.ratio) for row in rows) / len(rows))


def _number(figure: float) -> str:
    return "failed" if math.isnan(figure) else f"{figure:,.0f}"


def markdown(rows: list[Row]) -> str:
    """The table as it stands in docs/performance.md."""
    lines = ["| row | Linux, as shipped | Linux, strongest | Cairn | ratio |", "| --- | ---: | ---: | ---: | ---: |"]
    sound = [row for row in rows if not math.isnan(row.ratio)]
    for family in dict.fromkeys(row.family for row in rows):
        lines.append(f"| **{family}** | | | | |")
        for row in (row for row in rows if row.family == family):
            ratio = "" if math.isnan(row.ratio) else f"{row.ratio:.2f}"
            figures = " | ".join(_number(figure) for figure in (row.debian, row.linux, row.cairn))
            lines.append(f"| {row.name} | {figures} | {ratio} |")
        of_family = [row for row in sound if row.family == family]
        if of_family:
            lines.append(f"| geometric mean of {family} | | | | **{_mean(of_family):.2f}** |")
    timed = [row for row in sound if row.family != footprint.FAMILY]
    if timed:
        lines.append(f"| **geometric mean** of {len(timed)} rows, without footprint | | | |"
                     f" **{_mean(timed):.2f}** |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the operations")
    parser.add_argument("--row", metavar="TEXT", help="only rows whose name contains it")
    parser.add_argument("--family", metavar="NAME", action="append", default=[], help="only this family (repeatable)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the table there, too")
    parser.add_argument("--checked", action="store_true", help="only Cairn, with its checks")
    parser.add_argument("--events", action="store_true", help="what instructions do not price")
    parser.add_argument("--scale", action="store_true", help="two CPUs beside one")
    parser.add_argument("--shared", action="store_true", help="cache lines that two CPUs have in common")
    parser.add_argument("--no-build", action="store_true", help="take what is built")
    options = parser.parse_args(arguments)
    install("run")
    if not options.no_build:
        kernel_image()
        user_program("cairn_first")
        if not options.checked:
            kernel_image(variant=VARIANT)
    root_image("full")
    selection = _select(options)
    if options.checked:
        return _checked(selection)
    if options.events:
        return _events(selection)
    if options.scale:
        return _scale(selection)
    if options.shared:
        install("test")  # for the symbolizer
        return _shared(selection)
    rows = _table(selection)
    print(markdown(rows))
    if options.json:
        options.json.write_text(json.dumps({"rows": [
            {"row": row.name, "family": row.family, "linux": row.linux, "debian": row.debian, "cairn": row.cairn,
             "checked": row.checked, "ratio": round(row.ratio, 4)} for row in rows]}, indent=1) + "\n",
            encoding="utf-8")
    print(_worse({row.name: row.cairn for row in rows}, "cairn"))
    return 1 if any(math.isnan(row.cairn) for row in rows) else 0


if __name__ == "__main__":
    main_guard(main)
