"""Runs cases in a guest, many in one boot, and survives a kernel that does not: the case that was running
gets the blame, and the rest goes on with the next boot."""

import dataclasses
import os
import pathlib
import subprocess
import time
from typing import Callable

from cairn_tools import guest, newc, qemu
from cairn_tools.build import KernelFile, user_program
from cairn_tools.project import ToolError, end_process
from programs.cases import FILES, Case

# How long beyond a case's own limit, which the guest watches, until the guest counts as stuck.
_GRACE_SECONDS = 90.0
_BOOT_SECONDS = 180.0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a case did. `status` is a number, "timeout", or says how the kernel failed."""

    status: str
    stdout: bytes = b""
    stderr: bytes = b""


class _Frames:
    """Takes the driver's output apart; user/cases/main.cpp describes it."""

    def __init__(self, on_end: Callable[[str, Outcome], None]):
        self._on_end = on_end
        self._data = b""
        self._pending: tuple[str, str, int, int] | None = None
        self.running = ""
        self.done = False
        self.last_at = time.monotonic()

    def feed(self, data: bytes) -> None:
        self.last_at = time.monotonic()
        self._data += data
        while self._step():
            pass

    def _step(self) -> bool:
        if self._pending:
            name, status, out, errors = self._pending
            if len(self._data) < out + errors:
                return False
            body, self._data = self._data[: out + errors], self._data[out + errors :]
            self._pending, self.running = None, ""
            self._on_end(name, Outcome(status, body[:out], body[out:]))
            return True
        line, newline, rest = self._data.partition(b"\n")
        if not newline:
            return False
        self._data = rest
        match line.decode("utf-8", "replace").split():
            case ["begin", name]:
                self.running = name
            case ["end", name, status, out, errors]:
                self._pending = (name, status, int(out), int(errors))
            case ["done"]:
                self.done = True
        return True


def _layer(cases: list[Case], folder: pathlib.Path, build_first: bool) -> pathlib.Path:
    tree = newc.Tree()
    tree.file("cases/driver", user_program("cairn_cases", build_first=build_first), 0o755)
    for case in cases:
        tree.file(f"cases/{case.name}", case.script)
    tree.file("cases/list", "".join(f"{case.name} {case.seconds} {case.shell}\n" for case in cases))
    for file in sorted(FILES.iterdir()):
        tree.file(f"cases/files/{file.name}", file, 0o755 if file.suffix in (".sh", ".py") else 0o644)
    layer = folder / "cases.cpio"
    with open(layer, "wb") as out:
        newc.write(tree, out)
    return layer


_ENVIRONMENT = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8",
                "TZ=UTC", "TERM=vt100", "FILES=/cases/files")


# The same mounts and names as init makes, in namespaces of their own.
_HOST_SCRIPT = """\
set -e
renice -n 0 -p $$ >/dev/null
mount --make-rprivate /
cd "$1"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 dev dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 devpts dev/pts
for node in null:3 zero:5 full:7 random:8 urandom:9 kmsg:11; do mknod -m 666 "dev/${node%:*}" c 1 "${node#*:}"; done
mknod -m 666 dev/tty c 5 0
mknod -m 600 dev/console c 5 1
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
hostname cairn
shift
exec chroot . env -i "$@" /cases/driver /cases/list
"""


def run_on_host(cases: list[Case], root: pathlib.Path, on_end: Callable[[Case, Outcome], None]) -> None:
    """Runs each case on this machine's own Linux, in the unpacked root. As root, since the root's files have
    owners, and cases mount and make devices; in namespaces, so that nothing of it is seen outside."""
    if os.geteuid() != 0:
        raise ToolError("--oracle host needs root: cases mount, and make devices", status=2)
    by_name = {case.name: case for case in cases}
    frames = _Frames(lambda name, outcome: on_end(by_name[name], outcome))
    with guest.temporary_folder() as folder:
        tree = newc.load(root)
        tree.nodes.update(newc.load(_layer(cases, folder, True)).nodes)
        place = folder / "root"
        place.mkdir()
        newc.unpack(tree, place)
        command = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "sh", "-c", _HOST_SCRIPT,
                   "sh", str(place), *_ENVIRONMENT]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
        try:
            while data := os.read(process.stdout.fileno(), 65536):
                frames.feed(data)
            process.wait()
        finally:
            end_process(process)
            process.stdout.close()
    if not frames.done:
        raise ToolError(f"the cases on this machine ended early, in {frames.running or 'none'}")


def run_cases(cases: list[Case], kernel: KernelFile, machine: qemu.Machine, root: pathlib.Path,
              on_end: Callable[[Case, Outcome], None], log: pathlib.Path, *, build_first: bool = True) -> None:
    """Runs each case and hands its outcome to `on_end`. `log` gets the consoles' text."""
    by_name = {case.name: case for case in cases}
    left = list(cases)
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as console:
        while left:
            ended: set[str] = set()

            def take(name: str, outcome: Outcome) -> None:
                ended.add(name)
                on_end(by_name[name], outcome)

            frames = _Frames(take)
            failure = _boot(left, kernel, machine, root, frames, by_name, console, build_first)
            left = [case for case in left if case.name not in ended]
            if not left:
                return
            # Without a case to blame, another boot would fail the same way.
            blamed = [case for case in left if case.name == frames.running] or left
            for case in blamed:
                on_end(case, Outcome(failure))
            left = [case for case in left if case not in blamed]


def _boot(cases, kernel, machine, root, frames, by_name, console, build_first) -> str:
    """One guest. Returns how it failed, if it did not run all cases."""

    def is_stuck() -> bool:
        limit = by_name[frames.running].seconds + _GRACE_SECONDS if frames.running else _BOOT_SECONDS
        return time.monotonic() - frames.last_at > limit

    def on_console(data: bytes) -> None:
        console.write(data)
        console.flush()

    errors = bytearray()
    with guest.temporary_folder() as folder:
        result = guest.run_session(
            guest.Program(("/cases/driver", "/cases/list"), _ENVIRONMENT, cwd="/"), machine, kernel,
            [root, _layer(cases, folder, build_first)],
            sinks={"stdout": frames.feed, "stderr": errors.extend, "console": on_console},
            is_stuck=is_stuck, build_first=build_first)
    if result.status == guest.STATUS_TIMEOUT:
        return "the guest hangs"
    if result.failure:
        words = guest.last_words(result.console, 1).strip().split("\n")[0]
        return f"{result.failure}: {words}"
    return f"the driver ended with status {result.status}: {errors.decode('utf-8', 'replace').strip()}"
