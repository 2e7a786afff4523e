"""Makes the ISO: GRUB for BIOS and UEFI, its menu, the kernel and the root's archives, in one hybrid image
that boots from a CD or, written to one, from a disk. An image is made again only when something in it changed.
"""

import argparse
import hashlib
import pathlib
import shutil
import tempfile

from cairn_tools.build import KernelFile, kernel_image
from cairn_tools.project import ROOT, ToolError, install, locked, main_guard, run, say

_MENU = ROOT / "iso" / "grub.cfg"
# What the menu needs; without this list all of GRUB's modules go in and double the size. The
# partition maps are loaded by grub-mkrescue's own UEFI start-up script, which complains without.
_GRUB_MODULES = ("normal multiboot2 all_video echo test search iso9660 fat part_acorn part_amiga part_apple part_bsd"
                 " part_dfly part_dvh part_gpt part_msdos part_plan part_sun part_sunpc")
_GRUB_PLATFORMS = ("i386-pc", "x86_64-efi")


def menu_words(arguments: str) -> str:
    """The kernel's arguments as GRUB's script language wants them. GRUB itself puts backslashes
    before quotes and backslashes when it hands the line on, so these cannot pass unchanged."""
    if any(character in arguments for character in "'\"\\\n"):
        raise ToolError("kernel arguments with quotes, backslashes or line ends do not survive GRUB;"
                        " use --firmware none", status=2)
    return " ".join(f"'{word}'" for word in arguments.split())


def make_iso(kernel: KernelFile, arguments: str = "", layers: tuple[pathlib.Path, ...] = (),
             iso: pathlib.Path | None = None) -> pathlib.Path:
    """Returns the ISO that boots `kernel` with `arguments` and the archives `layers` as its root; makes it
    if there is none yet. `iso` is where it goes, if not beside the kernel."""
    modules = {f"root{number}.cpio": layer for number, layer in enumerate(layers)}
    menu = _MENU.read_text(encoding="utf-8").replace("@ARGUMENTS@", menu_words(arguments))
    menu = menu.replace("    @MODULES@\n", "".join(f"    module2 /boot/{name} {name}\n" for name in modules))
    digest = hashlib.sha256(menu.encode() + b"\0" + _GRUB_MODULES.encode() + b"\0")
    for file in (kernel.bootable, *layers):
        digest.update(file.read_bytes())
    contents = digest.hexdigest()

    if iso is None:
        # One file per set of arguments, so that two tests with different ones do not fight over it.
        suffix = "-" + hashlib.sha256(arguments.encode()).hexdigest()[:8] if arguments else ""
        iso = kernel.bootable.parent / f"cairn{suffix}{'-root' if layers else ''}.iso"
    stamp = iso.with_suffix(".stamp")
    with locked(iso.with_suffix(".lock")):
        if iso.exists() and stamp.exists() and stamp.read_text(encoding="ascii") == contents:
            return iso
        say(f"Making {iso.name}")
        stamp.unlink(missing_ok=True)
        _write_iso(iso, menu, {"cairn": kernel.bootable, **modules})
        stamp.write_text(contents, encoding="ascii")
    return iso


def _write_iso(iso: pathlib.Path, menu: str, files: dict[str, pathlib.Path]) -> None:
    for platform in _GRUB_PLATFORMS:
        # grub-mkrescue makes an image without a platform that is not installed, and says nothing.
        if not pathlib.Path("/usr/lib/grub", platform).is_dir():
            raise ToolError(f"GRUB for {platform} is not installed")
    with tempfile.TemporaryDirectory(prefix="cairn-iso-") as name:
        tree = pathlib.Path(name)
        (tree / "boot/grub").mkdir(parents=True)
        (tree / "boot/grub/grub.cfg").write_text(menu, encoding="utf-8")
        for boot_name, file in files.items():
            shutil.copyfile(file, tree / "boot" / boot_name)
        finished = iso.with_suffix(".new")
        run(["grub-mkrescue", f"--install-modules={_GRUB_MODULES}", "--locales=", "--fonts=", "--themes=",
             "-o", finished, tree, "--", "-volid", "CAIRN"], timeout=300, quiet=True)
        finished.replace(iso)


_DESCRIPTION = """\
Makes an ISO that boots Cairn on a real PC, with BIOS or UEFI, and prints its path. In it is a root of Debian
packages; its init starts bash on the first serial port (115200 baud), or the program that is given.

  tools/image                                the default root
  tools/image --image small                  another set of packages
  tools/image --root tree/ -- /bin/hello     a folder as the root, and a program of it instead of the shell
  tools/image --no-root                      the kernel alone
  tools/image --output cairn.iso             put it there
  sudo dd if=cairn.iso of=/dev/sdX bs=4M     a bootable stick (everything on sdX is lost)
"""


def main(arguments: list[str]) -> int:
    # guest and root_image stand above this module.
    from cairn_tools import guest
    from cairn_tools.root_image import DEFAULT_PROFILE, PROFILES, root_image

    program = None
    if "--" in arguments:
        at = arguments.index("--")
        arguments, program = arguments[:at], arguments[at + 1 :]
    parser = argparse.ArgumentParser(prog="tools/image", description=_DESCRIPTION, allow_abbrev=False,
                                     usage="tools/image [OPTION]... [-- PROGRAM [ARGUMENT]...]",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", choices=PROFILES, help=f"which set of Debian packages ({DEFAULT_PROFILE})")
    parser.add_argument("--root", type=pathlib.Path, metavar="IMAGE|DIR", help="an archive or a folder instead")
    parser.add_argument("--no-root", action="store_true", help="the kernel alone")
    parser.add_argument("--update", action="store_true", help="make the root anew from Debian's newest packages")
    parser.add_argument("--kernel-args", metavar="ARGS", help='the kernel\'s command line ("quiet")')
    parser.add_argument("--output", type=pathlib.Path, metavar="FILE", help="where the ISO goes")
    parser.add_argument("--build-dir", type=pathlib.Path, metavar="DIR", help="the kernel's build folder")
    parser.add_argument("--no-build", action="store_true", help="take the kernel that is there")
    options = parser.parse_args(arguments)
    if sum(bool(each) for each in (options.image, options.root, options.no_root)) > 1:
        parser.error("--image, --root and --no-root exclude each other")
    if program is not None and (not program or options.no_root):
        parser.error("there is no program to start")
    if options.root and not options.root.exists():
        raise ToolError(f"{options.root} does not exist", status=2)
    kernel_arguments = options.kernel_args if options.kernel_args is not None else "" if options.no_root else "quiet"
    menu_words(kernel_arguments)

    install("run")
    kernel = kernel_image(options.build_dir and options.build_dir.absolute(), build_first=not options.no_build)
    output = options.output and options.output.absolute()
    if options.no_root:
        print(make_iso(kernel, kernel_arguments, iso=output))
        return 0
    if options.update:
        root_image(options.image or DEFAULT_PROFILE, update=True)
    with guest.temporary_folder() as folder:
        root = guest.root_layer(options.root or options.image, folder)
        last = guest.session_layer(guest.Program.plan_on_console(tuple(program or ())), folder)
        print(make_iso(kernel, kernel_arguments, (root, last), output))
    return 0


if __name__ == "__main__":
    main_guard(main)
