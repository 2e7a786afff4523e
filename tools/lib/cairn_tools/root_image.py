"""Makes the root file system of the guest from unmodified Debian packages: a newc archive for each
profile, in build/root. What maintainer scripts would do on a real installation, and a shell needs,
is done here; see docs/images.md.
"""

import hashlib
import inspect
import pathlib
import stat
import tarfile
import tempfile

from cairn_tools import debian, newc
from cairn_tools.project import BUILD, ToolError, locked, progress, run, say

# For the smallest of machines: one static program of many names.
_TINY = "busybox-static"
_SMALL = ("base-files base-passwd bash coreutils dash debianutils findutils grep sed libc-bin ncurses-base"
          " busybox-static hostname usr-is-merged")
_SHELL = _SMALL + (" bsdutils util-linux mount procps psmisc less gawk diffutils tar gzip bzip2 xz-utils vim-tiny"
                   " ncurses-bin login passwd perl-base python3-minimal python3.11 time")
_FULL = _SHELL + (" make tcc libc6-dev sqlite3 musl mksh bc strace gdb-minimal pciutils usbutils dmidecode"
                  " util-linux-extra")

_TORTURE = _SHELL + " stress-ng"

# What a person at a PC wants: tools that look at the machine, keyboard layouts, programs that fill a screen.
_PC = _SHELL.replace("vim-tiny", "vim") + (" pciutils usbutils dmidecode util-linux-extra kbd console-data htop tmux")

# For a look at what it draws (tests/boot/screens).
_COMMANDER = _PC + " mc"

PROFILES = {"tiny": _TINY, "small": _SMALL, "shell": _SHELL, "pc": _PC, "full": _FULL, "torture": _TORTURE,
            "commander": _COMMANDER}
DEFAULT_PROFILE = "shell"
PC_PROFILE = "pc"  # of tools/image
TINY_PROFILE = "tiny"

# Dependencies of maintainer scripts and of what no program here uses.
_UNUSED_PACKAGES = frozenset(
    "debconf dpkg init-system-helpers libdebconfclient0 usr-is-merged media-types"
    " libkrb5support0 libk5crypto3 libkrb5-3 libgssapi-krb5-2 libcom-err2 libkeyutils1 libtirpc-common libtirpc3"
    " libtirpc-dev libnsl2 libnsl-dev rpcsvc-proto gcc-12-base perl perl-modules-5.36 libperl5.36 libgdbm6"
    " libgdbm-compat4 libsemanage-common libsepol2 libsemanage2".split())
# But for these, in the images whose programs need them after all: gdb's libcurl and mc's libext2fs do.
_USED_PACKAGES = {
    "full": frozenset("libkrb5support0 libk5crypto3 libkrb5-3 libgssapi-krb5-2 libcom-err2 libkeyutils1".split()),
    "commander": frozenset(("libcom-err2",)),
}
# Memory is dearer than documentation: files that the programs do without.
_UNUSED_PATHS = tuple(
    "usr/share/doc/ usr/share/man/ usr/share/info/ usr/share/locale/ usr/share/lintian/ usr/share/bug/"
    " usr/share/doc-base/ usr/share/bash-completion/ usr/share/common-licenses/ usr/share/menu/ usr/share/pixmaps/"
    " usr/share/applications/ usr/share/icons/ usr/share/debconf/ usr/share/gdb/ usr/share/perl5/Debconf/"
    " usr/share/binfmts/ usr/lib/systemd/ usr/lib/x86_64-linux-gnu/gconv/ usr/lib/valgrind/ usr/lib/binfmt.d/"
    " usr/lib/python3.11/lib2to3/ usr/lib/python3.11/pydoc_data/ usr/lib/python3.11/ensurepip/"
    " usr/share/vim/vim90/doc/ usr/share/vim/vim90/lang/ usr/share/vim/vim90/tutor/ usr/share/vim/vim90/spell/"
    " usr/share/i18n/ usr/share/keyrings/ etc/cron.daily/ etc/init.d/ etc/default/ etc/logrotate.d/ etc/dpkg/".split())
_STATIC_LIBRARIES_KEPT = ("libc_nonshared.a", "libtcc1.a", "libpthread.a", "libdl.a")

# Folders that were merged into /usr.
_MERGED = ("bin", "sbin", "lib", "lib64", "lib32", "libx32")
# As update-alternatives would have it, where the target exists.
_ALTERNATIVES = {
    "usr/bin/awk": "gawk", "usr/bin/nawk": "gawk", "usr/bin/vi": "vim.tiny", "usr/bin/view": "vim.tiny",
    "usr/bin/ex": "vim.tiny", "usr/bin/editor": "vim.tiny", "usr/bin/pager": "less",
    "usr/bin/which": "which.debianutils", "usr/bin/cc": "tcc", "usr/bin/w": "w.procps",
}
_MOUNT_POINTS = ("proc", "sys", "dev", "run", "mnt", "media", "srv", "opt", "home", "usr/local/bin", "usr/local/lib",
                 "var/lib", "var/log", "var/cache", "var/spool", "etc")


def _sources_hash(profile: str) -> str:
    """Changes with everything that decides what an image contains, except the versions of the packages."""
    text = PROFILES[profile] + "".join(inspect.getsource(module) for module in (newc, debian))
    return hashlib.sha256((text + pathlib.Path(__file__).read_text(encoding="utf-8")).encode()).hexdigest()[:16]


def root_image(profile: str = DEFAULT_PROFILE, *, update: bool = False) -> pathlib.Path:
    """The archive of a profile, made when there is none yet or, with `update`, when Debian has newer packages."""
    if profile not in PROFILES:
        raise ToolError(f"there is no image '{profile}'; there are {', '.join(PROFILES)}", status=2)
    folder = BUILD / "root"
    sources = _sources_hash(profile)
    current = folder / f"{profile}.current"
    with locked(folder / f"{profile}.lock"):
        if not update:
            try:
                recorded, name = current.read_text(encoding="ascii").split()
                if recorded == sources and (folder / name).exists():
                    return folder / name
            except (OSError, ValueError):
                pass
        with locked(debian.LOCK):
            packages = debian.download(tuple(PROFILES[profile].split()), fresh=update)
        unused = _UNUSED_PACKAGES - _USED_PACKAGES.get(profile, frozenset())
        packages = [file for file in packages if debian.package_name(file) not in unused]
        image = _make(profile, packages, folder)
        for old in folder.glob(f"{profile}-*.cpio"):
            if old != image:
                old.unlink()
        current.write_text(f"{sources} {image.name}\n", encoding="ascii")
    return image


def _make(profile: str, packages: list[pathlib.Path], folder: pathlib.Path) -> pathlib.Path:
    """Writes the archive. It is named by its contents, which is what results of tests depend on."""
    tree = newc.Tree()
    for name in _MERGED:
        tree.directory(f"usr/{name}")
        tree.symlink(name, f"usr/{name}")
    for number, file in enumerate(packages, 1):
        progress(number, len(packages), f"unpacking {debian.package_name(file)}")
        _unpack(tree, file)
    _finish(tree)
    if profile == PC_PROFILE:
        _finish_pc(tree)
    if profile == TINY_PROFILE:
        _finish_tiny(tree)
    temporary = folder / f"{profile}.new"
    with open(temporary, "w+b") as out:
        newc.write(tree, out)
        out.seek(0)
        digest = hashlib.file_digest(out, "sha256").hexdigest()[:16]
    image = folder / f"{profile}-{digest}.cpio"
    temporary.replace(image)
    say(f"Made the root image '{profile}': {len(tree.nodes)} files, {image.stat().st_size / 1048576:.0f} MiB")
    return image


def _merged(path: str) -> str:
    first, slash, rest = path.partition("/")
    return f"usr/{path}" if slash and rest and first in _MERGED else path


def _is_unused(path: str) -> bool:
    if path.endswith(".a") and "/x86_64-linux-gnu/" in path:
        return path.rsplit("/", 1)[1] not in _STATIC_LIBRARIES_KEPT
    return (path + "/").startswith(_UNUSED_PATHS)


def _unpack(tree: newc.Tree, package: pathlib.Path) -> None:
    for member, contents in debian.members(package):
        path = _merged(member.name.removeprefix("./").rstrip("/"))
        if path in ("", ".") or path in _MERGED or _is_unused(path):
            continue
        if member.islnk():
            target = tree.nodes.get(_merged(member.linkname.removeprefix("./")))
            if target:
                tree.add(path, target)
            continue
        if member.isdir() and path in tree.nodes:
            continue
        tree.add(path, _node(member, contents.read() if contents else b""))


def _node(member: tarfile.TarInfo, contents: bytes) -> newc.Node:
    kinds = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK, tarfile.CHRTYPE: stat.S_IFCHR,
             tarfile.BLKTYPE: stat.S_IFBLK, tarfile.FIFOTYPE: stat.S_IFIFO}
    kind = kinds.get(member.type, stat.S_IFREG)
    return newc.Node(kind | (0o777 if kind == stat.S_IFLNK else member.mode & 0o7777), member.uid, member.gid,
                     int(member.mtime), member.linkname.encode() if kind == stat.S_IFLNK else contents,
                     (member.devmajor, member.devminor))


def _finish(tree: newc.Tree) -> None:
    """What the packages' maintainer scripts and the installer would have done."""
    for path in _MOUNT_POINTS:
        if path not in tree.nodes:
            tree.directory(path)
    tree.directory("root", 0o700)
    tree.directory("tmp", 0o1777)
    tree.directory("var/tmp", 0o1777)
    tree.symlink("var/run", "/run")
    tree.symlink("var/lock", "/run/lock")
    tree.symlink("etc/mtab", "../proc/self/mounts")

    for target, source in (("etc/passwd", "usr/share/base-passwd/passwd.master"),
                           ("etc/group", "usr/share/base-passwd/group.master"),
                           ("etc/nsswitch.conf", "usr/share/libc-bin/nsswitch.conf"),
                           ("etc/profile", "usr/share/base-files/profile"),
                           ("root/.profile", "usr/share/base-files/dot.profile"),
                           ("root/.bashrc", "usr/share/base-files/dot.bashrc"),
                           ("etc/pam.conf", "usr/share/pam/pam.conf")):
        if source in tree.nodes and target not in tree.nodes:
            tree.file(target, tree.nodes[source].contents())
    # As pam-auth-update writes them.
    for kind, module in (("auth", "pam_unix.so nullok"), ("account", "pam_unix.so"),
                         ("password", "pam_unix.so yescrypt"),
                         ("session", "pam_permit.so")):
        tree.file(f"etc/pam.d/common-{kind}", f"{kind} [success=1 default=ignore] {module}\n"
                  f"{kind} requisite pam_deny.so\n{kind} required pam_permit.so\n")
    tree.file("etc/pam.d/common-session-noninteractive", "session required pam_permit.so\n")
    tree.file("etc/shadow", "root:*:19000:0:99999:7:::\n", 0o640, gid=42)
    tree.file("etc/hostname", "cairn\n")
    tree.file("etc/hosts", "127.0.0.1\tlocalhost cairn\n::1\tlocalhost ip6-localhost ip6-loopback\n")
    tree.file("etc/motd", "")
    for link, target in _ALTERNATIVES.items():
        folder = pathlib.PurePosixPath(link).parent
        if link not in tree.nodes and str(folder / target) in tree.nodes:
            tree.symlink(link, target)


def _finish_pc(tree: newc.Tree) -> None:
    """A live system: root has no password, and who logs in is told what there is."""
    tree.file("etc/shadow", "root::19000:0:99999:7:::\n", 0o640, gid=42)
    tree.file("etc/issue", "Cairn \\r on \\m, Debian programs (\\l); log in as root, without a password\n\n")
    tree.file("etc/motd", "\nAlt-F1 to Alt-F6: more terminals.  poweroff, reboot: the end.\n"
              "report FILE: what this machine is, for a bug report.  Nothing is kept: the files are in memory.\n\n")
    for link in ("vim", "vi", "view", "ex", "editor"):
        tree.symlink(f"usr/bin/{link}", "vim.basic")


def _finish_tiny(tree: newc.Tree) -> None:
    """busybox under all its names, which only it knows, and the accounts that other images have from a package."""
    with tempfile.TemporaryDirectory(prefix="cairn-busybox-") as folder:
        program = pathlib.Path(folder, "busybox")
        program.write_bytes(tree.nodes["usr/bin/busybox"].contents())
        program.chmod(0o700)
        names = run([program, "--list-full"], timeout=60, quiet=True).stdout.split()
    for name in map(_merged, names):
        if name not in tree.nodes:
            tree.symlink(name, "/bin/busybox")
    tree.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    tree.file("etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n")
    tree.file("etc/shadow", "root::19000:0:99999:7:::\n", 0o640, gid=42)
