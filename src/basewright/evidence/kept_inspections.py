"""What an inspection said, kept by its manifest's digest: whoever looks at an image again need not look into it.

A file is the CRC-32 of the MessagePack that follows: what it was made with, and the inspection without its contents.
"""

from contextlib import suppress
from pathlib import Path
from zlib import crc32

import msgspec

from basewright import __version__
from basewright._cache import mark
from basewright._disk import write_atomically
from basewright.ecosystems.picks import PICKS
from basewright.errors import BasewrightError
from basewright.evidence.found_image import FoundImage
from basewright.evidence.inspected import Inspection
from basewright.feeds.snapshot import dataset_checksum
from basewright.oci.layer_limits import LayerLimits
from basewright.oci.platform import unmet

FORMAT = 3
"""Of the files, and of what an inspection says of the same image: a change of either is a new one."""
_CHECKSUM_BYTES = 4


class _MadeWith(msgspec.Struct, frozen=True, kw_only=True):
    """Everything beside the image that an inspection depends on. Other limits could refuse the image."""

    format: int
    version: str
    picks: int
    known_layers: int
    limits: LayerLimits


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    made_with: _MadeWith
    inspection: Inspection


class KeptInspections:
    """Inspections in a folder that processes share. What is damaged, or was made with something else, is as good as not
    there; where the folder cannot be written nothing is kept."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def load(self, image: FoundImage) -> Inspection | None:
        """The inspection of an image, without its contents."""
        path, resolved = self._path(image), image.resolved
        try:
            data = path.read_bytes()
            if int.from_bytes(data[:_CHECKSUM_BYTES], "big") != crc32(data[_CHECKSUM_BYTES:]):
                return None
            kept = msgspec.msgpack.decode(data[_CHECKSUM_BYTES:], type=_Kept, dec_hook=_digest)
        except (OSError, msgspec.MsgspecError, BasewrightError):
            return None
        if kept.made_with != _made_with(image) or kept.inspection.digest != resolved.manifest_digest:
            return None
        mark(path)
        return msgspec.structs.replace(
            kept.inspection,
            name=image.name,
            top_digest=resolved.top_digest,
            wanted=unmet(image.wanted, kept.inspection.platform),
        )

    def save(self, inspection: Inspection, image: FoundImage) -> None:
        """Keeps the inspection of an image. One that holds names that are not UTF-8 is not kept: MessagePack has no
        such text."""
        bare = msgspec.structs.replace(inspection, name="", wanted=None, contents=None)
        with suppress(BasewrightError, UnicodeEncodeError):
            data = msgspec.msgpack.encode(_Kept(made_with=_made_with(image), inspection=bare), enc_hook=str)
            write_atomically(self._path(image), crc32(data).to_bytes(_CHECKSUM_BYTES, "big") + data)

    def _path(self, image: FoundImage) -> Path:
        digest = image.resolved.manifest_digest
        return self.directory / digest.algorithm / digest.hex


def _made_with(image: FoundImage) -> _MadeWith:
    return _MadeWith(
        format=FORMAT,
        version=__version__,
        picks=PICKS.version,
        known_layers=dataset_checksum("official-images"),
        limits=image.limits,
    )


def _digest(kind: type, value: object) -> object:
    """A Digest is a str of its own, which msgspec does not know. Raises HostileInputError."""
    return kind(value)
