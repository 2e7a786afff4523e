"""Runs the tests of the ABI, ordinary Linux programs, on this machine's Linux and on Cairn in QEMU, and compares
them case by case. Linux is the oracle: there every case must pass.

  tests/abi/run                             everything: Linux, then Cairn with 1 CPU and with 4
  tests/abi/run --filter 'Fork.*:Exec*-*Id' some cases, as GoogleTest writes it
  tests/abi/run --cpus 2                    Cairn with that many CPUs
  tests/abi/run --host                      Linux alone
  tests/abi/run --list                      the cases' names

The results are kept in build/abi/results. Exit status: 0 all agree, 1 some do not.
"""

import argparse
import collections
import dataclasses
import fnmatch
import os
import pathlib
import re
import subprocess
import time

from cairn_tools import debian, guest
from cairn_tools.build import VARIANTS, KernelFile, build, kernel_image
from cairn_tools.project import ROOT, ToolError, install, main_guard, say

_RESULTS = VARIANTS["abi"].folder / "results"
_DIFFERENCES = ROOT / "tests/abi/differences"
# A guest that fell over is started again behind the case that did it, so many times.
_RESTARTS = 40
_LINE = re.compile(r"^(ok|FAIL|skip|note) ([A-Za-z0-9_]+\.[A-Za-z0-9_]+)(?: (.*))?$")


@dataclasses.dataclass
class CaseResult:
    """What one case did: "ok", "FAIL", "skip" or "lost" (the machine fell over), why, and its notes."""

    kind: str
    text: str = ""
    notes: tuple[str, ...] = ()


@dataclasses.dataclass
class Machine:
    """Where the cases ran, and how they did there."""

    name: str
    results: dict[str, CaseResult]
    seconds: float


def parse(output: str) -> dict[str, CaseResult]:
    """The results in what abi_tests printed."""
    results: dict[str, CaseResult] = {}
    notes: dict[str, list[str]] = collections.defaultdict(list)
    for line in output.replace("\r", "").splitlines():
        if match := _LINE.match(line):
            kind, name, text = match[1], match[2], (match[3] or "").strip()
            if kind == "note":
                notes[name].append(text)
            elif name not in results or kind == "FAIL":  # of a repeated case the worst counts
                results[name] = CaseResult(kind, text, tuple(notes.pop(name, ())))
    return results


def _program(options: argparse.Namespace) -> pathlib.Path:
    if not options.no_build:
        build(VARIANTS["abi"])
    program = VARIANTS["abi"].folder / "abi_tests"
    if not program.exists():
        raise ToolError(f"{program} does not exist; build it first")
    return program


def _save(name: str, text: str) -> None:
    _RESULTS.mkdir(parents=True, exist_ok=True)
    (_RESULTS / name).write_text(text, encoding="utf-8")


def case_names(program: pathlib.Path, pattern: str) -> list[str]:
    """The selected cases, in the order in which they run."""
    output = subprocess.run([program, "--list", f"--filter={pattern}"], capture_output=True, text=True, check=True,
                            timeout=60)
    return output.stdout.split()


def run_on_host(program: pathlib.Path, pattern: str) -> Machine:
    """This machine's Linux; many cases need the root's rights."""
    begin = time.monotonic()
    text = _host_output(program, pattern, jobs=2)
    results = parse(text)
    failed = [name for name, result in results.items() if result.kind == "FAIL"]
    if failed:
        # What a busy or virtual machine's clocks spoiled passes alone; a case that is wrong fails again.
        say(f"  Linux: once more, alone: {' '.join(failed)}")
        again = _host_output(program, ":".join(failed), jobs=1)
        text += again
        results |= parse(again)
    _save("linux.txt", text)
    return Machine("Linux", results, time.monotonic() - begin)


def _host_output(program: pathlib.Path, pattern: str, jobs: int) -> str:
    command = [] if os.geteuid() == 0 else ["sudo", "-n"]
    command += [str(program), f"--filter={pattern}", f"--jobs={jobs}"]
    output = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=900, check=False)
    if output.returncode > 1:
        raise ToolError(output.stderr.decode("utf-8", "replace") + f"abi_tests ended with {output.returncode}")
    return output.stdout.decode("utf-8", "replace")


class _Progress:
    """Shows on stderr which case a guest has come to."""

    def __init__(self, name: str, total: int):
        self._name, self._total, self._done, self._rest = name, total, 0, b""

    def __call__(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            match = _LINE.match(line.decode("utf-8", "replace").rstrip("\r"))
            if match and match[1] != "note":
                self._done += 1
                if match[1] == "FAIL" or self._done % 50 == 0:
                    say(f"  {self._name} [{self._done}/{self._total}] {match[1]} {match[2]}")

    def lost(self) -> None:
        self._done += 1


def run_on_guest(program: pathlib.Path, names: list[str], cpus: int, kernel: KernelFile,
                 options: argparse.Namespace) -> Machine:
    """A kernel in QEMU. When it falls over or hangs, the case that did it is lost and a fresh guest goes on
    behind it."""
    name = f"{options.kernel} with {cpus} CPU{'s' if cpus > 1 else ''}"
    say(f"Running {len(names)} cases on {name}")
    begin = time.monotonic()
    results: dict[str, CaseResult] = {}
    log = ""
    progress = _Progress(name, len(names))
    with guest.temporary_folder() as folder:
        root = folder / "root"
        (root / "tmp").mkdir(parents=True)
        (root / "abi_tests").hardlink_to(program) if _same_device(root, program) else _copy(program, root / "abi_tests")
        last = None
        for _ in range(_RESTARTS):
            words = ["/abi_tests", f"--filter={options.filter}", f"--timeout={options.case_timeout}"]
            words += [f"--repeat={options.repeat}", f"--after={last}" if last else "--jobs=1"]
            result = guest.run_program(words, root=root, cpus=cpus, memory=options.memory, kernel=kernel,
                                       kernel_args=options.kernel_args, timeout=options.timeout,
                                       build_first=not options.no_build, on_stdout=progress)
            output = result.stdout.decode("utf-8", "replace")
            log += output + result.stderr.decode("utf-8", "replace") + "\n--- console\n" + result.console
            results |= parse(output)
            missing = [one for one in names if one not in results]
            if not missing:
                break
            last = missing[0]
            results[last] = CaseResult("lost", result.failure or f"abi_tests ended with {result.status}")
            say(f"  {name}: {last}: {results[last].text}")
            progress.lost()
            if last == names[-1]:
                break
        slow = [one for one in names if one in results and "no end after" in results[one].text]
        if slow:
            # An emulator on a busy host can be too slow for a case; one that hangs does so alone, too.
            say(f"  {name}: once more, alone: {' '.join(slow)}")
            words = ["/abi_tests", f"--filter={':'.join(slow)}", f"--timeout={options.case_timeout}"]
            result = guest.run_program(words, root=root, cpus=cpus, memory=options.memory, kernel=kernel,
                                       kernel_args=options.kernel_args, timeout=options.timeout, build_first=False)
            again = result.stdout.decode("utf-8", "replace")
            log += again
            results |= parse(again)
    for one in names:
        results.setdefault(one, CaseResult("lost", "the machine fell over too often before"))
    _save(f"{options.kernel}-{cpus}cpu.txt", log)
    return Machine(name, results, time.monotonic() - begin)


def _same_device(a: pathlib.Path, b: pathlib.Path) -> bool:
    return a.stat().st_dev == b.stat().st_dev


def _copy(source: pathlib.Path, target: pathlib.Path) -> None:
    target.write_bytes(source.read_bytes())
    target.chmod(0o755)


@dataclasses.dataclass
class ExpectedDifference:
    """One line of tests/abi/differences: for whole cases, or for the notes that end in `: linux` in one place
    and in `: ` and one of `others` in the other."""

    pattern: str
    reason: str
    linux: str = ""
    others: tuple[str, ...] = ()
    used: bool = False

    def allows_note(self, name: str, expected: str, got: str) -> bool:
        """Whether a note may differ so."""
        if not self.linux or not fnmatch.fnmatchcase(name, self.pattern):
            return False
        (subject, _, value), (other, _, other_value) = expected.rpartition(": "), got.rpartition(": ")
        return subject == other and value == self.linux and other_value in self.others


def read_differences(file: pathlib.Path) -> list[ExpectedDifference]:
    """The list of what may differ; each has its reason."""
    result = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split("|")]
        linux, arrow, others = fields[1].partition(" -> ") if len(fields) == 3 else ("", "->", "")
        if len(fields) not in (2, 3) or not all(fields) or not arrow:
            raise ToolError(f"{file.name}:{number}: neither case | reason nor case | note -> notes | reason")
        result.append(ExpectedDifference(fields[0], fields[-1], linux.strip(), tuple(others.split())))
    return result


def difference(name: str, expected: CaseResult, got: CaseResult, allowed: list[ExpectedDifference]) -> str:
    """In what a case disagrees, or an empty string."""
    if got.kind != "ok":
        return f"{got.kind}: {got.text}"
    if expected.notes != got.notes:
        if len(expected.notes) != len(got.notes):
            return f"{len(got.notes)} notes instead of {len(expected.notes)}"
        pairs = []
        for pair in zip(expected.notes, got.notes):
            fitting = [one for one in allowed if pair[0] != pair[1] and one.allows_note(name, *pair)]
            for one in fitting:
                one.used = True
            if pair[0] != pair[1] and not fitting:
                pairs.append(pair)
        if not pairs:
            return ""
        more = f" (and {len(pairs) - 1} more)" if len(pairs) > 1 else ""
        return f"note '{pairs[0][1]}' instead of '{pairs[0][0]}'{more}"
    return ""


def compare(linux: Machine, other: Machine, names: list[str], allowed: list[ExpectedDifference]) -> int:
    """Prints the table by topic and each disagreement; returns how many there are."""
    topics: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    lines = []
    for name in names:
        topic = name.split(".")[0]
        expected, got = linux.results[name], other.results[name]
        # Nor does a case say anything that the emulator cannot do.
        if expected.kind == "skip" or got.kind == "skip" and got.text.startswith("the emulator"):
            topics[topic]["skipped"] += 1
            continue
        text = difference(name, expected, got, allowed)
        fitting = [one for one in allowed if text and not one.linux and fnmatch.fnmatchcase(name, one.pattern)]
        for one in fitting:
            one.used = True
        topics[topic]["agree" if not text else "allowed" if fitting else "disagree"] += 1
        if text and not fitting:
            lines.append(f"  {name}: {text}")
    print(f"\n{other.name}: {other.seconds:.0f} s")
    print(f"  {'topic':<22}{'agree':>8}{'disagree':>10}{'allowed':>9}{'skipped':>9}")
    total: collections.Counter = collections.Counter()
    for topic, counts in sorted(topics.items()):
        total += counts
        print(f"  {topic:<22}{counts['agree']:>8}{counts['disagree']:>10}{counts['allowed']:>9}{counts['skipped']:>9}")
    print(f"  {'all':<22}{total['agree']:>8}{total['disagree']:>10}{total['allowed']:>9}{total['skipped']:>9}")
    print("\n".join(lines))
    return total["disagree"]


def _host_failures(linux: Machine) -> list[str]:
    counts = collections.Counter(result.kind for result in linux.results.values())
    print(f"{linux.name}: {linux.seconds:.0f} s: " + ", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts)))
    return [f"  {name}: {result.text}" for name, result in linux.results.items() if result.kind == "FAIL"]


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/abi/run", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filter", default="*", metavar="PATTERNS", help="GoogleTest's filter of cases")
    parser.add_argument("--host", action="store_true", help="only this machine's Linux")
    parser.add_argument("--cpus", type=int, nargs="+", default=[1, 4], metavar="N", help="of the guests (1 and 4)")
    parser.add_argument("--memory", type=int, default=512, metavar="M", help="of the guests, in MiB (512)")
    parser.add_argument("--kernel", choices=("cairn", "linux"), default="cairn",
                        help="the guests' kernel; Debian's Linux shows whether a case is steady in a slow machine")
    parser.add_argument("--kernel-args", default="", metavar="ARGS", help="more of the guests' command line")
    parser.add_argument("--timeout", type=float, default=1800.0, metavar="S", help="of one guest (1800 seconds)")
    parser.add_argument("--case-timeout", type=int, default=120, metavar="S", help="of one case in a guest (120)")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="each case so often in a guest (1)")
    parser.add_argument("--build-dir", type=pathlib.Path, metavar="DIR", help="the kernel's build folder")
    parser.add_argument("--no-build", action="store_true", help="take the programs that are there")
    parser.add_argument("--list", action="store_true", help="print the cases' names and run none")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    install("run", "test")
    program = _program(options)
    names = case_names(program, options.filter)
    if not names:
        raise ToolError("no case has such a name", status=2)
    if options.list:
        print("\n".join(names))
        return 0
    linux = run_on_host(program, options.filter)
    failures = _host_failures(linux)
    if failures:
        print("These fail on Linux, so they are wrong:\n" + "\n".join(failures))
        return 1
    if options.host:
        return 0
    if options.kernel == "linux":
        kernel = KernelFile(debian.linux_kernel())
    else:
        kernel = kernel_image(options.build_dir and options.build_dir.absolute(), build_first=not options.no_build)
    allowed = read_differences(_DIFFERENCES)
    disagreements = 0
    for cpus in options.cpus:
        machine = run_on_guest(program, names, cpus, kernel, options)
        disagreements += compare(linux, machine, names, allowed)
    if options.filter == "*":
        for one in allowed:
            if not one.used:
                print(f"{_DIFFERENCES.name}: {one.pattern} agrees now: the line can go")
    return 1 if disagreements else 0


if __name__ == "__main__":
    main_guard(main)
