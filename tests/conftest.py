"""`--rewrite-golden`: tests that compare with a file of tests/golden write it anew instead."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"
Golden = Callable[[str, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what it puts in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    parser.addoption("--rewrite-golden", action="store_true", help="write the golden files anew; then read the diff")


@pytest.fixture(autouse=True, scope="session")
def _empty_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The settings of whoever runs the tests are out of the way."""
    path = tmp_path_factory.mktemp("settings") / "settings.toml"
    path.touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BASEWRIGHT_SETTINGS", str(path))
        yield


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Asserts that a text is what the named golden file holds."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--rewrite-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        assert path.is_file(), f"{path} is missing: run with --rewrite-golden"
        assert text == path.read_bytes().decode(), f"differs from {path}: run with --rewrite-golden"

    return check
