"""Two CPUs, for tools/bench: how much do two independent loops of a row do at the same time, beside one alone? This is
wall time of an emulator with a thread for each CPU, so that it depends on what else the host does."""

import dataclasses
import math

from cairn_tools.bench_machine import MACHINE, Kernel, number, run

_MACHINE = dataclasses.replace(MACHINE, cpus=2, icount=False)
# The host gives all memory before: otherwise it does so at the guest's first use of each page, one page at a time for
# both CPUs, which a row that takes new memory would be blamed for.
_OPTIONS = ("-mem-prealloc",)
# What Linux reaches at least for a row to count as independent, and what Cairn is to reach then.
_INDEPENDENT, _WANTED = 1.7, 1.8


@dataclasses.dataclass(frozen=True)
class Factor:
    """Throughput of two over that of one, the best of several of each; and how far the medians lie below the best."""

    family: str
    factor: float
    spread_one: float
    spread_two: float


def better(first: dict[str, Factor], second: dict[str, Factor]) -> dict[str, Factor]:
    """Of two measurements, the larger factor of each row. One and two take turns, so that what else the host does hurts
    two at least as much; and the two processors of a rented host may be one in truth for some seconds."""
    return {row: second[row] if second[row].factor > factor.factor else factor for row, factor in first.items()}


def factors(kernel: Kernel, kernel_arguments: str, words: list[str], what: str) -> dict[str, Factor]:
    """Row to factor, on one kernel."""
    return {name: Factor(family, number(factor), float(one), float(two)) for name, family, factor, one, two in
            run(kernel, kernel_arguments, ["--scale", *words], f"two CPUs of {what}", _MACHINE, _OPTIONS)}


def markdown(linux: dict[str, Factor], cairn: dict[str, Factor]) -> str:
    """The table, and what misses its aim."""
    lines = ["| row | Linux | spread | Cairn | spread | |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    for name, here in cairn.items():
        there = linux[name]
        if math.isnan(here.factor):
            verdict = "failed"
        elif not there.factor >= _INDEPENDENT:
            verdict = "not independent on Linux"
        else:
            verdict = "" if here.factor >= _WANTED else "misses"
        lines.append(f"| {name} | {there.factor:.2f} | {there.spread_one:.0%}, {there.spread_two:.0%}"
                     f" | {here.factor:.2f} | {here.spread_one:.0%}, {here.spread_two:.0%} | {verdict} |")
    return "\n".join(lines)
