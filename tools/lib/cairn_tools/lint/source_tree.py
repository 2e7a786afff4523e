"""The files that are checked, what a check reports, and C++ text without its comments."""

import dataclasses
import functools
import pathlib
import re
import subprocess
from typing import Iterator

# Folders that are the product of a tool, or belong to git.
_NOT_SOURCES = {"build", ".git", ".cache", "__pycache__"}


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    """One complaint; printed as file:line: message. Advice is printed and fails nothing."""

    path: str
    line: int
    message: str
    is_advice: bool = False

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


# Comments, literals and, so that 1'000 does not begin a character, numbers.
_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      |(?P<raw>R"(?P<mark>[^()\s\\]*)\(.*?\)(?P=mark)")
      |(?P<string>"(?:\\.|[^"\\\n])*")
      |(?P<number>\b\d[\w.']*)
      |(?P<character>'(?:\\.|[^'\\\n])+')""",
    re.DOTALL | re.VERBOSE,
)
_INCLUDE = re.compile(r'^\s*#\s*include\s*(?P<delimiter>[<"])(?P<name>[^>"]+)[>"]', re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Include:
    """An #include directive."""

    name: str
    quoted: bool
    line: int


@dataclasses.dataclass(frozen=True)
class Source:
    """One text file; `path` is relative to the tree's root, with slashes."""

    path: str
    text: str

    @functools.cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @functools.cached_property
    def code_lines(self) -> list[str]:
        """The lines with comments and the insides of literals blanked."""

        def blank(match: re.Match) -> str:
            if match.lastgroup == "number":
                return match[0]
            return re.sub(r"[^\n]", " ", match[0])

        return _TOKEN.sub(blank, self.text).split("\n")

    @functools.cached_property
    def includes(self) -> list[Include]:
        return [
            Include(match["name"], match["delimiter"] == '"', self.text.count("\n", 0, match.start("name")) + 1)
            for match in _INCLUDE.finditer(self.text)
        ]

    @property
    def is_cpp(self) -> bool:
        return self.path.endswith((".cpp", ".h"))

    @property
    def is_header(self) -> bool:
        return self.path.endswith(".h")

    @property
    def is_assembly(self) -> bool:
        return self.path.endswith((".asm", ".inc", ".S"))

    @property
    def interpreter(self) -> str:
        """The program of a script's first line ("sh", "bash", "python3"), or an empty string."""
        match = re.match(r"#!\s*(?:/usr/bin/env\s+)?(?:\S*/)?(\S+)", self.text)
        return match[1] if match else ""

    def under(self, *folders: str) -> bool:
        return any(self.path == folder or self.path.startswith(folder + "/") for folder in folders)


class SourceTree:
    """All text files of the project: what git tracks or would track, so that a new file is checked
    before it is added."""

    def __init__(self, root: pathlib.Path):
        self.root = root.resolve()

    @functools.cached_property
    def sources(self) -> list[Source]:
        result = []
        for path in sorted(self._paths()):
            file = self.root / path
            if file.is_symlink() or not file.is_file():
                continue  # deleted, and not yet from the index
            try:
                result.append(Source(path, file.read_text(encoding="utf-8")))
            except UnicodeDecodeError:
                continue  # a picture, a corpus file
        return result

    @property
    def cpp(self) -> Iterator[Source]:
        return (source for source in self.sources if source.is_cpp)

    def exists(self, path: str) -> bool:
        return (self.root / path).is_file()

    def _paths(self) -> list[str]:
        command = ["git", "-C", str(self.root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        if (self.root / ".git").exists():
            output = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
            return [name for name in set(output.decode().split("\0")) if name]
        files = (path for path in self.root.rglob("*") if path.is_file())
        relative = (path.relative_to(self.root) for path in files)
        return [path.as_posix() for path in relative if not _NOT_SOURCES.intersection(path.parts)]
