"""Checks that look at one file's text."""

import re
from typing import Iterator

from cairn_tools.lint.source_tree import Finding, Source, SourceTree

_FILE_LIMIT = 500
_HEADER_ADVICE = 300
_LINE_LIMIT = 120

# clang-format sees to C++; data and prose have lines of any length. So have the cases of tests/programs,
# which test tabs and blanks, too.
_FREE_TEXT = "tests/programs/cases"
_LINE_LIMITED_SUFFIXES = (".py", ".sh", ".cmake", ".asm", ".inc", "CMakeLists.txt")

_UNSAFE_FOLDERS = ("arch", "mm", "kernel/base")
_OUTSIDE = ("tests", "tools", "user")
_ASSEMBLY = re.compile(r"\b(?:asm|__asm__)\b\s*(?:volatile|goto|inline|\()")
_REINTERPRET = re.compile(r"\breinterpret_cast\b")


def check_whitespace(tree: SourceTree) -> Iterator[Finding]:
    """No tabs, no blanks at a line's end, a newline at the file's end, lines of at most 120 columns."""
    for source in tree.sources:
        if source.under(_FREE_TEXT):
            continue
        for number, line in enumerate(source.lines, 1):
            if "\t" in line:
                yield Finding(source.path, number, "a tab")
            if line != line.rstrip():
                yield Finding(source.path, number, "blanks at the end of the line")
            limited = source.path.endswith(_LINE_LIMITED_SUFFIXES) or source.interpreter
            if limited and len(line) > _LINE_LIMIT:
                yield Finding(source.path, number, f"{len(line)} columns; the limit is {_LINE_LIMIT}")
        if source.text and not source.text.endswith("\n"):
            yield Finding(source.path, len(source.lines), "no newline at the end of the file")
        elif source.text.endswith("\n\n"):
            yield Finding(source.path, len(source.lines) - 1, "an empty line at the end of the file")


def check_length(tree: SourceTree) -> Iterator[Finding]:
    """A file of code has at most 500 lines; a header should have at most 300."""
    for source in tree.sources:
        if not (source.is_cpp or source.is_assembly or source.interpreter or source.path.endswith((".py", ".cmake"))):
            continue
        count = source.text.count("\n")
        if count > _FILE_LIMIT:
            yield Finding(source.path, _FILE_LIMIT + 1, f"{count} lines; the limit is {_FILE_LIMIT}")
        elif source.is_header and count > _HEADER_ADVICE:
            yield Finding(source.path, _HEADER_ADVICE + 1, f"a header of {count} lines is two headers", is_advice=True)


# Joined, so that this file does not report itself.
_UNFINISHED = re.compile(r"\b(" + "|".join(("TO" "DO", "FIX" "ME", "X" "XX", "HA" "CK")) + r")\b(?!\(#\d+\))")


def check_unfinished(tree: SourceTree) -> Iterator[Finding]:
    """What is left to do names its issue: the word, then (#12)."""
    for source in tree.sources:
        for number, line in enumerate(source.lines, 1):
            match = _UNFINISHED.search(line)
            if match:
                yield Finding(source.path, number, f"{match[1]} without the number of an issue")


_MACHINE_PATH = re.compile(r"(?:^|[\s\"'(=:`<])(/(?:home|root|work|Users|mnt)/[\w.-]+)")


def check_machine_paths(tree: SourceTree) -> Iterator[Finding]:
    """No path that exists on somebody's machine only."""
    for source in tree.sources:
        for number, line in enumerate(source.lines, 1):
            match = _MACHINE_PATH.search(line)
            if match:
                yield Finding(source.path, number, f"{match[1]} is a path of one machine")


def check_unsafe_places(tree: SourceTree) -> Iterator[Finding]:
    """Assembly and reinterpret_cast are the business of a few folders."""
    for source in tree.cpp:
        if source.under(*_OUTSIDE, *_UNSAFE_FOLDERS):
            continue
        for number, line in enumerate(source.code_lines, 1):
            if _ASSEMBLY.search(line):
                yield Finding(source.path, number, f"assembly outside {', '.join(_UNSAFE_FOLDERS)}")
            if _REINTERPRET.search(line):
                yield Finding(source.path, number, f"reinterpret_cast outside {', '.join(_UNSAFE_FOLDERS)}")


def check_safety_comments(tree: SourceTree) -> Iterator[Finding]:
    """An asm block has a comment that begins with SAFETY: and says why it is right. One comment
    may speak for all blocks of a paragraph, that is, up to the next empty line."""
    for source in tree.cpp:
        if source.under(*_OUTSIDE):
            continue
        for number, line in enumerate(source.code_lines, 1):
            if _ASSEMBLY.search(line) and not _paragraph_has_safety(source, number):
                yield Finding(source.path, number, "assembly without a SAFETY: comment above it")


def _paragraph_has_safety(source: Source, number: int) -> bool:
    for line in reversed(source.lines[:number]):
        if "SAFETY:" in line:
            return True
        if not line.strip():
            return False
    return False


# Things of which a program can ask for more; a table of them must grow.
_COUNTED = (
    r"\w*(?:Task|Thread|Process|File|Inode|Dentry|DirectoryEntry|Mapping|Vma|Descriptor|Socket|Pipe|Mount|Region"
    r"|Session|Pid|Timer|Semaphore|Connection|Watch)\b"
)
_HELD_BY = r"(?:(?:Own|Ref)<)?(?:\w+::)*"
_TABLE = re.compile(
    rf"(?<![\w:<]){_HELD_BY}{_COUNTED}>?\s*\*?\s+\w+\s*\[[^\]]+\]\s*(?:[;={{]|GUARDED_BY)"
    rf"|\barray\s*<\s*{_HELD_BY}{_COUNTED}"
)
_LIMIT = re.compile(r"\bconstexpr\b[^=;]*\b(kMax[A-Z]\w*)\s*[={]")


def check_fixed_tables(tree: SourceTree) -> Iterator[Finding]:
    """Nothing that a program can ask for more of has a fixed number. Every array of such things and
    every kMax… constant is reported; the good ones are in the list of exceptions, with the reason."""
    for source in tree.cpp:
        if source.under(*_OUTSIDE):
            continue
        for number, line in enumerate(source.code_lines, 1):
            if _TABLE.search(line):
                yield Finding(source.path, number, f"a table of fixed size: {line.strip()}")
            limit = _LIMIT.search(line)
            if limit:
                yield Finding(source.path, number, f"a fixed limit: {limit[1]}")
