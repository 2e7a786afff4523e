"""Archives in cpio's newc format, from which kernels fill their first root, and what goes into them.

Data of a page or more begins on a page boundary of the archive, so that a kernel can take the pages
over instead of copying them. The name field is padded with NULs for that (namesize counts them), and
small entries go into the gaps.
"""

import dataclasses
import os
import pathlib
import stat
from typing import BinaryIO, Iterator

PAGE = 4096
_MAGIC = b"070701"
_HEADER = 110
# Linux skips entries whose name field is longer than PATH_MAX.
_MAX_NAME_FIELD = 4096
_TRAILER = "TRAILER!!!"


@dataclasses.dataclass
class Node:
    """A file of any kind. `data`: the contents of a regular file (bytes, or a file to take them from), or
    a symbolic link's target. Two paths with the same Node are two links to it."""

    mode: int
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    data: bytes | pathlib.Path = b""
    device: tuple[int, int] = (0, 0)

    def contents(self) -> bytes:
        return self.data if isinstance(self.data, bytes) else self.data.read_bytes()

    @property
    def size(self) -> int:
        return len(self.data) if isinstance(self.data, bytes) else self.data.stat().st_size


class Tree:
    """A root file system in memory: paths without a leading slash ("usr/bin/env") and their nodes."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    def directory(self, path: str, permissions: int = 0o755, **fields) -> None:
        """Makes or changes a directory, and makes the missing ones above it."""
        self._make_parents(path)
        self.nodes[path] = Node(stat.S_IFDIR | permissions, **fields)

    def file(self, path: str, data: bytes | str | pathlib.Path, permissions: int = 0o644, **fields) -> None:
        self._make_parents(path)
        contents = data.encode() if isinstance(data, str) else data
        self.nodes[path] = Node(stat.S_IFREG | permissions, data=contents, **fields)

    def symlink(self, path: str, target: str) -> None:
        self._make_parents(path)
        self.nodes[path] = Node(stat.S_IFLNK | 0o777, data=target.encode())

    def add(self, path: str, node: Node) -> None:
        self._make_parents(path)
        self.nodes[path] = node

    def _make_parents(self, path: str) -> None:
        for parent in reversed(pathlib.PurePosixPath(path).parents):
            if str(parent) != "." and str(parent) not in self.nodes:
                self.nodes[str(parent)] = Node(stat.S_IFDIR | 0o755)

    def add_folder(self, folder: pathlib.Path) -> None:
        """Everything below a folder of the host. Without root rights on the host its files usually belong to
        one user, which says nothing about the guest: they become root's."""
        links: dict[tuple[int, int], Node] = {}
        own = os.getuid()
        for name, folders, files in os.walk(folder):
            for each in sorted(folders + files):
                path = pathlib.Path(name, each)
                status = path.lstat()
                node = links.get((status.st_dev, status.st_ino))
                if node is None:
                    owner = (0, 0) if status.st_uid == own else (status.st_uid, status.st_gid)
                    node = Node(status.st_mode, *owner, int(status.st_mtime))
                    if stat.S_ISREG(status.st_mode):
                        node.data = path
                    elif stat.S_ISLNK(status.st_mode):
                        node.data = os.readlink(os.fsencode(path))
                    elif stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
                        node.device = (os.major(status.st_rdev), os.minor(status.st_rdev))
                    elif stat.S_ISSOCK(status.st_mode):
                        continue
                    if not stat.S_ISDIR(status.st_mode) and status.st_nlink > 1:
                        links[status.st_dev, status.st_ino] = node
                self.add(str(path.relative_to(folder)), node)


class _Writer:
    def __init__(self, out: BinaryIO):
        self._out = out
        self._at = 0
        self._inode = 0

    def next_inode(self) -> int:
        self._inode += 1
        return self._inode

    def write(self, path: str, node: Node, *, inode: int, links: int = 1, data: bytes = b"",
              align: bool = False) -> None:
        name = os.fsencode(path) + b"\0"
        if align:
            self._fill(len(name))
            name += bytes(self.gap(len(name)))
        fields = (inode, node.mode, node.uid, node.gid, links, node.mtime, len(data), 0, 0, *node.device, len(name), 0)
        header = _MAGIC + b"".join(b"%08X" % field for field in fields)
        self._put(header + name)
        self._put(data)

    def end(self) -> None:
        self.write(_TRAILER, Node(0), inode=0)
        self._put(bytes(-self._at % PAGE))

    def gap(self, name_size: int) -> int:
        """How many bytes there are between the end of an entry's name and the next page boundary, if the
        entry began here."""
        return -(self._at + _HEADER + name_size) % PAGE

    def _fill(self, name_size: int) -> None:
        """The root directory once more, if the name field would be longer than Linux takes."""
        if name_size + self.gap(name_size) > _MAX_NAME_FIELD:
            self.write(".", Node(stat.S_IFDIR | 0o755), inode=0, links=2)

    def _put(self, data: bytes) -> None:
        self._out.write(data)
        self._out.write(bytes(-len(data) % 4))
        self._at += len(data) + -len(data) % 4


def _entry_size(path: str, size: int) -> int:
    name = _HEADER + len(os.fsencode(path)) + 1
    return name + -name % 4 + size + -size % 4


def write(tree: Tree, out: BinaryIO) -> None:
    """Writes a whole archive; its length is a multiple of a page, so that archives can be concatenated."""
    writer = _Writer(out)
    # Without it the root's own mode would be the kernel's choice, on Linux one for everybody to write.
    writer.write(".", Node(stat.S_IFDIR | 0o755), inode=writer.next_inode(), links=2)
    paths_of: dict[int, list[str]] = {}
    for path, node in tree.nodes.items():
        paths_of.setdefault(id(node), []).append(path)

    large: list[tuple[list[str], Node]] = []
    small: list[tuple[int, str, Node]] = []
    for path, node in sorted(tree.nodes.items()):
        if stat.S_ISDIR(node.mode):  # all of them first: whatever follows finds its folder
            writer.write(path, node, inode=writer.next_inode(), links=2)
        elif len(paths_of[id(node)]) > 1 or node.size >= PAGE:
            if paths_of[id(node)][0] == path:
                large.append((paths_of[id(node)], node))
        else:
            small.append((_entry_size(path, node.size), path, node))
    small.sort(key=lambda item: item[:2])

    for paths, node in large:
        inode = writer.next_inode()
        for path in paths[:-1]:  # as cpio and Linux have it, the last link brings the contents
            writer.write(path, node, inode=inode, links=len(paths))
        data = node.contents()
        if len(data) >= PAGE:
            name_size = len(os.fsencode(paths[-1])) + 1
            _fill_gap(writer, small, name_size)
        writer.write(paths[-1], node, inode=inode, links=len(paths), data=data, align=len(data) >= PAGE)
    for _, path, node in small:
        writer.write(path, node, inode=writer.next_inode(), data=node.contents())
    writer.end()


def _fill_gap(writer: _Writer, small: list[tuple[int, str, Node]], name_size: int) -> None:
    """Writes the largest small entries that fit in front of an entry with aligned data."""
    at = len(small)
    while at and small[0][0] <= writer.gap(name_size):
        at = min(at, len(small)) - 1
        if small[at][0] <= writer.gap(name_size):
            _, path, node = small.pop(at)
            writer.write(path, node, inode=writer.next_inode(), data=node.contents())


def read(archive: bytes) -> Iterator[tuple[str, Node, int]]:
    """The entries of concatenated archives in order: path, node and where its data begins."""
    at = 0
    first_links: dict[tuple[int, int], Node] = {}
    part = 0
    while at < len(archive):
        if archive[at] == 0:
            at += 1
            continue
        if archive[at : at + 6] != _MAGIC:
            raise ValueError(f"no newc header at {at}")
        fields = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        inode, mode, uid, gid, links, mtime, size, _, _, major, minor, name_size, _ = fields
        path = os.fsdecode(archive[at + _HEADER : at + _HEADER + name_size].split(b"\0")[0])
        begin = at + _HEADER + name_size
        begin += -begin % 4
        at = begin + size + -size % 4
        if path == _TRAILER:
            part += 1
            continue
        node = Node(mode, uid, gid, mtime, archive[begin : begin + size], (major, minor))
        if links > 1 and not stat.S_ISDIR(mode):
            known = first_links.setdefault((part, inode), node)
            if size:
                known.data = node.data
            node = known
        yield path, node, begin


def unpack(tree: Tree, folder: pathlib.Path) -> None:
    """Makes a tree's files below a folder of the host; devices and owners need root there."""
    first_paths: dict[int, pathlib.Path] = {}
    for path, node in sorted(tree.nodes.items()):
        target = folder / path
        kind = stat.S_IFMT(node.mode)
        if id(node) in first_paths:
            os.link(first_paths[id(node)], target, follow_symlinks=False)
            continue
        first_paths[id(node)] = target
        if kind == stat.S_IFDIR:
            target.mkdir(exist_ok=True)
        elif kind == stat.S_IFLNK:
            target.symlink_to(os.fsdecode(node.contents()))
        elif kind == stat.S_IFREG:
            target.write_bytes(node.contents())
        else:
            os.mknod(target, node.mode, os.makedev(*node.device))
        os.chown(target, node.uid, node.gid, follow_symlinks=False)
        if kind != stat.S_IFLNK:
            target.chmod(stat.S_IMODE(node.mode))
        os.utime(target, (node.mtime, node.mtime), follow_symlinks=False)


def load(archive: pathlib.Path) -> Tree:
    """The tree that concatenated archives make."""
    tree = Tree()
    for path, node, _ in read(archive.read_bytes()):
        if path != ".":
            tree.nodes[path] = node
    return tree
