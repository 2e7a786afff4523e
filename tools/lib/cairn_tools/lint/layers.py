"""Who may include whom: the table of layers in docs/architecture.md, as data."""

from typing import Iterator

from cairn_tools.lint.source_tree import Finding, Source, SourceTree

# The longest path that fits decides. A folder may include what has its own number or a lower one.
LAYERS = {
    "kernel": 9,  # start-up and the machine's calls: main.cpp, upcalls.cpp and the like
    "kernel/stress": 9,
    "kernel/syscall": 9,
    "exec": 8,
    "kernel/task": 7,
    "kernel/ipc": 7,
    "kernel/signal": 7,
    "kernel/ptrace": 7,
    "net": 6,
    "fs": 6,
    "fs/vfs": 5,
    "drivers": 4,
    "mm": 3,
    "kernel/sched": 2,
    "kernel/time": 2,
    "kernel/sync": 2,
    "kernel/base": 1,
    "kernel/boot": 1,
    "arch": 1,     # the contract: arch/arch.h and what it is made of
    "machine": 1,  # its inline part, from arch/*/include
}

# The machines stand beside the layers: they implement arch/arch.h and know of the kernel only what
# is listed here. The simulated machine also drives whole kernels, so it may know all of it.
MACHINES = {
    # drivers/clock is arithmetic without devices; kernel_stack.h is how CPUs get guarded stacks.
    "arch/x86_64": ("arch", "machine", "kernel/base", "kernel/boot", "kernel/sync", "drivers/clock",
                    "kernel/sched/kernel_stack.h"),
    "arch/host": ("",),
}

# Exercise everything, from outside.
_OUTSIDE = ("tests", "tools", "user")

# The standard headers that work without a library below them (docs/README.md names the list's origin).
FREESTANDING_HEADERS = frozenset(
    "algorithm array atomic bit charconv chrono compare concepts coroutine cstddef cstdint cstring functional"
    " initializer_list iterator limits memory new numeric optional ranges span string_view tuple type_traits"
    " utility variant version cpuid.h immintrin.h x86intrin.h".split()
)


def _belongs_to(path: str, folder: str) -> bool:
    return folder == "" or path == folder or path.startswith(folder + "/")


def layer_of(path: str) -> int | None:
    """The layer of a file or of an include's name."""
    fitting = [folder for folder in LAYERS if _belongs_to(path, folder)]
    return LAYERS[max(fitting, key=len)] if fitting else None


def _machine_of(path: str) -> str | None:
    return next((machine for machine in MACHINES if _belongs_to(path, machine)), None)


def check_layers(tree: SourceTree) -> Iterator[Finding]:
    """Nothing includes what stands above it."""
    for source in tree.cpp:
        if source.under(*_OUTSIDE):
            continue
        machine = _machine_of(source.path)
        if machine is None and layer_of(source.path) is None:
            yield Finding(source.path, 1, "this folder has no layer in the table of lint/layers.py")
            continue
        for include in source.includes:
            if include.quoted:
                problem = _problem(source.path, machine, include.name)
                if problem:
                    yield Finding(source.path, include.line, problem)


def _problem(path: str, machine: str | None, name: str) -> str | None:
    target_machine = _machine_of(name)
    if machine is not None:
        if target_machine is not None:
            return None if target_machine == machine else f"{machine} includes {target_machine}"
        allowed = MACHINES[machine]
        return None if any(_belongs_to(name, folder) for folder in allowed) else f"{machine} may not know {name}"
    if target_machine is not None:
        return f"{name} belongs to one machine; the kernel includes arch/arch.h"
    layer, target = layer_of(path), layer_of(name)
    if target is None:
        return f"{name} is in no layer of the table in lint/layers.py"
    return f"layer {layer} includes {name} of layer {target}" if target > layer else None


def check_includes(tree: SourceTree) -> Iterator[Finding]:
    """Includes are written from the root of the tree, and of the standard library only the
    freestanding part is used in the kernel."""
    for source in tree.cpp:
        for include in source.includes:
            if include.quoted:
                if not _is_rooted(tree, source, include.name):
                    yield Finding(source.path, include.line, f'"{include.name}" is no path from the root of the tree')
            elif not source.under(*_OUTSIDE, "arch/host") and include.name not in FREESTANDING_HEADERS:
                yield Finding(source.path, include.line, f"<{include.name}> does not work without a standard library")


def _is_rooted(tree: SourceTree, source: Source, name: str) -> bool:
    if ".." in name.split("/"):
        return False
    roots = ["", *(f"{machine}/include/" for machine in MACHINES)]
    if source.under("tests", "tools"):
        roots.append("tools/fuzz/")
    return any(tree.exists(root + name) for root in roots)
