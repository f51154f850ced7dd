"""Evidence is kept under everything that it depends on, and nothing else is taken for it."""

import datetime
from pathlib import Path

import msgspec
import pytest

from basewright.candidate import plan
from basewright.errors import InputError
from basewright.evidence.key import inputs_digest, key_of
from basewright.evidence.store import SCHEMA, EvidenceFile, read_evidence, render_evidence, write_evidence
from basewright.lock import Lock, LockedGo
from basewright.strategy import Strategy
from tests.doubles.evidence import EVALUATED_AT, LOCK, MACHINE, RUNNER, seven_candidates, strategy

FEEDS = {"lifecycle": datetime.date(2026, 8, 22)}


def a_file(index: int = 0, *, key: str = "k", at: datetime.datetime = EVALUATED_AT) -> EvidenceFile:
    return EvidenceFile(
        schema=SCHEMA,
        key=key,
        version="0.1.0",
        evaluated_at=at,
        runner=RUNNER,
        machine=MACHINE,
        lock=LOCK,
        seed=1,
        feeds=FEEDS,
        evidence=seven_candidates()[index],
    )


def test_what_was_written_is_read(tmp_path: Path) -> None:
    kept = (a_file(0), a_file(1))
    write_evidence(tmp_path, kept)
    names = [each.evidence.candidate for each in kept]
    assert read_evidence(tmp_path, names) == kept
    assert read_evidence(tmp_path, [*names, "missing"]) is None


def test_the_same_evidence_is_the_same_bytes() -> None:
    assert render_evidence(a_file()) == render_evidence(
        msgspec.json.decode(render_evidence(a_file()), type=EvidenceFile)
    )


def test_files_of_two_runs_do_not_compare(tmp_path: Path) -> None:
    later = a_file(1, at=EVALUATED_AT + datetime.timedelta(seconds=30))
    write_evidence(tmp_path, (a_file(0), later))
    assert read_evidence(tmp_path, [a_file(0).evidence.candidate, later.evidence.candidate]) is None


@pytest.mark.parametrize("data", [b"", b"{", b'{"schema": "basewright.evidence/9"}', b"\xff\xfe"])
def test_a_damaged_file_is_measured_again(tmp_path: Path, data: bytes) -> None:
    name = a_file().evidence.candidate
    (tmp_path / f"{name}.json").write_bytes(data)
    assert read_evidence(tmp_path, [name]) is None


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / f"{a_file().evidence.candidate}.json").symlink_to(victim)
    with pytest.raises(InputError, match="symbolic link"):
        write_evidence(tmp_path, (a_file(),))
    assert victim.read_text() == "mine"


@pytest.fixture
def service(tmp_path: Path) -> Path:
    for name in ("go", "python"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "main").write_text("one")
    return tmp_path


def digest(folder: Path, extra: str = "", *, only: tuple[str, ...] = ()) -> str:
    asked: Strategy = strategy(folder, extra=extra)
    return inputs_digest(asked, plan(asked, only=only))


def test_sources_candidates_and_load_are_inputs_and_weights_are_not(service: Path) -> None:
    before = digest(service)
    assert digest(service) == before
    assert digest(service, "[drivers.image_size]\nweight = 3\nrequire = '<= 9 MB'\n") == before
    assert digest(service, "[bench]\nrate = 5\n") != before
    assert digest(service, only=("go-static",)) != before
    (service / "go" / "main").write_text("two")
    assert digest(service) != before


def test_a_key_is_of_all_that_evidence_depends_on_and_of_no_secret() -> None:
    def key(**change: object) -> str:
        usual: dict[str, object] = {
            "inputs": "i", "lock": Lock(), "runner": RUNNER, "machine": MACHINE, "secrets": {"TOKEN": "hunter2"},
            "epoch": 0, "feeds": FEEDS,
        }  # fmt: skip
        return key_of(**{**usual, **change})  # type: ignore[arg-type]

    changes: list[dict[str, object]] = [
        {"inputs": "other"},
        {"lock": Lock(go={"go: go.mod": LockedGo(toolchain="1.24.13", source="x")})},
        {"runner": "another"},
        {"machine": msgspec.structs.replace(MACHINE, cores=64)},
        {"secrets": {}},
        {"epoch": 1},
        {"feeds": {"lifecycle": datetime.date(2027, 1, 1)}},
    ]
    assert len({key(), *(key(**each) for each in changes)}) == len(changes) + 1
    assert key(secrets={"TOKEN": "another"}) == key()
