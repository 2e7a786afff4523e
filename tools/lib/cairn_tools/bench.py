"""Measures Cairn beside Debian's Linux, in guest instructions: both boot in the same emulated machine, in which
an instruction takes a nanosecond, run the same program, and the figures are the same from run to run.

  tools/bench                       the whole table, as Markdown
  tools/bench --quick               a tenth of the operations in each row
  tools/bench --row fork            the rows whose name contains a text
  tools/bench --family memory       the rows of a family
  tools/bench --json FILE           the table as JSON, too
  tools/bench --compare FILE        rows that are more than 5 % worse than in an earlier JSON file; fails if there are
  tools/bench --cairn-only          Linux's figures from the last run

Linux stands twice: at its strongest (without mitigations and what else costs time), and as Debian ships it.
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
from cairn_tools.project import BUILD, ToolError, install, main_guard, say
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
_LINUX_FILE = BUILD / "bench/linux.json"


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table: instructions for one operation, NaN where a kernel could not do it."""

    name: str
    family: str
    linux: float
    debian: float  # Linux as Debian ships it
    cairn: float

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
        tree.file("cairn_bench", user_program("cairn_bench", build_first=False, variant=VARIANT), 0o755)
        layer = folder / "bench.cpio"
        with open(layer, "wb") as out:
            newc.write(tree, out)
        machine = qemu.Machine(machine="q35", firmware="none", cpus=1, memory_mib=_MEMORY_MIB, cpu=_CPU, icount=True,
                               kernel_arguments=guest.kernel_arguments(kernel_arguments))
        result = guest.run_session(guest.Program(("/cairn_bench", *words)), machine, kernel, [root_image("full"), layer],
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


def _linux(words: list[str], jobs: concurrent.futures.Executor):
    kernel = KernelFile(debian.linux_kernel())
    return [jobs.submit(measure, kernel, arguments, words, what)
            for arguments, what in ((_STRONGEST, "Linux at its strongest"), ("", "Linux as Debian ships it"))]


def _table(options: argparse.Namespace, words: list[str]) -> list[Row]:
    # Two emulators at a time: they take a processor each, and counts do not depend on how long it takes.
    with concurrent.futures.ThreadPoolExecutor(2) as jobs:
        cairn = jobs.submit(measure, kernel_image(build_first=False, variant=VARIANT), "", words, "Cairn")
        if options.cairn_only:
            if not _LINUX_FILE.exists():
                raise ToolError("Linux has not been measured yet", status=2)
            strongest, shipped = json.loads(_LINUX_FILE.read_text(encoding="utf-8"))
        else:
            strongest, shipped = (job.result() for job in _linux(words, jobs))
            if not options.row and not options.family:
                _LINUX_FILE.parent.mkdir(parents=True, exist_ok=True)
                _LINUX_FILE.write_text(json.dumps([strongest, shipped]), encoding="utf-8")
        rows = []
        for name, (family, figure) in cairn.result().items():
            if name in strongest:
                rows.append(Row(name, family, strongest[name][1], shipped[name][1], figure))
    return rows


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
            lines.append(f"| {row.name} | {_number(row.debian)} | {_number(row.linux)} | {_number(row.cairn)} | {ratio} |")
        of_family = [row for row in sound if row.family == family]
        if of_family:
            lines.append(f"| geometric mean of {family} | | | | **{_mean(of_family):.2f}** |")
    if sound:
        lines.append(f"| **geometric mean** of {len(sound)} rows | | | | **{_mean(sound):.2f}** |")
    return "\n".join(lines)


def _worse(rows: list[Row], file: pathlib.Path) -> list[str]:
    before = {row["row"]: row["cairn"] for row in json.loads(file.read_text(encoding="utf-8"))["rows"]}
    return [f"  {row.name}: {row.cairn:,.0f} instead of {before[row.name]:,.0f}" for row in rows
            if before.get(row.name) and not row.cairn <= before[row.name] * _WORSE]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the operations")
    parser.add_argument("--row", metavar="TEXT", help="only rows whose name contains it")
    parser.add_argument("--family", metavar="NAME", action="append", default=[], help="only this family; may be repeated")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the table there, too")
    parser.add_argument("--compare", type=pathlib.Path, metavar="FILE", help="an earlier table as JSON")
    parser.add_argument("--cairn-only", action="store_true", help="take Linux's figures from the last whole run")
    parser.add_argument("--no-build", action="store_true", help="take what is built")
    options = parser.parse_args(arguments)
    install("run")
    if not options.no_build:
        kernel_image(variant=VARIANT)
    root_image("full")
    words = ["--quick"] if options.quick else []
    words += ["--row", options.row] if options.row else []
    words += [word for family in options.family for word in ("--family", family)]
    rows = _table(options, words)
    print(markdown(rows))
    if options.json:
        options.json.write_text(json.dumps({"rows": [
            {"row": row.name, "family": row.family, "linux": row.linux, "debian": row.debian, "cairn": row.cairn,
             "ratio": round(row.ratio, 4)} for row in rows]}, indent=1) + "\n", encoding="utf-8")
    worse = _worse(rows, options.compare) if options.compare else []
    if worse:
        print("More than 5 % worse than before:\n" + "\n".join(worse))
    return 1 if worse or any(math.isnan(row.cairn) for row in rows) else 0


if __name__ == "__main__":
    main_guard(main)
