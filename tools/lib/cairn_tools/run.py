"""Builds Cairn and boots it in QEMU; the log appears on the terminal."""

import argparse
import os
import pathlib
import re
import sys

from cairn_tools import accelerator, kernel_log, qemu
from cairn_tools.build import kernel_image
from cairn_tools.emulation import FirmwareFilter, Outcome, Run
from cairn_tools.project import ToolError, install, main_guard, say

_DESCRIPTION = """\
Installs what is missing (Debian packages), builds the kernel, makes the ISO and boots it in QEMU.
The kernel's log appears on the terminal; the command ends when the kernel powers the machine off.
Ctrl-C ends it at any time.

exit status: 0 the kernel started completely and powered off; 1 it panicked or reset itself, or
something else failed; 2 wrong arguments; 124 timeout; 130 Ctrl-C"""

_EXAMPLES = """\
examples:
  tools/run                                 boot the ISO on a q35 PC with 2 CPUs and 256 MiB
  tools/run --cpus 8 --memory 2G            eight CPUs, 2 GiB
  tools/run --machine pc --firmware uefi    an older chip set, with UEFI
  tools/run --firmware none                 no boot loader: QEMU enters the kernel through PVH
  tools/run --machine microvm               a machine without PCI or firmware
  tools/run --medium disk                   the ISO as a disk, as on a USB stick
  tools/run --cpu Nehalem                   another CPU model (see qemu-system-x86_64 -cpu help)
  tools/run --accel tcg                     never KVM
  tools/run --kernel-args "loglevel=7"      arguments for the kernel
  tools/run --timeout 60                    give up after a minute, with status 124
  tools/run --gdb                           stand still until gdb says "continue"
  tools/run --display                       show the guest's screen, too
  tools/run --icount                        one CPU, and every run is the same to the instruction
  tools/run --serial-log boot.log           keep all that came over the serial line
  tools/run --build-dir build/kernel-clang --no-build
                                            boot a kernel that was built before
"""
_TIMEOUT_WITHOUT_TERMINAL = 600.0


def _memory(text: str) -> int:
    """256, 256M, 2G, 1.5G -> MiB."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([MGT]?)(?:i?B)?", text, re.IGNORECASE)
    mebibytes = float(match[1]) * {"": 1, "M": 1, "G": 1024, "T": 1024 * 1024}[match[2].upper()] if match else 0
    if mebibytes < 1 or mebibytes != int(mebibytes):
        raise argparse.ArgumentTypeError(f"'{text}' is not a size; write 256, 256M or 2G")
    return int(mebibytes)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools/run", description=_DESCRIPTION, epilog=_EXAMPLES, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    machine = parser.add_argument_group("the machine")
    machine.add_argument("--cpus", type=_positive, metavar="N", help="number of CPUs (2)")
    machine.add_argument("--memory", type=_memory, default=256, metavar="M", help="in MiB, or with a suffix (256)")
    machine.add_argument("--machine", choices=qemu.MACHINES, default="q35", help="chip set (q35)")
    machine.add_argument("--firmware", choices=qemu.FIRMWARES, help="none = -kernel through PVH (bios)")
    machine.add_argument("--medium", choices=qemu.MEDIA, default="cdrom", help="how the ISO is attached (cdrom)")
    machine.add_argument("--cpu", default="max", metavar="MODEL", help="CPU model (max)")
    machine.add_argument("--accel", choices=("auto", *qemu.ACCELERATORS), default="auto",
                         help="auto = KVM if it proves to work, else TCG")
    machine.add_argument("--icount", action="store_true", help="count time in instructions; one CPU, TCG")
    kernel = parser.add_argument_group("the kernel")
    kernel.add_argument("--kernel-args", default="", metavar="ARGS", help="its command line")
    kernel.add_argument("--build-dir", type=pathlib.Path, metavar="DIR", help="where it is built (build/kernel)")
    kernel.add_argument("--no-build", action="store_true", help="boot what is there")
    session = parser.add_argument_group("the session")
    session.add_argument("--timeout", type=_positive, metavar="S",
                         help="end after S seconds (600 when there is no terminal, else never)")
    session.add_argument("--gdb", action="store_true", help="wait for gdb on port 1234")
    session.add_argument("--display", action="store_true", help="show the guest's screen in a window")
    session.add_argument("--serial-log", type=pathlib.Path, metavar="FILE", help="copy the serial line's text to FILE")
    return parser


def _machine(options: argparse.Namespace, chosen_accelerator: str) -> qemu.Machine:
    machine = qemu.Machine(
        machine=options.machine,
        firmware=options.firmware or ("none" if options.machine == "microvm" else "bios"),
        cpus=options.cpus or (1 if options.icount else 2),
        memory_mib=options.memory,
        cpu=options.cpu,
        accelerator=chosen_accelerator,
        kernel_arguments=options.kernel_args,
        icount=options.icount,
        medium=options.medium,
    )
    machine.check()
    return machine


def _display_backend() -> str:
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        install("display")
        return "gtk"
    say("No window system here: the screen is served to VNC viewers at 127.0.0.1:5900")
    return "vnc=127.0.0.1:0"


def _report(run: Run) -> int:
    complete = kernel_log.COMPLETE.search(run.log)
    if run.outcome is Outcome.POWERED_OFF and not complete:
        say("The machine was powered off before the kernel had started completely.")
        return 1
    say(f"The kernel {run.outcome.value} after {run.seconds:.1f} s.")
    return run.outcome.exit_status


def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    deterministic = options.icount or options.gdb
    if options.accel == "kvm" and deterministic:
        raise ToolError("--icount and --gdb need TCG", status=2)
    _machine(options, "tcg")  # finds wrong arguments before anything is built

    install("run")
    kernel = kernel_image(options.build_dir and options.build_dir.absolute(), build_first=not options.no_build)
    chosen = "tcg" if deterministic else accelerator.choose(options.accel, kernel)
    machine = _machine(options, chosen)
    display = _display_backend() if options.display else "none"
    timeout = options.timeout
    if timeout is None and not sys.stdin.isatty() and not options.gdb:
        timeout = _TIMEOUT_WITHOUT_TERMINAL

    extra = ()
    if options.gdb:
        extra = ("-gdb", "tcp:127.0.0.1:1234", "-S")
        say(f"Waiting for gdb:\n  gdb {kernel.with_symbols} -ex 'target remote 127.0.0.1:1234'")

    say(f"Booting: {machine}")
    return _report(_boot_on_terminal(machine, kernel, timeout, display, extra, options))


def _boot_on_terminal(machine, kernel, timeout, display, extra, options) -> Run:
    screen = FirmwareFilter()
    log = open(options.serial_log, "wb") if options.serial_log else None

    def show(data: bytes) -> None:
        sys.stdout.buffer.write(screen.feed(data))
        sys.stdout.buffer.flush()
        if log:
            log.write(data)
            log.flush()

    try:
        run = qemu.boot(machine, kernel, timeout=timeout, on_text=show, interactive=sys.stdin.isatty(),
                        display=display, extra=extra, stop_at_panic=not (options.gdb or options.display))
    finally:
        sys.stdout.buffer.write(screen.rest())
        sys.stdout.buffer.flush()
        if log:
            log.close()
    return run


if __name__ == "__main__":
    main_guard(main)
