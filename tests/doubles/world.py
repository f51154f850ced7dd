"""A world for one test: a cache of its own, a fixed clock, nobody's logins, and what was said."""

import datetime
from collections.abc import Mapping
from pathlib import Path

from basewright._http import PooledHttp
from basewright._process import HostProcess
from basewright.oci.transports.registries import Credentials, Registries, RegistrySettings
from basewright.settings import Settings
from basewright.world import World

NOW = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)


class NoLogins:
    """A keychain with nothing in it."""

    def credentials(self, registry: str) -> Credentials | None:
        return None


def make_world(
    cache: Path, *, registries: Mapping[str, RegistrySettings] = {}, said: list[str] | None = None, retries: int = 0
) -> World:
    """`said` gets the notices."""

    def notice(text: str) -> None:
        if said is not None:
            said.append(text)

    return World(
        process=HostProcess(),
        http=PooledHttp(connect_seconds=1, retries=retries, backoff_seconds=0.01),
        settings=Settings(registries=Registries(keychain=NoLogins(), settings=registries)),
        cache=cache,
        now=NOW,
        epoch=None,
        progress=lambda text: None,
        notice=notice,
    )
