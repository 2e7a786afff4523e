"""Puts Cairn under load with Debian's unmodified stress-ng, and with fork bombs, and prints what came of it.

  tests/torture/run                             all stressors for a minute each, then the fork bombs
  tests/torture/run --seconds 5                 a shorter look
  tests/torture/run --stressors fork,exec,shm   these only (any that stress-ng has)
  tests/torture/run --bombs user,root           these fork bombs only; --bombs all: every bomb
  tests/torture/run --bombs none                all stressors and no bomb
  tests/torture/run --smoke                     a selection for a few seconds: what ctest runs
  tests/torture/run --kernel linux              Debian's Linux in QEMU in Cairn's place: what is wrong there
                                                is not Cairn's fault

A stressor fails when stress-ng says failure or warning, when the kernel's log does, when processes are left, or
when memory is lost. One that takes the kernel down costs only itself; the rest goes on in another boot.
Exit status: 0 all is well, 1 something failed. The consoles' text goes to build/torture.
"""

import argparse
from typing import Callable

from cairn_tools import debian, guest, qemu
from cairn_tools.build import KernelFile, kernel_image
from cairn_tools.project import BUILD, ToolError, install, main_guard
from cairn_tools.root_image import root_image
from programs.batch import run_cases
from torture import bombs
from torture.stressors import SMOKE, STRESSORS, Row, case_of, row_of

_LOGS = BUILD / "torture"
_SMOKE_SECONDS = 1
_SMOKE_BOMBS = ("limited-256m-2cpu",)
_BOMB_SECONDS = 30


def _number(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/torture/run", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=_number, metavar="N", help="of each stressor (60)")
    parser.add_argument("--stressors", type=_names, metavar="A,B", help=f"which ({','.join(STRESSORS)})")
    parser.add_argument("--bombs", type=_names, metavar="A,B", help="which: all, none, a name or a part of names, as"
                        f" user, 256m, 4cpu ({', '.join(bomb.name for bomb in bombs.BOMBS)})")
    parser.add_argument("--smoke", action="store_true", help="a selection, briefly")
    parser.add_argument("--cpus", type=_number, default=4, metavar="N",
                        help="of the machine, and stressors at a time (4)")
    parser.add_argument("--memory", type=_number, default=1024, metavar="M", help="of the machine, in MiB (1024)")
    parser.add_argument("--kernel", choices=("cairn", "linux"), default="cairn", help="what is put under load")
    parser.add_argument("--no-build", action="store_true", help="take the kernel that is there")
    parser.add_argument("--kernel-args", default="", metavar="ARGS", help="more of Cairn's command line")
    parser.add_argument("--verbose", action="store_true", help="print the notes, too: what stress-ng left out, the log")
    return parser.parse_args(arguments)


def _print_head(what: str, figure: str) -> None:
    print(f"{what:<17} {figure:>10}  {'result':<8} {'before':>9} {'after':>9}  {'log':>4}", flush=True)


def _print_row(row: Row, verbose: bool) -> None:
    before, after = (f"{row.memory[0]} K", f"{row.memory[1]} K") if row.memory else ("-", "-")
    print(f"{row.name:<17} {row.figure:>10}  {row.result:<8} {before:>9} {after:>9}  {row.log_lines:>4}", flush=True)
    for line in row.faults:
        print(f"    {line}", flush=True)
    for line in row.notes if verbose else ():
        print(f"    ({line})", flush=True)


def _run_stressors(names: tuple[str, ...], seconds: int, options: argparse.Namespace, kernel: KernelFile,
                   on_row: Callable[[Row], None]) -> None:
    machine = qemu.Machine(firmware="none", cpus=options.cpus, memory_mib=options.memory,
                           kernel_arguments=guest.kernel_arguments(options.kernel_args))
    cases = [case_of(name, options.cpus, seconds) for name in names]
    run_cases(cases, kernel, machine, root_image("torture"),
              lambda case, outcome: on_row(row_of(case.name.removeprefix("torture."), outcome)),
              _LOGS / f"{options.kernel}.log", build_first=not options.no_build)


def _run_bombs(chosen: list[bombs.Bomb], seconds: int, options: argparse.Namespace, kernel: KernelFile,
               on_row: Callable[[Row], None]) -> None:
    for bomb in chosen:
        on_row(bombs.run(bomb, seconds, kernel, root_image("shell"), _LOGS / f"{options.kernel}-{bomb.name}.log",
                         build_first=not options.no_build))


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    everything = options.stressors is None and options.bombs is None and not options.smoke
    only_no_bombs = options.stressors is None and options.bombs == ("none",)
    stressors = options.stressors or (SMOKE if options.smoke else STRESSORS if everything or only_no_bombs else ())
    chosen = bombs.chosen(options.bombs or (_SMOKE_BOMBS if options.smoke else ("all",) if everything else ()))
    if not stressors and not chosen:
        raise ToolError("no stressor and no bomb is chosen", status=2)
    seconds = options.seconds or (_SMOKE_SECONDS if options.smoke else 60)
    install("run")
    kernel = KernelFile(debian.linux_kernel()) if options.kernel == "linux" else \
        kernel_image(build_first=not options.no_build)
    failed: list[str] = []
    count = 0

    def on_row(row: Row) -> None:
        nonlocal count
        count += 1
        _print_row(row, options.verbose)
        if row.faults:
            failed.append(row.name)

    if stressors:
        _print_head("stressor", "bogo ops")
        _run_stressors(stressors, seconds, options, kernel, on_row)
    if chosen:
        _print_head("fork bomb", "processes")
        _run_bombs(chosen, min(seconds, _BOMB_SECONDS), options, kernel, on_row)
    print(f"{count - len(failed)} of {count} are well" + (f"; these are not: {' '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    main_guard(main)
