"""Every check of tools/lint is shown something bad, which it must report, at the right line, and
something good beside it, which it must not. A check that cannot fail is worth nothing."""

import os
import pathlib
import tempfile
import textwrap
import unittest

from cairn_tools.build import VARIANTS
from cairn_tools.lint import compilers, main
from cairn_tools.lint.source_tree import SourceTree
from cairn_tools.project import ROOT


class LintTest(unittest.TestCase):
    """Each test makes a small tree and names the file:line pairs that a check must report."""

    def found(self, check: str, files: dict[str, str]) -> list[str]:
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            for path, content in files.items():
                file = root / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(textwrap.dedent(content), encoding="utf-8")
                file.chmod(0o755)
            return [f"{one.path}:{one.line}" for one in main.findings_of(check, SourceTree(root), [])]

    def expect(self, check: str, files: dict[str, str], *places: str) -> None:
        self.assertEqual(list(places), self.found(check, files))

    def test_every_check_is_tested(self):
        tested = {name.removeprefix("test_").replace("_", "-") for name in dir(self) if name.startswith("test_")}
        self.assertEqual([], sorted(set(main.CHECKS) - tested))

    def test_layers(self):
        self.expect("layers", {
            "mm/frame.cpp": '#include "kernel/sync/mutex.h"\n#include "fs/vfs/inode.h"\n',
            "fs/ext2/super.cpp": '#include "fs/vfs/inode.h"\n#include "mm/frame.h"\n',
            "fs/vfs/inode.cpp": '#include "fs/ext2/super.h"\n',
            "kernel/main.cpp": '#include "exec/elf.h"\n',
            "kernel/sched/queue.cpp": '#include "arch/x86_64/apic.h"\n#include "arch/arch.h"\n',
            "arch/x86_64/apic.cpp": '#include "arch/host/fiber.h"\n#include "mm/frame.h"\n#include "kernel/base/a.h"\n',
            "arch/host/simulation.cpp": '#include "mm/frame.h"\n',
            "somewhere/else.cpp": "",
            "mm/unknown.cpp": '#include "somewhere/else.h"\n',
            "tests/unit/mm/frame_test.cpp": '#include "kernel/syscall/table.h"\n',
        }, "arch/x86_64/apic.cpp:1", "arch/x86_64/apic.cpp:2", "fs/vfs/inode.cpp:1", "kernel/sched/queue.cpp:1",
            "mm/frame.cpp:2", "mm/unknown.cpp:1", "somewhere/else.cpp:1")

    def test_includes(self):
        self.expect("includes", {
            "mm/frame.h": "",
            "arch/host/include/machine/machine.h": "#include <cstdio>\n",
            "mm/frame.cpp": '#include "frame.h"\n#include "mm/frame.h"\n#include "../mm/frame.h"\n'
                            '#include "machine/machine.h"\n#include <vector>\n#include <span>\n',
        }, "mm/frame.cpp:1", "mm/frame.cpp:3", "mm/frame.cpp:5")

    def test_unsafe_places(self):
        sample = 'auto* p = reinterpret_cast<int*>(1);\nvoid f() { asm volatile("hlt"); }\n// asm("x")\n'
        self.expect("unsafe-places", {"fs/vfs/inode.cpp": sample, "arch/x86_64/cpu.cpp": sample, "mm/phys.cpp": sample,
                                      "tests/unit/a.cpp": sample}, "fs/vfs/inode.cpp:1", "fs/vfs/inode.cpp:2")

    def test_safety_comments(self):
        self.expect("safety-comments", {"arch/x86_64/cpu.cpp": """\
            // SAFETY: stops until an interrupt.
            void wait() { asm volatile("hlt"); }
            void two() { asm("cli"); }

            void three() { asm volatile("sti"); }

            const char* text = "asm(";
            """}, "arch/x86_64/cpu.cpp:5")

    def test_fixed_tables(self):
        self.expect("fixed-tables", {"kernel/task/table.h": """\
            Task* tasks_[64];
            std::array<OpenFile*, 32> files_;
            constexpr usize kMaxMounts = 16;
            sched::Thread threads[kCount] = {};
            Ref<Inode> inodes_[100];
            u8 bytes_[512];
            void f(Task* tasks[]);
            Task& task = tasks[3];
            """}, *(f"kernel/task/table.h:{line}" for line in (1, 2, 3, 4, 5)))

    def test_length(self):
        self.expect("length", {"mm/long.cpp": "\n" * 501, "mm/long.h": "\n" * 301, "mm/right.cpp": "\n" * 500,
                               "docs/long.md": "a\n" * 2000}, "mm/long.cpp:501", "mm/long.h:301")

    def test_whitespace(self):
        self.expect("whitespace", {"mm/a.cpp": "int a;\n\tint b;\nint c; \nint d;", "mm/b.cpp": "int a;\n\n",
                                   "tools/c.py": "#" * 121 + "\n", "docs/d.md": "d" * 200 + "\n"},
                    "mm/a.cpp:2", "mm/a.cpp:3", "mm/a.cpp:4", "mm/b.cpp:2", "tools/c.py:1")

    def test_unfinished(self):
        word = "TO" + "DO"
        self.expect("unfinished", {"mm/a.cpp": f"// {word}: later\n// {word}(#12): later\n// {word}s and don'ts\n"},
                    "mm/a.cpp:1")

    def test_machine_paths(self):
        home = "/" + "home/user"
        self.expect("machine-paths", {"docs/a.md": f"Look in {home}/cairn.\nin the guest's x{home}\n"}, "docs/a.md:1")

    def test_scripts(self):
        self.expect("scripts", {
            "tools/good": "#!/bin/sh\nif true; then :; fi\n",
            "tools/bad": "#!/bin/sh\nif true; then\n",
            "tools/bad.py": "import os\nimport sys\nprint(sys.argv)\n",
            "tools/worse.py": "def f(:\n",
        }, "tools/bad:1", "tools/bad.py:1", "tools/worse.py:1")

    def test_format(self):
        style = (ROOT / ".clang-format").read_text(encoding="utf-8")
        self.expect("format", {".clang-format": style, "mm/bad.cpp": "int a  = 1;\n", "mm/good.cpp": "int a = 1;\n"},
                    "mm/bad.cpp:1")

    def compiled(self, content: str, *words: str) -> list[int]:
        """The lines of which the kernel's build with clang complains in a file of this content. `words`
        go on the command line before the file; it is compiled twice, to see what is remembered."""
        command, directory = compilers.compiler_command(SourceTree(ROOT), VARIANTS["kernel-clang"])
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder).resolve()
            file = root / "file.h"
            file.write_text(textwrap.dedent(content), encoding="utf-8")
            checked = compilers.CheckedFiles(root / "cache")
            command = [*command, *words, "-include", str(file), "-x", "c++", os.devnull]
            runs = [checked.compile(SourceTree(root), command, directory, "file.h") for _ in range(2)]
            self.assertEqual(runs[0], runs[1])
            return sorted({one.line for one in runs[0]})

    def test_headers(self):
        self.assertEqual([1], self.compiled("inline unknown_type f() { return 0; }\n"))
        self.assertEqual([], self.compiled("#pragma once\ninline int f() { return 0; }\n"))

    def test_headers_that_a_source_file_includes_first_need_no_compilation(self):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            (root / "mm").mkdir()
            for path, text in {"a.h": "", "b.h": "", "a.cpp": '#include "mm/a.h"\n#include "mm/b.h"\n'}.items():
                (root / "mm" / path).write_text(text, encoding="utf-8")
            self.assertEqual(["mm/b.h"], compilers.headers_to_compile(SourceTree(root)))

    _LOCK = """\
        #include "kernel/base/thread_annotations.h"
        class CAPABILITY("lock") Lock {
        public:
            void lock() ACQUIRE() {}
            void unlock() RELEASE() {}
        };
        struct Counter {
            Lock lock;
            int value GUARDED_BY(lock) = 0;
        };
        inline void good(Counter& counter) {
            counter.lock.lock();
            ++counter.value;
            counter.lock.unlock();
        }
        """

    def test_analysis(self):
        self.assertEqual([], self.compiled(self._LOCK))
        bad = textwrap.dedent(self._LOCK) + "inline void bad(Counter& counter) { ++counter.value; }\n"
        self.assertEqual([16], self.compiled(bad))

    def test_exceptions_apply_once_and_are_reported_when_stale(self):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            (root / "mm").mkdir()
            (root / "mm/a.h").write_text("constexpr usize kMaxA = 1;\nconstexpr usize kMaxB = 1;\n", encoding="utf-8")
            (root / "list").write_text("fixed-tables | mm/a.h | kMaxA | hardware\n"
                                       "fixed-tables | mm/a.h | kMaxC | was removed\n", encoding="utf-8")
            found = main.findings_of("fixed-tables", SourceTree(root), main.read_exceptions(root / "list"))
            self.assertEqual(["mm/a.h:2", "tools/lib/lint-exceptions:2"], [f"{one.path}:{one.line}" for one in found])


if __name__ == "__main__":
    unittest.main()
