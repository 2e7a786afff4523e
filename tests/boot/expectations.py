"""What must be true of a row's run: complaints in words, none if all is well."""

import re
from typing import Iterator

from boot import firmware, shell
from boot.damage import QUIET_DAMAGES
from boot.rows import Row
from cairn_tools import kernel_log
from cairn_tools.bochs import BochsMachine
from cairn_tools.emulation import Outcome, Run

# What firmware keeps for itself, in MiB: tables and the last reservation below the top of memory for
# a BIOS; UEFI's run-time services and pools besides.
_FIRMWARE_MIB = {"bios": 8, "uefi": 48, "none": 8}
# The kernel's own share: its image, and the description of each frame.
_KERNEL_SHARE = 0.03
_KERNEL_MIB = 4


def complaints(row: Row, run: Run) -> list[str]:
    """Judges a finished run."""
    if row.damage:
        return list(_damaged(row, run))
    if row.firmware:
        return list(_with_less(row, run))
    if row.crash:
        return list(_crashed(row, run))
    return list(_booted(row, run))


def _booted(row: Row, run: Run) -> Iterator[str]:
    if run.outcome is not Outcome.POWERED_OFF:
        panic = kernel_log.PANIC.search(run.log)
        reason = f"panic: {panic['message']}" if panic else f"last line: {kernel_log.last_line(run.log)}"
        yield f"{run.outcome.value}; {reason}"
    if not kernel_log.STARTED.search(run.log):
        yield "no first line of the kernel"
        return
    if not kernel_log.COMPLETE.search(run.log):
        yield "start-up was not completed"
    for warning in kernel_log.WARNING.finditer(run.log):
        yield warning["message"]
    yield from _cpus(row, run)
    yield from _memory(row, run)
    if not kernel_log.CLOCK_SOURCE.search(run.log):
        yield "no clock source is named"
    if row.shell:
        yield from _in_the_shell(row, run)
    if row.stress_seconds and not kernel_log.STRESS_PASSED.search(run.log):
        yield "the stress did not pass"


def _in_the_shell(row: Row, run: Run) -> Iterator[str]:
    for match in shell.WRONG.finditer(run.log):
        yield match["what"]
    cpus = shell.CPUS.search(run.log)
    if not cpus or int(cpus["cpus"]) != row.machine.cpus:
        yield f"the shell sees {cpus['cpus'] if cpus else 'no'} CPUs"
    if not shell.DONE.search(run.log):
        yield f"the shell did not come to its end; last line: {kernel_log.last_line(run.log)}"


def _cpus(row: Row, run: Run) -> Iterator[str]:
    found = [(int(match["cpu"]), int(match["apic_id"])) for match in kernel_log.CPU_ONLINE.finditer(run.log)]
    expected = list(range(row.machine.cpus))
    if sorted(cpu for cpu, _ in found) != expected:
        yield f"CPUs online: {[cpu for cpu, _ in found]}, not {expected}"
    if len({apic_id for _, apic_id in found}) != len(found):
        yield f"two CPUs have the same APIC id: {[apic_id for _, apic_id in found]}"


def _memory(row: Row, run: Run) -> Iterator[str]:
    match = kernel_log.MEMORY.search(run.log)
    if not match:
        yield "the memory is not named"
        return
    given, usable = row.machine.memory_mib, int(match["mebibytes"])
    firmware = "bios" if isinstance(row.machine, BochsMachine) else row.machine.firmware
    least = given - _FIRMWARE_MIB[firmware] - _KERNEL_MIB - given * _KERNEL_SHARE
    if not least <= usable <= given:
        yield f"{usable} MiB usable of {given} MiB"


def _crashed(row: Row, run: Run) -> Iterator[str]:
    if run.outcome is not Outcome.PANICKED:
        yield f"no panic; {run.outcome.value}; last line: {kernel_log.last_line(run.log)}"
        return
    screen = run.log[kernel_log.PANIC.search(run.log).start() :]
    if not kernel_log.BACKTRACE_FRAME.search(screen):
        yield f"no function is named in the backtrace of crash={row.crash}"


def _with_less(row: Row, run: Run) -> Iterator[str]:
    """The shell did its work, perhaps with fewer CPUs, and the log says what was left out."""
    if run.outcome is not Outcome.POWERED_OFF:
        panic = kernel_log.PANIC.search(run.log)
        reason = f"panic: {panic['message']}" if panic else f"last line: {kernel_log.last_line(run.log)}"
        yield f"{run.outcome.value}; {reason}"
    for match in shell.WRONG.finditer(run.log):
        yield match["what"]
    if not shell.DONE.search(run.log):
        yield "the shell did not come to its end"
    said = (firmware.DAMAGES | firmware.MUTATIONS)[row.firmware].said
    if not re.search(said, run.log):
        yield f"the log lacks '{said}'"


def _damaged(row: Row, run: Run) -> Iterator[str]:
    """Either a panic that says so, or a start in spite of it; never silence or a triple fault."""
    if run.outcome not in (Outcome.PANICKED, Outcome.POWERED_OFF):
        yield f"{run.outcome.value}; last line: {kernel_log.last_line(run.log)}"
    started = run.outcome is Outcome.POWERED_OFF and kernel_log.COMPLETE.search(run.log)
    if row.damage in QUIET_DAMAGES and started:
        return
    if not kernel_log.BOOT_INFORMATION_DAMAGED.search(run.log):
        yield "nothing was said about the damage"
