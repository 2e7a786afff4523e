"""stress-ng's stressors as cases for the guest, and what came of them."""

import dataclasses
import re

from cairn_tools.project import ROOT
from programs.batch import Outcome
from programs.cases import Case

# What the kernel promises about processes; the order is that of the files that they exercise.
STRESSORS = tuple(
    "cpu clone fork vfork vforkmany exec kill sigabrt sigchld sigfd sigfpe sigpending sigq sigrt sigsegv sigsuspend"
    " sigtrap wait zombie daemon pthread futex mutex sem sem-sysv shm msg mq timer timerfd itimer nanosleep sched"
    " affinity nice set get prctl procfs resources rlimit schedpolicy session switch tee yield".split())
# One of each kind, for every run of the tests.
SMOKE = tuple("fork vforkmany exec sigq zombie pthread futex timer procfs".split())

# More memory in use afterwards than before counts as lost only beyond this, and only if a second run loses as much.
LEAK_KIB = 512
_GRACE_SECONDS = 300
_METRIC = re.compile(r"^metrc: \[\d+\] (?P<name>\S+) +(?P<operations>\d+) ", re.MULTILINE)
_BAD = re.compile(r"^(?:fail|warn|error):.*$|^unsuccessful run.*$", re.MULTILINE)
# What stress-ng left out, and the guest's own words.
_NOTE = re.compile(r"^.*\bskip(?:ped|ping)\b(?!: 0).*$|^note: .*$", re.MULTILINE)
# dmesg -x: "kern  :warn  : [    1.2] text"
_LOG = re.compile(r"^log: \S+ *:(?P<level>\w+) *: (?P<text>.*)$", re.MULTILINE)
_BAD_LEVELS = ("emerg", "alert", "crit", "err", "warn")


@dataclasses.dataclass(frozen=True)
class Row:
    """What came of one stressor or bomb. `faults` is empty if all is well; `notes` are for the reader."""

    name: str
    figure: str
    memory: tuple[int, int] | None  # KiB in use before and after
    log_lines: int
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def result(self) -> str:
        return "FAILED" if self.faults else "skipped" if self.figure == "-" else "ok"


def case_of(stressor: str, count: int, seconds: int) -> Case:
    script = (ROOT / "tests/torture/guest/stress.sh").read_text(encoding="utf-8")
    values = {"STRESSOR": stressor, "COUNT": count, "SPAN": seconds, "LEAK": LEAK_KIB}
    head = "".join(f"{name}={value}\n" for name, value in values.items())
    # stress-ng may run twice, and be slow to end.
    return Case(f"torture.{stressor}", head + script, 2 * seconds + _GRACE_SECONDS, "/bin/bash")


def values_of(text: str) -> dict[str, str]:
    """The lines "key=value" of what a case wrote."""
    return dict(line.split("=", 1) for line in text.splitlines() if re.match(r"\w+=", line))


def log_of(text: str) -> tuple[list[str], list[str]]:
    """The kernel's lines in what a case wrote: all of them, and those that say that something is wrong."""
    matches = list(_LOG.finditer(text))
    return [match["text"] for match in matches], [match["text"] for match in matches if match["level"] in _BAD_LEVELS]


def row_of(stressor: str, outcome: Outcome) -> Row:
    text = outcome.stdout.decode("utf-8", "replace")
    values = values_of(text)
    log, warnings = log_of(text)
    faults = [match[0] for match in _BAD.finditer(text)] + warnings
    errors = outcome.stderr.decode("utf-8", "replace").strip()
    if outcome.status != "0" or "status" not in values:
        faults.append(f"the guest: {outcome.status} {errors}".rstrip())
        return Row(stressor, "-", None, len(log), tuple(faults))
    # 3: no resources, 4: not implemented; both say that nothing was tried.
    metric = _METRIC.search(text)
    if values["status"] != "0" or not metric:
        faults += text.splitlines() if not faults else []
        faults.append(f"stress-ng ended with status {values['status']}")
    before, after = int(values["memory_before"]), int(values["memory_after"])
    if "memory_again" in values and int(values["memory_again"]) - after > LEAK_KIB:
        faults.append(f"memory lost: {after - before} KiB, and {int(values['memory_again']) - after} KiB once more")
    if values["processes_after"] != values["processes_before"]:
        faults.append(f"{values['processes_before']} processes before, {values['processes_after']} after")
    notes = [match[0] for match in _NOTE.finditer(text)] + [line for line in log if line not in warnings]
    return Row(stressor, metric["operations"] if metric else "-", (before, after), len(log), tuple(faults),
               tuple(notes))
