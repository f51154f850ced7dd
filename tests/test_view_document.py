"""The JSON document: its schema, its stability, and the page that documents it."""

import json
import math
import types
import typing
from pathlib import Path

import msgspec
import pytest

from basewright.decide.flip import Flip, MeasurementFlip, WeightFlip
from basewright.facts import Machine
from basewright.view import document
from basewright.view.document import EvaluationDocument, MeasurementDocument, render_json
from tests.conftest import Golden
from tests.doubles.evaluation import evaluation

_PAGE = Path(__file__).parents[1] / "docs" / "evaluate-json.md"
_TABLES: dict[str, type[msgspec.Struct]] = {
    "The document": EvaluationDocument,
    "`machine`": Machine,
    "`candidates[]`": document.CandidateDocument,
    "`candidates[].requirements[]`": document.RequirementDocument,
    "`candidates[].image`": document.ImageDocument,
    "`candidates[].measurements{}`": MeasurementDocument,
    "`candidates[].measurements{}.also{}`": document.AlsoDocument,
    "`decision`": document.DecisionDocument,
    "`decision.ranking[]`": document.RankingDocument,
    "`decision.flips[]`": Flip,
    "`decision.flips[].measurement`": MeasurementFlip,
    "`decision.flips[].weight`": WeightFlip,
}


def test_it_decodes_as_its_own_schema_and_has_its_keys() -> None:
    text = render_json(evaluation())
    decoded = msgspec.json.decode(text, type=EvaluationDocument)
    assert decoded.schema == "basewright.evaluation/1"
    assert list(json.loads(text)) == [
        "schema",
        "service",
        "evaluated_at",
        "as_of",
        "runner",
        "machine",
        "seed",
        "lock",
        "candidates",
        "decision",
        "wrote",
    ]
    assert decoded.evaluated_at == "2026-11-24T10:42:07Z"


def test_a_measurement_has_every_key_or_only_the_reason() -> None:
    for candidate in msgspec.json.decode(render_json(evaluation()), type=EvaluationDocument).candidates:
        assert len(candidate.measurements) == 7
        for measurement in candidate.measurements.values():
            keys = set(msgspec.to_builtins(measurement))
            every = {"measure", "value", "unit", "better", "interval", "basis", "samples", "score", "also"}
            assert keys in ({"not_measured"}, every)


def test_the_same_view_gives_the_same_bytes_and_small_errors_of_sums_do_not_show() -> None:
    view = evaluation()
    nudged = msgspec.structs.replace(view, ranking=(("go-static", math.nextafter(0.83, 1)), *view.ranking[1:]))
    assert render_json(view) == render_json(evaluation()) == render_json(nudged)


def test_an_open_end_is_null() -> None:
    decoded = msgspec.json.decode(render_json(evaluation()), type=EvaluationDocument)
    assert decoded.candidates[0].measurements["update_frequency"].interval == (649, None)


@pytest.mark.parametrize("tie", [False, True])
def test_a_tie_has_no_winner(tie: bool) -> None:
    decision = msgspec.json.decode(render_json(evaluation(tie=tie)), type=EvaluationDocument).decision
    assert (decision.winner is None) == tie
    assert decision.tie == (["go-static", "debian-minimal"] if tie else [])


def test_output_stands_where_a_candidate_failed() -> None:
    view = evaluation()
    failed = msgspec.structs.replace(view.rows[0], status="failed", output=("Traceback", "\x1b[31mKeyError\x1b[0m"))
    text = render_json(msgspec.structs.replace(view, rows=(failed, *view.rows[1:])))
    first, second = json.loads(text)["candidates"][:2]
    assert first["output"] == ["Traceback", "[31mKeyError [0m"]
    assert "output" not in second


def test_notes_stand_for_all_and_a_hint_where_there_is_one() -> None:
    view = evaluation()
    failed = msgspec.structs.replace(view.rows[0], status="failed", hint="log in with `docker login`", notes=("moved",))
    text = render_json(msgspec.structs.replace(view, rows=(failed, *view.rows[1:])))
    first, *others = json.loads(text)["candidates"]
    assert (first["hint"], first["notes"]) == ("log in with `docker login`", ["moved"])
    assert [each["notes"] for each in others] == [list(row.notes) for row in view.rows[1:]]
    assert not any("hint" in each for each in others)


def test_it_looks_like_the_golden_one(golden: Golden) -> None:
    golden("evaluation.json", render_json(evaluation()))


def test_the_page_documents_every_key_with_its_type() -> None:
    documented = _documented(_PAGE.read_text(encoding="utf-8"))
    assert set(_TABLES) <= set(documented)
    for title, struct in _TABLES.items():
        fields = {field.encode_name: _nullable(field.type) for field in msgspec.structs.fields(struct)}
        assert list(documented[title]) == list(fields), title
        for key, kind in documented[title].items():
            assert ("null" in kind) == fields[key], f"{title} {key}: {kind}"


def _documented(page: str) -> dict[str, dict[str, str]]:
    tables: dict[str, dict[str, str]] = {}
    title = ""
    for line in page.splitlines():
        if line.startswith("## "):
            title = line.removeprefix("## ")
        elif line.startswith("| `"):
            key, kind = (cell.strip() for cell in line.strip("|").split("|")[:2])
            tables.setdefault(title, {})[key.strip("`")] = kind
    return tables


def _nullable(kind: object) -> bool:
    is_union = isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union
    return is_union and types.NoneType in typing.get_args(kind)
