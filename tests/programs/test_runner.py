"""The runner's rules (R01, R02, R03, R04, R05, R06, R07 and R08 of the process contract), each shown by a guest
of its own.

CAIRN_TEST_BUILD names a build folder whose kernel is taken as it is. CAIRN_TEST_KERNEL=linux boots Debian's
Linux instead of Cairn: what is wrong there is wrong in the tools.
"""

import dataclasses
import os
import pathlib
import random
import signal
import tempfile
import time
import unittest

from cairn_tools import capture, debian, guest, mounts, newc, qemu
from cairn_tools.build import KernelFile, kernel_image
from cairn_tools.project import ToolError

_MEBIBYTE = 1 << 20


def _kernel() -> KernelFile:
    if os.environ.get("CAIRN_TEST_KERNEL") == "linux":
        return KernelFile(debian.linux_kernel())
    folder = os.environ.get("CAIRN_TEST_BUILD")
    return kernel_image(pathlib.Path(folder) if folder else None, build_first=not folder)


class Runner(unittest.TestCase):
    """tools/run's way from a command line to an exit status, without its command line."""

    kernel: KernelFile

    @classmethod
    def setUpClass(cls):
        cls.kernel = _kernel()

    def _run(self, *words: str, **options) -> guest.Result:
        options.setdefault("timeout", 120)
        return guest.run_program(words, root="small", kernel=self.kernel, **options)

    @staticmethod
    def _machine() -> qemu.Machine:
        return qemu.Machine(firmware="none", cpus=1, memory_mib=512, kernel_arguments=guest.kernel_arguments())

    def _expect(self, result: guest.Result, status: int, stdout: bytes = b"", stderr: bytes = b"") -> None:
        self.assertEqual((status, stdout, stderr), (result.status, result.stdout, result.stderr),
                         f"{result.failure}\n{guest.last_words(result.console)}")

    def test_status_and_streams_r06(self):
        self._expect(self._run("sh", "-c", "echo out; echo err >&2; exit 42"), 42, b"out\n", b"err\n")

    def test_status_of_a_signal_r06(self):
        self._expect(self._run("sh", "-c", "kill -9 $$"), 128 + 9)

    def test_a_program_that_is_not_there_r06(self):
        result = self._run("no-such-program")
        self._expect(result, 127)
        self.assertIn("No such file", result.failure)

    def test_a_file_that_is_no_program_r06(self):
        result = self._run("/etc/passwd")
        self._expect(result, 126)
        self.assertIn("Permission denied", result.failure)

    def test_input_and_output_are_exact_r06(self):
        data = random.Random(1).randbytes(_MEBIBYTE)
        result = self._run("tee", "/dev/stderr", stdin=data, timeout=600)
        self.assertEqual((0, True, True), (result.status, result.stdout == data, result.stderr == data),
                         f"{result.failure}, {len(result.stdout)} and {len(result.stderr)} bytes")

    def test_a_slow_reader_loses_nothing_r06(self):
        data = random.Random(2).randbytes(_MEBIBYTE // 4)
        self._expect(self._run("sh", "-c", "sleep 2; cat", stdin=data), 0, data)

    def test_unread_input_hinders_nobody_r06(self):
        self._expect(self._run("head", "-c", "3", stdin=b"x" * _MEBIBYTE), 0, b"xxx")

    def test_end_of_empty_input_r06(self):
        self._expect(self._run("cat"), 0)

    def test_arguments_and_environment_r01(self):
        result = self._run("sh", "-c", 'printf "<%s>" "$0" "$@" "$A" "$B" "$KEY"', "a b", "", "c\nd",
                           environment=("A=1", "B=x", "A=2"), kernel_args="KEY=kernel B=kernel")
        self._expect(result, 0, b"<a b><><c\nd><2><x><kernel>")

    def test_user_folder_and_names_r05(self):
        script = "id -u; id -g; pwd; uname -n; nproc; echo $HOME"
        result = self._run("sh", "-c", script, uid=1, cwd="/usr/bin", cpus=2)
        self._expect(result, 0, b"1\n1\n/usr/bin\ncairn\n2\n/usr/sbin\n")

    def test_limits_r05(self):
        """A budget of processor time and of memory, and no new processes; none of them can be raised again."""
        for limit, script, status, errors in (
            ("cpu=1", "ulimit -t 9 2>/dev/null; while :; do :; done", 128 + 9, b""),
            ("data=3000000", "x=x; while :; do x=$x$x; done", 2, b"cannot allocate"),
            ("nproc=1", "ulimit -u 99; /bin/true; echo $?", 254, b"Resource temporarily unavailable"),
        ):
            with self.subTest(limit):
                result = self._run("bash", "-c", script, uid=1000, limits=[limit])
                self.assertEqual(status, result.status, f"{result.failure} {result.stderr!r}")
                self.assertIn(errors, result.stderr)

    def test_search_along_path_r02(self):
        tree = newc.Tree()
        tree.file("one/tool", "not executable", 0o644)
        tree.file("two/tool", "#!/bin/sh\necho two $1\n", 0o755)
        tree.file("one/text", "echo text $0 $1\n", 0o755)
        tree.file("one/only", "nothing", 0o644)
        tree.file("three", "a file in the way\n")
        with tempfile.TemporaryDirectory() as name:
            layer = pathlib.Path(name, "layer.cpio")
            with open(layer, "wb") as out:
                newc.write(tree, out)
            for words, path, status, stdout in (
                (("tool", "x"), "/nosuch:/three:/one:/two", 0, b"two x\n"),
                (("text", "y"), "/one", 0, b"text /one/text y\n"),
                (("only",), "/one:/two", 126, b""),
                (("none",), "/one:/two", 127, b""),
                (("only",), "/one:/nosuch", 126, b""),
            ):
                with self.subTest(words):
                    self._expect(self._run(*words, layers=[layer], environment=(f"PATH={path}",)), status, stdout)

    def test_layers_lie_on_each_other_r03(self):
        """The later one wins, times and modes are kept, a folder's links too, and everything may be written to."""
        with tempfile.TemporaryDirectory() as name:
            layers = []
            for text, permissions, seconds in (("below", 0o600, 1_000_000_000), ("above", 0o640, 1_200_000_000)):
                tree = newc.Tree()
                tree.file(f"etc/{text}", text, permissions, mtime=seconds)
                tree.file("usr/bin/both", f"#!/bin/sh\necho {text}\n", 0o755, mtime=seconds)
                tree.symlink(f"etc/to-{text}", text)
                layers.append(pathlib.Path(name, f"{text}.cpio"))
                with open(layers[-1], "wb") as out:
                    newc.write(tree, out)
            script = ("both; cd /etc; stat -c '%n %a %Y' below above /usr/bin/both; cat to-below to-above; echo;"
                      " echo more >> below; cat below; rm above; ls above; mv to-above /usr/bin;"
                      " ls passwd /usr/bin/to-above")
            result = self._run("sh", "-c", script, layers=layers)
        self._expect(result, 0, b"above\nbelow 600 1000000000\nabove 640 1200000000\n/usr/bin/both 755 1200000000\n"
                                b"belowabove\nbelowmore\n/usr/bin/to-above\npasswd\n",
                     b"ls: cannot access 'above': No such file or directory\n")

    def test_folders_of_the_host_are_read_only_r04(self):
        """At their places with the folders above them; a relative place is taken from /; one for / is merged."""
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "etc/own").mkdir(parents=True)
            (folder / "etc/own/file").write_text("text\n")
            (folder / "top").write_text("top\n")
            (folder / "link").symlink_to("top")
            places = ("/deep/down/here", "relative/place", "/")
            script = ("cat /deep/down/here/top relative/place/etc/own/file /etc/own/file /link; ls /etc/passwd;"
                      " stat -c %Y /top; cd /deep/down/here; echo x > top; rm -r etc; mkdir new;"
                      " echo x > /etc/own/file;"
                      " echo still > /etc/other; cat /etc/other")
            os.utime(folder / "top", (1_000_000_000, 1_000_000_000))
            mounted = [mounts.Mount(folder, place) for place in places]
            result = self._run("sh", "-c", script, cwd="/", mounted=mounted)
            self.assertEqual("top\n", (folder / "top").read_text())
        self.assertEqual((0, b"top\ntext\ntext\ntop\n/etc/passwd\n1000000000\nstill\n"),
                         (result.status, result.stdout), f"{result.failure}\n{guest.last_words(result.console)}")
        self.assertEqual(result.stderr.count(b"Read-only file system"), 4, result.stderr)

    def test_writable_folders_of_the_host_r04(self):
        """What has changed is there when the program has ended; nothing else has been touched."""
        with tempfile.TemporaryDirectory() as name:
            folder, outside = pathlib.Path(name, "inside"), pathlib.Path(name, "outside")
            for path in ("inside/gone/deep", "inside/a", "outside"):
                pathlib.Path(name, path).mkdir(parents=True)
            big = random.Random(3).randbytes(_MEBIBYTE)
            (folder / "big").write_bytes(big)
            (folder / "gone/deep/file").write_text("x")
            (folder / "becomes-folder").write_text("x")
            (folder / "same").write_text("same")
            (folder / "out").symlink_to(outside)
            same = (folder / "same").stat()
            script = ("cd /w; rm -r gone; rm becomes-folder; mkdir becomes-folder; echo 1 > becomes-folder/one;"
                      " printf change | dd of=big conv=notrunc bs=1 seek=500000 2>/dev/null; touch -d @5 'a/new\nname';"
                      " ln big a/linked; ln -s big a/symbolic; chmod 700 a; mknod a/device c 1 3; mkfifo a/fifo;"
                      " cp /bin/busybox a/; chmod 4755 a/busybox; rm out; mkdir out; echo trap > out/file;"
                      " mkdir closed; echo x > closed/file; chmod 500 closed")
            result = self._run("sh", "-c", script, mounted=[mounts.Mount(folder, "w", writable=True)])
            self._expect(result, 0)
            expected = big[:500000] + b"change" + big[500006:]
            self.assertEqual(expected, (folder / "big").read_bytes())
            self.assertEqual((folder / "big").stat().st_ino, (folder / "a/linked").stat().st_ino)
            self.assertEqual("big", os.readlink(folder / "a/symbolic"))
            self.assertEqual("1\n", (folder / "becomes-folder/one").read_text())
            self.assertEqual(0o40700, (folder / "a").stat().st_mode)
            # The host knows nothing of the guest's users.
            self.assertEqual(0o100755, (folder / "a/busybox").stat().st_mode)
            self.assertEqual(5, (folder / "a/new\nname").stat().st_mtime)
            self.assertTrue((folder / "a/fifo").is_fifo())
            self.assertFalse((folder / "a/device").exists() or (folder / "gone").exists())
            self.assertEqual((0o40500, "x\n"), ((folder / "closed").stat().st_mode,
                                                (folder / "closed/file").read_text()))
            self.assertEqual("trap\n", (folder / "out/file").read_text())
            self.assertEqual([], list(outside.iterdir()))
            now = (folder / "same").stat()
            self.assertEqual((same.st_ino, same.st_mtime_ns), (now.st_ino, now.st_mtime_ns))

    def test_a_writable_folder_stays_when_the_guest_does_not_end_r04(self):
        with tempfile.TemporaryDirectory() as name:
            result = self._run("sh", "-c", "echo x > /w/file; sleep 1000", timeout=15,
                               mounted=[mounts.Mount(pathlib.Path(name), "/w", writable=True)])
            self.assertEqual((guest.STATUS_TIMEOUT, []), (result.status, os.listdir(name)))

    def test_a_place_for_a_folder_that_cannot_be_r04(self):
        with tempfile.TemporaryDirectory() as name:
            result = self._run("true", mounted=[mounts.Mount(pathlib.Path(name), "/etc/passwd/below")])
        self._expect(result, 127)
        self.assertEqual("cannot mount /etc/passwd/below: Not a directory", result.failure)

    def test_what_is_left_is_ended_r07(self):
        script = ("(trap 'echo asked; exit' TERM; while :; do sleep 0.1; done) 2>/dev/null & "
                  "(trap '' TERM; sleep 1000) & "
                  "sleep 0.5; echo main; exit 5")
        begin = time.monotonic()
        self._expect(self._run("sh", "-c", script), 5, b"main\nasked\n")
        self.assertLess(time.monotonic() - begin, 60)

    def test_orphans_do_not_stay_r07(self):
        script = "sh -c 'sleep 0.2 & exec true'; sleep 1; ls -d /proc/[0-9]*/exe | wc -l; grep -l Z /proc/[0-9]*/status"
        self.assertNotIn(b"Z", self._run("sh", "-c", script).stdout)

    @unittest.skipIf(os.environ.get("CAIRN_TEST_KERNEL") == "linux", "our ISO boots multiboot2 kernels only")
    def test_what_firmware_writes_is_not_output_r06(self):
        for machine, firmware in (("pc", "uefi"), ("q35", "bios")):
            with self.subTest(firmware):
                self._expect(self._run("cat", stdin=b"in", machine=machine, firmware=firmware), 0, b"in")

    def _continue(self, file: pathlib.Path, stdin: bytes, capturing: capture.Plan | None = None) -> guest.Result:
        out, errors = bytearray(), bytearray()
        result = guest.continue_session(file, source=stdin, sinks={"stdout": out.extend, "stderr": errors.extend},
                                        timeout=120, capturing=capturing)
        return dataclasses.replace(result, stdout=bytes(out), stderr=bytes(errors))

    def test_captured_at_idle_input_and_continued_twice_r08(self):
        """Variables, children and open files are what they were; two guests go on from one file."""
        script = ("i=0; exec 5> /tmp/file; sleep 1000 & n=$!;"
                  " while read x; do i=$((i+1)); echo $i $x; echo $x >&5; done;"
                  " kill $n && echo killed; cat /tmp/file; exit $i")
        with tempfile.TemporaryDirectory() as name:
            file = pathlib.Path(name, "state")
            plan = capture.Plan(file, capture.Trigger("idle", 1.0), then_end=True)
            reader, writer = os.pipe()
            os.write(writer, b"a\nb\n")
            out = bytearray()
            with guest.temporary_folder() as folder:
                result = guest.run_session(
                    guest.Program(("sh", "-c", script)), self._machine(), self.kernel,
                    [guest.root_layer("small", folder)], source=reader,
                    sinks={"stdout": out.extend, "stderr": lambda _: None}, timeout=120, capturing=plan)
            os.close(reader)
            os.close(writer)
            self.assertEqual((0, b"1 a\n2 b\n", ""), (result.status, bytes(out), result.failure))
            self._expect(self._continue(file, b"c\n"), 3, b"3 c\nkilled\na\nb\nc\n")
            self._expect(self._continue(file, b"d\ne\n"), 4, b"3 d\n4 e\nkilled\na\nb\nd\ne\n")

    def test_captured_at_intervals_and_on_a_signal_r08(self):
        """The guest goes on meanwhile; what was captured last goes on later, with the right time of day."""
        script = "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 1; done; date +%s >&2"
        for trigger in (capture.Trigger("interval", 2.0), capture.Trigger("signal", number=signal.SIGUSR2)):
            with self.subTest(trigger.kind), tempfile.TemporaryDirectory() as name:
                file = pathlib.Path(name, "state")
                seen = bytearray()

                def take(data: bytes) -> None:
                    seen.extend(data)
                    if trigger.kind == "signal" and b"3" in data:
                        os.kill(os.getpid(), signal.SIGUSR2)

                result = self._run("sh", "-c", script, on_stdout=take, capturing=capture.Plan(file, trigger))
                whole = b"1\n2\n3\n4\n5\n6\n7\n8\n"
                self.assertEqual((0, whole), (result.status, result.stdout), result.failure)
                later = self._continue(file, b"")
                self.assertEqual(0, later.status, later.failure)
                self.assertTrue(whole.endswith(later.stdout), later.stdout)  # perhaps nothing: the last was late
                self.assertLess(abs(int(later.stderr) - time.time()), 30)

    def test_captured_at_the_first_listen_r08(self):
        server = ("import socket\ns = socket.socket(socket.AF_UNIX)\ns.bind('/tmp/s')\nprint('bound', flush=True)\n"
                  "s.listen()\nc = socket.socket(socket.AF_UNIX)\nimport time\ntime.sleep(2)\nc.connect('/tmp/s')\n"
                  "c.send(b'hello')\nprint(s.accept()[0].recv(9), flush=True)\n")
        with tempfile.TemporaryDirectory() as name:
            file = pathlib.Path(name, "state")
            first = guest.run_program(["python3", "-c", server], root="shell", kernel=self.kernel, timeout=120,
                                      capturing=capture.Plan(file, capture.Trigger("listen"), then_end=True))
            self._expect(first, 0, b"bound\n")
            self._expect(self._continue(file, b""), 0, b"b'hello'\n")

    def test_a_file_that_is_no_captured_guest_r08(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b'{"format": 1}\n')
            file.flush()
            with self.assertRaisesRegex(ToolError, "is no captured guest"):
                self._continue(pathlib.Path(file.name), b"")

    def test_timeout(self):
        result = self._run("sh", "-c", "echo begun; sleep 1000", timeout=15)
        self._expect(result, guest.STATUS_TIMEOUT, b"begun\n")

    def test_a_kernel_that_fails(self):
        result = self._run("true", kernel_args="rdinit=/no/such/init init=/no/such/init", timeout=60)
        self.assertEqual(guest.STATUS_KERNEL_FAILED, result.status, result.console)

    def test_a_folder_as_the_root_r03(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "bin").mkdir()
            found = {path: node for path, node, _ in newc.read(guest.root_layer("small", folder).read_bytes())}
            (folder / "bin/busybox").write_bytes(found["usr/bin/busybox"].data)
            (folder / "bin/busybox").chmod(0o755)
            result = guest.run_program(["/bin/busybox", "ls", "/"], root=folder, kernel=self.kernel, timeout=120)
        self.assertEqual(0, result.status, result.failure)
        self.assertIn(b"bin\n", result.stdout)


if __name__ == "__main__":
    unittest.main()
