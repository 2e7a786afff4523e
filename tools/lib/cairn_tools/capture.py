"""The state of a running guest in a file, and a guest that goes on from there (rule R08): tools/run --capture and
--continue.

The machine is the program's own, so its state is all there is to keep: QEMU writes it as for a migration. What this
side knows of the session (how much input was given, how much output has come) goes in front of it, as a line of JSON.
"""

import dataclasses
import enum
import fcntl
import json
import pathlib
import shlex
import signal
import socket
import struct
import termios
import time
from typing import Callable

from cairn_tools import mounts, qemu
from cairn_tools.project import ToolError, say

_FORMAT = 1
_IDLE_SECONDS = 1.0
# How long what is on its way to the guest may take to get there.
_PATIENCE_SECONDS = 30.0
_ENDS_OF_MIGRATION = ("completed", "failed", "cancelled")


@dataclasses.dataclass(frozen=True)
class Trigger:
    """When to capture. `kind`: listen, idle, interval or signal; a request is a signal."""

    kind: str
    seconds: float = 0.0
    number: int = signal.SIGUSR1

    @staticmethod
    def parse(text: str) -> "Trigger":
        """request, signal=NAME, interval=SECONDS, idle, idle=SECONDS, listen."""
        kind, _, value = text.partition("=")
        try:
            match kind, value:
                case ("request", ""):
                    return Trigger("signal")
                case ("signal", name) if name:
                    return Trigger("signal", number=signal.Signals[f"SIG{name.upper().removeprefix('SIG')}"])
                case ("interval", seconds) if float(seconds) > 0:
                    return Trigger("interval", float(seconds))
                case ("idle", seconds):
                    return Trigger("idle", float(seconds or _IDLE_SECONDS))
                case ("listen", ""):
                    return Trigger("listen")
        except (KeyError, ValueError):
            pass
        raise ToolError(f"'{text}' is not request, signal=NAME, interval=SECONDS, idle[=SECONDS] or listen", status=2)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to do: into which file, when, and whether the guest ends with its first capture."""

    file: pathlib.Path
    trigger: Trigger
    then_end: bool = False


@dataclasses.dataclass(frozen=True)
class State:
    """What a file begins with. `session` is the session's own."""

    machine: qemu.Machine
    on_terminal: bool
    errors_apart: bool
    sent: list[tuple[mounts.Mount, list[str]]]
    session: dict

    def header(self) -> bytes:
        return json.dumps({
            "cairn": "captured guest", "format": _FORMAT, "machine": dataclasses.asdict(self.machine),
            "on_terminal": self.on_terminal, "errors_apart": self.errors_apart, "session": self.session,
            "mounts": [[str(mount.folder), mount.place, mount.writable, names] for mount, names in self.sent],
        }).encode("ascii") + b"\n"

    @staticmethod
    def load(file: pathlib.Path) -> tuple["State", str]:
        """And from where QEMU takes the rest."""
        try:
            with open(file, "rb") as opened:
                line = opened.readline()
            fields = json.loads(line)
            if fields["format"] != _FORMAT:
                raise ToolError(f"{file} was captured by another version", status=2)
            sent = [(mounts.Mount(pathlib.Path(folder), place, writable), names)
                    for folder, place, writable, names in fields["mounts"]]
            state = State(qemu.Machine(**fields["machine"]), fields["on_terminal"], fields["errors_apart"], sent,
                          fields["session"])
        except OSError as error:
            raise ToolError(f"{file}: {error.strerror}", status=2) from error
        except (ValueError, KeyError, TypeError) as error:
            raise ToolError(f"{file} is no captured guest", status=2) from error
        return state, f"exec:tail -c +{len(line) + 1} {shlex.quote(str(file))} | gzip -dc"


class _Phase(enum.Enum):
    WAITING = 1   # for the trigger
    ARRIVING = 2  # what was sent to the guest is still on its way
    DONE = 3


class Capturer:
    """Watches a session for its trigger. `state` makes what is to be kept, `drain` takes what the stopped guest had
    written."""

    def __init__(self, plan: Plan, control: qemu.Control, ports: list[socket.socket], state: Callable[[], State],
                 drain: Callable[[], None]):
        self._plan = plan
        self._state = state
        self._drain = drain
        self._control = control
        self._ports = ports
        self._phase = _Phase.WAITING
        self._since = time.monotonic()
        self._asked = False
        self.listening = False  # init said so
        self.ended = False      # captured, and that was to be the end
        if plan.trigger.kind == "signal":
            self._old_handler = signal.signal(plan.trigger.number, self._on_signal)

    def close(self) -> None:
        if self._plan.trigger.kind == "signal":
            signal.signal(self._plan.trigger.number, self._old_handler)

    @property
    def holds_input(self) -> bool:
        """Nothing may be sent to the guest now."""
        return self._phase is _Phase.ARRIVING

    def step(self, idle_since: float | None) -> bool:
        """Called again and again. `idle_since`: when the program was last given or gave something, if it has got all
        its input. Whether the guest has been captured now."""
        now = time.monotonic()
        if self._phase is _Phase.WAITING and self._is_due(now, idle_since):
            self._phase, self._since, self._asked = _Phase.ARRIVING, now, False
        if self._phase is _Phase.ARRIVING:
            if all(_unread(port) == 0 for port in self._ports):
                self._capture()
                return True
            if now > self._since + _PATIENCE_SECONDS:
                say("Not captured: the guest does not take its input")
                self._again()
        return False

    def _on_signal(self, _number, _frame) -> None:
        self._asked = True

    def _is_due(self, now: float, idle_since: float | None) -> bool:
        match self._plan.trigger.kind:
            case "listen":
                return self.listening
            case "idle":
                return idle_since is not None and now > idle_since + self._plan.trigger.seconds
            case "interval":
                return now > self._since + self._plan.trigger.seconds
        return self._asked

    def _again(self) -> None:
        """The first listen and the first idle input come once; the others as often as they are asked for."""
        self._since = time.monotonic()
        self._phase = _Phase.WAITING if self._plan.trigger.kind in ("interval", "signal") else _Phase.DONE

    def _capture(self) -> None:
        file = self._plan.file.absolute()
        part, header = file.with_name(file.name + ".part"), file.with_name(file.name + ".head")
        self._control.ask("stop")
        self._drain()
        try:
            header.write_bytes(self._state().header())
            self._control.ask("migrate", uri=f"exec:(cat {shlex.quote(str(header))}; gzip -1) > "
                                             f"{shlex.quote(str(part))}")
            while (answer := self._control.ask("query-migrate")).get("status") not in _ENDS_OF_MIGRATION:
                time.sleep(0.05)
            if answer["status"] != "completed":
                raise OSError(0, answer.get("error-desc", "QEMU could not write it"))
            part.rename(file)
            say(f"Captured: {file}, {file.stat().st_size >> 20} MiB; tools/run --continue {file}")
            self.ended = self._plan.then_end
        except OSError as error:
            say(f"Not captured: {file}: {error.strerror}")
        finally:
            header.unlink(missing_ok=True)
            part.unlink(missing_ok=True)
        if not self.ended:
            self._control.ask("cont")
            self._again()


def go_on(control: qemu.Control) -> None:
    """Starts a machine that has taken over the state of another, which stood still."""
    while control.ask("query-status")["status"] == "inmigrate":
        time.sleep(0.02)
    control.ask("cont")


def _unread(port: socket.socket) -> int:
    """How many bytes that we sent the other side has not taken yet (more than that: what they occupy)."""
    return struct.unpack("i", fcntl.ioctl(port.fileno(), termios.TIOCOUTQ, struct.pack("i", 0)))[0]


def clock_message() -> str:
    """A guest that stood still has lost time."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"clock {seconds} {nanoseconds}\n"
