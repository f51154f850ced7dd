"""The load generator against real servers on loopback, well and badly behaved."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from basewright.bench import observe
from basewright.bench.observe import Phases

_SCRIPT = Path(observe.__file__).with_name("load_script.py")
Serve = Callable[[socket.socket], None]


@contextmanager
def server(serve: Serve) -> Iterator[int]:
    """Calls `serve` with every connection, in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=guarded, args=(listener.accept()[0],), daemon=True).start()

    def guarded(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            serve(connection)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def answering(data: bytes, *, pause: float = 0.0, times: int = 1_000_000) -> Serve:
    def serve(connection: socket.socket) -> None:
        for _ in range(times):
            if not connection.recv(65536):
                return
            time.sleep(pause)
            connection.sendall(data)

    return serve


_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def load(port: int, on_mark: Callable[[str], None] = lambda mark: None, **changes: object) -> tuple[Phases, list[str]]:
    order = {
        "address": "127.0.0.1",
        "port": port,
        "paths": ["/a", "/b"],
        "concurrency": 4,
        "seconds": 0.3,
        "rest": 0,
        "warm_up": 0,
        "rate": 0,
        "patience": 2.0,
        **changes,
    }
    with subprocess.Popen(
        [sys.executable, "-I", "-S", str(_SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as script:
        assert script.stdin is not None and script.stdout is not None
        script.stdin.write(json.dumps(order) + "\n")
        marks: list[str] = []
        for line in script.stdout:
            if not line.startswith("mark "):
                return msgspec.json.decode(line, type=Phases), marks
            marks.append(line.strip())
            on_mark(marks[-1])
            script.stdin.write("go\n")
    raise AssertionError("the script ended without an answer")


def test_a_closed_loop_keeps_its_concurrency_and_counts() -> None:
    with server(answering(_OK, pause=0.01)) as port:
        phases, marks = load(port, seconds=0.5, rest=0.01, warm_up=0.05)
    assert marks == ["mark rest begins", "mark rest ends", "mark closed begins", "mark closed ends"]
    assert 60 < phases.closed.good <= 204  # 4 at a time, each a hundredth of a second and a little more
    assert phases.closed.bad == 0
    assert phases.closed.p50_seconds is not None
    assert 0.01 <= phases.closed.p50_seconds < 0.1


def test_a_stall_is_counted_against_every_request_that_it_delays() -> None:
    """Half a second in which nothing is answered: a generator that waits for answers would count one slow request."""
    lock = threading.Lock()

    def serve(connection: socket.socket) -> None:
        while connection.recv(65536):
            with lock:
                connection.sendall(_OK)

    def stall(mark: str) -> None:
        def hold() -> None:
            time.sleep(0.2)
            with lock:
                time.sleep(0.5)

        if mark == "mark rate begins":
            threading.Thread(target=hold, daemon=True).start()

    with server(serve) as port:
        phases, _ = load(port, stall, seconds=1.0, rate=50, concurrency=1)
    rate = phases.rate
    assert rate is not None
    assert rate.good == 50
    # 25 of 50 requests fall into the stall and wait a quarter of a second on average.
    assert rate.p99_seconds is not None
    assert rate.p99_seconds > 0.4
    assert phases.closed.p99_seconds is not None
    assert phases.closed.p99_seconds < 0.1


def test_latency_counts_from_the_intended_send() -> None:
    """One connection that takes 50 ms an answer cannot keep up with 40 a second over one socket: others are opened, and
    where even those wait, the latency says so."""
    one_at_a_time = threading.Lock()

    def serve(connection: socket.socket) -> None:
        while connection.recv(65536):
            with one_at_a_time:
                time.sleep(0.02)
                connection.sendall(_OK)

    with server(serve) as port:
        phases, _ = load(port, seconds=0.5, rate=100, concurrency=1)
    rate = phases.rate
    assert rate is not None
    assert rate.good == 50
    assert rate.bad == 0
    # 50 requests, 20 ms each, one after another, sent within half a second: the last waits half a second.
    assert rate.p99_seconds is not None
    assert rate.p99_seconds > 0.4


def test_the_rate_is_kept_and_quick_answers_are_timed_finely() -> None:
    with server(answering(_OK)) as port:
        phases, _ = load(port, seconds=0.5, rate=200)
    rate = phases.rate
    assert rate is not None
    assert rate.good == 100
    assert 0.4 < rate.seconds < 1.0
    assert rate.p50_seconds is not None
    assert rate.p50_seconds < 0.02


def test_bad_answers_are_counted_with_examples() -> None:
    count = iter(range(1_000_000))

    def serve(connection: socket.socket) -> None:
        while connection.recv(65536):
            connection.sendall(_OK if next(count) % 4 else b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

    with server(serve) as port:
        phases, _ = load(port)
    assert phases.closed.bad > 0
    assert phases.closed.good > 2 * phases.closed.bad
    assert any(example.endswith("answered 503") for example in phases.closed.examples)


def test_a_server_that_closes_each_connection_is_served_by_new_ones() -> None:
    for data, times in ((_OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), 1), (_OK, 1), (_OK, 3)):
        with server(answering(data, times=times)) as port:
            phases, _ = load(port)
        assert phases.closed.good > 20
        assert phases.closed.bad == 0


def test_hostile_servers_end_in_time() -> None:
    def endless(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-Header: y\r\n" * 1000)

    def dripping(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"1\r\nx\r\n")
            time.sleep(0.05)

    def garbage(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"\0\xff" * 500 + b"\r\n\r\n")

    for serve, seconds in ((endless, 5), (garbage, 5), (dripping, 8)):
        with server(serve) as port:
            begin = time.monotonic()
            phases, _ = load(port)
            assert time.monotonic() - begin < seconds
        assert phases.closed.good == 0
        assert phases.closed.bad > 0
        assert phases.closed.examples


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    phases, _ = load(port)
    assert phases.closed.good == 0
    assert 0 < phases.closed.bad < 200
    assert phases.closed.examples[0].endswith("the service refused a connection")
