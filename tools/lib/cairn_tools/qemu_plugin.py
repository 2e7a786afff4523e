"""Plugins for QEMU's translator: built from tools/lib when they are needed."""

import pathlib

from cairn_tools.project import BUILD, ROOT, locked, run

_SOURCES = ROOT / "tools/lib"


def options(name: str, output: pathlib.Path) -> tuple[str, str]:
    """QEMU's options for the plugin tools/lib/NAME.cpp, which writes to `output` at the end."""
    source, plugin = _SOURCES / f"{name}.cpp", BUILD / f"tools/{name}.so"
    newest = max(file.stat().st_mtime for file in (source, *_SOURCES.glob("*.h")))
    with locked(plugin.with_suffix(".lock")):
        if not plugin.exists() or plugin.stat().st_mtime < newest:
            run(["g++", "-std=c++20", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", f"-I{ROOT}", "-o", plugin, source],
                timeout=120, quiet=True)
    return "-plugin", f"{plugin},output={output}"
