"""Images go between all places where others read and write them: skopeo, umoci, podman, docker, registries."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from tests.doubles.image import archive, lay_out, make_image, member, packed, render_index, sha256
from tests.doubles.registry import running_registry

from basewright._http import PooledHttp
from basewright.cli.main import main
from basewright.errors import ExitCode, OutOfReachError

TAR = archive(member("etc/os-release", b"ID=test\n"), member("bin/tool", b"#!/bin/sh\n", mode=0o755))
OTHER = archive(member("etc/other", b"other"), member("etc/.wh.os-release"))
REF_NAME = "org.opencontainers.image.ref.name"


def needs(program: str) -> str:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


def run(*words: object, env: Mapping[str, str] | None = None) -> bytes:
    argv = [needs(str(words[0])), *map(str, words[1:])]
    done = subprocess.run(argv, capture_output=True, check=False, timeout=120, env=env)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def skopeo(*words: object) -> bytes:
    return run("skopeo", "--insecure-policy", *words)


class Copier:
    """`basewright copy` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.said = ""

    def __call__(self, *words: object) -> str:
        code = self.fails(*words)
        assert code == ExitCode.PASS, self.said
        return self.out.strip()

    def fails(self, *words: object) -> int:
        self._capsys.readouterr()
        code = main(["copy", *map(str, words)])
        self.out, self.said = self._capsys.readouterr()
        return code


@pytest.fixture
def copy(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copier:
    monkeypatch.setenv("BASEWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Copier(capsys)


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """One image `calendar:1` of two platforms."""
    amd, arm = make_image(TAR, OTHER), make_image(TAR, architecture="arm64")
    top = render_index([amd.descriptor(), arm.descriptor()])
    descriptor = {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": sha256(top),
        "size": len(top),
        "annotations": {REF_NAME: "calendar:1"},
    }
    return lay_out(tmp_path / "layout", amd, arm, index=render_index([descriptor]), extra={sha256(top): top})


class Listed(msgspec.Struct):
    digest: str


class Listing(msgspec.Struct):
    manifests: tuple[Listed]


def digest_of(layout: Path) -> str:
    """Of the one image in a layout."""
    return msgspec.json.decode((layout / "index.json").read_bytes(), type=Listing).manifests[0].digest


# Files


def test_skopeo_and_umoci_take_what_is_copied(copy: Copier, layout: Path) -> None:
    digest = copy(f"oci:{layout}:calendar:1", "oci-archive:x.tar")
    assert digest == digest_of(layout)
    skopeo("copy", "--all", "oci-archive:x.tar:calendar:1", "oci:back:b")
    assert digest_of(Path("back")) == digest
    one = copy("x.tar", "oci:one:b", "--platform", "linux/arm64")
    assert (
        msgspec.json.decode(skopeo("inspect", "--override-arch", "arm64", "oci:one:b"), type=dict[str, object])[
            "Digest"
        ]
        == one
    )
    run("umoci", "unpack", "--rootless", "--image", "one:b", "bundle")
    assert Path("bundle/rootfs/bin/tool").read_bytes() == b"#!/bin/sh\n"


@pytest.mark.parametrize("packing", ["tar", "gzip", "zstd"])
def test_a_docker_archive_goes_both_ways(copy: Copier, layout: Path, packing: str) -> None:
    image_id = copy(layout, "docker-archive:ours.tar", "--platform", "linux/amd64")
    assert "the compression of its layers" in copy.said
    skopeo("copy", "docker-archive:ours.tar", "docker-archive:theirs.tar:calendar:2")
    Path("theirs.tar").write_bytes(packed(Path("theirs.tar").read_bytes(), packing))
    assert copy("theirs.tar", "docker-archive:again.tar") == image_id
    copy("theirs.tar", "oci:again")
    config = msgspec.json.decode(skopeo("inspect", "--raw", "oci:again:2"), type=dict[str, object])["config"]
    assert isinstance(config, dict)
    assert config["digest"] == image_id


def test_what_buildah_and_podman_write_is_read(copy: Copier, layout: Path, podman: None) -> None:
    run("podman", "load", "--quiet", "-i", archive_of(copy, layout))
    for kind in ("docker-archive", "oci-archive"):
        run("podman", "save", "--quiet", "--format", kind, "-o", f"{kind}.tar", "docker.io/library/calendar:1")
        copy(f"{kind}.tar", f"oci:{kind}:x")
        told = msgspec.json.decode(skopeo("inspect", "--config", f"oci:{kind}:x"), type=dict[str, object])
        assert told["rootfs"] == {"type": "layers", "diff_ids": [sha256(TAR), sha256(OTHER)]}


def archive_of(copy: Copier, layout: Path) -> str:
    copy(layout, "docker-archive:calendar.tar", "--platform", "linux/amd64")
    return "calendar.tar"


def test_a_root_filesystem_becomes_an_image(copy: Copier) -> None:
    Path("root.tar.zst").write_bytes(packed(TAR, "zstd"))
    copy("rootfs:root.tar.zst", "oci:out:1", "--platform", "linux/arm64")
    told = msgspec.json.decode(
        skopeo("inspect", "--config", "--override-arch", "arm64", "oci:out:1"), type=dict[str, object]
    )
    assert (told["architecture"], told["rootfs"]) == ("arm64", {"type": "layers", "diff_ids": [sha256(TAR)]})


# Registries


def test_a_registry_between_two_layouts(copy: Copier, layout: Path) -> None:
    with running_registry() as registry:
        place = f"docker://{registry.host}/team/calendar"
        digest = copy(layout, place)
        assert copy(f"{place}:1", "oci:out") == digest == digest_of(Path("out"))
        assert copy(f"{place}@{digest}", f"docker://{registry.host}/other/calendar:2") == digest
        assert copy(f"docker://{registry.host}/other/calendar:2", "oci-archive:x.tar") == digest
        for blob in (layout / "blobs" / "sha256").iterdir():
            assert (Path("out") / "blobs" / "sha256" / blob.name).read_bytes() == blob.read_bytes()
        assert copy.fails(f"{place}:nope", "oci:none") == ExitCode.FIX_INPUT
        assert not Path("none").exists()
    assert copy.fails(f"{place}:1", "oci:none") == ExitCode.COULD_NOT_TELL


# Engines


@pytest.fixture
def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Podman and skopeo with a storage of their own."""
    needs("podman")
    if os.geteuid() != 0:
        pytest.skip("podman's storage is told for root here")
    config = f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/podman"\nrunroot = "{tmp_path}/podman-run"\n'
    (tmp_path / "storage.conf").write_text(config)
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(tmp_path / "storage.conf"))
    monkeypatch.delenv("CONTAINER_HOST", raising=False)
    if Path("/run/podman/podman.sock").exists():
        pytest.skip("a podman service of this machine would be asked")


def test_podman_without_a_service_takes_and_gives_images(copy: Copier, layout: Path, podman: None) -> None:
    image_id = copy(layout, "containers-storage:calendar:1", "--platform", "linux/amd64")
    assert run("podman", "images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}").decode().split() == [
        image_id,
        "docker.io/library/calendar:1",
    ]
    assert copy("containers-storage:calendar:1", "docker-archive:x.tar") == image_id
    assert copy.fails("containers-storage:nope:1", "oci:none") == ExitCode.FIX_INPUT
    assert "podman has no image nope:1" in copy.said


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A dockerd of its own, where one can be started. Its sockets need short names."""
    program = needs("dockerd")
    if os.geteuid() != 0:
        pytest.skip("dockerd needs root")
    folder = Path(tempfile.mkdtemp(prefix="bw-"))
    argv = [program, "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
    argv += ["-H", f"unix://{folder}/docker.sock", "--iptables=false", "--bridge=none", "--storage-driver=vfs"]
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        if not is_up(folder / "docker.sock", daemon):
            pytest.skip("dockerd does not start here")
        monkeypatch.setenv("DOCKER_HOST", f"unix://{folder}/docker.sock")
        yield
    finally:
        daemon.terminate()
        daemon.wait()
        if (folder / "data").is_mount():  # where it failed
            run("umount", folder / "data")
        shutil.rmtree(folder, ignore_errors=True)


def is_up(path: Path, daemon: "subprocess.Popen[bytes]") -> bool:
    until = time.monotonic() + 30
    with suppress(OutOfReachError):
        while time.monotonic() < until and daemon.poll() is None:
            if path.exists():
                return b"OK" in PooledHttp(unix_socket=path, read_seconds=30).read(
                    "http://localhost/_ping", max_bytes=10
                )
            time.sleep(0.05)
    return False


def test_docker_takes_and_gives_images(copy: Copier, layout: Path, docker: None) -> None:
    image_id = copy(layout, "docker-daemon:calendar", "--platform", "linux/amd64")
    assert copy("docker-daemon:calendar:1", "docker-archive:x.tar") == image_id
    assert copy(f"docker-daemon:{image_id}", "docker-archive:y.tar") == image_id
    copy("docker-daemon:calendar:1", "oci:out")
    told = msgspec.json.decode(skopeo("inspect", "--config", "oci:out:1"), type=dict[str, object])
    assert told["rootfs"] == {"type": "layers", "diff_ids": [sha256(TAR), sha256(OTHER)]}
    assert copy.fails("docker-daemon:nope", "oci:none") == ExitCode.FIX_INPUT
    assert "docker has no image nope" in copy.said


def test_an_engine_that_does_not_answer(copy: Copier, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert copy.fails("docker-daemon:x", "oci:none") == ExitCode.COULD_NOT_TELL
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{tmp_path}/none.sock")
    assert copy.fails("containers-storage:x", "oci:none") == ExitCode.COULD_NOT_TELL
    assert f"podman does not answer at {tmp_path}/none.sock" in copy.said  # and no other podman is asked
    monkeypatch.setenv("DOCKER_HOST", "tcp://user:secret@example.com:2375")
    assert copy.fails("docker-daemon:x", "oci:none") == ExitCode.FIX_INPUT
    assert "secret" not in copy.said


def test_docker_s_context_says_where_it_is(copy: Copier, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    meta = tmp_path / "docker" / "contexts" / "meta" / sha256(b"mine")[7:]
    meta.mkdir(parents=True)
    (tmp_path / "docker" / "config.json").write_text('{"currentContext": "mine"}')
    (meta / "meta.json").write_text('{"Name": "mine", "Endpoints": {"docker": {"Host": "unix:///none/mine.sock"}}}')
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    assert copy.fails("docker-daemon:x", "oci:none") == ExitCode.COULD_NOT_TELL
    assert "docker does not answer at /none/mine.sock" in copy.said
