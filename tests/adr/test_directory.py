"""Records go where the repository keeps them, under the names that it uses."""

import datetime
from pathlib import Path

import pytest

from basewright.adr.directory import find_home, majority_scheme, next_name, read_directory, record_number, slug_of
from basewright.errors import InputError

_DAY = datetime.date(2026, 11, 24)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "services" / "calendar").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize("usual", ["docs/adr", "doc/adr", "docs/decisions"])
def test_the_directory_that_exists_above_is_taken(repository: Path, usual: str) -> None:
    (repository / usual).mkdir(parents=True)
    assert find_home(repository / "services/calendar", None).path == repository / usual


def test_the_nearest_one_wins_and_what_lies_above_the_repository_counts_not(repository: Path) -> None:
    (repository / "docs/adr").mkdir(parents=True)
    (repository / "services/docs/decisions").mkdir(parents=True)
    assert find_home(repository / "services/calendar", None).path == repository / "services/docs/decisions"
    inner = repository / "services/calendar"
    (inner / ".git").touch()
    assert find_home(inner, None).path == inner / "docs/adr"


def test_adr_tools_file_names_the_directory(repository: Path) -> None:
    (repository / ".adr-dir").write_text("architecture/decisions\n")
    assert find_home(repository / "services/calendar", None).path == repository / "architecture/decisions"


def test_none_yet_makes_one_beside_the_strategy(repository: Path) -> None:
    assert find_home(repository / "services/calendar", None).path == repository / "services/calendar/docs/adr"


def test_the_strategy_may_name_one_inside_the_repository_only(repository: Path, tmp_path: Path) -> None:
    folder = repository / "services/calendar"
    assert find_home(folder, "../../records").path == repository / "records"
    with pytest.raises(InputError, match="out of the repository"):
        find_home(folder, "../../../elsewhere")
    (repository / "link").symlink_to("/tmp")
    with pytest.raises(InputError, match="out of the repository"):
        find_home(folder, "../../link")
    (repository / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        find_home(folder, "../../file")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], "0001-a-base.md"),
        (["0001-x.md", "0002-y.md", "README.md", "template.md"], "0003-a-base.md"),
        (["001-x.md", "007-y.md"], "008-a-base.md"),
        (["ADR-006-x.md", "ADR-007-y.md", "0001-z.md"], "ADR-008-a-base.md"),
        (["adr_0012_x.md"], "adr_0013_a-base.md"),
        (["20250606-x.md", "20250607-y.md"], "20261124-a-base.md"),
        (["20261124-a-base.md"], "20261124-a-base-2.md"),
        (["9-x.md", "10-y.md"], "11-a-base.md"),
        (["python-3-notes.md"], "0001-a-base.md"),
        (["0999-x.md", "9999-y.md"], "10000-a-base.md"),
    ],
)
def test_names_follow_the_majority(tmp_path: Path, names: list[str], expected: str) -> None:
    for name in names:
        (tmp_path / name).write_text("# A record\n")
    assert next_name(read_directory(tmp_path), "A base", _DAY) == expected


def test_numbers_in_headings_and_of_the_answered_record_are_taken(tmp_path: Path) -> None:
    (tmp_path / "base-image.md").write_text("# ADR-011 Base image\n")
    (tmp_path / "0004-x.md").write_text("# 12. Another\n")
    (tmp_path / "history.md").write_text("# 2025 in numbers\n")
    directory = read_directory(tmp_path)
    assert next_name(directory, "A base", _DAY) == "0013-a-base.md"
    assert next_name(directory, "A base", _DAY, reserved=(20,)) == "0021-a-base.md"


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("ADR-007", 7),
        ("0007-base.md", 7),
        ("7", 7),
        ("adr 12", 12),
        ("0007-base", 7),
        ("20250606-base.md", None),
        ("base", None),
    ],
)
def test_the_number_of_a_record(name: str, number: int | None) -> None:
    assert record_number(name) == number


def test_slugs_are_plain() -> None:
    assert slug_of("Größe & “Base” image: go-static!") == "groe-base-image-go-static"
    assert slug_of("決定") == "decision"
    assert len(slug_of("long words " * 40)) <= 72
    assert majority_scheme(["0001-x.md"]).width == 4


def test_what_is_not_text_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "0003-binary.md").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "0004-large.md").write_bytes(b"x" * (2 << 20))
    (tmp_path / "0005-folder.md").mkdir()
    assert next_name(read_directory(tmp_path), "A base", _DAY) == "0005-a-base.md"
