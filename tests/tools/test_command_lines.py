"""The tools' command lines and the parts of them that need no emulator: help, wrong arguments, the log
filter, the words of GRUB's menu, the choice of rows."""

import io
import itertools
import pathlib
import stat
import subprocess
import tempfile
import unittest

from boot import rows
from cairn_tools import guest, image, kernel_log, newc
from cairn_tools.emulation import FirmwareFilter
from cairn_tools.project import ROOT, ToolError
from cairn_tools.qemu import Machine
from programs import cases
from programs import main as programs_main

_TOOLS = ("tools/run", "tools/test", "tools/lint", "tools/coverage", "tools/image", "tools/size", "tools/boot-count",
          "tools/bench", "tools/profile", "tools/explore", "tools/mutants", "tests/boot/matrix", "tests/programs/run",
          "tests/torture/run")


def _call(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run([str(ROOT / words[0]), *words[1:]], capture_output=True, text=True, timeout=60, check=False,
                          stdin=subprocess.DEVNULL)


class CommandLines(unittest.TestCase):
    """Every tool explains itself and refuses what it does not understand with status 2."""

    def test_help(self):
        for tool in _TOOLS:
            with self.subTest(tool):
                result = _call(tool, "--help")
                self.assertEqual(0, result.returncode, result.stderr)
                self.assertIn("usage: " + tool, result.stdout)

    def test_unknown_option(self):
        for tool in _TOOLS:
            with self.subTest(tool):
                self.assertEqual(2, _call(tool, "--no-such-option").returncode)

    def test_wrong_values_are_named(self):
        for words, part in (
            (("--cpus", "0"), "'0' is not a positive number"),
            (("--memory", "lots"), "'lots' is not a size"),
            (("--machine", "vax"), "invalid choice: 'vax'"),
            (("--machine", "microvm", "--firmware", "uefi"), "microvm has no firmware"),
            (("--icount", "--cpus", "2"), "single CPU"),
            (("--accel", "kvm", "--gdb"), "need TCG"),
            (("--env", "novalue"), "'novalue' is not NAME=VALUE"),
            (("--uid", "root"), "'root' is not a user's number"),
            (("--image", "huge"), "invalid choice: 'huge'"),
            (("--root", "/no/such/root"), "/no/such/root does not exist"),
            (("--kernel", "/no/such/kernel"), "/no/such/kernel does not exist"),
            (("--kernel", "/bin/sh", "--firmware", "bios"), "--kernel needs --firmware none"),
            (("--root", "/usr", "--image", "small"), "exclude each other"),
            (("--boot-only", "--", "true"), "without a root and a program"),
            (("--",), "no program after --"),
        ):
            with self.subTest(words):
                result = _call("tools/run", *words)
                self.assertEqual(2, result.returncode)
                self.assertIn(part, result.stderr)

    def test_unknown_names(self):
        self.assertEqual(2, _call("tools/lint", "no-such-check").returncode)
        self.assertEqual(2, _call("tools/test", "no-such-label").returncode)
        self.assertEqual(2, _call("tests/boot/matrix", "--row", "no-such-row").returncode)
        self.assertEqual(2, _call("tests/programs/run", "--filter", "no.such.case").returncode)

    def test_image_refuses_contradictions(self):
        self.assertEqual(2, _call("tools/image", "--root", "/usr", "--no-root").returncode)
        self.assertEqual(2, _call("tools/image", "--no-root", "--", "true").returncode)


class Firmware(unittest.TestCase):
    """The filter in front of the terminal."""

    _TEXT = b"\x1b[2J\x1b[01;01HBdsDxe: loading\r\n      \r\n[    0.000001] boot: Cairn\x1b[1m\n\x1b[0mrest"

    def test_escapes_end_with_the_kernel(self):
        whole = FirmwareFilter()
        expected = b"BdsDxe: loading\n[    0.000001] boot: Cairn\x1b[1m\n\x1b[0mrest"
        self.assertEqual(expected, whole.feed(self._TEXT) + whole.rest())

    def test_any_split_gives_the_same(self):
        for size in range(1, 20):
            pieces = FirmwareFilter()
            chunks = ["".encode()] + [self._TEXT[at : at + size] for at in range(0, len(self._TEXT), size)]
            with self.subTest(size):
                text = b"".join(map(pieces.feed, chunks)) + pieces.rest()
                self.assertEqual(b"BdsDxe: loading\n[    0.000001] boot: Cairn\x1b[1m\n\x1b[0mrest", text)

    def test_without_a_kernel_nothing_is_lost(self):
        only_firmware = FirmwareFilter()
        self.assertEqual(b"No boot device", only_firmware.feed(b"No boot device") + only_firmware.rest())


class Archives(unittest.TestCase):
    """Root images: what is written is what a reader finds, and large files lie on page boundaries."""

    @staticmethod
    def _written(tree: newc.Tree) -> bytes:
        out = io.BytesIO()
        newc.write(tree, out)
        return out.getvalue()

    def test_everything_comes_back(self):
        tree = newc.Tree()
        tree.file("usr/bin/tool", b"x" * 5000, 0o4755, uid=3, gid=4, mtime=12345)
        tree.file("empty", b"")
        tree.symlink("link", "usr/bin/tool")
        tree.directory("tmp", 0o1777)
        tree.add("dev/console", newc.Node(stat.S_IFCHR | 0o600, device=(5, 1)))
        node = newc.Node(stat.S_IFREG | 0o644, data=b"shared")
        tree.add("one", node)
        tree.add("two", node)
        found = {path: node for path, node, _ in newc.read(self._written(tree))}
        self.assertEqual(set(tree.nodes), set(found) - {"."})
        for path, node in tree.nodes.items():
            self.assertEqual(node, found[path], path)
        self.assertIs(found["one"], found["two"])

    def test_pages_are_aligned(self):
        tree = newc.Tree()
        for number in range(300):
            tree.file(f"folder/{'n' * (number % 200)}{number}", bytes(number * 37 % 9000))
        archive = self._written(tree)
        self.assertEqual(0, len(archive) % newc.PAGE)
        for path, node, begin in newc.read(archive):
            if len(node.data) >= newc.PAGE:
                self.assertEqual(0, begin % newc.PAGE, path)
                self.assertLessEqual(begin - archive.rindex(b"070701", 0, begin), 110 + 4096, path)

    def test_later_archives_win(self):
        first, second = newc.Tree(), newc.Tree()
        first.file("a", b"old")
        second.file("a", b"new")
        with tempfile.NamedTemporaryFile() as file:
            file.write(self._written(first) + self._written(second))
            file.flush()
            self.assertEqual(b"new", newc.load(pathlib.Path(file.name)).nodes["a"].data)

    def test_a_folder_becomes_a_tree(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "d").mkdir()
            (folder / "d/f").write_bytes(b"text")
            (folder / "l").symlink_to("d/f")
            tree = newc.Tree()
            tree.add_folder(folder)
        self.assertEqual({"d", "d/f", "l"}, set(tree.nodes))
        self.assertEqual((0, 0), (tree.nodes["d/f"].uid, tree.nodes["d/f"].gid))


class Plans(unittest.TestCase):
    """What tools/run tells init."""

    def test_fields(self):
        plan = guest.Program(("sh", "-c", "a=b"), ("A=1",), cwd="/tmp", uid=5).plan(None)
        fields = plan.split(b"\0")
        for field in (b"argument=sh", b"argument=a=b", b"environment=A=1", b"cwd=/tmp", b"uid=5", b"stdin=port"):
            self.assertIn(field, fields)

    def test_a_nul_is_refused(self):
        with self.assertRaises(ToolError):
            guest.Program(("a\0b",)).plan(None)

    def test_the_kernel_is_quiet_unless_traced(self):
        self.assertIn("quiet", guest.kernel_arguments("a=b").split())
        self.assertNotIn("quiet", guest.kernel_arguments(trace=True).split())

    def test_last_words_begin_at_the_panic(self):
        self.assertEqual("panic: no\n  #0 x\n", guest.last_words("[ 0.1] boot: x\npanic: no\n  #0 x\n\n"))


class ProgramCases(unittest.TestCase):
    """tests/programs: the cases can be read, and the tables are complete."""

    _COREUTILS = (
        "[ arch b2sum base32 base64 basename basenc cat chcon chgrp chmod chown chroot cksum comm cp csplit cut date dd"
        " df dir dircolors dirname du echo env expand expr factor false fmt fold groups head hostid id install join"
        " link ln logname ls md5sum mkdir mkfifo mknod mktemp mv nice nl nohup nproc numfmt od paste pathchk pinky pr"
        " printenv printf ptx pwd readlink realpath rm rmdir runcon"
        " seq sha1sum sha224sum sha256sum sha384sum sha512sum shred shuf"
        " sleep sort split stat stdbuf stty sum sync tac tail tee test timeout touch tr true truncate tsort tty uname"
        " unexpand uniq unlink users vdir wc who whoami yes").split()

    def test_every_program_of_coreutils_has_a_row(self):
        self.assertEqual(set(self._COREUTILS), cases.programs_of("coreutils"))

    def test_known_differences_are_of_cases_that_exist(self):
        names = {case.name for case in cases.all_cases()}
        for name, reason in programs_main.known_differences().items():
            self.assertIn(name, names)
            self.assertTrue(reason, name)

    def test_cases_have_names_and_scripts(self):
        for case in cases.all_cases():
            self.assertTrue(case.script.strip(), case.name)
            self.assertLess(len(case.name), 128)
            self.assertNotIn("/", case.name)


class Menu(unittest.TestCase):
    """Kernel arguments on their way through GRUB."""

    def test_words_are_quoted(self):
        self.assertEqual("'loglevel=7' 'a;b'", image.menu_words("loglevel=7  a;b"))

    def test_what_does_not_survive_is_refused(self):
        for text in ("it's", 'say="x"', "back\\slash", "line\nend"):
            with self.subTest(text), self.assertRaises(ToolError):
                image.menu_words(text)


class Patterns(unittest.TestCase):
    """The kernel's lines, as tests/boot understands them."""

    def test_lines(self):
        log = ("[    0.000001] boot: Cairn, a kernel\n[    0.1] cpu: CPU 3 online (APIC id 7)\n"
               "[    0.2] mm: 255 MiB usable of 256 MiB\n[    0.3] time: clock source tsc\n"
               "[    0.4] boot: complete in 12 ms\n\npanic: no\n  #0  0xffffffff80101234 cairn::f(int)+0x12\n")
        self.assertTrue(kernel_log.STARTED.search(log))
        self.assertEqual("7", kernel_log.CPU_ONLINE.search(log)["apic_id"])
        self.assertEqual("255", kernel_log.MEMORY.search(log)["mebibytes"])
        self.assertEqual("tsc", kernel_log.CLOCK_SOURCE.search(log)["source"])
        self.assertEqual("12", kernel_log.COMPLETE.search(log)["milliseconds"])
        self.assertEqual("no", kernel_log.PANIC.search(log)["message"])
        self.assertEqual("cairn::f(int)", kernel_log.BACKTRACE_FRAME.search(log)["symbol"])

    def test_a_word_is_not_a_panic(self):
        self.assertFalse(kernel_log.PANIC.search("[    0.1] boot: option panic: 5\n"))


class Rows(unittest.TestCase):
    """The part of the matrix that each commit is tried on."""

    def test_names_are_unique_and_the_short_matrix_is_part_of_the_full_one(self):
        full = [row.name for row in rows.full_matrix()]
        self.assertEqual(len(full), len(set(full)))
        self.assertLessEqual({row.name for row in rows.short_matrix()}, set(full))

    def test_every_pair_of_values_meets(self):
        chosen = [row.machine for row in rows.short_matrix() if isinstance(row.machine, Machine)]
        seen = {(one.machine, one.firmware, one.cpus) for one in chosen}
        pairs = {pair for one in seen for pair in itertools.combinations(one, 2)}
        for machine, firmware in itertools.product(("pc", "q35"), ("bios", "uefi")):
            self.assertIn((machine, firmware), pairs)
        for machine, cpus in itertools.product(("pc", "q35"), (1, 2, 8)):
            self.assertIn((machine, cpus), pairs)


if __name__ == "__main__":
    unittest.main()
