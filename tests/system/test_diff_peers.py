"""Comparisons of what other tools packed and built: skopeo, buildah, umoci of Debian."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.doubles.docker_registry import docker_registry
from tests.doubles.image import archive, lay_out, make_image, member

from basewright.cli.main import main
from basewright.errors import ExitCode
from basewright.view.difference_document import DifferenceDocument, FileDocument, FilesDocument

TREE = (
    member("etc", kind=b"5"),
    member("etc/os-release", b"ID=test\n"),
    member("usr/bin/tool", b"\x7fELF" * 9000, mode=0o4755, uid=3),
    member("hard", kind=b"1", link="usr/bin/tool"),
    member("bin", kind=b"2", link="usr/bin"),
    member("naïve/日本", b"text"),
)


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "layout", make_image(archive(*TREE), archive(member("app", b"1"))))


Compare = Callable[[object, object], tuple[int, DifferenceDocument]]


@pytest.fixture
def diff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Compare:
    """Compares two names: exit status and JSON document."""
    monkeypatch.setenv("BASEWRIGHT_CACHE", str(tmp_path / "cache"))

    def compare(one: object, two: object) -> tuple[int, DifferenceDocument]:
        code = main(["diff", str(one), str(two), "--platform", "linux/amd64", "--format", "json"])
        said = capsys.readouterr()
        assert said.out, said.err
        return code, msgspec.json.decode(said.out, type=DifferenceDocument)

    return compare


def run(*words: object, folder: Path | None = None) -> str:
    program = shutil.which(str(words[0]))
    if program is None:
        pytest.skip(f"{words[0]} is not installed")
    done = subprocess.run(
        [program, *map(str, words[1:])], cwd=folder, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def whys(document: DifferenceDocument) -> set[str]:
    return {each.why for each in document.reasons}


def paths(found: list[FileDocument]) -> list[str]:
    return [each.path for each in found]


@pytest.mark.parametrize(
    ("target", "options", "expected"),
    [
        ("oci:{}/copy:1", (), None),
        ("oci-archive:{}/copy.tar:1", (), None),
        ("docker-archive:{}/copy.tar:test/image:1", (), {"compression"}),
        ("oci:{}/copy:1", ("--dest-compress-format", "zstd"), {"compression"}),
    ],
)
def test_what_skopeo_copied_is_the_same(
    tmp_path: Path, layout: Path, diff: Compare, target: str, options: tuple[str, ...], expected: set[str] | None
) -> None:
    place = target.format(tmp_path)
    run("skopeo", "--insecure-policy", "copy", *options, f"oci:{layout}", place)
    code, document = diff(layout, place)
    assert code == ExitCode.PASS
    assert document.files == FilesDocument(added=[], removed=[], changed=[], touched=[])
    if expected is None:
        assert document.verdict == "identical"
    else:
        assert document.verdict == "same content"
        assert expected <= whys(document) <= expected | {"media types", "annotations", "encoding"}


def test_a_registry_against_an_archive_of_docker(tmp_path: Path, layout: Path, diff: Compare) -> None:
    """Compression is lost on the way to an archive, and that is no difference of content."""
    with docker_registry(tmp_path / "registry") as host:
        run("skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", f"oci:{layout}", f"docker://{host}/a:1")
        run("skopeo", "--insecure-policy", "copy", f"oci:{layout}", f"docker-archive:{tmp_path}/a.tar:a:1")
        code, document = diff(f"docker://{host}/a:1", f"docker-archive:{tmp_path}/a.tar")
        assert (code, document.verdict) == (ExitCode.PASS, "same content")
        assert "compression" in whys(document)
        assert diff(f"{host}/a:1", layout)[1].verdict == "identical"


@pytest.mark.skipif(os.geteuid() != 0, reason="buildah without root needs user namespaces")
def test_two_builds_of_one_dockerfile_seconds_apart(tmp_path: Path, diff: Compare) -> None:
    (tmp_path / "file").write_text("content")
    dockerfile = tmp_path / "Dockerfile"
    storage = ("--storage-driver", "vfs", "--root", tmp_path / "store", "--runroot", tmp_path / "run")
    for name, text in (("one", "x"), ("two", "x"), ("three", "y")):
        dockerfile.write_text(f"FROM scratch\nCOPY file /srv/file\nENV NAME={text}\nUSER 7\nLABEL a=b\n")
        run("buildah", "build", *storage, "--no-cache", "-q", "-t", f"localhost/{name}", ".", folder=tmp_path)
        run("buildah", "push", *storage, "-q", f"localhost/{name}", f"oci:{tmp_path}/{name}")
        time.sleep(1.1)
    code, document = diff(tmp_path / "one", tmp_path / "two")
    assert (code, document.verdict) == (ExitCode.PASS, "same content")
    assert "times" in whys(document)
    assert whys(document) <= {"times", "history", "archive"}
    code, document = diff(tmp_path / "one", tmp_path / "three")
    assert (code, document.verdict) == (ExitCode.GATE_SAYS_NO, "different")
    changed = [(each.field, each.before, each.after) for each in document.config if each.matters]
    assert changed == [("config.Env.NAME", "x", "y")]
    assert "history" in whys(document)


def test_what_umoci_changed_is_told(tmp_path: Path, layout: Path, diff: Compare) -> None:
    if os.geteuid() != 0:
        pytest.skip("umoci without root changes owners")
    for name in ("layout", "changed"):
        run("skopeo", "--insecure-policy", "copy", f"oci:{layout}", f"oci:{tmp_path}/{name}:tag")
    bundle = tmp_path / "bundle"
    run("umoci", "unpack", "--image", f"{tmp_path}/changed:tag", bundle)
    (bundle / "rootfs" / "etc" / "os-release").write_text("ID=other\n")
    (bundle / "rootfs" / "app").unlink()
    (bundle / "rootfs" / "new").write_text("new")
    run("umoci", "repack", "--image", f"{tmp_path}/changed:tag", bundle)
    code, document = diff(f"oci:{tmp_path}/layout:tag", f"oci:{tmp_path}/changed:tag")
    assert (code, document.verdict) == (ExitCode.GATE_SAYS_NO, "different")
    assert paths(document.files.changed) == ["etc/os-release"]
    assert paths(document.files.removed) == ["app"]
    assert paths(document.files.added) == ["new"]
    assert "layers" in whys(document)
