"""What is not printable is shown as its bytes."""

import pytest

from basewright.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("usr/bin/python3", "usr/bin/python3"),
        ("größe 日本 🎉 a b", "größe 日本 🎉 a b"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f"),
        ("\x9b31m", "\\xc2\\x9b31m"),  # a terminal's one-byte escape, as the two bytes of its UTF-8
        ("\u202egnp.exe", "\\xe2\\x80\\xaegnp.exe"),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), "caf\\xe9"),
        ("\ud800", "\\xed\\xa0\\x80"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_only_what_is_not_printable_is_written_as_bytes(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(text).isprintable()
