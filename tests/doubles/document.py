"""What a documented JSON type holds, for tests that hold its document to it."""

from collections.abc import Iterator

from msgspec import inspect


def keys(kind: inspect.Type) -> Iterator[str]:
    """Every key that a type reaches."""
    match kind:
        case inspect.StructType():
            for field in kind.fields:
                yield field.encode_name
                yield from keys(field.type)
        case inspect.UnionType():
            for each in kind.types:
                yield from keys(each)
        case inspect.ListType():
            yield from keys(kind.item_type)
        case _:
            return
