"""The host's side of a guest's four serial ports, while its program runs; docs/running.md has what goes over them."""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import termios
import time
import tty
from typing import Callable, Mapping

from cairn_tools import capture, mounts, qemu
from cairn_tools.emulation import Outcome
from cairn_tools.guest_input import Input, TerminalKeys

# How many bytes of input may be on their way. Linux keeps 4095 for a raw terminal and drops the rest.
_WINDOW = 2048
_POWER_OFF_SECONDS = 10.0


class Session:
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
        self.capturer: capture.Capturer | None = None
        self._last_traffic = time.monotonic()
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
            if self._watch_capture():
                return Outcome.CAPTURED
        return None

    def state(self) -> dict:
        """What a later session has to know to go on."""
        return {"counts": self._counts, "ready": self._ready, "input_allowed": self._input_allowed,
                "sent": self._source.sent, "text": self._text.decode("latin-1"), "failure": self.failure,
                "changes": [self._changes_of, self._changes_left]}

    def restore(self, state: dict) -> None:
        self._counts, self._ready = state["counts"], state["ready"]
        self._input_allowed, self._source.sent = state["input_allowed"], state["sent"]
        self._text, self.failure = state["text"].encode("latin-1"), state["failure"]
        self._changes_of, self._changes_left = state["changes"]
        self.send_message(capture.clock_message())

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

    def _watch_capture(self) -> bool:
        """Whether the guest has been captured and is to end with that."""
        if not self.capturer or not self._ready or self.status is not None:
            return False
        has_all = not self._source.ended and self._source.sent == self._input_allowed - _WINDOW
        if self.capturer.step(self._last_traffic if has_all else None):
            self.send_message(capture.clock_message())
        return self.capturer.ended

    def drain(self) -> None:
        """Takes all that a stopped guest has written."""
        while self._poll(0):
            pass

    def _holds_input(self) -> bool:
        return self.capturer is not None and self.capturer.holds_input

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
        wanted = (self._ready and not self._source.ended and self._source.sent < self._input_allowed
                  and not self._holds_input())
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
            self._last_traffic = time.monotonic()
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
        self._last_traffic = time.monotonic()
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
                self._last_traffic = time.monotonic()
                self.send_message("go\n")
                self._input_allowed = _WINDOW
                self._sinks["ready"](b"")
            case ["consumed", count]:
                self._input_allowed = int(count) + _WINDOW
            case ["failed", number, action]:
                reason = os.strerror(int(number))
                self.failure = f"{action}: {reason}" if action else reason
            case ["listening"]:
                if self.capturer:
                    self.capturer.listening = True
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


class TerminalSession(Session):
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
        self._last_traffic = time.monotonic()
        self._console.sendall(self._terminal.feed(data))
        if self._terminal.left:
            raise UserLeft()
        return True


class UserLeft(Exception):
    """Ctrl-A X."""


@contextlib.contextmanager
def raw_terminal(session: Session):
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
