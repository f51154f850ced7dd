"""ELF files, as far as an image needs: the machine, what is linked, and how the program is hardened.

https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html; every offset is checked, a damaged file is no crash.
"""

import struct
from collections.abc import Iterator
from enum import StrEnum

import msgspec

MAGIC = b"\x7fELF"
_MAX_HEADERS = 4096
_MAX_DYNAMIC = 65536
_MAX_TEXT = 4096

_MACHINES = {
    3: "i386",
    40: "arm",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
    21: "ppc64",
    22: "s390x",
    258: "loong64",
}

_ET_EXEC, _ET_DYN = 2, 3
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP, _PT_GNU_STACK, _PT_GNU_RELRO = 1, 2, 3, 0x6474E551, 0x6474E552
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 10, 14, 15, 29
_DT_BIND_NOW, _DT_FLAGS, _DT_FLAGS_1 = 24, 30, 0x6FFFFFFB
_DF_BIND_NOW, _DF_1_NOW, _DF_1_PIE = 0x8, 0x1, 0x08000000


class Relro(StrEnum):
    """How far relocations are read-only once the program runs."""

    NONE = "none"
    PARTIAL = "partial"
    FULL = "full"


class Elf(msgspec.Struct, frozen=True, kw_only=True):
    """What one ELF file says of itself."""

    machine: str
    """Such as `x86_64`; `machine-N` for one without a name here."""
    bits: int
    executable: bool
    """A program (with or without PIE), not a library or an object file."""
    interpreter: str | None = None
    needed: tuple[str, ...] = ()
    soname: str | None = None
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    static: bool = False
    """A program that asks for no interpreter."""
    pie: bool = False
    nx: bool = False
    """The stack is not executable."""
    relro: Relro = Relro.NONE
    canary: bool | None = None
    """Whether the stack protector is linked; None where nothing dynamic tells."""


class _Segment(msgspec.Struct, frozen=True):
    kind: int
    flags: int
    offset: int
    address: int
    file_size: int


def is_elf(data: bytes) -> bool:
    """Whether a file begins as ELF files do."""
    return data[:4] == MAGIC


def parse_machine(head: bytes) -> str | None:
    """The machine that a program or library is for, told from its first 20 bytes or more, such as `x86_64`; None where
    the file is not ELF, or is neither (an object file, a core dump)."""
    if len(head) < 20 or not is_elf(head) or head[5] not in (1, 2):
        return None
    kind, number = struct.unpack_from(("<" if head[5] == 1 else ">") + "HH", head, 16)
    return _MACHINES.get(number, f"machine-{number}") if kind in (_ET_EXEC, _ET_DYN) else None


def parse_elf(data: bytes) -> Elf | None:
    """Reads one file; None where it is not ELF or is damaged."""
    try:
        return _parse(data)
    except (struct.error, ValueError, OverflowError):
        return None


def _parse(data: bytes) -> Elf | None:
    if len(data) < 52 or not is_elf(data) or data[4] not in (1, 2) or data[5] not in (1, 2):
        return None
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    kind, number = struct.unpack_from(order + "HH", data, 16)
    segments = tuple(_segments(data, order, wide))
    tags = tuple(_dynamic(data, order, wide, segments))
    strings = _string_table(data, segments, tags)
    interpreter = next((_text(data, each.offset) for each in segments if each.kind == _PT_INTERP), None)
    flags_1 = _value(tags, _DT_FLAGS_1)
    program = kind == _ET_EXEC or interpreter is not None or bool(flags_1 & _DF_1_PIE)
    stack = next((each for each in segments if each.kind == _PT_GNU_STACK), None)

    def named(tag: int) -> tuple[str, ...]:
        return tuple(_text(strings, value) for key, value in tags if key == tag)

    return Elf(
        machine=_MACHINES.get(number, f"machine-{number}"),
        bits=64 if wide else 32,
        # libc.so.6 and ld.so have an interpreter or run by themselves, and yet are libraries: they carry a name.
        executable=program and not named(_DT_SONAME),
        interpreter=interpreter,
        needed=named(_DT_NEEDED),
        soname=next(iter(named(_DT_SONAME)), None),
        rpath=_directories(named(_DT_RPATH)),
        runpath=_directories(named(_DT_RUNPATH)),
        static=program and interpreter is None,
        pie=kind == _ET_DYN and program,
        nx=stack is not None and not stack.flags & 1,
        relro=_relro(segments, tags),
        canary=(b"\0__stack_chk_fail\0" in strings) if strings else None,
    )


def _segments(data: bytes, order: str, wide: bool) -> Iterator[_Segment]:
    if wide:
        (start,) = struct.unpack_from(order + "Q", data, 32)
        size, count = struct.unpack_from(order + "HH", data, 54)
    else:
        (start,) = struct.unpack_from(order + "I", data, 28)
        size, count = struct.unpack_from(order + "HH", data, 42)
    if size < (56 if wide else 32):
        return
    for index in range(min(count, _MAX_HEADERS)):
        at = start + index * size
        if wide:
            kind, flags, offset, address, _, file_size = struct.unpack_from(order + "IIQQQQ", data, at)
        else:
            kind, offset, address, _, file_size, _, flags = struct.unpack_from(order + "IIIIIII", data, at)
        yield _Segment(kind, flags, offset, address, file_size)


def _dynamic(data: bytes, order: str, wide: bool, segments: tuple[_Segment, ...]) -> Iterator[tuple[int, int]]:
    segment = next((each for each in segments if each.kind == _PT_DYNAMIC), None)
    if segment is None:
        return
    width, shape = (16, order + "qQ") if wide else (8, order + "iI")
    for index in range(min(segment.file_size // width, _MAX_DYNAMIC)):
        tag, value = struct.unpack_from(shape, data, segment.offset + index * width)
        if tag == 0:
            return
        yield tag, value


def _value(tags: tuple[tuple[int, int], ...], wanted: int) -> int:
    return next((value for key, value in tags if key == wanted), 0)


def _string_table(data: bytes, segments: tuple[_Segment, ...], tags: tuple[tuple[int, int], ...]) -> bytes:
    """The dynamic string table: its address is in memory, so the segment that is loaded there says where it lies."""
    address, size = _value(tags, _DT_STRTAB), _value(tags, _DT_STRSZ)
    for segment in segments:
        if segment.kind == _PT_LOAD and segment.address <= address < segment.address + segment.file_size:
            start = segment.offset + address - segment.address
            return data[start : start + size]
    return b""


def _text(data: bytes, start: int) -> str:
    if start >= len(data):
        raise ValueError("a name lies outside of the file")
    end = data.find(b"\0", start, start + _MAX_TEXT)
    if end < 0:
        raise ValueError("a name has no end")
    return data[start:end].decode("utf-8", "surrogateescape")


def _directories(paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each for path in paths for each in path.split(":") if each)


def _relro(segments: tuple[_Segment, ...], tags: tuple[tuple[int, int], ...]) -> Relro:
    if not any(each.kind == _PT_GNU_RELRO for each in segments):
        return Relro.NONE
    now = (
        any(key == _DT_BIND_NOW for key, _ in tags)
        or _value(tags, _DT_FLAGS) & _DF_BIND_NOW
        or _value(tags, _DT_FLAGS_1) & _DF_1_NOW
    )
    return Relro.FULL if now else Relro.PARTIAL
