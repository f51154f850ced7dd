"""Tar archives, written one way and read in every way that the specifications allow.

Written: ustar, with pax records only where ustar has no room (POSIX.1-2017 pax). Read: ustar, pax, GNU long names,
base-256 numbers, sparse files refused. https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from struct import Struct
from zlib import adler32

import msgspec

from basewright.errors import HostileInputError
from basewright.oci.layer_limits import MAX_ENTRIES, too_many_entries
from basewright.oci.tree import MAX_PATH_BYTES, Entry, FileType, clean_path

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
_LINKS = (FileType.HARDLINK, FileType.SYMLINK)
_EXTENSIONS = (b"x", b"g", b"L", b"K")
_PLACING = {b"path", b"size", b"linkpath"}
_EMPTY = bytes(BLOCK)
_MODES = tuple(range(0o10000))  # one number for all that have it: half a million of their own are 14 MB
_HEADER = Struct("100s8s8s8s12s12s8sc100s6s82x155s12x")
"""Name, mode, uid, gid, size, mtime, checksum, type, link, magic, prefix."""
_MAX_TIME = 1 << 62
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
    if not all(_is_utf8(value) for key, value in records.items() if key in (b"path", b"linkpath")):
        records[b"hdrcharset"] = b"BINARY"
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


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


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
    """Reads members from a stream of bytes. `read(n)` returns n bytes, fewer only at the end; `skip(n)`, where it is
    given, passes over n bytes and returns how many there were.

    Iterate over it; after each member call `content()` for its bytes, or go on and they are skipped. What engines
    would read differently is refused: HostileInputError, which names the archive and where possible the member.
    """

    def __init__(
        self,
        read: Callable[[int], bytes],
        *,
        name: str,
        skip: Callable[[int], int] | None = None,
        max_entries: int = MAX_ENTRIES,
        spool: str = "",
    ) -> None:
        self._read = read
        self._pass_over = skip  # no bound method of ours: a reader that holds itself keeps its archive in memory
        self._name = name
        self._spool = spool
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

    def _skip(self) -> None:
        """Passes over what is left of the current member."""
        left, self._left, self._padding = self._left + self._padding, 0, 0
        self._offset += left
        pass_over = self._pass_over or self._read_over
        if pass_over(left) != left:
            raise self._fault("the archive is cut off")

    def _read_over(self, count: int) -> int:
        left = count
        while left and (chunk := self._read(min(left, 1 << 20))):
            left -= len(chunk)
        return count - left

    def __iter__(self) -> Iterator[Member]:
        entries = 0
        extended: dict[bytes, bytes] = {}
        while True:
            if self._left or self._padding:
                self._skip()
            block = self._header()
            if not block:
                return
            flag = block[156:157]
            if flag in _EXTENSIONS:
                self._extend(flag, self._extension(self._number(block[124:136])), extended)
                continue
            entries += 1
            if entries > self._max_entries:
                raise too_many_entries(self._name, self._max_entries)
            member = self._member(block, extended)
            if extended:
                extended = {}
            yield member

    def _header(self) -> bytes:
        """The next header, its checksum right; empty at the end of the archive."""
        block = self._read(BLOCK)
        self._offset += len(block)
        if not block or block == _EMPTY:
            self._finish(block)
            return b""
        if len(block) != BLOCK:
            raise self._fault("the archive is cut off")
        if not _has_checksum(block):
            raise self._fault(f"the archive is damaged {self._offset - BLOCK:,} bytes in: a checksum is wrong")
        return block

    def _extend(self, flag: bytes, body: bytes, extended: dict[bytes, bytes]) -> None:
        """Notes what an extended header says of the next member, in pax's words."""
        if flag == b"x":
            extended.update(self._records(body))
        elif flag == b"g":
            told = sorted(self._records(body).keys() & _PLACING)
            if told:
                raise self._fault(f"a global header sets {told[0].decode()}")
        else:
            extended.setdefault(b"path" if flag == b"L" else b"linkpath", body.split(b"\0")[0])

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

    def _member(self, block: bytes, pax: dict[bytes, bytes]) -> Member:
        name, mode, uid, gid, size_field, mtime, _, flag, link, magic, prefix = _HEADER.unpack(block)
        name = name.partition(b"\0")[0]
        if prefix[0] and magic == b"ustar\0":
            name = prefix.partition(b"\0")[0] + b"/" + name
        name = pax.get(b"path") or name
        path = self._path(name)
        kind = _TYPES.get(flag)
        if flag == b"S" or (pax and any(key.startswith(b"GNU.sparse") for key in pax)):
            raise self._fault(f"{path} is a sparse file, which layers may not hold")
        if kind is None:
            raise self._fault(f"{path} has the unknown type {flag!r}")
        size = self._decimal(pax[b"size"]) if b"size" in pax else _number(size_field)
        user = self._decimal(pax[b"uid"]) if b"uid" in pax else _number(uid)
        group = self._decimal(pax[b"gid"]) if b"gid" in pax else _number(gid)
        mode_bits = _number(mode)
        if size | user | group | mode_bits < 0:
            for field in (size_field, uid, gid, mode):
                self._number(field)
        if flag == b"\0" and name.endswith(b"/"):  # a folder in archives older than POSIX
            if size:
                raise self._fault(f"the folder {path} has content")
            kind = FileType.DIRECTORY
        if not path and kind is not FileType.DIRECTORY:
            raise self._fault(f"a {kind} has no name")
        is_file = kind is FileType.FILE
        # Engines read no content of links, folders and devices, whatever size their headers give.
        content = size if is_file else 0
        self._left, self._padding = content, -content % BLOCK
        entry = Entry(
            path=path,
            type=kind,
            mode=_MODES[mode_bits & 0o7777],
            uid=user,
            gid=group,
            size=content,
            link=self._link(kind, path, pax.get(b"linkpath") or link.partition(b"\0")[0]) if kind in _LINKS else "",
            capabilities=pax.get(_CAPABILITY_KEY, b"") if pax else b"",
            spool=self._spool if is_file else "",
            offset=self._offset if is_file else 0,
            mtime=_pax_time(pax[b"mtime"]) if b"mtime" in pax else _time(mtime),
        )
        return Member(entry=entry, offset=self._offset, content_bytes=content)

    def _path(self, name: bytes) -> str:
        try:
            return clean_path(name.decode("utf-8", "surrogateescape"))
        except HostileInputError as error:
            raise self._fault(error.message) from None

    def _link(self, kind: FileType, path: str, target: bytes) -> str:
        if kind is FileType.HARDLINK:
            return self._path(target)
        if not target or b"\0" in target or len(target) > MAX_PATH_BYTES:
            raise self._fault(f"the symbolic link {path} leads nowhere, or is longer than {MAX_PATH_BYTES} bytes")
        return target.decode("utf-8", "surrogateescape")

    def _number(self, field: bytes) -> int:
        value = _number(field)
        if value < 0:
            raise self._fault(f"a number in a header is damaged, negative or too large: {field!r}")
        return value

    def _decimal(self, text: bytes) -> int:
        if not text.isdigit() or len(text) > 18:
            raise self._fault(f"a number in an extended header is damaged: {text[:40]!r}")
        return int(text)

    def _records(self, body: bytes) -> dict[bytes, bytes]:
        """The records of a pax header; one without a value takes back what an earlier one said."""
        records: dict[bytes, bytes] = {}
        position = 0
        while position < len(body) and body[position] != 0:
            space = body.find(b" ", position, position + 20)
            digits = body[position:space] if space > 0 else b""
            length = int(digits) if digits.isdigit() else 0
            record = body[space + 1 : position + length]
            key, equals, value = record[:-1].partition(b"=")
            if length < 5 or position + length > len(body) or record[-1:] != b"\n" or not equals or not key:
                raise self._fault("an extended header is damaged")
            records[key] = value
            position += length
        return {key: value for key, value in records.items() if value}


@lru_cache(4096)  # most entries of an archive have the same owners and modes
def _number(field: bytes) -> int:
    """Octal between spaces and zeros, or base-256 where the first bit is set; -1 where it is neither, or too large."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        return -1 if field[0] & 0x40 or value >= 1 << 62 else value
    text = field.strip(b" \0").partition(b"\0")[0]
    try:
        return int(text or b"0", 8) if text.isdigit() or not text else -1
    except ValueError:
        return -1


def _time(field: bytes) -> int:
    """Seconds since 1970, before it where base-256 says so; 0 where it is damaged: nothing hangs on it."""
    try:
        return int(field[:11], 8)
    except ValueError:
        pass
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") - ((0 if field[0] & 0x40 else 0x80) << 8 * (len(field) - 1))
        value -= (1 << 8 * len(field)) if field[0] & 0x40 else 0
        return value if abs(value) < _MAX_TIME else 0
    return max(0, _number(field))


def _pax_time(text: bytes) -> int:
    whole = text.partition(b".")[0]
    return int(whole) if len(whole) < 19 and whole.removeprefix(b"-").isdigit() else 0


def _has_checksum(block: bytes) -> bool:
    """Whether the header's checksum is that of its bytes, unsigned or (as some old programs summed them) signed."""
    told = _number(block[148:156])
    # The lower half of Adler-32 is one more than the sum of up to 256 bytes: ten times as fast as a loop.
    total = (adler32(block[:148]) & 0xFFFF) + (adler32(block[156:404]) & 0xFFFF) + (adler32(block[404:]) & 0xFFFF)
    total += 8 * 32 - 3
    return told == total or told == total - 256 * sum(byte > 127 for byte in block[:148] + block[156:])
