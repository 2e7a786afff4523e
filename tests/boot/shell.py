"""Runs that end in a shell: a root of Debian packages, in it a script that bash (or busybox) runs, which looks whether
the machine can be worked with and then has it powered off.
"""

import dataclasses
import pathlib
import re

from cairn_tools import guest, newc
from cairn_tools.build import KernelImage
from cairn_tools.image import FOR_PEOPLE, Media, make_iso
from cairn_tools.project import locked
from cairn_tools.root_image import TINY_PROFILE, root_image

# Processes on every CPU, pipes, files, a signal, the clock. Each step says what is wrong.
# `now`: nanoseconds, which busybox's date does not know.
_NOW = "now() { date +%s%N; }"
_NOW_TINY = 'now() { read -r up rest < /proc/uptime; up=${up%.*}${up#*.}; up=${up#0}; echo "${up#0}0000000"; }'
_SCRIPT = r"""
say() { echo "shell: $*"; }
say "$(uname -sm), $(nproc) CPUs, $(grep MemTotal: /proc/meminfo | tr -s ' ')"
cpus=$(nproc)
for i in $(seq $((2 * cpus))); do
    (seq 2000 | sort -rn | head -n 1 > /tmp/part$i) &
done
wait
sum=0
for part in /tmp/part*; do sum=$((sum + $(cat $part))); done
[ "$sum" = $((2 * cpus * 2000)) ] || say "wrong: sum"
sleep 100 & victim=$!
kill $victim
wait $victim
[ $? -eq 143 ] || say "wrong: signal"
head -c 1000000 /dev/urandom > /tmp/random
cp /tmp/random /tmp/copy
[ "$(sha256sum < /tmp/random)" = "$(sha256sum < /tmp/copy)" ] || say "wrong: copy"
before=$(now)
sleep 0.3
after=$(now)
[ $((after - before)) -ge 300000000 ] || say "wrong: sleep of $((after - before)) ns"
if [ -t 0 ]; then say "terminal $(tty)"; fi
say done
sleep 0.5  # a serial port without an interrupt is slow
poweroff
"""

DONE = re.compile(r"^shell: done$", re.MULTILINE)
CPUS = re.compile(r"^shell: .*, (?P<cpus>\d+) CPUs,", re.MULTILINE)
WRONG = re.compile(r"^shell: (?P<what>wrong: .*)$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Shell:
    """What is booted. `logins`: the image for people, whose menu waits a second and whose init starts logins; the
    script is then what the login shell of the serial port reads. Otherwise it is the only program."""

    profile: str = "small"
    logins: bool = False

    @property
    def name(self) -> str:
        return ("logins" if self.logins else "shell") + ("-" + self.profile if self.profile != "small" else "")


def layers(shell: Shell, folder: pathlib.Path) -> tuple[pathlib.Path, ...]:
    """The archives of the root; what is made for this run goes into `folder`."""
    tiny = shell.profile == TINY_PROFILE
    script = f"{_NOW_TINY if tiny else _NOW}\n{_SCRIPT}"
    if shell.logins:
        plan = guest.Program.plan_of_logins()
        path = "root/.profile" if tiny else "root/.bash_profile"
        script = f'case $(tty) in *ttyS*)\n{script}\n;; esac\n'
    else:
        plan = guest.Program.plan_on_console(("sh" if tiny else "bash", "/.cairn/script"))
        path = ".cairn/script"
    tree = newc.Tree()
    if shell.logins:
        tree.directory("root", 0o700)
    tree.file(path, script, 0o700)
    archive = folder / "script.cpio"
    with open(archive, "wb") as out:
        newc.write(tree, out)
    return root_image(shell.profile), guest.session_layer(plan, folder, build_first=False), archive


def iso(shell: Shell, kernel: KernelImage) -> pathlib.Path:
    """The ISO with the shell, beside the kernel; the same for all machines."""
    media = dataclasses.replace(FOR_PEOPLE, timeout=1) if shell.logins else Media(compressed=True)
    target = kernel.folder / f"cairn-{shell.name}.iso"
    # One at a time: several that find none would each compress the root.
    with locked(target.with_suffix(".making")), guest.temporary_folder() as folder:
        return make_iso(kernel, "", layers(shell, folder), target, media=media)
