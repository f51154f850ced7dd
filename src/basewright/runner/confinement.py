"""What a service's own process does before it becomes the service: mounts, pivot_root, limits, privileges, exec.

Standard library only, and nothing is imported after the root has changed: what lies in an image is never loaded by us.
"""
# System calls by name: pathlib costs the script start-up time.
# ruff: noqa: PTH101, PTH102, PTH103, PTH108, PTH110, PTH112, PTH113, PTH120, PTH123, PTH211

import os
import resource
import signal
import socket
import stat
import sys
import time
from contextlib import suppress
from typing import NamedTuple, NoReturn

from basewright.runner import namespaces as ns

KEPT_CAPABILITIES = (0, 1, 3, 4, 5, 6, 7, 10)
"""Docker's default set less MKNOD, NET_RAW, SETFCAP, SETPCAP, SYS_CHROOT and AUDIT_WRITE: CHOWN, DAC_OVERRIDE, FOWNER,
FSETID, KILL, SETGID, SETUID, NET_BIND_SERVICE."""

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}
_MASKED_FILES = ("kcore", "keys", "timer_list", "sched_debug", "latency_stats", "kpagecount", "kpageflags", "kmsg")
_MASKED_DIRECTORIES = ("acpi", "scsi", "asound")
_READ_ONLY = ("bus", "fs", "irq", "sys", "sysrq-trigger")
_INERT = ns.MS_NOSUID | ns.MS_NODEV
HOSTNAME = b"basewright"
_HOSTS = b"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t" + HOSTNAME + b"\n"
_OPEN_FILES = 65535
"""Soft and hard limit of open files, as Fargate sets it."""


class Program(NamedTuple):
    """What to run, and as whom. `binds` are (source on the host, target in the image, writable)."""

    root: str
    argv: list[str]
    env: dict[str, str]
    uid: int
    gid: int
    cwd: str
    writable: bool
    binds: list[tuple[str, str, bool]]
    memory_bytes: int
    processes: int
    one_id: bool
    """Only one user id is mapped: owners cannot be set, groups cannot be dropped."""
    counts_tasks: bool
    """The kernel counts a user's tasks per user namespace, so that a limit on them concerns this program only."""


class Step(Exception):
    """What an image lacks, in a few words."""


def become(
    program: Program, *, stdio: tuple[int, int, int], status: int, go: int, entrances: list[int], upper: int | None
) -> NoReturn:
    """Turns this process, the first child of the pid namespace's init, into the program. Never returns.

    `status` is told `R` when all is ready, `E <monotonic nanoseconds>` right before exec, `F <reason>` where the image
    is at fault, `O <reason>` where this machine refuses something; exec waits
    for a byte from `go`; `entrances` are the cgroup's; the writable layer's directory is sent over the socket `upper`.
    """
    try:
        ns.prctl(ns.PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        sys.path[:], sys.meta_path[:], sys.path_hooks[:] = [], [], []
        _mount_root(program, upper)
        _set_limits(program)
        _drop_to(program, stdio)
        os.write(status, b"R\n")
        if os.read(go, 1) != b"g":
            os._exit(125)
        for entrance in entrances:
            os.write(entrance, b"0")
        ns.prctl(ns.PR_SET_PDEATHSIG, signal.SIGKILL)  # again: a change of user has cleared it
        os.write(status, b"E %d\n" % time.monotonic_ns())
        _exec(program)
    except Step as step:
        word, reason = b"F ", str(step)
    except OSError as error:
        word, reason = b"O ", error.strerror or str(error)
    except BaseException as error:
        word, reason = b"O ", f"{type(error).__name__}: {error}"
    os.write(status, word + " ".join(reason.split()).encode("utf-8", "replace")[:2000] + b"\n")
    os._exit(125)


def _mount_root(program: Program, upper: int | None) -> None:
    """Enters the image's root, read-only or under a layer that is thrown away, and detaches the host's."""
    ns.unshare(ns.CLONE_NEWNS)
    ns.mount("none", "/", None, ns.MS_REC | ns.MS_PRIVATE)
    binds = [
        (os.open(source, os.O_PATH | os.O_CLOEXEC), target, writable) for source, target, writable in program.binds
    ]
    if program.writable:
        _stack_writable_root(program, upper)
    else:
        ns.mount(program.root, program.root, None, ns.MS_BIND)
        os.chdir(program.root)
        _set_flags(".", ns.MS_RDONLY | _INERT)
    old_root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    pivoted = _change_root()
    # The old root is still there, as the directory behind `old_root`: what comes from it is named relative to that,
    # while every target is resolved inside the image, through its own symbolic links.
    os.fchdir(old_root)
    _mount_devices()
    _mount_tmpfs("/tmp", f"mode=1777,size={program.memory_bytes // 2}")
    _mount_proc()
    for source, target, writable in binds:
        if target.startswith("/tmp/"):
            os.makedirs(target, exist_ok=True)
        _bind(f"proc/self/fd/{source}", target, _INERT | (0 if writable else ns.MS_RDONLY))
        os.close(source)
    if pivoted:
        ns.umount(".")
    os.chdir("/")
    os.close(old_root)


def _change_root() -> bool:
    """Makes the working directory the root; False where the old one stays attached, out of reach, under it."""
    try:
        ns.pivot_root(".", ".")
        return True
    except OSError:
        # An initramfs cannot be pivoted away from. CAP_SYS_CHROOT, which leads out again, is given up later on.
        os.chroot(".")
        return False


def _stack_writable_root(program: Program, upper: int | None) -> None:
    """Leaves the working directory on a writable root over the image's: an overlay, else a copy in memory."""
    lower = os.open(program.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    stage = os.path.dirname(program.root.rstrip("/"))
    stage = "/tmp" if stage in ("", "/") else stage
    size = f"size={program.memory_bytes}"
    ns.mount("tmpfs", stage, "tmpfs", _INERT, f"mode=0755,{size}")
    for name in ("upper", "work", "root"):
        os.mkdir(f"{stage}/{name}", 0o755)
    changed = f"{stage}/upper"
    try:
        _copy_owner(lower, changed)
        _mount_overlay(lower, stage)
    except OSError:
        _copy_tree(lower, f"{stage}/root")
        changed = f"{stage}/root"
        ns.mount(changed, changed, None, ns.MS_BIND)
        _set_flags(changed, _INERT)
    if upper is not None:
        _send_directory(upper, changed, overlay=changed.endswith("upper"))
    os.chdir(f"{stage}/root")
    os.close(lower)


def _mount_overlay(lower: int, stage: str) -> None:
    # By descriptor: a comma or a colon in a path would end an option.
    upper, work = (os.open(f"{stage}/{name}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for name in ("upper", "work"))
    paths = [f"/proc/self/fd/{descriptor}" for descriptor in (lower, upper, work)]
    options = "lowerdir={},upperdir={},workdir={}".format(*paths)
    try:
        ns.mount("overlay", f"{stage}/root", "overlay", _INERT, options + ",userxattr")
    except OSError:
        ns.mount("overlay", f"{stage}/root", "overlay", _INERT, options)
    os.close(upper)
    os.close(work)


def _copy_owner(source: int, target: str) -> None:
    status = os.fstat(source)
    os.chmod(target, status.st_mode & 0o1777)
    with suppress(OSError):  # one user id is mapped, and it is this one
        os.chown(target, status.st_uid, status.st_gid)


def _copy_tree(source: int, target: str) -> None:
    """Copies the directory open at `source` into `target`: where an overlay may not be mounted."""
    for name in os.listdir(source):
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        path = f"{target}/{name}"
        kind = status.st_mode & 0o170000
        if kind == 0o040000:
            os.mkdir(path, 0o755)
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=source)
            _copy_tree(inner, path)
            os.close(inner)
        elif kind == 0o120000:
            os.symlink(os.readlink(name, dir_fd=source), path)
        elif kind == 0o100000:
            _copy_file(name, source, path)
        else:
            continue
        with suppress(OSError):  # as in _copy_owner
            os.chown(path, status.st_uid, status.st_gid, follow_symlinks=False)
        if kind != 0o120000:
            os.chmod(path, status.st_mode & 0o1777)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)


def _copy_file(name: str, source: int, path: str) -> None:
    reader = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=source)
    writer = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    while os.sendfile(writer, reader, None, 1 << 24):
        pass
    os.close(reader)
    os.close(writer)


def _send_directory(channel: int, path: str, *, overlay: bool) -> None:
    """Hands the supervisor the directory in which what the service writes will appear."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with socket.socket(fileno=os.dup(channel)) as sender:
        socket.send_fds(sender, [b"o" if overlay else b"c"], [descriptor])
    os.close(descriptor)


def _bind(source: str, target: str, flags: int) -> None:
    ns.mount(source, target, None, ns.MS_BIND)
    _set_flags(target, flags)


def _set_flags(path: str, flags: int) -> None:
    """Remounts a bind mount with `flags` and those that it has: a user namespace may not take those away."""
    kept = os.statvfs(path).f_flag & (ns.MS_RDONLY | ns.MS_NOSUID | ns.MS_NODEV | ns.MS_NOEXEC)
    ns.mount("none", path, None, ns.MS_REMOUNT | ns.MS_BIND | flags | kept)


def _mount_devices() -> None:
    """A read-only /dev with the harmless devices. Each is mounted read-only, which stops no write to a device but
    keeps an image's root from changing the mode or owner of the host's own node."""
    ns.mount("tmpfs", "/dev", "tmpfs", _INERT | ns.MS_NOEXEC, "mode=0755,size=65536")
    for name in _DEVICES:
        if os.path.exists(f"dev/{name}"):
            os.close(os.open(f"/dev/{name}", os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o644))
            ns.mount(f"dev/{name}", f"/dev/{name}", None, ns.MS_BIND)
            _set_device_flags(f"/dev/{name}")
    for name, target in _LINKS.items():
        os.symlink(target, f"/dev/{name}")
    os.mkdir("/dev/shm")
    _mount_tmpfs("/dev/shm", "mode=1777,size=67108864")
    _mount_hosts()
    ns.mount("none", "/dev", None, ns.MS_REMOUNT | ns.MS_BIND | ns.MS_RDONLY | _INERT | ns.MS_NOEXEC)


def _set_device_flags(path: str) -> None:
    try:
        _set_flags(path, ns.MS_RDONLY | ns.MS_NOSUID | ns.MS_NOEXEC)
    except OSError:
        ns.umount(path)
        raise


def _mount_hosts() -> None:
    """As engines do, so that `localhost` and the host's own name are known."""
    if os.path.isfile("/etc/hosts"):
        with open("/dev/.hosts", "wb", buffering=0) as file:
            file.write(_HOSTS)
        _bind("/dev/.hosts", "/etc/hosts", ns.MS_RDONLY | _INERT | ns.MS_NOEXEC)
        os.unlink("/dev/.hosts")


def _mount_tmpfs(path: str, data: str) -> None:
    try:
        ns.mount("tmpfs", path, "tmpfs", _INERT, data)
    except FileNotFoundError:
        raise Step(f"the root has no directory {path}") from None


def _mount_proc() -> None:
    """A fresh /proc without what reaches the host. Where a container hides parts of its own, the kernel refuses a fresh
    one, and the host's is shown read-only."""
    try:
        ns.mount("proc", "/proc", "proc", _INERT | ns.MS_NOEXEC)
    except FileNotFoundError:
        raise Step("the root has no directory /proc") from None
    except OSError:
        ns.mount("proc", "/proc", None, ns.MS_BIND | ns.MS_REC)
        _set_flags("/proc", ns.MS_RDONLY | _INERT | ns.MS_NOEXEC)
        return
    for name in _MASKED_FILES:
        if os.path.exists(f"/proc/{name}"):
            ns.mount("/dev/null", f"/proc/{name}", None, ns.MS_BIND)
    for name in _MASKED_DIRECTORIES:
        if os.path.isdir(f"/proc/{name}"):
            ns.mount("tmpfs", f"/proc/{name}", "tmpfs", _INERT | ns.MS_RDONLY, "size=4096,mode=0555")
    for name in _READ_ONLY:
        if os.path.exists(f"/proc/{name}"):
            _bind(f"/proc/{name}", f"/proc/{name}", ns.MS_RDONLY | _INERT | ns.MS_NOEXEC)


def _set_limits(program: Program) -> None:
    limits = [(resource.RLIMIT_NOFILE, _OPEN_FILES), (resource.RLIMIT_CORE, 0)]
    if program.counts_tasks:
        limits.append((resource.RLIMIT_NPROC, program.processes))
    for which, value in limits:
        hard = resource.getrlimit(which)[1]
        limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (limit, limit))
    # Under pressure the kernel should end the service, not the tool or the user's editor.
    with suppress(OSError), open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
        file.write(b"500")
    os.umask(0o022)
    try:
        os.chdir(program.cwd)
    except OSError as error:
        raise Step(f"the working directory {program.cwd} cannot be entered: {error.strerror}") from None


def _drop_to(program: Program, stdio: tuple[int, int, int]) -> None:
    """Takes the program's streams, user and privileges; from here on nothing of this process's power is left."""
    for number, descriptor in enumerate(stdio):
        os.dup2(descriptor, number, inheritable=True)
        if stat.S_ISFIFO(os.fstat(number).st_mode):  # never the host's /dev/null
            with suppress(OSError):  # as engines do: else a user that is not root could not open /dev/stdout
                os.fchown(number, program.uid, program.gid)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python ignores both, and that would be inherited
    if not program.one_id:
        os.setgroups([])
    ns.bound_capabilities(KEPT_CAPABILITIES)
    os.setresgid(program.gid, program.gid, program.gid)
    os.setresuid(program.uid, program.uid, program.uid)
    ns.set_capabilities(KEPT_CAPABILITIES if program.uid == 0 else ())
    ns.prctl(ns.PR_SET_NO_NEW_PRIVS, 1)


def _exec(program: Program) -> NoReturn:
    name = program.argv[0]
    search = program.env.get("PATH", "").split(":")
    paths = [name] if "/" in name else [f"{directory or '.'}/{name}" for directory in search]
    reason = f"the program {name} is not in the image"
    for path in paths:
        try:
            os.execve(path, program.argv, program.env)
        except FileNotFoundError:
            if os.path.lexists(path):
                reason = f"the program {path} needs an interpreter or loader that is not in the image"
        except NotADirectoryError:
            continue
        except OSError as error:
            reason = f"the program {path} cannot be executed: {error.strerror}"
    raise Step(reason)
