"""Explores the scenarios of tests/sim over many schedules, and replays one; docs/simulated-machine.md has the rest.

  tools/explore                            every scenario, 100000 schedules each
  tools/explore --races                    those that race execve with something, 200000 each (--asan: 5000)
  tools/explore --scenario 'Mutex.*'       a GoogleTest filter
  tools/explore --failures                 the calls whose allocations and reads are failed one by one, with counts
  tools/explore --seed 7 --scenario Suite.Test [--gdb]
                                           this schedule, with every decision of the machine printed; under gdb, it
                                           stops where the run fails

Each scenario is a process of its own, as many at a time as --jobs says. Prints a line for each: schedules, schedules
per second of this process, failures; and a total. Exit status 0 if nothing failed.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import time

from cairn_tools.build import VARIANTS, build
from cairn_tools.project import ToolError, dies_with_parent, end_process, install, main_guard, run, say

RACES = "Exec*"
FAILURES = "ProcessFailure.*"
_SCHEDULES, _RACE_SCHEDULES, _RACE_SCHEDULES_ASAN = 100_000, 200_000, 5_000
# What the explorer prints about a scenario, and about one call whose allocations it failed.
_EXPLORED = re.compile(r"^.*: (\d+) schedules, (\d+)/s, (\d+) steps each, (\d+) failures$", re.MULTILINE)
_FAILED_CALLS = re.compile(r"^failed in turn: .*$", re.MULTILINE)
# Far slower than any scenario: one that does not end is a finding.
_SCHEDULES_PER_SECOND_AT_LEAST = 10


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one scenario did."""

    name: str
    output: str
    passed: bool
    seconds: float

    @property
    def schedules(self) -> int:
        return sum(int(count) for count, *_ in _EXPLORED.findall(self.output))

    def __str__(self) -> str:
        rate = self.schedules / self.seconds if self.seconds > 0 else 0
        verdict = "0 failures" if self.passed else "FAILED"
        return f"{self.name:<62} {self.schedules:>8} schedules {rate:>6.0f}/s  {verdict}"


def scenarios(program: pathlib.Path, pattern: str) -> list[str]:
    """The tests that a filter means."""
    listed = run([program, "--gtest_list_tests", f"--gtest_filter={pattern}"], timeout=60, quiet=True).stdout
    names, suite = [], ""
    for line in listed.splitlines():
        if line.startswith("  "):
            names.append(suite + line.split("#")[0].strip())
        elif line.rstrip().endswith(".") or "#" in line:
            suite = line.split("#")[0].strip()
    return names


def explore(program: pathlib.Path, name: str, schedules: int, first: int = 1) -> Outcome:
    """One scenario, until it fails or all schedules are done."""
    environment = os.environ | {"CAIRN_SCHEDULES": str(schedules), "CAIRN_FIRST": str(first)}
    command = dies_with_parent([program, f"--gtest_filter={name}", "--gtest_brief=1"])
    start = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace")
    try:
        output, _ = process.communicate(timeout=300 + schedules / _SCHEDULES_PER_SECOND_AT_LEAST)
    except subprocess.TimeoutExpired:
        end_process(process)
        output = process.stdout.read() + "\nno end: a schedule hangs\n"
    finally:
        end_process(process)
        process.stdout.close()
    return Outcome(name, output, process.returncode == 0, time.monotonic() - start)


def _explore_all(program: pathlib.Path, names: list[str], schedules: int, first: int, jobs: int) -> bool:
    start = time.monotonic()
    outcomes = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(explore, program, name, schedules, first) for name in names]
        try:
            for future in concurrent.futures.as_completed(futures):
                outcome = future.result()
                outcomes.append(outcome)
                if outcome.schedules != 0 or not outcome.passed:
                    print(outcome, flush=True)
                if not outcome.passed:
                    print(outcome.output, flush=True)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    seconds = time.monotonic() - start
    total = sum(outcome.schedules for outcome in outcomes)
    explored = sum(outcome.schedules != 0 for outcome in outcomes)
    failed = [outcome.name for outcome in outcomes if not outcome.passed]
    print(f"{explored} scenarios, {total} schedules in {seconds:.0f} s, {total / seconds:.0f}/s, {len(failed)} failures"
          + "".join(f"\n  {name}" for name in failed))
    return not failed


def _fail_calls(program: pathlib.Path) -> bool:
    outcome = explore(program, FAILURES, 300)
    for line in _FAILED_CALLS.findall(outcome.output):
        print(line)
    if not outcome.passed:
        print(outcome.output)
    return outcome.passed


def _replay(program: pathlib.Path, name: str, seed: int, with_gdb: bool) -> int:
    command = [str(program), f"--gtest_filter={name}"]
    if with_gdb:
        command = ["gdb", "-ex", "break cairn::arch::host::fail_run", "-ex", "run", "--args", *command]
    return subprocess.run(command, env=os.environ | {"CAIRN_SEED": str(seed)}, check=False).returncode


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return number


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/explore", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schedules", type=_positive, metavar="N", help="seeds for each scenario")
    parser.add_argument("--first", type=_positive, default=1, metavar="N", help="the first seed (1)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--races", action="store_true", help="the scenarios that race execve")
    what.add_argument("--failures", action="store_true", help="calls whose allocations fail, and the counts")
    what.add_argument("--scenario", metavar="FILTER", help="a GoogleTest filter")
    parser.add_argument("--jobs", type=_positive, default=len(os.sched_getaffinity(0)), metavar="N",
                        help="scenarios at a time (one for each CPU)")
    parser.add_argument("--asan", action="store_true", help="with AddressSanitizer and UBSan: slower, finds more")
    parser.add_argument("--no-build", action="store_true", help="run what is there")
    parser.add_argument("--seed", type=_positive, metavar="N", help="replay this one")
    parser.add_argument("--gdb", action="store_true", help="with --seed: under gdb")
    options = parser.parse_args(words)
    if options.seed is not None and options.scenario is None:
        parser.error("--seed needs --scenario")
    if options.gdb and options.seed is None:
        parser.error("--gdb needs --seed")
    if options.schedules is None:
        race_schedules = _RACE_SCHEDULES_ASAN if options.asan else _RACE_SCHEDULES
        options.schedules = race_schedules if options.races else _SCHEDULES
    return options


def main(words: list[str]) -> int:
    options = _parse(words)
    variant = VARIANTS["host" if options.asan else "host-clang"]
    if not options.no_build:
        install("test")
        build(variant, targets=("sim_tests",))
    program = variant.folder / "tests/sim_tests"
    if options.seed is not None:
        return _replay(program, options.scenario, options.seed, options.gdb)
    if options.failures:
        return 0 if _fail_calls(program) else 1
    names = scenarios(program, RACES if options.races else options.scenario or "*")
    if not names:
        raise ToolError(f"no scenario fits {options.scenario}", 2)
    say(f"{len(names)} tests, {options.schedules} schedules per scenario, seeds from {options.first}, "
        f"sanitizers: {'yes' if options.asan else 'no'}, jobs: {options.jobs}")
    sys.stdout.reconfigure(line_buffering=True)
    return 0 if _explore_all(program, names, options.schedules, options.first, options.jobs) else 1


if __name__ == "__main__":
    main_guard(main)
