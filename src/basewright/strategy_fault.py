"""Says what is wrong in a strategy, or in the settings: the file, the key path counted from 0, the candidate, and what
was expected."""

import datetime
import difflib
import re
import tomllib
from typing import TypeVar

import msgspec
from msgspec import inspect

from basewright.errors import InputError

_Kind = TypeVar("_Kind")
_PATH = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_SHOWN_CHARACTERS = 60


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a strategy file: `path` such as `candidate[2].base`, `candidate` the name of the one it lies in."""

    file: str
    path: str = ""
    candidate: str = ""

    def at(self, key: str | int) -> "Place":
        """The place of a key or an index below this one."""
        step = f"[{key}]" if isinstance(key, int) else f".{key}"
        return msgspec.structs.replace(self, path=(self.path + step).removeprefix("."))

    def of_candidate(self, name: str) -> "Place":
        """The same place, known to lie in the candidate of that name."""
        return msgspec.structs.replace(self, candidate=shown(name).strip('"'))

    def fault(self, what: str, *, hint: str = "") -> InputError:
        """The error: `what` follows the place after a colon."""
        label = f' (candidate "{self.candidate}")' if self.candidate else ""
        where = f"{self.path}{label}: " if self.path else ""
        return InputError(f"{self.file}: {where}{what}", hint=hint)


def parse_toml(data: bytes, top: Place) -> dict[str, object]:
    """The document of a file whose place is `top`. Raises InputError."""
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise top.fault(f"line {line} is not UTF-8") from None
    except RecursionError:
        raise top.fault("its lists or tables are nested too deep") from None
    except tomllib.TOMLDecodeError as error:
        raise top.fault(f"not TOML: {error}") from None
    except ValueError:  # what Python's own numbers refuse
        raise top.fault("a number in it is too long") from None


def convert(value: object, kind: type[_Kind], place: Place) -> _Kind:
    """`value` of a TOML document as a `kind`, whose place is `place`. Raises InputError at the first fault."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _fault(value, kind, place, str(error)) from None


def _fault(value: object, kind: type[_Kind], place: Place, text: str) -> InputError:
    match = _PATH.search(text)
    what = text[: match.start()] if match else text
    expected = _inner(inspect.type_info(kind))
    for key, index in _STEP.findall(match["path"] if match else ""):
        step = key or int(index)
        place, value, expected = _below(place, value, expected, step)
    if unknown := _UNKNOWN.fullmatch(what):
        return _unknown_key(unknown[1], expected, place)
    if missing := _MISSING.fullmatch(what):
        return place.fault(f"the required key `{missing[1]}` is missing")
    return place.fault(f"expected {words(expected)}, not {shown(value)}")


def _below(place: Place, value: object, expected: inspect.Type, step: str | int) -> tuple[Place, object, inspect.Type]:
    """One step down a key path: the place, the value and the type that stand there."""
    below: object = None
    if isinstance(value, dict):
        below = value.get(step)
    elif isinstance(value, list) and isinstance(step, int):
        below = value[step]
    place = place.at(step)
    name = below.get("name") if isinstance(below, dict) else None
    if re.fullmatch(r"candidate\[\d+\]", place.path) and isinstance(name, str):
        place = place.of_candidate(name)
    expected = expected.type if isinstance(expected, inspect.Metadata) else expected
    inner: inspect.Type = inspect.AnyType()
    if isinstance(expected, inspect.StructType):
        inner = next((field.type for field in expected.fields if field.encode_name == step), inner)
    elif isinstance(expected, inspect.VarTupleType):
        inner = expected.item_type
    return place, below, _inner(inner)


def _unknown_key(key: str, expected: inspect.Type, place: Place) -> InputError:
    keys = [field.encode_name for field in expected.fields] if isinstance(expected, inspect.StructType) else []
    close = difflib.get_close_matches(key, keys, n=1)
    hint = f"did you mean `{close[0]}`?" if close else "the keys here: " + ", ".join(keys)
    return place.fault(f"there is no key `{key[:_SHOWN_CHARACTERS]}`", hint=hint)


def _inner(kind: inspect.Type) -> inspect.Type:
    """Of an optional type, the one that it is where it is given."""
    if isinstance(kind, inspect.UnionType):
        given = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
        return given[0] if len(given) == 1 else kind
    return kind


def words(kind: inspect.Type) -> str:
    """What is expected, for people."""
    match kind:
        case inspect.Metadata():
            description = (kind.extra_json_schema or {}).get("description")
            return description if isinstance(description, str) else words(kind.type)
        case inspect.StrType():
            return "text"
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number" + _range(kind)
        case inspect.FloatType():
            return "a number" + _range(kind)
        case inspect.EnumType(cls=choices):
            return "one of " + ", ".join(str(choice) for choice in choices)
        case inspect.VarTupleType(item_type=item, min_length=least):
            return f"a list with at least {least}" if least else f"a list, each item {words(item)}"
        case inspect.DateType():
            return "a date such as 2025-06-06"
        case _:
            return "a table"


def _range(kind: inspect.IntType | inspect.FloatType) -> str:
    least = ""
    if kind.gt is not None or kind.ge is not None:
        least = f" above {kind.gt:g}" if kind.gt is not None else f" from {kind.ge:g}"
    return least + (f" up to {kind.le:g}" if kind.le is not None else "")


def shown(value: object) -> str:
    """What stands there, for people; secrets stand in no place that this is asked about."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            short = value if len(value) <= _SHOWN_CHARACTERS else value[:_SHOWN_CHARACTERS] + "…"
            return '"' + "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in short) + '"'
        case int() | float() | datetime.date() | datetime.time():
            return str(value)[:_SHOWN_CHARACTERS]
        case list():
            return "a list" if value else "an empty list"
        case _:
            return "a table"
