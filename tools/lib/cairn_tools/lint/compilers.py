"""Checks that clang and clang-format do for us."""

import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
from typing import Iterator

from cairn_tools.build import VARIANTS, Variant, configure
from cairn_tools.lint.source_tree import Finding, SourceTree
from cairn_tools.project import BUILD, ToolError

_FORMATTER = "clang-format-19"
_FILE_SECONDS = 120
_DIAGNOSTIC = re.compile(r"^(?P<path>[^\s:]+):(?P<line>\d+):\d+: (?:fatal )?(?:error|warning): (?P<message>.*)$",
                         re.MULTILINE)


def _findings(tree: SourceTree, output: str, otherwise: str) -> list[Finding]:
    """A compiler's messages as findings; one for the file `otherwise` when it gave none."""
    found = []
    for match in _DIAGNOSTIC.finditer(output):
        path = os.path.relpath(os.path.join(tree.root, match["path"]), tree.root)
        found.append(Finding(path, int(match["line"]), match["message"]))
    return found or [Finding(otherwise, 1, output.strip() or "the compiler failed and did not say why")]


def check_format(tree: SourceTree) -> Iterator[Finding]:
    """Every C++ file is as clang-format would write it."""
    paths = [source.path for source in tree.cpp]
    for begin in range(0, len(paths), 64):
        command = [_FORMATTER, "--style=file", "--dry-run", "--Werror", "--ferror-limit=1", *paths[begin : begin + 64]]
        result = subprocess.run(command, cwd=tree.root, capture_output=True, text=True, timeout=300, check=False,
                                stdin=subprocess.DEVNULL)
        if result.returncode != 0:
            yield from _findings(tree, result.stderr, paths[begin])


class CheckedFiles:
    """Remembers which compilations had no findings, by the command and the content of every file
    that was read, so that a second run of the check costs only what changed."""

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)

    def compile(self, tree: SourceTree, command: list[str], directory: str, path: str) -> list[Finding]:
        key = hashlib.sha256(shlex.join([directory, *command]).encode()).hexdigest()[:24]
        record = self._folder / f"{key}.json"
        dependencies = self._folder / f"{key}.d"
        if self._unchanged(record):
            return []
        full = [*command, "-fsyntax-only", "-MD", "-MF", str(dependencies), "-MT", "x", "-fdiagnostics-absolute-paths"]
        result = subprocess.run(full, cwd=directory, capture_output=True, text=True, timeout=_FILE_SECONDS,
                                check=False, stdin=subprocess.DEVNULL)
        if result.returncode != 0:
            return _findings(tree, result.stderr, path)
        words = shlex.split(dependencies.read_text(encoding="utf-8").replace("\\\n", " "))
        read = [os.path.join(directory, word) for word in words[1:]]
        record.write_text(json.dumps({file: _digest(file) for file in read}), encoding="utf-8")
        return []

    @staticmethod
    def _unchanged(record: pathlib.Path) -> bool:
        try:
            files = json.loads(record.read_text(encoding="utf-8"))
            return all(_digest(file) == digest for file, digest in files.items())
        except (OSError, ValueError):
            return False


_digests: dict[str, str] = {}


def _digest(file: str) -> str:
    if file not in _digests:
        _digests[file] = hashlib.sha256(pathlib.Path(file).read_bytes()).hexdigest()
    return _digests[file]


def _commands(tree: SourceTree, variant: Variant) -> dict[str, tuple[list[str], str]]:
    """The compiler's command line and folder for each C++ file of a build, without its output."""
    result = {}
    commands = configure(variant) / "compile_commands.json"
    if not commands.exists():
        raise ToolError(f"CMake describes no source file of {variant.what}")
    for entry in json.loads(commands.read_text(encoding="utf-8")):
        path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), tree.root)
        words = shlex.split(entry["command"])
        if not path.endswith(".cpp"):
            continue
        while "-o" in words:
            at = words.index("-o")
            del words[at : at + 2]
        words.remove("-c")
        result[path] = (words, entry["directory"])
    return result


def _in_parallel(jobs: list) -> Iterator[Finding]:
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for findings in pool.map(lambda job: job(), jobs):
            yield from findings


_FLAVOURS = ("kernel-clang", "host-clang")


def check_analysis(tree: SourceTree) -> Iterator[Finding]:
    """clang's thread-safety and typestate analysis, with all warnings, over the kernel for a PC and
    the kernel on the simulated machine. Which flags: those of the build."""
    checked = CheckedFiles(BUILD / "lint" / "analysis")
    jobs = []
    for flavour in _FLAVOURS:
        for path, (words, directory) in _commands(tree, VARIANTS[flavour]).items():
            if path.startswith("tests/") or not tree.exists(path):
                continue  # the tests are compiled when they are built; they take no locks of ours
            jobs.append(functools.partial(checked.compile, tree, words, directory, path))
    yield from _in_parallel(jobs)


def check_headers(tree: SourceTree) -> Iterator[Finding]:
    """Each header compiles alone, with the flags of some source file of its half of the tree."""
    checked = CheckedFiles(BUILD / "lint" / "headers")
    kernel, host = (_commands(tree, VARIANTS[flavour]) for flavour in _FLAVOURS)
    jobs = []
    for source in tree.cpp:
        if not source.is_header or source.under("tests", "tools"):
            continue
        commands = host if source.under("arch/host") or not kernel else kernel
        words, directory = next(iter(commands.values()))
        # Included into nothing rather than compiled itself, which would complain of #pragma once.
        command = [*words[:-1], "-include", str(tree.root / source.path), "-x", "c++", os.devnull]
        jobs.append(functools.partial(checked.compile, tree, command, directory, source.path))
    yield from _in_parallel(jobs)
