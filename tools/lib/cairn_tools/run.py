"""Builds Cairn and boots it in QEMU with a root of Debian packages: an interactive shell, or one program."""

import argparse
import contextlib
import os
import pathlib
import re
import sys

from cairn_tools import accelerator, capture, guest, kernel_log, mounts, qemu
from cairn_tools.build import SHIPPED, KernelFile, kernel_image
from cairn_tools.emulation import FirmwareFilter, Outcome, Run
from cairn_tools.guest_session import UserLeft
from cairn_tools.project import ToolError, install, main_guard, say
from cairn_tools.root_image import DEFAULT_PROFILE, PROFILES

_DESCRIPTION = """\
Without a program: bash on the terminal, in a guest that boots Cairn with a root made of Debian packages.
`exit` or Ctrl-A X leaves; Ctrl-C goes to the guest. With a program: runs it in a guest of its own, with its
input and output passed through unchanged, and exits with its status. What is missing is installed first
(Debian packages), and the kernel is built.

exit status: the program's (128 + n after signal n); 126 or 127 it could not be started; 125 the kernel
failed; 124 timeout; 2 wrong arguments; 130 Ctrl-C. With --boot-only: 0 the kernel started completely and
powered off, 1 it did not."""

_EXAMPLES = """\
examples, the program:
  tools/run                                 bash on the terminal
  tools/run -- python3 -c 'print(6 * 7)'    one program; its exit status is the command's
  tools/run -- sh -c 'exit 42'; echo $?     42
  tools/run --env LANG=C --env A=1 -- env   with these variables
  tools/run --host-env TERM -- env          with a variable's value from here
  tools/run --cwd /tmp -- pwd               in this folder of the guest
  tools/run --uid 1000 -- id                as this user
  tools/run --hostname rock -- hostname     on a machine of this name
  tools/run --limit cpu=10 --limit as=200000000 -- sh
                                            ten seconds of a CPU, 200 MB of addresses
  tools/run --uid 1000 --limit nproc=1 -- ls
                                            no new processes
  echo hello | tools/run -- rev             standard input comes from here
examples, the root:
  tools/run --image full -- tcc -v          another set of packages: small, shell, full
  tools/run --root tree/ -- /bin/hello      a folder as the root
  tools/run --root root.cpio -- ls          an archive in newc format as the root
  tools/run --layer extra.cpio -- ls        an archive or folder on top of the root
  tools/run --mount src:/src -- ls /src     a folder of the host, read-only
  tools/run --mount out:/out:rw --cwd /out -- tar xf files.tar
                                            what the program changed there is on the host when it has ended
examples, the machine:
  tools/run --cpus 8 --memory 2G            eight CPUs, 2 GiB
  tools/run --machine pc --firmware uefi    an older chip set, booted from an ISO with UEFI
  tools/run --firmware bios                 from an ISO with BIOS (none: QEMU enters the kernel through PVH)
  tools/run --medium usb --firmware bios    the ISO on a USB stick; also disk
  tools/run --machine microvm               a machine without PCI or firmware
  tools/run --cpu Nehalem                   another CPU model (see qemu-system-x86_64 -cpu help)
  tools/run --accel tcg                     never KVM
  tools/run --icount -- true                one CPU, and every run is the same to the instruction
examples, the kernel:
  tools/run --kernel vmlinuz -- uname -a    another kernel, such as Debian's Linux, with the same root
  tools/run --kernel-args "loglevel=7"      arguments for the kernel
  tools/run --trace -- true                 show every system call
  tools/run --checks -- make                with the kernel that checks its own locks and sleeping, as tests do
  tools/run --build-dir build/kernel-clang --no-build
                                            a kernel that was built before
  tools/run --boot-only                     no root: show the kernel's log until it powers off
examples, the session:
  tools/run --capture state --capture-at idle --capture-end -- sh
                                            keep the shell as it waits for its first command,
  tools/run --continue state                and go on from there, as often as you like
  tools/run --timeout 60 -- sleep 99        give up after a minute, with status 124
  tools/run --gdb                           stand still until gdb says "continue"
  tools/run --display                       show the guest's screen, too
  tools/run --serial-log boot.log -- true   keep all that came over the console's serial line
"""
_TIMEOUT_WITHOUT_TERMINAL = 600.0
# As prlimit(1) calls them.
_LIMITS = ("as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss",
           "rtprio", "rttime", "sigpending", "stack")


def _memory(text: str) -> int:
    """256, 256M, 2G, 1.5G -> MiB."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([MGT]?)(?:i?B)?", text, re.IGNORECASE)
    mebibytes = float(match[1]) * {"": 1, "M": 1, "G": 1024, "T": 1024 * 1024}[match[2].upper()] if match else 0
    if mebibytes < 1 or mebibytes != int(mebibytes):
        raise argparse.ArgumentTypeError(f"'{text}' is not a size; write 256, 256M or 2G")
    return int(mebibytes)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return int(text)


def _user(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is not a user's number")
    return int(text)


def _assignment(text: str) -> str:
    if "=" not in text or text.startswith("="):
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return text


def _limit(text: str) -> str:
    name, _, value = text.partition("=")
    if name not in _LIMITS or not value.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=NUMBER with a NAME of {', '.join(_LIMITS)}")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools/run", description=_DESCRIPTION, epilog=_EXAMPLES, allow_abbrev=False,
                                     usage="tools/run [OPTION]... [-- PROGRAM [ARGUMENT]...]",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    program = parser.add_argument_group("the program")
    program.add_argument("--env", type=_assignment, action="append", default=[], metavar="K=V", help="set a variable")
    program.add_argument("--host-env", action="append", default=[], metavar="K", help="pass a variable of the host on")
    program.add_argument("--cwd", metavar="DIR", help="start in this folder of the guest (the user's home)")
    program.add_argument("--uid", type=_user, default=0, metavar="U", help="run as this user (0)")
    program.add_argument("--gid", type=_user, metavar="G", help="run in this group (the user's own)")
    program.add_argument("--hostname", metavar="NAME", help="the guest's name (cairn)")
    program.add_argument("--limit", type=_limit, action="append", default=[], metavar="NAME=N",
                         help="a limit of setrlimit(2), for good; may be repeated")
    root = parser.add_argument_group("the root")
    root.add_argument("--image", choices=PROFILES, help=f"which set of Debian packages ({DEFAULT_PROFILE})")
    root.add_argument("--root", type=pathlib.Path, metavar="IMAGE|DIR", help="an archive or a folder instead")
    root.add_argument("--layer", type=pathlib.Path, action="append", default=[], metavar="IMAGE|DIR",
                      help="one more on top; may be repeated")
    root.add_argument("--mount", action="append", default=[], metavar="DIR:PLACE[:rw]",
                      help="a folder of the host, read-only or writable; may be repeated")
    machine = parser.add_argument_group("the machine")
    machine.add_argument("--cpus", type=_positive, metavar="N", help="number of CPUs (2)")
    machine.add_argument("--memory", type=_memory, metavar="M", help="in MiB, or with a suffix (512; 256 without root)")
    machine.add_argument("--machine", choices=qemu.MACHINES, default="q35", help="chip set (q35)")
    machine.add_argument("--firmware", choices=qemu.FIRMWARES, help="none = -kernel (none; bios with --boot-only)")
    machine.add_argument("--medium", choices=qemu.MEDIA, default="cdrom", help="how the ISO is attached (cdrom)")
    machine.add_argument("--no-screen", action="store_true", help="without a graphics card")
    machine.add_argument("--cpu", default="max", metavar="MODEL", help="CPU model (max)")
    machine.add_argument("--accel", choices=("auto", *qemu.ACCELERATORS), default="auto",
                         help="auto = KVM if it proves to work, else TCG")
    machine.add_argument("--icount", action="store_true", help="count time in instructions; one CPU, TCG")
    kernel = parser.add_argument_group("the kernel")
    kernel.add_argument("--kernel", type=pathlib.Path, metavar="FILE", help="boot this one, e.g. a vmlinuz")
    kernel.add_argument("--kernel-args", default="", metavar="ARGS", help="added to its command line")
    kernel.add_argument("--trace", action="store_true", help="log system calls; the log goes to standard error")
    kernel.add_argument("--checks", action="store_true", help="the one with run-time checks (build/kernel)")
    kernel.add_argument("--build-dir", type=pathlib.Path, metavar="DIR", help="its build folder (build/kernel-release)")
    kernel.add_argument("--no-build", action="store_true", help="boot what is there")
    kernel.add_argument("--boot-only", action="store_true", help="boot without a root and show the log")
    session = parser.add_argument_group("the session")
    session.add_argument("--timeout", type=_positive, metavar="S",
                         help="end after S seconds (600 when there is no terminal, else never)")
    session.add_argument("--capture", type=pathlib.Path, metavar="FILE", help="keep the running guest's state in FILE")
    session.add_argument("--capture-at", metavar="WHEN",
                         help="request (SIGUSR1 to tools/run; the default), signal=NAME, interval=S, idle[=S], listen")
    session.add_argument("--capture-end", action="store_true", help="end with the first capture")
    session.add_argument("--continue", dest="continued", type=pathlib.Path, metavar="FILE",
                         help="go on with a captured guest")
    session.add_argument("--gdb", action="store_true", help="wait for gdb on port 1234")
    session.add_argument("--display", action="store_true", help="show the guest's screen in a window")
    session.add_argument("--serial-log", type=pathlib.Path, metavar="FILE", help="copy the console's text to FILE")
    return parser


def _split(arguments: list[str]) -> tuple[list[str], list[str] | None]:
    """Our own words, and the program's after "--"."""
    if "--" not in arguments:
        return arguments, None
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _machine(options: argparse.Namespace, chosen_accelerator: str) -> qemu.Machine:
    default_firmware = "bios" if options.boot_only and options.machine != "microvm" else "none"
    arguments = options.kernel_args
    if options.boot_only:
        # Whatever the kernel thinks of a machine without a root.
        ends = {"poweroff", "halt", "reboot"} & set(arguments.split())
        arguments = " ".join(arguments.split() + ([] if ends else ["poweroff"]))
    else:
        arguments = guest.kernel_arguments(arguments, trace=options.trace)
    machine = qemu.Machine(
        machine=options.machine,
        firmware=options.firmware or default_firmware,
        cpus=options.cpus or (1 if options.icount else 2),
        memory_mib=options.memory or (256 if options.boot_only else 512),
        cpu=options.cpu,
        accelerator=chosen_accelerator,
        kernel_arguments=arguments,
        icount=options.icount,
        medium=options.medium,
        screen="none" if options.no_screen else "std",
    )
    machine.check()
    return machine


def _check(options: argparse.Namespace, program: list[str] | None, parser: argparse.ArgumentParser) -> None:
    """Finds wrong arguments before anything is built."""
    if options.accel == "kvm" and (options.icount or options.gdb):
        raise ToolError("--icount and --gdb need TCG", status=2)
    if program is not None and (not program or not program[0]):
        parser.error("there is no program after --")
    if options.boot_only and (program or options.root or options.image or options.layer or options.mount):
        parser.error("--boot-only boots without a root and a program")
    if options.checks and (options.kernel or options.build_dir):
        parser.error("--checks names a kernel, and so does --kernel or --build-dir")
    if options.root and options.image:
        parser.error("--root and --image exclude each other")
    for path in (options.root, options.kernel, *options.layer):
        if path and not path.exists():
            raise ToolError(f"{path} does not exist", status=2)
    for text in options.mount:
        mounts.Mount.parse(text)
    _capture_plan(options)
    from_iso = options.firmware not in (None, "none")
    if options.capture and (options.boot_only or options.icount or options.gdb or from_iso):
        raise ToolError("a capture needs a program, no --icount, no --gdb, and --firmware none", status=2)
    if options.continued and (program or options.boot_only):
        parser.error("--continue goes on with the program that was captured")
    machine = _machine(options, "tcg")
    if options.kernel and machine.firmware != "none":
        raise ToolError("--kernel needs --firmware none: our ISO boots multiboot2 kernels only", status=2)


def _capture_plan(options: argparse.Namespace) -> capture.Plan | None:
    trigger = capture.Trigger.parse(options.capture_at or "request")
    if not options.capture and (options.capture_at or options.capture_end):
        raise ToolError("--capture-at and --capture-end belong to --capture FILE", status=2)
    return capture.Plan(options.capture, trigger, options.capture_end) if options.capture else None


def _display_backend() -> str:
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        install("display")
        return "gtk"
    say("No window system here: the screen is served to VNC viewers at 127.0.0.1:5900")
    return "vnc=127.0.0.1:0"


def _report(run: Run) -> int:
    complete = kernel_log.COMPLETE.search(run.log)
    if run.outcome is Outcome.POWERED_OFF and not complete:
        say("The machine was powered off before the kernel had started completely.")
        return 1
    say(f"The kernel {run.outcome.value} after {run.seconds:.1f} s.")
    return run.outcome.exit_status


def main(arguments: list[str]) -> int:
    ours, program = _split(arguments)
    parser = _parser()
    options = parser.parse_args(ours)
    _check(options, program, parser)

    install("run")
    display = _display_backend() if options.display else "none"
    timeout = options.timeout
    if timeout is None and not sys.stdin.isatty() and not options.gdb:
        timeout = _TIMEOUT_WITHOUT_TERMINAL
    if options.continued:
        return _continue(timeout, display, options)

    build_first = not options.no_build
    if options.kernel:
        kernel = KernelFile(options.kernel.absolute())
    else:
        kernel = kernel_image(options.build_dir and options.build_dir.absolute(), build_first=build_first,
                              variant="kernel" if options.checks else SHIPPED)
    if options.icount or options.gdb or (options.kernel and options.accel == "auto"):
        chosen = "tcg"
    else:
        chosen = accelerator.choose(options.accel, kernel)
    machine = _machine(options, chosen)

    extra = ()
    if options.gdb:
        extra = ("-gdb", "tcp:127.0.0.1:1234", "-S")
        symbols = getattr(kernel, "with_symbols", kernel.bootable)
        say(f"Waiting for gdb:\n  gdb {symbols} -ex 'target remote 127.0.0.1:1234'")
    if not options.boot_only:
        return _run_program(program, machine, kernel, timeout, display, extra, options)
    say(f"Booting: {machine}")
    return _report(_boot_on_terminal(machine, kernel, timeout, display, extra, options))


def _program(words: list[str] | None, options: argparse.Namespace) -> guest.Program:
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    environment = [f"{name}={os.environ[name]}" for name in options.host_env if name in os.environ]
    if on_terminal:
        environment.insert(0, f"TERM={os.environ.get('TERM', 'vt100')}")
    return guest.Program(tuple(words or ()), (*environment, *options.env), options.cwd, options.uid, options.gid,
                         options.hostname, tuple(options.limit),
                         tuple(mounts.Mount.parse(text) for text in options.mount), on_terminal,
                         errors_apart=not (on_terminal and sys.stderr.isatty()))


@contextlib.contextmanager
def _sinks(on_terminal: bool, shows_console: bool, options: argparse.Namespace):
    """Where what comes from the guest goes."""
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(open(options.serial_log, "wb")) if options.serial_log else None

        def on_console(data: bytes) -> None:
            if shows_console:
                _write(sys.stdout if on_terminal else sys.stderr, data)
            if log:
                log.write(data)
                log.flush()

        yield {"console": on_console, "stdout": lambda data: _write(sys.stdout, data),
               "stderr": lambda data: _write(sys.stderr, data)}


def _run_program(words, machine, kernel, timeout, display, extra, options) -> int:
    program = _program(words, options)
    shows_console = program.on_terminal or (options.trace and not options.serial_log)
    with guest.temporary_folder() as folder, _sinks(program.on_terminal, shows_console, options) as sinks:
        layers = [guest.root_layer(options.root or options.image, folder)]
        layers += [guest.root_layer(layer, folder) for layer in options.layer]
        if program.on_terminal and words is None:
            say(f"Booting: {machine}\n`exit` or Ctrl-A X leaves.")
        try:
            result = guest.run_session(program, machine, kernel, layers, source=sys.stdin.fileno(), sinks=sinks,
                                       timeout=timeout, capturing=_capture_plan(options), qemu_options=extra,
                                       display=display, build_first=not options.no_build)
        except UserLeft:
            say("")
            return 0
    return _status(result, words, shows_console)


def _continue(timeout: float | None, display: str, options: argparse.Namespace) -> int:
    state, _ = capture.State.load(options.continued)
    if state.on_terminal and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ToolError(f"{options.continued} was captured at a terminal and needs one", status=2)
    if state.on_terminal:
        say(f"Going on with {state.machine}\nCtrl-A X leaves; Enter shows a new prompt.")
    with _sinks(state.on_terminal, state.on_terminal, options) as sinks:
        try:
            result = guest.continue_session(options.continued, source=sys.stdin.fileno(), sinks=sinks, timeout=timeout,
                                            capturing=_capture_plan(options), display=display)
        except UserLeft:
            say("")
            return 0
    return _status(result, None, state.on_terminal)


def _status(result: guest.Result, words: list[str] | None, shows_console: bool) -> int:
    """The program's, after a word about what went wrong."""
    if result.failure:
        if result.status == guest.STATUS_KERNEL_FAILED and not shows_console:
            sys.stderr.write(guest.last_words(result.console))
        what = words[0] if words and result.status in (126, 127) else "tools/run"
        say(f"{what}: {result.failure}")
    return result.status


def _write(stream, data: bytes) -> None:
    stream.buffer.write(data)
    stream.buffer.flush()


def _boot_on_terminal(machine, kernel, timeout, display, extra, options) -> Run:
    screen = FirmwareFilter()
    log = open(options.serial_log, "wb") if options.serial_log else None

    def show(data: bytes) -> None:
        _write(sys.stdout, screen.feed(data))
        if log:
            log.write(data)
            log.flush()

    try:
        run = qemu.boot(machine, kernel, timeout=timeout, on_text=show, interactive=sys.stdin.isatty(),
                        display=display, extra=extra, stop_at_panic=not (options.gdb or options.display))
    finally:
        _write(sys.stdout, screen.rest())
        if log:
            log.close()
    return run


if __name__ == "__main__":
    main_guard(main)
