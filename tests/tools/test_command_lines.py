"""The tools' command lines and the parts of them that need no emulator: help, wrong arguments, the log
filter, the words of GRUB's menu, the choice of rows."""

import itertools
import subprocess
import unittest

from boot import rows
from cairn_tools import image, kernel_log
from cairn_tools.emulation import FirmwareFilter
from cairn_tools.project import ROOT, ToolError
from cairn_tools.qemu import Machine

_TOOLS = ("tools/run", "tools/test", "tools/lint", "tools/coverage", "tools/image", "tools/size", "tools/boot-count",
          "tests/boot/matrix")


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
        ):
            with self.subTest(words):
                result = _call("tools/run", *words)
                self.assertEqual(2, result.returncode)
                self.assertIn(part, result.stderr)

    def test_unknown_names(self):
        self.assertEqual(2, _call("tools/lint", "no-such-check").returncode)
        self.assertEqual(2, _call("tools/test", "no-such-label").returncode)
        self.assertEqual(2, _call("tests/boot/matrix", "--row", "no-such-row").returncode)


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
