"""Reads the shipped datasets, only when asked for, decoded into types; who asks keeps what was read.

`tools/snapshot.py` makes them from source data; `data/NOTICE` names whose facts they are.
"""

import datetime
from pathlib import Path
from typing import TypeVar
from zlib import crc32

import msgspec

from basewright.errors import InputError

_DATA = Path(__file__).with_name("data")


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose facts they are: a repository or archive, its commit or version, its licence."""

    name: str
    version: str
    licence: str
    used_for: str = ""


class Dataset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every file begins with. Nothing in it is newer than `as_of`."""

    schema: str
    as_of: datetime.date
    source: tuple[Source, ...]


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The same of a file whose facts are not asked for."""

    schema: str
    as_of: datetime.date
    source: tuple[Source, ...]


_Record = TypeVar("_Record", bound=Dataset | Header)


def read_dataset(name: str, kind: type[_Record]) -> _Record:
    """The shipped file `name`, such as `lifecycle`. Raises InputError where the installation is damaged."""
    try:
        return msgspec.json.decode((_DATA / f"{name}.json").read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"the shipped data {name}.json cannot be read: {error}", hint="install basewright anew"
        ) from None


def dataset_checksum(name: str) -> int:
    """The CRC-32 of the shipped file `name`; 0 where it cannot be read: who needs it then says so."""
    try:
        return crc32((_DATA / f"{name}.json").read_bytes())
    except OSError:
        return 0


def dataset_names(name: str, text: str) -> bool:
    """Whether `text` stands anywhere in the shipped file `name`, found without decoding it. False where the file cannot
    be read: who needs it then says so."""
    try:
        return text.encode() in (_DATA / f"{name}.json").read_bytes()
    except OSError:
        return False
