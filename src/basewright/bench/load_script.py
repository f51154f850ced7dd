"""Loads a service and times it: `python -I -S load_script.py`, one JSON line in, one out.

Runs in the service's network namespace and the host's mount namespace. Two modes: a closed loop (every connection asks
again as soon as it is answered) and a constant arrival rate, timed from the moment at which a request was to be sent,
so that a stall is counted against every request that it delays. Standard library only; the answer of a hostile server
is bounded in time and bytes.
"""

import gc
import json
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from basewright.bench.answer import Answer, BadAnswer

MAX_CONNECTIONS = 512
_CHUNK_BYTES = 262144
_CONNECT_AGAIN_SECONDS = 0.01
_EXAMPLES = 5
_RATE_WARM_UP_SECONDS = 0.1


class Tally:
    """What came back."""

    def __init__(self) -> None:
        self.good = 0
        self.bad = 0
        self.examples: list[str] = []
        self.latencies: list[float] = []

    def note(self, what: str) -> None:
        """A bad answer."""
        self.bad += 1
        if what not in self.examples and len(self.examples) < _EXAMPLES:
            self.examples.append(what)


class Connection:
    """One keep-alive connection; `due` is when its request was to be sent, `path` what it asks for."""

    def __init__(self, family: int, address: tuple[str, int]) -> None:
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(BlockingIOError):
            self.socket.connect(address)
        self.answer: Answer | None = None
        self.due = 0.0
        self.sent = 0.0
        self.path = 0
        self.used = False
        self.unsent = b""


class Generator:
    """Sends requests for `paths` in turn, over connections of its own."""

    def __init__(self, address: str, port: int, paths: list[str], patience: float) -> None:
        """`patience`: seconds after which an answer no longer counts."""
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._address = (address, port)
        self.paths = paths
        self.patience = patience
        self._requests = [
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: basewright\r\nAccept: */*\r\n\r\n".encode()
            for path in paths
        ]
        self._turn = 0
        self._epoll = select.epoll()
        self._open: dict[int, Connection] = {}
        self.free: deque[Connection] = deque()
        self.busy = 0
        self.tally = Tally()
        self._next_check = 0.0

    def connect(self) -> Connection | None:
        """A new connection, or None where there are enough, or none can be made now."""
        if len(self._open) >= MAX_CONNECTIONS:
            return None
        try:
            connection = Connection(self._family, self._address)
        except OSError:
            return None
        self._open[connection.socket.fileno()] = connection
        self._epoll.register(connection.socket.fileno(), select.EPOLLIN)
        return connection

    def send(self, connection: Connection, due: float, now: float) -> None:
        """Asks for the next path. A connection that was closed between two requests is replaced once."""
        connection.path = self._turn
        self._turn = (self._turn + 1) % len(self._requests)
        self._send(connection, due, now)

    def _send(self, connection: Connection, due: float, now: float) -> None:
        connection.due, connection.sent, connection.answer = due, now, Answer()
        connection.unsent = self._requests[connection.path]
        self.busy += 1
        self._flush(connection)

    def _flush(self, connection: Connection) -> None:
        waits = len(connection.unsent) < len(self._requests[connection.path])
        try:
            sent = connection.socket.send(connection.unsent)
        except BlockingIOError:
            sent = 0  # not connected yet
        except OSError as error:
            self._closed(connection, _why(error))
            return
        connection.unsent = connection.unsent[sent:]
        if connection.unsent or waits or not sent:
            wanted = select.EPOLLIN | (select.EPOLLOUT if connection.unsent else 0)
            self._epoll.modify(connection.socket.fileno(), wanted)

    def wait(self, seconds: float, *, finely: bool = False) -> list[Connection]:
        """Takes in what came within `seconds`, and returns the connections that may be used (again)."""
        if finely and seconds > 0:
            # epoll waits in whole milliseconds; select sleeps as finely as the kernel's timers.
            select.select([self._epoll], [], [], seconds)
            seconds = 0
        ready: list[Connection] = []
        for descriptor, event in self._epoll.poll(seconds):
            connection = self._open.get(descriptor)
            if connection is None:
                continue
            if event & select.EPOLLOUT and connection.unsent:
                self._flush(connection)
            if event & ~select.EPOLLOUT and connection.socket.fileno() >= 0 and self._receive(connection):
                ready.append(connection)
        self._check_overdue()
        return ready

    def _receive(self, connection: Connection) -> bool:
        """Reads what is there; True when an answer is whole and the connection can be used again."""
        try:
            data = connection.socket.recv(_CHUNK_BYTES)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            self._closed(connection, _why(error))
            return False
        answer = connection.answer
        if answer is None:
            self._drop(connection)  # closed, or spoke unasked, between two requests
            return False
        try:
            whole = answer.feed(data) if data else answer.end()
        except BadAnswer as bad:
            self._fail(connection, f"sent {bad}")
            return False
        if not whole:
            if not data:
                self._closed(connection, "closed the connection in the middle")
            return False
        self._finish(connection, answer)
        if answer.closes or not data:
            self._drop(connection)
            return False
        return True

    def _finish(self, connection: Connection, answer: Answer) -> None:
        self.busy -= 1
        connection.answer = None
        connection.used = True
        self.tally.latencies.append(time.perf_counter() - connection.due)
        if 200 <= answer.status < 400:
            self.tally.good += 1
        else:
            self.tally.note(f"GET {self.paths[connection.path]} answered {answer.status}")

    def _closed(self, connection: Connection, why: str) -> None:
        """A kept connection may be closed by the server at any time: the request is asked again on a new one."""
        answer = connection.answer
        self._drop(connection)
        if answer is None:
            return
        self.busy -= 1
        again = self.connect() if connection.used and not answer.status else None
        if again is None:
            self.tally.note(f"GET {self.paths[connection.path]}: the service {why}")
            return
        again.path = connection.path
        self._send(again, connection.due, time.perf_counter())

    def _fail(self, connection: Connection, why: str) -> None:
        self._drop(connection)
        self.busy -= 1
        self.tally.note(f"GET {self.paths[connection.path]}: the service {why}")

    def _drop(self, connection: Connection) -> None:
        descriptor = connection.socket.fileno()
        self._open.pop(descriptor, None)
        with suppress(OSError, ValueError):
            self._epoll.unregister(descriptor)
        with suppress(ValueError):
            self.free.remove(connection)
        connection.socket.close()

    def _check_overdue(self) -> None:
        now = time.perf_counter()
        if now < self._next_check:
            return
        self._next_check = now + 0.2
        for connection in list(self._open.values()):
            if connection.answer is not None and now - connection.sent > self.patience:
                self._fail(connection, f"did not answer within {self.patience:g} s")

    def release(self, connections: list[Connection]) -> None:
        self.free.extend(connections)

    def finish(self, seconds: float) -> None:
        """Waits for the answers that are still to come."""
        until = time.perf_counter() + seconds
        while self.busy and time.perf_counter() < until:
            self.release(self.wait(0.05))
        for connection in list(self._open.values()):
            if connection.answer is not None:
                self._fail(connection, f"did not answer within {seconds:g} s after the end")


def closed_loop(generator: Generator, concurrency: int, seconds: float) -> float:
    """Keeps `concurrency` requests under way for `seconds`, and returns how long it took until the last answer."""
    begin = now = time.perf_counter()
    end = begin + seconds
    while now < end:
        while generator.busy < concurrency:
            connection = generator.free.popleft() if generator.free else generator.connect()
            if connection is None:
                break
            before = generator.tally.bad
            generator.send(connection, now, now)
            if generator.tally.bad > before:
                time.sleep(_CONNECT_AGAIN_SECONDS)
                break
        generator.release(generator.wait(min(0.1, end - now)))
        now = time.perf_counter()
    generator.finish(generator.patience)
    return time.perf_counter() - begin


def constant_rate(generator: Generator, rate: float, seconds: float) -> float:
    """Sends `rate` requests a second for `seconds`, whatever comes back, and returns how long it took."""
    begin = time.perf_counter()
    count = max(1, round(rate * seconds))
    sent = 0
    while sent < count:
        now = time.perf_counter()
        due = begin + sent / rate
        if now < due:
            generator.release(generator.wait(due - now, finely=True))
            continue
        connection = generator.free.popleft() if generator.free else generator.connect()
        if connection is None:
            generator.release(
                generator.wait(0.001, finely=True)
            )  # all are busy: the request is late, and its latency says so
            if now > begin + seconds + generator.patience:
                break
            continue
        generator.send(connection, due, now)
        sent += 1
        generator.release(generator.wait(0))
    generator.finish(generator.patience)
    for _ in range(sent, count):
        generator.tally.note("a request could not be sent: every connection was waiting for an answer")
    return time.perf_counter() - begin


def quantile(ordered: list[float], share: float) -> float | None:
    """The nearest-rank quantile of sorted values."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def main() -> None:
    order = json.loads(sys.stdin.readline())
    gc.disable()  # this program is short, and a collection would be taken for a stall of the service
    generator = Generator(order["address"], order["port"], order["paths"], order["patience"])
    if order["rest"] > 0:
        _mark("rest begins")
        time.sleep(order["rest"])
        _mark("rest ends")
    if order["warm_up"] > 0:
        closed_loop(generator, order["concurrency"], order["warm_up"])
    concurrency, seconds = order["concurrency"], order["seconds"]
    answer = {"closed": _measure(generator, "closed", lambda: closed_loop(generator, concurrency, seconds))}
    rate = order["rate"]
    if rate > 0:
        # The connections that the rate needs are open before the first request is timed.
        constant_rate(generator, rate, min(_RATE_WARM_UP_SECONDS, seconds))
        answer["rate"] = _measure(generator, "rate", lambda: constant_rate(generator, rate, seconds))
    sys.stdout.write(json.dumps(answer) + "\n")


def _measure(generator: Generator, name: str, load: Callable[[], float]) -> dict[str, object]:
    """Runs `load` between two readings of the service's counters."""
    generator.tally = tally = Tally()
    _mark(f"{name} begins")
    cpu = time.process_time()
    seconds = load()
    cpu = time.process_time() - cpu
    _mark(f"{name} ends")
    ordered = sorted(tally.latencies)
    return {
        "seconds": seconds,
        "good": tally.good,
        "bad": tally.bad,
        "examples": tally.examples,
        "generator_cpu_share": cpu / seconds,
        "p50_seconds": quantile(ordered, 0.5),
        "p99_seconds": quantile(ordered, 0.99),
    }


def _mark(name: str) -> None:
    """Asks for the service's counters to be read now, and waits until they have been."""
    sys.stdout.write(f"mark {name}\n")
    sys.stdout.flush()
    sys.stdin.readline()


def _why(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "refused a connection"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "reset the connection"
    return "could not be reached"


if __name__ == "__main__":
    main()
