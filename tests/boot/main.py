"""The boot matrix: boots the kernel on many emulated machines and reads its log.

  tests/boot/matrix                 the part that every commit is tried on
  tests/boot/matrix --pairs         every two values of what a PC can be, each run with a shell at its end
  tests/boot/matrix --full          every combination (more than a thousand runs)
  tests/boot/matrix --row q35-pvh-1cpu-128m
  tests/boot/matrix --only microvm  the rows whose name contains a word
  tests/boot/matrix --list          the names of the rows, without running them

The logs are in build/boot-logs.
"""

import argparse
import concurrent.futures
import pathlib
import sys

from boot import damage, shell
from boot.expectations import complaints
from boot.rows import Row, full_matrix, pairs_matrix, short_matrix
from cairn_tools import bochs, guest, qemu
from cairn_tools.bochs import BochsMachine
from cairn_tools.build import KernelImage, kernel_image
from cairn_tools.emulation import Outcome, Run
from cairn_tools.project import BUILD, ToolError, install, main_guard, say

_LOGS = BUILD / "boot-logs"


def _kernel_arguments(row: Row) -> str:
    words = []
    if row.crash:
        words.append(f"crash={row.crash}")
    if row.stress_seconds:
        words.append(f"stress={row.stress_seconds}")
    return " ".join(words)


def _boot(row: Row, kernel: KernelImage) -> Run:
    machine = row.machine
    if _kernel_arguments(row):
        machine = machine.with_arguments(_kernel_arguments(row))
    if row.shell and isinstance(machine, BochsMachine):
        return bochs.boot(machine, kernel, timeout=row.timeout, iso=shell.iso(row.shell, kernel))
    if isinstance(machine, BochsMachine):
        return bochs.boot(machine, kernel, timeout=row.timeout)
    if row.firmware:
        with guest.temporary_folder() as folder:
            return damage.boot_firmware(row.firmware, machine, kernel, shell.layers(row.shell, folder),
                                        timeout=row.timeout)
    if row.shell:
        return _boot_to_shell(row, kernel)
    if row.damage:
        return damage.boot(row.damage, machine, kernel, timeout=row.timeout)
    # QEMU warns of features that a model has and its translator lacks.
    return qemu.boot(machine, kernel, timeout=row.timeout, show_errors=False)


def _boot_to_shell(row: Row, kernel: KernelImage) -> Run:
    if row.machine.firmware != "none":
        return qemu.boot(row.machine, kernel, timeout=row.timeout, iso=shell.iso(row.shell, kernel), show_errors=False)
    with guest.temporary_folder() as folder:
        return qemu.boot(row.machine, kernel, timeout=row.timeout, layers=shell.layers(row.shell, folder),
                         show_errors=False)


def _try(row: Row, kernel: KernelImage) -> tuple[Run, list[str]]:
    try:
        run = _boot(row, kernel)
    except (ToolError, OSError) as error:  # the emulator or its environment: the other rows go on
        return Run(Outcome.FAILED, "", 0.0), [str(error)]
    _LOGS.mkdir(parents=True, exist_ok=True)
    (_LOGS / f"{row.name}.log").write_text(run.log, encoding="utf-8")
    return run, complaints(row, run)


def _select(options: argparse.Namespace, parser: argparse.ArgumentParser) -> list[Row]:
    if options.full or options.row:
        rows = full_matrix()
    else:
        rows = pairs_matrix() if options.pairs else short_matrix()
    if options.row:
        rows = [row for row in rows if row.name == options.row]
    if options.only:
        rows = [row for row in rows if options.only in row.name]
    if not rows:
        parser.error("no such row; --full --list names all")
    return rows


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests/boot/matrix", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", action="store_true", help="every two values of what a PC can be, with a shell")
    parser.add_argument("--full", action="store_true", help="every combination")
    parser.add_argument("--row", metavar="NAME", help="this row only")
    parser.add_argument("--only", metavar="WORD", help="rows with WORD in their name")
    parser.add_argument("--list", action="store_true", help="print the rows' names and weights")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at a time (1)")
    parser.add_argument("--build-dir", type=pathlib.Path, metavar="DIR", help="the kernel's build folder")
    parser.add_argument("--no-build", action="store_true", help="boot what is there")
    options = parser.parse_args(arguments)
    rows = _select(options, parser)
    if options.list:
        for row in rows:
            print(row.name, row.weight, int(row.timeout))
        return 0

    install("run", "test")
    kernel = kernel_image(options.build_dir and options.build_dir.absolute(), build_first=not options.no_build)
    width = max(len(row.name) for row in rows)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for row, (run, problems) in zip(rows, pool.map(lambda row: _try(row, kernel), rows)):
            print(f"{row.name:{width}}  {run.seconds:6.1f} s  {'ok' if not problems else 'FAILED'}", flush=True)
            for problem in problems:
                print(f"{'':{width}}  {problem}")
            failed += bool(problems)
            if problems and len(rows) == 1:
                sys.stdout.write(run.log)
    say(f"{len(rows) - failed} of {len(rows)} rows passed; the logs are in {_LOGS.relative_to(BUILD.parent)}")
    return 1 if failed else 0


if __name__ == "__main__":
    main_guard(main)
