"""What the user settled for every run: registries and their logins, limits on layers, the cache's size.

docs/settings.md documents the file; what it leaves open about registries the host's own configuration says.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from basewright._process import Process
from basewright.errors import InputError
from basewright.oci.layer_limits import LayerLimits
from basewright.oci.transports.credentials import DockerKeychain, home_directory, is_regular
from basewright.oci.transports.ecr import EcrKeychain
from basewright.oci.transports.host_registries import HostRegistries, is_location
from basewright.oci.transports.registries import Mirror, Registries, RegistrySettings
from basewright.quantity import parse_bytes

if TYPE_CHECKING:
    from basewright.strategy_fault import Place

MAX_CACHE_BYTES = 8 << 30
MAX_SETTINGS_BYTES = 1 << 20
_LOCATION = "host[:port][/prefix] without a scheme, such as mirror.example/hub"
_Count = Annotated[int, msgspec.Meta(ge=1)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings file over the host's own configuration of registries. `cache_bytes` bounds what is kept."""

    registries: Registries
    limits: LayerLimits = LayerLimits()
    cache_bytes: int = MAX_CACHE_BYTES


class MirrorTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """An item of `mirrors` as a table."""

    location: str
    plain_http: bool = False


class RegistryTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """`[registry."host"]`. What is None the host's own configuration says."""

    mirrors: tuple[object, ...] | None = None
    plain_http: bool | None = None
    ca_file: str | None = None


class LimitsTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """`[limits]`, on every layer that is read."""

    layer_bytes: str | None = None
    ratio: _Count = LayerLimits().ratio
    ratio_from: str | None = None
    entries: _Count = LayerLimits().entries


class CacheTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """`[cache]`."""

    max_bytes: str | None = None


class SettingsFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """The whole file."""

    registry: dict[str, object] = {}
    limits: LimitsTable = LimitsTable()
    cache: CacheTable = CacheTable()


def read_settings(environ: Mapping[str, str], *, process: Process, etc: Path = Path("/etc")) -> Settings:
    """Reads the file that BASEWRIGHT_SETTINGS names, else `basewright/settings.toml` in the user's configuration
    folder (XDG). `process` runs the helpers that keep logins. Raises InputError at the first fault."""
    keychain = EcrKeychain(DockerKeychain(process, environ))
    host = HostRegistries(environ, etc=etc)
    path = settings_path(environ)
    data = _read(path, named=bool(environ.get("BASEWRIGHT_SETTINGS")))
    if data is None:
        return Settings(registries=Registries(keychain=keychain, settings=_Merged({}, host)))
    from basewright.strategy_fault import Place, convert, parse_toml

    top = Place(file=str(path))
    raw = convert(parse_toml(data, top), SettingsFile, top)
    home = home_directory(environ)
    ours = dict(_registry(key, table, top, path.parent, home) for key, table in raw.registry.items())
    limits, cache = top.at("limits"), top.at("cache")
    defaults = LayerLimits()
    return Settings(
        registries=Registries(keychain=keychain, settings=_Merged(ours, host)),
        limits=LayerLimits(
            uncompressed_bytes=_bytes(raw.limits.layer_bytes, limits.at("layer-bytes"), defaults.uncompressed_bytes),
            ratio=raw.limits.ratio,
            ratio_floor_bytes=_bytes(raw.limits.ratio_from, limits.at("ratio-from"), defaults.ratio_floor_bytes),
            entries=raw.limits.entries,
        ),
        cache_bytes=_bytes(raw.cache.max_bytes, cache.at("max-bytes"), MAX_CACHE_BYTES),
    )


def settings_path(environ: Mapping[str, str]) -> Path:
    """Where the file is, or would be."""
    if named := environ.get("BASEWRIGHT_SETTINGS"):
        return Path(named)
    return Path(environ.get("XDG_CONFIG_HOME") or home_directory(environ) / ".config") / "basewright" / "settings.toml"


class _Merged(Mapping[str, RegistrySettings]):
    """Ours, field by field, over the host's, which is read when it is asked for: most runs ask no registry."""

    def __init__(self, ours: Mapping[str, Mapping[str, object]], host: HostRegistries) -> None:
        self._ours, self._host = ours, host

    def __getitem__(self, registry: str) -> RegistrySettings:
        host, ours = self._host.settings_for(registry), self._ours.get(registry)
        if ours is None and host == RegistrySettings():
            raise KeyError(registry)
        return msgspec.structs.replace(host, **(ours or {}))

    def __iter__(self) -> Iterator[str]:
        return iter(self._ours)

    def __len__(self) -> int:
        return len(self._ours)


def _read(path: Path, *, named: bool) -> bytes | None:
    """None where there is no file and nobody named one."""
    regular = is_regular(path)
    if regular is None:
        if named:
            raise InputError(f"the settings {path} do not exist", hint="BASEWRIGHT_SETTINGS names them")
        return None
    if not regular:
        raise InputError(f"the settings {path} are no regular file")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SETTINGS_BYTES + 1)
    except OSError as error:
        raise InputError(f"the settings {path} cannot be read: {error.strerror}") from None
    if len(data) > MAX_SETTINGS_BYTES:
        raise InputError(f"the settings {path} are larger than {MAX_SETTINGS_BYTES:,} bytes")
    return data


def _registry(key: str, table: object, top: "Place", folder: Path, home: Path) -> tuple[str, dict[str, object]]:
    """One registry's name in references, and those of its settings that stand in the file."""
    from basewright.strategy_fault import convert

    place = top.at("registry").at(f'"{key}"')
    if "/" in key or not is_location(key):
        raise place.fault("expected the host of a registry, such as docker.io or 127.0.0.1:5000")
    raw = convert(table, RegistryTable, place)
    fields: dict[str, object] = {}
    if raw.mirrors is not None:
        mirrors = place.at("mirrors")
        fields["mirrors"] = tuple(_mirror(each, mirrors.at(index)) for index, each in enumerate(raw.mirrors))
    if raw.plain_http is not None:
        fields["plain_http"] = raw.plain_http
    if raw.ca_file is not None:
        if not raw.ca_file or "\0" in raw.ca_file:
            raise place.at("ca-file").fault("expected a file of PEM certificates")
        below_home = raw.ca_file.startswith("~/")
        fields["ca_files"] = (str(home / raw.ca_file[2:] if below_home else folder / raw.ca_file),)
    return key, fields


def _mirror(value: object, place: "Place") -> Mirror:
    from basewright.strategy_fault import convert, shown

    if not isinstance(value, str | dict):
        raise place.fault(f'expected {_LOCATION}, or {{ location = "...", plain-http = true }}, not {shown(value)}')
    raw = MirrorTable(location=value) if isinstance(value, str) else convert(value, MirrorTable, place)
    if not is_location(raw.location):
        raise place.fault(f"expected {_LOCATION}, not {shown(raw.location.rpartition('@')[2])}")
    return Mirror(location=raw.location, plain_http=raw.plain_http)


def _bytes(text: str | None, place: "Place", default: int) -> int:
    if text is None:
        return default
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise place.fault(str(error)) from None
