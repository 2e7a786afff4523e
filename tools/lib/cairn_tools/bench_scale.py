"""Two CPUs, for tools/bench: how much do two independent loops of a row do at the same time, beside one alone? This is
wall time of an emulator with a thread for each CPU, so that it depends on what else the host does."""

import dataclasses
import math

from cairn_tools.bench_machine import MACHINE, Kernel, number, run

_MACHINE = dataclasses.replace(MACHINE, cpus=2, icount=False)
# What Linux reaches at least for a row to count as independent, and what Cairn is to reach then.
_INDEPENDENT, _WANTED = 1.7, 1.8


@dataclasses.dataclass(frozen=True)
class Factor:
    """Throughput of two over that of one, the best of several of each; and how far the medians lie below the best."""

    family: str
    factor: float
    spread_one: float
    spread_two: float


def factors(kernel: Kernel, kernel_arguments: str, words: list[str], what: str) -> dict[str, Factor]:
    """Row to factor, on one kernel."""
    return {name: Factor(family, number(factor), float(one), float(two)) for name, family, factor, one, two in
            run(kernel, kernel_arguments, ["--scale", *words], f"two CPUs of {what}", _MACHINE)}


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
