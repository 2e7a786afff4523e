"""The cases, from two kinds of files under tests/programs/cases.

NAME.sh holds scripts. A line "#: case [seconds=N] [shell=PATH]" begins one; what stands before the first
such line is put in front of each.

NAME.table holds one-line scripts: the program's name, then the script. Rows that begin with "-" are put in
front of each. The rows of one program are numbered: table.program.1, …
"""

import dataclasses
import hashlib
import pathlib
import re

from cairn_tools.project import ROOT, ToolError

FOLDER = ROOT / "tests/programs"
FILES = FOLDER / "files"
_SECONDS = 60
_SHELL = "/bin/sh"
_BEGIN = re.compile(r"#: (?P<name>[\w.+-]+)(?P<options>( \w+=\S+)*)$")


@dataclasses.dataclass(frozen=True)
class Case:
    """A script that runs in an empty folder of its own, with $FILES naming tests/programs/files."""

    name: str
    script: str
    seconds: int = _SECONDS
    shell: str = _SHELL

    @property
    def group(self) -> str:
        """The name of the case's file."""
        return self.name.split(".")[0]

    @property
    def digest(self) -> str:
        """Changes with everything in the case that decides about its output."""
        return hashlib.sha256(f"{self.name}\0{self.shell}\0{self.script}".encode()).hexdigest()


def _scripts(file: pathlib.Path) -> list[Case]:
    prelude: list[str] = []
    cases: list[Case] = []
    lines = prelude
    begun: list[tuple[re.Match, list[str]]] = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#:"):
            match = _BEGIN.match(line)
            if not match:
                raise ToolError(f"{file}:{number}: not '#: name [seconds=N] [shell=PATH]'")
            lines = []
            begun.append((match, lines))
        else:
            lines.append(line)
    for match, lines in begun:
        options = dict(word.split("=", 1) for word in match["options"].split())
        script = "\n".join([*prelude, *lines]).rstrip() + "\n"
        cases.append(Case(f"{file.stem}.{match['name']}", script, int(options.pop("seconds", _SECONDS)),
                          options.pop("shell", _SHELL)))
        if options:
            raise ToolError(f"{file}: {match['name']}: unknown option {next(iter(options))}")
    return cases


def _rows(file: pathlib.Path) -> list[Case]:
    prelude, cases, numbers = "", [], {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        program, script = line.split(maxsplit=1)
        if program == "-":
            prelude += script + "\n"
            continue
        numbers[program] = numbers.get(program, 0) + 1
        name = program.replace("[", "bracket")
        cases.append(Case(f"{file.stem}.{name}.{numbers[program]}", prelude + script + "\n"))
    return cases


def all_cases() -> list[Case]:
    cases = [case for file in sorted((FOLDER / "cases").glob("*.sh")) for case in _scripts(file)]
    cases += [case for file in sorted((FOLDER / "cases").glob("*.table")) for case in _rows(file)]
    names = [case.name for case in cases]
    for name in names:
        if names.count(name) > 1:
            raise ToolError(f"two cases are called {name}")
    return cases


def programs_of(table: str) -> set[str]:
    """The programs that a table has rows for."""
    lines = (FOLDER / f"cases/{table}.table").read_text(encoding="utf-8").splitlines()
    return {line.split(maxsplit=1)[0] for line in lines if line.strip() and line[0] not in "#-"}
