"""CPU time and memory of a tree of processes, from /proc. Standard library only: this runs in the sandbox script."""
# System calls by name: pathlib costs the script start-up time.
# ruff: noqa: PTH123, PTH208

import os
import time

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def children(parent: int) -> list[int]:
    """Ids of the processes that `parent` started."""
    return _families().get(parent, [])


def descendants(root: int) -> list[int]:
    """Ids of all processes below `root`, itself left out."""
    families = _families()
    found: list[int] = []
    todo = [root]
    while todo:
        below = families.get(todo.pop(), [])
        found += below
        todo += below
    return found


def cpu_seconds(root: int, processes: list[int]) -> float:
    """CPU time of `processes` with the children that they, and `root` above them, have waited for."""
    total = _reaped_seconds(root)
    for process in processes:
        try:
            # The process's own clock has nanoseconds where /proc/PID/stat has ticks of 10 ms.
            total += time.clock_gettime(~process << 3 | 2)
        except OSError:
            continue
        total += _reaped_seconds(process)
    return total


def memory_bytes(processes: list[int]) -> int:
    """Sum of the proportional set sizes; where a kernel does not tell them, of the resident set sizes."""
    return sum(_proportional_bytes(process) for process in processes)


def listening(process: int) -> list[str]:
    """`address:port` of every TCP socket that listens in the network namespace of `process`, sorted."""
    found: set[str] = set()
    for name in ("tcp", "tcp6"):
        for line in _read(f"/proc/{process}/net/{name}").splitlines()[1:]:
            fields = line.split()
            if len(fields) > 3 and fields[3] == "0A":
                address, _, port = fields[1].rpartition(":")
                found.add(f"{_address(address)}:{int(port, 16)}")
    return sorted(found)


def _address(text: str) -> str:
    if set(text) == {"0"}:
        return "*"
    if len(text) == 8:
        return ".".join(str(byte) for byte in reversed(bytes.fromhex(text)))
    return "[::1]" if text.endswith("01000000") and set(text[:-8]) == {"0"} else "[…]"


def _proportional_bytes(process: int) -> int:
    for line in _read(f"/proc/{process}/smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    resident = _read(f"/proc/{process}/statm").split()
    return int(resident[1]) * _PAGE_BYTES if len(resident) > 1 else 0


def _reaped_seconds(process: int) -> float:
    fields = _stat(process)
    return (int(fields[13]) + int(fields[14])) / _TICKS if fields else 0.0


def _families() -> dict[int, list[int]]:
    """Parent → children, of every process that can be seen."""
    families: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := _stat(int(name))):
            families.setdefault(int(fields[1]), []).append(int(name))
    return families


def _stat(process: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; the name before it may hold anything. Empty: it has ended."""
    return _read(f"/proc/{process}/stat").rpartition(")")[2].split()


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(1 << 20)
    except OSError:
        return ""
