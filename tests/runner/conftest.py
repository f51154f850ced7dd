"""A sandbox, and a root with this machine's Python in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.doubles.python_root import python_entries

from basewright._process import HostProcess
from basewright.runner.root import RootStore
from basewright.runner.sandbox import Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    sandbox = Sandbox()
    availability = sandbox.available(HostProcess())
    if not availability.ok:
        pytest.skip(availability.description)
    return sandbox


@pytest.fixture(scope="session")
def python_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with RootStore(tmp_path_factory.mktemp("roots")) as store:
        yield store.materialise([python_entries()], key="python", directories=("/srv",))
