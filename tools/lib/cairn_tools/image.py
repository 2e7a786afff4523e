"""Makes the ISO: GRUB for BIOS and UEFI, its menu, the kernel and the root's archives, in one hybrid image
that boots from a CD or, written to one, from a disk or a USB stick. An image is made again only when something
in it changed.
"""

import argparse
import dataclasses
import hashlib
import pathlib
import shutil
import tempfile
import zlib

from cairn_tools import debian
from cairn_tools.build import SHIPPED, KernelFile, kernel_image
from cairn_tools.project import ROOT, ToolError, install, locked, main_guard, run, say

_MENU = ROOT / "iso" / "grub.cfg"
# What the menu needs; without this list all of GRUB's modules go in and double the size. The
# partition maps are loaded by grub-mkrescue's own UEFI start-up script, which complains without.
_GRUB_MODULES = ("normal multiboot2 all_video echo test search iso9660 fat gzio serial terminal linux chain"
                 " sleep reboot part_acorn part_amiga part_apple part_bsd"
                 " part_dfly part_dvh part_gpt part_msdos part_plan part_sun part_sunpc")
_GRUB_PLATFORMS = ("i386-pc", "x86_64-efi")
_MEMORY_TEST = {"memtest.bin": "./boot/memtest86+x64.bin", "memtest.efi": "./boot/memtest86+x64.efi"}


@dataclasses.dataclass(frozen=True)
class Media:
    """What an ISO for people has and one for tests has not. `timeout`: how many seconds the menu waits.
    `consoles`: kernel arguments that stand before all others. `compressed`: GRUB inflates the archives."""

    timeout: int = 0
    consoles: str = ""
    compressed: bool = False
    memory_test: bool = False


# The log and the terminal of programs on the screen, and the log on a serial port too, if there is one.
FOR_PEOPLE = Media(timeout=5, consoles="console=ttyS0,115200 console=tty0", compressed=True, memory_test=True)


def menu_words(arguments: str) -> str:
    """The kernel's arguments as GRUB's script language wants them. GRUB itself puts backslashes
    before quotes and backslashes when it hands the line on, so these cannot pass unchanged."""
    if any(character in arguments for character in "'\"\\\n"):
        raise ToolError("kernel arguments with quotes, backslashes or line ends do not survive GRUB;"
                        " use --firmware none", status=2)
    return " ".join(f"'{word}'" for word in arguments.split())


def _menu(media: Media, arguments: str, modules: list[str]) -> str:
    menu = _MENU.read_text(encoding="utf-8").replace("@TIMEOUT@", str(media.timeout))
    menu = menu.replace("/boot/cairn @ARGUMENTS@", f"/boot/cairn {menu_words(f'{media.consoles} {arguments}')}")
    lines = (f"    if module2 /boot/{name} {name}; then set loaded={name}; else set complete=no; fi\n"
             for name in modules)
    return menu.replace("    @MODULES@\n", "".join(lines))


def make_iso(kernel: KernelFile, arguments: str = "", layers: tuple[pathlib.Path, ...] = (),
             iso: pathlib.Path | None = None, *, media: Media = Media()) -> pathlib.Path:
    """Returns the ISO that boots `kernel` with `arguments` and the archives `layers` as its root; makes it
    if there is none yet. `iso` is where it goes, if not beside the kernel."""
    modules = {f"root{number}.cpio": layer for number, layer in enumerate(layers)}
    menu = _menu(media, arguments, list(modules))
    digest = hashlib.sha256(repr((menu, _GRUB_MODULES, media)).encode())
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
        with tempfile.TemporaryDirectory(prefix="cairn-iso-") as name:
            tree = pathlib.Path(name)
            _fill(tree, menu, {"cairn": kernel.bootable, **modules}, media)
            write_iso(iso, tree)
        stamp.write_text(contents, encoding="ascii")
    return iso


def _fill(tree: pathlib.Path, menu: str, files: dict[str, pathlib.Path], media: Media) -> None:
    (tree / "boot/grub").mkdir(parents=True)
    (tree / "boot/grub/grub.cfg").write_text(menu, encoding="utf-8")
    for name, file in files.items():
        if media.compressed and name != "cairn":
            (tree / "boot" / name).write_bytes(_compressed(file.read_bytes()))
        else:
            shutil.copyfile(file, tree / "boot" / name)
    if media.memory_test:
        _add_memory_test(tree / "boot")


def _compressed(data: bytes) -> bytes:
    """As gzip; with xz the root would be a third smaller."""
    compressor = zlib.compressobj(9, wbits=31)  # 16 + 15: with gzip's header, which has no time in it
    return compressor.compress(data) + compressor.flush()


def _add_memory_test(folder: pathlib.Path) -> None:
    """Debian's memtest86+, for BIOS and for UEFI."""
    with locked(debian.LOCK):
        packages = debian.download(("memtest86+",))
    package = next(file for file in packages if debian.package_name(file) == "memtest86+")
    wanted = {member: name for name, member in _MEMORY_TEST.items()}
    for member, contents in debian.members(package):
        if member.name in wanted:
            (folder / wanted.pop(member.name)).write_bytes(contents.read())
    if wanted:
        raise ToolError(f"{package.name} has no {', '.join(wanted)}")


def write_iso(iso: pathlib.Path, tree: pathlib.Path) -> None:
    for platform in _GRUB_PLATFORMS:
        # grub-mkrescue makes an image without a platform that is not installed, and says nothing.
        if not pathlib.Path("/usr/lib/grub", platform).is_dir():
            raise ToolError(f"GRUB for {platform} is not installed")
    finished = iso.with_suffix(".new")
    run(["grub-mkrescue", f"--install-modules={_GRUB_MODULES}", "--locales=", "--fonts=", "--themes=",
         "-o", finished, tree, "--", "-volid", "CAIRN"], timeout=300, quiet=True)
    finished.replace(iso)


_DESCRIPTION = """\
Makes an ISO that boots Cairn on a real PC, with BIOS or UEFI, from a CD, a USB stick or a disk, and prints its
path. In it is a root of Debian packages; each of the virtual terminals 1 to 6 (Alt-F1 ... Alt-F6) has a login,
the first one is root's shell at once, and so is the first serial port (115200 baud, 8N1) if there is one.

  tools/image                                the default root
  tools/image --image small                  another set of packages
  tools/image --root tree/ -- /bin/hello     a folder as the root, and a program of it instead of the logins
  tools/image --no-root                      the kernel alone
  tools/image --menu-timeout 0               no menu: start at once
  tools/image --output cairn.iso             put it there

A bootable stick; everything on it is lost:
  Linux     lsblk tells which sdX the stick is; sudo dd if=cairn.iso of=/dev/sdX bs=4M conv=fsync
  macOS     diskutil list; diskutil unmountDisk diskN; sudo dd if=cairn.iso of=/dev/rdiskN bs=4m
  Windows   Rufus (when it asks: "DD image" mode), balenaEtcher or Win32 Disk Imager

What you will see: GRUB's menu, with the entries Cairn, the same with all log lines, a safe one (one CPU, with a
BIOS the plain text screen), and a memory test; five seconds later "Loading Cairn ...", the kernel's log, then a
shell's prompt. UEFI must have Secure Boot off. `poweroff` and `reboot` end it; `report` writes down what the
machine is. docs/hardware.md says what a PC needs.
"""


def main(arguments: list[str]) -> int:
    # guest and root_image stand above this module.
    from cairn_tools import guest
    from cairn_tools.root_image import PC_PROFILE, PROFILES, root_image

    program = None
    if "--" in arguments:
        at = arguments.index("--")
        arguments, program = arguments[:at], arguments[at + 1 :]
    parser = argparse.ArgumentParser(prog="tools/image", description=_DESCRIPTION, allow_abbrev=False,
                                     usage="tools/image [OPTION]... [-- PROGRAM [ARGUMENT]...]",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", choices=PROFILES, help=f"which set of Debian packages ({PC_PROFILE})")
    parser.add_argument("--root", type=pathlib.Path, metavar="IMAGE|DIR", help="an archive or a folder instead")
    parser.add_argument("--no-root", action="store_true", help="the kernel alone")
    parser.add_argument("--update", action="store_true", help="make the root anew from Debian's newest packages")
    parser.add_argument("--kernel-args", metavar="ARGS", help="the kernel's command line")
    parser.add_argument("--menu-timeout", type=int, default=FOR_PEOPLE.timeout, metavar="S",
                        help=f"seconds that the menu waits for a key ({FOR_PEOPLE.timeout})")
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
    if options.menu_timeout < 0:
        parser.error("a menu that waits for ever is not for a machine without a keyboard: --menu-timeout 0 or more")
    kernel_arguments = options.kernel_args or ""
    menu_words(kernel_arguments)
    media = dataclasses.replace(FOR_PEOPLE, timeout=options.menu_timeout)

    install("run")
    kernel = kernel_image(options.build_dir and options.build_dir.absolute(), build_first=not options.no_build,
                          variant=SHIPPED)
    output = options.output and options.output.absolute()
    if options.no_root:
        print(make_iso(kernel, kernel_arguments, iso=output, media=media))
        return 0
    if options.update:
        root_image(options.image or PC_PROFILE, update=True)
    with guest.temporary_folder() as folder:
        root = guest.root_layer(options.root or options.image or PC_PROFILE, folder)
        plan = guest.Program.plan_on_console(tuple(program)) if program else guest.Program.plan_of_logins()
        last = guest.session_layer(plan, folder)
        print(make_iso(kernel, kernel_arguments, (root, last), output, media=media))
    return 0


if __name__ == "__main__":
    main_guard(main)
