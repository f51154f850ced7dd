"""Asks a service for its health until it answers well: `python -I -S probe_script.py`, one JSON line in, one out.

In: port, path, timeout (seconds). Out: healthy_ns (monotonic) and address, or what was heard instead. Runs in the
service's network namespace and the host's mount namespace. Standard library only; an answer is read as far as its
status line, and no further than 64 KiB.
"""

import errno
import json
import os
import socket
import sys
import time

_RETRY_SECONDS = 0.002
_AGAIN_SECONDS = 0.005
_ANSWER_SECONDS = 5.0
_MAX_HEAD_BYTES = 65536
_ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def probe(port: int, path: str, timeout: float) -> dict[str, object]:
    """Polls until a 2xx answer or the end of `timeout` seconds."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: basewright\r\nConnection: close\r\n\r\n".encode()
    deadline = time.monotonic() + timeout
    heard = ""
    attempt = 0
    while (now := time.monotonic()) < deadline:
        family, address = _ADDRESSES[attempt % 2]
        attempt += 1
        status, said = _ask(family, address, port, request, min(deadline, now + _ANSWER_SECONDS))
        if 200 <= status < 300:
            return {"healthy_ns": time.monotonic_ns(), "address": address, "status": status}
        if status or said:
            heard = f"answered {status}" if status else said
            time.sleep(_AGAIN_SECONDS)
            attempt -= 1  # the same address again
        elif attempt % 2 == 0:
            time.sleep(_RETRY_SECONDS)
    return {"healthy_ns": None, "heard": heard}


def _ask(family: int, address: str, port: int, request: bytes, deadline: float) -> tuple[int, str]:
    """The status of one answer, or 0 and what came instead of one: nothing where nobody listens."""
    try:
        connection = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        return 0, ""
    with connection:
        try:
            connection.settimeout(max(deadline - time.monotonic(), 0.01))
            connection.connect((address, port))
        except OSError:
            return 0, ""
        try:
            connection.sendall(request)
            head = b""
            while b"\n" not in head and len(head) < _MAX_HEAD_BYTES:
                connection.settimeout(max(deadline - time.monotonic(), 0.01))
                chunk = connection.recv(4096)
                if not chunk:
                    return 0, "closed the connection without an answer"
                head += chunk
        except TimeoutError:
            return 0, "accepted a connection and did not answer"
        except OSError as error:
            return 0, f"broke the connection: {os.strerror(error.errno or errno.EIO)}"
    fields = head.split(b"\n", 1)[0].split()
    if len(fields) < 2 or not fields[0].startswith(b"HTTP/") or not fields[1].isdigit() or len(fields[1]) != 3:
        return 0, "answered something that is not HTTP"
    return int(fields[1]), ""


def main() -> None:
    order = json.loads(sys.stdin.readline())
    sys.stdout.write("mark ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(json.dumps(probe(order["port"], order["path"], order["timeout"])) + "\n")


if __name__ == "__main__":
    main()
