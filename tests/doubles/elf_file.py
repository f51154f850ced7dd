"""Small ELF files, made by hand: headers, one loaded segment, a dynamic section with its strings."""

import struct
from collections.abc import Sequence

_MACHINES = {"x86_64": 62, "aarch64": 183}


def make_elf(
    *,
    machine: str = "x86_64",
    needed: Sequence[str] = (),
    soname: str = "",
    runpath: str = "",
    rpath: str = "",
    interpreter: str = "",
    executable: bool = False,
    flags_1: int = 0,
    relro: bool = False,
    executable_stack: bool = False,
    symbols: Sequence[str] = (),
) -> bytes:
    """A 64-bit little-endian file. `symbols` only stand in the string table, as imported names do."""
    strings = b"\0"
    tags: list[tuple[int, int]] = []
    names = [(1, each) for each in needed] + [(14, soname), (29, runpath), (15, rpath)]
    for tag, text in names:
        if text:
            tags.append((tag, len(strings)))
            strings += text.encode() + b"\0"
    for symbol in symbols:
        strings += symbol.encode() + b"\0"
    if flags_1:
        tags.append((0x6FFFFFFB, flags_1))
    dynamic = bool(tags or symbols)
    count = 2 + dynamic + bool(interpreter) + relro
    start = 64 + 56 * count
    tags += [(5, start), (10, len(strings)), (0, 0)]
    interpreter_at = start + len(strings)
    dynamic_at = interpreter_at + len(interpreter) + 1
    size = dynamic_at + 16 * len(tags)
    segments = [(1, 5, 0, 0, size), (0x6474E551, 7 if executable_stack else 6, 0, 0, 0)]
    if dynamic:
        segments.append((2, 6, dynamic_at, dynamic_at, 16 * len(tags)))
    if interpreter:
        segments.append((3, 4, interpreter_at, interpreter_at, len(interpreter) + 1))
    if relro:
        segments.append((0x6474E552, 4, 0, 0, 0))
    kind = 2 if executable else 3
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = ident + struct.pack("<HHIQQQIHHHHHH", kind, _MACHINES[machine], 1, 0, 64, 0, 0, 64, 56, count, 64, 0, 0)
    table = b"".join(struct.pack("<IIQQQQQQ", kind, flags, at, to, to, n, n, 1) for kind, flags, at, to, n in segments)
    body = strings + interpreter.encode() + b"\0" + b"".join(struct.pack("<qQ", *tag) for tag in tags)
    return header + table + body
