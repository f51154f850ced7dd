"""Who an image's user is: names from its own /etc/passwd and /etc/group, read without leaving its root."""

import os
import stat
from pathlib import Path

import msgspec

from basewright.errors import InputError

MAX_FILE_BYTES = 4 << 20
MAX_ID = 2**31 - 1
_MAX_LINKS = 40


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers, and the home directory that /etc/passwd gives (`/` where it gives none)."""

    uid: int
    gid: int
    home: str = "/"

    def __str__(self) -> str:
        return f"{self.uid}:{self.gid}"


def resolve_user(root: Path, user: str) -> Identity:
    """The identity that an image's `User` stands for: `name`, `name:group`, `uid`, `uid:gid`, or empty for root, whose
    group is that of /etc/passwd, else 0. Raises InputError for a name that the image does not know."""
    name, _, group = user.partition(":")
    name = name or "0"
    number = _number(name)
    found: Identity | None = None
    for fields in _records(root, "etc/passwd", 6):
        if (fields[0] == name or (number is not None and fields[2] == str(number))) and fields[2].isdigit():
            gid = int(fields[3]) if fields[3].isdigit() else 0
            found = Identity(uid=int(fields[2]), gid=gid, home=fields[5] or "/")
            break
    if found is None:
        if number is None:
            raise InputError(f"the image's user {name!r} is not in its /etc/passwd")
        found = Identity(uid=number, gid=0, home="/root" if number == 0 else "/")
    if group:
        found = Identity(uid=found.uid, gid=_group(root, group), home=found.home)
    if max(found.uid, found.gid) > MAX_ID:
        raise InputError(f"the image's user {user!r} has an id above {MAX_ID}")
    return found


def read_inside(root: Path, path: str, *, max_bytes: int) -> bytes | None:
    """The first `max_bytes` of a regular file of the image, through its symbolic links as the image would follow them;
    None where there is none. Nothing outside of `root` is ever opened."""
    inside = _follow(root, path)
    if inside is None:
        return None
    try:
        descriptor = os.open(inside, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        pieces: list[bytes] = []
        while max_bytes > 0 and (piece := os.read(descriptor, max_bytes)):
            pieces.append(piece)
            max_bytes -= len(piece)
        return b"".join(pieces)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _follow(root: Path, path: str) -> Path | None:
    """Where `path` leads inside the root, without a symbolic link in it; None where it leads to nothing."""
    todo = [part for part in path.split("/") if part not in ("", ".")]
    done: list[str] = []
    links = 0
    while todo:
        part = todo.pop(0)
        if part == "..":
            done[-1:] = []
            continue
        here = root.joinpath(*done, part)
        try:
            if not here.is_symlink():
                done.append(part)
                continue
            target = str(here.readlink())
        except OSError:
            return None
        links += 1
        if links > _MAX_LINKS:
            return None
        if target.startswith("/"):
            done = []
        todo = [piece for piece in target.split("/") if piece not in ("", ".")] + todo
    return root.joinpath(*done)


def _group(root: Path, group: str) -> int:
    for fields in _records(root, "etc/group", 3):
        if fields[0] == group and fields[2].isdigit():
            return int(fields[2])
    number = _number(group)
    if number is None:
        raise InputError(f"the image's group {group!r} is not in its /etc/group")
    return number


def _records(root: Path, path: str, fields: int) -> list[list[str]]:
    """Lines of colon-separated fields, those with fewer than `fields` left out."""
    data = read_inside(root, path, max_bytes=MAX_FILE_BYTES) or b""
    lines = (line.split(":") for line in data.decode("utf-8", "replace").splitlines())
    return [line for line in lines if len(line) >= fields]


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None
