"""An inspection as a user sees it: the first screen says why an image is so large; nothing in it steers a terminal."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec import inspect as types

from basewright.errors import InputError
from basewright.evidence.inspected import Inspection, KnownBy
from basewright.evidence.inspection import inspect_reading
from basewright.facts import Owner
from basewright.oci.manifest import ImagePlatform
from basewright.oci.tree import FileType
from basewright.view.columns import display_width
from basewright.view.inspection_document import SCHEMA, InspectionDocument, render_inspection_json
from basewright.view.inspection_markdown import render_inspection_markdown
from basewright.view.inspection_text import render_inspection_text
from basewright.view.inspection_tree import render_inspection_tree
from tests.conftest import Golden
from tests.doubles.document import keys
from tests.doubles.elf_file import make_elf
from tests.doubles.image import archive, make_image, member
from tests.doubles.reading import reading_of

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "inspect-json.md"
AMD64 = ImagePlatform(os="linux", architecture="amd64")
FOLDER, SYMLINK = b"5", b"2"
SITE = "opt/venv/lib/python3.13/site-packages"
STATUS = "Package: {0}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0\n\n"
RELEASE = b'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n'


def sample() -> Inspection:
    """Something of everything, nothing of which is hostile."""
    base = archive(
        member("etc/os-release", RELEASE),
        member("var/lib/dpkg/status", b"".join(STATUS.format(each).encode() for each in ("bash", "libc6"))),
        member("var/lib/dpkg/info/bash.list", b"/usr/bin/bash\n"),
        member("usr/bin/bash", b"b" * 120_000, mode=0o755),
        member("var/lib/apt/lists/index", b"a" * 40_000),
        member("var/lib/apt/lists/other", b"a" * 4_000),
        member("tmp", kind=FOLDER, mode=0o1777),
    )
    dependencies = archive(
        member(
            f"{SITE}/flask-3.1.dist-info/RECORD",
            b"flask/app.py,,\nflask-3.1.dist-info/RECORD,,\nflask-3.1.dist-info/METADATA,,\n",
        ),
        member(f"{SITE}/flask-3.1.dist-info/METADATA", b"Name: flask\n"),
        member(f"{SITE}/flask/app.py", b"f" * 60_000),
        member("root/.cache/pip/wheel", b"w" * 50_000),
    )
    application = archive(
        member("root/.cache/.wh.pip"),
        member("var/lib/apt/lists/index", b"a" * 10),
        member("app/main.py", b"m" * 9_000),
        member("app/run", b"r" * 10, mode=0o4755),
        member("app/link", kind=SYMLINK, link="../tmp/x"),
        member("usr/bin/arm-tool", make_elf(machine="aarch64", executable=True), mode=0o755),
    )
    image = make_image(base, dependencies, application)
    image.config["created"] = "2026-01-01T00:00:00Z"
    image.config["history"] = [
        {"created": "2026-01-01T00:00:00Z", "created_by": "# debian.sh --arch 'amd64' out/ 'trixie' '@1757289600'"},
        {"created_by": 'CMD ["bash"]', "empty_layer": True},
        {"created_by": "RUN /bin/sh -c pip install --prefix /opt/venv -r requirements.txt # buildkit"},
        {"created_by": "COPY . /app # buildkit", "comment": "buildkit.dockerfile.v0"},
    ]
    image.config["config"] = {
        "Env": ["PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin", "PYTHONUNBUFFERED=1"],
        "Entrypoint": ["/app/run"],
        "Cmd": ["--workers", "two of them"],
        "WorkingDir": "/app",
        "ExposedPorts": {"8000/tcp": {}},
        "Volumes": {"/data": {}},
        "Labels": {"org.opencontainers.image.title": "shop"},
    }
    return inspect_reading(reading_of(image.seal(), "docker://registry.example/team/shop:1"), wanted=AMD64)


EVIL = "\x1b]0;owned\x07\x1b[2J\u202e"


def hostile() -> Inspection:
    """Whatever can hold text holds an escape sequence."""
    image = make_image(
        archive(
            member(f"{EVIL}/file\udcff", b"x" * 10_000, mode=0o755),
            member("日本語/ファイル", b"n" * 5000),
            member("etc/os-release", f'PRETTY_NAME="Evil{EVIL}"\n'.encode()),
            member("link", kind=SYMLINK, link=EVIL),
            member(f"bin/{EVIL}", make_elf(machine="aarch64", executable=True), mode=0o755),
        ),
        archive(member(f"{EVIL}/.wh.file\udcff")),
    )
    image.config["created"] = EVIL
    image.config["history"] = [{"created_by": f"RUN {EVIL}\nmore"}, {"comment": EVIL}]
    image.config["config"] = {
        "User": EVIL,
        "Env": [f"{EVIL}={EVIL}", EVIL],
        "Entrypoint": [EVIL],
        "Cmd": [EVIL, "|", "`", "[x](y)", "<b>"],
        "WorkingDir": EVIL,
        "ExposedPorts": {EVIL: {}},
        "Volumes": {EVIL: {}},
        "Labels": {EVIL: EVIL * 1000},
        "StopSignal": EVIL,
    }
    image.manifest["annotations"] = {"org.opencontainers.image.base.name": EVIL}
    for layer in image.manifest["layers"]:  # type: ignore[attr-defined]
        layer["mediaType"] += EVIL
    return inspect_reading(reading_of(image.seal(), f"oci:{EVIL}"), wanted=AMD64)


def other_platform() -> Inspection:
    image = make_image(archive(member("a", b"1")), architecture="arm64")
    return inspect_reading(reading_of(image, "oci:arm"), wanted=AMD64)


def empty() -> Inspection:
    return inspect_reading(reading_of(make_image()), wanted=AMD64)


def as_json(inspection: Inspection, *, tree: bool) -> str:
    return "".join(render_inspection_json(inspection, tree=tree))


# Text


@pytest.mark.parametrize("width", [80, 120])
def test_the_first_screen(golden: Golden, width: int) -> None:
    text = render_inspection_text(sample(), width=width, color=False)
    assert max(map(display_width, text.split("\n"))) <= width
    golden(f"inspect-{width}.txt", text)


@pytest.mark.parametrize("width", [80, 120])
def test_the_tree(golden: Golden, width: int) -> None:
    text = render_inspection_tree(sample(), "/", width=width, color=False)
    assert max(map(display_width, text.split("\n"))) <= width
    golden(f"inspect-tree-{width}.txt", text)


def test_markdown(golden: Golden) -> None:
    golden("inspect.md", render_inspection_markdown(sample(), tree=None))
    golden("inspect-tree.md", render_inspection_markdown(sample(), tree="/app"))


@pytest.mark.parametrize("width", [1, 60, 80, 100, 300])
@pytest.mark.parametrize("make", [sample, hostile, other_platform])
def test_every_line_fits(width: int, make: Callable[[], Inspection]) -> None:
    inspection = make()
    for text in (
        render_inspection_text(inspection, width=width, color=False),
        render_inspection_tree(inspection, "/", width=width, color=False),
    ):
        assert max(map(display_width, text.split("\n"))) <= max(width, 60)


def test_colour_adds_nothing_but_colour() -> None:
    for plain, coloured in (
        [render_inspection_text(sample(), width=100, color=color) for color in (False, True)],
        [render_inspection_tree(sample(), "/", width=100, color=color) for color in (False, True)],
    ):
        assert "\x1b[" in coloured
        assert [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", coloured).split("\n")] == plain.split("\n")


def test_it_answers_what_is_asked_first() -> None:
    text = render_inspection_text(sample(), width=120, color=False)
    first = text.split("\n\n")[0]
    for word in ("to pull", "in 3 layers", "Wasted: 90 kB", "efficiency", "warning: 1 executable is for aarch64"):
        assert word in first
    for line in (
        r"based on     debian:trixie, by the history, 1 of 3 layers",
        r"packages     2 deb, 1 python",
        r"entrypoint   /app/run",
        r"arguments    --workers 'two of them'",
        r"user         not set, so root",
        r"system packages +120 kB +\d+ %  █",
        r"dependencies +60\.1 kB",
        r"unexplained +4\.\d+ kB",
        r"50 kB  /root/.cache/pip/wheel +layer 2; gone in 3",
        r"40 kB  /var/lib/apt/lists/index +layers 1, 3",
        r"pip install --prefix /opt/venv",
        r"label +org\.opencontainers\.image\.title +shop",
    ):
        assert re.search(line, text, re.IGNORECASE), line


def test_the_only_platform_there_is_is_said() -> None:
    said = "linux/arm64, the only one that there is; asked for was linux/amd64"
    assert said in render_inspection_text(other_platform(), width=120, color=False)
    assert said in render_inspection_markdown(other_platform(), tree=None)


@pytest.mark.parametrize("color", [False, True])
def test_no_image_can_write_to_the_terminal(color: bool) -> None:
    inspection = hostile()
    for text in (
        render_inspection_text(inspection, width=120, color=color),
        render_inspection_tree(inspection, "/", width=120, color=color),
        render_inspection_markdown(inspection, tree=None),
        render_inspection_markdown(inspection, tree="/"),
        as_json(inspection, tree=True),
    ):
        plain = re.sub(r"\x1b\[[0-9;]*m", "", text) if color else text
        assert all(line.isprintable() for line in plain.split("\n"))
        assert "\\x1b]0;owned\\x07" in plain.replace("\\\\", "\\")


# The tree


def test_a_folder_is_browsed_from_its_path() -> None:
    text = render_inspection_tree(sample(), "/app", width=100, color=False)
    assert re.search(r"-rwsr-xr-x  0:0 +10 B  3 +├─ run", text)
    assert re.search(r"lrwxrwxrwx|lrw-r--r--", text)
    assert "link → ../tmp/x" in text
    assert "bash" not in text
    for same in ("app", "/app/", "/app/.", "/opt/../app"):
        assert render_inspection_tree(sample(), same, width=100, color=False) == text


def test_changes_are_marked_and_what_is_hidden_below_is_listed() -> None:
    text = render_inspection_tree(sample(), "/var/lib/apt", width=100, color=False)
    assert re.search(r"10 B  ~3 +[│ ]*[├└]─ index", text)
    assert re.search(r"Wasted below it\n +40 kB  /var/lib/apt/lists/index +layers 1, 3", text)


def test_a_file_and_a_link_to_a_folder_can_be_asked_for() -> None:
    assert re.search(r"9 kB  3 +/app/main\.py", render_inspection_tree(sample(), "/app/main.py", width=80, color=False))


def test_a_path_that_is_not_there_is_an_error_that_leads_on() -> None:
    with pytest.raises(InputError, match=re.escape("has no /opt/venv/nope/x")) as caught:
        render_inspection_tree(sample(), "/opt/venv/nope/x", width=80, color=False)
    assert caught.value.hint == "look at --tree /opt/venv"


def test_many_names_are_folded() -> None:
    image = make_image(archive(*(member(f"d/{each:03}", b"x" * each) for each in range(200))))
    text = render_inspection_tree(inspect_reading(reading_of(image), wanted=AMD64), "/d", width=80, color=False)
    assert "and 160 more" in text
    assert text.count("\n") < 50


# JSON


def document(inspection: Inspection, *, tree: bool = False) -> InspectionDocument:
    """The document read back as strictly as it is documented."""
    return msgspec.json.decode(as_json(inspection, tree=tree), type=InspectionDocument)


@pytest.mark.parametrize("tree", [False, True])
def test_the_document_is_what_its_schema_says(tree: bool) -> None:
    for inspection in (sample(), hostile(), other_platform(), empty()):
        found = document(inspection, tree=tree)
        assert found.schema == SCHEMA
        raw = json.loads(as_json(inspection, tree=tree))
        assert ("files" in raw) is tree
        assert all(("paths" in each) is tree for each in raw["layers"])


def test_the_document_has_everything() -> None:
    found = document(sample())
    assert found.source == "docker://registry.example/team/shop:1"
    assert (found.platform, found.wanted_platform) == ("linux/amd64", None)
    assert (found.config.entrypoint, found.config.cmd) == (["/app/run"], ["--workers", "two of them"])
    assert (found.config.exposed_ports, found.config.volumes) == (["8000/tcp"], ["/data"])
    assert [(each.added, each.changed, each.removed) for each in found.layers][1:] == [(14, 0, 0), (5, 1, 2)]
    assert found.layers[0].media_type == "application/vnd.oci.image.layer.v1.tar+gzip"
    assert sum(found.owners.values()) == found.file_bytes
    assert set(found.owners) == {each.value for each in Owner}
    assert [(each.path, each.bytes) for each in found.unexplained][:1] == [("var/lib/apt/", 4010)]
    assert found.waste.bytes == sum(each.bytes for each in found.waste.paths) == 90_000
    assert found.base is not None
    assert (found.base.name, found.base.by, found.base.layers) == ("debian:trixie", "history", 1)
    assert found.packages == {"deb": 2, "python": 1}
    assert [(each.path, each.machine) for each in found.foreign_executables] == [("usr/bin/arm-tool", "aarch64")]
    assert len(found.warnings) == 1


def test_with_tree_every_file_of_the_final_tree_is_there() -> None:
    files = document(sample(), tree=True).files
    assert isinstance(files, list)
    by_path = {each.path: each for each in files}
    assert len(by_path) == len(files)
    places = {each.path: at for at, each in enumerate(files)}
    assert all(places[path.rpartition("/")[0]] < at for path, at in places.items() if "/" in path)
    run, link, folder = by_path["app/run"], by_path["app/link"], by_path["tmp"]
    assert (run.type, run.mode, run.size, run.layer, run.owner) == ("file", "4755", 10, 2, "application")
    assert run.sha256 is not None and len(run.sha256) == 64
    assert (link.type, link.link, link.sha256, link.owner) == ("symlink", "../tmp/x", None, None)
    assert (folder.type, folder.mode, folder.link) == ("directory", "1777", None)
    assert by_path["var/lib/apt/lists/index"].layer == 2
    layers = document(sample(), tree=True).layers
    assert layers[2].paths is not msgspec.UNSET
    assert layers[2].paths.removed == ["root/.cache/pip", "root/.cache/pip/wheel"]


def test_the_same_image_gives_the_same_bytes() -> None:
    assert as_json(sample(), tree=True) == as_json(sample(), tree=True)


@pytest.mark.skipif(not DOCUMENT.is_file(), reason="the documents are not here")
def test_the_document_s_keys_and_words_are_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    tables = text[text.index("## The document") :]
    documented = set(re.findall(r"^\| `(\w+)` \|", tables, re.MULTILINE))
    owners = {each.value for each in Owner}
    assert documented - owners == set(keys(types.type_info(InspectionDocument))) - owners
    assert owners <= documented
    for word in (SCHEMA, *KnownBy, *FileType):
        if word is not FileType.HARDLINK:  # one of several names is a file like any
            assert f"`{word}`" in text, word
