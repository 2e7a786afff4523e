"""What a kernel takes before a program runs, for tools/bench: instructions from reset to the first program, the image,
memory.

The first program (user/bench/first) reads the time-stamp counter with its first instruction. With -icount a tick is an
instruction since reset, those of firmware and boot loader included; and a nanosecond that somebody waited for a device.
"""

import dataclasses
import pathlib
import re
import shutil
import stat
from typing import Callable

from cairn_tools import debian, guest, image, newc, qemu
from cairn_tools.bench_machine import MACHINE, Kernel
from cairn_tools.build import KernelFile, user_program
from cairn_tools.emulation import Outcome
from cairn_tools.project import ToolError, locked, say

FAMILY = "footprint"
_SECONDS = 600.0
# With too little memory a machine often hangs.
_TRY_SECONDS = 60.0
_LEAST_MIB, _MOST_MIB = 4, 192
_LINUX_MENU = "set timeout=0\nmenuentry Linux {\n linux /boot/kernel %s\n initrd /boot/root\n}\n"
_CAIRN_MENU = "set timeout=0\nmenuentry Cairn {\n multiboot2 /boot/kernel %s\n module2 /boot/root root\n boot\n}\n"

BOOT, BOOT_BY_GRUB = "boot to init", "boot to init, BIOS and GRUB"
IMAGE, MEMORY, SMALLEST = "kernel image, bytes", "memory used after boot, KiB", "smallest memory for a shell, MiB"
ROWS = (BOOT, BOOT_BY_GRUB, IMAGE, MEMORY, SMALLEST)


@dataclasses.dataclass(frozen=True)
class _First:
    """What the first program said."""

    ticks: int
    memory_free_kib: int


def _is_linux(kernel: Kernel) -> bool:
    return isinstance(kernel, KernelFile) and kernel.is_linux


def _archive(tree: newc.Tree, file: pathlib.Path) -> pathlib.Path:
    with open(file, "wb") as out:
        newc.write(tree, out)
    return file


def _first_root(folder: pathlib.Path) -> pathlib.Path:
    tree = newc.Tree()
    tree.file("init", user_program("cairn_first", build_first=False), 0o755)
    tree.add("dev/console", newc.Node(stat.S_IFCHR | 0o600, device=(5, 1)))
    return _archive(tree, folder / "first.cpio")


def _boot(machine: qemu.Machine, kernel: Kernel, layers: tuple[pathlib.Path, ...] = (),
          iso: pathlib.Path | None = None) -> _First:
    """One boot to the first program."""
    run = qemu.boot(machine, kernel, timeout=_SECONDS, extra=("-seed", "1"), layers=layers, iso=iso)
    ticks = re.search(r"first program: ticks (\d+)", run.log)
    free = re.search(r"MemFree: +(\d+) kB", run.log)
    if run.outcome is not Outcome.POWERED_OFF or not ticks or not free:
        raise ToolError(f"{machine}: the machine {run.outcome.value}\n" + guest.last_words(run.log))
    return _First(int(ticks[1]), int(free[1]))


def _iso(kernel: Kernel, root: pathlib.Path, arguments: str, folder: pathlib.Path) -> pathlib.Path:
    """GRUB's ISO with one entry that starts at once."""
    tree = folder / "tree"
    (tree / "boot/grub").mkdir(parents=True)
    shutil.copyfile(kernel.bootable, tree / "boot/kernel")
    shutil.copyfile(root, tree / "boot/root")
    menu = _LINUX_MENU if _is_linux(kernel) else _CAIRN_MENU
    (tree / "boot/grub/grub.cfg").write_text(menu % arguments, encoding="ascii")
    iso = folder / "first.iso"
    image.write_iso(iso, tree)
    return iso


def _shell_root(folder: pathlib.Path) -> pathlib.Path:
    """A static shell and nothing else."""
    with locked(debian.LOCK):
        package = next(file for file in debian.download(("busybox-static",))
                       if debian.package_name(file) == "busybox-static")
    tree = newc.Tree()
    for member, contents in debian.members(package):
        if member.name == "./bin/busybox":
            tree.file("bin/sh", contents.read(), 0o755)
    for name in ("proc", "sys", "dev", "tmp", "run"):
        tree.add(name, newc.Node(stat.S_IFDIR | 0o755))
    return _archive(tree, folder / "shell.cpio")


def _reaches_shell(machine: qemu.Machine, kernel: Kernel, root: pathlib.Path) -> bool:
    output = bytearray()
    result = guest.run_session(guest.Program(("/bin/sh", "-c", "echo reached")), machine, kernel, [root],
                               sinks={"stdout": output.extend, "stderr": lambda _: None}, timeout=_TRY_SECONDS,
                               build_first=False)
    return result.status == 0 and output == b"reached\n"


def _smallest(works: Callable[[int], bool]) -> float:
    """The least memory, in MiB, with which `works`; it does with _MOST_MIB."""
    low, high = _LEAST_MIB - 1, _MOST_MIB
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if works(middle) else (middle, high)
    return float(high)


def measure(kernel: Kernel, arguments: str, what: str, rows: list[str]) -> dict[str, tuple[str, float]]:
    """Row to family and figure, as the benchmark's rows, on one kernel; `rows` are wanted."""
    say(f"Measuring the footprint of {what}")
    words = guest.kernel_arguments(arguments)
    figures: dict[str, float] = {}
    with guest.temporary_folder() as folder:
        if BOOT in rows or MEMORY in rows:
            first = _boot(MACHINE.with_arguments(words), kernel, (_first_root(folder),))
            figures[BOOT] = first.ticks
            figures[MEMORY] = MACHINE.memory_mib * 1024 - first.memory_free_kib
        if BOOT_BY_GRUB in rows:
            iso = _iso(kernel, _first_root(folder), words, folder)
            figures[BOOT_BY_GRUB] = _boot(dataclasses.replace(MACHINE, firmware="bios"), kernel, iso=iso).ticks
        figures[IMAGE] = kernel.bootable.stat().st_size
        if SMALLEST in rows:
            root = _shell_root(folder)
            machine = dataclasses.replace(MACHINE, icount=False, kernel_arguments=words)
            figures[SMALLEST] = _smallest(
                lambda mib: _reaches_shell(dataclasses.replace(machine, memory_mib=mib), kernel, root))
    return {row: (FAMILY, figures[row]) for row in ROWS if row in rows}
