"""Which files of an image keep their content while its layers are read: package databases, releases, libcs."""

import re

from basewright.oci.layer_index import Picks
from basewright.oci.tree import Entry

_KEPT = re.compile(
    r"(?:etc|usr/lib)/os-release|etc/(?:passwd|group|debian_version|alpine-release|apk/repositories)"
    r"|var/lib/dpkg/status|var/lib/dpkg/status\.d/[^/]+|(?:usr/)?lib/apk/db/installed"
    r"|(?:usr/)?lib(?:/[^/]+|64)?/libc\.so\.6|(?:usr/)?lib/ld-musl-[^/]+\.so\.1"
    r"|usr/(?:local/)?include/python3\.\d+/patchlevel\.h"
)
_MAX_KEPT_BYTES = 16 << 20


def _wants(entry: Entry) -> bool:
    return entry.size <= _MAX_KEPT_BYTES and _KEPT.fullmatch(entry.path) is not None


PICKS = Picks(version=1, wants=_wants)
"""What every reader of images asks for. A change of what is kept is a new version."""
