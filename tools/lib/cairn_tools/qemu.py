"""QEMU: the machines that Cairn is tried on, and one run of one of them."""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import termios
from typing import Callable

from cairn_tools.build import KernelFile
from cairn_tools.emulation import Outcome, Run, Watch
from cairn_tools.image import make_iso
from cairn_tools.project import ToolError, dies_with_parent, end_process

EMULATOR = "qemu-system-x86_64"
MACHINES = ("pc", "q35", "microvm")
FIRMWARES = ("bios", "uefi", "none")
ACCELERATORS = ("tcg", "kvm")
MEDIA = ("cdrom", "disk", "usb")
SCREENS = ("std", "none")

_OVMF_CODE = pathlib.Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
_OVMF_VARIABLES = pathlib.Path("/usr/share/OVMF/OVMF_VARS_4M.fd")


@dataclasses.dataclass(frozen=True)
class Machine:
    """A machine as a user names it. firmware "none" starts the kernel itself through PVH, and is all
    that microvm knows; the other two boot the ISO."""

    machine: str = "q35"
    firmware: str = "bios"
    cpus: int = 2
    memory_mib: int = 256
    cpu: str = "max"
    accelerator: str = "tcg"
    kernel_arguments: str = ""
    # One instruction is one nanosecond and idle time takes none: every run is the same.
    icount: bool = False
    # How the ISO is presented.
    medium: str = "cdrom"
    screen: str = "std"

    def with_arguments(self, arguments: str) -> "Machine":
        return dataclasses.replace(self, kernel_arguments=arguments)

    def check(self) -> None:
        """Refuses what cannot be, with a message for the user."""
        if self.machine == "microvm" and self.firmware != "none":
            raise ToolError("microvm has no firmware that boots an ISO; use --firmware none", status=2)
        if self.icount and (self.cpus != 1 or self.accelerator != "tcg"):
            raise ToolError("--icount needs TCG and a single CPU (--cpus 1)", status=2)
        if self.cpus < 1 or self.memory_mib < 1:
            raise ToolError("a machine has at least one CPU and 1 MiB", status=2)

    def __str__(self) -> str:
        parts = [self.machine, self.firmware if self.firmware != "none" else "pvh", f"{self.cpus} CPU",
                 f"{self.memory_mib} MiB", self.cpu]
        if self.medium != "cdrom":
            parts.append(self.medium)
        if self.screen != "std":
            parts.append("no screen")
        if self.accelerator != "tcg":
            parts.append(self.accelerator)
        if self.icount:
            parts.append("icount")
        if self.kernel_arguments:
            parts.append(f'"{self.kernel_arguments}"')
        return ", ".join(parts)


def _machine_options(machine: Machine) -> list[str]:
    accelerator = machine.accelerator + (",thread=single" if machine.icount else "")
    options = ["-nodefaults", "-no-user-config", "-no-reboot", "-machine", machine.machine, "-accel", accelerator,
               "-cpu", machine.cpu, "-smp", str(machine.cpus), "-m", str(machine.memory_mib)]
    if machine.icount:
        # The real-time clock counts guest time too, from a fixed date.
        options += ["-icount", "shift=0,sleep=off", "-rtc", "base=2024-01-01T00:00:00,clock=vm"]
    return options


def _boot_options(machine: Machine, kernel: KernelFile, layers: tuple[pathlib.Path, ...],
                  folder: pathlib.Path, iso: pathlib.Path | None) -> list[str]:
    if machine.firmware == "none":
        options = ["-kernel", str(kernel.bootable), "-append", machine.kernel_arguments]
        if layers:
            options += ["-initrd", str(_concatenated(layers, folder))]
        return options
    # Layers differ from run to run, so an ISO with them is not worth keeping.
    if iso is None:
        iso = make_iso(kernel, machine.kernel_arguments, layers, folder / "cairn.iso" if layers else None)
    options = _medium_options(machine.medium, iso)
    if machine.firmware == "uefi":
        if not _OVMF_CODE.exists():
            raise ToolError(f"{_OVMF_CODE} is missing (package ovmf)")
        variables = folder / "variables.fd"  # the firmware writes to it
        shutil.copyfile(_OVMF_VARIABLES, variables)
        options += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={_OVMF_CODE}",
                    "-drive", f"if=pflash,unit=1,format=raw,file={variables}"]
    return options


def _medium_options(medium: str, iso: pathlib.Path) -> list[str]:
    drive = f"file={iso},format=raw,if=none,id=boot"
    if medium == "cdrom":
        return ["-drive", f"{drive},media=cdrom,readonly=on", "-device", "ide-cd,drive=boot,bootindex=0"]
    # IDE knows no disk that cannot be written to.
    options = ["-drive", f"{drive},snapshot=on"]
    if medium == "usb":
        return options + ["-device", "qemu-xhci", "-device", "usb-storage,drive=boot,bootindex=0"]
    return options + ["-device", "ide-hd,drive=boot,bootindex=0"]


def _concatenated(layers: tuple[pathlib.Path, ...], folder: pathlib.Path) -> pathlib.Path:
    """-initrd takes one file. Archives may follow each other in it; ours are whole pages long."""
    if len(layers) == 1:
        return layers[0]
    initrd = folder / "initrd"
    with open(initrd, "wb") as out:
        for layer in layers:
            with open(layer, "rb") as file:
                shutil.copyfileobj(file, out, 1 << 20)
            out.write(bytes(-out.tell() % 4096))
    return initrd


def command_line(machine: Machine, kernel: KernelFile, folder: pathlib.Path, *, layers: tuple[pathlib.Path, ...] = (),
                 iso: pathlib.Path | None = None, display: str = "none") -> list[str]:
    """QEMU's command for a machine that boots `kernel` with the archives `layers` as its root, or `iso`, made
    before, if it boots an ISO; what it needs is put into `folder`. Serial ports are up to the caller."""
    machine.check()
    return [EMULATOR, *_machine_options(machine), *_boot_options(machine, kernel, layers, folder, iso),
            *_screen_options(machine, display)]


def continuing_command_line(machine: Machine, source: str, display: str = "none") -> list[str]:
    """QEMU's command for a machine that goes on where another stopped; `source`: QEMU's name for where its state is."""
    machine.check()
    return [EMULATOR, *_machine_options(machine), *_screen_options(machine, display), "-incoming", source]


def _screen_options(machine: Machine, display: str) -> list[str]:
    return ["-display", display, *(["-vga", machine.screen] if machine.machine != "microvm" else [])]


class Control:
    """QEMU's monitor protocol (QMP). One event always matters: why the machine was shut down. Without it a triple
    fault looks like a power-off."""

    def __init__(self) -> None:
        self._ours, self.theirs = socket.socketpair()
        self._text = b""
        self._reason = ""
        self._questions = 0
        self._answer: dict | None = None
        self._ours.sendall(b'{"execute": "qmp_capabilities"}\n')

    def options(self) -> list[str]:
        return ["-chardev", f"socket,id=control,fd={self.theirs.fileno()}", "-mon", "chardev=control,mode=control"]

    def fileno(self) -> int:
        return self._ours.fileno()

    def read(self) -> bool:
        try:
            data = self._ours.recv(65536)
        except ConnectionError:
            return False
        self._text += data
        *lines, self._text = self._text.split(b"\n")
        for line in lines:
            message = json.loads(line)
            if message.get("event") == "SHUTDOWN":
                self._reason = message["data"]["reason"]
            if message.get("id") == self._questions:
                self._answer = message
        return bool(data)

    def ask(self, command: str, **arguments: str) -> dict:
        """Has QEMU carry out a command, and waits for what it says."""
        self._questions += 1
        self._answer = None
        question = {"execute": command, "arguments": arguments, "id": self._questions}
        self._ours.sendall(json.dumps(question).encode("ascii") + b"\n")
        while self._answer is None:
            if not self.read():
                raise ToolError(f"QEMU has ended, asked for {command}")
        if "error" in self._answer:
            raise ToolError(f"QEMU: {self._answer['error']['desc']}")
        return self._answer["return"]

    def quit(self) -> None:
        with contextlib.suppress(OSError):
            self._ours.sendall(b'{"execute": "quit"}\n')

    def outcome(self) -> Outcome:
        return {"guest-shutdown": Outcome.POWERED_OFF, "guest-reset": Outcome.RESET}.get(self._reason, Outcome.FAILED)

    def close(self) -> None:
        self._ours.close()
        self.theirs.close()


@contextlib.contextmanager
def terminal_kept():
    """Puts the terminal back as it was: QEMU switches it to raw mode and may be killed."""
    if not sys.stdin.isatty():
        yield
        return
    settings = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, settings)


def boot(machine: Machine, kernel: KernelFile, *, timeout: float | None, layers: tuple[pathlib.Path, ...] = (),
         iso: pathlib.Path | None = None,
         on_text: Callable[[bytes], None] = lambda _: None, interactive: bool = False, display: str = "none",
         extra: tuple[str, ...] = (), descriptors: tuple[int, ...] = (), when_started: Callable[[], None] | None = None,
         stop_at_panic: bool = True, show_errors: bool = True) -> Run:
    """Boots `kernel` (see command_line) and returns when the machine is off, has panicked, or after `timeout` seconds
    (None: never). Interactive: the user's keys go to the serial line, Ctrl-C ends the run. QEMU gets
    the options `extra` and the open `descriptors`; `when_started` runs before anything is read."""
    control = Control()
    with contextlib.closing(control), tempfile.TemporaryDirectory(prefix="cairn-run-") as name, terminal_kept():
        command = [*command_line(machine, kernel, pathlib.Path(name), layers=layers, iso=iso, display=display),
                   "-chardev", "stdio,id=serial,signal=on", "-serial", "chardev:serial", *control.options(), *extra]
        process = subprocess.Popen(dies_with_parent(command), stdin=None if interactive else subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=None if show_errors else subprocess.DEVNULL,
                                   pass_fds=(control.theirs.fileno(), *descriptors))
        try:
            control.theirs.close()
            if when_started:
                when_started()
            watch = Watch(process, process.stdout.fileno(), on_text, {control.fileno(): control.read},
                          control.quit)
            return watch.run(timeout, control.outcome, stop_at_panic=stop_at_panic)
        finally:
            end_process(process)
            process.stdout.close()


def kvm_device_usable() -> bool:
    """Whether it is worth asking; that the device opens does not yet mean that a guest runs."""
    return os.access("/dev/kvm", os.R_OK | os.W_OK)
