"""Checks that clang and clang-format do for us."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
from typing import Iterator

from cairn_tools.build import VARIANTS, Variant, configure, folder_lock
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


_FLAVOURS = (("kernel-clang", ()), ("host-clang", ("cairn_host",)))


def check_analysis(tree: SourceTree) -> Iterator[Finding]:
    """clang, with its thread-safety and typestate analysis, has nothing to say about the kernel for a
    PC and the kernel on the simulated machine. These are builds like any other, so that it costs only
    what has changed."""
    for name, targets in _FLAVOURS:
        folder = configure(VARIANTS[name])
        command = ["ninja", "-C", str(folder), "-k", "0", *targets]
        with folder_lock(folder):
            result = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False,
                                    stdin=subprocess.DEVNULL)
        if result.returncode != 0:
            yield from _findings(tree, result.stdout, "CMakeLists.txt")


def compiler_command(tree: SourceTree, variant: Variant, path: str = "") -> tuple[list[str], str]:
    """The compiler's command line for a C++ file of a build (any one, unless named), without input and
    output, and the folder it runs in."""
    commands = configure(variant) / "compile_commands.json"
    if commands.exists():
        for entry in json.loads(commands.read_text(encoding="utf-8")):
            file = os.path.relpath(os.path.join(entry["directory"], entry["file"]), tree.root)
            if not file.endswith(".cpp") or file.startswith("tests/") or path not in ("", file):
                continue
            if not path and file.startswith("arch/x86_64/vdso/user/"):
                continue  # a program's code, with flags of its own
            words = shlex.split(entry["command"])
            at = words.index("-o")
            del words[at : at + 2]
            words.remove("-c")
            return words[:-1], entry["directory"]
    raise ToolError(f"CMake describes no such source file of {variant.what}")


class CheckedFiles:
    """Remembers which compilations had no findings, by the command and the content of every file
    that was read, so that a second run costs only what has changed."""

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)

    def compile(self, tree: SourceTree, command: list[str], directory: str, path: str) -> list[Finding]:
        """Compiles to nothing; what the compiler says, with `path` for a file that it does not name."""
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


def headers_to_compile(tree: SourceTree) -> list[str]:
    """The headers of which no source file proves that they stand alone, by including them first."""
    first = {source.includes[0].name for source in tree.cpp if not source.is_header and source.includes}
    headers = (source.path for source in tree.cpp if source.is_header and not source.under("tests", "tools"))
    return [path for path in headers if path not in first]


def check_headers(tree: SourceTree) -> Iterator[Finding]:
    """Each header compiles alone, with the flags of its half of the tree."""
    checked = CheckedFiles(BUILD / "lint-headers")
    kernel, host = (compiler_command(tree, VARIANTS[name]) for name, _ in _FLAVOURS)

    def compile_header(path: str) -> list[Finding]:
        words, directory = host if path.startswith("arch/host/") else kernel
        # Included into nothing rather than compiled itself, which would complain of #pragma once.
        return checked.compile(tree, [*words, "-include", str(tree.root / path), "-x", "c++", os.devnull], directory,
                               path)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for findings in pool.map(compile_header, headers_to_compile(tree)):
            yield from findings
