"""Programs as Go's linker leaves them, made by hand: an ELF file with build information."""

import struct


def varint(number: int) -> bytes:
    """A number as Go writes lengths."""
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*data, number))


def inline_info(version: str, modules: str) -> bytes:
    """What Go 1.18 and later write: version and modules inline."""
    listed = b"\x30" * 16 + modules.encode() + b"\x31" * 16
    head = b"\xff Go buildinf:" + bytes((8, 2)) + bytes(16)
    return head + varint(len(version)) + version.encode() + varint(len(listed)) + listed


def elf(info: bytes, *, machine: int = 183, interpreter: bytes = b"", section: bool = True) -> bytes:
    """A 64-bit little-endian ELF file: program headers, then the data segment at 0x1000, mapped at 0x401000."""
    names = b"\0.go.buildinfo\0.shstrtab\0"
    start = 0x1000
    segments = [struct.pack("<IIQQQQQQ", 1, 6, start, 0x400000 + start, 0, len(info), len(info), 4096)]
    if interpreter:
        segments.append(struct.pack("<IIQQQQQQ", 3, 4, 0x800, 0, 0, len(interpreter), len(interpreter), 1))
    names_at = start + len(info)
    table_at = names_at + len(names)
    sections = [
        struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        struct.pack("<IIQQQQIIQQ", 1, 1, 3, 0x400000 + start, start, len(info), 0, 0, 16, 0),
        struct.pack("<IIQQQQIIQQ", 15, 3, 0, 0, names_at, len(names), 0, 0, 1, 0),
    ]
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack(
        "<HHIQQQIHHHHHH",
        *(2, machine, 1, 0x401000, 64, table_at if section else 0, 0, 64, 56, len(segments), 64, len(sections), 2),
    )
    data = header + b"".join(segments)
    data = data.ljust(0x800, b"\0") + interpreter
    return data.ljust(start, b"\0") + info + names + b"".join(sections)


def go_program(version: str, *modules: tuple[str, str]) -> bytes:
    """A program with these modules, and the note with a build id that Go's linker puts into the first page."""
    listed = "path\texample.com/app\nmod\texample.com/app\t(devel)\t\n"
    listed += "".join(f"dep\t{path}\t{release}\th1:abc=\n" for path, release in modules)
    return elf(inline_info(version, listed), interpreter=b"\x04\0\0\0\x08\0\0\0\x04\0\0\0Go\0\0build-id")
