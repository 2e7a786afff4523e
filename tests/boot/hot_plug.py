"""Pulls USB devices out of a guest and plugs them in again; for tests/boot/typing."""

import time
from typing import Protocol

from boot.monitor import Monitor
from cairn_tools.project import ToolError, say

# Writes what there is whenever it is something else: from lsusb, and how many names are in the folders. On the screen
# nothing is said meanwhile, whose lines that leave at the top take memory.
WATCH = r"""#!/bin/sh
folders='/sys/bus/usb/devices /sys/bus/usb/drivers/usbhid /dev/bus/usb/001 /dev/input'
rm -f /tmp/enough; dmesg -n 1
while [ ! -e /tmp/enough ]; do
    lsusb >/tmp/list; lsusb -t >/tmp/tree 2>/dev/null
    now="$(cat /sys/bus/usb/devices/*/product 2>/dev/null | grep -c Keyboard) keyboards, $(wc -l </tmp/list) devices,"
    now="$now $(grep -c 0627:0001 /tmp/list) of QEMU, $(grep -c usbhid /tmp/tree) in the tree,"
    for folder in $folders; do now="$now $(ls $folder | wc -l)"; done
    [ "$now" = "$last" ] || echo "There are $now."
    last=$now
    if [ -e /tmp/measure ]; then
        rm /tmp/measure; echo 3 >/proc/sys/vm/drop_caches; echo "Free: $(grep MemFree /proc/meminfo | tr -dc 0-9) KiB."
    fi
done >/dev/ttyS0
dmesg -n 7
"""


class Guest(Protocol):
    """What is needed of it."""

    monitor: Monitor

    def settle(self, seconds: float = 1.0) -> None: ...
    def wait_for(self, text: str, seconds: float = 20.0) -> None: ...
    def last_line(self, begin: str) -> str: ...


# By which memory that is free differs when nothing was done.
_NOISE_KIB = 256


def plug(guest: Guest, name: str, port: str) -> None:
    deadline = time.monotonic() + 10
    while True:  # QEMU takes a device away when it likes
        try:
            driver = "usb-kbd" if name == "kbd" else "usb-hub"
            guest.monitor.call("device_add", driver=driver, bus="xhci.0", port=port, id=name)
            return
        except ToolError:
            if time.monotonic() > deadline:
                raise
            guest.settle(0.05)


def cycles(guest: Guest, keyboard_port: str, times: int) -> None:
    """The keyboard comes and goes, and a hub with all behind it: lsusb and the folders show what there is each time,
    and memory does not get less."""
    # What is pulled out, and what is gone with it.
    chains = [{"kbd": keyboard_port}]
    if keyboard_port == "2.1.3":
        chains.append({"hub1": "2", "hub2": "2.1", "kbd": keyboard_port})
    guest.monitor.type("watch-usb &\n")
    present = _listed(guest, 1)
    absent = {}

    def cycle(chain: dict[str, str]) -> None:
        first = next(iter(chain))
        guest.monitor.call("device_del", id=first)
        if first in absent:
            guest.wait_for(absent[first], 30)
        else:
            absent[first] = _listed(guest, 0)
        for name, port in chain.items():
            plug(guest, name, port)
        guest.wait_for(present, 30)

    for chain in chains:
        cycle(chain)
    before = _free(guest)
    for number in range(times):
        cycle(chains[number % len(chains)])
    lost = before - _free(guest)
    say(f"{present} {' '.join(absent.values())} {before} KiB were free, {lost} fewer are after {times} times")
    guest.monitor.type(">/tmp/enough; wait; echo plugged >/dev/ttyS0\n")
    guest.wait_for("plugged")
    if lost > max(4 * times, _NOISE_KIB):
        raise ToolError(f"{lost} KiB have gone in {times} times")


def _listed(guest: Guest, keyboards: int) -> str:
    """What the watcher says of as many keyboards once nothing changes any more."""
    guest.wait_for(f"There are {keyboards} keyboards")
    guest.settle(4)
    return guest.last_line("There are ")


def _free(guest: Guest) -> int:
    """KiB."""
    guest.monitor.type(">/tmp/measure\n")
    guest.wait_for("Free: ")
    guest.wait_for("KiB.")
    return int(guest.last_line("Free: ").split()[1])
