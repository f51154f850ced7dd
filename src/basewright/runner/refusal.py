"""Why this machine refuses namespaces, in one line, and what mends it."""

import sys
from pathlib import Path

from basewright.runner.runner import Availability

_WITHOUT = "candidates are built and inspected, and what needs a running service is not measured"


def explain_refusal(refusal: str) -> Availability:
    """`refusal` is what the sandbox script said: the step, a colon and the reason; empty where there is no Linux."""
    if sys.platform != "linux":
        return Availability(
            ok=False,
            description=f"no sandbox: {sys.platform} has no Linux namespaces; {_WITHOUT}",
            hint="run basewright on Linux, in a virtual machine or in a container that may make user namespaces",
        )
    reason, hint = _mend(refusal)
    return Availability(ok=False, description=f"no sandbox: {reason}; {_WITHOUT}", hint=hint)


def _mend(refusal: str) -> tuple[str, str]:
    if _setting("/proc/sys/user/max_user_namespaces") == "0":
        return "user namespaces are switched off (user.max_user_namespaces)", "sysctl user.max_user_namespaces=15000"
    if _setting("/proc/sys/kernel/unprivileged_userns_clone") == "0":
        name = "kernel.unprivileged_userns_clone"
        return f"user namespaces are for root only ({name})", f"sysctl {name}=1, or run basewright as root"
    if _setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
        name = "kernel.apparmor_restrict_unprivileged_userns"
        return f"AppArmor takes the rights in user namespaces away ({name})", f"sysctl {name}=0, or run it as root"
    if _seccomp():
        return (
            f"a seccomp profile refuses namespaces ({refusal}), as container engines do by default",
            "start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
            "--security-opt systempaths=unconfined, or run basewright outside of it",
        )
    if "Operation not permitted" in refusal and _in_chroot():
        return "a chroot may not make user namespaces", "enter the directory by pivot_root or an engine, not by chroot"
    return (
        f"this machine refuses namespaces ({refusal})",
        "run basewright as root, or where an ordinary user may make user namespaces",
    )


def _seccomp() -> bool:
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return any(line.split()[1:] == ["2"] for line in text.splitlines() if line.startswith("Seccomp:"))


def _in_chroot() -> bool:
    """The root is no mount point of this process's own list of mounts."""
    try:
        text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return not any(line.split()[4:5] == ["/"] for line in text.splitlines())


def _setting(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
