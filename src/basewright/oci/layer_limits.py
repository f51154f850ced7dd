"""What a layer may unpack to, and who says so when it is more."""

from collections.abc import Iterable, Iterator

import msgspec

from basewright.errors import HostileInputError

MAX_LAYER_BYTES = 100 << 30
MAX_ENTRIES = 2_000_000


class LayerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a layer may unpack to. The ratio counts from `ratio_floor_bytes` on: small layers of zeros are harmless."""

    uncompressed_bytes: int = MAX_LAYER_BYTES
    ratio: int = 200
    ratio_floor_bytes: int = 256 << 20
    entries: int = MAX_ENTRIES
    kept_bytes: int = 512 << 20
    """Of the files whose content is kept while the layer is read."""

    def guard(self, chunks: Iterable[bytes], *, compressed_bytes: int, name: str) -> Iterator[bytes]:
        """The uncompressed `chunks` of what has `compressed_bytes`, up to a limit: HostileInputError that names it."""
        unpacked_bytes = 0
        for chunk in chunks:
            unpacked_bytes += len(chunk)
            self.check(unpacked_bytes, compressed_bytes, name)
            yield chunk

    def check(self, unpacked_bytes: int, compressed_bytes: int, name: str) -> None:
        """Raises HostileInputError where so many bytes are too many."""
        if unpacked_bytes > self.uncompressed_bytes:
            raise HostileInputError(
                f"{name} unpacks to more than {self.uncompressed_bytes:,} bytes",
                hint="that is the limit on the bytes of one layer: the setting limits.layer-bytes",
            )
        if unpacked_bytes > self.ratio_floor_bytes and unpacked_bytes > self.ratio * compressed_bytes:
            raise HostileInputError(
                f"{name} unpacks to more than {self.ratio} times its {compressed_bytes:,} bytes",
                hint=f"that is the limit on the ratio, from {self.ratio_floor_bytes:,} bytes: the setting limits.ratio",
            )

    def check_entries(self, entries: int, name: str) -> None:
        """Raises HostileInputError where so many entries are too many."""
        if entries > self.entries:
            raise too_many_entries(name, self.entries)


def too_many_entries(name: str, limit: int) -> HostileInputError:
    """What is said of an archive with more entries than allowed."""
    return HostileInputError(
        f"{name}: the archive has more than {limit:,} entries",
        hint="that is the limit on the entries of one archive: the setting limits.entries",
    )
