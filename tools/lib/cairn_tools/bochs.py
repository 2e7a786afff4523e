"""Bochs: an emulator with nothing in common with QEMU, firmware included. It boots the ISO.

Debian's Bochs is built with its debugger, which has to be told to go on, and with displays that need
a terminal or a window; it gets a pseudo terminal that nobody looks at. That display panics in graphics
modes, so the graphics card is a plain VGA, and GRUB leaves it in text mode.
"""

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import pty
import struct
import subprocess
import tempfile
import termios
from typing import Callable

from cairn_tools.build import KernelImage
from cairn_tools.emulation import Outcome, Run, Watch
from cairn_tools.image import make_iso
from cairn_tools.project import dies_with_parent, end_process

# `ips` is how many instructions make a second for the guest. Few, since firmware waits for seconds,
# and Bochs runs some ten million a second.
_CONFIGURATION = """\
display_library: term
plugin_ctrl: e1000=0, es1370=0, ne2k=0, sb16=0, voodoo=0
cpu: model={cpu}, count={cpus}, ips=20000000, reset_on_triple_fault=0
megs: {memory_mib}
clock: sync=none, time0=1704067200
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
vga: extension=none
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path="{iso}", status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev="{serial}"
log: "{log}"
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
"""


@dataclasses.dataclass(frozen=True)
class BochsMachine:
    """A machine that Bochs emulates; `cpu` is one of `bochs --help cpu`."""

    cpus: int = 1
    memory_mib: int = 256
    cpu: str = "corei7_haswell_4770"
    kernel_arguments: str = ""

    def with_arguments(self, arguments: str) -> "BochsMachine":
        return dataclasses.replace(self, kernel_arguments=arguments)

    def __str__(self) -> str:
        return f"bochs, {self.cpus} CPU, {self.memory_mib} MiB, {self.cpu}"


def boot(machine: BochsMachine, kernel: KernelImage, *, timeout: float, iso: pathlib.Path | None = None,
         on_text: Callable[[bytes], None] = lambda _: None) -> Run:
    """Boots `iso`, or the ISO of `kernel`; returns when the machine is off, has panicked, or after `timeout`
    seconds."""
    if iso is None:
        iso = make_iso(kernel, machine.kernel_arguments)
    with tempfile.TemporaryDirectory(prefix="cairn-bochs-") as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        serial, log = folder / "serial", folder / "bochs.log"
        os.mkfifo(serial)
        # Open for writing too, so that it does not look finished before Bochs has opened it.
        serial_line = os.open(serial, os.O_RDWR | os.O_NONBLOCK)
        stack.callback(os.close, serial_line)
        (folder / "bochsrc").write_text(
            _CONFIGURATION.format(**dataclasses.asdict(machine), iso=iso, serial=serial, log=log), encoding="utf-8")
        (folder / "commands").write_text("continue\n", encoding="ascii")

        screen, terminal = pty.openpty()
        stack.callback(os.close, screen)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 50, 132, 0, 0))
        command = ["bochs", "-q", "-f", folder / "bochsrc", "-rc", folder / "commands"]
        process = subprocess.Popen(dies_with_parent(command), stdin=terminal, stdout=terminal, stderr=terminal,
                                   cwd=folder, env={**os.environ, "TERM": "vt100"})
        os.close(terminal)
        stack.callback(end_process, process)

        def discard_screen() -> bool:
            try:
                return bool(os.read(screen, 65536))
            except OSError:  # EIO: Bochs has ended
                return False

        def outcome() -> Outcome:
            return _outcome(log.read_text(encoding="utf-8", errors="replace"))

        return Watch(process, serial_line, on_text, {screen: discard_screen}).run(timeout, outcome)


def _outcome(log: str) -> Outcome:
    """Bochs ends with a panic of its own in every case; its log has the reason."""
    if "soft power off" in log:
        return Outcome.POWERED_OFF
    if "triple fault" in log or "shutdown" in log:
        return Outcome.RESET
    return Outcome.FAILED
