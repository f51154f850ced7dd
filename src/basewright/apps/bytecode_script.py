"""Compiles Python sources to unchecked-hash bytecode; runs by itself, inside an interpreter of any version from 3.8 on.

Read as text and handed to that interpreter with `-c`: it imports nothing that is not built into every CPython.
Standard input: frames of (u32 path length, u32 source length, path, source). Standard output: `BWPYC1`, then frames
of (u32 index, u8 status, u32 length, bytes), status 0 with the .pyc, 1 with why the source is not valid, 2 where the
compiler itself died. What marshal writes depends on which objects are shared with the rest of the process, so each
source is compiled in a child forked from the same untouched state, and what could be shared is, always: the bytes are
the same in whatever company, and whatever the C library and the files of this interpreter brought along.
"""

import _imp
import marshal
import posix as os
import sys

# mypy: disable-error-code="attr-defined,no-untyped-call"

_WORKERS = 4
_HELD = ("co_consts", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_filename", "co_name", "co_qualname")
_CODE = type((lambda: None).__code__)
_spaces: "list[int]" = []


def _space() -> int:
    """A file without a name: what lies there makes no process larger, and so no fork slower."""
    try:
        return os.memfd_create("basewright")
    except (AttributeError, OSError):
        name = f"/tmp/.basewright-{os.getpid()}-{len(_spaces)}"
        _spaces.append(os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(name)
        return _spaces[-1]


def _copy(source: int, target: int) -> int:
    """Everything from one open file to the other; how many bytes."""
    size = 0
    while True:
        part = os.read(source, 1 << 18)
        if not part:
            return size
        size += len(part)
        _write(target, part)


def _write(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _compile(path: bytes, source: bytes, magic: bytes) -> bytes:
    """Status and payload: what importlib writes for an unchecked-hash file (PEP 552)."""
    try:
        code = compile(source, path.decode("utf-8", "surrogateescape"), "exec", dont_inherit=True, optimize=0)
    except Exception as error:
        return b"\x01" + type(error).__name__.encode()
    held: list[object] = []
    _hold(code, held)
    key = int.from_bytes(magic[:4], "little")
    return b"\x00" + magic + b"\x01\x00\x00\x00" + _imp.source_hash(key, source) + marshal.dumps(code)


def _hold(value: object, held: "list[object]") -> None:
    """One more reference to all that is written: marshal marks what is referred to from elsewhere, such as names that
    this process knows, too."""
    held.append(value)
    if isinstance(value, _CODE):
        for name in _HELD:
            _hold(getattr(value, name, None), held)
    elif isinstance(value, (tuple, frozenset)):
        for each in value:
            _hold(each, held)


def _compile_apart(sources: int, index: int, frame: "tuple[int, int, int]", magic: bytes, results: int) -> None:
    """Adds one answer to `results`. Parent and child share the place where they write."""
    before = os.lseek(results, 0, 1)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            at, path_size, source_size = frame
            path = os.pread(sources, path_size, at)
            answer = _compile(path, os.pread(sources, source_size, at + path_size), magic)
            _write(results, _u32(index) + answer[:1] + _u32(len(answer) - 1) + answer[1:])
            status = 0
        finally:
            os._exit(status)
    if os.waitpid(child, 0)[1] != 0:
        os.lseek(results, before, 0)
        os.ftruncate(results, before)
        _write(results, _u32(index) + b"\x02" + _u32(0))


def _work(sources: int, frames: "list[tuple[int, int, int]]", share: "list[int]", magic: bytes, results: int) -> None:
    for index in share:
        _compile_apart(sources, index, frames[index], magic, results)


def _frames(sources: int, size: int) -> "list[tuple[int, int, int]]":
    """Where each path begins, and the lengths of path and source."""
    found = []
    at = 0
    while at < size:
        head = os.pread(sources, 8, at)
        path_size, source_size = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")
        found.append((at + 8, path_size, source_size))
        at += 8 + path_size + source_size
    return found


def _arguments() -> "list[str] | list[bytes]":
    if hasattr(sys, "orig_argv"):
        return sys.orig_argv
    handle = os.open("/proc/self/cmdline", os.O_RDONLY)
    try:
        return os.read(handle, 1 << 20).split(b"\0")[:-1]
    finally:
        os.close(handle)


def main() -> None:
    if os.environ.get(b"PYTHONHASHSEED") != b"0":
        # The seed orders sets, and so constants: it can only be set before an interpreter starts.
        os.execve(sys.executable, _arguments(), {b"PYTHONHASHSEED": b"0"})
    for number in range(256):
        sys.intern(chr(number))  # strings of one character are the process's own, interned or not yet
    magic = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
    sources = _space()
    frames = _frames(sources, _copy(0, sources))
    order = sorted(range(len(frames)), key=lambda index: (-frames[index][2], index))
    step = min(_WORKERS, os.cpu_count() or 1, len(frames) or 1)
    workers = []
    for first in range(step):
        results = _space()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                _work(sources, frames, order[first::step], magic, results)
                status = 0
            finally:
                os._exit(status)
        workers.append((results, child))
    failed = 0
    for _, child in workers:
        failed |= os.waitpid(child, 0)[1]
    _write(1, b"BWPYC1" + magic)
    for results, _ in workers:
        os.lseek(results, 0, 0)
        _copy(results, 1)
    os._exit(1 if failed else 0)


if __name__ == "__main__":
    main()
