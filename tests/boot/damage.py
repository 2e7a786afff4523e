"""Boots with damaged boot information: stops at the kernel's entry through QEMU's gdb stub, spoils a
field of what the boot loader left, and lets go. The kernel must say what is wrong, or do without.
"""

import contextlib
import pathlib
import random
import socket
import struct
import subprocess
from typing import Callable

from boot import firmware
from boot.gdb_stub import Stub
from boot.monitor import Monitor
from cairn_tools import guest, qemu
from cairn_tools.build import KernelImage
from cairn_tools.emulation import Run
from cairn_tools.project import ToolError

# Where boot loaders put the magic number and the information, as registers() numbers them.
_RAX, _RBX = 0, 1


# --- Multiboot2 (specification, 3.6): total size, reserved, then tags of type, size and contents ------

_COMMAND_LINE_TAG, _MEMORY_MAP_TAG, _FRAMEBUFFER_TAG, _RSDP_TAG = 1, 6, 8, 14


def _tag(stub: Stub, information: int, wanted: int) -> int:
    """The address of the first tag of a type."""
    address = information + 8
    while True:
        kind, size = struct.unpack("<II", stub.read(address, 8))
        if kind == wanted:
            return address
        if kind == 0:
            raise ToolError(f"GRUB left no tag of type {wanted}")
        address += (size + 7) & ~7


def _damage_size(stub: Stub, information: int) -> None:
    stub.write(information, b"\xff\xff\xff\xff")


def _damage_small_size(stub: Stub, information: int) -> None:
    stub.write(information, struct.pack("<I", 12))


def _damage_tag(stub: Stub, information: int) -> None:
    """A tag of no size, on which a careless parser turns round for ever."""
    stub.write(information + 8 + 4, struct.pack("<I", 0))


def _damage_memory_map(stub: Stub, information: int) -> None:
    """Entries of no size."""
    stub.write(_tag(stub, information, _MEMORY_MAP_TAG) + 8, struct.pack("<I", 0))


def _regions(stub: Stub, information: int) -> list[tuple[int, int, int, int]]:
    """Of the memory map's entries: their own address; base, length and type."""
    tag = _tag(stub, information, _MEMORY_MAP_TAG)
    size, entry_size = struct.unpack("<III", stub.read(tag, 12))[1:]
    return [(at, *struct.unpack("<QQI", stub.read(at, 20))) for at in range(tag + 16, tag + size, entry_size)]


def _damage_no_memory(stub: Stub, information: int) -> None:
    """All regions of a kind that nobody knows."""
    for at, *_ in _regions(stub, information):
        stub.write(at + 16, struct.pack("<I", 0x7FFF_FFFF))


def _damage_memory_wrap(stub: Stub, information: int) -> None:
    """A region that goes on beyond the last address."""
    for at, base, _, kind in _regions(stub, information):
        if kind == 1 and base >= 1 << 20:
            stub.write(at + 8, struct.pack("<Q", (1 << 64) - 0x1000))


def _damage_memory_overlap(stub: Stub, information: int) -> None:
    """What is reserved lies over the kernel."""
    for at, _, _, kind in _regions(stub, information):
        if kind == 2:
            stub.write(at, struct.pack("<QQ", 0x180000, 0x4000000))


def _damage_framebuffer_address(stub: Stub, information: int) -> None:
    """The screen lies in the kernel: who draws there draws over itself."""
    stub.write(_tag(stub, information, _FRAMEBUFFER_TAG) + 8, struct.pack("<Q", 0x200000))


def _damage_framebuffer_size(stub: Stub, information: int) -> None:
    stub.write(_tag(stub, information, _FRAMEBUFFER_TAG) + 16, b"\xff" * 13)


def _damage_framebuffer_nothing(stub: Stub, information: int) -> None:
    """A pitch, width, height and depth of zero."""
    stub.write(_tag(stub, information, _FRAMEBUFFER_TAG) + 16, bytes(13))


def _damage_rsdp(stub: Stub, information: int) -> None:
    stub.write(_tag(stub, information, _RSDP_TAG) + 8, bytes(20))


def _damage_command_line(stub: Stub, information: int) -> None:
    """A string without an end."""
    tag = _tag(stub, information, _COMMAND_LINE_TAG)
    size = struct.unpack("<II", stub.read(tag, 8))[1]
    stub.write(tag + 8, b"A" * (size - 8))


def _mutation(seed: int):
    """Sixteen random bytes of random tags; the memory map's entries are left alone, for nothing could be done with
    memory that is not there."""

    def damage(stub: Stub, information: int) -> None:
        size = struct.unpack("<I", stub.read(information, 4))[0]
        tag = _tag(stub, information, _MEMORY_MAP_TAG)
        entries = range(tag + 16, tag + struct.unpack("<II", stub.read(tag, 8))[1])
        choice = random.Random(seed)
        for at in choice.sample([at for at in range(information, information + size) if at not in entries], 16):
            stub.write(at, bytes([choice.randrange(256)]))

    return damage


def _damage_magic(stub: Stub, _information: int) -> None:
    stub.set_register(_RAX, 0x2BADB002)  # multiboot 1


def _damage_pointer(stub: Stub, _information: int) -> None:
    stub.set_register(_RBX, 0xFFFF_FFF0)


# --- PVH (Xen's public/arch-x86/hvm/start_info.h) -----------------------------------------------------


def _damage_pvh_magic(stub: Stub, information: int) -> None:
    stub.write(information, b"\0\0\0\0")


def _damage_pvh_memory_map(stub: Stub, information: int) -> None:
    """memmap_paddr and memmap_entries."""
    stub.write(information + 40, struct.pack("<QI", 0xFFFF_FFFF_FFFF_0000, 0xFFFF_FFFF))


MULTIBOOT2_DAMAGES = {
    "size": _damage_size,
    "small-size": _damage_small_size,
    "tag": _damage_tag,
    "memory-map": _damage_memory_map,
    "magic": _damage_magic,
    "pointer": _damage_pointer,
    "no-memory": _damage_no_memory,
    "memory-wrap": _damage_memory_wrap,
    "memory-overlap": _damage_memory_overlap,
    "framebuffer-address": _damage_framebuffer_address,
    "framebuffer-size": _damage_framebuffer_size,
    "framebuffer-nothing": _damage_framebuffer_nothing,
    "rsdp": _damage_rsdp,
    "command-line": _damage_command_line,
}
# Many small ones: what matters is that the kernel starts, or says why not.
MULTIBOOT2_MUTATIONS = {f"mutated-{seed}": _mutation(seed) for seed in range(40)}
# Of these the kernel need not say anything: what it is told does not contradict itself.
QUIET_DAMAGES = frozenset({"memory-wrap", "memory-overlap", "rsdp", "command-line"}) | MULTIBOOT2_MUTATIONS.keys()
PVH_DAMAGES = {"magic": _damage_pvh_magic, "memory-map": _damage_pvh_memory_map, "pointer": _damage_pointer}


def _symbol(kernel: KernelImage, name: str) -> int:
    output = subprocess.run(["nm", str(kernel.with_symbols)], check=True, capture_output=True, text=True, timeout=60)
    for line in output.stdout.splitlines():
        fields = line.split()
        if fields[-1] == name:
            return int(fields[0], 16)
    raise ToolError(f"the kernel has no symbol {name}")


def _boot(machine: qemu.Machine, kernel: KernelImage, spoil: Callable[[Stub], None], *, timeout: float,
          layers: tuple[pathlib.Path, ...] = (), extra: tuple[str, ...] = ()) -> Run:
    """Calls `spoil` when the guest is at the kernel's entry."""
    entry = _symbol(kernel, "pvh_entry" if machine.firmware == "none" else "multiboot2_entry")
    ours, theirs = socket.socketpair()

    def stop_and_spoil() -> None:
        theirs.close()
        stub = Stub(ours)
        stub.ask("?")
        stub.run_to(entry)
        spoil(stub)
        stub.detach()

    with contextlib.closing(ours), contextlib.closing(theirs):
        extra = (*extra, "-S", "-chardev", f"socket,id=debugger,fd={theirs.fileno()}", "-gdb", "chardev:debugger")
        return qemu.boot(machine, kernel, timeout=timeout, extra=extra, descriptors=(theirs.fileno(),), layers=layers,
                         when_started=stop_and_spoil, show_errors=False)


def _information(stub: Stub) -> int:
    return stub.registers()[_RBX] & 0xFFFF_FFFF


def boot(kind: str, machine: qemu.Machine, kernel: KernelImage, *, timeout: float) -> Run:
    """Like qemu.boot, with the boot information damaged in the way that `kind` names."""
    damage = (PVH_DAMAGES if machine.firmware == "none" else MULTIBOOT2_DAMAGES | MULTIBOOT2_MUTATIONS)[kind]
    return _boot(machine, kernel, lambda stub: damage(stub, _information(stub)), timeout=timeout)


def boot_firmware(kind: str, machine: qemu.Machine, kernel: KernelImage, layers: tuple[pathlib.Path, ...], *,
                  timeout: float) -> Run:
    """A machine that starts through PVH, with what its firmware left damaged in the way that `kind` names."""
    damage = (firmware.DAMAGES | firmware.MUTATIONS)[kind]
    with guest.temporary_folder() as folder:

        def spoil(stub: Stub) -> None:
            with contextlib.closing(Monitor(folder / "monitor")) as monitor:
                damage.spoil(firmware.Left(stub, monitor, _information(stub)))

        extra = ("-qmp", f"unix:{folder / 'monitor'},server=on,wait=off", *damage.options(folder))
        return _boot(machine, kernel, spoil, timeout=timeout, layers=layers, extra=extra)
