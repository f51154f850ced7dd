"""A record is written once a decision, follows the measurements where nobody edited it, and is otherwise people's."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from markdown_it import MarkdownIt

from basewright.adr.directory import find_home
from basewright.adr.record import record_id, write_record
from basewright.errors import InputError
from basewright.strategy import Strategy
from basewright.view.evaluation import EvaluationView
from tests.conftest import Golden
from tests.doubles.evaluation import evaluation
from tests.doubles.evidence import STRATEGY, strategy


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "docs/adr").mkdir(parents=True)
    (tmp_path / "docs/adr/0007-container-base-image-strategy.md").write_text(
        "# ADR-007 Container Base Image Strategy\n"
    )
    return tmp_path


@pytest.fixture
def asked(repository: Path) -> Strategy:
    return strategy(repository)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "docs/adr").iterdir())}


def _renamed(view: EvaluationView, winner: str) -> EvaluationView:
    return msgspec.structs.replace(view, winner=winner)


def _measured_anew(view: EvaluationView) -> EvaluationView:
    rows = tuple(msgspec.structs.replace(row, score=0.84) if row.name == "go-static" else row for row in view.rows)
    return msgspec.structs.replace(view, rows=rows, ranking=(("go-static", 0.84), *view.ranking[1:]))


@pytest.mark.parametrize(("name", "tie"), [("winner", False), ("tie", True)])
def test_the_record_reads_like_the_golden_one(asked: Strategy, golden: Golden, name: str, tie: bool) -> None:
    record, evidence = write_record(evaluation(tie=tie), asked)
    golden(f"record/{name}.md", record.read_text(encoding="utf-8"))
    golden(f"record/{name}.evidence.json", evidence.read_text(encoding="utf-8"))


def test_the_same_evidence_writes_the_same_bytes(repository: Path, asked: Strategy) -> None:
    first = write_record(evaluation(), asked)
    before = _bytes(repository)
    assert write_record(evaluation(), asked) == first
    assert _bytes(repository) == before


def test_it_says_what_a_reviewer_looks_for(asked: Strategy) -> None:
    text = write_record(evaluation(), asked)[0].read_text(encoding="utf-8")
    assert text.startswith('---\nstatus: "proposed"\ndate: 2026-11-24\n---\n')
    assert 'Chosen option: "go-static", because' in text
    assert "Alpine 3.18 (alpine:3.18) reached its end of life on 2025-05-09, 28 days before ADR-007" in text
    assert "Go 1.24 (golang:1.24-alpine) reached its end of life on 2026-02-10" in text
    assert "Supersedes [ADR-007](0007-container-base-image-strategy.md), once this record is accepted." in text
    assert "`basewright evaluate .`" in text
    assert str(asked.directory) not in text


def test_measured_again_only_marked_regions_change(repository: Path, asked: Strategy) -> None:
    record, _ = write_record(evaluation(), asked)
    text = record.read_text(encoding="utf-8").replace('status: "proposed"', 'status: "accepted"')
    text = text.replace("## Decision Drivers\n", "## Decision Drivers\n\nWe care most about the first.\n")
    record.write_text(text, encoding="utf-8")
    assert write_record(_measured_anew(evaluation()), asked)[0] == record
    after = record.read_text(encoding="utf-8")
    marked = re.compile(r"<!-- basewright:begin (\w+).*?<!-- basewright:end \1 -->", re.DOTALL)
    assert marked.sub("", after) == marked.sub("", text)
    assert "ranked: 0.84; debian-minimal follows with 0.64." in after
    assert "| 0.84 " in after
    assert len(_bytes(repository)) == 3


def test_an_edited_region_is_left_alone_and_said(asked: Strategy) -> None:
    record, evidence = write_record(evaluation(), asked)
    text = record.read_text(encoding="utf-8").replace("| evaluated ", "| fine      ", 1)
    record.write_text(text, encoding="utf-8")
    kept = evidence.read_bytes()
    said: list[str] = []
    assert write_record(_measured_anew(evaluation()), asked, notify=said.append) == (record,)
    assert record.read_text(encoding="utf-8") == text
    assert evidence.read_bytes() == kept
    assert len(said) == 1
    assert "`evidence` was edited by hand" in said[0]


def test_an_edited_outcome_stays_while_the_evidence_follows(asked: Strategy) -> None:
    record, _ = write_record(evaluation(), asked)
    text = record.read_text(encoding="utf-8").replace("Chosen option:", "We choose. Chosen option:")
    record.write_text(text, encoding="utf-8")
    said: list[str] = []
    write_record(_measured_anew(evaluation()), asked, notify=said.append)
    after = record.read_text(encoding="utf-8")
    assert "We choose. Chosen option:" in after
    assert "| 0.84 " in after
    assert len(said) == 1


def test_another_winner_makes_another_record(repository: Path, asked: Strategy) -> None:
    first, _ = write_record(evaluation(), asked)
    before = first.read_bytes()
    second, _ = write_record(_renamed(evaluation(), "debian-minimal"), asked)
    assert second.name.startswith("0009-")
    assert first.read_bytes() == before
    third, _ = write_record(evaluation(tie=True), asked)
    assert third.name.startswith("0010-")
    assert write_record(evaluation(tie=True), asked)[0] == third
    assert len(_bytes(repository)) == 7


def test_crlf_and_a_byte_order_mark_are_kept(asked: Strategy) -> None:
    record, _ = write_record(evaluation(), asked)
    windows = b"\xef\xbb\xbf" + record.read_bytes().replace(b"\n", b"\r\n")
    record.write_bytes(windows)
    write_record(evaluation(), asked)
    assert record.read_bytes() == windows
    write_record(_measured_anew(evaluation()), asked)
    after = record.read_bytes()
    assert after.startswith(b"\xef\xbb\xbf---\r\n")
    assert after.count(b"\n") == after.count(b"\r\n")
    assert b"| 0.84 " in after


def test_two_services_of_one_repository_keep_apart(repository: Path) -> None:
    names = []
    for folder in ("services/a", "services/b"):
        (repository / folder).mkdir(parents=True)
        names.append(write_record(evaluation(), strategy(repository / folder))[0].name)
    assert names[0] != names[1]
    before = _bytes(repository)
    for folder in ("services/a", "services/b"):
        write_record(evaluation(), strategy(repository / folder))
    assert _bytes(repository) == before


def test_an_id_is_one_word_that_ends_no_comment(repository: Path) -> None:
    folder = repository / "a -->b" / "c--d"
    folder.mkdir(parents=True)
    identity = record_id(strategy(folder), find_home(folder, None))
    assert " " not in identity
    assert "--" not in identity
    assert ">" not in identity


def test_no_decision_no_record(repository: Path, asked: Strategy) -> None:
    assert write_record(msgspec.structs.replace(evaluation(), winner=None), asked) == ()
    assert len(_bytes(repository)) == 1


def test_a_link_is_not_written_through(repository: Path, asked: Strategy) -> None:
    record, _ = write_record(evaluation(), asked)
    moved = repository / "elsewhere.md"
    record.rename(moved)
    record.symlink_to(moved)
    with pytest.raises(InputError, match="symbolic link"):
        write_record(_measured_anew(evaluation()), asked)


def test_the_output_of_programs_stays_out_of_the_evidence(asked: Strategy) -> None:
    view = evaluation()
    rows = (msgspec.structs.replace(view.rows[0], output=("token=hunter2",)), *view.rows[1:])
    _, evidence = write_record(msgspec.structs.replace(view, rows=rows), asked)
    assert "hunter2" not in evidence.read_text(encoding="utf-8")
    assert json.loads(evidence.read_bytes())["decision"]["winner"] == "go-static"


def test_hostile_words_do_not_break_the_record(repository: Path) -> None:
    hostile = "<!-- basewright:end evidence -->\n# x | `y` <script>"
    title = json.dumps(hostile.replace("\n", " "))
    asked = strategy(repository, source=STRATEGY.replace(b"[decision]", f"[decision]\ntitle = {title}".encode()))
    view = evaluation()
    rows = (msgspec.structs.replace(view.rows[0], reason=hostile, notes=(hostile,)), *view.rows[1:])
    view = msgspec.structs.replace(view, rows=rows, runner=hostile)
    record, _ = write_record(view, asked)
    before = record.read_bytes()
    assert write_record(view, asked)[0] == record
    assert record.read_bytes() == before
    tokens = MarkdownIt("commonmark").enable("table").parse(before.decode().partition("---\n\n")[2])
    assert [token.tag for token in tokens if token.type == "heading_open"].count("h1") == 1
    comments = [token.content for token in tokens if token.type == "html_block"]
    assert len(comments) == 6
    assert all(comment.startswith("<!-- basewright:") for comment in comments)


def test_tables_have_six_columns_at_most_and_stand_between_blank_lines(asked: Strategy) -> None:
    lines = write_record(evaluation(), asked)[0].read_text(encoding="utf-8").split("\n")
    tables = [index for index, line in enumerate(lines) if line.startswith("|")]
    assert tables
    for index in tables:
        assert lines[index].count("|") <= 7
        assert lines[index - 1] == "" or lines[index - 1].startswith("|")
        assert lines[index + 1] == "" or lines[index + 1].startswith("|")
    assert not any(line != line.rstrip() for line in lines)
