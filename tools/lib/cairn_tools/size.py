"""Prints the size of the kernel as it boots, stripped, and its largest parts; fails above 1 MiB."""

import argparse
import pathlib
import re

from cairn_tools.build import kernel_image
from cairn_tools.project import install, main_guard, run

LIMIT_BYTES = 1 << 20
_SECTION = re.compile(r"^ +\d+ (?P<name>\S+) +(?P<size>[0-9a-f]{8}) .*\n(?P<flags>.*)$", re.MULTILINE)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/size", description=__doc__, allow_abbrev=False)
    parser.add_argument("--build-dir", type=pathlib.Path, metavar="DIR", help="the kernel's build folder")
    parser.add_argument("--no-build", action="store_true", help="measure what is there")
    options = parser.parse_args(arguments)
    install("run")
    kernel = kernel_image(options.build_dir and options.build_dir.absolute(), build_first=not options.no_build)

    size = kernel.bootable.stat().st_size
    print(f"{size:9,} bytes of {LIMIT_BYTES:,}: {kernel.bootable.name}")
    dump = run(["objdump", "-h", kernel.bootable], timeout=60, quiet=True)
    for section in _SECTION.finditer(dump.stdout):
        where = "" if "CONTENTS" in section["flags"] else "  (not in the file)"
        print(f"{int(section['size'], 16):9,}   {section['name']}{where}")
    return 0 if size < LIMIT_BYTES else 1


if __name__ == "__main__":
    main_guard(main)
