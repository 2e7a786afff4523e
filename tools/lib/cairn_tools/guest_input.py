"""What goes into a guest: a program's standard input, or the keys of the user's terminal."""

import os

from cairn_tools.project import say

_LEAVE = b"\x01"  # Ctrl-A, as in QEMU


class Input:
    """The program's standard input: an open descriptor, or bytes."""

    def __init__(self, source: int | bytes):
        self.descriptor = source if isinstance(source, int) else None
        self._rest = b"" if isinstance(source, int) else source
        self.sent = 0
        self.ended = False
        self.watched = False

    def read(self, limit: int) -> bytes:
        if self.descriptor is not None:
            return os.read(self.descriptor, limit)
        data, self._rest = self._rest[:limit], self._rest[limit:]
        return data


class TerminalKeys:
    """The user's terminal, while a guest has it: raw, with Ctrl-A as the way out."""

    def __init__(self) -> None:
        self._commands = False
        self.left = False
        self.pending = b""

    def feed(self, data: bytes) -> bytes:
        """What of the keys goes to the guest."""
        result = bytearray()
        for byte in data:
            key = bytes((byte,))
            if self._commands:
                self._commands = False
                if key in (b"x", b"X", b"q"):
                    self.left = True
                elif key == _LEAVE:
                    result += key
                else:
                    say("\r\nCtrl-A X leaves and ends the guest, Ctrl-A Ctrl-A sends Ctrl-A\r")
            elif key == _LEAVE:
                self._commands = True
            else:
                result += key
        return bytes(result)
