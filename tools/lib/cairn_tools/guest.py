"""Runs one program in a guest: a kernel (Cairn, or a Linux to compare with), a root made of archives,
and our /init, which starts the program. docs/running.md describes what goes over the four serial ports.

    result = guest.run_program(["sh", "-c", "echo $0; exit 3"])
    result.status, result.stdout, result.stderr
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import socket
import stat
import subprocess
import sys
import tempfile
import time
from typing import Callable, Iterable, Mapping

from cairn_tools import capture, mounts, newc, qemu
from cairn_tools.build import KernelFile, kernel_image, user_program
from cairn_tools.emulation import Outcome
from cairn_tools.guest_input import Input
from cairn_tools.guest_session import Session, TerminalSession, raw_terminal
from cairn_tools.project import ROOT, ToolError, dies_with_parent, end_process
from cairn_tools.root_image import DEFAULT_PROFILE, root_image

STATUS_TIMEOUT = 124
STATUS_KERNEL_FAILED = 125
# Names under which init asks process 1 for the machine's end.
_POWER_COMMANDS = ("halt", "poweroff", "reboot", "shutdown")
_REPORT = ROOT / "user/report"


@dataclasses.dataclass(frozen=True)
class Program:
    """What init is to run. Without arguments: a login shell. On the terminal, or with pipes."""

    arguments: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()  # NAME=value; later ones win
    cwd: str | None = None
    uid: int = 0
    gid: int | None = None
    hostname: str | None = None
    limits: tuple[str, ...] = ()  # NAME=value of setrlimit(2)
    mounted: tuple[mounts.Mount, ...] = ()
    on_terminal: bool = False
    errors_apart: bool = True  # on the terminal: standard error goes elsewhere
    tells_of_listening: bool = False

    @staticmethod
    def plan_on_console(arguments: tuple[str, ...]) -> bytes:
        """A plan for a machine of its own, where nobody listens on the other serial ports."""
        return b"".join(os.fsencode(f"argument={word}") + b"\0" for word in arguments) + b"environment=TERM=vt100\0"

    @staticmethod
    def plan_of_logins() -> bytes:
        """A plan for a machine with people at it: a login on each terminal."""
        return b"logins=all\0"

    def plan(self, window: tuple[int, int] | None) -> bytes:
        """The file /.cairn/run; user/init/plan.h reads it."""
        place = "terminal" if self.on_terminal else "port"
        fields = [("control", "port"), ("stdin", place), ("stdout", place),
                  ("stderr", "port" if self.errors_apart else "terminal"), ("uid", self.uid)]
        fields += [("argument", word) for word in self.arguments]
        fields += [("environment", word) for word in self.environment]
        fields += [("limit", limit) for limit in self.limits]
        fields += [mount.field for mount in self.mounted]
        for key, value in (("gid", self.gid), ("cwd", self.cwd), ("hostname", self.hostname)):
            if value is not None:
                fields.append((key, value))
        if self.tells_of_listening:
            fields.append(("tell", "listening"))
        if window:
            fields += [("columns", window[0]), ("rows", window[1])]
        for key, value in fields:
            if "\0" in str(value):
                raise ToolError(f"a NUL in the program's {key}", status=2)
        return b"".join(os.fsencode(f"{key}={value}") + b"\0" for key, value in fields)


@dataclasses.dataclass(frozen=True)
class Result:
    """How a run ended. `status` is the program's, or 124 after a timeout, 125 when the kernel failed;
    `failure` then says why. `console`: the first serial port, with the kernel's log."""

    status: int
    console: str
    failure: str = ""
    stdout: bytes = b""
    stderr: bytes = b""
    seconds: float = 0.0


def session_layer(plan: bytes | None, folder: pathlib.Path, *, build_first: bool = True) -> pathlib.Path:
    """The root's last layer: init, its commands, what it is to run, and the console for its first steps."""
    tree = newc.Tree()
    tree.file("init", user_program("cairn_init", build_first=build_first), 0o755)
    for name in _POWER_COMMANDS:
        tree.symlink(f"usr/sbin/{name}", "/init")
    tree.file("usr/bin/report", _REPORT, 0o755)
    tree.add("dev/console", newc.Node(stat.S_IFCHR | 0o600, device=(5, 1)))
    if plan is not None:
        tree.file(".cairn/run", plan, 0o600)
    layer = folder / "session.cpio"
    with open(layer, "wb") as out:
        newc.write(tree, out)
    return layer


@contextlib.contextmanager
def temporary_folder():
    """Where archives of one run go."""
    with tempfile.TemporaryDirectory(prefix="cairn-root-") as name:
        yield pathlib.Path(name)


def root_layer(root: pathlib.Path | str | None, folder: pathlib.Path) -> pathlib.Path:
    """An archive for what a user names as root: nothing, a profile's name, a folder, or an archive."""
    if root is None:
        return root_image(DEFAULT_PROFILE)
    path = pathlib.Path(root)
    if path.is_dir():
        tree = newc.Tree()
        tree.add_folder(path)
        archive = folder / f"root{len(list(folder.iterdir()))}.cpio"
        with open(archive, "wb") as out:
            newc.write(tree, out)
        return archive
    if not path.exists():
        return root_image(str(root))
    with open(path, "rb") as file:
        if file.read(6) != b"070701":
            raise ToolError(f"{path} is not an uncompressed cpio archive in newc format", status=2)
    return path.absolute()


def _serial_options(machine: qemu.Machine, theirs: list[socket.socket]) -> list[str]:
    options = []
    for number, port in enumerate(theirs):
        options += ["-chardev", f"socket,id=port{number},fd={port.fileno()}"]
        if machine.machine == "microvm" and number:
            options += ["-device", f"isa-serial,index={number},chardev=port{number}"]
        else:
            options += ["-serial", f"chardev:port{number}"]
    return options


def kernel_arguments(extra: str = "", *, trace: bool = False) -> str:
    """Log on the first port, only errors unless there is a reason for more; a panic ends the machine."""
    return " ".join(["console=ttyS0", "trace=syscalls" if trace else "quiet", "panic=-1", *extra.split()])


def run_session(program: Program, machine: qemu.Machine, kernel: KernelFile, layers: Iterable[pathlib.Path], *,
                source: int | bytes = b"", sinks: Mapping[str, Callable[[bytes], None]], timeout: float | None = None,
                is_stuck: Callable[[], bool] = lambda: False, capturing: capture.Plan | None = None,
                qemu_options: tuple[str, ...] = (), display: str = "none", build_first: bool = True,
                show_errors: bool = True) -> Result:
    """Boots `kernel` with `layers` as its root and runs `program`. `sinks` get what comes from the guest:
    "stdout", "stderr", "console"; "ready" is called when init has started. It ends after `timeout` seconds,
    or when `is_stuck` says so, or with a capture if the plan for that says so."""
    if isinstance(kernel, KernelFile) and kernel.is_linux:
        # It tests the timer with a loop that a busy host makes too fast, and panics.
        machine = machine.with_arguments(f"{machine.kernel_arguments} no_timer_check")
    with temporary_folder() as folder:
        window = tuple(os.get_terminal_size(sys.stdin.fileno())) if program.on_terminal else None
        if capturing and capturing.trigger.kind == "listen":
            program = dataclasses.replace(program, tells_of_listening=True)
        last = [session_layer(program.plan(window), folder, build_first=build_first)]
        sent = []
        if program.mounted:
            layer, sent = mounts.layer(program.mounted, folder)
            last.append(layer)
        command = qemu.command_line(machine, kernel, folder, layers=(*layers, *last), display=display)
        new = capture.State(machine, program.on_terminal, program.errors_apart, sent, {})
        return _drive(new, [*command, *qemu_options], source, sinks, timeout, is_stuck, capturing, show_errors)


def continue_session(file: pathlib.Path, *, source: int | bytes = b"", sinks: Mapping[str, Callable[[bytes], None]],
                     timeout: float | None = None, capturing: capture.Plan | None = None,
                     display: str = "none") -> Result:
    """run_session() for a captured guest: it goes on as if nothing had happened."""
    state, rest = capture.State.load(file)
    command = qemu.continuing_command_line(state.machine, rest, display)
    return _drive(state, command, source, sinks, timeout, lambda: False, capturing, True)


def _drive(state: capture.State, command: list[str], source: int | bytes,
           sinks: Mapping[str, Callable[[bytes], None]], timeout: float | None, is_stuck: Callable[[], bool],
           capturing: capture.Plan | None, show_errors: bool) -> Result:
    begin = time.monotonic()
    control = qemu.Control()
    pairs = [socket.socketpair() for _ in range(4)]
    ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    all_sinks = {"console": lambda _: None, "ready": lambda _: None, **sinks}
    with contextlib.ExitStack() as stack:
        for each in (control, *ours, *theirs):
            stack.callback(each.close)
        changes = mounts.Changes(state.sent)
        stack.callback(changes.close)
        command = [*command, *_serial_options(state.machine, theirs), *control.options()]
        descriptors = [port.fileno() for port in theirs] + [control.theirs.fileno()]
        process = subprocess.Popen(dies_with_parent(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=None if show_errors else subprocess.DEVNULL, pass_fds=descriptors,
                                   start_new_session=True)
        stack.callback(end_process, process)
        for each in (*theirs, control.theirs):
            each.close()
        kind = TerminalSession if state.on_terminal else Session
        session = kind(process, control, ours, Input(source), all_sinks, changes)
        stack.callback(session.close)
        if state.session:
            capture.go_on(control)
            session.restore(state.session)
        if capturing:
            session.capturer = capture.Capturer(
                capturing, control, ours, lambda: dataclasses.replace(state, session=session.state()), session.drain)
            stack.callback(session.capturer.close)
        if state.on_terminal:
            stack.enter_context(raw_terminal(session))
        outcome = session.run(lambda: is_stuck() or (timeout is not None and time.monotonic() > begin + timeout))
        if outcome is None:
            session.wait_for_power_off()
        else:
            control.quit()
        if outcome is not Outcome.CAPTURED:
            changes.apply()
    console = session.console.decode("utf-8", "replace").replace("\r", "")
    return _result(session, outcome, console, time.monotonic() - begin)


def _result(session: Session, outcome: Outcome | None, console: str, seconds: float) -> Result:
    if outcome is None:
        return Result(session.status, console, session.failure, seconds=seconds)
    if outcome is Outcome.CAPTURED:
        return Result(0, console, seconds=seconds)
    if outcome is Outcome.TIMED_OUT:
        return Result(STATUS_TIMEOUT, console, "the program did not end in time", seconds=seconds)
    if _PANIC.search(console):
        return Result(STATUS_KERNEL_FAILED, console, "the kernel panicked", seconds=seconds)
    return Result(STATUS_KERNEL_FAILED, console, f"the machine {outcome.value} before the program had ended",
                  seconds=seconds)


_PANIC = re.compile(r"^.*(?:panic:|PANIC:|Kernel panic|Cairn: ).*$", re.MULTILINE)


def last_words(console: str, lines: int = 40) -> str:
    """The kernel's log from its panic on, or its end."""
    panic = _PANIC.search(console)
    text = console[panic.start() :] if panic else "\n".join(console.rstrip().splitlines()[-lines:])
    return text.rstrip() + "\n" if text.strip() else ""


def run_program(arguments: Iterable[str], *, root: pathlib.Path | str | None = None,
                layers: Iterable[pathlib.Path] = (), environment: Iterable[str] = (), cwd: str | None = None,
                uid: int = 0, limits: Iterable[str] = (), mounted: Iterable[mounts.Mount] = (), stdin: bytes = b"",
                cpus: int = 1, memory: int = 512, machine: str = "q35",
                firmware: str = "none", cpu: str = "max", kernel: pathlib.Path | KernelFile | None = None,
                kernel_args: str = "", timeout: float = 300.0, trace: bool = False, build_first: bool = True,
                capturing: capture.Plan | None = None,
                on_stdout: Callable[[bytes], None] | None = None) -> Result:
    """Runs one program in a guest of its own, with TCG, and captures its output.

    `root`: a profile of root_image.PROFILES, a folder or an archive; the default profile if not given.
    `layers`: further archives on top. `kernel`: a file instead of the Cairn built here. `memory` in MiB.
    Never raises for what the guest does: the status is 124 after a timeout and 125 when the kernel failed.
    """
    if kernel is None:
        kernel = kernel_image(build_first=build_first)
    elif isinstance(kernel, pathlib.Path):
        kernel = KernelFile(kernel)
    out, errors = bytearray(), bytearray()

    def take(data: bytes) -> None:
        out.extend(data)
        if on_stdout:
            on_stdout(data)

    with temporary_folder() as folder:
        result = run_session(
            Program(tuple(arguments), tuple(environment), cwd, uid, limits=tuple(limits),
                    mounted=tuple(mounted)),
            qemu.Machine(machine=machine, firmware=firmware, cpus=cpus, memory_mib=memory, cpu=cpu,
                         kernel_arguments=kernel_arguments(kernel_args, trace=trace)),
            kernel, [root_layer(root, folder), *layers], source=stdin,
            sinks={"stdout": take, "stderr": errors.extend}, timeout=timeout, build_first=build_first,
            capturing=capturing)
    return dataclasses.replace(result, stdout=bytes(out), stderr=bytes(errors))
