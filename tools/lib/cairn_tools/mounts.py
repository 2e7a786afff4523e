"""Folders of the host in the guest (rule R04): tools/run --mount. user/init/host_folders.h is the other end.

A folder travels as a layer of the root. When the program has ended, init sends the names of all that is in a writable
folder, and those files that have changed; only then is the host's folder touched.
"""

import dataclasses
import os
import pathlib
import stat
import tempfile
from typing import BinaryIO, Iterable

from cairn_tools import newc
from cairn_tools.project import ToolError, say


@dataclasses.dataclass(frozen=True)
class Mount:
    """A folder of the host and its place in the guest; a relative place is taken from /."""

    folder: pathlib.Path
    place: str
    writable: bool = False

    @staticmethod
    def parse(text: str) -> "Mount":
        """DIR:PLACE, DIR:PLACE:ro or DIR:PLACE:rw."""
        body, _, mode = text.rpartition(":")
        if mode not in ("ro", "rw"):
            body, mode = text, "ro"
        folder, _, place = body.rpartition(":")
        if not folder or not place:
            raise ToolError(f"'{text}' is not DIR:PLACE[:ro|:rw]", status=2)
        if not pathlib.Path(folder).is_dir():
            raise ToolError(f"{folder} is not a folder", status=2)
        if ".." in pathlib.PurePosixPath(place).parts:
            raise ToolError(f"{place}: '..' has no meaning there", status=2)
        return Mount(pathlib.Path(folder).absolute(), place, mode == "rw")

    @property
    def field(self) -> tuple[str, str]:
        """What the plan for init says of it."""
        return "mount", f"{'rw' if self.writable else 'ro'}:{self.place}"


def layer(mounts: Iterable[Mount], folder: pathlib.Path) -> tuple[pathlib.Path, list[tuple[Mount, list[str]]]]:
    """The archive that brings them all, as .cairn/mounts/N; and the names of the files that each brings."""
    sent = []
    tree = newc.Tree()
    # Nobody but root shall find a way around "read-only".
    tree.directory(".cairn/mounts", 0o700)
    for number, mount in enumerate(mounts):
        status = mount.folder.stat()
        below = newc.Tree()
        below.add_folder(mount.folder)
        tree.directory(f".cairn/mounts/{number}", stat.S_IMODE(status.st_mode), mtime=int(status.st_mtime))
        sent.append((mount, list(below.nodes)))
        for path, node in below.nodes.items():
            tree.add(f".cairn/mounts/{number}/{path}", node)
    archive = folder / "mounts.cpio"
    with open(archive, "wb") as out:
        newc.write(tree, out)
    return archive, sent


class Changes:
    """What init sends, by number of the mount. `sent`: what layer() says."""

    def __init__(self, sent: list[tuple[Mount, list[str]]]):
        self.sent = sent
        self._parts: dict[int, BinaryIO] = {}
        self._complete: set[int] = set()

    def add(self, number: int, data: bytes) -> None:
        """The next bytes; none: that was all."""
        if not data:
            self._complete.add(number)
            return
        if number not in self._parts:
            self._parts[number] = tempfile.TemporaryFile()
        self._parts[number].write(data)

    def apply(self) -> None:
        """Makes the host's folders what the guest's are now. Those of which not all has come stay as they were."""
        for number, (mount, sent) in enumerate(self.sent):
            if not mount.writable:
                continue
            if number in self._complete:
                file = self._parts[number]
                file.seek(0)
                data = file.read()
                end = 1 if data.startswith(b"\0") else data.find(b"\0\0") + 2
                try:
                    changed = [(name, node) for name, node, _ in newc.read(data[end:])]
                except ValueError as error:
                    raise ToolError(f"{mount.folder} stays as it was: the guest told nonsense ({error})") from error
                names = {os.fsdecode(name) for name in data[:end].split(b"\0") if name}
                _apply(mount.folder, sent, names, changed)
            else:
                say(f"{mount.folder} stays as it was: the guest ended before it had told its changes")

    def close(self) -> None:
        for file in self._parts.values():
            file.close()


def _apply(folder: pathlib.Path, sent: list[str], names: set[str], changed: list[tuple[str, newc.Node]]) -> None:
    """Only what was sent can have been removed: what somebody has made here meanwhile stays. Goes on where something
    cannot be written, and fails in the end."""
    links: dict[int, pathlib.Path] = {}
    # What is in a folder is removed before it. Its own look comes last: it may forbid what had to be done in it.
    steps = [(name, _remove) for name in sorted(set(sent) - names, reverse=True)]
    steps += [(name, lambda path, node=node: _make(path, node, links)) for name, node in changed]
    steps += [(name, lambda path, node=node: _finish_folder(path, node))
              for name, node in changed if stat.S_ISDIR(node.mode)]
    failures = 0
    for name, step in steps:
        try:
            if _is_inside(folder, name):
                step(folder / name)
            else:
                say(f"{name!r} is no name in {folder}: left out")
        except OSError as error:
            say(f"{folder / name}: {error.strerror}")
            failures += 1
    if failures:
        raise ToolError(f"{folder}: {failures} changes could not be taken back")


def _is_inside(folder: pathlib.Path, name: str) -> bool:
    """Whether it names something below the folder, and no link on the way leads elsewhere."""
    parts = pathlib.PurePosixPath(name).parts
    if not parts or parts[0] == "/" or ".." in parts:
        return False
    for part in parts[:-1]:
        folder = folder / part
        if not folder.exists() or not stat.S_ISDIR(folder.lstat().st_mode):
            return False
    return True


def _remove(path: pathlib.Path) -> bool:
    """A folder only if it is empty. Whether nothing is there any more."""
    if not os.path.lexists(path):
        return True
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return True
    try:
        path.rmdir()
    except OSError as error:
        say(f"{path} stays: {error.strerror}")
        return False
    return True


def _finish_folder(path: pathlib.Path, node: newc.Node) -> None:
    if stat.S_ISDIR(path.lstat().st_mode):
        path.chmod(_permissions(node))
        os.utime(path, (node.mtime, node.mtime))


def _permissions(node: newc.Node) -> int:
    """Ownership and set-id bits of the guest mean nothing on the host."""
    return stat.S_IMODE(node.mode) & 0o1777


def _make(path: pathlib.Path, node: newc.Node, links: dict[int, pathlib.Path]) -> None:
    """One file, whatever was there before; a folder without its permissions."""
    kind = stat.S_IFMT(node.mode)
    there = stat.S_IFMT(path.lstat().st_mode) if os.path.lexists(path) else None
    if kind == stat.S_IFDIR:
        if there != kind:
            _remove(path)
            path.mkdir()
        return
    if kind not in (stat.S_IFREG, stat.S_IFLNK, stat.S_IFIFO):
        say(f"{path} is a device or a socket in the guest: left out")
        return
    if there == stat.S_IFDIR and not _remove(path):
        return
    new = path.with_name(f".cairn-{os.getpid()}")  # a reader sees the old contents or the new
    try:
        if id(node) in links:
            os.link(links[id(node)], new, follow_symlinks=False)
        elif kind == stat.S_IFREG:
            new.write_bytes(node.contents())
            new.chmod(_permissions(node))
        elif kind == stat.S_IFLNK:
            new.symlink_to(os.fsdecode(node.contents()))
        else:
            os.mkfifo(new)
            new.chmod(_permissions(node))
        os.utime(new, (node.mtime, node.mtime), follow_symlinks=False)
        new.rename(path)
    finally:
        new.unlink(missing_ok=True)  # a link to the same file is not renamed (rename(2))
    links[id(node)] = path
