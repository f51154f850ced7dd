"""A keychain of one login, and the settings of registries around it."""

from collections.abc import Mapping

from basewright.oci.transports.registries import Credentials, Registries, RegistrySettings
from tests.doubles.registry_state import IDENTITY_TOKEN, PASSWORD, USER

LOGIN = Credentials(username=USER, password=PASSWORD)
IDENTITY = Credentials(identity_token=IDENTITY_TOKEN)


class OneLogin:
    """`Keychain` with the same answer for every registry; `asked` are those that it was asked for."""

    def __init__(self, credentials: Credentials | None) -> None:
        self._credentials = credentials
        self.asked: list[str] = []

    def credentials(self, registry: str) -> Credentials | None:
        self.asked.append(registry)
        return self._credentials


def registries(*, login: bool | Credentials = False, settings: Mapping[str, RegistrySettings] = {}) -> Registries:
    """With the doubles' own login, with another, or with none."""
    credentials = login if isinstance(login, Credentials) else LOGIN if login else None
    return Registries(keychain=OneLogin(credentials), settings=settings)
