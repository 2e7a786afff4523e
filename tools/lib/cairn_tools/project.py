"""Where things are, how a program is run, and how a tool ends."""

import contextlib
import fcntl
import os
import pathlib
import shlex
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"


class ToolError(Exception):
    """A tool cannot go on; main_guard prints the message and exits with the status."""

    def __init__(self, message: str, status: int = 1):
        super().__init__(message)
        self.status = status


def say(message: str) -> None:
    """Tells the user what happens next. On stderr: stdout belongs to the guest's log and to results."""
    print(message, file=sys.stderr, flush=True)


def progress(done: int, total: int, what: str) -> None:
    """One step of many: a line that changes on a terminal, a line now and then elsewhere."""
    if sys.stderr.isatty():
        width = os.get_terminal_size(sys.stderr.fileno()).columns
        text = f"  [{done}/{total}] {what}"[: width - 1]
        print(f"\r{text}\x1b[K", end="\n" if done == total else "", file=sys.stderr, flush=True)
    elif done == total or done % 20 == 0:
        say(f"  [{done}/{total}] {what}")


def run(command: list, *, timeout: float, quiet: bool = False, **options) -> subprocess.CompletedProcess:
    """Runs a program to its end. When it fails, or takes longer than `timeout` seconds, its command
    line (and, if quiet, its output) is in the ToolError."""
    words = [str(word) for word in command]
    if quiet:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, **options)
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"no end after {timeout:.0f} s: {shlex.join(words)}") from error
    finally:
        end_process(process)
    if process.returncode != 0:
        raise ToolError((output or "") + f"failed with status {process.returncode}: {shlex.join(words)}")
    return subprocess.CompletedProcess(words, 0, output)


def end_process(process: subprocess.Popen) -> None:
    """Makes sure that a child is gone: asks, waits two seconds, kills."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def dies_with_parent(command: list) -> list[str]:
    """The command line under which a program is killed when this process ends, however it ends
    (ctest ends a test that takes too long with SIGKILL). setpriv is in util-linux."""
    return ["setpriv", "--pdeathsig", "KILL", "--"] + [str(word) for word in command]


def install(*groups: str) -> None:
    """Installs the missing packages of these groups of tools/lib/packages."""
    run([ROOT / "tools/lib/install", *groups], timeout=3600)


@contextlib.contextmanager
def locked(path: pathlib.Path):
    """Holds a lock that every process of this machine sees, e.g. on a build folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main_guard(main) -> None:
    """Runs a tool's main(arguments) and turns every end into an exit status. SIGTERM and SIGHUP end
    it like Ctrl-C does, so that `finally` runs and no emulator is left behind."""

    def on_signal(number, _frame):
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGHUP, on_signal)
    name = pathlib.Path(main.__code__.co_filename).stem.replace("_", "-")
    try:
        status = main(sys.argv[1:])
    except ToolError as error:
        say(f"{name}: {error}")
        status = error.status
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of our output went away, as in `tools/run | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 128 + signal.SIGPIPE
    sys.exit(status)
