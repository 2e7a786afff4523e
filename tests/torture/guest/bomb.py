"""A fork bomb, and root beside it. Started as root, with an ordinary priority, in an ordinary session:

    bomb.py USER LIMIT SECONDS

USER is the bomb's user id, LIMIT its `ulimit -u`, or - for none. For so long, this process starts one command after
the other, and every few seconds logs in on a terminal of its own; then it ends the bomb and watches everything
come back. Writes lines "key=value".
"""

import os
import pty
import select
import signal
import subprocess
import sys
import time

BOMB = "bash -c ':(){ :|:& };:'"
# How long ending the bomb, and then coming back to what was, may take.
END_SECONDS = 120
REST_SECONDS = 60


def meminfo() -> dict[str, int]:
    with open("/proc/meminfo", encoding="ascii") as file:
        return {line.split(":")[0]: int(line.split()[1]) for line in file}


def used() -> int:
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("3\n")
    values = meminfo()
    return values["MemTotal"] - values["MemFree"]


def processes() -> int:
    return sum(name.isdigit() for name in os.listdir("/proc"))


def command() -> str:
    """A new program. What went wrong, or nothing."""
    try:
        result = subprocess.run(["/usr/bin/id", "-u"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except OSError as error:
        return f"fork: {error.strerror}"
    return "" if result.stdout == b"0\n" else f"status {result.returncode} {result.stdout[:100]!r}"


def login() -> str:
    """A login shell on a terminal of its own, which runs a command."""
    try:
        child, terminal = pty.fork()
    except OSError as error:
        return f"terminal: {error.strerror}"
    if child == 0:
        try:
            os.execv("/bin/login", ["login", "-f", "root"])
        finally:
            os._exit(127)
    text = b""
    asked = False
    try:
        while True:
            if not asked and (b"# " in text or b"$ " in text):
                os.write(terminal, b"echo uid=$((`id -u` + 40)); exit\n")
                asked = True
            if not select.select([terminal], [], [], 120)[0]:
                os.kill(child, signal.SIGKILL)
                break
            data = os.read(terminal, 4096)
            if not data:
                break
            text += data
    except OSError:
        pass  # the terminal's other end is closed
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return "" if b"uid=40" in text else f"status {status} {text[-200:]!r}"


class Probe:
    """One thing that root does, again and again."""

    def __init__(self, name, action):
        self.name, self.action = name, action
        self.done, self.slowest, self.failures = 0, 0.0, []

    def run(self) -> None:
        begin = time.monotonic()
        failure = self.action()
        took = time.monotonic() - begin
        if took > 10:
            print(f"note: {self.name}: one took {took:.0f} s", failure)
        if failure:
            self.failures.append(failure)
        else:
            self.done += 1
            self.slowest = max(self.slowest, took)

    def report(self) -> None:
        print(f"{self.name}={self.done} {self.slowest:.2f} {len(self.failures)}")
        for failure in sorted(set(self.failures)):
            print(f"note: {self.name}: {self.failures.count(failure)} times {failure}")


def start(user: int, limit: str) -> None:
    script = BOMB if limit == "-" else f"ulimit -u {limit}; {BOMB}"

    def become() -> None:
        os.setsid()
        if user:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)

    subprocess.Popen(["/bin/bash", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL, preexec_fn=become, cwd="/")


def kill_all(user: int) -> None:
    """Signals every process of the user: by one call if it is not root, and all but this one if it is."""
    if user == 0:
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return
    child = os.fork()
    if child == 0:
        try:
            os.setresuid(user, user, user)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def end(user: int, before: int) -> float:
    """Kills until nothing is left. Seconds, or -1."""
    begin = time.monotonic()
    while time.monotonic() < begin + END_SECONDS:
        try:
            kill_all(user)
        except OSError:
            pass
        reap()
        if processes() <= before:
            return time.monotonic() - begin
        time.sleep(0.05)
    return -1.0


def main() -> None:
    user, limit, seconds = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    probes = [Probe("commands", command), Probe("logins", login)]
    for probe in probes:
        probe.run()  # what stays in memory after the first time belongs to "before"
        if probe.failures:
            sys.exit(f"{probe.name} before the bomb: {probe.failures[0]}")
        probe.done, probe.slowest = 0, 0.0
    time.sleep(1)
    before, memory_before = processes(), used()
    rows = meminfo()
    start(user, limit)
    most = 0
    begin = time.monotonic()
    next_login = begin
    while time.monotonic() < begin + seconds:
        if time.monotonic() >= next_login:
            probes[1].run()
            next_login = time.monotonic() + 5
        probes[0].run()
        most = max(most, processes())
        time.sleep(0.2)
    print(f"most={most}")
    for probe in probes:
        probe.report()
    print(f"ended={end(user, before):.2f}")
    begin = time.monotonic()
    while used() > memory_before + 1024 and time.monotonic() < begin + REST_SECONDS:
        time.sleep(0.2)
        reap()
    print(f"rested={time.monotonic() - begin:.2f}")
    for name, value in meminfo().items():
        if value > rows[name] + 128:
            print(f"note: {name}: {value - rows[name]} KiB more")
    print(f"memory_before={memory_before}\nmemory_after={used()}")
    print(f"processes_before={before}\nprocesses_after={processes()}")


main()
