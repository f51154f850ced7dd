"""Installed Python distributions and what they recorded."""

import pytest

from basewright.ecosystems.dist_info import normal_name, read_distributions
from basewright.oci.tree import Entry, FileType, Tree, file

SITE = "opt/venv/lib/python3.13/site-packages"


def root(**files: bytes) -> Tree:
    tree = Tree()
    for path, data in files.items():
        tree.add(file(path, data))
    return tree


def test_a_record_names_files_relative_to_its_folder() -> None:
    record = (
        b"flask/__init__.py,sha256=abc,120\n"
        b"../../../bin/flask,sha256=def,200\r\n"
        b'"flask/a, ""b"".py",sha256=x,1\n'
        b"/etc/flask.conf,,\n"
        b"Flask-3.0.dist-info/RECORD,,\n"
        b"\n"
    )
    (found,) = read_distributions(root(**{f"{SITE}/Flask-3.0.dist-info/RECORD": record}))
    assert (found.name, found.version, found.from_folder) == ("Flask", "3.0", False)
    assert found.files == (
        f"{SITE}/flask/__init__.py",
        "opt/venv/bin/flask",
        f'{SITE}/flask/a, "b".py',
        "etc/flask.conf",
        f"{SITE}/Flask-3.0.dist-info/RECORD",
    )


def test_a_path_that_climbs_stays_inside() -> None:
    (found,) = read_distributions(root(**{"x/a-1.dist-info/RECORD": b"../../../../../etc/shadow,,\n"}))
    assert found.files == ("etc/shadow",)


@pytest.mark.parametrize(
    ("origin", "from_folder"),
    [
        (b'{"dir_info": {}, "url": "file:///src"}', True),
        (b'{"dir_info" : {"editable": true}, "url": "file:///src"}', True),
        (b'{"archive_info": {}, "url": "file:///wheels/a.whl"}', False),
        (b"\xff", False),
    ],
)
def test_a_project_of_a_folder_is_told_from_one_of_an_index(origin: bytes, from_folder: bool) -> None:
    tree = root(**{"x/a-1.dist-info/RECORD": b"a.py,,\n", "x/a-1.dist-info/direct_url.json": origin})
    assert [each.from_folder for each in read_distributions(tree)] == [from_folder]


def test_a_record_that_was_not_kept_counts_as_none() -> None:
    tree = Tree()
    tree.add(Entry(path="x/a-1.dist-info/RECORD", type=FileType.FILE, mode=0o644, size=1 << 30))
    assert list(read_distributions(tree)) == []


@pytest.mark.parametrize("name", ["Flask_Login", "flask.login", "FLASK--login"])
def test_names_are_compared_as_indexes_do(name: str) -> None:
    assert normal_name(name) == "flask-login"
