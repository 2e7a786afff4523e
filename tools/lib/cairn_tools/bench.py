"""Measures Cairn beside Debian's Linux, in guest instructions: both boot in the same emulated machine, in which
an instruction takes a nanosecond, run the same program, and the figures are the same from run to run.

  tools/bench                       the whole table, as Markdown
  tools/bench --quick               a tenth of the operations in each row
  tools/bench --row fork            the rows whose name contains a text
  tools/bench --family memory       the rows of a family
  tools/bench --json FILE           the table as JSON, too
  tools/bench --checked             only the kernel that all tests run, with its checks of locks: what CI does

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

from cairn_tools import debian, guest, newc, qemu
from cairn_tools.build import KernelFile, KernelImage, kernel_image, user_program
from cairn_tools.project import ROOT, ToolError, install, main_guard, say
from cairn_tools.root_image import root_image

# What Linux can do without; the comparison is with this column.
_STRONGEST = ("mitigations=off init_on_alloc=0 randomize_kstack_offset=off audit=0 cgroup_disable=memory lsm="
              " nokaslr norandmaps")
# QEMU counts each turn of a rep instruction, so a kernel that clears pages with `rep stosb` would pay for each byte
# what it pays elsewhere for eight; without the two features both use words.
_CPU = "max,-erms,-fsrm"
VARIANT = "kernel-release"
_MEMORY_MIB = 1024
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


def measure(kernel: KernelFile | KernelImage, kernel_arguments: str, words: list[str], what: str,
            qemu_options: tuple[str, ...] = ()) -> dict[str, tuple[str, float]]:
    """Row to family and figure, on one kernel."""
    say(f"Measuring {what}")
    output, errors = bytearray(), bytearray()
    with guest.temporary_folder() as folder:
        tree = newc.Tree()
        tree.file("cairn_bench", user_program("cairn_bench", build_first=False), 0o755)
        layer = folder / "bench.cpio"
        with open(layer, "wb") as out:
            newc.write(tree, out)
        machine = qemu.Machine(machine="q35", firmware="none", cpus=1, memory_mib=_MEMORY_MIB, cpu=_CPU, icount=True,
                               kernel_arguments=guest.kernel_arguments(kernel_arguments))
        program = guest.Program(("/cairn_bench", *words))
        result = guest.run_session(program, machine, kernel, [root_image("full"), layer],
                                   sinks={"stdout": output.extend, "stderr": errors.extend}, timeout=3000,
                                   qemu_options=("-seed", "1", *qemu_options))
    for line in errors.decode("utf-8", "replace").splitlines():
        say(f"  {what}: {line}")
    if result.status != 0:
        raise ToolError(f"{what}: the benchmark ended with {result.status} {result.failure}\n"
                        + guest.last_words(result.console))
    rows = {}
    for line in output.decode("utf-8", "replace").splitlines():
        name, family, figure = line.split("\t")
        rows[name] = (family, math.nan if figure == "failed" else float(figure))
    return rows


def _table(words: list[str]) -> list[Row]:
    linux = KernelFile(debian.linux_kernel())
    runs = ((linux, _STRONGEST, "Linux at its strongest"), (linux, "", "Linux as Debian ships it"),
            (kernel_image(build_first=False, variant=VARIANT), "", "Cairn"),
            (kernel_image(build_first=False), "", "Cairn with its checks"))
    # Two emulators at a time: they take a processor each, and counts do not depend on how long it takes.
    with concurrent.futures.ThreadPoolExecutor(2) as jobs:
        strongest, shipped, cairn, checked = jobs.map(
            lambda run: measure(run[0], run[1], words, run[2]), runs)
    return [Row(name, family, strongest[name][1], shipped[name][1], figure, checked[name][1])
            for name, (family, figure) in cairn.items()]


def _last() -> dict[str, dict]:
    """The rows of the last table that landed, by name."""
    return {row["row"]: row for row in json.loads(_LAST.read_text(encoding="utf-8"))["rows"]} if _LAST.exists() else {}


def _worse(figures: dict[str, float], which: str) -> str:
    before = {name: row[which] for name, row in _last().items()}
    lines = [f"  {name}: {figure:,.0f} instead of {before[name]:,.0f}" for name, figure in figures.items()
             if before.get(name) and not figure <= before[name] * _WORSE]
    return "More than 5 % worse than in docs/performance.json:\n" + "\n".join(lines) if lines else ""


def _checked(words: list[str]) -> int:
    """The kernel with its checks alone, beside its own last figures."""
    rows = measure(kernel_image(build_first=False), "", words, "Cairn with its checks")
    last = _last()
    print("| row | last | now |\n| --- | ---: | ---: |")
    for name, (_, figure) in rows.items():
        before = f"{last[name]['checked']:,.0f}" if name in last else ""
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
    if sound:
        lines.append(f"| **geometric mean** of {len(sound)} rows | | | | **{_mean(sound):.2f}** |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the operations")
    parser.add_argument("--row", metavar="TEXT", help="only rows whose name contains it")
    parser.add_argument("--family", metavar="NAME", action="append", default=[], help="only this family (repeatable)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the table there, too")
    parser.add_argument("--checked", action="store_true", help="only Cairn, with its checks")
    parser.add_argument("--no-build", action="store_true", help="take what is built")
    options = parser.parse_args(arguments)
    install("run")
    if not options.no_build:
        kernel_image()
        if not options.checked:
            kernel_image(variant=VARIANT)
    root_image("full")
    words = ["--quick"] if options.quick else []
    words += ["--row", options.row] if options.row else []
    words += [word for family in options.family for word in ("--family", family)]
    if options.checked:
        return _checked(words)
    rows = _table(words)
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
