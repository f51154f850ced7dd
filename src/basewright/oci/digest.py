"""Content digests, parsed when they are made: https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests"""

import hashlib
import re
from typing import Self

from basewright.errors import HostileInputError

_SHAPES = {"sha256": re.compile(r"[0-9a-f]{64}"), "sha512": re.compile(r"[0-9a-f]{128}")}


class Digest(str):
    """`sha256:` or `sha512:` and the lower-case hexadecimal digits; any other text raises HostileInputError."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        algorithm, _, digits = text.partition(":")
        shape = _SHAPES.get(algorithm)
        if shape is None or not shape.fullmatch(digits):
            raise HostileInputError(f"{text[:80]!r} is not a digest")
        return super().__new__(cls, text)

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview) -> Self:
        """The SHA-256 digest of `data`."""
        return cls(f"sha256:{hashlib.sha256(data).hexdigest()}")

    def matches(self, data: bytes | bytearray | memoryview) -> bool:
        """Whether `data` has this digest."""
        return hashlib.new(self.algorithm, data).hexdigest() == self.hex

    @property
    def algorithm(self) -> str:
        return self.partition(":")[0]

    @property
    def hex(self) -> str:
        return self.partition(":")[2]

    @property
    def short(self) -> str:
        """The first twelve digits, for people."""
        return self.hex[:12]
