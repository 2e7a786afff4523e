"""The cases: a machine, what runs in it, and what its output must contain.

An expected line is a regular expression that a line of the output must match as a whole; "!" in front: none may.
"""

import dataclasses
import pathlib
import struct
from typing import Callable


@dataclasses.dataclass(frozen=True)
class Case:
    """`files`: made in a folder, which {folder} in `qemu` names. `log`: lines that the kernel's log must contain.
    `button`: the power button is pressed when "READY" appears, and the machine must go off by itself."""

    name: str
    script: str
    expected: tuple[str, ...] = ()
    qemu: str = ""
    machine: str = "q35"
    firmware: str = "none"
    cpu: str = "max"
    cpus: int = 2
    log: tuple[str, ...] = ()
    files: Callable[[pathlib.Path], None] | None = None
    button: bool = False


def _topology(name: str, sockets: int, cores: int, threads: int, **options) -> Case:
    count = sockets * cores * threads
    return Case(f"lscpu-{name}", "lscpu; lscpu -e; lscpu -C; lscpu -J >/dev/null && echo json",
                (rf"CPU\(s\): +{count}", rf"Thread\(s\) per core: +{threads}", rf"Core\(s\) per socket: +{cores}",
                 rf"Socket\(s\): +{sockets}",
                 rf" +{count - 1} +0 +{sockets - 1} +{sockets * cores - 1} .*yes *", r"L1d .*Data.*",
                 r"L1i .*Instruction.*", r"L2 .*Unified.*", "json"),
                f"-smp cpus={count},sockets={sockets},cores={cores},threads={threads}", cpus=count, **options)


_DEVICES = ("-device pcie-root-port,id=root,chassis=1,addr=3 -device pcie-pci-bridge,id=bridge,bus=root"
            " -device edu,bus=bridge,addr=5")

_LSPCI = Case("lspci", "lspci -nn; lspci -vv; lspci -t; cat /sys/bus/pci/devices/0000:02:05.0/irq", (
    r"00:00\.0 Host bridge \[0600\]: Intel Corporation .* \[8086:29c0\]",
    r"00:03\.0 PCI bridge \[0604\]: Red Hat, Inc\. QEMU PCIe Root port \[1b36:000c\]",
    r"01:00\.0 PCI bridge \[0604\]: .*\[1b36:000e\].*",
    r"02:05\.0 Unclassified device \[00ff\]: .*\[1234:11e8\].*",
    r"\s+Bus: primary=00, secondary=01, subordinate=02, sec-latency=0",
    r"\s+Region 0: Memory at [0-9a-f]+ \(32-bit, non-prefetchable\) \[size=1M\]",
    r"\s+Capabilities: \[40\] MSI: Enable- Count=1/1 Maskable- 64bit\+",
    r"\s+Capabilities: \[100 v2\] Advanced Error Reporting",
    r" +\+-03\.0-\[01-02\]----00\.0-\[02\]----05\.0",
    "2[0-3]",  # a line of the IOAPIC's that only _PRT tells
), _DEVICES)

_PORTS_ONLY = Case("lspci-pc", "lspci -nn; setpci -s 2.0 CACHE_LINE_SIZE=10; setpci -s 2.0 CACHE_LINE_SIZE;"
                   " od -An -tx1 -N4 /sys/bus/pci/devices/0000:00:02.0/config;"
                   " su nobody -s /bin/sh -c 'cat /sys/bus/pci/devices/0000:00:02.0/config' | wc -c; lspci -s 2.0 -v",
                   (r"00:01\.0 ISA bridge .*\[8086:7000\]", r"00:02\.0 .*\[1234:11e8\].*", "10", " 34 12 e8 11", "64",
                    r"\s+Flags: .*IRQ 1[01]"), "-vga none -device edu,addr=2", machine="pc")

_SMBIOS = ("-smbios type=0,vendor=Firm,version=v7,release=3.9 -smbios type=3,manufacturer=Case"
           " -smbios type=1,manufacturer=Maker,product=Box,version=2,serial=S1,"
           "uuid=00112233-4455-6677-8899-aabbccddeeff")
_DMI_SCRIPT = ("dmidecode -s system-manufacturer; dmidecode -s system-uuid; dmidecode -t 17 | grep Size;"
               " cd /sys/class/dmi/id; cat bios_vendor bios_release product_name product_serial product_uuid uevent")
_DMI_EXPECTED = ("Maker", "00112233-4455-6677-8899-aabbccddeeff", r"\s+Size: 512 MB", "Firm", r"3\.9", "Box", "S1",
                 "MODALIAS=dmi:bvnFirm:bvrv7:.*:svnMaker:pnBox:.*")

_HWCLOCK = Case("hwclock", """
hwclock -r; hwclock --utc --set --date '2022-02-03 04:05:06' && hwclock -r
hwclock --utc --hctosys && date +%F; date -s '2023-01-02 03:04:05' >/dev/null
hwclock --utc --systohc && cat /sys/class/rtc/rtc0/date; cat /sys/class/rtc/rtc0/name
TZ=CET-1 hwclock --localtime --hctosys && date +%F_%H; timeout 5 hwclock -r >/dev/null && echo ticks""",
                ("2021-05-06 07:08:.*", "2022-02-03 04:05:.*", "2022-02-03", "2023-01-02", "rtc_cmos rtc_cmos",
                 "2023-01-02_02", "ticks"), "-rtc base=2021-05-06T07:08:09")

_ADDRESSES = Case("addresses", "cat /proc/iomem /proc/ioports; lspci -A linux-proc -vxxx >/tmp/p; lspci -vxxx >/tmp/s;"
                  " cut -f1,2,18 /proc/bus/pci/devices; grep -c : /tmp/p; lspci -A linux-proc -n | wc -l;"
                  " lspci -A linux-proc -n | cut -c1-18 >/tmp/p; lspci -n | cut -c1-18 | cmp - /tmp/p && echo same", (
    r"00100000-1ffdffff : System RAM", r"  00201000-[0-9a-f]{8} : Kernel code",
    r"  [0-9a-f]{8}-[0-9a-f]{8} : Kernel data",
    r"  b0000000-bfffffff : PCI ECAM 0000 \[bus 00-ff\]", r"[0-9a-f]{8}-[0-9a-f]{8} : PCI Bus 0000:01",
    r"    [0-9a-f]{8}-[0-9a-f]{8} : 0000:02:05\.0", r"[0-9a-f]+-[0-9a-f]+ : 0000:00:04\.0",
    r"  [0-9a-f]+-[0-9a-f]+ : xhci_hcd", r"fec00000-fec003ff : IOAPIC 0", r"fed00000-fed003ff : HPET 0",
    r"fee00000-fee00fff : Local APIC", r"0070-0071 : rtc_cmos", r"03f8-03ff : serial", r"0cf8-0cff : PCI conf1",
    r"0604-0605 : ACPI PM1a_CNT_BLK", r"0020\t1b36000d\txhci_hcd", "same"), _DEVICES + " -device qemu-xhci,addr=4")

_NUMA = Case("numa", "dmesg | grep -c SRAT", ("2",),
             "-object memory-backend-ram,id=a,size=128M -object memory-backend-ram,id=b,size=384M"
             " -numa node,nodeid=0,cpus=0-1,memdev=a -numa node,nodeid=1,cpus=2-3,memdev=b", cpus=4,
             log=(r".*acpi: SRAT: domain 0: memory 0x0-0x9ffff 0x100000-0x7ffffff; CPUs 0 1",
                  r".*acpi: SRAT: domain 1: memory 0x8000000-0x1fffffff; CPUs 2 3"))

_BLOCK = Case("lsblk", "lsblk; echo status=$?; ls -d /sys/block /sys/class/block", ("status=0", "/sys/block"))


# --- Damage: further tables, whose sums QEMU puts right -----------------------------------------------------------

def _table(signature: str, body: bytes) -> Callable[[pathlib.Path], None]:
    def make(folder: pathlib.Path) -> None:
        header = struct.pack("<4sIBB6s8sI4sI", signature.encode(), 36 + len(body), 1, 0, b"CAIRN ", b"DAMAGED ", 1,
                             b"TEST", 1)
        (folder / "table").write_bytes(header + body)
    return make


def _damaged(name: str, signature: str, body: bytes, log: tuple[str, ...], machine: str = "pc") -> Case:
    return Case(f"damaged-{name}",
                f"ls /sys/firmware/acpi/tables | grep -q {signature} && echo there; lspci -n | wc -l",
                ("there", "[1-9].*"), "-acpitable file={folder}/table", machine=machine, log=log,
                files=_table(signature, body))


# On `pc`, which has no MCFG of its own. A window in memory, one that shows nothing, one behind the end of the world.
_DAMAGE = (
    _damaged("mcfg-in-memory", "MCFG", bytes(8) + struct.pack("<QHBBI", 0x100000, 0, 0, 255, 0),
             (r".*pci: the configuration window at 0x0*100000 cannot be one.*",)),
    _damaged("mcfg-empty-space", "MCFG", bytes(8) + struct.pack("<QHBBI", 0xD0000000, 0, 0, 15, 0),
             (r".*pci: the configuration window at 0x0*d0000000 does not show what the ports do.*",)),
    _damaged("mcfg-nonsense", "MCFG", bytes(8) + struct.pack("<QHBBI", 0xFFFFFFFFFFF00000, 0, 200, 3, 0) + b"\1\2\3",
             (r".*acpi: MCFG: window of segment 0 .* ignored",)),
    _damaged("ssdt-garbage", "SSDT", bytes(range(256)) * 4, (r".*acpi: a part of the SSDT is not understood.*",)),
    # While (One) {}: taken when the table is loaded, up to the limit of steps.
    _damaged("ssdt-endless", "SSDT", b"\xa2\x02\x01", (r".*a part of the SSDT is not understood: too many steps.*",)),
    _damaged("spcr-short", "SPCR", b"\0", (r".*acpi: SPCR: .* is not used",)),
    _damaged("madt-loop", "APIC", b"\0\0\xe0\xfe\1\0\0\0" + b"\0\0", ()),
)

_BUTTON = (
    Case("button-init", "echo READY; sleep 60; echo late", ("READY", "!late"), button=True,
         log=(r".*power: the power button was pressed",)),
    Case("button-pc", "echo READY; sleep 60; echo late", ("READY", "!late"), machine="pc", button=True,
         log=(r".*power: the power button was pressed",)),
)

CASES = (
    _topology("sockets", 2, 2, 2), _topology("cores", 1, 4, 1), _topology("intel", 2, 1, 2, cpu="Haswell"),
    _topology("pc", 1, 2, 1, machine="pc"), _LSPCI, _PORTS_ONLY,
    Case("dmidecode", _DMI_SCRIPT, _DMI_EXPECTED, _SMBIOS),
    Case("dmidecode-uefi", _DMI_SCRIPT, _DMI_EXPECTED, _SMBIOS, firmware="uefi"),
    _ADDRESSES, _NUMA, _HWCLOCK, _BLOCK, *_DAMAGE, *_BUTTON,
)
