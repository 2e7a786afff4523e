"""What instructions do not price, for tools/bench: how often each row's kernel writes CR3, invalidates translations,
locks the bus and so on, on Linux and on Cairn."""

from cairn_tools import qemu_plugin
from cairn_tools.bench_machine import Kernel, measure
from cairn_tools.project import BUILD

# The plugin's name (tools/lib/event_counter.cpp) and the column's.
_EVENTS = {
    "root": "CR3 writes", "invalidation": "invlpg, invpcid", "locked": "locked", "msr": "wrmsr", "device": "device",
    "iret": "iret", "clock": "rdtsc", "vector": "xsave, xrstor", "halt": "hlt",
}

Counts = dict[str, dict[str, float]]


def count_events(kernel: Kernel, kernel_arguments: str, words: list[str], what: str) -> Counts:
    """Events for one operation, row for row; nothing for rows that the plugin cannot see because they execute other
    programs."""
    file = BUILD / f"bench/events-{what.split()[0].lower()}"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = list(measure(kernel, kernel_arguments, words, f"events of {what}",
                        qemu_options=qemu_plugin.options("event_counter", file)).items())
    counted: Counts = {name: {} for name, _ in rows}
    for line in file.read_text(encoding="ascii").splitlines():
        row, event, count = line.split()
        if int(row) < len(rows):  # behind the last row comes the program's end
            counted[rows[int(row)][0]][event] = float(count)
    # Several operations may be one to the benchmark's loop, so the row's own figure says how many there were.
    return {name: {event: count * figure / counted[name]["instructions"] for event, count in counted[name].items()}
            for name, (_, figure) in rows if counted[name].get("instructions")}


def markdown(linux: Counts, cairn: Counts) -> str:
    """A table: Linux / Cairn in each field."""
    lines = ["| row | " + " | ".join(_EVENTS.values()) + " |", "| --- |" + " ---: |" * len(_EVENTS)]
    for name, counts in cairn.items():
        if name not in linux:
            continue
        fields = (f"{_figure(linux[name][event])} / {_figure(counts[event])}" for event in _EVENTS)
        lines.append(f"| {name} | " + " | ".join("" if field == "0 / 0" else field for field in fields) + " |")
    return "\n".join(lines)


def _figure(number: float) -> str:
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}".removesuffix(".0")
