"""Which files of an image keep their content while its layers are read: package databases, releases, libcs, and what
says which package owns a file."""

import re

from basewright.oci.layer_index import Picks
from basewright.oci.tree import Entry

_KEPT = re.compile(
    r"(?:etc|usr/lib)/os-release|etc/(?:passwd|group|debian_version|alpine-release|apk/repositories)"
    r"|var/lib/dpkg/status|var/lib/dpkg/status\.d/[^/]+|var/lib/dpkg/info/[^/]+\.list|(?:usr/)?lib/apk/db/installed"
    r"|(?:usr/)?lib(?:/[^/]+|64)?/libc\.so\.6|(?:usr/)?lib/ld-musl-[^/]+\.so\.1"
    r"|usr/(?:local/)?include/python3\.\d+/patchlevel\.h"
)
_RECORDS = (".dist-info/RECORD", ".dist-info/direct_url.json")
_MAX_KEPT_BYTES = 16 << 20
_MAX_RECORD_BYTES = 4 << 20
"""One of the largest wheels' has 1.5 MB."""


def _wants(entry: Entry) -> bool:
    path = entry.path
    if path.endswith(_RECORDS):
        return entry.size <= _MAX_RECORD_BYTES
    return entry.size <= _MAX_KEPT_BYTES and _KEPT.fullmatch(path) is not None


PICKS = Picks(version=3, wants=_wants)
"""What every reader of images asks for. A change of what is kept is a new version."""
