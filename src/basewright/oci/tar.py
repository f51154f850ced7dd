"""Tar archives, written one way and read in every way that the specifications allow.

Written: ustar, with pax records only where ustar has no room (POSIX.1-2017 pax). Read: ustar, pax, GNU long names,
base-256 numbers, sparse files refused. https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
"""

from collections.abc import Callable, Iterator

import msgspec

from basewright.errors import HostileInputError
from basewright.oci.tree import Entry, FileType, clean_path

BLOCK = 512
MAX_EXTENSION_BYTES = 1 << 20
_OCTAL_LIMIT = 8**7 - 1
_SIZE_LIMIT = 8**11 - 1
_FLAGS = {
    FileType.FILE: b"0",
    FileType.HARDLINK: b"1",
    FileType.SYMLINK: b"2",
    FileType.CHARACTER_DEVICE: b"3",
    FileType.BLOCK_DEVICE: b"4",
    FileType.DIRECTORY: b"5",
    FileType.FIFO: b"6",
}
_TYPES = {flag: kind for kind, flag in _FLAGS.items()} | {b"\0": FileType.FILE, b"7": FileType.FILE}
_EXTENSIONS = (b"x", b"g", b"L", b"K")
_CAPABILITY_KEY = b"SCHILY.xattr.security.capability"


def render_header(entry: Entry, *, epoch: int) -> bytes:
    """The header blocks of one entry, its modification time `epoch` in seconds."""
    name = entry.path.encode("utf-8", "surrogateescape")
    if entry.is_directory:
        name += b"/"
    link = entry.link.encode("utf-8", "surrogateescape")
    size = entry.size if entry.is_file else 0
    records: dict[bytes, bytes] = {}
    prefix, short = _split_name(name)
    if short is None or not name.isascii():
        records[b"path"] = name
        prefix, short = b"", name[:100]
    if len(link) > 100 or not link.isascii():
        records[b"linkpath"] = link
    if entry.uid > _OCTAL_LIMIT:
        records[b"uid"] = b"%d" % entry.uid
    if entry.gid > _OCTAL_LIMIT:
        records[b"gid"] = b"%d" % entry.gid
    if size > _SIZE_LIMIT:
        records[b"size"] = b"%d" % size
    if entry.capabilities:
        records[_CAPABILITY_KEY] = entry.capabilities
    extension = b""
    if records:
        body = b"".join(_pax_record(key, records[key]) for key in sorted(records))
        extension = _ustar(b"", b"././@PaxHeader", b"x", 0o644, 0, 0, len(body), 0, b"") + body + _padding(len(body))
    return extension + _ustar(
        prefix,
        short,
        _FLAGS[entry.type],
        entry.mode,
        min(entry.uid, _OCTAL_LIMIT),
        min(entry.gid, _OCTAL_LIMIT),
        size if size <= _SIZE_LIMIT else 0,
        epoch,
        link[:100],
    )


def _ustar(
    prefix: bytes, name: bytes, flag: bytes, mode: int, uid: int, gid: int, size: int, epoch: int, link: bytes
) -> bytes:
    head = b"".join(
        (
            name.ljust(100, b"\0"),
            b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (mode & 0o7777, uid, gid, size, epoch),
            b"        ",
            flag,
            link.ljust(100, b"\0"),
            b"ustar\0" + b"00",
            bytes(64),
            b"0000000\0" * 2,
            prefix.ljust(155, b"\0"),
            bytes(12),
        )
    )
    return head[:148] + b"%06o\0 " % sum(head) + head[156:]


def _split_name(name: bytes) -> tuple[bytes, bytes | None]:
    """ustar's prefix and name; a name of None where they have no room."""
    if len(name) <= 100:
        return b"", name
    cut = name.rfind(b"/", 0, 156)
    while cut > 0:
        if 0 < len(name) - cut - 1 <= 100:
            return name[:cut], name[cut + 1 :]
        cut = name.rfind(b"/", 0, cut)
        if len(name) - cut - 1 > 100:
            break
    return b"", None


def _pax_record(key: bytes, value: bytes) -> bytes:
    size = len(key) + len(value) + 3
    length = size + len(str(size))
    while length != size + len(str(length)):
        length = size + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _padding(size: int) -> bytes:
    return bytes(-size % BLOCK)


def render_end() -> bytes:
    """The two empty blocks that end an archive."""
    return bytes(2 * BLOCK)


class Member(msgspec.Struct, kw_only=True):
    """One member as it was read. `entry.data` is None; `offset` is where its content starts in the archive."""

    entry: Entry
    offset: int
    content_bytes: int


class TarReader:
    """Reads members from a stream of bytes. `read(n)` returns n bytes, fewer only at the end.

    Iterate over it; after each member call `content()` for its bytes, or go on and they are skipped.
    """

    def __init__(self, read: Callable[[int], bytes], *, name: str, max_entries: int = 2_000_000) -> None:
        self._read = read
        self._name = name
        self._left = 0
        self._padding = 0
        self._offset = 0
        self._max_entries = max_entries

    def _fault(self, what: str) -> HostileInputError:
        return HostileInputError(f"{self._name}: {what}")

    def _exactly(self, count: int) -> bytes:
        data = self._read(count)
        self._offset += len(data)
        if len(data) != count:
            raise self._fault("the archive is cut off")
        return data

    def content(self, *, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """What is left of the current member's content, in chunks."""
        while self._left:
            chunk = self._exactly(min(self._left, chunk_bytes))
            self._left -= len(chunk)
            yield chunk
        if self._padding:
            self._exactly(self._padding)
            self._padding = 0

    def __iter__(self) -> Iterator[Member]:
        entries = 0
        extended: dict[bytes, bytes] = {}
        while True:
            for _ in self.content():
                pass
            block = self._read(BLOCK)
            self._offset += len(block)
            if not block or block.count(0) == BLOCK:
                self._finish(block)
                return
            if len(block) != BLOCK or _checksum(block) is False:
                raise self._fault("the archive is damaged: a header's checksum is wrong")
            flag, size = block[156:157], self._number(block[124:136])
            if flag in _EXTENSIONS:
                self._extend(flag, self._extension(size), extended)
                continue
            entries += 1
            if entries > self._max_entries:
                raise self._fault(f"the archive has more than {self._max_entries:,} entries")
            member = self._member(block, size, extended)
            extended = {}
            yield member

    def _extend(self, flag: bytes, body: bytes, extended: dict[bytes, bytes]) -> None:
        """Notes what an extended header says of the next member, in pax's words."""
        if flag == b"x":
            extended.update(_parse_pax(body, self._name))
        elif flag == b"g":
            if _parse_pax(body, self._name).keys() & {b"path", b"size", b"linkpath"}:
                raise self._fault("a global header sets a path or a size")
        else:
            extended.setdefault(b"path" if flag == b"L" else b"linkpath", body.rstrip(b"\0"))

    def _finish(self, block: bytes) -> None:
        """After the first empty block only zeros may follow."""
        if not block:
            return
        while rest := self._read(1 << 16):
            if rest.count(0) != len(rest):
                raise self._fault("bytes follow the end of the archive")

    def _extension(self, size: int) -> bytes:
        if size > MAX_EXTENSION_BYTES:
            raise self._fault(f"an extended header is larger than {MAX_EXTENSION_BYTES:,} bytes")
        body = self._exactly(size)
        self._exactly(-size % BLOCK)
        return body

    def _member(self, block: bytes, size: int, pax: dict[bytes, bytes]) -> Member:
        kind = _TYPES.get(block[156:157])
        if kind is None or any(key.startswith(b"GNU.sparse") for key in pax):
            raise self._fault(f"an entry of the type {block[156:157]!r} is not supported")
        name = pax.get(b"path") or _ustar_name(block)
        link = pax.get(b"linkpath") or block[157:257].split(b"\0")[0]
        if b"size" in pax:
            size = self._decimal(pax[b"size"])
        path = clean_path(name.decode("utf-8", "surrogateescape"))
        link_text = link.decode("utf-8", "surrogateescape")
        if kind is FileType.FILE and name.endswith(b"/"):
            kind = FileType.DIRECTORY  # pre-POSIX archives
        content = size if kind is FileType.FILE else 0
        if kind is FileType.HARDLINK:
            link_text, content = clean_path(link_text), size
        self._left, self._padding = content, -content % BLOCK
        entry = Entry(
            path=path,
            type=kind,
            mode=self._number(block[100:108]) & 0o7777,
            uid=self._decimal(pax[b"uid"]) if b"uid" in pax else self._number(block[108:116]),
            gid=self._decimal(pax[b"gid"]) if b"gid" in pax else self._number(block[116:124]),
            size=content if kind is FileType.FILE else 0,
            link=link_text if kind in (FileType.SYMLINK, FileType.HARDLINK) else "",
            capabilities=pax.get(_CAPABILITY_KEY, b""),
        )
        return Member(entry=entry, offset=self._offset, content_bytes=content)

    def _number(self, field: bytes) -> int:
        """Octal, or base-256 where the first bit is set."""
        if field[0] & 0x80:
            value = int.from_bytes(field, "big", signed=False) & ((1 << (8 * len(field) - 1)) - 1)
            if field[0] & 0x40 or value >= 1 << 62:
                raise self._fault("a number in a header is negative or too large")
            return value
        text = field.split(b"\0")[0].strip()
        try:
            value = int(text or b"0", 8)
        except ValueError:
            raise self._fault(f"a number in a header is damaged: {text!r}") from None
        if value < 0:
            raise self._fault("a number in a header is negative")
        return value

    def _decimal(self, text: bytes) -> int:
        if not text.isdigit() or len(text) > 18:
            raise self._fault(f"a number in an extended header is damaged: {text[:40]!r}")
        return int(text)


def _ustar_name(block: bytes) -> bytes:
    name = block[:100].split(b"\0")[0]
    if block[257:263] == b"ustar\0":
        prefix = block[345:500].split(b"\0")[0]
        if prefix:
            return prefix + b"/" + name
    return name


def _checksum(block: bytes) -> bool:
    text = block[148:156].split(b"\0")[0].strip()
    if not text or not all(byte in b"01234567" for byte in text):
        return False
    return int(text, 8) == sum(block) - sum(block[148:156]) + 256


def _parse_pax(body: bytes, name: str) -> dict[bytes, bytes]:
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(body) and body[position] != 0:
        space = body.find(b" ", position, position + 20)
        digits = body[position:space] if space > 0 else b""
        length = int(digits) if digits.isdigit() else 0
        record = body[space + 1 : position + length]
        if length < 5 or position + length > len(body) or not record.endswith(b"\n") or b"=" not in record:
            raise HostileInputError(f"{name}: an extended header is damaged")
        key, _, value = record[:-1].partition(b"=")
        records[key] = value
        position += length
    return records
