"""What firmware leaves (ACPI's tables, SMBIOS, the memory map, PCI devices), damaged in ways that stand for kinds.

Each is done at the kernel's entry, through QEMU's gdb stub and its monitor, or by QEMU's own options. The machine must
start with less, come to a shell and be switched off, and say what it did without.
"""

import dataclasses
import pathlib
import random
import struct
from typing import Callable, Iterator

from boot.gdb_stub import Stub
from boot.monitor import Monitor
from cairn_tools.project import ToolError

_HEADER = 36  # of an ACPI table; its length at 4, its sum at 9
_RAM = 0x0040_0000  # memory that is in use: behind the kernel's image


@dataclasses.dataclass(frozen=True)
class Table:
    address: int
    signature: str
    length: int


class Left:
    """What the firmware left."""

    def __init__(self, stub: Stub, monitor: Monitor, information: int):
        self.stub = stub
        self._monitor = monitor
        self.information = information

    # ACPI (ACPI 6.5, 5.2); Xen's public/arch-x86/hvm/start_info.h has the root pointer's address.
    def root_table(self) -> tuple[Table, list[int]]:
        """RSDT or XSDT, and where its entries are."""
        rsdp = struct.unpack("<Q", self.stub.read(self.information + 32, 8))[0]
        revision = self.stub.read(rsdp + 15, 1)[0]
        where, size = (rsdp + 24, 8) if revision >= 2 else (rsdp + 16, 4)
        table = self.table(int.from_bytes(self.stub.read(where, size), "little"))
        return table, list(range(table.address + _HEADER, table.address + table.length, size))

    def table(self, address: int) -> Table:
        signature, length = struct.unpack("<4sI", self.stub.read(address, 8))
        return Table(address, signature.decode("ascii", "replace"), length)

    def tables(self) -> Iterator[Table]:
        root, entries = self.root_table()
        size = 8 if root.signature == "XSDT" else 4
        for entry in entries:
            yield self.table(int.from_bytes(self.stub.read(entry, size), "little"))

    def find(self, signature: str) -> Table:
        if signature == "DSDT":
            return self.table(struct.unpack("<I", self.stub.read(self.find("FACP").address + 40, 4))[0])
        for table in self.tables():
            if table.signature == signature:
                return table
        raise ToolError(f"the firmware left no {signature}")

    def put(self, table: Table, offset: int, data: bytes) -> None:
        """Changes a table, whose sum is right again afterwards."""
        self.stub.write(table.address + offset, data)
        length = struct.unpack("<I", self.stub.read(table.address + 4, 4))[0]
        body = bytearray(self.stub.read(table.address, min(length, table.length)))
        body[9] = 0
        self.stub.write(table.address + 9, bytes([-sum(body) & 0xFF]))

    def smbios(self) -> int:
        """The entry point (DSP0134, 5.2.1)."""
        at = self.stub.read(0xF0000, 0x10000).find(b"_SM_")
        if at < 0 or at % 16:
            raise ToolError("the firmware left no SMBIOS entry point")
        return 0xF0000 + at

    # PCI, through the ports.
    def _command(self, line: str) -> str:
        return self._monitor.call("human-monitor-command", **{"command-line": line})

    def write_pci(self, device: int, offset: int, value: int, size: int = 4, bus: int = 0) -> None:
        self._command(f"o /w 0xcf8 {0x8000_0000 | bus << 16 | device << 11 | offset & 0xFC:#x}")
        unit = {1: "b", 2: "h", 4: "w"}[size]
        self._command(f"o /{unit} {0xCFC + (offset & 3):#x} {value:#x}")


def _nothing(_: Left) -> None:
    pass


def _no_options(_: pathlib.Path) -> tuple[str, ...]:
    return ()


@dataclasses.dataclass(frozen=True)
class Damage:
    """`said`: what the log must have, a regular expression; nothing: the kernel cannot know. `options`: of QEMU, which
    may make files in a folder."""

    spoil: Callable[[Left], None]
    said: str = ""
    options: Callable[[pathlib.Path], tuple[str, ...]] = _no_options


# --- ACPI ---------------------------------------------------------------------------------------------


def _sums(left: Left) -> None:
    for table in left.tables():
        left.stub.write(table.address + 9, bytes([left.stub.read(table.address + 9, 1)[0] ^ 0xFF]))


def _lengths(left: Left) -> None:
    for table in left.tables():
        left.stub.write(table.address + 4, b"\xff\xff\xff\xff")


def _root_entries(left: Left) -> None:
    """Nowhere, the list itself, the start of memory, and what is no memory at all."""
    root, entries = left.root_table()
    size = 8 if root.signature == "XSDT" else 4
    choices = (0, root.address, 1, 0xFFFF_FFF0, 0xB000_0000)
    for number, entry in enumerate(entries):
        left.put(root, entry - root.address, choices[number % len(choices)].to_bytes(size, "little"))


def _put(signature: str, offset: int, data: bytes) -> Callable[[Left], None]:
    return lambda left: left.put(left.find(signature), offset, data)


def _madt_entries(left: Left) -> Iterator[tuple[int, int]]:
    """Offset and type of each entry."""
    table = left.find("APIC")
    body = left.stub.read(table.address, table.length)
    at = 44
    while at + 2 <= len(body):
        yield at, body[at]
        at += body[at + 1]


def _io_controller(left: Left) -> None:
    """It lies in memory that is in use."""
    for at, kind in list(_madt_entries(left)):
        if kind == 1:
            left.put(left.find("APIC"), at + 4, struct.pack("<I", _RAM))


def _same_cpus(left: Left) -> None:
    for at, kind in list(_madt_entries(left)):
        if kind == 0:
            left.put(left.find("APIC"), at + 3, b"\0")


def _fadt_noise(left: Left) -> None:
    table = left.find("FACP")
    left.put(table, 46, bytes(random.Random(1).randbytes(table.length - 46)))


def _fadt_short(left: Left) -> None:
    table = left.find("FACP")
    left.put(dataclasses.replace(table, length=44), 4, struct.pack("<I", 44))


def _aml_noise(seed: int, share: float) -> Callable[[Left], None]:
    """A share of the DSDT's bytes."""

    def spoil(left: Left) -> None:
        chance = random.Random(seed)
        table = left.find("DSDT")
        body = bytearray(left.stub.read(table.address, table.length))
        for at in range(_HEADER, len(body)):
            if chance.random() < share:
                body[at] = chance.randrange(256)
        left.put(table, _HEADER, bytes(body[_HEADER:]))

    return spoil


def _extra_table(signature: str, body: bytes) -> Callable[[pathlib.Path], tuple[str, ...]]:
    def options(folder: pathlib.Path) -> tuple[str, ...]:
        file = folder / signature
        file.write_bytes(body)
        return ("-acpitable", f"sig={signature},data={file}")

    return options


def _tables_noise(seed: int) -> Callable[[Left], None]:
    """Some bytes of any table, the DSDT most of all since it is the longest; all sums are right."""

    def spoil(left: Left) -> None:
        chance = random.Random(seed)
        tables = [*left.tables(), left.find("DSDT")]
        for _ in range(8):
            table = chance.choice(tables)
            left.put(table, chance.randrange(_HEADER, table.length), chance.randbytes(chance.choice((1, 1, 2, 4))))

    return spoil


_SRAT_ENTRY = struct.pack("<BBIHQQIIQ", 1, 40, 0, 0, (1 << 64) - 0x1000, 0x2000, 0, 1, 0)

# --- SMBIOS -------------------------------------------------------------------------------------------


def _smbios_address(left: Left) -> None:
    _put_entry_point(left, 24, struct.pack("<I", 0xFFFF_FFF0))


def _smbios_length(left: Left) -> None:
    """A table that is as long as can be, and goes on in the firmware's code."""
    _put_entry_point(left, 22, b"\xff\xff")


def _put_entry_point(left: Left, offset: int, data: bytes) -> None:
    """Both sums are right afterwards."""
    at = left.smbios()
    entry = bytearray(left.stub.read(at, 31))
    entry[offset : offset + len(data)] = data
    entry[21] = 0
    entry[21] = -sum(entry[16:31]) & 0xFF
    entry[4] = 0
    entry[4] = -sum(entry[:31]) & 0xFF
    left.stub.write(at, bytes(entry))


def _smbios_structures(change: Callable[[bytearray], None]) -> Callable[[Left], None]:
    def spoil(left: Left) -> None:
        length, address = struct.unpack("<HI", left.stub.read(left.smbios() + 22, 6))
        table = bytearray(left.stub.read(address, length))
        change(table)
        left.stub.write(address, bytes(table))

    return spoil


def _no_length(table: bytearray) -> None:
    table[1] = 0


def _no_end(table: bytearray) -> None:
    """Strings without an end."""
    table[table[1] :] = b"A" * (len(table) - table[1])


def _string_numbers(table: bytearray) -> None:
    """Numbers of strings that are not there."""
    table[4 : table[1]] = b"\xff" * (table[1] - 4)


def _smbios_noise(table: bytearray) -> None:
    chance = random.Random(2)
    for at in range(0, len(table), 7):
        table[at] = chance.randrange(256)


def _smbios_file(folder: pathlib.Path) -> tuple[str, ...]:
    """A structure of the vendor's with a length of all bytes and strings that are no text."""
    file = folder / "smbios"
    file.write_bytes(struct.pack("<BBH", 221, 255, 0x100) + b"\xff" * 251 + b"\x01\xff\x1b[2J\0\0")
    return ("-smbios", f"file={file}")


# --- The memory map -----------------------------------------------------------------------------------


def _memory_odd(left: Left) -> None:
    """What is no memory gets kinds that nobody knows, no size, odd addresses, and lies over the rest."""
    address, count = struct.unpack("<QI", left.stub.read(left.information + 40, 12))
    odd = ((0x9FC01, 0, 2), (0x123, 0x3FE, 0x7FFF_FFFF), ((1 << 64) - 0x1000, 0x1000, 2), (0x30_0001, 1, 0),
           ((1 << 52) - 1, 1 << 63, 12))
    done = 0
    for number in range(count):
        at = address + 24 * number
        if struct.unpack("<I", left.stub.read(at + 16, 4))[0] != 1:
            left.stub.write(at, struct.pack("<QQI", *odd[done % len(odd)]))
            done += 1


# --- PCI: of the machine of rows.py, 2 is an xHCI controller, 3 and 4 are bridges ----------------------

_XHCI, _BRIDGE, _BRIDGE2 = 2, 3, 4
_BAR0, _BUSES, _LINE = 0x10, 0x18, 0x3C


def _pci_options(_: pathlib.Path) -> tuple[str, ...]:
    return ("-device", f"qemu-xhci,addr={_XHCI},id=xhci", "-device", "usb-kbd,bus=xhci.0",
            "-device", f"pci-bridge,chassis_nr=1,addr={_BRIDGE},id=one",
            "-device", f"pci-bridge,chassis_nr=2,addr={_BRIDGE2},id=two", "-device", "edu,bus=one,addr=1",
            "-device", "edu,bus=two,addr=1")


def _pci(*writes: tuple) -> Callable[[Left], None]:
    def spoil(left: Left) -> None:
        for write in writes:
            left.write_pci(*write)

    return spoil


def _absurd_bars(_: pathlib.Path) -> tuple[str, ...]:
    """BARs for which the firmware has no room."""
    return ("-device", "pci-testdev,membar=64G", "-device", "pci-testdev,membar=256T",
            "-device", "ivshmem-plain,memdev=shared",
            "-object", "memory-backend-ram,id=shared,size=2G,share=on")


DAMAGES = {
    "acpi-sums": Damage(_sums, "acpi: no MADT"),
    "acpi-lengths": Damage(_lengths, "acpi: no MADT"),
    "acpi-root-entries": Damage(_root_entries, "acpi: no MADT"),
    "madt-length": Damage(_put("APIC", 45, b"\0"), "acpi: MADT: entry at offset 44 claims 0 bytes"),
    "madt-io-controller": Damage(_io_controller, "acpi: IOAPIC at .* cannot be there"),
    "madt-local-apic": Damage(_put("APIC", 36, struct.pack("<I", _RAM)),
                              "acpi: local APIC at .* cannot be there"),
    "madt-local-apic-nowhere": Damage(_put("APIC", 36, struct.pack("<I", 0xD000_0000)),
                                      "acpi: local APIC at .* cannot be there"),
    "madt-same-cpus": Damage(_same_cpus),
    "fadt-noise": Damage(_fadt_noise),
    "fadt-short": Damage(_fadt_short),
    "hpet": Damage(_put("HPET", 44, struct.pack("<Q", _RAM)), "acpi: HPET at .* cannot be there"),
    "mcfg": Damage(_put("MCFG", 44, struct.pack("<Q", 0)), "MCFG: window .* ignored"),
    "mcfg-memory": Damage(_put("MCFG", 44, struct.pack("<Q", 0x100000)), "pci: the configuration window"),
    "mcfg-nothing": Damage(_put("MCFG", 44, struct.pack("<Q", 0xD000_0000)), "pci: the configuration window"),
    "dsdt-noise": Damage(_aml_noise(1, 1.0)),
    **{f"dsdt-{seed}": Damage(_aml_noise(seed, 0.002)) for seed in range(3)},
    "ssdt-noise": Damage(_nothing, options=_extra_table("SSDT", random.Random(3).randbytes(4000))),
    "srat": Damage(_nothing, "acpi: SRAT: memory of domain 0 .* is not used",
                   _extra_table("SRAT", struct.pack("<IQ", 1, 0) + _SRAT_ENTRY + b"\0\0")),
    "smbios-address": Damage(_smbios_address, "smbios: "),
    "smbios-length": Damage(_smbios_length),
    "smbios-no-length": Damage(_smbios_structures(_no_length)),
    "smbios-no-end": Damage(_smbios_structures(_no_end)),
    "smbios-strings": Damage(_smbios_structures(_string_numbers)),
    "smbios-noise": Damage(_smbios_structures(_smbios_noise)),
    "smbios-file": Damage(_nothing, options=_smbios_file),
    "memory-odd": Damage(_memory_odd),
    "bar-in-memory": Damage(_pci((_XHCI, _BAR0, _RAM | 4), (_XHCI, _BAR0 + 4, 0)),
                            "pci: .* would lie in memory and are not used",
                            _pci_options),
    "bar-nowhere": Damage(_pci((_XHCI, _BAR0, 4), (_XHCI, _BAR0 + 4, 0)), "cannot drive it", _pci_options),
    "bar-beyond": Damage(_pci((_XHCI, _BAR0, 4), (_XHCI, _BAR0 + 4, 0xFFFF_FFFF)), "cannot drive it", _pci_options),
    "bridge-loop": Damage(_pci((_BRIDGE, _BUSES, 0xFF0000), (_BRIDGE2, _BUSES, 0xFF0000)),
                          "what is behind it is not used", _pci_options),
    "bridges-one-bus": Damage(_pci((_BRIDGE, _BUSES, 0xFF0100), (_BRIDGE2, _BUSES, 0xFF0100)),
                              "what is behind it is not used", _pci_options),
    "interrupt-line": Damage(_pci((_XHCI, _LINE, 0xFF), (_BRIDGE, _LINE, 0x0E)), options=_pci_options),
    "absurd-bars": Damage(_nothing, options=_absurd_bars),
}
# Many small ones, of which nothing more is asked than that the machine comes up.
MUTATIONS = {f"mutated-{seed}": Damage(_tables_noise(seed)) for seed in range(40)}
