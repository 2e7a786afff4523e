"""Runs the unit and simulation tests with clang's source coverage and prints how many lines of the
kernel they reach, folder by folder. Fails when mm/ and kernel/ together are below 85 %. Every file
counts, also one that no test program links.

  tools/coverage                  the table
  tools/coverage --files          a line for each file as well
  tools/coverage --show FILE      the file with the number of times each line ran
"""

import argparse
import collections
import json
import os
import pathlib
import subprocess

from cairn_tools.build import VARIANTS, build
from cairn_tools.project import ROOT, ToolError, install, main_guard, run, say

REQUIRED_PERCENT = 85.0
# What the promise is about; other folders are printed for information.
_PROMISED = ("mm", "kernel")
_PROGRAMS = ("unit_tests", "sim_tests")


def _profile(folder: pathlib.Path) -> tuple[pathlib.Path, list[pathlib.Path]]:
    """Runs the programs; the merged profile and the programs."""
    programs = [folder / "tests" / name for name in _PROGRAMS if (folder / "tests" / name).exists()]
    whole = _whole_kernel(folder)
    raw = []
    for program in programs:
        say(f"Running {program.name}")
        raw.append(program.with_suffix(".profraw"))
        environment = {**os.environ, "LLVM_PROFILE_FILE": str(raw[-1])}
        run([program, "--gtest_brief=1"], timeout=1800, quiet=True, env=environment)
    merged = folder / "coverage.profdata"
    run(["llvm-profdata-19", "merge", "-sparse", "-o", merged, *raw], timeout=300, quiet=True)
    return merged, [*programs, whole]


def _whole_kernel(folder: pathlib.Path) -> pathlib.Path:
    """A program with every object file of the kernel, which is never run. The linker takes from a
    library only what a test needs, and the rest would be missing from the report, not at zero."""
    program = folder / "whole_kernel"
    run(["clang++-19", "-fprofile-instr-generate", "-fcoverage-mapping", "-fsanitize=address,undefined", "-x", "c++",
         ROOT / "tools/lib/empty_program.cpp", "-x", "none", "-Wl,--whole-archive", folder / "libcairn_host.a",
         "-Wl,--no-whole-archive", "-Wl,--unresolved-symbols=ignore-all", "-o", program], timeout=300, quiet=True)
    return program


def _llvm_cov(command: str, profile: pathlib.Path, programs: list[pathlib.Path], *words: str) -> str:
    objects = [str(programs[0])]
    for program in programs[1:]:
        objects += ["-object", str(program)]
    result = subprocess.run(["llvm-cov-19", command, f"-instr-profile={profile}", *objects, *words],
                            capture_output=True, text=True, timeout=600, check=False)
    if result.returncode != 0:
        raise ToolError(f"llvm-cov-19 {command}: {result.stderr.strip()}")
    return result.stdout


def _is_in(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


class _Lines:
    """Lines of code and how many of them ran."""

    def __init__(self) -> None:
        self.count = 0
        self.covered = 0

    def add(self, count: int, covered: int) -> None:
        self.count += count
        self.covered += covered

    def __str__(self) -> str:
        return f"{self.covered:6} of {self.count:6} lines {self.percent:6.1f} %"

    @property
    def percent(self) -> float:
        return 100.0 * self.covered / self.count if self.count else 100.0


def _table(report: dict, with_files: bool) -> _Lines:
    """Prints the table; the lines that the promise is about."""
    folders = collections.defaultdict(_Lines)
    files = collections.defaultdict(list)
    promised = _Lines()
    for entry in report["data"][0]["files"]:
        path = os.path.relpath(entry["filename"], ROOT)
        if path.startswith("..") or _is_in(path, ("tests", "build", "tools")):
            continue
        numbers = entry["summary"]["lines"]
        folder = os.path.dirname(path)
        folders[folder].add(numbers["count"], numbers["covered"])
        lines = _Lines()
        lines.add(numbers["count"], numbers["covered"])
        files[folder].append((os.path.basename(path), lines))
        if _is_in(path, _PROMISED):
            promised.add(numbers["count"], numbers["covered"])
    for folder in sorted(folders):
        print(f"{folder + '/':32} {folders[folder]}")
        if with_files:
            for name, lines in sorted(files[folder]):
                print(f"    {name:28} {lines}")
    print(f"{'mm/ and kernel/':32} {promised}")
    return promised


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/coverage", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", action="store_true", help="a line for each file")
    parser.add_argument("--show", metavar="FILE", help="print one file with its counts")
    options = parser.parse_args(arguments)
    if options.show and not (ROOT / options.show).is_file():
        parser.error(f"there is no file {options.show}")
    install("run", "test")
    profile, programs = _profile(build(VARIANTS["coverage"]))
    if options.show:
        print(_llvm_cov("show", profile, programs, str(ROOT / options.show)))
        return 0
    report = json.loads(_llvm_cov("export", profile, programs, "-summary-only"))
    promised = _table(report, options.files)
    if promised.percent < REQUIRED_PERCENT:
        say(f"coverage: {promised.percent:.1f} % of mm/ and kernel/; {REQUIRED_PERCENT} % are required")
        return 1
    return 0


if __name__ == "__main__":
    main_guard(main)
