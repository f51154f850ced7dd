"""Who an image's user is."""

import os
from pathlib import Path

import pytest

from basewright.errors import InputError
from basewright.runner.identity import Identity, read_inside, resolve_user


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(
        "broken line\nroot:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:App:/srv/app:/bin/sh\n#comment\nodd:x:y:z::/:\n"
    )
    (tmp_path / "etc/group").write_text("root:x:0:\nstaff:x:50:app\n")
    return tmp_path


@pytest.mark.parametrize(
    ("user", "identity"),
    [
        ("", Identity(uid=0, gid=0, home="/root")),
        ("root", Identity(uid=0, gid=0, home="/root")),
        ("app", Identity(uid=1000, gid=1001, home="/srv/app")),
        ("1000", Identity(uid=1000, gid=1001, home="/srv/app")),
        ("app:staff", Identity(uid=1000, gid=50, home="/srv/app")),
        ("4242", Identity(uid=4242, gid=0, home="/")),
        ("4242:17", Identity(uid=4242, gid=17, home="/")),
        (":staff", Identity(uid=0, gid=50, home="/root")),
    ],
)
def test_names_and_numbers(root: Path, user: str, identity: Identity) -> None:
    assert resolve_user(root, user) == identity


@pytest.mark.parametrize("user", ["nobody", "app:wheel", "99999999999", "odd"])
def test_what_the_image_does_not_know(root: Path, user: str) -> None:
    with pytest.raises(InputError, match="the image's"):
        resolve_user(root, user)


def test_a_scratch_image_knows_numbers_only(tmp_path: Path) -> None:
    assert str(resolve_user(tmp_path, "65532:65532")) == "65532:65532"
    with pytest.raises(InputError, match="'nonroot' is not in its /etc/passwd"):
        resolve_user(tmp_path, "nonroot")


def test_links_are_followed_inside_the_root_only(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "real").mkdir(parents=True)
    (tmp_path / "secret").write_text("host")
    (root / "real/passwd").write_text("inside")
    (root / "etc").symlink_to("/real")
    (root / "real/group").symlink_to("../../../secret")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "pipe")
    assert read_inside(root, "etc/passwd", max_bytes=100) == b"inside"
    assert read_inside(root, "etc/passwd", max_bytes=3) == b"ins"
    for path in ("etc/group", "loop", "pipe", "real", "etc/passwd/x"):
        assert read_inside(root, path, max_bytes=100) is None
