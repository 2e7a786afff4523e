"""A USB device that is a function: QEMU's usb-redir hands each request over a socket (the protocol is usbredir 0.7,
usbredir-protocol.md of the spice project), and what comes back is up to us.
"""

import pathlib
import socket
import struct
import threading
import time
from typing import Callable

# Type, length, id. Before both have said hello, the id has 32 bits.
_FIRST_HEADER = struct.Struct("<III")
_HEADER = struct.Struct("<IIQ")
# QEMU's xHCI wants these: packets' sizes with the endpoints, ids of 64 bits, lengths of 32 bits.
_CAPABILITIES = 1 << 4 | 1 << 5 | 1 << 6
_CONTROL = struct.Struct("<BBBBHHH")  # endpoint, request, its kind, status, value, index, length
_SHORT_PACKET = struct.Struct("<BBH")  # endpoint, status, length
(_HELLO, _CONNECT, _RESET, _INTERFACES, _ENDPOINTS, _SET_CONFIGURATION, _GET_CONFIGURATION, _CONFIGURATION_STATUS,
 _SET_ALTERNATE, _ALTERNATE_STATUS, _START_INTERRUPT, _STOP_INTERRUPT, _INTERRUPT_STATUS) = (
     0, 1, 3, 4, 5, 6, 7, 8, 9, 11, 15, 16, 17)
_CONTROL_PACKET, _INTERRUPT_PACKET = 100, 103
_MOST = 32  # interfaces and endpoints that the protocol can name
_STALL = 4
FULL, HIGH, SUPER = 1, 2, 3

# What a device answers to (kind, request, value, index, length): bytes, nothing for a stall, or False for silence.
Answer = Callable[[int, int, int, int, int], "bytes | None | bool"]


class Device:
    """Serves one device on a socket that QEMU connects to."""

    def __init__(self, path: pathlib.Path, answer: Answer, *, speed: int = HIGH, reports: tuple[bytes, ...] = ()):
        self._answer = answer
        self._speed = speed
        self._reports = reports
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self.requests = 0
        self.last = time.monotonic()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with connection:
            try:
                self._speak(connection)
            except (OSError, struct.error):  # it has gone
                pass

    def _send(self, connection: socket.socket, kind: int, body: bytes, number: int = 0) -> None:
        connection.sendall(_HEADER.pack(kind, len(body), number) + body)

    def _speak(self, connection: socket.socket) -> None:
        hello = b"cairn tests".ljust(64, b"\0") + struct.pack("<I", _CAPABILITIES)
        connection.sendall(_FIRST_HEADER.pack(_HELLO, len(hello), 0) + hello)
        stream = connection.makefile("rb")
        _, length, _ = _FIRST_HEADER.unpack(stream.read(_FIRST_HEADER.size))
        stream.read(length)
        # One interface; endpoint 0 both ways, and every other one into the host an interrupt endpoint.
        kinds = bytes([0] + [255] * 15 + [0] + [3] * 15)
        self._send(connection, _INTERFACES, struct.pack("<I", 1) + bytes([0] * _MOST + [3] + [0] * (_MOST - 1)
                                                                         + [1] + [0] * (_MOST - 1) + [1]
                                                                         + [0] * (_MOST - 1)))
        self._send(connection, _ENDPOINTS, kinds + bytes([1] * _MOST) + bytes(_MOST)
                   + struct.pack(f"<{_MOST}H", *([64] * _MOST)))
        self._send(connection, _CONNECT, struct.pack("<BBBBHH", self._speed, 0, 0, 0, 0x1234, 0x5678))
        while header := stream.read(_HEADER.size):
            kind, length, number = _HEADER.unpack(header)
            body = stream.read(length)
            self.requests += 1
            self.last = time.monotonic()
            self._obey(connection, kind, body, number)

    def _obey(self, connection: socket.socket, kind: int, body: bytes, number: int) -> None:
        if kind == _SET_CONFIGURATION:
            self._send(connection, _CONFIGURATION_STATUS, bytes([0, body[0]]), number)
        elif kind == _GET_CONFIGURATION:
            self._send(connection, _CONFIGURATION_STATUS, bytes([0, 1]), number)
        elif kind == _SET_ALTERNATE:
            self._send(connection, _ALTERNATE_STATUS, bytes([0, body[0], body[1]]), number)
        elif kind == _START_INTERRUPT:
            self._send(connection, _INTERRUPT_STATUS, bytes([0, body[0]]), number)
            reports, self._reports = self._reports, ()  # once: QEMU asks again after one that is too long
            for report in reports:
                self._send(connection, _INTERRUPT_PACKET, _SHORT_PACKET.pack(body[0], 0, len(report)) + report)
        elif kind == _CONTROL_PACKET:
            self._control(connection, body, number)

    def _control(self, connection: socket.socket, body: bytes, number: int) -> None:
        endpoint, request, kind, _, value, index, length = _CONTROL.unpack(body[: _CONTROL.size])
        answer = self._answer(kind, request, value, index, length)
        if answer is False:
            return
        data = answer[:length] if answer else b""
        status = _STALL if answer is None else 0
        into_host = bool(kind & 0x80)
        size = len(data) if into_host else length
        head = _CONTROL.pack(endpoint, request, kind, status, value, index, 0 if status else size)
        self._send(connection, _CONTROL_PACKET, head + (data if into_host and not status else b""), number)
