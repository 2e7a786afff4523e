"""QEMU's gdb stub: the guest is stopped at an address, looked at and changed, and let go."""

import socket
import struct

from cairn_tools.project import ToolError

_STUB_SECONDS = 60.0
_MOST_BYTES = 1024  # of one packet


class Stub:
    """As much of gdb's remote protocol as is needed here."""

    def __init__(self, connection: socket.socket):
        self._connection = connection
        self._connection.settimeout(_STUB_SECONDS)
        self._received = b""

    def ask(self, command: str) -> str:
        """Sends a packet and returns the answer to it."""
        body = command.encode()
        self._connection.sendall(b"$%s#%02x" % (body, sum(body) & 0xFF))
        return self._packet()

    def detach(self) -> None:
        if self.ask("D") != "OK":
            raise ToolError("QEMU's gdb stub did not let go")

    def _packet(self) -> str:
        while True:
            begin, end = self._received.find(b"$"), self._received.find(b"#")
            if 0 <= begin < end and len(self._received) >= end + 3:
                packet = self._received[begin + 1 : end]
                self._received = self._received[end + 3 :]
                self._connection.sendall(b"+")
                return packet.decode()
            data = self._connection.recv(4096)
            if not data:
                raise ToolError("QEMU closed the connection to its gdb stub")
            self._received += data

    def run_to(self, address: int) -> None:
        self._expect_ok(f"Z1,{address:x},1")  # a hardware breakpoint: the code is not loaded yet
        stop = self.ask("c")
        if not stop.startswith("T05"):
            raise ToolError(f"the kernel's entry was not reached: {stop}")
        self._expect_ok(f"z1,{address:x},1")

    def registers(self) -> list[int]:
        """The general registers, in the order of gdb's i386:x86-64 description."""
        return list(struct.unpack("<16Q", bytes.fromhex(self.ask("g"))[:128]))

    def set_register(self, number: int, value: int) -> None:
        # QEMU knows single registers only to who has read its description of the machine. All at once
        # ("G") is no way out: it writes the control registers too and leaves the CPU in a mixed state.
        self.ask("qXfer:features:read:target.xml:0,ffb")
        self._expect_ok(f"P{number:x}={struct.pack('<Q', value).hex()}")

    def read(self, address: int, size: int) -> bytes:
        parts = (self.ask(f"m{at:x},{min(_MOST_BYTES, address + size - at):x}")
                 for at in range(address, address + size, _MOST_BYTES))
        return b"".join(map(bytes.fromhex, parts))

    def write(self, address: int, data: bytes) -> None:
        for at in range(0, len(data), _MOST_BYTES):
            part = data[at : at + _MOST_BYTES]
            self._expect_ok(f"M{address + at:x},{len(part):x}:{part.hex()}")

    def _expect_ok(self, command: str) -> None:
        answer = self.ask(command)
        if answer != "OK":
            raise ToolError(f"QEMU's gdb stub answers '{answer}' to {command}")
