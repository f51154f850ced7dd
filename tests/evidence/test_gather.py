"""What reaches the service, and what comes back of it."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from basewright.build.product import Product
from basewright.build.workshop import Workshop
from basewright.candidate import plan
from basewright.evidence.gather import _service
from basewright.oci.manifest import RunConfig
from tests.doubles.evidence import strategy


def test_secrets_reach_the_service_and_are_masked_in_what_it_prints(tmp_path: Path) -> None:
    (tmp_path / "go").mkdir()
    (option,) = plan(strategy(tmp_path), only=("go-static",))
    config = RunConfig(env=("PATH=/bin", "TOKEN=default"), entrypoint=("/app/service",), user="65532:65532")
    product = SimpleNamespace(option=option, assembled=SimpleNamespace(run_config=config, trees=()))
    workshop = SimpleNamespace(
        world=SimpleNamespace(progress=lambda text: None), materialise=lambda trees, directories: tmp_path
    )
    service = _service(cast(Workshop, workshop), cast(Product, product), {"TOKEN": "hunter2"})
    assert service.env == {"PATH": "/bin", "TOKEN": "hunter2"}
    assert service.mask("cannot log in with hunter2") == "cannot log in with ***"
