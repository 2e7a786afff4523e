"""Types through QEMU's keyboards into programs on the screen's terminals, and looks at what that does.

  tests/boot/typing                 PS/2, USB, USB behind a hub; a little of USB without MSI-X, and without MSI too
  tests/boot/typing --keyboard usb  one of them
  tests/boot/typing --short         a part, for every commit

The guest runs bash on tty1 and agetty (login) on tty2. What is typed has effects that show on the serial line:
programs write there, and the kernel's log is there. The log of a run is in build/boot-logs/typing-*.log.
"""

import argparse
import contextlib
import pathlib
import random
import selectors
import socket
import stat
import subprocess
import tempfile
import time

from boot import hot_plug
from boot.monitor import Monitor
from cairn_tools import newc, qemu
from cairn_tools.build import kernel_image
from cairn_tools.project import BUILD, ToolError, dies_with_parent, end_process, install, main_guard, say
from cairn_tools.root_image import root_image

_INIT = r"""#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=linux HOME=/root LANG=C.UTF-8
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for device in null zero tty console ptmx; do [ -e /dev/$device ] || echo "missing /dev/$device"; done
sed -i 's|^root:[^:]*:|root:PASSWORD:|' /etc/passwd
cat /proc/bus/input/devices > /dev/ttyS0
# The emulator may be slow to let a key go: nothing repeats by that.
(while :; do kbdrate -s -d 1000 -r 10.9 >/dev/null 2>&1 </dev/tty1; sleep 1; done) &
set -m  # without job control what runs in the background ignores ^C
PS1='shell> ' setsid -c bash --norc -i < /dev/tty1 > /dev/tty1 2>&1 &
(while :; do setsid agetty --noissue --nohostname 38400 tty2 linux; sleep 1; done) &
echo READY > /dev/ttyS0
while :; do sleep 1000; done
"""

# "secret", as crypt(3) keeps it.
_PASSWORD = ("$6$cairn$UPlIUkGZHZdnc2TlwAClfWsBsmxAXPYqjsyXcRLcpOrjI69vtkL"
             "HD.Xh6yt9uPXlcfKE6Hg8MD6mLTunRw7wy0")
_LOGIN = """auth required pam_unix.so
account required pam_unix.so
session required pam_unix.so
"""

KEYBOARDS = {
    "ps2": [],
    "usb": ["-device", "qemu-xhci,id=xhci", "-device", "usb-mouse,bus=xhci.0,port=2",
            "-device", "usb-kbd,bus=xhci.0,port=1,id=kbd",
            # SuperSpeed.
            "-blockdev", "null-co,node-name=stick,size=16777216", "-device",
            "usb-storage,bus=xhci.0,port=3,drive=stick"],
    "hub": ["-device", "qemu-xhci,id=xhci", "-device", "usb-hub,bus=xhci.0,port=2,id=hub1",
            "-device", "usb-hub,bus=xhci.0,port=2.1,id=hub2", "-device", "usb-kbd,bus=xhci.0,port=2.1.3,id=kbd"],
    "msi": ["-device", "nec-usb-xhci,id=xhci,msi=on,msix=off", "-device", "usb-kbd,bus=xhci.0,port=1,id=kbd"],
    "line": ["-device", "nec-usb-xhci,id=xhci,msi=off,msix=off", "-device", "usb-kbd,bus=xhci.0,port=1,id=kbd"],
}
_PORTS = {"usb": "1", "hub": "2.1.3", "msi": "1", "line": "1"}
# How lspci says that the controller interrupts, by the keyboard.
_INTERRUPTS = {"usb": "[DisINTx+ MSI-X: Enable+]", "hub": "[DisINTx+ MSI-X: Enable+]", "msi": "[DisINTx+ MSI: Enable+]",
               "line": "[DisINTx-]"}


class Guest:
    """A machine with a screen, a serial line and a monitor."""

    def __init__(self, keyboard: str, folder: pathlib.Path, kernel, cpus: int):
        tree = newc.Tree()
        tree.file("init", _INIT.replace("PASSWORD", _PASSWORD).encode(), 0o755)
        tree.file("usr/bin/watch-usb", hot_plug.WATCH.encode(), 0o755)
        # What Debian's pam-auth-update would have made of login's file.
        tree.file("etc/pam.d/login", _LOGIN.encode(), 0o644)
        tree.add("dev/console", newc.Node(stat.S_IFCHR | 0o600, device=(5, 1)))
        layer = folder / "init.cpio"
        with open(layer, "wb") as out:
            newc.write(tree, out)
        machine = qemu.Machine(firmware="none", memory_mib=512, cpus=cpus,
                               kernel_arguments="console=tty0 console=ttyS0 loglevel=7")
        command = qemu.command_line(machine, kernel, folder, layers=(root_image("pc"), layer))
        self._serial, theirs = socket.socketpair()
        monitor = folder / "monitor"
        command += ["-chardev", f"socket,id=serial,fd={theirs.fileno()}", "-serial", "chardev:serial",
                    "-qmp", f"unix:{monitor},server=on,wait=off", *KEYBOARDS[keyboard]]
        self._process = subprocess.Popen(dies_with_parent(command), pass_fds=(theirs.fileno(),),
                                         stdin=subprocess.DEVNULL)
        theirs.close()
        self.text = ""
        self._seen = 0
        self.cycles = 0
        self._folder = folder
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._serial, selectors.EVENT_READ)
        self.monitor = Monitor(monitor)

    def read(self, seconds: float) -> None:
        if self._selector.select(seconds):
            data = self._serial.recv(65536)
            if not data:
                raise ToolError("the machine has gone")
            self.text += data.decode("utf-8", "replace").replace("\r", "")

    def send(self, data: bytes) -> None:
        """To the serial line."""
        self._serial.sendall(data)

    def wait_for(self, text: str, seconds: float = 20.0) -> None:
        """Until the text comes behind what was waited for before."""
        deadline = time.monotonic() + seconds
        while (found := self.text.find(text, self._seen)) < 0:
            if time.monotonic() > deadline:
                raise ToolError(f"'{text}' did not come; the last lines:\n{self.text[-1500:]}")
            self.read(0.2)
        self._seen = found + len(text)

    def last_line(self, begin: str) -> str:
        """The last one of those that begin so."""
        return [line for line in self.text.splitlines() if line.startswith(begin)][-1]

    def settle(self, seconds: float = 1.0) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.read(left)

    def screen(self, name: str) -> bytes:
        """The screen once it does not change any more."""
        last = b""
        for _ in range(40):
            self.settle(0.3)
            now = self.monitor.screen(self._folder / f"{name}.ppm")
            if now == last:
                break
            last = now
        return last

    def close(self) -> None:
        end_process(self._process)
        self.monitor.close()
        self._selector.close()
        self._serial.close()


def _say_on_serial(guest: Guest, command: str, expected: str) -> None:
    guest.monitor.type(f"{command} >/dev/ttyS0\n")
    guest.wait_for(expected)


def bash(guest: Guest, _: str) -> None:
    """A command with characters that need Shift."""
    _say_on_serial(guest, 'echo "Sum: $((6*7))_{a,B}|~"', "Sum: 42_{a,B}|~")


def interrupt(guest: Guest, _: str) -> None:
    """^C ends a program."""
    guest.monitor.type("sleep 1000\n")
    guest.settle(2)
    guest.monitor.press("ctrl", "c")
    _say_on_serial(guest, "echo status $?", "status 130")


def vim(guest: Guest, _: str) -> None:
    """Text, cursor keys, and a colon command."""
    guest.monitor.type("vi /tmp/file\n")
    guest.settle(4)
    guest.monitor.type("iHello wrld\x1b")
    guest.settle(1)
    for key in ("home", "right", "left", "end", "left", "left"):
        guest.monitor.press(key)
    guest.monitor.type("io\x1b")
    guest.settle(1)
    guest.monitor.type(":wq\n")
    guest.settle(2)
    _say_on_serial(guest, "cat /tmp/file", "Hello world")


def login(guest: Guest, _: str) -> None:
    """Alt-F2 and a login there; Alt-F1 is the shell as it was."""
    guest.monitor.press("alt", "f2")
    guest.settle(2)
    guest.monitor.type("root\n")
    guest.settle(3)
    guest.monitor.type("secret\n")
    guest.settle(4)
    _say_on_serial(guest, "echo on $(tty) as $(id -un)", "on /dev/tty2 as root")
    guest.monitor.press("alt", "f1")
    guest.settle(1)
    _say_on_serial(guest, "echo on $(tty)", "on /dev/tty1")


def scroll_back(guest: Guest, _: str) -> None:
    """Shift-PgUp shows what has left the screen, Shift-PgDn comes back."""
    guest.monitor.type("clear; seq 300\n")
    bottom = guest.screen("bottom")
    guest.monitor.press("shift", "pgup")
    above = guest.screen("above")
    guest.monitor.press("shift", "pgdn")
    again = guest.screen("again")
    if above == bottom:
        raise ToolError("Shift-PgUp changes nothing")
    if again != bottom:
        raise ToolError("Shift-PgDn does not come back")


def magic(guest: Guest, _: str) -> None:
    """Alt-SysRq-h prints help; the letter does not reach the shell. Without a right nothing happens."""
    guest.monitor.press("alt", "sysrq", "h")
    guest.wait_for("SysRq: help: loglevel(0-9)")
    _say_on_serial(guest, "echo fine", "fine")
    guest.monitor.type("echo 0 >/proc/sys/kernel/sysrq\n")
    guest.settle(1)
    guest.monitor.press("alt", "sysrq", "s")
    guest.wait_for("SysRq: this operation is disabled")
    guest.monitor.type("echo 1 >/proc/sys/kernel/sysrq; echo m >/proc/sysrq-trigger\n")
    guest.wait_for("SysRq: memory")


def serial_break(guest: Guest, _: str) -> None:
    """A break on the serial console and a letter is a command, too."""
    guest.monitor.type("exec 9</dev/ttyS0\n")
    guest.settle(1)
    guest.monitor.call("chardev-send-break", id="serial")
    guest.settle(0.5)
    guest.send(b"h")
    guest.wait_for("SysRq: help")


def lights(guest: Guest, _: str) -> None:
    """Caps Lock changes letters; setleds sees it."""
    guest.monitor.press("caps_lock")
    guest.monitor.type("x=abc")
    guest.monitor.press("caps_lock")
    guest.monitor.type("\n")
    _say_on_serial(guest, 'echo "[$X]"', "[ABC]")
    guest.monitor.press("num_lock")
    _say_on_serial(guest, "setleds -F", "NumLock on")
    guest.monitor.press("num_lock")
    _say_on_serial(guest, "setleds -F", "NumLock off")


def keymap(guest: Guest, _: str) -> None:
    """loadkeys changes the layout: on a German one Y and Z change places, as other keys do."""
    guest.monitor.type("loadkeys -q de; echo loaded $? >/dev/ttyS0\n")
    guest.wait_for("loaded 0")
    guest.settle(1)
    # "echo yz >/dev/ttyS0" by the places of an American keyboard.
    for keys in (*"echo", "spc", "y", "z", "spc", ("shift", "less"), ("shift", "7"), *"dev", ("shift", "7"), *"ttz",
                 ("shift", "s"), "0", "ret"):
        guest.monitor.press(*(keys if isinstance(keys, tuple) else (keys,)))
    guest.wait_for("zy")
    for key in (*"loadkezs", "spc", "slash", "q", "spc", *"us", "ret"):
        guest.monitor.press(key)
    guest.settle(3)
    _say_on_serial(guest, "dumpkeys | grep 'keycode *21 ='", "keycode  21 = y")
    _say_on_serial(guest, "kbd_mode", "Unicode")
    _say_on_serial(guest, "loadkeys -q fr; dumpkeys | grep 'keycode *16 ='", "keycode  16 = a")
    guest.settle(1)
    # On a French one "loadkeys us" is typed with the places of other letters.
    for key in (*"loqdkeys", "spc", *"us", "ret"):
        guest.monitor.press(key)
    guest.settle(3)
    _say_on_serial(guest, "echo qwerty", "qwerty")


def showkey(guest: Guest, _: str) -> None:
    """Codes of keys, from a terminal in K_MEDIUMRAW; afterwards it is as before."""
    guest.monitor.type("showkey -k >/dev/ttyS0\n")
    guest.wait_for("press any key")
    guest.monitor.press("a")
    guest.wait_for("keycode  30 press")
    guest.wait_for("keycode  30 release")
    guest.settle(11)
    _say_on_serial(guest, "echo cooked", "cooked")


def mouse(guest: Guest, _: str) -> None:
    """A movement as /dev/input/mice gives it, and a button as evdev does."""
    guest.monitor.type("od -An -tx1 -N3 /dev/input/mice >/dev/ttyS0\n")
    guest.settle(1)
    guest.monitor.call("input-send-event", events=[{"type": "rel", "data": {"axis": "x", "value": 5}},
                                                   {"type": "rel", "data": {"axis": "y", "value": 3}}])
    guest.wait_for("28 05 fd")


def cycles(guest: Guest, keyboard: str) -> None:
    """The keyboard and its hub come and go many times."""
    hot_plug.cycles(guest, _PORTS[keyboard], guest.cycles)


def storm(guest: Guest, keyboard: str) -> None:
    """The keyboard comes and goes at any moment; in the end it types."""
    chance = random.Random(keyboard)
    for _ in range(15):
        guest.monitor.call("device_del", id="kbd")
        guest.settle(chance.random() * 0.4)
        hot_plug.plug(guest, "kbd", _PORTS[keyboard])
        guest.settle(chance.random() * 0.8)
    guest.settle(8)
    guest.monitor.type("\n")
    _say_on_serial(guest, "echo calm $((6*7))", "calm 42")


def hardware(guest: Guest, _: str) -> None:
    """What lsusb shows."""
    _say_on_serial(guest, "lsusb", "ID 1d6b:0002")
    _say_on_serial(guest, "lsusb -t", "Driver=usbhid")
    _say_on_serial(guest, "echo $(lsusb -t 2>&1 | grep -c lanes) complaints", "0 complaints")
    _say_on_serial(guest, "lsusb -v 2>/dev/null", "bInterfaceProtocol      1")


def interrupts(guest: Guest, keyboard: str) -> None:
    """By which means the controller interrupts. That something is typed shows that it does."""
    flags = "lspci -vvd ::0c03 2>&- | grep -oE 'MSI(-X)?: Enable.|DisINTx.'"
    _say_on_serial(guest, f'echo "["$({flags})"]"', _INTERRUPTS[keyboard])


def super_speed(guest: Guest, keyboard: str) -> None:
    """A stick of USB 3 is there with its speed, though nothing drives it."""
    if keyboard == "usb":
        _say_on_serial(guest, "lsusb", "ID 46f4:0001")
        _say_on_serial(guest, "lsusb -t", "5000M")
        _say_on_serial(guest, "lsusb -t | grep Storage", "5000M")


def replug(guest: Guest, keyboard: str) -> None:
    """The keyboard is pulled out in the middle of a word with a key down, and plugged in again."""
    guest.monitor.type("echo be")
    guest.monitor.call("device_del", id="kbd")
    guest.wait_for("is gone")
    guest.settle(2)
    guest.monitor.call("device_add", driver="usb-kbd", bus="xhci.0", port=_PORTS[keyboard], id="kbd")
    guest.wait_for("input: ")
    guest.settle(2)
    guest.monitor.type("fore\n")
    _say_on_serial(guest, "echo !!:1", "before")


CHECKS = {"bash": bash, "interrupt": interrupt, "vim": vim, "login": login, "scroll-back": scroll_back,
          "magic": magic, "serial-break": serial_break, "lights": lights, "replug": replug, "keymap": keymap,
          "showkey": showkey, "hardware": hardware, "interrupts": interrupts, "super-speed": super_speed,
          "mouse": mouse, "storm": storm, "cycles": cycles}
_NEED_USB = ("replug", "hardware", "interrupts", "super-speed", "storm", "cycles")
SHORT = ("bash", "interrupt", "magic", "interrupts", "replug")
# Of the machines whose controller interrupts in another way.
_BRIEF = {keyboard: ("bash", "interrupts", "replug") for keyboard in ("msi", "line")}


def _run(keyboard: str, names: tuple[str, ...], kernel, cpus: int, cycle_count: int) -> int:
    failures = 0
    with tempfile.TemporaryDirectory(prefix="cairn-typing-") as name:
        guest = Guest(keyboard, pathlib.Path(name), kernel, cpus)
        guest.cycles = cycle_count
        try:
            guest.wait_for("READY", 180)
            guest.settle(3)
            for check in names:
                if check not in _BRIEF.get(keyboard, CHECKS):
                    continue
                if check in _NEED_USB and keyboard not in _PORTS:
                    continue
                begin = time.monotonic()
                try:
                    CHECKS[check](guest, keyboard)
                    say(f"{keyboard}: {check}: ok ({time.monotonic() - begin:.0f} s)")
                except ToolError as error:
                    failures += 1
                    say(f"{keyboard}: {check}: FAILED: {error}")
                    with contextlib.suppress(ToolError, OSError):
                        guest.monitor.screen(BUILD / "boot-logs" / f"typing-{keyboard}-{check}.ppm")
                        guest.monitor.press("alt", "f1")
                        guest.monitor.press("ctrl", "c")
                        guest.settle(1)
        except ToolError as error:
            failures += 1
            say(f"{keyboard}: FAILED: {error}")
        finally:
            guest.close()
            (BUILD / "boot-logs").mkdir(parents=True, exist_ok=True)
            (BUILD / "boot-logs" / f"typing-{keyboard}.log").write_text(guest.text, encoding="utf-8")
    return failures


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests/boot/typing", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keyboard", choices=KEYBOARDS, help="this one only")
    parser.add_argument("--short", action="store_true", help="a part of the checks")
    parser.add_argument("--check", choices=CHECKS, action="append", help="this check only; may be repeated")
    parser.add_argument("--cycles", type=int, default=10, metavar="N", help="how often it is pulled out by cycles (10)")
    parser.add_argument("--cpus", type=int, default=2, metavar="N", help="number of CPUs (2)")
    parser.add_argument("--build-dir", type=pathlib.Path, metavar="DIR", help="the kernel's build folder")
    parser.add_argument("--no-build", action="store_true", help="boot what is there")
    options = parser.parse_args(arguments)
    install("run")
    (BUILD / "boot-logs").mkdir(parents=True, exist_ok=True)
    kernel = kernel_image(options.build_dir and options.build_dir.absolute(), build_first=not options.no_build)
    names = tuple(options.check or (SHORT if options.short else CHECKS))
    keyboards = [options.keyboard] if options.keyboard else KEYBOARDS
    failures = sum(_run(keyboard, names, kernel, options.cpus, options.cycles) for keyboard in keyboards)
    say("all is well" if failures == 0 else f"{failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    main_guard(main)
