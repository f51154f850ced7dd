"""Linux's namespace, mount and capability system calls, through ctypes: a bare root has no `mount` and no `ip`.

Standard library only: this runs in the sandbox script, without the packages that basewright is installed with.
"""

import ctypes
import errno
import fcntl
import os
import platform
import socket
import struct
from contextlib import suppress

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "loongarch64": 41, "ppc64le": 203, "s390x": 217}
_CAPABILITY_VERSION_3 = 0x20080522
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_libc.prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
# Looked up now: after the root has changed nothing may be loaded any more.
_mount, _umount2, _unshare, _setns = _libc.mount, _libc.umount2, _libc.unshare, _libc.setns
_prctl, _capset, _syscall, _sethostname = _libc.prctl, _libc.capset, _libc.syscall, _libc.sethostname
_PIVOT_ROOT_NUMBER = _PIVOT_ROOT.get(platform.machine())


def unshare(flags: int) -> None:
    """Puts this process (its children, for a pid namespace) into new namespaces. Raises OSError."""
    _check(_unshare(ctypes.c_int(flags)), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """Enters the namespace that `descriptor` is open on. Raises OSError."""
    _check(_setns(ctypes.c_int(descriptor), ctypes.c_int(kind)), "setns")


def mount(source: str, target: str, filesystem: str | None, flags: int, data: str | None = None) -> None:
    """mount(2). Raises OSError that names the target."""
    result = _mount(
        os.fsencode(source),
        os.fsencode(target),
        None if filesystem is None else filesystem.encode(),
        flags,
        None if data is None else os.fsencode(data),
    )
    _check(result, f"mount {filesystem or 'bind'} on {target}")


def umount(target: str) -> None:
    """Detaches what is mounted on `target`. Raises OSError."""
    _check(_umount2(os.fsencode(target), ctypes.c_int(MNT_DETACH)), f"umount {target}")


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2). Raises OSError."""
    if _PIVOT_ROOT_NUMBER is None:
        raise OSError(errno.ENOSYS, f"pivot_root is not known on {platform.machine()}")
    _check(_syscall(ctypes.c_long(_PIVOT_ROOT_NUMBER), os.fsencode(new_root), os.fsencode(put_old)), "pivot_root")


def prctl(option: int, argument: int = 0, second: int = 0) -> None:
    """prctl(2). Raises OSError."""
    _check(_prctl(option, argument, second, 0, 0), f"prctl {option}")


def set_hostname(name: bytes) -> None:
    """sethostname(2). Raises OSError."""
    _check(_sethostname(name, ctypes.c_size_t(len(name))), "sethostname")


def bound_capabilities(kept: tuple[int, ...]) -> None:
    """Empties the bounding set but for `kept`, and the ambient set: nothing executed later can have more."""
    for number in range(64):
        if number not in kept:
            try:
                prctl(PR_CAPBSET_DROP, number)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                break  # the kernel has no more of them
    with suppress(OSError):  # before Linux 4.3 there was no ambient set
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)


def set_capabilities(kept: tuple[int, ...]) -> None:
    """Makes `kept` the permitted and effective sets of this process; the inheritable one is empty. Raises OSError."""
    masks = [0, 0]
    for number in kept:
        masks[number // 32] |= 1 << number % 32
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    data = struct.pack("=6I", masks[0], masks[0], 0, masks[1], masks[1], 0)
    _check(_capset(header, data), "capset")


def raise_loopback() -> None:
    """Sets the interface `lo` of this network namespace up. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(probe, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(probe, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | _IFF_UP))


def _check(result: int, what: str) -> None:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
