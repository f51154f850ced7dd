"""Two image configs field by field, and which fields matter to what runs. Pure.

https://github.com/opencontainers/image-spec/blob/main/config.md
"""

import json
from collections import Counter
from collections.abc import Iterator

import msgspec

from basewright.errors import HostileInputError
from basewright.oci.manifest import ImageConfig, ImagePlatform, parse_config
from basewright.oci.platform import normalize

_TIME_LABELS = ("org.opencontainers.image.created", "org.label-schema.build-date", "build-date")
_MATTERS = ("architecture", "os", "variant", "os.version", "os.features")
"""What matters beside `config`; the rest of the blob is times, history and builders' notes."""
_NOTES = ("Image", "Hostname", "Domainname", "ArgsEscaped")
"""What docker's own builder leaves in `config` of the container that it built in: no engine reads it from an image."""
_NAMED = ("Labels", "ExposedPorts", "Volumes")


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """A field of the config blob by its path, such as `config.Env.PATH` or `history[2].created_by`. A value that is no
    text is written as JSON; None where the field is not there. `matters`: to what runs. `is_time`: a date."""

    field: str
    before: str | None
    after: str | None
    matters: bool
    is_time: bool = False


def compare_configs(before: bytes, after: bytes) -> tuple[FieldChange, ...]:
    """The fields that differ, those that matter first. Both blobs have passed `parse_config`. Layers (`rootfs`) are
    not looked at; an empty value is as good as none, as engines take it."""
    try:
        one, two = dict(_fields(before)), dict(_fields(after))
        changes = [
            _change(path, _text(one.get(path)), _text(two.get(path)))
            for path in dict.fromkeys((*one, *two))
            if one.get(path) != two.get(path)
        ]
    except RecursionError:
        raise HostileInputError("an image's config is nested too deep to be compared") from None
    return tuple(sorted(changes, key=lambda each: not each.matters))


def compare_env_order(before: ImageConfig, after: ImageConfig) -> bool:
    """Whether the environments hold the same variables in another order."""
    one, two = before.config.env or (), after.config.env or ()
    return one != two and not _repeats(one) and not _repeats(two) and set(one) == set(two)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _change(path: tuple[str, ...], before: str | None, after: str | None) -> FieldChange:
    top = path[0]
    is_time = path[-1] == "created" if top != "config" else path[1] == "Labels" and path[-1] in _TIME_LABELS
    matters = not is_time and (path[1] not in _NOTES if top == "config" else top in _MATTERS)
    return FieldChange(field=_joined(path), before=before, after=after, matters=matters, is_time=is_time)


def _joined(path: tuple[str, ...]) -> str:
    return ".".join(path).replace(".[", "[")


def _fields(data: bytes) -> Iterator[tuple[tuple[str, ...], object]]:
    """Path → value, without what is empty."""
    document: dict[str, object] = json.loads(data) | _platform(data)
    for name, value in document.items():
        if name == "config" and isinstance(value, dict):
            for key, item in value.items():
                yield from ((("config", *path), each) for path, each in _run_field(str(key), item))
        elif name == "history" and isinstance(value, list):
            for number, step in enumerate(value):
                pairs = step.items() if isinstance(step, dict) else ()
                yield from ((("history", f"[{number}]", str(key)), item) for key, item in pairs if item)
        elif name != "rootfs" and value:
            yield (name,), value


def _platform(data: bytes) -> dict[str, object]:
    """arm64 is arm64/v8: the names of the specification, and no variant that goes without saying."""
    config = parse_config(data)
    platform = normalize(ImagePlatform(os=config.os, architecture=config.architecture, variant=config.variant))
    return {"architecture": platform.architecture, "os": platform.os, "variant": platform.variant}


def _run_field(name: str, value: object) -> Iterator[tuple[tuple[str, ...], object]]:
    """Environment, labels, ports and volumes by name, in any order; anything else whole."""
    if name == "Env" and isinstance(value, list) and not _repeats([str(each) for each in value]):
        for each in value:
            key, _, text = str(each).partition("=")
            yield (name, key), text
    elif name in _NAMED and isinstance(value, dict):
        for key, item in value.items():
            yield (name, str(key)), item or ""
    elif value:
        yield (name,), value


def _repeats(variables: list[str] | tuple[str, ...]) -> bool:
    """Whether a variable stands twice: then their order has a meaning."""
    return any(count > 1 for count in Counter(each.partition("=")[0] for each in variables).values())
