"""Where programs cannot be run, one line says why and another what mends it."""

import sys

import pytest

from basewright._process import HostProcess
from basewright.errors import OutOfReachError
from basewright.runner.refusal import explain_refusal
from basewright.runner.sandbox import Sandbox


def test_a_refusal_is_one_line_with_a_remedy() -> None:
    availability = explain_refusal("user namespace: Operation not permitted")
    assert not availability.ok
    assert availability.description.startswith("no sandbox: ")
    assert "not measured" in availability.description
    assert "\n" not in availability.description + availability.hint
    assert availability.hint


def test_another_system_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    sandbox = Sandbox()
    availability = sandbox.available(HostProcess())
    assert availability.description.startswith("no sandbox: darwin has no Linux namespaces")
    with pytest.raises(OutOfReachError, match="no sandbox: darwin"):
        sandbox.run_program(
            __import__("pathlib").Path("/"), ["/bin/true"], process=HostProcess(), env={}, timeout_seconds=1
        )
