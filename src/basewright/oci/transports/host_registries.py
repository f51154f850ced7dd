"""What this host has settled about registries for podman, skopeo and docker: registries.conf and certs.d.

https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md (version 2) and
https://github.com/containers/image/blob/main/docs/containers-certs.d.5.md
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import msgspec

from basewright.errors import InputError
from basewright.oci.reference import parse_reference
from basewright.oci.transports.credentials import home_directory, is_regular
from basewright.oci.transports.registries import Mirror, RegistrySettings

_MAX_FILE_BYTES = 1 << 20


class _Mirror(msgspec.Struct, frozen=True, rename="kebab"):
    location: str
    insecure: bool = False
    pull_from_mirror: str = "all"


class _Registry(msgspec.Struct, frozen=True, rename="kebab"):
    prefix: str = ""
    location: str = ""
    insecure: bool = False
    blocked: bool = False
    mirror: tuple[_Mirror, ...] = ()
    mirror_by_digest_only: bool = False


class _Conf(msgspec.Struct, frozen=True):
    """Unknown keys are other tools' business."""

    registry: tuple[_Registry, ...] = ()


class HostRegistries:
    """Asked by a registry's name; the files are read when the first one is asked for.

    Not read: search lists and aliases of short names, a prefix that is more than a host (`*.example.com`,
    `example.com/team`), mirrors for digests or tags only, client certificates.
    """

    def __init__(self, environ: Mapping[str, str], *, etc: Path = Path("/etc")) -> None:
        self._user = Path(environ.get("XDG_CONFIG_HOME") or home_directory(environ) / ".config") / "containers"
        self._etc = etc
        self._named = environ.get("CONTAINERS_REGISTRIES_CONF")

    def settings_for(self, registry: str) -> RegistrySettings:
        """Raises InputError where a file is damaged, and where the registry is blocked."""
        path, found = self._registries.get(registry, (None, _Registry()))
        if found.blocked:
            raise InputError(f"the registry {registry} is blocked on this machine", hint=f"{path} says so")
        mirrors = [
            Mirror(location=_checked(each.location, path), plain_http=each.insecure)
            for each in found.mirror
            if each.pull_from_mirror == "all" and not found.mirror_by_digest_only
        ]
        location = _checked(found.location, path) if found.location else registry
        if location != registry:  # the place that stands for the registry: asked before it, as a mirror is
            mirrors.append(Mirror(location=location, plain_http=found.insecure))
        return RegistrySettings(
            mirrors=tuple(mirrors), plain_http=found.insecure, ca_files=tuple(self._certificates(registry))
        )

    @cached_property
    def _registries(self) -> dict[str, tuple[Path | None, _Registry]]:
        """Registry → its table and the file that has it; a later file replaces the table of an earlier one."""
        found: dict[str, tuple[Path | None, _Registry]] = {}
        for path in self._files():
            for each in _read_conf(path).registry:
                name = each.prefix or each.location
                if "/" not in name and "*" not in name:
                    found[name] = (path, each)
        return found

    def _files(self) -> Iterator[Path]:
        """The user's file stands for the system's; drop-ins of both come on top."""
        usual = (self._user / "registries.conf", self._etc / "containers" / "registries.conf")
        files = [Path(self._named)] if self._named else [path for path in usual if is_regular(path) is not None][:1]
        yield from files
        for folder in (self._etc / "containers", self._user):
            yield from _listed(folder / "registries.conf.d", "*.conf")

    def _certificates(self, registry: str) -> list[str]:
        """The *.crt files of the first folder that has one for the registry."""
        if "/" in registry or registry.startswith("."):
            return []
        for folder in (self._user, self._etc / "containers", self._etc / "docker"):
            if files := _listed(folder / "certs.d" / registry, "*.crt"):
                return [str(path) for path in files]
        return []


def _listed(folder: Path, pattern: str) -> list[Path]:
    """Nothing where there is no such folder, or where this user may not look into it."""
    try:
        return sorted(folder.glob(pattern))
    except (OSError, ValueError):
        return []


def _read_conf(path: Path) -> _Conf:
    import tomllib

    if is_regular(path) is False:
        raise InputError(f"{path} is no regular file")
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > _MAX_FILE_BYTES:
        raise InputError(f"{path} is larger than {_MAX_FILE_BYTES:,} bytes")
    try:
        return msgspec.convert(tomllib.loads(data.decode()), _Conf)
    except msgspec.ValidationError as error:
        raise InputError(f"{path} is no registries.conf of version 2: {error}") from None
    except (ValueError, RecursionError) as error:  # not UTF-8 or no TOML
        why = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "not TOML"
        raise InputError(f"{path} cannot be read: {why}") from None


def _checked(location: str, path: Path | None) -> str:
    if not is_location(location):
        raise InputError(f"{path}: a location is not host[:port][/prefix]")
    return location


def is_location(text: str) -> bool:
    """Whether `text` is `host[:port][/prefix]`, what a reference may begin with."""
    host, _, prefix = text.partition("/")
    try:
        reference = parse_reference(f"{text}/of/image")
    except InputError:
        return False
    return reference.registry == host and reference.repository == "/".join(filter(None, (prefix, "of/image")))
