"""The guest's screen, looked at through QEMU: boots with a display, waits for a scene, and compares what is to be seen
with the references in tests/boot/screens.

  tests/boot/screens                 the short set
  tests/boot/screens --full          every scene at every size, with BIOS and UEFI, and VGA's text mode
  tests/boot/screens --only htop     the rows whose name contains a word
  tests/boot/screens --list          their names
  tests/boot/screens --update        what is seen becomes the reference: look at the pictures first

Compared are characters and colours of each cell. Times, addresses and other figures that differ from run to run are
replaced first (see _VARIABLE), and of scenes with much of that only some rows count. The pictures and what was read
from them are in build/screens.
"""

import argparse
import contextlib
import dataclasses
import difflib
import json
import pathlib
import re
import socket
import subprocess
import tempfile
import time
from typing import Iterator

from boot.picture import Font, Picture, markup
from cairn_tools import guest, image, qemu
from cairn_tools.build import KernelFile, kernel_image
from cairn_tools.project import BUILD, ToolError, dies_with_parent, end_process, install, main_guard, say

_FOLDER = pathlib.Path(__file__).parent / "screens.expected"
_SEEN = BUILD / "screens"

# What differs from run to run, and what stands for it.
_VARIABLE = (
    (r"\[ *\d+\.\d{6}\]", "[time]"),
    (r"\b0x[0-9a-f]{4,}(-0x[0-9a-f]+)?\b", "address"),
    (r"\b[0-9a-f]{16}\b", "address"),
    (r"\+0x[0-9a-f]+", "+offset"),
    (r"\b[0-9a-f]{8}\b(?!/)", "bits"),
    (r"\d+\.\d+ MHz", "N MHz"),
    (r"\b\d+ (ms|KiB|MiB|entries)\b", r"N \1"),
    (r"\(0x[0-9a-f]+\)", "(address)"),
    (r"(hpet|acpi|pit|tsc)[a-z-]*-calibrated", "calibrated"),
    (r"GRUB [^ ]+", "GRUB version"),
    (r"(\.\./)+kernel/", "kernel/"),
    (r"\b[A-Z][a-z]{2} [ 123]\d \d\d:\d\d\b", "Mon dd hh:mm"),
    (r"(version|family|model|stepping) [0-9.+]+", r"\1 N"),
)


SIZES = ("800x600", "1024x768", "1920x1080")


@dataclasses.dataclass(frozen=True)
class Scene:
    """What is to be seen. `program`: a shell script on tty1 that ends with "ready"; None: the kernel alone, with these
    arguments. `rows`: only rows that contain one of these are compared. `root`: the profile.
    `sizes`: in the full set."""

    name: str
    program: str | None = None
    arguments: str = "quiet"
    rows: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    root: str = "pc"
    sizes: tuple[str, ...] = SIZES


# Keys come through TIOCSTI: the line discipline sees them as typed.
_TYPE = r"""
type() { perl -e 'open T, "+<", "/dev/tty1"; ioctl T, 0x5412, my $c = $_ for split //, shift' -- "$1"; }"""
# Open for both, as by getty: tmux writes to its standard input.
_START = "exec 3>/dev/ttyS0 <>/dev/tty1 >&0 2>&1; export TERM=linux HOME=/root LANG=C.UTF-8; cd /; clear; "
_BASH = _START + _TYPE + r"""
mkdir -p /tmp/d/folder; cd /tmp/d; touch plain; ln -s plain link; touch program; chmod 755 program; mkfifo pipe
cat >~/.bashrc <<'END'
PS1='\[\e[1;32m\]\u@\h\[\e[m\]:\[\e[1;34m\]\w\[\e[m\]\$ '
alias ls='ls --color=auto'
END
hostname cairn
(sleep 1; type 'ls -1
'; sleep 1; type 'for i in 1 2 3 4 5 6 7; do printf "\e[3${i}mcolour \e[9${i}mbright \e[4${i}mback\e[m "; done; echo
'; sleep 1; type 'printf "\e[38;2;255;128;0m24 bits \e[38;5;123m256 \e[m\e[4munder\e[m \e[7mreverse\e[m äöü €\n"
'; sleep 1; type 'printf "┌──┬──┐\n│▓▒│░█│\n└──┴──┘\n"
'; sleep 2; echo ready >&3) & exec bash -i
"""
_HTOP = _START + "hostname cairn; (sleep 6; echo ready >&3) & exec htop -d 20"
_VIM = _START + r"""cd /tmp
printf 'syntax on\nset number background=dark ruler laststatus=2 nomodeline\n' >~/.vimrc
cat >hello.c <<'END'
#include <stdio.h>

/* A comment. */
int main(void) {
    for (int i = 0; i < 3; ++i) {
        printf("Hello, %d!\n", i);
    }
    return 0;
}
END
(sleep 5; echo ready >&3) & exec "$(command -v vim || command -v vim.basic)" hello.c
"""
_FILES = r"""
mkdir -p /tmp/d/folder; cd /tmp/d; echo text >plain; ln -s plain link; echo :>program; chmod 755 program; mkfifo pipe
touch -d '2024-02-03 04:05' plain program pipe folder; touch -h -d '2024-02-03 04:05' link; hostname cairn
"""
# Lines by characters of UTF-8, or of the terminal's other set, and by another terminal's sequences.
_KINDS = (("", "env LANG=C.UTF-8", SIZES), ("-latin", "env LANG=C", SIZES[:1]),
          ("-xterm", "env LANG=C TERM=xterm-256color", SIZES[:1]))
# Panes beside and above each other; the one at the top scrolls while the others are seen.
_TMUX = _START + _FILES + r"""
cat >~/.tmux.conf <<'END'
set -g status-right ""
set -g default-command "PS1='$ ' sh"
set -g automatic-rename off
END
(sleep 3; tmux split-window 'ls --color=always -1; sleep 1000'; tmux split-window -h 'seq 100; sleep 1000'; sleep 1
tmux send-keys -t 0 'seq 200' Enter; sleep 4; echo ready >&3) & exec LOCALE tmux new -n work
"""
# A dialogue with a shadow, or a menu.
_MC = _START + _TYPE + _FILES + r"""
e=$(printf '\033'); (sleep 6; type "$e[KEYS"; sleep 3; echo ready >&3) & exec LOCALE mc /tmp/d /tmp/d
"""
# A manual's page, to its end, to a word, and backwards.
_LESS = _START + _TYPE + r"""
cd /tmp; perl -e 'for (1..60) { (my $bold = "line$_") =~ s/(.)/$1\b$1/g; (my $under = "a word") =~ s/(.)/_\b$1/g;
print "$bold $under \e[3", $_ % 8, "mcolour\e[m \e[4", $_ % 8, "mback\e[m plain\n" }' >page
(sleep 3; type G; sleep 1; type '/ine5
'; sleep 1; type kkkkk; sleep 2; echo ready >&3) & exec LOCALE less -R page
"""
SCENES = {scene.name: scene for scene in (
    Scene("boot", arguments="halt", rows=("[time]",), without=("boot: memory", "metadata", "cpu: nx", "version")),
    Scene("bash", _BASH),
    Scene("htop", _HTOP, rows=("PID", "F1Help", "Main")),
    Scene("vim", _VIM),
    *(Scene(f"{name}-xterm", text.replace("TERM=linux", "TERM=xterm-256color"), rows=rows, sizes=SIZES[:1])
      for name, text, rows in (("htop", _HTOP, ("PID", "F1Help", "Main")), ("vim", _VIM, ()))),
    *(Scene("tmux" + kind, _TMUX.replace("LOCALE", locale), sizes=sizes) for kind, locale, sizes in _KINDS),
    *(Scene("less" + kind, _LESS.replace("LOCALE", locale), sizes=sizes[:1]) for kind, locale, sizes in _KINDS),
    *(Scene("mc" + kind, _MC.replace("LOCALE", locale).replace("KEYS", keys), root="commander", sizes=sizes[:1],
            without=("Hint", "M / "))
      for (kind, locale, sizes), keys in zip(_KINDS, ("20~$e[B", "18~", "18~"))),
    Scene("panic", arguments="crash=null",
          rows=("Cairn has", "panic:", "CPU 0, thread", "kernel command line", "rip ", "rax ", "cr0 ", "backtrace",
                "#0", "#1", "the log's", "the machine stays")),
)}


@dataclasses.dataclass(frozen=True)
class Row:
    scene: str
    size: str  # "800x600", or "text"
    firmware: str = "bios"

    @property
    def name(self) -> str:
        return f"{self.scene}-{self.size}" + ("" if self.firmware == "bios" else f"-{self.firmware}")


SHORT = (Row("boot", "800x600"), Row("bash", "1024x768"), Row("panic", "text", "none"))
FULL = (tuple(Row(scene.name, size) for scene in SCENES.values() for size in scene.sizes)
        + (Row("boot", "text", "none"), Row("panic", "text", "none"), Row("boot", "800x600", "uefi")))


class _Monitor:
    """QEMU's QMP, for pictures."""

    def __init__(self) -> None:
        self._ours, self.theirs = socket.socketpair()
        self._ours.settimeout(60)
        self._file = self._ours.makefile("rw", encoding="utf-8")

    def options(self) -> list[str]:
        return ["-chardev", f"socket,id=monitor,fd={self.theirs.fileno()}", "-mon", "chardev=monitor,mode=control"]

    def start(self) -> None:
        self.theirs.close()
        self._file.readline()
        self.call("qmp_capabilities")

    def call(self, command: str, **arguments: str) -> None:
        self._file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._file.flush()
        while True:
            answer = json.loads(self._file.readline() or '{"error": "it is gone"}')
            if "error" in answer:
                raise ToolError(f"{command}: {answer['error']}")
            if "return" in answer:
                return

    def close(self) -> None:
        self._file.close()
        self._ours.close()


@contextlib.contextmanager
def _menu_with_size(size: str, folder: pathlib.Path) -> Iterator[None]:
    """GRUB's menu asks for a mode. What multiboot2 loads would choose another, so it stands behind that line."""
    usual = image._MENU  # pylint: disable=protected-access
    menu = folder / "grub.cfg"
    text = usual.read_text(encoding="utf-8")
    menu.write_text(text.replace("    @MODULES@\n", f"    set gfxpayload={size}x32\n    @MODULES@\n"), encoding="utf-8")
    image._MENU = menu
    try:
        yield
    finally:
        image._MENU = usual


def _machine(row: Row, scene: Scene) -> qemu.Machine:
    return qemu.Machine(machine="q35", firmware=row.firmware, cpus=1, memory_mib=512,
                        kernel_arguments=f"{scene.arguments} console=ttyS0 console=tty1")


def _wait_for(serial: pathlib.Path, scene: Scene, process: subprocess.Popen, timeout: float) -> None:
    """Until the scene's program says so, or the kernel has stopped and its screen no longer changes."""
    marker = re.compile(r"^ready\r?$" if scene.program else r"boot: halting|^  #\d", re.MULTILINE)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ToolError(f"QEMU ended: {serial.read_text(errors='replace')[-500:]}")
        if serial.exists() and marker.search(serial.read_text(encoding="utf-8", errors="replace")):
            time.sleep(1)  # the last of it is being drawn
            return
        time.sleep(0.2)
    raise ToolError(f"the scene did not come in {timeout:.0f} s: {serial.read_text(errors='replace')[-500:]}")


def take_picture(row: Row, kernel: KernelFile, *, build_first: bool = True) -> Picture:
    """Boots, waits, and looks."""
    scene = SCENES[row.scene]
    with tempfile.TemporaryDirectory(prefix="cairn-screen-") as name:
        folder = pathlib.Path(name)
        layers: tuple[pathlib.Path, ...] = ()
        if scene.program:
            plan = guest.Program.plan_on_console(("sh", "-c", scene.program))
            layers = (guest.root_layer(scene.root, folder), guest.session_layer(plan, folder, build_first=build_first))
        size = contextlib.nullcontext() if row.size == "text" else _menu_with_size(row.size, folder)
        with size:
            command = qemu.command_line(_machine(row, scene), kernel, folder, layers=layers)
        monitor, serial = _Monitor(), folder / "serial"
        command += ["-serial", f"file:{serial}", *monitor.options()]
        process = subprocess.Popen(dies_with_parent(command), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   pass_fds=(monitor.theirs.fileno(),))
        with contextlib.closing(monitor):
            try:
                monitor.start()
                _wait_for(serial, scene, process, 400 if row.firmware == "uefi" or scene.program else 200)
                monitor.call("screendump", filename=str(folder / "screen.ppm"))
                return Picture.from_ppm((folder / "screen.ppm").read_bytes())
            finally:
                end_process(process)


def read_screen(row: Row, picture: Picture, font: Font) -> list[str]:
    """What counts of it, as lines of text with colours."""
    scene = SCENES[row.scene]
    if row.size == "text":
        # VGA's own font is another one, of which there is no table here: how much is written in which colours.
        return picture.summary(9, 16)
    lines = markup(picture.cells(font))
    for pattern, replacement in _VARIABLE:
        lines = [re.sub(pattern, replacement, line) for line in lines]
    plain = [re.sub("‹[^›]*›", "", line) for line in lines]
    return [line for line, text in zip(lines, plain)
            if (not scene.rows or any(word in text for word in scene.rows))
            and not any(word in text for word in scene.without)]


def _try(row: Row, kernel: KernelFile, font: Font, *, update: bool, build_first: bool) -> list[str]:
    picture = take_picture(row, kernel, build_first=build_first)
    _SEEN.mkdir(parents=True, exist_ok=True)
    (_SEEN / f"{row.name}.png").write_bytes(picture.png())
    seen = read_screen(row, picture, font)
    text = "".join(line + "\n" for line in seen)
    (_SEEN / f"{row.name}.txt").write_text(text, encoding="utf-8")
    reference = _FOLDER / f"{row.name}.txt"
    if update:
        _FOLDER.mkdir(exist_ok=True)
        reference.write_text(text, encoding="utf-8")
        return []
    if not reference.exists():
        return [f"there is no {reference.name}: look at the picture, then --update"]
    expected = reference.read_text(encoding="utf-8").splitlines()
    return list(difflib.unified_diff(expected, seen, "expected", "seen", lineterm="", n=1))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests/boot/screens", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="every row")
    parser.add_argument("--only", metavar="WORD", help="rows with WORD in their name")
    parser.add_argument("--list", action="store_true", help="print the rows' names")
    parser.add_argument("--update", action="store_true", help="keep what is seen as the references")
    parser.add_argument("--build-dir", type=pathlib.Path, metavar="DIR", help="the kernel's build folder")
    parser.add_argument("--no-build", action="store_true", help="boot what is there")
    options = parser.parse_args(arguments)
    rows = [row for row in (FULL if options.full or options.only else SHORT) if (options.only or "") in row.name]
    if not rows:
        parser.error("no such row; --full --list names all")
    if options.list:
        print("\n".join(row.name for row in rows))
        return 0
    install("run")
    kernel = kernel_image(options.build_dir and options.build_dir.absolute(), build_first=not options.no_build)
    font, failed = Font(), 0
    for row in rows:
        start = time.monotonic()
        try:
            problems = _try(row, kernel, font, update=options.update, build_first=not options.no_build)
        except (ToolError, OSError) as error:
            problems = [str(error)]
        verdict = "FAILED" if problems else "kept" if options.update else "ok"
        print(f"{row.name:24} {time.monotonic() - start:6.1f} s  {verdict}", flush=True)
        for problem in problems:
            print(f"  {problem}")
        failed += bool(problems)
    folder = _SEEN.relative_to(BUILD.parent)
    say(f"{len(rows) - failed} of {len(rows)} screens are as expected; the pictures are in {folder}")
    return 1 if failed else 0


if __name__ == "__main__":
    main_guard(main)
