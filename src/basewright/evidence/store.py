"""The store of evidence: one file a candidate, canonical JSON, small enough to commit, kept under a key.

Nothing is measured again while the key (strategy, lock, sources, version, runner, machine) stands.
"""

import datetime
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from basewright._disk import write_atomically
from basewright.errors import InputError
from basewright.facts import Evidence, Machine

SCHEMA = "basewright.evidence/1"
MAX_EVIDENCE_BYTES = 16 << 20


class EvidenceFile(msgspec.Struct, frozen=True, kw_only=True):
    """What one file holds. `key` names everything that was measured from; `evaluated_at` is in UTC; `feeds` are the
    dates of the shipped datasets."""

    schema: str
    key: str
    version: str
    evaluated_at: datetime.datetime
    runner: str
    machine: Machine
    lock: str
    seed: int
    feeds: dict[str, datetime.date]
    evidence: Evidence


def evidence_key(parts: Iterable[str]) -> str:
    """The SHA-256 over everything that the evidence depends on."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()


def read_evidence(directory: Path, names: Sequence[str]) -> tuple[EvidenceFile, ...] | None:
    """The files of all `names`, under whatever key, or None where one is missing, damaged or older, or where two are of
    different runs: their rounds were not shared, so they do not compare."""
    found = []
    for name in names:
        path = directory / f"{name}.json"
        try:
            with path.open("rb") as handle:
                data = handle.read(MAX_EVIDENCE_BYTES + 1)
            file = msgspec.json.decode(data, type=EvidenceFile)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None
        if file.schema != SCHEMA or file.evidence.candidate != name:
            return None
        found.append(file)
    return tuple(found) if len({file.evaluated_at for file in found}) <= 1 else None


def write_evidence(directory: Path, files: Sequence[EvidenceFile]) -> tuple[Path, ...]:
    """Writes every file atomically. Raises InputError or OutOfReachError where the disk refuses."""
    written = []
    for file in files:
        path = directory / f"{file.evidence.candidate}.json"
        if path.is_symlink():
            raise InputError(f"{path} is a symbolic link", hint="evidence is written to a plain file")
        write_atomically(path, render_evidence(file))
        written.append(path)
    return tuple(written)


def render_evidence(file: EvidenceFile) -> bytes:
    """Canonical JSON: keys in the schema's order, maps sorted, two spaces."""
    return msgspec.json.format(msgspec.json.encode(file, order="deterministic", enc_hook=str), indent=2) + b"\n"
