"""Configures and builds the halves of the tree, each in a folder of its own under build/."""

import argparse
import dataclasses
import os
import pathlib
import re
import subprocess
import sys

from cairn_tools.project import BUILD, ROOT, ToolError, end_process, install, locked, main_guard, run, say


@dataclasses.dataclass(frozen=True)
class Variant:
    """One build folder."""

    name: str
    what: str
    options: tuple[str, ...]
    source: pathlib.Path = ROOT
    needs: tuple[str, ...] = ()  # variants whose libraries it links, and of those the library of the tests

    @property
    def folder(self) -> pathlib.Path:
        return BUILD / self.name


_PROGRESS = re.compile(r"\[\d+/\d+\] (?!Re-checking)")


def _compiler(cxx: str) -> str:
    return f"-DCMAKE_CXX_COMPILER={cxx}"


_KERNEL_ONLY = "-DCAIRN_HOST=OFF"
_HOST_ONLY = "-DCAIRN_KERNEL=OFF"
# Lint, boot and the like are tests of the build folder `host` only.
_NO_COMMAND_TESTS = "-DCAIRN_COMMAND_TESTS=OFF"
_COVERAGE = "-fprofile-instr-generate -fcoverage-mapping"

VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("kernel", "the kernel", (_compiler("g++"), _KERNEL_ONLY)),
        # What people boot (tools/run, tools/image), and tools/bench measures: small and fast, without the checks of
        # locks and sleeping that the tests have.
        Variant("kernel-release", "the kernel without checks",
                (_compiler("g++"), _KERNEL_ONLY, "-DCAIRN_CHECKS=OFF", "-DCAIRN_LINK_TIME=ON")),
        Variant("kernel-clang", "the kernel with clang",
                (_compiler("clang++-19"), _KERNEL_ONLY, "-DCAIRN_PRECOMPILE=ON")),
        Variant("host", "the host tests", (_compiler("g++"), _HOST_ONLY)),
        # Without the sanitizers, which the other one has: it is also the one that explores.
        Variant("host-clang", "the host tests with clang",
                (_compiler("clang++-19"), _HOST_ONLY, _NO_COMMAND_TESTS, "-DCAIRN_SANITIZE=OFF")),
        Variant(
            "fuzz",
            "the fuzzers",
            (_compiler("clang++-19"), _HOST_ONLY, "-DCAIRN_HOST=OFF", "-DCAIRN_FUZZ=ON",
             f"-DCAIRN_HOST_TESTS={BUILD / 'host-clang'}"),
            needs=("host-clang",),
        ),
        # A project of its own: programs for Linux, which Cairn must run, too.
        Variant("abi", "the tests of the ABI", (_compiler("g++"),), ROOT / "tests/abi"),
        # With the sanitizers, because some tests see whether a poisoned access is noticed.
        Variant(
            "coverage",
            "the host tests with coverage",
            (_compiler("clang++-19"), _HOST_ONLY, _NO_COMMAND_TESTS, "-DCMAKE_BUILD_TYPE=Debug",
             f"-DCMAKE_CXX_FLAGS={_COVERAGE}", f"-DCMAKE_EXE_LINKER_FLAGS={_COVERAGE}"),
        ),
    )
}


def folder_lock(folder: pathlib.Path):
    """Held while a build folder changes."""
    return locked(folder.with_name(folder.name + ".lock"))


def _configure(variant: Variant, folder: pathlib.Path) -> None:
    if not (folder / "build.ninja").exists():
        say(f"Configuring {variant.what}")
        run(["cmake", "-S", variant.source, "-B", folder, "-G", "Ninja", *variant.options], timeout=300, quiet=True)


def configure(variant: Variant) -> pathlib.Path:
    """Makes sure that the build folder's description (and compile_commands.json) fits the tree."""
    with folder_lock(variant.folder):
        _configure(variant, variant.folder)
        run(["ninja", "-C", variant.folder, "build.ninja"], timeout=300, quiet=True)
    return variant.folder


def _ninja(folder: pathlib.Path, targets: tuple[str, ...], what: str) -> None:
    """Runs ninja and shows its progress on stderr; says nothing when there is nothing to do, since
    tools/run hands on a program's standard error as it is."""
    command = ["ninja", "-C", str(folder), "-j", str(os.cpu_count() or 2), *targets]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace")
    quiet: list[str] | None = []
    on_terminal = sys.stderr.isatty()
    try:
        for line in process.stdout:
            if quiet is not None:
                quiet.append(line)
                if not _PROGRESS.match(line):
                    continue
                quiet = None
                say(what)
            if on_terminal and _PROGRESS.match(line):
                width = os.get_terminal_size(sys.stderr.fileno()).columns
                line = f"\r{line.rstrip()[: width - 1]}\x1b[K"
            print(line, end="", file=sys.stderr, flush=True)
        if process.wait() != 0:
            raise ToolError("".join(quiet or ()) + f"failed with status {process.returncode}: {' '.join(command)}")
        if on_terminal and quiet is None:
            say("")
    finally:
        end_process(process)
        process.stdout.close()


def build(variant: Variant, folder: pathlib.Path | None = None, *, targets: tuple[str, ...] = ()) -> pathlib.Path:
    """Brings a build folder up to date and returns it. Two processes may ask for the same one."""
    folder = folder or variant.folder
    for name in variant.needs:
        build(VARIANTS[name], targets=("cairn_test_support",))
    with folder_lock(folder):
        _configure(variant, folder)
        _ninja(folder, targets, f"Building {variant.what}")
    return folder


SHIPPED = "kernel-release"


@dataclasses.dataclass(frozen=True)
class KernelFile:
    """A kernel that boots, whoever made it."""

    bootable: pathlib.Path

    @property
    def is_linux(self) -> bool:
        """Whether it is a Linux, by the mark of Linux's boot protocol."""
        with open(self.bootable, "rb") as file:
            return file.read(0x206)[0x202:] == b"HdrS"


@dataclasses.dataclass(frozen=True)
class KernelImage:
    """A kernel that was built here: the file that boots and the one with debug information."""

    folder: pathlib.Path

    @property
    def bootable(self) -> pathlib.Path:
        return self.folder / "cairn.stripped"

    @property
    def with_symbols(self) -> pathlib.Path:
        return self.folder / "cairn"


def kernel_image(folder: pathlib.Path | None = None, *, build_first: bool = True,
                 variant: str = "kernel") -> KernelImage:
    """The kernel in `folder` (the variant's own unless given), built first unless told otherwise."""
    image = KernelImage(folder or VARIANTS[variant].folder)
    if build_first:
        build(VARIANTS[variant], image.folder)
    for file in (image.bootable, image.with_symbols):
        if not file.exists():
            raise ToolError(f"{file} does not exist; build it first")
    return image


def user_program(name: str, *, build_first: bool = True) -> pathlib.Path:
    """A program of user/, such as the guest's init. It is built without the kernel, which another one
    (--kernel) may replace."""
    if build_first:
        build(VARIANTS["kernel"], targets=(name,))
    return VARIANTS["kernel"].folder / name


def main(arguments: list[str]) -> int:
    """Builds one variant; for ctest, see tests/commands.cmake."""
    parser = argparse.ArgumentParser(prog="cairn_tools.build", description="Builds one variant.", allow_abbrev=False)
    parser.add_argument("variant", choices=VARIANTS)
    variant = VARIANTS[parser.parse_args(arguments).variant]
    install("run" if variant.name in ("kernel", SHIPPED) else "test")
    build(variant)
    return 0


if __name__ == "__main__":
    main_guard(main)
