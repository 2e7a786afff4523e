"""Plugs USB devices into a running guest whose descriptors are damaged, one after the other; in the end a keyboard of
QEMU's must come up, so that nothing of the kernel's was lost on the way.

  tests/boot/liars                  the devices below, and ten that answer by chance
  tests/boot/liars --random 200     more of these
  tests/boot/liars --only hub-      those whose name contains a word

The log of the run is in build/boot-logs/usb-liars.log.
"""

import argparse
import contextlib
import pathlib
import random
import re
import struct
import threading
import time
from typing import Callable

from boot import usbredir
from boot.monitor import Monitor
from cairn_tools import guest, kernel_log, newc, qemu
from cairn_tools.build import kernel_image
from cairn_tools.emulation import Outcome, Run
from cairn_tools.project import BUILD, ToolError, install, main_guard, say
from cairn_tools.root_image import TINY_PROFILE, root_image

_SCRIPT = """while ! dmesg | grep -q 'QEMU USB Keyboard'; do sleep 1; done
ls /sys/bus/usb/devices
for i in /sys/bus/usb/devices/*/product; do cat $i; done
echo liars: survived
poweroff
"""
_SURVIVED = re.compile(r"^liars: survived$", re.MULTILINE)
_QUIET_SECONDS = 0.5
_SILENCE_SECONDS = 7.0  # a request's deadline is 5 s
_LIMIT_SECONDS = 12.0
_MOST_REQUESTS = 3000  # a hub of 255 ports is asked a few things of each
_MOST_ATTEMPTS = 12  # three for each of a hub's four ports

_DEVICE, _CONFIGURATION, _STRING, _HUB = 1, 2, 3, 0x29


def _device(**changes: int) -> bytes:
    fields = dict(length=18, kind=_DEVICE, version=0x200, device_class=0, subclass=0, protocol=0, packet=64,
                  vendor=0x1234, product=0x5678, release=0x100, maker_text=1, product_text=2, serial_text=3,
                  configurations=1) | changes
    return struct.pack("<BBHBBBBHHHBBBB", *fields.values())


def _interface(kind: int = 3, subclass: int = 1, protocol: int = 1, endpoints: int = 1, number: int = 0) -> bytes:
    return struct.pack("<9B", 9, 4, number, 0, endpoints, kind, subclass, protocol, 0)


def _endpoint(address: int = 0x81, attributes: int = 3, packet: int = 8, interval: int = 4) -> bytes:
    return struct.pack("<BBBBHB", 7, 5, address, attributes, packet, interval)


def _configuration(*parts: bytes, total: int | None = None, interfaces: int = 1, length: int = 9) -> bytes:
    body = b"".join(parts)
    return struct.pack("<BBHBBBBB", length, _CONFIGURATION, 9 + len(body) if total is None else total, interfaces, 1, 0,
                       0xA0, 50) + body


def _text(text: str) -> bytes:
    body = text.encode("utf-16-le")
    return bytes([len(body) + 2, _STRING]) + body


_HID = struct.pack("<BBHBBBH", 9, 0x21, 0x111, 0, 1, 0x22, 63)
_KEYBOARD = _configuration(_interface(), _HID, _endpoint())


def _answers(device: bytes = _device(), configuration: bytes = _KEYBOARD, text: bytes | None = _text("Liar"),
             other: Callable[[int, int, int], bytes | None] | None = None) -> usbredir.Answer:
    """A device with these descriptors; `other` answers what is no descriptor of those."""

    def answer(kind: int, request: int, value: int, _index: int, length: int):
        if kind == 0x80 and request == 6:
            wanted = {_DEVICE: device, _CONFIGURATION: configuration, _STRING: text}
            return wanted.get(value >> 8)
        if other is not None:
            return other(kind, request, length)
        return b"" if not kind & 0x80 else bytes(length)

    return answer


def _hub(ports: int, status: bytes, descriptor: bytes | None = None) -> usbredir.Answer:
    if descriptor is None:
        descriptor = struct.pack("<BBBHBBB", 9, _HUB, ports, 0, 1, 0, 0) + b"\xff"

    def other(kind: int, request: int, length: int) -> bytes | None:
        if kind == 0xA0 and request == 6:
            return descriptor
        return status[:length] if kind == 0xA3 else b""

    return _answers(_device(device_class=9), _configuration(_interface(9, 0, 0), _endpoint(packet=1)), other=other)


def _noise(seed: int) -> usbredir.Answer:
    """Descriptors of which some bytes are others, and answers that are too short, stalled, or by chance."""
    chance = random.Random(seed)

    def spoiled(data: bytes) -> bytes:
        data = bytearray(data)
        for _ in range(chance.randrange(4)):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        return bytes(data[: chance.choice((len(data), len(data), chance.randrange(len(data) + 1)))])

    def other(kind: int, _request: int, length: int) -> bytes | None:
        return None if chance.random() < 0.3 else chance.randbytes(min(length, 64)) if kind & 0x80 else b""

    endpoints = b"".join(_endpoint(chance.randrange(256), chance.randrange(256), chance.randrange(2048),
                                   chance.randrange(256)) for _ in range(chance.randrange(5)))
    return _answers(spoiled(_device(device_class=chance.choice((0, 0, 9, 3)))),
                    spoiled(_configuration(_interface(chance.choice((3, 9)), chance.randrange(2), chance.randrange(3)),
                                           _HID, endpoints)), spoiled(_text("Noise")), other)


_MANY = b"".join(_interface(number=number) + _endpoint(0x81 + number % 15) for number in range(200))
_LIARS: dict[str, usbredir.Answer] = {
    "sound": _answers(),
    "device-short": _answers(_device()[:8]),
    "device-empty": _answers(b""),
    "device-no-length": _answers(_device(length=0)),
    "device-wrong-kind": _answers(_device(kind=0xFF)),
    "device-packet-0": _answers(_device(packet=0)),
    "device-packet-255": _answers(_device(packet=255)),
    "device-configurations-255": _answers(_device(configurations=255)),
    "configuration-none": _answers(configuration=b""),
    "configuration-total-ffff": _answers(configuration=_configuration(_interface(), _endpoint(), total=0xFFFF)),
    "configuration-total-0": _answers(configuration=_configuration(_interface(), _endpoint(), total=0)),
    "configuration-no-length": _answers(configuration=_configuration(_interface(), _endpoint(), length=0)),
    "configuration-cut": _answers(configuration=_KEYBOARD[:20] + b"\0" * 14),
    "descriptor-no-length": _answers(configuration=_configuration(_interface(), b"\0\x21", _endpoint())),
    "descriptor-beyond": _answers(configuration=_configuration(_interface(), b"\xff\x21", _endpoint())),
    "interfaces-255": _answers(configuration=_configuration(_interface(), _endpoint(), interfaces=255)),
    "interfaces-many": _answers(configuration=_configuration(_MANY, interfaces=200)),
    "endpoint-0": _answers(configuration=_configuration(_interface(), _endpoint(0x80))),
    "endpoint-out": _answers(configuration=_configuration(_interface(), _endpoint(0x01))),
    "endpoint-packet-0": _answers(configuration=_configuration(_interface(), _endpoint(packet=0))),
    "endpoint-packet-ffff": _answers(configuration=_configuration(_interface(), _endpoint(packet=0xFFFF))),
    "endpoint-interval-0": _answers(configuration=_configuration(_interface(), _endpoint(interval=0))),
    "endpoint-interval-255": _answers(configuration=_configuration(_interface(), _endpoint(interval=255))),
    "endpoint-twice": _answers(configuration=_configuration(_interface(endpoints=2), _endpoint(), _endpoint())),
    "endpoints-none": _answers(configuration=_configuration(_interface(endpoints=30))),
    "text-255": _answers(text=b"\xff\x03" + b"\xd8" * 253),
    "text-odd": _answers(text=b"\x05\x03a\0\xd8"),
    "text-none": _answers(text=None),
    "stalls": lambda *_: None,
    "silent": lambda *_: False,
    "silent-later": _answers(other=lambda *_: False),
    "hub-no-ports": _hub(0, b"\0\0\0\0"),
    "hub-255-ports": _hub(255, b"\0\0\0\0"),
    "hub-short-status": _hub(4, b"\1"),
    "hub-descriptor-short": _hub(4, b"\0\0\0\0", b"\x09\x29"),
    "hub-everything-set": _hub(2, b"\xff\xff\xff\xff"),
    "hub-no-reset": _hub(2, b"\x01\x01\x01\x00"),
}


class _Plugger:
    """Plugs one liar after the other, from a thread, while the machine runs."""

    def __init__(self, liars: dict[str, usbredir.Answer], folder: pathlib.Path):
        self._liars = liars
        self._folder = folder
        self._text = ""
        self.error = ""

    def on_text(self, data: bytes) -> None:
        self._text += data.decode("utf-8", "replace")

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        monitor = Monitor(self._folder / "monitor")
        try:
            while "complete in" not in self._text:
                time.sleep(0.1)
            time.sleep(2)
            for name, answer in self._liars.items():
                self._plug(monitor, name, answer)
            monitor.call("device_add", driver="usb-kbd", bus="xhci.0", id="keyboard")
        except (OSError, ToolError) as error:
            self.error = str(error)
            with contextlib.suppress(OSError, ToolError):
                monitor.call("quit")

    def _plug(self, monitor: Monitor, name: str, answer: usbredir.Answer) -> None:
        begin = time.monotonic()
        seen = len(self._text)
        # What a keyboard reports, and reports of other lengths.
        reports = (bytes(8), b"\0\0\4\0\0\0\0\0", b"", b"\xff" * 64, bytes(8))
        device = usbredir.Device(self._folder / name, answer, reports=reports)
        where = {"type": "unix", "data": {"path": str(self._folder / name)}}
        monitor.call("chardev-add", id=name,
                     backend={"type": "socket", "data": {"addr": where, "server": False}})
        monitor.call("device_add", driver="usb-redir", chardev=name, bus="xhci.0", id=name)
        quiet = _SILENCE_SECONDS if name.startswith("silent") else _QUIET_SECONDS
        while time.monotonic() - begin < _LIMIT_SECONDS:
            if device.requests >= 2 and time.monotonic() - device.last > quiet:
                break
            time.sleep(0.05)
        monitor.call("device_del", id=name)
        device.close()
        time.sleep(0.2)
        if device.requests == 0:
            raise ToolError(f"{name}: QEMU asked it nothing")
        said = [line.split("] ", 1)[-1] for line in self._text[seen:].splitlines() if "usb: " in line]
        if device.requests > _MOST_REQUESTS:
            raise ToolError(f"{name}: it is asked {device.requests} times")
        if sum("does not come up" in line for line in said) > _MOST_ATTEMPTS:
            raise ToolError(f"{name}: it is tried again for ever")
        seconds = time.monotonic() - begin
        say(f"{name}: {device.requests} requests, {seconds:.1f} s; {said[0] if said else 'nothing said'}")


def _layers(folder: pathlib.Path) -> tuple[pathlib.Path, ...]:
    tree = newc.Tree()
    tree.file(".cairn/script", _SCRIPT, 0o700)
    archive = folder / "script.cpio"
    with open(archive, "wb") as out:
        newc.write(tree, out)
    plan = guest.Program.plan_on_console(("sh", "/.cairn/script"))
    return root_image(TINY_PROFILE), guest.session_layer(plan, folder, build_first=False), archive


def _complaint(run: Run, plugger: _Plugger) -> str:
    panic = kernel_log.PANIC.search(run.log)
    if panic:
        return f"panic: {panic['message']}"
    if plugger.error:
        return plugger.error
    if "a controller has stopped" in run.log or "it is stopped" in run.log:
        return "the controller was given up"
    if run.outcome is not Outcome.POWERED_OFF or not _SURVIVED.search(run.log):
        return f"{run.outcome.value}; last line: {kernel_log.last_line(run.log)}"
    return ""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests/boot/liars", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", type=int, default=10, metavar="N", help="devices that answer by chance (10)")
    parser.add_argument("--only", default="", metavar="WORD", help="devices with WORD in their name")
    parser.add_argument("--build-dir", type=pathlib.Path, metavar="DIR", help="the kernel's build folder")
    parser.add_argument("--no-build", action="store_true", help="boot what is there")
    options = parser.parse_args(arguments)
    install("run")
    kernel = kernel_image(options.build_dir and options.build_dir.absolute(), build_first=not options.no_build)
    liars = _LIARS | {f"noise-{seed}": _noise(seed) for seed in range(options.random)}
    liars = {name: answer for name, answer in liars.items() if options.only in name}
    with guest.temporary_folder() as folder:
        plugger = _Plugger(liars, folder)
        machine = qemu.Machine(firmware="none", memory_mib=128, kernel_arguments="loglevel=7")
        extra = ("-qmp", f"unix:{folder / 'monitor'},server=on,wait=off", "-device", "qemu-xhci,id=xhci")
        run = qemu.boot(machine, kernel, timeout=120 + len(liars) * _LIMIT_SECONDS, layers=_layers(folder), extra=extra,
                        on_text=plugger.on_text, when_started=plugger.start, show_errors=False)
    (BUILD / "boot-logs").mkdir(parents=True, exist_ok=True)
    (BUILD / "boot-logs" / "usb-liars.log").write_text(run.log, encoding="utf-8")
    problem = _complaint(run, plugger)
    say(f"{len(liars)} devices: {problem or 'all is well'}")
    return 1 if problem else 0


if __name__ == "__main__":
    main_guard(main)
