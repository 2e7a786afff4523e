"""Counts the instructions that a guest executes from QEMU's start, firmware included, until the kernel
has started and powered the machine off: through PVH, with one CPU and 128 MiB.

A plugin counts in QEMU's translator. Time runs with the count (-icount shift=0: one instruction is a
nanosecond), so waiting for a timer takes the same number of instructions on every host, and the
figure hardly differs between runs.
"""

import argparse
import dataclasses
import pathlib
import tempfile

from cairn_tools import kernel_log, qemu, qemu_plugin
from cairn_tools.build import KernelImage, kernel_image
from cairn_tools.emulation import Outcome
from cairn_tools.project import ToolError, install, main_guard

LIMIT_INSTRUCTIONS = 60_000_000
_MACHINE = qemu.Machine(firmware="none", cpus=1, memory_mib=128, icount=True)
_TIMEOUT_SECONDS = 60.0


def count(kernel: KernelImage, machine: qemu.Machine) -> int:
    """The number of instructions; a ToolError if the kernel does not start."""
    with tempfile.TemporaryDirectory(prefix="cairn-count-") as name:
        file = pathlib.Path(name, "count")
        result = qemu.boot(machine, kernel, timeout=_TIMEOUT_SECONDS,
                           extra=qemu_plugin.options("instruction_counter", file))
        if result.outcome is not Outcome.POWERED_OFF or not kernel_log.COMPLETE.search(result.log):
            raise ToolError(f"{machine}: {result.outcome.value}; last line: {kernel_log.last_line(result.log)}")
        return int(file.read_text(encoding="ascii"))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/boot-count", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path, metavar="DIR", help="the kernel's build folder")
    parser.add_argument("--no-build", action="store_true", help="count with the kernel that is there")
    options = parser.parse_args(arguments)
    install("run")
    kernel = kernel_image(options.build_dir and options.build_dir.absolute(), build_first=not options.no_build)
    too_many = False
    for chip_set in ("q35", "microvm"):
        number = count(kernel, dataclasses.replace(_MACHINE, machine=chip_set))
        too_many |= number >= LIMIT_INSTRUCTIONS
        print(f"{number:12,} instructions of {LIMIT_INSTRUCTIONS:,}: {chip_set}, PVH, 1 CPU, 128 MiB", flush=True)
    return 1 if too_many else 0


if __name__ == "__main__":
    main_guard(main)
