"""Both ends of a repository of the registry on loopback, quick to try again; and the descriptor of a blob."""

from basewright._http import PooledHttp
from basewright.oci.manifest import Descriptor
from basewright.oci.reference import parse_reference
from basewright.oci.transports.registries import Registries
from basewright.oci.transports.registry import RegistrySink, RegistrySource
from tests.doubles.image import sha256
from tests.doubles.logins import registries
from tests.doubles.registry_state import Registry


def sink(registry: Registry, name: str = "team/app:1", *, known: Registries | None = None) -> RegistrySink:
    http = PooledHttp(backoff_seconds=0.01, read_seconds=5)
    return RegistrySink(parse_reference(f"{registry.host}/{name}"), http, known or registries())


def source(registry: Registry, name: str = "team/app:1", *, known: Registries | None = None) -> RegistrySource:
    http = PooledHttp(backoff_seconds=0.01, read_seconds=5)
    return RegistrySource(parse_reference(f"{registry.host}/{name}"), http, known or registries())


def described(data: bytes, media_type: str = "application/octet-stream") -> Descriptor:
    return Descriptor(media_type=media_type, digest=sha256(data), size=len(data))
