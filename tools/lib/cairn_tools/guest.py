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
import selectors
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import termios
import time
import tty
from typing import Callable, Iterable, Mapping

from cairn_tools import mounts, newc, qemu
from cairn_tools.build import KernelFile, kernel_image, user_program
from cairn_tools.emulation import Outcome
from cairn_tools.guest_input import Input, TerminalKeys
from cairn_tools.project import ROOT, ToolError, dies_with_parent, end_process
from cairn_tools.root_image import DEFAULT_PROFILE, root_image

STATUS_TIMEOUT = 124
STATUS_KERNEL_FAILED = 125
# How many bytes of input may be on their way. Linux keeps 4095 for a raw terminal and drops the rest.
_WINDOW = 2048
_POWER_OFF_SECONDS = 10.0
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
    mounted: tuple[mounts.Mount, ...] = ()
    on_terminal: bool = False
    errors_apart: bool = True  # on the terminal: standard error goes elsewhere

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
        fields += [mount.field for mount in self.mounted]
        for key, value in (("gid", self.gid), ("cwd", self.cwd), ("hostname", self.hostname)):
            if value is not None:
                fields.append((key, value))
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


class _Session:
    """The loop around one guest. All that takes bytes from the guest may block: then the guest waits, too."""

    def __init__(self, process: subprocess.Popen, control: qemu.Control, ports: list[socket.socket],
                 source: Input, sinks: Mapping[str, Callable[[bytes], None]], changes: mounts.Changes):
        self._process = process
        self._control = control
        self._console, self._data, self._errors, self._messages = ports
        self._source = source
        self._sinks = sinks
        self._counts = {"stdout": 0, "stderr": 0}
        self._text = b""
        self._changes = changes
        self._changes_of, self._changes_left = 0, 0  # which mount the next bytes are of, and how many
        self.console = bytearray()
        self.status: int | None = None
        self.failure = ""
        self._expected = (0, 0)
        self._ready = False
        self._input_allowed = 0
        self._selector = selectors.PollSelector()  # unlike epoll, it takes regular files
        for port, handler in ((self._console, self._read_console),
                              (self._data, lambda: self._read("stdout", self._data)),
                              (self._errors, lambda: self._read("stderr", self._errors)),
                              (self._messages, self._read_messages), (control, control.read)):
            self._selector.register(port, selectors.EVENT_READ, handler)

    def run(self, is_over: Callable[[], bool]) -> Outcome | None:
        """Until the program has ended (None) or the machine has, some other way, or the time is over."""
        while not self._is_complete():
            if is_over():
                return Outcome.TIMED_OUT
            if self._process.poll() is not None:
                while self._poll(0):
                    pass
                return None if self._is_complete() else self._control.outcome()
            self._poll(0.2)
        return None

    def wait_for_power_off(self) -> None:
        deadline = time.monotonic() + _POWER_OFF_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            self._poll(0.02)
        while self._poll(0):
            pass

    def close(self) -> None:
        self._selector.close()

    def send_message(self, text: str) -> None:
        if self._ready:
            with contextlib.suppress(OSError):
                self._messages.sendall(text.encode("ascii"))

    def _is_complete(self) -> bool:
        counts = (self._counts["stdout"], self._counts["stderr"])
        return self.status is not None and counts >= self._expected and counts[1] >= self._expected[1]

    def _poll(self, seconds: float) -> bool:
        self._watch_input()
        got_something = False
        for key, _ in self._selector.select(seconds):
            if key.data():
                got_something = True
            else:
                self._selector.unregister(key.fileobj)
                if not isinstance(key.fileobj, socket.socket) and key.fileobj is not self._control:
                    self._source.watched = False
        return got_something

    def _watch_input(self) -> None:
        """The input is looked at only while the guest takes more of it."""
        wanted = self._ready and not self._source.ended and self._source.sent < self._input_allowed
        if self._source.descriptor is None:
            if wanted:
                self._pass_input()
        elif wanted != self._source.watched:
            if wanted:
                self._selector.register(self._source.descriptor, selectors.EVENT_READ, self._pass_input)
            else:
                self._selector.unregister(self._source.descriptor)
            self._source.watched = wanted

    def _pass_input(self) -> bool:
        source = self._source
        data = source.read(self._input_allowed - source.sent)
        if data:
            self._data.sendall(data)
            source.sent += len(data)
            return True
        source.ended = True
        self.send_message(f"eof {source.sent}\n")
        return False

    def _read_console(self) -> bool:
        data = _receive(self._console)
        self.console += data
        if data:
            self._sinks["console"](data)
        return bool(data)

    def _read(self, name: str, port: socket.socket) -> bool:
        data = _receive(port)
        if not self._ready:
            return bool(data)
        self._counts[name] += len(data)
        if data:
            self._sinks[name](data)
        return bool(data)

    def _read_messages(self) -> bool:
        data = _receive(self._messages)
        self._text += data
        while True:
            if self._changes_left:
                part, self._text = self._text[: self._changes_left], self._text[self._changes_left :]
                self._changes_left -= len(part)
                self._changes.add(self._changes_of, part)
            line, newline, rest = self._text.partition(b"\n")
            if self._changes_left or not newline:
                return bool(data)
            self._text = rest
            self._obey(line.decode("utf-8", "replace").split(" ", 2))

    def _obey(self, words: list[str]) -> None:
        match words:
            case ["ready"]:
                # What came before is firmware's: UEFI writes to more than one port.
                for port in (self._data, self._errors):
                    with contextlib.suppress(BlockingIOError):
                        while port.recv(65536, socket.MSG_DONTWAIT):
                            pass
                self._ready = True
                self.send_message("go\n")
                self._input_allowed = _WINDOW
                self._sinks["ready"](b"")
            case ["consumed", count]:
                self._input_allowed = int(count) + _WINDOW
            case ["failed", number, action]:
                reason = os.strerror(int(number))
                self.failure = f"{action}: {reason}" if action else reason
            case ["changes", number, size]:
                self._changes_of, self._changes_left = int(number), int(size)
                if not self._changes_left:
                    self._changes.add(self._changes_of, b"")
            case ["exit", status, counts]:
                out, errors = counts.split()
                self._expected = (int(out), int(errors))
                self.status = int(status)


def _receive(port: socket.socket) -> bytes:
    try:
        return port.recv(65536)
    except ConnectionError:
        return b""


class _TerminalSession(_Session):
    """Keys go to the console instead of a pipe."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self._terminal = TerminalKeys()
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, self._pass_keys)

    def _watch_input(self) -> None:
        pass

    def _pass_keys(self) -> bool:
        data = os.read(sys.stdin.fileno(), 1024)
        if not data:
            return False
        self._console.sendall(self._terminal.feed(data))
        if self._terminal.left:
            raise UserLeft()
        return True


class UserLeft(Exception):
    """Ctrl-A X."""


@contextlib.contextmanager
def _raw_terminal(session: _Session):
    """Raw keys, and the window's size passed on, as long as the guest has the terminal."""

    def on_resize(_number, _frame) -> None:
        columns, rows = os.get_terminal_size(sys.stdin.fileno())
        session.send_message(f"size {rows} {columns}\n")

    old_handler = signal.signal(signal.SIGWINCH, on_resize)
    settings = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin, termios.TCSANOW)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, settings)
        signal.signal(signal.SIGWINCH, old_handler)


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
                is_stuck: Callable[[], bool] = lambda: False,
                qemu_options: tuple[str, ...] = (), display: str = "none", build_first: bool = True,
                show_errors: bool = True) -> Result:
    """Boots `kernel` with `layers` as its root and runs `program`. `sinks` get what comes from the guest:
    "stdout", "stderr", "console"; "ready" is called when init has started. It ends after `timeout` seconds,
    or when `is_stuck` says so."""
    begin = time.monotonic()
    if isinstance(kernel, KernelFile) and kernel.is_linux:
        # It tests the timer with a loop that a busy host makes too fast, and panics.
        machine = machine.with_arguments(f"{machine.kernel_arguments} no_timer_check")
    control = qemu.Control()
    pairs = [socket.socketpair() for _ in range(4)]
    ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    all_sinks = {"console": lambda _: None, "ready": lambda _: None, **sinks}
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cairn-run-")))
        for each in (control, *ours, *theirs):
            stack.callback(each.close)
        window = tuple(os.get_terminal_size(sys.stdin.fileno())) if program.on_terminal else None
        last = [session_layer(program.plan(window), folder, build_first=build_first)]
        if program.mounted:
            last.append(mounts.layer(program.mounted, folder))
        changes = mounts.Changes(program.mounted)
        stack.callback(changes.close)
        command = [*qemu.command_line(machine, kernel, folder, layers=(*layers, *last), display=display),
                   *_serial_options(machine, theirs), *control.options(), *qemu_options]
        descriptors = [port.fileno() for port in theirs] + [control.theirs.fileno()]
        process = subprocess.Popen(dies_with_parent(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=None if show_errors else subprocess.DEVNULL, pass_fds=descriptors,
                                   start_new_session=True)
        stack.callback(end_process, process)
        for each in (*theirs, control.theirs):
            each.close()
        kind = _TerminalSession if program.on_terminal else _Session
        session = kind(process, control, ours, Input(source), all_sinks, changes)
        stack.callback(session.close)
        if program.on_terminal:
            stack.enter_context(_raw_terminal(session))
        outcome = session.run(lambda: is_stuck() or (timeout is not None and time.monotonic() > begin + timeout))
        if outcome is None:
            session.wait_for_power_off()
        else:
            control.quit()
        changes.apply()
    console = session.console.decode("utf-8", "replace").replace("\r", "")
    return _result(session, outcome, console, time.monotonic() - begin)


def _result(session: _Session, outcome: Outcome | None, console: str, seconds: float) -> Result:
    if outcome is None:
        return Result(session.status, console, session.failure, seconds=seconds)
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
                uid: int = 0, mounted: Iterable[mounts.Mount] = (), stdin: bytes = b"", cpus: int = 1,
                memory: int = 512, machine: str = "q35",
                firmware: str = "none", cpu: str = "max", kernel: pathlib.Path | KernelFile | None = None,
                kernel_args: str = "", timeout: float = 300.0, trace: bool = False, build_first: bool = True,
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
            Program(tuple(arguments), tuple(environment), cwd, uid, mounted=tuple(mounted)),
            qemu.Machine(machine=machine, firmware=firmware, cpus=cpus, memory_mib=memory, cpu=cpu,
                         kernel_arguments=kernel_arguments(kernel_args, trace=trace)),
            kernel, [root_layer(root, folder), *layers], source=stdin,
            sinks={"stdout": take, "stderr": errors.extend}, timeout=timeout, build_first=build_first)
    return dataclasses.replace(result, stdout=bytes(out), stderr=bytes(errors))
