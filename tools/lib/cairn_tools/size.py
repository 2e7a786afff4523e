"""Prints the size of the kernel as it boots, stripped, with its sections, and fails above a limit: 1 MiB for the kernel
itself (build/kernel-release), a quarter more with the run-time checks that tests have (tools/run --checks)."""

import argparse
import pathlib
import re

from cairn_tools.build import KernelImage, kernel_image
from cairn_tools.project import install, main_guard, run

# The build has the same limits (arch/x86_64/kernel.cmake).
LIMITS = {"kernel-release": 1 << 20, "kernel": 5 << 18}
_SECTION = re.compile(r"^ +\d+ (?P<name>\S+) +(?P<size>[0-9a-f]{8}) .*\n(?P<flags>.*)$", re.MULTILINE)


def _measure(kernel: KernelImage, variant: str) -> bool:
    """Prints one kernel's table; whether it is small enough."""
    size = kernel.bootable.stat().st_size
    print(f"{size:9,} bytes of {LIMITS[variant]:,}: {variant}")
    dump = run(["objdump", "-h", kernel.bootable], timeout=60, quiet=True)
    for section in _SECTION.finditer(dump.stdout):
        where = "" if "CONTENTS" in section["flags"] else "  (not in the file)"
        print(f"{int(section['size'], 16):9,}   {section['name']}{where}")
    return size <= LIMITS[variant]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/size", description=__doc__, allow_abbrev=False)
    parser.add_argument("--variant", choices=LIMITS, help="only this one")
    parser.add_argument("--build-dir", type=pathlib.Path, metavar="DIR", help="the build folder of this one")
    parser.add_argument("--no-build", action="store_true", help="measure what is there")
    options = parser.parse_args(arguments)
    if options.build_dir and not options.variant:
        parser.error("whose build folder? --variant tells")
    install("run")
    sound = True
    for variant in [options.variant] if options.variant else LIMITS:
        kernel = kernel_image(options.build_dir and options.build_dir.absolute(), build_first=not options.no_build,
                              variant=variant)
        sound &= _measure(kernel, variant)
    return 0 if sound else 1


if __name__ == "__main__":
    main_guard(main)
