"""A whole file of the user's, and never more of it than its reader means to hold."""

from pathlib import Path

from basewright.errors import InputError


def read_bounded(path: Path, *, max_bytes: int, name: str = "") -> bytes:
    """All of a file, which errors call `name`, else by its path. Raises InputError."""
    called = name or str(path)
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise InputError(f"{called} does not exist") from None
    except OSError as error:
        raise InputError(f"{called} cannot be read: {error.strerror}") from None
    if len(data) > max_bytes:
        raise InputError(f"{called} is larger than {max_bytes:,} bytes")
    return data
