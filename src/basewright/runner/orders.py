"""What basewright and the supervisor say to each other: JSON lines. Standard library only."""

import json
import os

from basewright.runner.confinement import Program
from basewright.runner.launch import counts_tasks, maps_one_id

_MAX_LINE_BYTES = 64 << 20


class Order:
    """The first line, in types: a check of what this machine permits, or a program with how to watch it."""

    def __init__(self, line: bytes) -> None:
        fields = json.loads(line)
        self.checks: bool = fields["do"] == "check"
        self.user_namespace: bool = fields["user_namespace"]
        if self.checks:
            return
        self.timeout_seconds: float = fields["timeout"]
        program = fields["program"]
        binds = [(source, target, writable) for source, target, writable in program.pop("binds")]
        self.program = Program(
            **program,
            binds=binds,
            one_id=maps_one_id(),
            counts_tasks=counts_tasks(user_namespace=self.user_namespace),
        )
        self.use_cgroup: bool = fields["use_cgroup"]
        self.stdio: tuple[int, int, int] | None = None
        if fields["stdio"] is not None:
            first, second, third = fields["stdio"]
            self.stdio = (first, second, third)
            for descriptor in self.stdio:
                os.set_inheritable(descriptor, False)
        self.probe: tuple[list[str], str, float] | None = None
        if fields["probe"] is not None:
            probe = fields["probe"]
            self.probe = (probe["argv"], probe["request"], probe["timeout"])


class Lines:
    """Lines of a descriptor, none of which may be longer than 64 MiB."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = bytearray()
        self._ready: list[bytes] = []

    def wait(self) -> bytes | None:
        """The next line; None at the end."""
        while not self._ready:
            lines = self.read()
            if lines is None:
                return None
            self._ready = lines
        return self._ready.pop(0)

    def ready(self) -> list[bytes]:
        """What has been read and not been taken."""
        ready, self._ready = self._ready, []
        return ready

    def read(self) -> list[bytes] | None:
        """The lines that have come; None at the end."""
        chunk = os.read(self._descriptor, 1 << 20)
        if not chunk or len(self._rest) > _MAX_LINE_BYTES:
            return None
        self._rest += chunk
        *lines, rest = self._rest.split(b"\n")
        self._rest = bytearray(rest)
        return [bytes(line) for line in lines]


def tell(**event: object) -> None:
    """Writes one line. Raises BrokenPipeError where nobody listens any more."""
    data = json.dumps(event).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]
