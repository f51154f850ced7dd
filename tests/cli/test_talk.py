"""What is said while a command works."""

import pytest

from basewright.cli.talk import Talk


def test_what_strangers_named_writes_nothing_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    talk = Talk(quiet=False, verbose=True)
    talk.notice("to download: a\x1b[31m")
    talk.progress("reading a\x1b[31m")
    notice, progress = capsys.readouterr().err.splitlines()
    assert notice == r"to download: a\x1b[31m" and progress.endswith(r"reading a\x1b[31m")


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    talk = Talk(quiet=True, verbose=False)
    talk.notice("a")
    talk.progress("b")
    assert capsys.readouterr().err == ""
