"""The key of evidence: everything that it depends on, so that nothing is measured twice and nothing stale is kept."""

import datetime
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from basewright import __version__
from basewright.apps.sources import app_folder, read_app_folder
from basewright.build.workshop import tree_digest
from basewright.candidate import Option, own_paths
from basewright.evidence.store import evidence_key
from basewright.facts import Machine
from basewright.lock import Lock, render_lock
from basewright.strategy import ArchiveBase, GoApp, Strategy

_CHUNK_BYTES = 1 << 20


def key_of(
    inputs: str,
    lock: Lock,
    *,
    runner: str,
    machine: Machine,
    secrets: Iterable[str],
    epoch: int,
    feeds: Mapping[str, datetime.date],
) -> str:
    """`inputs` (their digest), lock, version, feeds, runner, machine, and the names (never the values) of secrets."""
    dates = ",".join(f"{name} {day}" for name, day in sorted(feeds.items()))
    names = ",".join(sorted(secrets))
    return evidence_key(
        (inputs, render_lock(lock).decode(), __version__, dates, runner, repr(machine), names, str(epoch))
    )


def inputs_digest(strategy: Strategy, options: Sequence[Option], *, left_out: Sequence[Path] = ()) -> str:
    """Of what the strategy asks to be measured (weights and requirements only judge), of sources (without what is
    `left_out`) and archives, as they are now: taken before anything is built, so that what is edited meanwhile is
    measured the next time."""
    asked = (strategy.service, options, strategy.target, strategy.bench)
    parts = [msgspec.json.encode(asked, order="deterministic").decode()]
    folders = {_folder(option) for option in options}
    for folder in sorted(folders):
        tree = read_app_folder(
            app_folder(strategy.directory, folder),
            strategy_directory=strategy.directory,
            at="app",
            exclude=(*own_paths(strategy), *left_out),
        )
        parts.append(f"{folder} {tree_digest(tree)}")
    for option in options:
        if isinstance(option.candidate.base, ArchiveBase):
            parts.append(_archive_state(strategy.directory / option.candidate.base.archive))
    return evidence_key(parts)


def _folder(option: Option) -> str:
    app = option.candidate.app
    return app.go if isinstance(app, GoApp) else app.python


def _archive_state(path: Path) -> str:
    """The contents of an archive; of a layout, of its index, which names everything else by digest."""
    file = path / "index.json" if path.is_dir() else path
    digest = hashlib.sha256()
    try:
        with file.open("rb") as handle:
            while chunk := handle.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError:
        return f"{path.name} cannot be read"
    return digest.hexdigest()
