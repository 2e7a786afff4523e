"""Fork bombs, each in a machine of its own, and what root could do meanwhile. guest/bomb.py is what runs there."""

import dataclasses
import pathlib
import re

from cairn_tools import guest, kernel_log, newc
from cairn_tools.build import KernelFile
from cairn_tools.project import ROOT
from torture.stressors import Row, values_of

# How long a command, or a login with a command, may take while the bomb is at work. They are measured in an
# emulated machine that may have half of one of the host's CPUs.
COMMAND_SECONDS = 30.0
LOGIN_SECONDS = 120.0
# What may stay in use: caches for what only the bomb used.
_LEFT_KIB = 1024
_BOOT_SECONDS = 600.0


@dataclasses.dataclass(frozen=True)
class Bomb:
    """One bomb: whose, with which `ulimit -u` (None: the default), in what machine (MiB)."""

    kind: str
    user: int
    limit: int | None
    memory: int
    cpus: int

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.memory}m-{self.cpus}cpu"


BOMBS = tuple(Bomb(kind, user, limit, memory, cpus)
              for kind, user, limit in (("limited", 1000, 200), ("user", 1000, None), ("root", 0, None))
              for memory in (256, 512) for cpus in (1, 2, 4))


def chosen(words: tuple[str, ...]) -> list[Bomb]:
    """Those whose name contains one of the words; "all" and "none" are what they say."""
    return [bomb for bomb in BOMBS if any(word == "all" or re.search(rf"\b{re.escape(word)}\b", bomb.name)
                                          for word in words)]


def _layer(folder: pathlib.Path) -> pathlib.Path:
    tree = newc.Tree()
    tree.file("torture/bomb.py", ROOT / "tests/torture/guest/bomb.py", 0o644)
    layer = folder / "bomb.cpio"
    with open(layer, "wb") as out:
        newc.write(tree, out)
    return layer


def run(bomb: Bomb, seconds: int, kernel: KernelFile, root: pathlib.Path, log: pathlib.Path, *,
        build_first: bool) -> Row:
    """Boots, explodes, watches. The console's text goes to `log`."""
    limit = "-" if bomb.limit is None else str(bomb.limit)
    with guest.temporary_folder() as folder:
        result = guest.run_program(
            ["/usr/bin/python3", "-u", "/torture/bomb.py", str(bomb.user), limit, str(seconds)], root=root,
            layers=[_layer(folder)], environment=["PYTHONDONTWRITEBYTECODE=1"], cpus=bomb.cpus, memory=bomb.memory,
            kernel=kernel, timeout=seconds + _BOOT_SECONDS, build_first=build_first)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(result.console, encoding="utf-8")
    return row_of(bomb, result)


def row_of(bomb: Bomb, result: guest.Result) -> Row:
    text = result.stdout.decode("utf-8", "replace")
    values = values_of(text)
    lines = result.console.splitlines()
    noted = ("note: ", "commands=", "logins=", "ended=", "rested=")
    notes = [line for line in text.splitlines() if line.startswith(noted)]
    faults = [match["message"] for match in kernel_log.WARNING.finditer(result.console)
              if not match["message"].startswith("WARNING: out of memory: ")]
    if result.status != 0 or result.failure or "processes_after" not in values:
        errors = result.stderr.decode("utf-8", "replace").strip()
        words = guest.last_words(result.console, 1).strip().split("\n")[0]
        faults.append(f"status {result.status} {result.failure} {errors} {words}".strip())
        return Row(bomb.name, "-", None, len(lines), tuple(faults), tuple(notes))
    for what, bound in (("commands", COMMAND_SECONDS), ("logins", LOGIN_SECONDS)):
        done, slowest, failures = values[what].split()
        if done == "0":
            faults.append(f"none of root's {what} succeeded, {failures} failed")
        elif float(slowest) > bound:
            faults.append(f"root's {what} took up to {slowest} s, more than {bound:.0f}")
    if float(values["ended"]) < 0:
        faults.append("the bomb could not be ended")
    before, after = int(values["memory_before"]), int(values["memory_after"])
    if after > before + _LEFT_KIB:
        faults.append(f"memory lost: {after - before} KiB")
    if values["processes_after"] != values["processes_before"]:
        faults.append(f"{values['processes_before']} processes before, {values['processes_after']} after")
    return Row(bomb.name, values["most"], (before, after), len(lines), tuple(faults), tuple(notes))
