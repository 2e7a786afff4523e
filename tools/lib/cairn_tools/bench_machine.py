"""The emulated machine of tools/bench and tools/profile, and one run of the benchmark in it."""

import math

from cairn_tools import guest, newc, project, qemu
from cairn_tools.build import KernelFile, KernelImage, user_program
from cairn_tools.project import ToolError, say
from cairn_tools.root_image import root_image

Kernel = KernelFile | KernelImage

# What Linux can do without; the comparison is with it.
STRONGEST = ("mitigations=off init_on_alloc=0 randomize_kstack_offset=off audit=0 cgroup_disable=memory lsm="
             " nokaslr norandmaps")
# QEMU counts each turn of a rep instruction, so a kernel that clears pages with `rep stosb` would pay for each byte
# what it pays elsewhere for eight; without the two features both use words.
CPU = "max,-erms,-fsrm"
# Each instruction is a nanosecond; everything is as it was in the last run.
MACHINE = qemu.Machine(machine="q35", firmware="none", cpus=1, memory_mib=1024, cpu=CPU, icount=True)
VARIANT = "kernel-release"
_SECONDS = 3000


def run(kernel: Kernel, kernel_arguments: str, words: list[str], what: str, machine: qemu.Machine = MACHINE,
        qemu_options: tuple[str, ...] = ()) -> list[list[str]]:
    """The benchmark's lines, each in its columns, on one kernel."""
    say(f"Measuring {what}")
    output, errors = bytearray(), bytearray()
    with guest.temporary_folder() as folder:
        tree = newc.Tree()
        tree.file("cairn_bench", user_program("cairn_bench", build_first=False), 0o755)
        layer = folder / "bench.cpio"
        with open(layer, "wb") as out:
            newc.write(tree, out)
        program = guest.Program(("/cairn_bench", *words))
        result = guest.run_session(program, machine.with_arguments(guest.kernel_arguments(kernel_arguments)), kernel,
                                   [root_image("full"), layer],
                                   sinks={"stdout": output.extend, "stderr": errors.extend}, timeout=_SECONDS,
                                   qemu_options=("-seed", "1", *qemu_options))
    for line in errors.decode("utf-8", "replace").splitlines():
        say(f"  {what}: {line}")
    if result.status != 0:
        raise ToolError(f"{what}: the benchmark ended with {result.status} {result.failure}\n"
                        + guest.last_words(result.console))
    return [line.split("\t") for line in output.decode("utf-8", "replace").splitlines()]


def listed(words: list[str]) -> list[str]:
    """The names of the rows that `words` select."""
    output = project.run([user_program("cairn_bench", build_first=False), "--list", *words], timeout=60, quiet=True)
    return [line.split("\t")[0] for line in output.stdout.splitlines()]


def number(text: str) -> float:
    """A figure of the benchmark; NaN where the kernel could not do it."""
    return math.nan if text == "failed" else float(text)


def measure(kernel: Kernel, kernel_arguments: str, words: list[str], what: str,
            qemu_options: tuple[str, ...] = ()) -> dict[str, tuple[str, float]]:
    """Row to family and figure, on one kernel."""
    return {name: (family, number(figure))
            for name, family, figure in run(kernel, kernel_arguments, words, what, qemu_options=qemu_options)}
