"""QEMU's monitor (QMP) for tests that press keys, plug devices in and out, and look at the screen."""

import itertools
import json
import pathlib
import socket
import time

from cairn_tools.project import ToolError

# Characters of an American keyboard by the names that QEMU has for keys.
_PLAIN = {" ": "spc", "-": "minus", "=": "equal", "[": "bracket_left", "]": "bracket_right", ";": "semicolon",
          "'": "apostrophe", "`": "grave_accent", "\\": "backslash", ",": "comma", ".": "dot", "/": "slash",
          "\n": "ret", "\t": "tab", "\x1b": "esc"}
_SHIFTED = {"!": "1", "@": "2", "#": "3", "$": "4", "%": "5", "^": "6", "&": "7", "*": "8", "(": "9", ")": "0",
            "_": "minus", "+": "equal", "{": "bracket_left", "}": "bracket_right", ":": "semicolon",
            '"': "apostrophe", "~": "grave_accent", "|": "backslash", "<": "comma", ">": "dot", "?": "slash"}


def key_of(character: str) -> tuple[bool, str]:
    """Whether Shift is needed, and the key."""
    if character in _PLAIN:
        return False, _PLAIN[character]
    if character in _SHIFTED:
        return True, _SHIFTED[character]
    return character.isupper(), character.lower()


class Monitor:
    """A connection to QEMU's monitor socket. Every call waits for its answer."""

    def __init__(self, path: pathlib.Path, timeout: float = 30.0):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        deadline = time.monotonic() + timeout
        while True:
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self._numbers = itertools.count()
        self.call("qmp_capabilities")

    def call(self, command: str, **arguments):
        number = next(self._numbers)
        text = json.dumps({"execute": command, "arguments": arguments, "id": number})
        self._socket.sendall(text.encode() + b"\n")
        for line in self._lines:
            answer = json.loads(line)
            if answer.get("id") == number:
                if "error" in answer:
                    raise ToolError(f"{command}: {answer['error']['desc']}")
                return answer["return"]
        raise ToolError("QEMU has gone")

    def _key(self, key: str, down: bool) -> None:
        event = {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": key}}}
        self.call("input-send-event", events=[event])
        # QEMU's keyboards have short queues; what does not fit is lost, as on a real one.
        time.sleep(0.02)

    def press(self, *keys: str) -> None:
        """Keys together: press("ctrl", "c")."""
        for key in keys:
            self._key(key, True)
        for key in reversed(keys):
            self._key(key, False)

    def type(self, text: str) -> None:
        for character in text:
            shifted, key = key_of(character)
            self.press(*(["shift"] if shifted else []), key)

    def move_mouse(self, right: int, down: int) -> None:
        self.call("input-send-event", events=[
            {"type": "rel", "data": {"axis": axis, "value": value}} for axis, value in (("x", right), ("y", down))])

    def screen(self, file: pathlib.Path) -> bytes:
        """The screen as a picture (PPM)."""
        self.call("screendump", filename=str(file))
        return file.read_bytes()

    def close(self) -> None:
        self._lines.close()
        self._socket.close()
