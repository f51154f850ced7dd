"""Digests are parsed when they are made."""

import pytest

from basewright.errors import HostileInputError
from basewright.oci.digest import Digest

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_digest_says_what_it_is() -> None:
    digest = Digest(f"sha256:{EMPTY}")
    assert (digest.algorithm, digest.hex, digest.short) == ("sha256", EMPTY, EMPTY[:12])
    assert digest == Digest.of(b"")
    assert digest.matches(b"")
    assert not digest.matches(b"x")


def test_sha512_is_computed_as_well() -> None:
    import hashlib

    digest = Digest("sha512:" + hashlib.sha512(b"x").hexdigest())
    assert digest.matches(b"x")
    assert not digest.matches(b"y")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        "sha256:abc",
        f"sha256:{EMPTY.upper()}",
        f"md5:{EMPTY[:32]}",
        EMPTY,
        f"sha256:{EMPTY}\n",
        f"sha256:../{EMPTY[3:]}",
        f"sha512:{EMPTY}",
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(HostileInputError, match="is not a digest"):
        Digest(text)
