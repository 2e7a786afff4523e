"""Builds the libFuzzer programs of tests/fuzz and runs each for a number of inputs.

usage: tools/fuzz [--runs N] [--seed N] [TARGET...]

  tools/fuzz                       200000 inputs for each target but syscalls; fewer for those that take longest
  tools/fuzz --runs 10000000       the full run
  tools/fuzz acpi multiboot2       these targets only
  tools/fuzz --runs 5000 syscalls  sequences of system calls: an input boots a kernel

Prints, for each target, executions, executions per second and the result; exits with 1 when an
input broke a target. Such an input is kept in build/fuzz/found; give it to
build/fuzz/tests/fuzz/fuzz_TARGET to see the fault again. What the runs learned is kept in
build/fuzz/corpus and used by the next one.
"""

import argparse
import dataclasses
import re
import subprocess
import time

from cairn_tools.build import VARIANTS, build
from cairn_tools.project import ToolError, end_process, dies_with_parent, install, main_guard, run, say

# Target and the largest input that makes sense for it, in bytes.
TARGETS = {"multiboot2": 1024, "pvh": 8192, "acpi": 1024, "aml": 8192, "smbios": 512,
           "pci_config": 2048, "usb_descriptors": 512, "options": 512, "memory_map": 512,
           "elf": 2048, "script": 512, "cpio": 2048, "binfmt_misc": 2200, "terminal": 256, "path_walk": 64,
           "syscalls": 1500}
# An input of these boots a kernel that was built for the fuzzer as a whole: only when they are named.
WITH_KERNEL = ("syscalls",)
_RUNS = 200_000
# A tenth of it, or a quarter, takes these as long as the others.
_RUNS_OF_SLOW = {"aml": 20_000, "pci_config": 50_000}
# Far more than any input takes; one that loops for ever is a finding.
SECONDS_PER_INPUT = 10


@dataclasses.dataclass(frozen=True)
class Outcome:
    target: str
    executions: int
    seconds: float
    clean: bool

    def __str__(self) -> str:
        rate = self.executions / self.seconds if self.seconds > 0 else 0
        verdict = "clean" if self.clean else "FOUND A FAULT"
        return f"{self.target:<12} {self.executions:>12} executions {rate:>10.0f}/s  {verdict}"


def fuzz(folder, target: str, runs: int, seed: int) -> Outcome:
    """Runs one target; its own messages go to build/fuzz/TARGET.log."""
    corpus, found = folder / "corpus" / target, folder / "found"
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(exist_ok=True)
    (folder / "seeds" / target).mkdir(parents=True, exist_ok=True)
    log = folder / f"{target}.log"
    command = [folder / "tests/fuzz" / f"fuzz_{target}", f"-runs={runs}", f"-max_len={TARGETS[target]}",
               f"-seed={seed}", f"-timeout={SECONDS_PER_INPUT}", "-print_final_stats=1",
               # What fibers refer to is not seen from outside.
               *(["-detect_leaks=0"] if target in WITH_KERNEL else []),
               f"-artifact_prefix={found}/{target}-", corpus, folder / "seeds" / target]
    start = time.monotonic()
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(dies_with_parent(command), stdin=subprocess.DEVNULL, stdout=file,
                                   stderr=subprocess.STDOUT)
        try:
            clean = process.wait() == 0
        finally:
            end_process(process)
    seconds = time.monotonic() - start
    counted = re.search(r"stat::number_of_executed_units:\s*(\d+)", log.read_text(encoding="utf-8", errors="replace"))
    if counted is None and clean:
        raise ToolError(f"{target} did not say how many inputs it ran; see {log}")
    return Outcome(target, int(counted.group(1)) if counted else 0, seconds, clean)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/fuzz", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, metavar="N", help="inputs for each target")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="0: another one each time")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    arguments = parser.parse_args(words)
    unknown = set(arguments.targets) - TARGETS.keys()
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")

    install("test")
    targets = arguments.targets or [target for target in TARGETS if target not in WITH_KERNEL]
    folder = build(VARIANTS["fuzz"])
    for target in set(targets) & set(WITH_KERNEL):
        build(VARIANTS["fuzz"], targets=(f"fuzz_{target}",))
    run([folder / "tests/fuzz/fuzz_seeds", folder / "seeds"], timeout=60)
    clean = True
    for target in targets:
        say(f"Fuzzing {target}")
        outcome = fuzz(folder, target, arguments.runs or _RUNS_OF_SLOW.get(target, _RUNS), arguments.seed)
        print(outcome, flush=True)
        clean = clean and outcome.clean
    return 0 if clean else 1


if __name__ == "__main__":
    main_guard(main)
