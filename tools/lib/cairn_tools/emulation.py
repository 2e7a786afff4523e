"""Watches an emulator run the kernel, and says how it ended. What is common to QEMU and Bochs."""

import dataclasses
import enum
import os
import re
import selectors
import subprocess
import time
from typing import Callable

from cairn_tools import kernel_log
from cairn_tools.project import end_process

# After a panic the machine stands still; the screen is complete when nothing has come for so long.
_PANIC_QUIET_SECONDS = 1.5
_PANIC_LIMIT_SECONDS = 20.0
# The log is searched from this far back of what is new: a pattern may be cut by a read.
_OVERLAP = 512


class Outcome(enum.Enum):
    """How a run ended, and the exit status that tools/run has for it."""

    POWERED_OFF = "powered off"
    PANICKED = "panicked"
    RESET = "reset itself (a triple fault, unless it was asked to reboot)"
    FAILED = "was ended by the emulator"
    TIMED_OUT = "did not end in time"
    CAPTURED = "was captured"

    @property
    def exit_status(self) -> int:
        return {Outcome.POWERED_OFF: 0, Outcome.TIMED_OUT: 124}.get(self, 1)


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run: its end, all that came over the serial line, and the time it took."""

    outcome: Outcome
    log: str
    seconds: float


_ESCAPE_SEQUENCE = re.compile(rb"\x1b(\[[0-9;?=]*[A-Za-z]|[()][A-Z0-9]|[=>78cDEHMNOZ])")


class FirmwareFilter:
    """Takes the escape sequences out of what firmware and boot loader write, which would clear the
    user's terminal; from the kernel's first line on, everything passes unchanged."""

    def __init__(self) -> None:
        self._pending = b""
        self._kernel_speaks = False

    def feed(self, data: bytes) -> bytes:
        if self._kernel_speaks:
            return data
        self._pending += data
        # An unfinished line may hold half of a sequence; it waits for its end.
        line_end = self._pending.rfind(b"\n") + 1
        complete, self._pending = self._pending[:line_end], self._pending[line_end:]
        started = kernel_log.STARTED.search(complete.decode("utf-8", "replace").replace("\r", ""))
        if not started:
            return self._clean(complete)
        self._kernel_speaks = True
        first = complete.rfind(b"[", 0, complete.find(b"boot: Cairn"))
        result = self._clean(complete[:first]) + complete[first:] + self._pending
        self._pending = b""
        return result

    def rest(self) -> bytes:
        """What is still held back when the run ends."""
        return self._clean(self._pending)

    @staticmethod
    def _clean(data: bytes) -> bytes:
        lines = _ESCAPE_SEQUENCE.sub(b"", data).replace(b"\r", b"").split(b"\n")
        # Firmware paints its screen with blanks; a line of them says nothing.
        return b"\n".join(line.rstrip() for line in lines if line.strip() or line is lines[-1])


class Watch:
    """The loop around a running emulator.

    `log_source` is a file descriptor on which the serial line's text arrives. `on_text` gets every
    piece of it. `events` are further descriptors with a function to call when they are readable,
    which says whether they are still open. `ask_to_quit` is a polite way to end the emulator.
    """

    def __init__(self, process: subprocess.Popen, log_source: int, on_text: Callable[[bytes], None],
                 events: dict[int, Callable[[], bool]] | None = None, ask_to_quit: Callable[[], None] | None = None):
        self._process = process
        self._ask_to_quit = ask_to_quit
        self._on_text = on_text
        self._log = bytearray()
        self._searched = 0
        self._panicked_at: float | None = None
        self._last_text_at = time.monotonic()
        self._selector = selectors.DefaultSelector()
        self._selector.register(log_source, selectors.EVENT_READ, self._read_log)
        for descriptor, handler in (events or {}).items():
            self._selector.register(descriptor, selectors.EVENT_READ, lambda _, handler=handler: handler())

    def run(self, timeout: float | None, outcome_at_exit: Callable[[], Outcome], *, stop_at_panic: bool = True) -> Run:
        """Returns when the emulator has ended, the kernel has panicked, or the time (in seconds) is
        over; the emulator is gone afterwards. `outcome_at_exit` judges an end of its own accord."""
        begin = time.monotonic()
        outcome = None
        try:
            while outcome is None:
                now = time.monotonic()
                if self._panic_is_complete(now) and stop_at_panic:
                    outcome = Outcome.PANICKED
                elif timeout is not None and now - begin > timeout:
                    outcome = Outcome.PANICKED if self._panicked_at else Outcome.TIMED_OUT
                elif self._process.poll() is not None:
                    self._drain()
                    outcome = Outcome.PANICKED if self._panicked_at else outcome_at_exit()
                else:
                    self._poll(0.1)
            self._quit()
        finally:
            end_process(self._process)
            self._selector.close()
        return Run(outcome, self._log.decode("utf-8", "replace").replace("\r", ""), time.monotonic() - begin)

    def _quit(self) -> None:
        if self._ask_to_quit and self._process.poll() is None:
            self._ask_to_quit()
            try:
                self._process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                pass  # the caller ends it less politely

    def _poll(self, seconds: float) -> bool:
        """Handles what is readable; whether anything was read."""
        ready = self._selector.select(seconds)
        if not ready and not self._selector.get_map():
            time.sleep(seconds)
        got_something = False
        for key, _ in ready:
            if key.data(key.fd):
                got_something = True
            else:  # the other end is closed
                self._selector.unregister(key.fd)
        return got_something

    def _drain(self) -> None:
        while self._poll(0):
            pass

    def _read_log(self, descriptor: int) -> bool:
        try:
            data = os.read(descriptor, 65536)
        except OSError:  # EIO: a terminal without its other end
            return False
        if not data:
            return False
        self._last_text_at = time.monotonic()
        self._log += data
        self._on_text(data)
        if self._panicked_at is None:
            start = max(0, self._searched - _OVERLAP)
            if kernel_log.PANIC.search(self._log[start:].decode("utf-8", "replace")):
                self._panicked_at = self._last_text_at
            self._searched = len(self._log)
        return True

    def _panic_is_complete(self, now: float) -> bool:
        if self._panicked_at is None:
            return False
        return now - self._last_text_at > _PANIC_QUIET_SECONDS or now - self._panicked_at > _PANIC_LIMIT_SECONDS
