"""What the tags of bases stand for now: registries asked side by side, once and briefly."""

from collections.abc import Sequence

import msgspec

from basewright._http import PooledHttp
from basewright.errors import HostileInputError, InputError, OutOfReachError
from basewright.oci.digest import Digest
from basewright.oci.reference import parse_reference
from basewright.oci.transports.registries import Registries
from basewright.oci.transports.registry import RegistrySource
from basewright.parallel import map_within

_CONNECT_SECONDS = 1.5
_READ_SECONDS = 2.0
ASK_SECONDS = 2.5
"""For all questions together: an unchanged run stays quick where nothing answers."""


class TagAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a registry that answered says of a tag: the digest, None where it has no such image."""

    digest: Digest | None


def ask_tags(references: Sequence[str], registries: Registries) -> dict[str, TagAnswer]:
    """Reference → what it stands for now; without those whose registry does not answer in time, or refuses."""
    http = PooledHttp(connect_seconds=_CONNECT_SECONDS, read_seconds=_READ_SECONDS, retries=0)

    def ask(reference: str) -> TagAnswer | None:
        try:
            return TagAnswer(digest=RegistrySource(parse_reference(reference), http, registries).named_digest())
        except HostileInputError:
            return None
        except InputError:
            return TagAnswer(digest=None)
        except OutOfReachError:
            return None

    answers = map_within(ask, references, seconds=ASK_SECONDS)
    return {reference: answer for reference, answer in answers.items() if answer is not None}
