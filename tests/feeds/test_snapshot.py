"""The shipped files: each decodes, says whose facts it holds, is small, and is what the tool makes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from basewright.errors import InputError
from basewright.feeds import cadence, library, lifecycle, official, pricing, snapshot
from basewright.feeds.catalog import DATASETS, feed_dates
from basewright.feeds.snapshot import Header, read_dataset

DATA = Path(snapshot.__file__).with_name("data")
TOOL = Path(__file__).parents[2] / "tools" / "snapshot.py"


def test_the_catalog_lists_what_is_shipped() -> None:
    assert sorted(path.stem for path in DATA.glob("*.json")) == list(DATASETS)


@pytest.mark.parametrize("name", DATASETS)
def test_every_file_says_schema_date_sources_and_licences(name: str) -> None:
    header = read_dataset(name, Header)
    assert header.schema == f"basewright/{name}/1"
    assert header.as_of.year >= 2026
    assert header.source
    assert all(source.name and source.licence for source in header.source if name != "official-images")
    assert name in (DATA / "NOTICE").read_text()


def test_every_file_decodes_into_its_types() -> None:
    """Each reader forbids unknown fields, so a file that holds more than is read fails here too."""
    assert library._cadence().images
    assert lifecycle._lifecycles().products
    assert lifecycle._distro_info().series
    assert lifecycle._releases().products
    assert official._official().images
    assert pricing._fargate().regions
    assert cadence.image_cadence("alpine:3.18")


def test_nothing_is_newer_than_its_file_says() -> None:
    for tags in library._cadence().images.values():
        for known in tags.values():
            days = [*known.base, *(day for day, _ in known.changes), *filter(None, [known.removed])]
            assert max(days) <= library._cadence().as_of


def test_the_snapshot_is_small() -> None:
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 400_000


def test_feed_dates_are_the_files_own() -> None:
    assert {name: str(day) for name, day in feed_dates().items()} == {
        name: json.loads((DATA / f"{name}.json").read_text())["as_of"] for name in DATASETS
    }


def test_a_damaged_installation_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "lifecycle.json").write_text('{"schema": 1')
    monkeypatch.setattr(snapshot, "_DATA", tmp_path)
    for name in ("lifecycle", "absent"):
        with pytest.raises(InputError, match=f"shipped data {name}.json cannot be read"):
            read_dataset(name, Header)


def test_the_tool_makes_the_shipped_bytes(tmp_path: Path) -> None:
    source = os.environ.get("BASEWRIGHT_SNAPSHOT_SOURCE")
    if not source:
        pytest.skip("BASEWRIGHT_SNAPSHOT_SOURCE names no folder with the source data")
    subprocess.run([sys.executable, str(TOOL), source, str(tmp_path)], check=True, capture_output=True)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(made) == {f"{name}.json" for name in DATASETS if name != "fargate"}
    for name, data in made.items():
        assert (DATA / name).read_bytes() == data, name
