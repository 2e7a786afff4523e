"""Puts each fault of tests/mutants back into the kernel, one at a time, and sees its test find it.

  tools/mutants                all of them, at most 20000 schedules each
  tools/mutants E G-shared     those whose names begin so
  tools/mutants --check        only whether each patch applies to the tree as it is
  tools/mutants --write        also writes the table to docs/mutants.md

A mutant is a patch with a head of three lines: the trap (docs/mutants.md) and what is wrong; the test that must fail
with it, a GoogleTest filter for sim_tests. The work is done in a copy of the tree, build/mutants/tree, with a build
folder of its own next to it: what is built once is only brought up to date for each mutant.

Prints a line for each: mutant, test, how many schedules it took (tests that explore nothing take one), and seconds of
running. Exit status 1: a patch does not apply, or does not compile, or its test passes.
"""

import argparse
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import time

from cairn_tools.build import VARIANTS, build
from cairn_tools.explore import scenarios
from cairn_tools.project import BUILD, ROOT, ToolError, dies_with_parent, end_process, install, main_guard, run, say

_PATCHES = ROOT / "tests/mutants"
_TREE = BUILD / "mutants/tree"
_FOLDER = BUILD / "mutants/build"
_PAGE = ROOT / "docs/mutants.md"
_TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end of table -->)", re.DOTALL)
_SCHEDULES = 20_000
# A run that passes takes seconds; one that hangs outside the machine's scheduling points is a finding as well.
_SECONDS = 300
_HEAD = re.compile(r"Trap: (?P<trap>[A-Z]) *\nFault: (?P<fault>.+)\nTest: (?P<test>\S+)\n")
_AFTER = re.compile(r"^seed (\d+) \((.+), schedule (\d+), step \d+\): (.*)$", re.MULTILINE)
_DIED = re.compile(r"the process dies in a simulated run: seed (\d+)")
_ASSERTION = re.compile(r"^.*(?:assertion|AddressSanitizer|panic).*$", re.MULTILINE | re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One fault."""

    file: pathlib.Path
    trap: str
    fault: str
    test: str

    @property
    def name(self) -> str:
        return self.file.stem


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a mutant's test said. `schedules` is None when it found nothing."""

    mutant: Mutant
    schedules: int | None
    words: str
    seconds: float = 0

    def __str__(self) -> str:
        found = "NOT FOUND" if self.schedules is None else f"{self.schedules:>6} schedules"
        return f"{self.mutant.name:<28} {self.mutant.test:<58} {found:<17} {self.seconds:>5.1f} s  {self.words}"


def mutants(prefixes: list[str]) -> list[Mutant]:
    """Those that are there, in order of name."""
    found = []
    for file in sorted(_PATCHES.glob("*.patch")):
        head = _HEAD.match(file.read_text(encoding="utf-8"))
        if head is None:
            raise ToolError(f"{file} does not begin with Trap:, Fault: and Test:")
        if not prefixes or file.stem.startswith(tuple(prefixes)):
            found.append(Mutant(file, **head.groupdict()))
    return found


def applies(mutant: Mutant, tree: pathlib.Path = ROOT) -> bool:
    """Whether the patch fits the tree as it is."""
    result = subprocess.run(["git", "apply", "--check", mutant.file], cwd=tree, capture_output=True, check=False,
                            env=os.environ | {"GIT_DIR": str(tree / "no-repository")})
    return result.returncode == 0


def _apply(mutant: Mutant, reverse: bool = False) -> None:
    run(["git", "apply", *(["--reverse"] if reverse else []), mutant.file], timeout=60, quiet=True, cwd=_TREE,
        env=os.environ | {"GIT_DIR": str(_TREE / "no-repository")})


def _copy_tree() -> None:
    """Makes the copy like the tree; files that are so already keep their times."""
    listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], timeout=60, quiet=True,
                 cwd=ROOT).stdout
    wanted = {pathlib.Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()}
    for file in wanted:
        target = _TREE / file
        if not target.exists() or target.read_bytes() != (ROOT / file).read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, target)
    for file in _TREE.rglob("*"):
        if file.is_file() and file.relative_to(_TREE) not in wanted:
            file.unlink()


def _build() -> pathlib.Path:
    variant = dataclasses.replace(VARIANTS["host-clang"], source=_TREE, what="a mutant")
    return build(variant, _FOLDER, targets=("sim_tests",)) / "tests/sim_tests"


def _look_for(mutant: Mutant, program: pathlib.Path, schedules: int) -> Finding:
    command = dies_with_parent([program, f"--gtest_filter={mutant.test}", "--gtest_brief=1"])
    start = time.monotonic()
    process = subprocess.Popen(command, env=os.environ | {"CAIRN_SCHEDULES": str(schedules)},
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace")
    hangs = False
    try:
        output, _ = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        end_process(process)
        output, hangs = process.stdout.read(), True
    finally:
        end_process(process)
        process.stdout.close()
    seconds = time.monotonic() - start
    if match := _AFTER.search(output):
        return Finding(mutant, int(match[3]), match[4].removeprefix("../tree/")[:80], seconds)
    if match := _DIED.search(output):
        said = _ASSERTION.search(output)
        words = said[0].strip().removeprefix("../tree/")[:80] if said else "the process dies"
        return Finding(mutant, int(match[1]), words, seconds)
    if hangs or process.returncode == 0:
        return Finding(mutant, None, "no end" if hangs else "", seconds)
    return Finding(mutant, 1, "an expectation fails", seconds)


def find(mutant: Mutant, schedules: int) -> Finding:
    """Builds one mutant and runs its test."""
    if not applies(mutant, _TREE):
        return Finding(mutant, None, "the patch does not apply")
    _apply(mutant)
    try:
        return _look_for(mutant, _build(), schedules)
    except ToolError as error:
        return Finding(mutant, None, f"it does not compile: {str(error)[-400:]}")
    finally:
        _apply(mutant, reverse=True)


def _table(findings: list[Finding]) -> str:
    lines = ["| trap | mutant | what is wrong | found by | schedules | s | how it shows |", "| --- " * 7 + "|"]
    for finding in findings:
        mutant = finding.mutant
        lines.append(f"| {mutant.trap} | `{mutant.name}` | {mutant.fault} | `{mutant.test}` | "
                     f"{'not found' if finding.schedules is None else finding.schedules} | {finding.seconds:.1f} | "
                     f"{finding.words.replace('|', '/')} |")
    return "\n".join(lines) + "\n"


def _check(chosen: list[Mutant]) -> int:
    bad = [mutant.name for mutant in chosen if not applies(mutant)]
    for name in bad:
        print(f"{name}: the patch does not apply any more")
    print(f"{len(chosen)} mutants, {len(bad)} do not apply")
    return 1 if bad else 0


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/mutants", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="mutants whose names begin so")
    parser.add_argument("--schedules", type=int, default=_SCHEDULES, metavar="N", help="at most, for each mutant")
    parser.add_argument("--check", action="store_true", help="only whether the patches apply")
    parser.add_argument("--write", action="store_true", help="write the table to docs/mutants.md")
    options = parser.parse_args(words)
    chosen = mutants(options.names)
    if not chosen:
        parser.error("no such mutant")
    if options.check:
        return _check(chosen)

    install("test")
    _copy_tree()
    known = set(scenarios(_build(), "*"))
    findings = []
    for mutant in chosen:
        if "*" not in mutant.test and mutant.test not in known:
            findings.append(Finding(mutant, None, "there is no such test"))
        else:
            findings.append(find(mutant, options.schedules))
        print(findings[-1], flush=True)
    missed = [finding.mutant.name for finding in findings if finding.schedules is None]
    print(f"{len(findings)} mutants, {len(findings) - len(missed)} found" + "".join(f"\n  {name}" for name in missed))
    if options.write:
        text = _PAGE.read_text(encoding="utf-8")
        _PAGE.write_text(_TABLE.sub(lambda _: _table(findings), text), encoding="utf-8")
        say(f"Written to {_PAGE.relative_to(ROOT)}")
    return 1 if missed else 0


if __name__ == "__main__":
    main_guard(main)
