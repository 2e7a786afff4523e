"""Scripts: shells and Python must at least be able to read them."""

import ast
import subprocess
from typing import Iterator

from cairn_tools.lint.source_tree import Finding, Source, SourceTree

_SHELLS = ("sh", "bash")


def check_scripts(tree: SourceTree) -> Iterator[Finding]:
    """Shell scripts pass `sh -n`, Python compiles and imports nothing that it does not use."""
    for source in tree.sources:
        if source.interpreter in _SHELLS:
            yield from _check_shell(tree, source)
        elif source.path.endswith(".py") or source.interpreter.startswith("python"):
            yield from _check_python(source)
        if source.interpreter and not (tree.root / source.path).stat().st_mode & 0o100:
            yield Finding(source.path, 1, "a script that is not executable")


def _check_shell(tree: SourceTree, source: Source) -> Iterator[Finding]:
    result = subprocess.run([source.interpreter, "-n", str(tree.root / source.path)], capture_output=True, text=True,
                            timeout=30, check=False, stdin=subprocess.DEVNULL)
    if result.returncode != 0:
        yield Finding(source.path, 1, f"{source.interpreter} -n: {result.stderr.strip()}")


def _check_python(source: Source) -> Iterator[Finding]:
    try:
        module = ast.parse(source.text, source.path)
    except SyntaxError as error:
        yield Finding(source.path, error.lineno or 1, error.msg)
        return
    used = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)}
    for node in ast.walk(module):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                name = (alias.asname or alias.name).split(".")[0]
                if name not in used:
                    yield Finding(source.path, node.lineno, f"{name} is imported and not used")
