"""Tags that say by their name what they are about, for registries that keep no list of it."""

import re

from basewright.oci.digest import Digest
from basewright.oci.manifest import REF_NAME, Descriptor
from basewright.oci.reference import is_tag

_ATTACHED = (".sig", ".att", ".sbom")
_ABOUT = re.compile(r"(sha256|sha512)-[0-9a-f]{32,128}")


def list_tag(subject: Digest) -> str:
    """Of the index that stands in for a list of referrers.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
    """
    return f"{subject.algorithm}-{subject.hex[:64]}"


def attached_tags(subject: Digest) -> tuple[str, ...]:
    """Of cosign's signatures, attestations and SBOMs, which name no subject.

    https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
    """
    tags = (f"{subject.algorithm}-{subject.hex}{suffix}" for suffix in _ATTACHED)
    return tuple(filter(is_tag, tags))  # those of a SHA-512 are too long for one


def attached_tag(listed: Descriptor, subject: Digest) -> str | None:
    """The tag that `listed` was found by, where that makes it one of `subject`."""
    name = listed.annotations.get(REF_NAME)
    return name if name in attached_tags(subject) else None


def is_about(name: str) -> bool:
    """Whether a name in a layout is such a tag."""
    return _ABOUT.match(name) is not None
