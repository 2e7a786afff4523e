"""Whether lspci, lscpu, dmidecode, hwclock and lsblk, unmodified, show the machine that QEMU was told to be; whether
damaged tables of the firmware are survived; whether the power button switches off.

  tests/hardware/run                all cases
  tests/hardware/run lscpu damaged  the cases whose name contains a word
  tests/hardware/run --list         their names
  tests/hardware/run --kernel FILE  another kernel in the same machines, e.g. a Linux, for comparison
"""

import argparse
import contextlib
import pathlib
import re
import socket
import tempfile
import threading
import time

from cairn_tools import guest, qemu
from cairn_tools.build import KernelFile, kernel_image
from cairn_tools.project import install, main_guard, say
from hardware.cases import CASES, Case

_SECONDS = 180.0


def _faults(expected: tuple[str, ...], text: str, what: str) -> list[str]:
    lines = text.replace("\r", "").split("\n")
    faults = []
    for pattern in expected:
        wanted = not pattern.startswith("!")
        found = any(re.fullmatch(pattern.removeprefix("!"), line) for line in lines)
        if found != wanted:
            faults.append(f"{what}: {'no line' if wanted else 'a line'} matches {pattern}")
    return faults


def _press(path: pathlib.Path, pressed: threading.Event) -> None:
    """The power button, by QEMU's monitor."""
    pressed.wait(_SECONDS)
    time.sleep(1)
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as monitor:
        monitor.settimeout(10)
        monitor.connect(str(path))
        monitor.sendall(b'{"execute": "qmp_capabilities"}\n{"execute": "system_powerdown"}\n')
        while monitor.recv(4096):
            pass


def _run(case: Case, kernel, build_first: bool) -> list[str]:
    output, console = bytearray(), bytearray()
    pressed = threading.Event()

    def take(data: bytes) -> None:
        output.extend(data)
        if b"READY" in output:
            pressed.set()

    with guest.temporary_folder() as folder, tempfile.TemporaryDirectory(prefix="cairn-hw-") as name:
        place = pathlib.Path(name)
        if case.files:
            case.files(place)
        options = case.qemu.format(folder=place).split()
        if case.button:
            options += ["-qmp", f"unix:{place}/monitor,server=on,wait=off"]
            threading.Thread(target=_press, args=(place / "monitor", pressed), daemon=True).start()
        machine = qemu.Machine(machine=case.machine, firmware=case.firmware, cpu=case.cpu, cpus=case.cpus,
                               memory_mib=512, kernel_arguments=guest.kernel_arguments("loglevel=7"))
        begin = time.monotonic()
        result = guest.run_session(guest.Program(("sh", "-c", case.script), errors_apart=False), machine, kernel,
                                   [guest.root_layer("full", folder)],
                                   sinks={"stdout": take, "stderr": take, "console": console.extend},
                                   timeout=_SECONDS, qemu_options=tuple(options), build_first=build_first,
                                   show_errors=False)
    text = output.decode(errors="replace")
    faults = _faults(case.expected, text, "output") + _faults(case.log, result.console, "log")
    if result.failure and not (case.button and time.monotonic() - begin < _SECONDS):
        faults.append(f"the run failed: {result.failure}")
    if "panic" in result.console.lower().replace("panic=", ""):
        faults.append("the kernel panicked")
    if faults:
        faults.append(text + guest.last_words(result.console))
    return faults


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests/hardware/run", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD", help="only cases whose name contains one")
    parser.add_argument("--list", action="store_true", help="show the names")
    parser.add_argument("--kernel", type=pathlib.Path, help="boot this one")
    parser.add_argument("--no-build", action="store_true", help="boot what is there")
    options = parser.parse_args(arguments)
    cases = [case for case in CASES if not options.words or any(word in case.name for word in options.words)]
    if options.list:
        print("\n".join(case.name for case in cases))
        return 0
    install("run")
    kernel = KernelFile(options.kernel) if options.kernel else kernel_image(build_first=not options.no_build)
    failed = 0
    for case in cases:
        begin = time.monotonic()
        faults = _run(case, kernel, not options.no_build)
        failed += bool(faults)
        print(f"{case.name:<24} {'FAILED' if faults else 'passed':<8} {time.monotonic() - begin:6.1f} s", flush=True)
        for fault in faults:
            print("    " + fault.replace("\n", "\n    "), flush=True)
    say(f"{len(cases) - failed} of {len(cases)} passed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    main_guard(main)
