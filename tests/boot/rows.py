"""The rows of the boot matrix.

For each commit a part is tried in which every two values of any two columns meet at least once, plus the rows that
stand for a promise of their own. The pairs are the same for what a PC can be, each with a shell at its end. The full
matrix is every combination that makes sense.
"""

import dataclasses
import itertools
from typing import Iterator

from boot import firmware
from boot.damage import MULTIBOOT2_DAMAGES, MULTIBOOT2_MUTATIONS, PVH_DAMAGES
from boot.shell import Shell
from cairn_tools.bochs import BochsMachine
from cairn_tools.qemu import MEDIA, SCREENS, Machine
from cairn_tools.root_image import TINY_PROFILE

# From a little above the least with which OVMF itself starts (52 MiB) to beyond 4 GiB, where a PC's
# memory has a hole.
_MEMORY_MIB = (64, 256, 2048, 8192)
_CPUS = (1, 2, 8)

# One for each kind of CPU that the kernel treats differently: the least of x86-64, two of Intel's, AMD's,
# and the best without one feature. QEMU's translator knows no x2APIC, TSC deadline and PCID; Bochs does.
_CPU_MODELS = ("qemu64", "Nehalem", "Haswell", "EPYC", "max,-xsave", "max,-pdpe1gb", "max,-la57", "max,-smap",
               "max,-fsgsbase", "max,-hypervisor")


@dataclasses.dataclass(frozen=True)
class Row:
    """One run. `shell`: it ends in a shell (else without a root). `crash`: the kernel is told to crash so, and must
    show a panic screen that names the function. `stress_seconds`: guest time of the in-kernel stress. `damage`: see
    damage.py. `firmware`: see firmware.py."""

    machine: Machine | BochsMachine
    timeout: float = 60.0
    crash: str = ""
    stress_seconds: int = 0
    damage: str = ""
    firmware: str = ""
    shell: Shell | None = None

    @property
    def name(self) -> str:
        machine = self.machine
        if isinstance(machine, BochsMachine):
            parts = ["bochs", f"{machine.cpus}cpu", f"{machine.memory_mib}m"]
        else:
            parts = [machine.machine, "pvh" if machine.firmware == "none" else machine.firmware,
                     f"{machine.cpus}cpu", f"{machine.memory_mib}m"]
            if machine.medium != "cdrom":
                parts.append(machine.medium)
            if machine.cpu != "max":
                parts.append(machine.cpu.replace(",-", "-no-"))
            if machine.screen == "none":
                parts.append("no-screen")
        if self.shell:
            parts.append(self.shell.name)
        if self.crash:
            parts.append(f"crash-{self.crash}")
        if self.stress_seconds:
            parts.append(f"stress-{self.stress_seconds}s")
        if self.damage:
            parts.append(f"damaged-{self.damage}")
        if self.firmware:
            parts.append(f"firmware-{self.firmware}")
        return "-".join(parts)

    @property
    def weight(self) -> int:
        """How many of the host's CPUs this run keeps busy, for whoever runs several."""
        return 1 if isinstance(self.machine, BochsMachine) or self.machine.cpus == 1 else 2


def _iso_machines() -> list[Machine]:
    columns = itertools.product(("pc", "q35"), ("bios", "uefi"), _CPUS, _MEMORY_MIB, MEDIA)
    return [Machine(machine=machine, firmware=firmware, cpus=cpus, memory_mib=memory, medium=medium)
            for machine, firmware, cpus, memory, medium in columns]


def _pairs(machine: Machine) -> set:
    values = [(field.name, getattr(machine, field.name)) for field in dataclasses.fields(machine)]
    return set(itertools.combinations(values, 2))


def _pairwise(machines: list[Machine]) -> Iterator[Machine]:
    """A few of the machines in which every pair of values occurs that occurs at all. Greedy: always
    the machine with the most pairs not yet seen; the same result every time."""
    missing = set().union(*map(_pairs, machines))
    while missing:
        best = max(machines, key=lambda machine: len(_pairs(machine) & missing))
        missing -= _pairs(best)
        yield best


def _timeout(machine: Machine) -> float:
    # The guest's CPUs share few real ones, and UEFI needs its time, most of all for USB.
    uefi = {"cdrom": 60.0, "disk": 60.0, "usb": 120.0}[machine.medium] if machine.firmware == "uefi" else 0.0
    return 60.0 + 4 * machine.cpus + uefi


def _pvh(machine: str, cpus: int, memory_mib: int, **more) -> Machine:
    return Machine(machine=machine, firmware="none", cpus=cpus, memory_mib=memory_mib, **more)


_PVH = [_pvh("q35", 1, 128), _pvh("q35", 8, 8192), _pvh("q35", 1, 16), _pvh("q35", 32, 512), _pvh("microvm", 1, 128),
        _pvh("microvm", 4, 4096)]
_PVH_MORE = [_pvh(*row) for row in itertools.product(("pc", "q35", "microvm"), (1, 2, 8, 32, 64), _MEMORY_MIB)]

_CRASHES = ("null", "stack", "assert", "deadlock")


# What a PC of the last fifteen years may be. 12 GiB lie around the hole below 4 GiB; a CPU of each kind.
_PC_COLUMNS = {
    "machine": ("pc", "q35"), "firmware": ("bios", "uefi"), "medium": MEDIA,
    "cpu": ("qemu64", "Nehalem", "Haswell", "EPYC", "max"), "cpus": (1, 2, 16), "memory_mib": (64, 4096, 12288),
    "screen": SCREENS,
}
# OVMF takes 52 MiB for itself, and GRUB has no room for the usual root in less: see docs/hardware.md.
_UEFI_SMALL_MIB = 96


# As many of these as every commit is tried on.
_FEW_COLUMNS = _PC_COLUMNS | {"cpu": ("qemu64", "max"), "cpus": (1, 2), "memory_mib": (64, 4096)}


def _pcs(columns: dict[str, tuple] = _PC_COLUMNS) -> list[Machine]:
    return [Machine(**dict(zip(columns, values))) for values in itertools.product(*columns.values())]


def _shell_row(machine: Machine, what: Shell | None = None) -> Row:
    if what is None:
        tiny = machine.firmware == "uefi" and machine.memory_mib < _UEFI_SMALL_MIB
        what = Shell(TINY_PROFILE) if tiny else Shell()
    return Row(machine, 30.0 + 2 * _timeout(machine), shell=what)


def _shells_without_firmware() -> Iterator[Row]:
    """microvm, QEMU's own loader, and Bochs; and the image for people with its menu and its logins."""
    for name, cpus, memory in (("microvm", 1, 64), ("microvm", 2, 4096), ("microvm", 16, 512), ("q35", 2, 64),
                               ("pc", 16, 4096), ("q35", 1, 12288)):
        yield _shell_row(_pvh(name, cpus, memory))
    yield Row(BochsMachine(), timeout=600.0, shell=Shell())
    yield Row(BochsMachine(cpus=2, memory_mib=512), timeout=900.0, shell=Shell())
    for machine in (Machine(memory_mib=512), Machine(memory_mib=512, firmware="uefi", medium="usb")):
        yield _shell_row(machine, Shell("pc", logins=True))
    yield _shell_row(Machine(memory_mib=64, firmware="uefi", medium="disk"), Shell(TINY_PROFILE, logins=True))


def _firmware_row(damage: str) -> Row:
    return Row(_pvh("q35", 2, 256), timeout=90.0, shell=Shell(TINY_PROFILE), firmware=damage)


def _special_rows() -> Iterator[Row]:
    yield Row(BochsMachine(), timeout=240.0)
    for crash in _CRASHES:
        yield Row(_pvh("q35", 2, 128), crash=crash)
    for damage in MULTIBOOT2_DAMAGES:
        yield Row(Machine(cpus=1), damage=damage)
    for damage in PVH_DAMAGES:
        yield Row(_pvh("q35", 1, 256), damage=damage)
    yield from map(_firmware_row, firmware.DAMAGES)


def _unique(rows: Iterator[Row]) -> list[Row]:
    return list({row.name: row for row in rows}.values())


def short_matrix() -> list[Row]:
    """What every commit is tried on."""
    machines = [*_pairwise(_iso_machines()), *_PVH, *(_pvh("q35", 2, 256, cpu=cpu) for cpu in _CPU_MODELS)]
    stress = Row(_pvh("q35", 4, 512), stress_seconds=10, timeout=240.0)
    shells = [*map(_shell_row, _pairwise(_pcs(_FEW_COLUMNS))), _shell_row(_pvh("microvm", 1, 64)),
              _shell_row(Machine(medium="usb"), Shell(logins=True))]
    return _unique(itertools.chain((Row(one, _timeout(one)) for one in machines), _special_rows(), shells, [stress]))


def pairs_matrix() -> list[Row]:
    """Every two values of what a PC can be, each row with a shell at its end."""
    mutations = (Row(Machine(cpus=1), damage=damage) for damage in MULTIBOOT2_MUTATIONS)
    tables = map(_firmware_row, firmware.MUTATIONS)
    return _unique(itertools.chain(map(_shell_row, _pairwise(_pcs())), _shells_without_firmware(), mutations, tables))


def full_matrix() -> list[Row]:
    """Every combination, and the stress for its whole minute."""
    models = [Machine(machine=machine, cpu=cpu) for machine, cpu in itertools.product(("pc", "q35"), _CPU_MODELS)]
    machines = [*_iso_machines(), *_PVH, *_PVH_MORE, *models]
    stress = [Row(_pvh("q35", cpus, 1024), stress_seconds=60, timeout=900.0) for cpus in (1, 4, 8)]
    more_bochs = [Row(BochsMachine(cpus=2), timeout=300.0), Row(BochsMachine(memory_mib=64), timeout=240.0)]
    rows = itertools.chain(short_matrix(), pairs_matrix(), map(_shell_row, _pcs()),
                           (Row(one, _timeout(one)) for one in machines), more_bochs, stress)
    return _unique(rows)
