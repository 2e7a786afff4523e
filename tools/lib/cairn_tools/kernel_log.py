"""What the kernel writes on its serial line, as far as programs read it. Every pattern is here, so
that a change of wording in the kernel is a change of one line.

    [    0.001234] boot: Cairn ...
"""

import re

_TIME = r"^\[ *\d+\.\d+\] "

# The first line and the last one before there is a user program.
STARTED = re.compile(_TIME + r"boot: Cairn\b", re.MULTILINE)
COMPLETE = re.compile(_TIME + r"boot: complete in (?P<milliseconds>\d+) ms", re.MULTILINE)

# The line that begins a panic's screen (before long mode, all that the kernel can say is one line
# that begins with its name), and one frame of the backtrace with the function's name.
PANIC = re.compile(r"^(?:panic|PANIC|Cairn): (?P<message>[^\n]*)", re.MULTILINE)
BACKTRACE_FRAME = re.compile(r"^ +#\d+ +0x[0-9a-f]+ (?P<symbol>\S.*)\+0x[0-9a-f]+$", re.MULTILINE)
WARNING = re.compile(_TIME + r"\w+: (?P<message>WARNING: [^\n]*)", re.MULTILINE)

CPU_ONLINE = re.compile(_TIME + r"cpu: CPU (?P<cpu>\d+) online \(APIC id (?P<apic_id>\d+)\)", re.MULTILINE)
MEMORY = re.compile(_TIME + r"mm: (?P<mebibytes>\d+) MiB\b", re.MULTILINE)
CLOCK_SOURCE = re.compile(_TIME + r"time: clock source (?P<source>\w+)", re.MULTILINE)
STRESS_PASSED = re.compile(_TIME + r"stress: passed\b", re.MULTILINE)
# What the parsers say of boot information that is not as it should be.
BOOT_INFORMATION_DAMAGED = re.compile(
    r"boot: (?:multiboot2|pvh): |boot: a (?:module|screen) .*: left out|^Cairn: ", re.MULTILINE)


def last_line(log: str) -> str:
    """The last line with something on it, or an empty string."""
    lines = [line for line in log.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
