"""What the user settled for every run: registries and their logins, limits on layers, the cache's size."""

from collections.abc import Mapping

import msgspec

from basewright._process import Process
from basewright.oci.layer import LayerLimits
from basewright.oci.transports.credentials import DockerKeychain
from basewright.oci.transports.ecr import EcrKeychain
from basewright.oci.transports.registries import Registries

MAX_CACHE_BYTES = 8 << 30


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings file over the host's own configuration of registries. `cache_bytes` bounds what is kept."""

    registries: Registries
    limits: LayerLimits = LayerLimits()
    cache_bytes: int = MAX_CACHE_BYTES


def read_settings(environ: Mapping[str, str], *, process: Process) -> Settings:
    """Reads the file that BASEWRIGHT_SETTINGS names, else `basewright/settings.toml` in the user's configuration
    folder (XDG). `process` runs the helpers that keep logins. Raises InputError at the first fault."""
    return Settings(registries=Registries(keychain=EcrKeychain(DockerKeychain(process, environ))))
