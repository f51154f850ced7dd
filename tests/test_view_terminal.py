"""The matrix in a terminal: it fits, it folds, and says all without colour."""

import re
from xml.etree import ElementTree

import msgspec
import pytest

from basewright.strategy import DriverName
from basewright.view.evaluation import Cell, EvaluationView
from basewright.view.terminal import render_svg, render_terminal
from tests.conftest import Golden
from tests.doubles.evaluation import evaluation


@pytest.mark.parametrize("width", [80, 100, 120])
def test_it_looks_like_the_golden_one(golden: Golden, width: int) -> None:
    text = render_terminal(evaluation(), width=width, color=False)
    assert max(len(line) for line in text.split("\n")) <= width
    golden(f"terminal-{width}.txt", text)


@pytest.mark.parametrize("width", [1, 60, 79, 300])
def test_no_number_is_lost_at_any_width(width: int) -> None:
    text = render_terminal(evaluation(), width=width, color=False)
    for value in ("4.81", "2.34–2.48", "0.159–0.165", "≥ 649", "meas+publ+mod", "18.0", "9–21"):
        assert value in text


def test_colour_adds_nothing_but_colour() -> None:
    plain = render_terminal(evaluation(), width=120, color=False)
    coloured = render_terminal(evaluation(), width=120, color=True)
    assert "\x1b[" not in plain
    assert "\x1b[" in coloured
    stripped = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in stripped.split("\n")] == plain.split("\n")


def test_the_winner_its_robustness_and_what_could_overturn_it_come_first() -> None:
    text = " ".join(render_terminal(evaluation(), width=80, color=False).split())
    assert (
        "go-static wins with 0.83: first in 97 % of 10,000 draws, ahead of debian-minimal in 97 % at the given weights."
        in text
    )
    assert (
        "But go-alpine (0.34 to 0.87), python-slim (0.49 to 0.91) and python-alpine (0.53 to 0.95) could each still be "
        "the best, once security posture, runtime performance and resource efficiency are measured." in text
    )


def test_a_tie_says_how_near_it_is() -> None:
    text = render_terminal(evaluation(tie=True), width=200, color=False)
    assert (
        "A tie between go-static (0.83) and debian-minimal (0.64): go-static is ahead of debian-minimal in 71 % of "
        "10,000 draws at the given weights, and a winner needs 95 %." in text
    )
    assert "1= go-static" in text
    assert "2= debian-minimal" in text


def test_the_same_reason_is_said_once() -> None:
    text = render_terminal(evaluation(), width=120, color=False)
    assert text.count("registry-1.docker.io") == 1
    assert "go-alpine, python-slim, python-full and python-alpine (security posture," in text


def test_ends_of_life_are_said_with_the_decision_before() -> None:
    text = render_terminal(evaluation(), width=200, color=False)
    assert (
        "Alpine 3.18 (alpine:3.18) reached its end of life on 2025-05-09, "
        "28 days before ADR-007 was decided on 2025-06-06." in text
    )
    assert "Go 1.24 (golang:1.24-alpine) reached its end of life on 2026-02-10, 287 days before 2026-11-24." in text
    assert "Python 3.13" not in text


def _with_first(view: EvaluationView, status: str, reason: str, output: tuple[str, ...] = ()) -> EvaluationView:
    missing = {driver: Cell(driver=driver, not_measured=reason) for driver in DriverName}
    row = msgspec.structs.replace(view.rows[0], status=status, reason=reason, output=output, cells=missing, bounds=None)
    return msgspec.structs.replace(view, rows=(row, *view.rows[1:]), could_overturn=())


def test_a_failed_candidate_tells_why_with_its_last_lines() -> None:
    view = _with_first(evaluation(), "failed", "it exited with status 1", ("KeyError: 'DATABASE'",))
    text = render_terminal(view, width=120, color=False)
    assert "go-alpine failed: it exited with status 1." in text
    assert "KeyError: 'DATABASE'" in text


def test_what_the_program_printed_cannot_steer_the_terminal() -> None:
    view = _with_first(evaluation(), "failed", "bad", ("\x1b]0;owned\x07\x1b[2J[red]text[/red]",))
    for color in (False, True):
        text = re.sub(r"\x1b\[[0-9;]*m", "", render_terminal(view, width=120, color=color))
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "[red]text[/red]" in text


def test_nothing_measured_at_all_still_renders() -> None:
    view = evaluation()
    rows = tuple(
        msgspec.structs.replace(
            row,
            status="incomplete",
            rank=None,
            score=None,
            cells={driver: Cell(driver=driver, not_measured="no network") for driver in DriverName},
        )
        for row in view.rows
    )
    view = msgspec.structs.replace(view, rows=rows, winner=None, ranking=(), acceptability={}, could_overturn=())
    text = render_terminal(view, width=80, color=False)
    assert "No decision: no candidate could be measured completely." in text
    assert "every candidate (everything): no network" in text


def test_a_long_name_leaves_room_for_the_numbers() -> None:
    view = evaluation()
    row = msgspec.structs.replace(view.rows[5], name="a" * 63, base="registry.example/" + "b" * 200)
    text = render_terminal(
        msgspec.structs.replace(view, rows=(*view.rows[:5], row, view.rows[6])), width=80, color=False
    )
    assert max(len(line) for line in text.split("\n")) <= 80
    for value in ("66.2", "0.301–0.319", "3.66–3.82", "7–12"):
        assert value in text


def test_the_picture_is_the_same_each_time() -> None:
    first = render_svg(evaluation(), width=120, title="basewright evaluate")
    assert first == render_svg(evaluation(), width=120, title="basewright evaluate")
    assert "go-static" in first


def test_a_picture_shows_the_matrix_and_loads_nothing() -> None:
    picture = ElementTree.fromstring(render_svg(evaluation(), width=114, title="make demo"))
    text = "".join(picture.itertext()).replace("\xa0", " ")
    assert "make demo" in text and "go-static wins with" in text and "Not measured, because" in text
    assert "What would flip it" not in text  # as much as fits a README
    assert "@font-face" not in text and "url(" not in text.replace("url(#", "")
