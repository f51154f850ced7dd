"""The sandbox and the root of the runner's tests."""

from tests.runner.conftest import python_root, sandbox

__all__ = ["python_root", "sandbox"]
