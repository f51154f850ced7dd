"""Go: the order of its versions, and what a binary says of its own build.

Build information is read from an ELF file as debug/buildinfo does (https://pkg.go.dev/debug/buildinfo): pure, bounded,
and total: what is no Go binary, or a damaged one, is None.
"""

import re
import struct
from collections.abc import Iterator
from functools import total_ordering

import msgspec

MAX_BUILD_INFO_BYTES = 4 << 20
"""The largest list of modules that is read; Kubernetes' own is about 20 kB."""
_SCANNED_BYTES = 1 << 20
"""How far into the data segment the magic is looked for where the section has lost its name."""

_VERSION = re.compile(
    r"(?:go)?(?P<major>\d{1,6})(?:\.(?P<minor>\d{1,6}))?(?:\.(?P<patch>\d{1,6})|(?P<kind>alpha|beta|rc)(?P<pre>\d{1,6}))?"
)
_KINDS = ("", "alpha", "beta", "rc")
_FIRST_WITH_POINT_ZERO = (1, 21)
"""From here on a release has three numbers, and two of them name the language: 1.21 < 1.21rc1 < 1.21.0."""


@total_ordering
class GoVersion:
    """A version of Go, `1.24.13`, `1.25rc1`, or a language such as `1.24`; ordered as `go` itself does
    (https://go.dev/doc/toolchain#version). A leading `go`, and what follows a space, `-` or `+`, is left out.
    Any other text raises ValueError."""

    __slots__ = ("_key", "text")

    def __init__(self, text: str) -> None:
        match = _VERSION.fullmatch(re.split(r"[ +-]", text, maxsplit=1)[0])
        if match is None:
            raise ValueError(f"{text[:80]!r} is not a version of Go")
        self.text = match[0].removeprefix("go")
        major, minor = int(match["major"]), int(match["minor"] or 0)
        unnamed = 0 if (major, minor) < _FIRST_WITH_POINT_ZERO and not match["kind"] else -1
        patch = unnamed if match["patch"] is None else int(match["patch"])
        self._key = (major, minor, patch, _KINDS.index(match["kind"] or ""), int(match["pre"] or 0))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"GoVersion({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GoVersion) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __lt__(self, other: "GoVersion") -> bool:
        return self._key < other._key

    @property
    def line(self) -> str:
        """The release line, such as `1.24`."""
        return f"{self._key[0]}.{self._key[1]}"

    @property
    def is_prerelease(self) -> bool:
        return self._key[3] > 0

    @property
    def is_release(self) -> bool:
        """Whether it names one release, not a language."""
        return self._key[2] >= 0 or self.is_prerelease


class GoModule(msgspec.Struct, frozen=True, kw_only=True):
    """A module in a binary. `sum` is its `h1:` hash, empty where it came from a folder; `replaced` is what the
    module stands for where it replaces another."""

    path: str
    version: str
    sum: str = ""
    replaced: str = ""


class GoBinary(msgspec.Struct, frozen=True, kw_only=True):
    """What a Go binary says of itself. `go_version` is as written (`go1.24.13`, perhaps with experiments)."""

    go_version: str
    package: str
    main: GoModule | None
    modules: tuple[GoModule, ...]
    """Its dependencies, by path."""
    settings: dict[str, str]
    """Such as `GOARCH`, `CGO_ENABLED`, `-trimpath`."""
    architecture: str
    """GOARCH of the ELF header, or the machine's number."""
    interpreter: str | None
    """The dynamic loader that it asks for; None: static."""


_NOTE = re.compile(rb"\x04\0\0\0[\x01-\xff]\0\0\0\x04\0\0\0Go\0\0")
"""The header of the note with a build id: https://pkg.go.dev/cmd/internal/buildid"""


def is_go_program(head: bytes) -> bool:
    """Whether Go's linker made the ELF file whose first 4,096 bytes these are, as far as its build id tells."""
    return head[:4] == b"\x7fELF" and _NOTE.search(head, 64) is not None


def parse_go_binary(data: bytes | memoryview) -> GoBinary | None:
    """Reads an executable; None where it is no ELF file with Go's build information in it."""
    try:
        elf = _Elf(memoryview(data))
        found = elf.build_info()
        if found is None:
            return None
        version, modules = found
        package, main, dependencies, settings = _parse_modules(modules)
    except (struct.error, ValueError, IndexError, OverflowError):
        return None
    return GoBinary(
        go_version=version,
        package=package,
        main=main,
        modules=dependencies,
        settings=settings,
        architecture=_MACHINES.get(elf.machine, str(elf.machine)),
        interpreter=elf.interpreter(),
    )


_MACHINES = {3: "386", 21: "ppc64", 22: "s390x", 40: "arm", 62: "amd64", 183: "arm64", 243: "riscv64", 258: "loong64"}
_MAGIC = b"\xff Go buildinf:"
_PT_LOAD, _PT_INTERP = 1, 3
_WRITABLE = 2


class _Segment(msgspec.Struct, frozen=True, kw_only=True):
    type: int
    flags: int
    offset: int
    address: int
    size: int


class _Elf:
    """The parts of an ELF file that lead to build information. Slices are cut at the end of the file."""

    def __init__(self, data: memoryview) -> None:
        if bytes(data[:4]) != b"\x7fELF" or len(data) < 64 or data[4] not in (1, 2) or data[5] not in (1, 2):
            raise ValueError("not an ELF file")
        self._data = data
        self._wide = data[4] == 2
        self._order = "<" if data[5] == 1 else ">"
        header = struct.unpack_from(self._order + ("HHIQQQIHHHHHH" if self._wide else "HHIIIIIHHHHHH"), data, 16)
        self.machine = int(header[1])
        self._segments = tuple(self._read_segments(header[4], header[8], header[9]))
        self._section_table: tuple[int, int, int, int] = (header[5], header[10], header[11], header[12])

    def interpreter(self) -> str | None:
        for segment in self._segments:
            if segment.type == _PT_INTERP:
                path = bytes(self._data[segment.offset : segment.offset + min(segment.size, 4096)])
                return path.rstrip(b"\0").decode("utf-8", "replace")
        return None

    def build_info(self) -> tuple[str, str] | None:
        """The version and the list of modules, as they stand there."""
        for start, size in self._places():
            window = bytes(self._data[start : start + min(size, _SCANNED_BYTES)])
            at = window.find(_MAGIC)
            while at >= 0 and at % 16:
                at = window.find(_MAGIC, at + 1)
            if at >= 0:
                return self._read_info(start + at)
        return None

    def _read_info(self, at: int) -> tuple[str, str] | None:
        pointer_bytes, flags = self._data[at + 14], self._data[at + 15]
        if flags & 2:
            version, end = self._inline(at + 32)
            modules, _ = self._inline(end)
        else:  # before Go 1.18: two pointers to string headers
            shape = (">" if flags & 1 else "<") + ("Q" if pointer_bytes == 8 else "I")
            version = self._pointed(shape, struct.unpack_from(shape, self._data, at + 16)[0])
            modules = self._pointed(shape, struct.unpack_from(shape, self._data, at + 16 + pointer_bytes)[0])
        if not version:
            return None
        # Two sentinels of sixteen bytes surround the list, so that a tool finds it in memory.
        listed = modules[16:-16] if len(modules) >= 33 and modules[-17:-16] == b"\n" else b""
        return version.decode("utf-8", "replace"), listed.decode("utf-8", "replace")

    def _places(self) -> Iterator[tuple[int, int]]:
        yield from self._named_section(b".go.buildinfo")
        for segment in self._segments:
            if segment.type == _PT_LOAD and segment.flags & _WRITABLE:
                yield segment.offset, segment.size
                return

    def _read_segments(self, offset: int, entry_bytes: int, count: int) -> Iterator[_Segment]:
        shape = self._order + ("IIQQQQQQ" if self._wide else "IIIIIIII")
        for index in range(count):
            fields = struct.unpack_from(shape, self._data, offset + index * entry_bytes)
            if self._wide:
                kind, flags, start, address, _, size = fields[:6]
            else:
                kind, start, address, _, size, _, flags = fields[:7]
            yield _Segment(type=kind, flags=flags, offset=start, address=address, size=size)

    def _named_section(self, wanted: bytes) -> Iterator[tuple[int, int]]:
        offset, entry_bytes, count, names = self._section_table
        shape = self._order + ("IIQQQQ" if self._wide else "IIIIII")
        if offset == 0 or names >= count:
            return
        name_start = struct.unpack_from(shape, self._data, offset + names * entry_bytes)[4]
        for index in range(count):
            fields = struct.unpack_from(shape, self._data, offset + index * entry_bytes)
            name = name_start + fields[0]
            if bytes(self._data[name : name + len(wanted) + 1]) == wanted + b"\0":
                yield fields[4], fields[5]

    def _inline(self, at: int) -> tuple[bytes, int]:
        """A string with its length before it as a varint; also where it ends."""
        length = shift = 0
        while True:
            byte = self._data[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
            if shift > 35:
                raise ValueError("a length is too long")
        return self._slice(at, length), at + length

    def _pointed(self, shape: str, address: int) -> bytes:
        if address == 0:
            return b""
        width = struct.calcsize(shape)
        header = self._offset(address)
        start = struct.unpack_from(shape, self._data, header)[0]
        length = struct.unpack_from(shape, self._data, header + width)[0]
        return self._slice(self._offset(start), length) if length else b""

    def _offset(self, address: int) -> int:
        for segment in self._segments:
            if segment.type == _PT_LOAD and segment.address <= address < segment.address + segment.size:
                return segment.offset + address - segment.address
        raise ValueError("an address lies outside the file")

    def _slice(self, start: int, length: int) -> bytes:
        if length > MAX_BUILD_INFO_BYTES or start + length > len(self._data):
            raise ValueError("build information is cut off or too long")
        return bytes(self._data[start : start + length])


def _parse_modules(text: str) -> tuple[str, GoModule | None, tuple[GoModule, ...], dict[str, str]]:
    """Package, main module, dependencies and settings of the lines that runtime/debug.BuildInfo prints."""
    package, main = "", None
    modules: list[GoModule] = []
    settings: dict[str, str] = {}
    for line in text.split("\n"):
        kind, _, rest = line.partition("\t")
        match kind:
            case "path":
                package = rest
            case "mod":
                main = _module(rest)
            case "dep":
                modules.append(_module(rest))
            case "=>" if modules:
                modules[-1] = msgspec.structs.replace(_module(rest), replaced=modules[-1].path)
            case "build":
                key, value = _setting(rest)
                settings[key] = value
            case _:
                pass
    return package, main, tuple(modules), settings


def _module(text: str) -> GoModule:
    path, version, hashed = (*text.split("\t"), "", "")[:3]
    return GoModule(path=path, version=version, sum=hashed)


_SETTING = re.compile(r'(?P<key>"(?:[^"\\]|\\.)*"|`[^`]*`|[^=]*)=(?P<value>.*)', re.DOTALL)


def _setting(text: str) -> tuple[str, str]:
    match = _SETTING.fullmatch(text)
    return (text, "") if match is None else (_unquoted(match["key"]), _unquoted(match["value"]))


def _unquoted(text: str) -> str:
    """Go's quoted strings use escapes that Python's have too."""
    if len(text) >= 2 and text[0] == text[-1] == "`":
        return text[1:-1]
    if len(text) >= 2 and text[0] == text[-1] == '"':
        import ast

        try:
            value = ast.literal_eval(text)
        except (SyntaxError, ValueError, MemoryError):
            return text
        return value if isinstance(value, str) else text
    return text
