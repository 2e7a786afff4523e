"""Checks the sources: layers, includes, format, thread-safety analysis and the rules of style that
a program can check.

Exceptions are in tools/lib/lint-exceptions, one per line, each with its reason; an exception that no
longer applies is reported too.
"""

import argparse
import dataclasses
import pathlib
import sys
import time

from cairn_tools.lint import compilers, layers, scripts, text
from cairn_tools.lint.source_tree import Finding, SourceTree
from cairn_tools.project import ROOT, ToolError, install, main_guard, say

CHECKS = {
    "layers": layers.check_layers,
    "includes": layers.check_includes,
    "unsafe-places": text.check_unsafe_places,
    "safety-comments": text.check_safety_comments,
    "fixed-tables": text.check_fixed_tables,
    "length": text.check_length,
    "whitespace": text.check_whitespace,
    "unfinished": text.check_unfinished,
    "machine-paths": text.check_machine_paths,
    "scripts": scripts.check_scripts,
    "format": compilers.check_format,
    "headers": compilers.check_headers,
    "analysis": compilers.check_analysis,
}

EXCEPTIONS = ROOT / "tools/lib/lint-exceptions"


@dataclasses.dataclass
class LintException:
    """One line of the list: a check, a file, a part of the line's text, and why it is right."""

    check: str
    path: str
    part: str
    line: int
    used: bool = False


def read_exceptions(file: pathlib.Path) -> list[LintException]:
    """Lines of four fields, separated by bars: check | path | part of the line | reason."""
    result = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split("|", 3)]
        if len(fields) != 4 or not all(fields) or fields[0] not in CHECKS:
            raise ToolError(f"{file.name}:{number}: not of the form check | path | part of the line | reason")
        result.append(LintException(fields[0], fields[1], fields[2], number))
    return result


def findings_of(name: str, tree: SourceTree, exceptions: list[LintException]) -> list[Finding]:
    """What a check finds, less the exceptions, plus the exceptions that it did not need."""
    lines = {source.path: source.lines for source in tree.sources}
    mine = [exception for exception in exceptions if exception.check == name]
    result = []
    for finding in CHECKS[name](tree):
        line = lines.get(finding.path, [""])[finding.line - 1] if finding.path in lines else ""
        fitting = [one for one in mine if one.path == finding.path and one.part in line]
        for exception in fitting:
            exception.used = True
        if not fitting:
            result.append(finding)
    for exception in mine:
        if not exception.used:
            result.append(Finding("tools/lib/lint-exceptions", exception.line, "this exception is not needed any more"))
    return sorted(set(result))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/lint", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"which ones (all): {', '.join(CHECKS)}")
    parser.add_argument("--list", action="store_true", help="print the checks and what they demand")
    parser.add_argument("--names", action="store_true", help="print the checks' names")
    options = parser.parse_args(arguments)
    for name in options.checks:
        if name not in CHECKS:
            parser.error(f"there is no check '{name}'; --list names them")
    if options.list:
        for name, check in CHECKS.items():
            print(f"{name:16} {' '.join((check.__doc__ or '').split())}")
        return 0
    if options.names:
        print("\n".join(CHECKS))
        return 0

    install("run", "test")
    tree = SourceTree(ROOT)
    exceptions = read_exceptions(EXCEPTIONS)
    count = 0
    for name in options.checks or CHECKS:
        begin = time.monotonic()
        findings = findings_of(name, tree, exceptions)
        failures = sum(not finding.is_advice for finding in findings)
        count += failures
        for finding in findings:
            print(f"{finding}{' (advice)' if finding.is_advice else ''} [{name}]")
        sys.stdout.flush()
        say(f"{name:16} {f'{failures} findings' if failures else 'ok':14} {time.monotonic() - begin:5.1f} s")
    return 1 if count else 0


if __name__ == "__main__":
    main_guard(main)
