"""One .deb in memory: its control files, and the entries of its data.tar as an image keeps them.

deb(5): an ar archive of debian-binary, control.tar and data.tar. Paths are those of a merged /usr; documentation other
than copyright files, manual pages, locales, info pages and lintian's files are left out.
"""

import io
import lzma
import re
import zlib

import msgspec

from basewright.errors import HostileInputError
from basewright.oci.tar import TarReader
from basewright.oci.tree import Entry, FileType

MAX_CONTROL_BYTES = 64 << 20
MAX_DATA_BYTES = 2 << 30
MAX_RATIO = 200
"""A bound on what a .deb may unpack to, times its size (and 64 MiB): the largest real ones stay below 40."""
_AR_MAGIC = b"!<arch>\n"
_MERGED = frozenset(("bin", "sbin", "lib", "lib32", "lib64", "libo32", "libx32"))
_DROPPED = re.compile(
    r"usr/share/(?:man|info|lintian|linda|locale|doc-base|bug|omf|groff|gnome/help|gtk-doc|reportbug)(?:/.*)?"
    r"|var/cache/man(?:/.*)?"
)
_KEPT_DOCUMENT = re.compile(r"usr/share/doc/[^/]+/copyright(?:/.*)?")
_CHANGELOG = re.compile(r"usr/share/doc/[^/]+/changelog(?:\.Debian(?:\.[a-z0-9-]+)?)?(?:\.gz)?")
_REFUSED = (FileType.BLOCK_DEVICE, FileType.CHARACTER_DEVICE)


class UnpackedDeb(msgspec.Struct, frozen=True, kw_only=True):
    """What a .deb holds. `control`: file of the control archive → its bytes. `listed` are all its paths as dpkg lists
    them. `changelogs` are the compressed changelogs, which are not part of the image."""

    name: str
    control: dict[str, bytes]
    entries: tuple[Entry, ...]
    listed: tuple[str, ...]
    changelogs: tuple[bytes, ...]

    def text(self, name: str) -> str:
        """A control file as text, empty where the package has none."""
        return self.control.get(name, b"").decode("utf-8", "replace")


def unpack_deb(data: bytes, *, name: str) -> UnpackedDeb:
    """Unpacks a .deb. Raises HostileInputError where it is damaged, hostile, or larger than it may be."""
    members = _parse_ar(data, name)
    if members.get("debian-binary", b"")[:2] != b"2.":
        raise HostileInputError(f"{name} is not a Debian package of format 2")
    control = _decompressed(members, "control.tar", name, max_bytes=MAX_CONTROL_BYTES)
    bound = min(MAX_DATA_BYTES, (64 << 20) + MAX_RATIO * len(data))
    archive = _decompressed(members, "data.tar", name, max_bytes=bound)
    entries: dict[str, Entry] = {}
    dropped: dict[str, tuple[int, int]] = {}
    listed: list[str] = []
    changelogs: list[bytes] = []
    for member in TarReader(io.BytesIO(archive).read, name=name):
        entry = member.entry
        listed.append("/" + entry.path if entry.path else "/.")
        if not entry.path:
            continue
        if entry.type in _REFUSED:
            raise HostileInputError(f"{name} holds a device: /{entry.path[:200]}")
        end = member.offset + entry.size
        if entry.is_file and _CHANGELOG.fullmatch(entry.path):
            changelogs.append(archive[member.offset : end])
        path = merged_path(entry.path, is_link=entry.type is FileType.SYMLINK)
        if not _is_kept(entry, path):
            dropped[path] = (member.offset, end)
            continue
        entries[path] = _kept(entry, path, archive[member.offset : end], dropped, archive)
    _check_links(entries, name)
    return UnpackedDeb(
        name=name,
        control=_control_files(control, name),
        entries=tuple(entries.values()),
        listed=tuple(listed),
        changelogs=tuple(changelogs),
    )


def merged_path(path: str, *, is_link: bool = False) -> str:
    """Where a path stands in a merged /usr: `lib/x` → `usr/lib/x`. A link such as `/lib` itself stays."""
    head, slash, _ = path.partition("/")
    return f"usr/{path}" if head in _MERGED and (slash or not is_link) else path


def _is_kept(entry: Entry, path: str) -> bool:
    if path.startswith("usr/share/doc/"):
        # A folder of documentation that is a link leads to another package's copyright file.
        is_folder_link = entry.type is FileType.SYMLINK and path.count("/") == 3
        return is_folder_link or _KEPT_DOCUMENT.fullmatch(path) is not None
    return _DROPPED.fullmatch(path) is None


def _kept(entry: Entry, path: str, content: bytes, dropped: dict[str, tuple[int, int]], archive: bytes) -> Entry:
    if entry.type is FileType.HARDLINK:
        target = merged_path(entry.link)
        if target in dropped:  # its bytes have no other name in the image
            start, end = dropped[target]
            return msgspec.structs.replace(
                entry, path=path, type=FileType.FILE, link="", size=end - start, data=archive[start:end]
            )
        return msgspec.structs.replace(entry, path=path, link=target)
    return msgspec.structs.replace(entry, path=path, data=content if entry.is_file else None)


def _check_links(entries: dict[str, Entry], name: str) -> None:
    for entry in entries.values():
        if entry.type is FileType.HARDLINK:
            target = entries.get(entry.link)
            if target is None or not target.is_file:
                raise HostileInputError(f"{name}: the hard link /{entry.path[:200]} leads to no file of the package")


def _parse_ar(data: bytes, name: str) -> dict[str, bytes]:
    """Members of an ar archive by name."""
    if not data.startswith(_AR_MAGIC):
        raise HostileInputError(f"{name} is not a Debian package")
    members: dict[str, bytes] = {}
    at = len(_AR_MAGIC)
    while at < len(data):
        header = data[at : at + 60]
        size = header[48:58].strip()
        if len(header) < 60 or header[58:] != b"`\n" or not size.isdigit() or len(members) > 32:
            raise HostileInputError(f"{name} is damaged: a header of its ar archive is wrong")
        start, end = at + 60, at + 60 + int(size)
        if end > len(data):
            raise HostileInputError(f"{name} is cut off")
        members.setdefault(header[:16].decode("ascii", "replace").strip().rstrip("/"), data[start:end])
        at = end + (end & 1)
    return members


def _decompressed(members: dict[str, bytes], stem: str, name: str, *, max_bytes: int) -> bytes:
    """The tar archive `stem`, whichever way it is compressed."""
    found = next((key for key in members if key == stem or key.startswith(f"{stem}.")), None)
    if found is None:
        raise HostileInputError(f"{name} has no {stem}")
    packed, method = members[found], found.removeprefix(stem)
    data = decompress(packed, method, name=f"{found} of {name}", max_bytes=max_bytes)
    if len(data) > max_bytes:
        raise HostileInputError(f"{found} of {name} unpacks to more than {max_bytes:,} bytes")
    return data


def decompress(packed: bytes, method: str, *, name: str, max_bytes: int) -> bytes:
    """Unpacks `.xz`, `.zst`, `.gz`, `.lzma` or nothing, at most one byte more than `max_bytes`."""
    import zstandard
    from isal import isal_zlib

    try:
        if method in (".xz", ".lzma"):
            stream = lzma.LZMADecompressor()
            data = stream.decompress(packed, max_bytes + 1)
            whole = stream.eof
        elif method == ".gz":
            inflate = isal_zlib.decompressobj(wbits=31)
            data = inflate.decompress(packed, max_bytes + 1)
            whole = inflate.eof
        elif method == ".zst":
            with zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as reader:
                data = reader.read(max_bytes + 1)
            whole = True
        elif method == "":
            data, whole = packed, True
        else:
            raise HostileInputError(f"{name}: the compression {method} is not supported")
    except (lzma.LZMAError, zlib.error, zstandard.ZstdError, EOFError) as error:
        raise HostileInputError(f"{name} is damaged: {error}") from None
    if not whole and len(data) <= max_bytes:
        raise HostileInputError(f"{name} is cut off")
    return bytes(data)


def _control_files(archive: bytes, name: str) -> dict[str, bytes]:
    files = {}
    for member in TarReader(io.BytesIO(archive).read, name=name):
        if member.entry.is_file and "/" not in member.entry.path:
            files[member.entry.path] = archive[member.offset : member.offset + member.entry.size]
    if "control" not in files:
        raise HostileInputError(f"{name} has no control file")
    return files
