"""Installs what is missing, builds everything with both compilers, and runs all tests.

  tools/test                 everything; what CI runs
  tools/test unit sim        the tests with these labels: unit, sim, lint, boot, hardware, cost, fuzz, tools,
                             programs, torture, abi
  tools/test -R q35-uefi     the tests whose name matches a regular expression
  tools/test --list          the tests' names

The last lines are ctest's summary. Details of every test are in
build/host/Testing/Temporary/LastTest.log, the guests' logs in build/boot-logs.

Emulators share the host's processors, and tests of what happens when wait for it only so long. So a few tests that
fail are run once more, alone, and that is said; one that is wrong fails again.
"""

import argparse
import os
import subprocess

from cairn_tools.build import VARIANTS, build
from cairn_tools.project import end_process, install, main_guard, say

LABELS = ("unit", "sim", "lint", "boot", "hardware", "cost", "fuzz", "tools", "programs", "torture", "abi")
# Folders that must be up to date before the tests of a label run. The host tests are always built,
# because ctest's list of tests comes from there.
_NEEDS = {
    "unit": ("host-clang",),
    "sim": ("host-clang",),
    "boot": ("kernel", "kernel-clang", "kernel-release"),
    "hardware": ("kernel",),
    "abi": ("kernel", "abi"),
    "cost": ("kernel", "kernel-release"),
    "programs": ("kernel",),
    "torture": ("kernel",),
}
_WHOLE_SECONDS = 3600
# More than this many that fail are no accident.
_ACCIDENTS = 4


def _build(labels: list[str], everything: bool) -> None:
    needed = {"host"}
    for label in labels or (LABELS if everything else ()):
        needed.update(_NEEDS.get(label, ()))
    for variant in VARIANTS.values():
        if variant.name in needed:
            build(variant)


def _run(command: list[str]) -> int:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        return process.wait(timeout=_WHOLE_SECONDS)
    finally:
        end_process(process)


def _failed() -> list[str]:
    """The names of the tests that failed in the last run."""
    log = VARIANTS["host"].folder / "Testing/Temporary/LastTestsFailed.log"
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [line.split(":", 1)[1] for line in lines if ":" in line]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/test", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", nargs="*", metavar="LABEL", help=f"of {', '.join(LABELS)}")
    parser.add_argument("-R", "--regex", metavar="REGEX", help="tests whose name matches")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 2, metavar="N", help="tests at a time")
    parser.add_argument("--list", action="store_true", help="print the names of the tests and run none")
    options = parser.parse_args(arguments)
    for label in options.labels:
        if label not in LABELS:
            parser.error(f"there is no label '{label}'; there are {', '.join(LABELS)}")

    install("run", "test")
    _build(options.labels, everything=not options.regex)
    command = ["ctest", "--test-dir", str(VARIANTS["host"].folder), "--output-on-failure", "-j", str(options.jobs)]
    if options.labels:
        command += ["-L", f"^({'|'.join(options.labels)})$"]
    if options.regex:
        command += ["-R", options.regex]
    if options.list:
        command += ["-N"]
    say("Testing")
    status = _run(command)
    failed = _failed() if status != 0 and not options.list else []
    if not 0 < len(failed) <= _ACCIDENTS:
        return status
    say(f"Failed beside others, and once more alone: {', '.join(failed)}")
    return _run([*command[:3], "--output-on-failure", "-j", "1", "--rerun-failed"])


if __name__ == "__main__":
    main_guard(main)
