"""Makes the namespaces and starts a program in them: supervisor → middle → init of the pid namespace → program.

Standard library only: this runs in the sandbox script. Each process dies with the one above it, and the pid namespace
with its init; only the program enters the image's mount namespace, the others stay in the host's.
"""
# System calls by name: pathlib costs the script start-up time.
# ruff: noqa: PTH123

import os
import platform
import signal
import socket
from contextlib import suppress
from typing import NamedTuple, NoReturn

from basewright.runner import namespaces as ns
from basewright.runner.confinement import HOSTNAME, Program, become

_OTHERS = ns.CLONE_NEWNET | ns.CLONE_NEWIPC | ns.CLONE_NEWUTS | ns.CLONE_NEWPID


class Launched(NamedTuple):
    """`middle` is a child of this process. `status` and `output` are read from, a byte `g` to `go` lets the program
    start; `upper` receives the directory of a writable root."""

    middle: int
    status: int
    go: int
    output: int | None
    upper: socket.socket


def launch(
    program: Program, *, user_namespace: bool, stdio: tuple[int, int, int] | None, entrances: list[int]
) -> Launched:
    """Starts it as far as possible before exec. `stdio` None: no input, both outputs into `output`. Raises OSError."""
    status_read, status_write = os.pipe()
    go_read, go_write = os.pipe()
    upper_here, upper_there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    output: int | None = None
    if stdio is None:
        nothing = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        output, output_write = os.pipe()
        stdio = (nothing, output_write, output_write)
    supervisor = os.getpid()
    middle = os.fork()
    if middle == 0:
        os.close(go_write)
        try:
            _die_with_parent(supervisor)
            _middle(program, user_namespace, stdio, status_write, go_read, entrances, upper_there)
        except OSError as error:
            os.write(status_write, f"O {error.strerror or error}\n".encode())
        finally:
            os._exit(1)
    for descriptor in {status_write, go_read, *stdio, *entrances}:
        os.close(descriptor)
    upper_there.close()
    launched = Launched(middle, status_read, go_write, output, upper_here)
    if user_namespace and os.read(status_read, 2) == b"U\n":
        write_id_maps(middle, program.uid, program.gid)
        os.write(go_write, b"m")
    return launched


def write_id_maps(process: int, uid: int, gid: int) -> None:
    """Maps ids into the new user namespace of `process`: root's all to themselves, else the caller's to uid and gid."""
    if maps_one_id():
        with suppress(OSError):  # before Linux 3.19 there was nothing to deny
            _write(f"/proc/{process}/setgroups", "deny")
        _write(f"/proc/{process}/uid_map", f"{uid} {os.geteuid()} 1")
        _write(f"/proc/{process}/gid_map", f"{gid} {os.getegid()} 1")
        return
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/self/{name}", encoding="ascii") as file:
            extents = [line.split() for line in file]
        _write(f"/proc/{process}/{name}", "".join(f"{inside} {inside} {count}\n" for inside, _, count in extents))


def maps_one_id() -> bool:
    """Whether this user may map no other id than its own."""
    return os.geteuid() != 0


def counts_tasks(*, user_namespace: bool) -> bool:
    """Whether RLIMIT_NPROC counts within a user namespace: since Linux 5.14."""
    major, minor = (int(part) for part in platform.release().split(".")[:2])
    return user_namespace and (major, minor) >= (5, 14)


def try_namespaces(*, user_namespace: bool) -> str:
    """Makes every kind of namespace and a mount in a child, and says what was refused: empty, or `step: reason`."""
    result, result_write = os.pipe()
    go, go_write = os.pipe()
    child = os.fork()
    if child == 0:
        step = "user namespace"
        try:
            if user_namespace:
                ns.unshare(ns.CLONE_NEWUSER)
                os.write(result_write, b"U")
                os.read(go, 1)
            step = "namespaces"
            ns.unshare(_OTHERS | ns.CLONE_NEWNS)
            step = "mount"
            ns.mount("none", "/", None, ns.MS_REC | ns.MS_PRIVATE)
            ns.mount("tmpfs", "/tmp", "tmpfs", ns.MS_NOSUID | ns.MS_NODEV, "size=4096")
            os.write(result_write, b"K")
        except OSError as error:
            os.write(result_write, f"{step}: {os.strerror(error.errno or 0)}".encode())
        finally:
            os._exit(0)
    os.close(result_write)
    os.close(go)
    text = os.read(result, 1000)
    if text == b"U":
        try:
            write_id_maps(child, 0, 0)
            os.write(go_write, b"m")
        except OSError as error:
            return f"user namespace: {error.strerror}"
        text = os.read(result, 1000)
    os.waitpid(child, 0)
    for descriptor in (result, go_write):
        os.close(descriptor)
    return "" if text == b"K" else text.decode("utf-8", "replace") or "namespaces: the process was killed"


def _middle(
    program: Program,
    user_namespace: bool,
    stdio: tuple[int, int, int],
    status: int,
    go: int,
    entrances: list[int],
    upper: socket.socket,
) -> None:
    """Owns the namespaces, and waits: a pid namespace is entered by children only."""
    if user_namespace:
        ns.unshare(ns.CLONE_NEWUSER)
        os.write(status, b"U\n")
        if os.read(go, 1) != b"m":
            return
    ns.unshare(_OTHERS)
    ns.raise_loopback()
    ns.set_hostname(HOSTNAME)
    # As engines set it: a service may listen on port 80 whoever it is.
    _try_write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0")
    if user_namespace:
        # A program that makes a namespace of its own has all capabilities there; engines refuse that too.
        _try_write("/proc/sys/user/max_user_namespaces", "0")
    init = os.fork()
    if init == 0:
        _init(program, stdio, status, go, entrances, upper)
    for descriptor in {status, go, *stdio, *entrances}:
        os.close(descriptor)
    upper.close()
    os.waitpid(init, 0)


def _init(
    program: Program, stdio: tuple[int, int, int], status: int, go: int, entrances: list[int], upper: socket.socket
) -> NoReturn:
    """Process 1: reaps, tells how the program ended, and takes everything that is left along when it exits."""
    try:
        ns.prctl(ns.PR_SET_PDEATHSIG, signal.SIGKILL)
        ns.prctl(ns.PR_SET_DUMPABLE, 0)
        worker = os.fork()
        if worker == 0:
            become(program, stdio=stdio, status=status, go=go, entrances=entrances, upper=upper.fileno())
        for descriptor in {go, *stdio, *entrances}:
            os.close(descriptor)
        while True:
            process, code = os.wait()
            if process == worker:
                os.write(status, b"X %d\n" % code)
                break
        _reap_the_rest()
    finally:
        os._exit(0)


def _reap_the_rest() -> None:
    """What is left is killed and waited for here: a namespace that ends with its process 1 loses their CPU times."""
    with suppress(OSError):
        os.kill(-1, signal.SIGKILL)
        while True:
            os.wait()


def _die_with_parent(parent: int) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    ns.prctl(ns.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _try_write(path: str, text: str) -> None:
    with suppress(OSError):
        _write(path, text)
