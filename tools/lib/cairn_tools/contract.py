"""The rules of the process contract (docs/process-contract.md), the tests that name them, and how those did when
they last ran: on the simulated machine, and as Linux programs in a guest with 1 CPU and with 4.

  tools/contract              the table
  tools/contract --tests E08  the tests of one rule
  tools/contract --run        runs the tests first (tests/abi/run and the host's sim_tests)
  tools/contract --check      only whether each rule has a test

A test names its rules behind its TEST line; one that names none proves what the head of its file names.
Exit status 1: a rule has no test, or one of its tests failed.
"""

import argparse
import collections
import dataclasses
import json
import pathlib
import re
import subprocess

from cairn_tools.build import VARIANTS, build
from cairn_tools.project import BUILD, ROOT, main_guard, run, say

_PAGE = ROOT / "docs/process-contract.md"
_SIMULATED = BUILD / "contract-sim.json"
_GUESTS = {cpus: VARIANTS["abi"].folder / f"results/cairn-{cpus}cpu.txt" for cpus in (1, 4)}
_RULE = re.compile(r"^- \*\*([EFXSR]\d\d)([^*]*)\*\* ?(.*)", re.MULTILINE)
_NAME = re.compile(r"\b([EFXSR])(\d\d)(?:-[EFXSR](\d\d))?\b")
_TEST = re.compile(r"^ *TEST(?:_F)?\((\w+), (\w+)\) \{(.*)$", re.MULTILINE)
_METHOD = re.compile(r"^    def (test_\w+?_(r\d\d))\(self", re.MULTILINE)


@dataclasses.dataclass
class Rule:
    """One rule, and the names of its tests by where they run: "sim", "guest" or "runner"."""

    title: str
    tests: dict[str, list[str]] = dataclasses.field(default_factory=lambda: collections.defaultdict(list))


def _named(text: str) -> set[str]:
    """The rules in a text; E08-E11 are four."""
    found = set()
    for letter, first, last in _NAME.findall(text):
        found.update(f"{letter}{number:02}" for number in range(int(first), int(last or first) + 1))
    return found


def _head(text: str) -> str:
    """The comment at the beginning of a C++ file."""
    lines = text.splitlines()
    return "\n".join(lines[: next((i for i, line in enumerate(lines) if not line.startswith("//")), len(lines))])


def rules() -> dict[str, Rule]:
    """All of them, with their tests."""
    table = {name: Rule((title.strip(" .") or text)[:44]) for name, title, text in _RULE.findall(_PAGE.read_text())}

    def add(names: set[str], where: str, test: str) -> None:
        for name in names & table.keys():
            table[name].tests[where].append(test)

    for where, folder in (("sim", "tests/sim"), ("guest", "tests/abi")):
        for file in sorted((ROOT / folder).glob("*.cpp")):
            text = file.read_text()
            for suite, test, comment in _TEST.findall(text):
                add(_named(comment) or _named(_head(text)), where, f"{suite}.{test}")
    for file in sorted((ROOT / "tests/programs").glob("test_*.py")):
        for test, rule in _METHOD.findall(file.read_text()):
            add({rule.upper()}, "runner", test)
    return table


def _guest_results(file: pathlib.Path) -> dict[str, bool]:
    if not file.exists():
        return {}
    return {words[1]: words[0] == "ok" for line in file.read_text().splitlines()
            if len(words := line.split()) > 1 and words[0] in ("ok", "FAIL")}


def _simulated_results() -> dict[str, bool]:
    if not _SIMULATED.exists():
        return {}
    suites = json.loads(_SIMULATED.read_text())["testsuites"]
    return {f"{suite['name']}.{test['name']}": "failures" not in test
            for suite in suites for test in suite["testsuite"]}


def _state(tests: list[str], results: dict[str, bool]) -> str:
    if not tests:
        return "-"
    ran = [results[test] for test in tests if test in results]
    if not ran:
        return "not run"
    return f"{sum(ran)} of {len(ran)}" + ("" if all(ran) else " FAILED")


def _run() -> None:
    say("Running the tests of the ABI")
    subprocess.run([ROOT / "tests/abi/run"], check=False)
    say("Running the simulated machine")
    program = build(VARIANTS["host"]) / "tests/sim_tests"
    run([program, "--gtest_brief=1", f"--gtest_output=json:{_SIMULATED}"], timeout=3600, quiet=True)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/contract", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", metavar="RULE", help="print the tests of one rule")
    parser.add_argument("--run", action="store_true", help="run the tests first")
    parser.add_argument("--check", action="store_true", help="only whether each rule has a test")
    options = parser.parse_args(arguments)
    table = rules()
    if options.tests:
        for where, tests in table[options.tests].tests.items():
            print("\n".join(f"{where:8}{test}" for test in tests))
        return 0
    if options.run:
        _run()
    columns = {"simulated": ("sim", _simulated_results())}
    columns |= {f"{cpus} CPU": ("guest", _guest_results(file)) for cpus, file in _GUESTS.items()}
    without = [name for name, rule in table.items() if not rule.tests]
    bad = list(without)
    if not options.check:
        print(f"{'rule':52}{'tests':>6}" + "".join(f"{name:>16}" for name in columns))
        for name, rule in table.items():
            states = [_state(rule.tests.get(where, []), results) for where, results in columns.values()]
            bad += [name] if any(state.endswith("FAILED") for state in states) else []
            count = sum(len(tests) for tests in rule.tests.values())
            print(f"{name} {rule.title:48}{count:>6}" + "".join(f"{state:>16}" for state in states))
    if without:
        print(f"without a test: {' '.join(without)}")
    return 1 if bad else 0


if __name__ == "__main__":
    main_guard(main)
