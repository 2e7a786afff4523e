"""Installs what is missing, builds everything with both compilers, and runs all tests.

  tools/test                 everything; what CI runs
  tools/test unit sim        the tests with these labels: unit, sim, lint, boot, cost, fuzz, tools,
                             programs, torture
  tools/test -R q35-uefi     the tests whose name matches a regular expression
  tools/test --list          the tests' names

The last lines are ctest's summary. Details of every test are in
build/host/Testing/Temporary/LastTest.log, the guests' logs in build/boot-logs.
"""

import argparse
import os
import subprocess

from cairn_tools.build import VARIANTS, build
from cairn_tools.project import end_process, install, main_guard, say

LABELS = ("unit", "sim", "lint", "boot", "cost", "fuzz", "tools", "programs", "torture")
# Folders that must be up to date before the tests of a label run. The host tests are always built,
# because ctest's list of tests comes from there.
_NEEDS = {
    "unit": ("host-clang",),
    "sim": ("host-clang",),
    "boot": ("kernel", "kernel-clang"),
    "cost": ("kernel", "kernel-release"),
    "programs": ("kernel",),
    "torture": ("kernel",),
}
_WHOLE_SECONDS = 3600


def _build(labels: list[str], everything: bool) -> None:
    needed = {"host"}
    for label in labels or (LABELS if everything else ()):
        needed.update(_NEEDS.get(label, ()))
    for variant in VARIANTS.values():
        if variant.name in needed:
            build(variant)


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
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        return process.wait(timeout=_WHOLE_SECONDS)
    finally:
        end_process(process)


if __name__ == "__main__":
    main_guard(main)
