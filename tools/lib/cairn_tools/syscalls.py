"""The page of system calls, made from the kernel's one table and the handlers' declarations."""

import argparse
import re

from cairn_tools.project import ROOT, ToolError, main_guard, say

_TABLE = ROOT / "kernel/syscall/table.cpp"
_PAGE = ROOT / "docs/syscalls.md"
_ROW = re.compile(r"(?:SYSCALL|TRANSFER)\((\d+), (\w+), (?:Restart|Transfer)::(\w+)\)")
_DECLARATION = re.compile(r"^Result<[^;]*?>\s+sys_(\w+)\(Caller&(?: self)?(?:,\s*)?([^;]*)\);", re.MULTILINE)
_RESTART = {
    "No": "",
    "Yes": "with SA_RESTART",
    "WithoutHandler": "if no handler ran",
    "Continuation": "if no handler ran, with the time left",
    # Those that read or write are rows of their own kind.
    "Read": "with SA_RESTART",
    "Write": "with SA_RESTART",
}
_HEAD = """\
# System calls

Made by `tools/syscalls` from the table in `kernel/syscall/table.cpp`; a test sees that it is up to date. The
last column says what becomes of a call that a signal interrupts: nothing there means that EINTR reaches the
program (signal(7)).
A number that is not here gives ENOSYS and a line in the log.

| number | call | parameters | goes on after a signal |
| ---: | --- | --- | --- |
"""


def _parameters() -> dict[str, str]:
    found = {}
    for header in sorted((ROOT / "kernel/syscall").glob("*.h")):
        for match in _DECLARATION.finditer(header.read_text()):
            found[match[1]] = " ".join(match[2].split()).replace("|", "\\|")
    return found


def page() -> str:
    parameters = _parameters()
    rows = _ROW.findall(_TABLE.read_text())
    lines = [f"| {number} | {name} | {parameters.get(name, '')} | {_RESTART[restart]} |"
             for number, name, restart in rows]
    return _HEAD + "\n".join(lines) + f"\n\n{len(rows)} calls.\n"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/syscalls", allow_abbrev=False,
                                     description="Writes docs/syscalls.md from the table of system calls.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the page is out of date")
    options = parser.parse_args(arguments)
    text = page()
    if options.check:
        if not _PAGE.exists() or _PAGE.read_text() != text:
            raise ToolError("docs/syscalls.md is out of date: run tools/syscalls")
        return 0
    _PAGE.write_text(text)
    say(f"Wrote {_PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    main_guard(main)
