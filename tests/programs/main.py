"""Runs unmodified Debian programs on Cairn and on Linux, with the same root image, and compares exit status,
standard output and standard error byte for byte.

  tests/programs/run                          all cases
  tests/programs/run --filter 'coreutils\\.'   the cases whose name matches a regular expression
  tests/programs/run --group coreutils        the cases of one file
  tests/programs/run --kernel linux           Debian's Linux in QEMU instead of Cairn: finds cases that are
                                              not steady
  tests/programs/run --oracle host            compare with this machine's Linux: faster, as root only
  tests/programs/run --show NAME              what a case gave on both
  tests/programs/run --list                   the cases' names

What Linux gave is kept in build/programs; a changed case or image makes it anew. The cases are in
tests/programs/cases. Exit status: 0 all agree, 1 some do not.
"""

import argparse
import dataclasses
import difflib
import hashlib
import json
import os
import pathlib
import platform
import re

from cairn_tools import debian, guest, qemu
from cairn_tools.build import KernelFile, kernel_image
from cairn_tools.project import BUILD, ROOT, ToolError, install, main_guard, say
from cairn_tools.root_image import root_image
from programs.batch import Outcome, run_cases, run_on_host
from programs.cases import FILES, Case, all_cases

_FOLDER = BUILD / "programs"
_IMAGE = "full"


class _Memory:
    """Outcomes on Linux, one small file each, named by all that decides about them."""

    def __init__(self, root: pathlib.Path, kernel: KernelFile, machine: qemu.Machine, oracle: str):
        files = b"".join(file.name.encode() + file.read_bytes() for file in sorted(FILES.iterdir()))
        linux = f"{kernel.bootable.name} {machine}" if oracle == "qemu" else platform.release()
        self._common = hashlib.sha256(f"{root.name} {linux}".encode() + files).hexdigest()
        self._folder = _FOLDER / "linux"
        self._folder.mkdir(parents=True, exist_ok=True)

    def _file(self, case: Case) -> pathlib.Path:
        return self._folder / hashlib.sha256((self._common + case.digest).encode()).hexdigest()[:32]

    def find(self, case: Case) -> Outcome | None:
        try:
            status, out, errors = json.loads(self._file(case).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        return Outcome(status, out.encode("latin-1"), errors.encode("latin-1"))

    def keep(self, case: Case, outcome: Outcome) -> None:
        temporary = self._file(case).with_suffix(".new")
        temporary.write_text(json.dumps([outcome.status, outcome.stdout.decode("latin-1"),
                                         outcome.stderr.decode("latin-1")]), encoding="ascii")
        temporary.replace(self._file(case))


def known_differences() -> dict[str, str]:
    """The open list: case and reason."""
    lines = (ROOT / "tests/programs/differences").read_text().splitlines()
    rows = (line.split("|", 1) for line in lines if line.strip() and not line.startswith("#"))
    return {name.strip(): reason.strip() for name, reason in rows}


def _difference(name: str, expected: bytes, got: bytes) -> list[str]:
    if expected == got:
        return []
    lines = [text.decode("utf-8", "backslashreplace").splitlines() for text in (expected, got)]
    return list(difflib.unified_diff(*lines, f"Linux's {name}", f"Cairn's {name}", lineterm="", n=1))[:40]


# A program that starts nowhere agrees with itself.
_NOT_STARTED = re.compile(rb"error while loading shared libraries: lib[\w+-]+\.so\.\d[^\n]*")


def _compare(expected: Outcome, got: Outcome) -> list[str]:
    if match := _NOT_STARTED.search(expected.stdout + expected.stderr):
        return [f"the root image lacks a library: {match[0].decode('utf-8', 'replace')}"]
    lines = [] if expected.status == got.status else [f"status: Linux {expected.status}, Cairn {got.status}"]
    return lines + _difference("standard output", expected.stdout, got.stdout) + \
        _difference("standard error", expected.stderr, got.stderr)


def _console(kernel: str, cases: list[Case]) -> pathlib.Path:
    """Where the consoles' text goes; several groups may run at a time."""
    groups = sorted({case.group for case in cases})
    return _FOLDER / f"{kernel}-{groups[0] if len(groups) == 1 else 'all'}.log"


def _expected(cases: list[Case], memory: _Memory, kernel: KernelFile, machine: qemu.Machine,
              root: pathlib.Path, oracle: str, build_first: bool) -> dict[str, Outcome]:
    known = {case.name: outcome for case in cases if (outcome := memory.find(case))}
    missing = [case for case in cases if case.name not in known]
    if missing:
        say(f"Running {len(missing)} cases on Linux")

        def on_end(case: Case, outcome: Outcome) -> None:
            say(f"  Linux [{len(known) + 1}/{len(cases)}] {case.name}: {outcome.status}")
            known[case.name] = outcome
            if outcome.status.isdigit():
                memory.keep(case, outcome)

        if oracle == "host":
            run_on_host(missing, root, on_end)
            return known
        run_cases(missing, kernel, machine, root, on_end, _console("oracle", missing), build_first=build_first)
    return known


def _print_outcome(name: str, outcome: Outcome) -> None:
    print(f"--- {name}: status {outcome.status}")
    for what, text in (("standard output", outcome.stdout), ("standard error", outcome.stderr)):
        print(f"--- {name}: {what}\n{text.decode('utf-8', 'backslashreplace')}", end="")


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/programs/run", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filter", type=re.compile, metavar="RE", help="only cases whose name matches")
    parser.add_argument("--group", metavar="NAME", help="only the cases of the file cases/NAME.*")
    parser.add_argument("--groups", action="store_true", help="print the groups' names and run none")
    parser.add_argument("--kernel", choices=("cairn", "linux"), default="cairn", help="what is compared with Linux")
    parser.add_argument("--oracle", choices=("qemu", "host"), default="host" if os.geteuid() == 0 else "qemu",
                        help="which Linux: Debian's in QEMU, or this machine's own (the default for root)")
    parser.add_argument("--show", metavar="NAME", help="run one case and print both outcomes")
    parser.add_argument("--list", action="store_true", help="print the cases' names and run none")
    parser.add_argument("--cpus", type=int, default=2, metavar="N", help="of both machines (2)")
    parser.add_argument("--memory", type=int, default=768, metavar="M", help="of both machines, in MiB (768)")
    parser.add_argument("--build-dir", type=pathlib.Path, metavar="DIR", help="the kernel's build folder")
    parser.add_argument("--no-build", action="store_true", help="take the kernel that is there")
    parser.add_argument("--kernel-args", default="", metavar="ARGS", help="more of Cairn's command line")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    cases = all_cases()
    if options.groups:
        print("\n".join(sorted({case.group for case in cases})))
        return 0
    if options.show:
        cases = [case for case in cases if case.name == options.show]
    if options.group:
        cases = [case for case in cases if case.group == options.group]
    if options.filter:
        cases = [case for case in cases if options.filter.search(case.name)]
    if not cases:
        raise ToolError("no case has such a name", status=2)
    if options.list:
        print("\n".join(case.name for case in cases))
        return 0

    install("run")
    root = root_image(_IMAGE)
    linux = KernelFile(debian.linux_kernel())
    machine = qemu.Machine(firmware="none", cpus=options.cpus, memory_mib=options.memory,
                           kernel_arguments=guest.kernel_arguments())
    expected = _expected(cases, _Memory(root, linux, machine, options.oracle), linux, machine, root, options.oracle,
                         not options.no_build)
    if options.kernel == "linux":
        kernel = linux
    else:
        kernel = kernel_image(options.build_dir and options.build_dir.absolute(), build_first=not options.no_build)
        machine = dataclasses.replace(machine, kernel_arguments=guest.kernel_arguments(options.kernel_args))

    known = known_differences()
    failed: list[str] = []
    listed: list[str] = []
    number = 0

    def on_end(case: Case, outcome: Outcome) -> None:
        nonlocal number
        number += 1
        difference = _compare(expected[case.name], outcome)
        print(f"[{number}/{len(cases)}] {'agrees ' if not difference else 'DIFFERS'} {case.name}", flush=True)
        if difference:
            (listed if case.name in known else failed).append(case.name)
            print("\n".join(f"    {line}" for line in difference), flush=True)
        if options.show:
            _print_outcome("Linux", expected[case.name])
            _print_outcome(options.kernel, outcome)

    run_cases(cases, kernel, machine, root, on_end, _console(options.kernel, cases),
              build_first=not options.no_build)
    if failed:
        # An emulator on a busy host can be late for a case that watches a terminal or the time.
        again = [case for case in cases if case.name in failed]
        say(f"Once more: {' '.join(failed)}")
        failed.clear()
        number = 0
        run_cases(again, kernel, machine, root, on_end, _console(options.kernel, again), build_first=False)
    for name in listed:
        print(f"known difference: {name}: {known[name]}")
    print(f"{len(cases) - len(failed) - len(listed)} of {len(cases)} cases agree with Linux"
          + (f"; these do not: {' '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    main_guard(main)
