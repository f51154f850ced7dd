"""How much of the machine other work took, from /proc/stat less what this process and its children used."""

import os
import time
from pathlib import Path


class Contention:
    """Measures from its making on; `share` may be asked once the children of the time between have been waited for."""

    def __init__(self) -> None:
        self._busy = _busy_seconds()
        self._own = _own_seconds()
        self._since = time.monotonic()

    def share(self) -> float:
        """CPU time of others over that of all processors, 0 to 1; 0 where the system does not tell."""
        busy = _busy_seconds() - self._busy
        own = _own_seconds() - self._own
        elapsed = (time.monotonic() - self._since) * (os.cpu_count() or 1)
        return min(max(busy - own, 0.0) / elapsed, 1.0) if elapsed > 0 else 0.0


def _busy_seconds() -> float:
    """User, nice, system, interrupts, and what the hypervisor gave to others."""
    try:
        with Path("/proc/stat").open(encoding="ascii") as file:
            fields = [int(field) for field in file.readline().split()[1:]]
    except (OSError, ValueError):
        return 0.0
    user, nice, system, _idle, _waiting, *rest = fields
    return (user + nice + system + sum(rest[:3])) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
