"""The ways to run an image's programs here, and which one is taken."""

import msgspec

from basewright._process import Process
from basewright.runner.runner import Runner
from basewright.runner.sandbox import Sandbox


class FoundRunner(msgspec.Struct, frozen=True, kw_only=True):
    """A runner and its description, or (None) why there is none and what mends that. With both, images may be built
    with it (bytecode), and are not run."""

    runner: Runner | None
    description: str
    why_not: str = ""
    hint: str = ""


NOT_ASKED_FOR = "running was not asked for (--no-run)"


def find_runner(process: Process) -> FoundRunner:
    """The sandbox where namespaces can be made; engines are to come."""
    sandbox = Sandbox()
    found = sandbox.available(process)
    if found.ok:
        return FoundRunner(runner=sandbox, description=found.description)
    return FoundRunner(runner=None, description="none", why_not=found.description, hint=found.hint)
