"""Which registries there are for a user: mirrors, plain HTTP, certificates and logins, as settings say."""

from collections.abc import Mapping
from typing import Protocol

import msgspec


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """A login. With an `identity_token` (OAuth2 refresh token) user and password are unused. Its text shows nothing.

    What is not UTF-8 is surrogate-escaped: encode it so.
    """

    username: str = ""
    password: str = ""
    identity_token: str = ""

    def __repr__(self) -> str:
        return "Credentials(…)"


class Keychain(Protocol):
    """Knows the user's logins."""

    def credentials(self, registry: str) -> Credentials | None:
        """For `registry` as a reference names it (`docker.io`, `127.0.0.1:5000`), with the repository after it where
        that is known (`ghcr.io/team/app`); None where there are none. Asked late, and only when the registry refused
        without a login."""
        ...


class Mirror(msgspec.Struct, frozen=True, kw_only=True):
    """A host that holds the same repositories, asked first for pulls; `location` is `host[:port][/prefix]`."""

    location: str
    plain_http: bool = False


class RegistrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the user settled for one registry. Plain HTTP is for loopback, and where it is allowed here."""

    mirrors: tuple[Mirror, ...] = ()
    plain_http: bool = False
    ca_files: tuple[str, ...] = ()
    """Files of PEM certificates that are trusted for this registry beside the system's."""


class Registries(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is settled about registries, by the registry's name in references."""

    keychain: Keychain
    settings: Mapping[str, RegistrySettings] = {}

    def settings_for(self, registry: str) -> RegistrySettings:
        return self.settings.get(registry, RegistrySettings())
