"""Cache lines that two CPUs have in common, for tools/bench: each runs a loop of the same row, in a process and a root
of its own. Whatever the one writes and the other one reads or writes then costs transfers between caches, and bounds
how many CPUs the kernel can use."""

import collections
import dataclasses
import subprocess

from cairn_tools import qemu_plugin
from cairn_tools.bench_machine import MACHINE, Kernel, run
from cairn_tools.build import KernelImage
from cairn_tools.project import BUILD

# The CPUs take turns in one thread: what is counted is not time.
_MACHINE = dataclasses.replace(MACHINE, cpus=2, icount=False, accelerator="tcg,thread=single")
# A line counts as written by each call if it was in so many of them; what timers and lists of free pages write now and
# then is in the other column.
_OFTEN = 0.5
_NAMED = 0.05


@dataclasses.dataclass
class Sharing:
    """Of one operation: the lines that (nearly) each one writes, how often a line may have to go from one CPU to the
    other, and who makes it so by writing."""

    lines: int = 0
    transfers: float = 0.0
    writers: dict[int, float] = dataclasses.field(default_factory=lambda: collections.defaultdict(float))


def measure(kernel: Kernel, kernel_arguments: str, words: list[str], what: str) -> dict[str, Sharing]:
    """Row to what is shared, on one kernel."""
    file = BUILD / f"bench/shared-{what.split()[0].lower()}"
    file.parent.mkdir(parents=True, exist_ok=True)
    options = qemu_plugin.options("shared_lines", file)
    printed = run(kernel, kernel_arguments, ["--shared", *words], f"shared lines of {what}", _MACHINE, options)
    counts = [(name, 0 if count == "failed" else int(count)) for name, _, count in printed]
    result = {name: Sharing() for name, count in counts if count}
    for line in file.read_text(encoding="ascii").splitlines():
        row, _, write_0, write_1, read_0, read_1, *writers = line.split()
        if int(row) >= len(counts) or not counts[int(row)][1]:
            continue
        name, count = counts[int(row)]
        writes, reads = (int(write_0), int(write_1)), (int(read_0), int(read_1))
        # A line that the other one touches once costs one transfer, however often this one writes it.
        transfers = min(writes[0], reads[1] + writes[1]) + min(writes[1], reads[0] + writes[0])
        sharing = result[name]
        sharing.lines += transfers >= count * _OFTEN
        sharing.transfers += transfers / (2 * count)
        for writer in writers:
            place, number = writer.split(":")
            sharing.writers[int(place, 16)] += int(number) * transfers / sum(writes) / (2 * count)
    return result


def _places(kernel: KernelImage, addresses: list[int]) -> dict[int, str]:
    """The function that each place is in, and the one there that was inlined."""
    if not addresses:
        return {}
    output = subprocess.run(["llvm-symbolizer-19", f"--obj={kernel.with_symbols}", "--inlines", "--demangle",
                             "--functions=short"], input="".join(f"{address:#x}\n" for address in addresses),
                            capture_output=True, text=True, check=True, timeout=300).stdout
    places = {}
    for address, block in zip(addresses, output.strip().split("\n\n"), strict=True):
        lines = block.splitlines()[0::2]
        names = [line.rsplit("::", 1)[-1].split("(")[0].split("<")[0] for line in lines]
        places[address] = names[-1] if names[0] == names[-1] else f"{names[-1]} ({names[0]})"
    return places


def markdown(kernel: KernelImage, linux: dict[str, Sharing], cairn: dict[str, Sharing]) -> str:
    """The table, with those who write on Cairn."""
    often = sorted({place for sharing in cairn.values() for place, number in sharing.writers.items()
                    if number >= _NAMED})
    names = _places(kernel, often)
    lines = ["| row | lines: Linux | Cairn | transfers: Linux | Cairn | who writes, on Cairn |",
             "| --- | ---: | ---: | ---: | ---: | --- |"]
    for name, here in cairn.items():
        there = linux.get(name, Sharing())
        writers: dict[str, float] = collections.Counter()
        for place, number in here.writers.items():
            if place in names:
                writers[names[place]] += number
        text = ", ".join(f"{writer} {number:.1f}" for writer, number in
                         sorted(writers.items(), key=lambda item: -item[1])[:6])
        transfers = f"{there.transfers:.2f} | {here.transfers:.2f}"
        lines.append(f"| {name} | {there.lines} | {here.lines} | {transfers} | {text} |")
    return "\n".join(lines)
