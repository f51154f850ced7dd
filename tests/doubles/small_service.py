"""A small HTTP service for a root with Python in it; its behaviour comes from the path, and from words in `MODE`.

It stands on plain sockets: the root has no bytecode, and every module more would be compiled at each start.
"""

SOURCE = r"""
import os, socket, sys, time, _thread

MODE = os.environ.get("MODE", "").split()


def answer(path):
    if path == "/missing":
        return 404
    if path == "/often-bad":
        return 500 if time.monotonic_ns() // 1000 % 5 == 0 else 200
    if path == "/write":
        try:
            with open("/srv/state", "a") as file:
                file.write("x")
        except OSError as error:
            print(error, flush=True)
            return 500
    if path == "/exit":
        print("last words", flush=True)
        os._exit(3)
    if path == "/burn":
        until = time.thread_time() + 0.002
        while time.thread_time() < until:
            pass
    return 200


def serve(connection):
    data = b""
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            while b"\r\n\r\n" not in data:
                chunk = connection.recv(65536)
                if not chunk:
                    return
                data += chunk
            head, _, data = data.partition(b"\r\n\r\n")
            status = answer(head.split()[1].decode())
            closing = b"close" in head.lower() or "closing" in MODE
            connection.sendall(b"HTTP/1.1 %d x\r\nContent-Length: 3\r\n\r\nok\n" % status)
            if closing:
                return


if "chatty" in MODE:
    for number in range(100_000):
        print("line", number)
if "children" in MODE:
    for _ in range(2):
        if os.fork() == 0:
            os.setsid()
            kept = os.urandom(1 << 20) * 20
            time.sleep(600)
            os._exit(0)
if "state" in MODE:
    try:
        open("/srv/state", "w").close()
    except OSError as error:
        sys.exit("cannot start: %s" % error)
if "leave" in MODE:
    for number in range(30):
        print("line", number)
    sys.exit(4)
if "hungry" in MODE:
    kept = bytearray(400 << 20)
time.sleep(float(os.environ.get("DELAY", "0")))
listener = socket.socket(socket.AF_INET6 if "six" in MODE else socket.AF_INET)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("::1" if "six" in MODE else "0.0.0.0", int(os.environ.get("PORT", "8000"))))
listener.listen(128)
print("listening at", time.monotonic(), flush=True)
while True:
    _thread.start_new_thread(serve, (listener.accept()[0],))
"""

GO_SOURCE = r"""package main

import "net"

func main() {
	listener, err := net.Listen("tcp", ":8000")
	if err != nil {
		panic(err)
	}
	for {
		connection, _ := listener.Accept()
		go func() {
			buffer := make([]byte, 65536)
			for {
				if n, err := connection.Read(buffer); err != nil || n == 0 {
					return
				}
				connection.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
			}
		}()
	}
}
"""
"""The least that is an HTTP server, in Go: port 8000, every answer 200."""
