"""A control group for one service, version 1 or 2: limits where they may be set, exact CPU time, nothing left behind.

Standard library only: this runs in the sandbox script. A group is locked (flock) while its supervisor lives, so that
the next run can tell a stale one from one in use, in whichever pid namespace either lives.
"""
# System calls by name: pathlib costs the script start-up time.
# ruff: noqa: PTH102, PTH106, PTH110, PTH112, PTH120, PTH123, PTH208

import fcntl
import os
import secrets
import time

_PREFIX = "basewright-"
_ROOM_FOR_CONTROLLERS = "memory pids"
_V1_CONTROLLERS = ("memory", "pids", "cpuacct")


class Cgroup:
    """Directories of one group: `all` in version 2, one per controller in version 1."""

    def __init__(self, kind: str, directories: dict[str, str], locks: list[int]) -> None:
        self.kind = kind
        self._directories = directories
        self._locks = locks
        self.limits_memory = self.limits_processes = False

    def _directory(self, controller: str) -> str | None:
        return self._directories.get("all") or self._directories.get(controller)

    def limit(self, memory_bytes: int, processes: int) -> None:
        """Sets what can be set; `limits_memory` and `limits_processes` tell what was."""
        second = self.kind == "cgroup v2"
        memory, pids = self._directory("memory"), self._directory("pids")
        self.limits_memory = memory is not None and _write(
            f"{memory}/{'memory.max' if second else 'memory.limit_in_bytes'}", str(memory_bytes)
        )
        if self.limits_memory:
            # Swap would hide how much a service needs; absent files mean that there is none to account.
            swap = ("memory.swap.max", "0") if second else ("memory.memsw.limit_in_bytes", str(memory_bytes))
            _write(f"{memory}/{swap[0]}", swap[1])
        self.limits_processes = pids is not None and _write(f"{pids}/pids.max", str(processes))

    def open_entrances(self) -> list[int]:
        """Descriptors of the files to which a process writes `0` to join the group."""
        return [os.open(f"{directory}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC) for directory in self.directories()]

    def processes(self) -> list[int]:
        """Ids of the processes in the group, as this process sees them."""
        text = _read(f"{self.directories()[0]}/cgroup.procs")
        return [int(line) for line in text.split() if line != "0"]

    def cpu_seconds(self) -> float | None:
        """CPU time of everything that ever ran in the group; None where it is not accounted."""
        if self.kind == "cgroup v2":
            for line in _read(f"{self._directories['all']}/cpu.stat").splitlines():
                if line.startswith("usage_usec "):
                    return int(line.split()[1]) / 1e6
            return None
        directory = self._directories.get("cpuacct")
        text = _read(f"{directory}/cpuacct.usage").strip() if directory else ""
        return int(text) / 1e9 if text else None

    def out_of_memory_kills(self) -> int:
        """How many processes the kernel killed for want of memory in the group."""
        directory = self._directory("memory")
        name = "memory.events" if self.kind == "cgroup v2" else "memory.oom_control"
        for line in _read(f"{directory}/{name}").splitlines() if directory else ():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
        return 0

    def remove(self) -> None:
        """Removes the group once its processes have gone; waits for that half a second at most."""
        for directory in self.directories():
            for _ in range(50):
                try:
                    os.rmdir(directory)
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)
        for descriptor in self._locks:
            os.close(descriptor)
        self._locks = []

    def directories(self) -> list[str]:
        """Where it is, in each hierarchy."""
        return list(self._directories.values())


Mounted = tuple[dict[str, str], str | None]
"""This process's own group in each mounted hierarchy: version 1's controller → directory, and version 2's directory."""


def create_cgroup(memory_bytes: int, processes: int, mounted: Mounted | None = None) -> Cgroup | None:
    """A new, limited and locked group below this process's own (`mounted`, else as /proc says), or None where none may
    be made. Sweeps stale ones."""
    hierarchies, unified = find_mounted() if mounted is None else mounted
    name = f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    group = _create_v2(unified, name) if unified and not hierarchies.get("memory") else None
    group = group or _create_v1(hierarchies, name) or (_create_v2(unified, name) if unified else None)
    if group is not None:
        group.limit(memory_bytes, processes)
    return group


def _create_v1(hierarchies: dict[str, str], name: str) -> Cgroup | None:
    made: dict[str, str] = {}
    locks: list[int] = []
    for controller in _V1_CONTROLLERS:
        parent = hierarchies.get(controller)
        if parent is None or f"{parent}/{name}" in made.values():
            continue  # not mounted, or mounted together with one that has been made
        lock = _make(parent, name)
        if lock is not None:
            made[controller] = f"{parent}/{name}"
            locks.append(lock)
    together = {
        controller: path
        for controller, parent in hierarchies.items()
        if controller in _V1_CONTROLLERS and (path := f"{parent}/{name}") in made.values()
    }
    if not made:
        return None
    group = Cgroup("cgroup v1", together, locks)
    return group if _may_enter(group) else None


def _create_v2(own: str, name: str) -> Cgroup | None:
    """Below this process's own group, else below one of the three above it: a group with processes has no controllers
    to hand down, its parent often has."""
    fallback: Cgroup | None = None
    parent = own
    for _ in range(4):
        lock = _make(parent, name)
        if lock is not None:
            directory = f"{parent}/{name}"
            if not os.path.exists(f"{directory}/memory.max"):
                _write(
                    f"{parent}/cgroup.subtree_control", " ".join(f"+{each}" for each in _ROOM_FOR_CONTROLLERS.split())
                )
            group = Cgroup("cgroup v2", {"all": directory}, [lock])
            if not _may_enter(group):
                pass
            elif os.path.exists(f"{directory}/memory.max"):
                if fallback is not None:
                    fallback.remove()
                return group
            elif fallback is None:
                fallback = group  # CPU time is accounted even without controllers
            else:
                group.remove()
        parent = os.path.dirname(parent)
        if not os.path.exists(f"{parent}/cgroup.procs"):
            break
    return fallback


def _may_enter(group: Cgroup) -> bool:
    """Whether this process may move a child into the group: the file opens, and a child that moves itself succeeds."""
    try:
        entrances = group.open_entrances()
    except OSError:
        group.remove()
        return False
    child = os.fork()
    if child == 0:
        try:
            for entrance in entrances:
                os.write(entrance, b"0")
        except OSError:
            os._exit(1)
        os._exit(0)
    entered = os.waitpid(child, 0)[1] == 0
    for entrance in entrances:
        os.close(entrance)
    if not entered:
        group.remove()
    return entered


def _make(parent: str, name: str) -> int | None:
    """Makes and locks the group `parent/name`, after sweeping stale ones; None where that is not permitted."""
    _sweep(parent)
    for _ in range(5):
        try:
            os.mkdir(f"{parent}/{name}", 0o755)
            descriptor = os.open(f"{parent}/{name}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # another run's sweep came between
        except OSError:
            return None
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.isdir(f"{parent}/{name}"):
            return descriptor
        os.close(descriptor)
    return None


def _sweep(parent: str) -> None:
    """Removes groups that no living supervisor holds the lock of."""
    try:
        names = [name for name in os.listdir(parent) if name.startswith(_PREFIX)]
    except OSError:
        return
    for name in names:
        try:
            descriptor = os.open(f"{parent}/{name}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rmdir(f"{parent}/{name}")
        except OSError:
            pass  # in use, or another one's
        os.close(descriptor)


def find_mounted() -> Mounted:
    """Where this process's own groups are."""
    own: dict[str, str] = {}
    for line in _read("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            own[controller] = path
    hierarchies: dict[str, str] = {}
    unified: str | None = None
    for line in _read("/proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        _, _, _, root, point, *_ = left.split()
        filesystem, _, options = right.split(" ", 2)
        if filesystem == "cgroup2" and unified is None:
            unified = _below(point, root, own.get(""))
        elif filesystem == "cgroup":
            for controller in set(options.split(",")) & set(own):
                directory = _below(point, root, own[controller])
                if directory is not None:
                    hierarchies.setdefault(controller, directory)
    return hierarchies, unified


def _below(point: str, root: str, path: str | None) -> str | None:
    """Where the group `path` is, in a hierarchy of which `root` is mounted at `point`; None where it is outside."""
    if path is None or "/.." in path or "\\" in point:
        return None
    if root == "/":
        inside = path
    elif path == root or path.startswith(root + "/"):
        inside = path[len(root) :]
    else:
        return None
    directory = (point + inside).rstrip("/")
    return directory if os.path.isdir(directory) else None


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(1 << 20)
    except OSError:
        return ""


def _write(path: str, text: str) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(descriptor, text.encode())
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
