"""Whether KVM can be used. /dev/kvm may exist and open, and a guest still not run: in a virtual
machine without nesting, in a container. Or the kernel starts, and the first instruction that KVM has to emulate
(XRSTOR, on some clouds' machines) stops the guest. So processes are run on two CPUs for a few seconds."""

import dataclasses
import json
import pathlib

from cairn_tools import guest
from cairn_tools.build import KernelImage
from cairn_tools.project import BUILD, ToolError, say
from cairn_tools.qemu import Machine, kvm_device_usable

_CACHE = BUILD / "kvm-probe.json"
_PROBE_SECONDS = 10.0
_STATUS_NOT_FOUND = 127  # what init says of a program that is not there
_NO_SINKS = {"stdout": lambda _: None, "stderr": lambda _: None}


def choose(wanted: str, kernel: KernelImage) -> str:
    """The accelerator for "auto", "tcg" or "kvm". Asking for KVM where it does not work is an error."""
    if wanted == "tcg":
        return "tcg"
    works = _kvm_works(kernel)
    if wanted == "kvm" and not works:
        raise ToolError("KVM does not boot the kernel on this machine; use --accel tcg")
    return "kvm" if works else "tcg"


def _kvm_works(kernel: KernelImage) -> bool:
    if not kvm_device_usable():
        return False
    # Loading a module or another hypervisor changes the answer, and rarely without a reboot.
    boot_id = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    try:
        cached = json.loads(_CACHE.read_text(encoding="ascii"))
        if cached["boot_id"] == boot_id and cached["ran"] == "processes":
            return cached["works"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    say("Trying whether KVM works here (once per boot of this machine)")
    probe = dataclasses.replace(Machine(), firmware="none", cpus=2, accelerator="kvm",
                                kernel_arguments=guest.kernel_arguments())
    # A root with nothing but init, which forks and fails to execute.
    result = guest.run_session(guest.Program(("/nothing",)), probe, kernel, [], sinks=_NO_SINKS,
                               timeout=_PROBE_SECONDS, show_errors=False)
    works = result.status == _STATUS_NOT_FOUND
    if not works:
        say("KVM does not boot the kernel here; using QEMU's own translator (TCG), which is slower")
    _CACHE.parent.mkdir(parents=True, exist_ok=True)
    _CACHE.write_text(json.dumps({"boot_id": boot_id, "ran": "processes", "works": works}), encoding="ascii")
    return works
