"""The four options of ADR-007 pulled from a registry: Debian's docker-registry on loopback, named as a mirror of Docker
Hub in the user's settings, with look-alikes under the same names."""

import datetime
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import msgspec
import pytest
from tests.doubles.docker_registry import docker_registry
from tests.doubles.look_alikes import FULL, SLIM, alpine_image, python_image
from tests.doubles.project import Outcome, Project, candidate
from tests.doubles.small_service import GO_SOURCE
from tests.doubles.world import make_world

from basewright._process import HostProcess
from basewright.apps.go_command import find_go
from basewright.errors import OutOfReachError
from basewright.oci.image import Image

PYTHONS = {"python-slim": "python:3.13-slim", "python-full": "python:3.13", "python-alpine": "python:3.13-alpine"}
OPTIONS = ("go-alpine", *PYTHONS)
SLIM_TAG = "library/python:3.13-slim"
MEASURED = ("image_size", "security_posture", "build_performance", "runtime_performance")
ONE = ("--no-run", "--only", "python-slim")
GO_CANDIDATE = """
[[candidate]]
name = "go-alpine"
app = { go = "go" }
base = "alpine:3.18"
runtime-packages = ["ca-certificates", "tzdata"]
"""


class Registry:
    """Debian's docker-registry over a folder; it can be taken away and brought back at the same port."""

    def __init__(self, folder: Path) -> None:
        self.host = ""
        self._folder = folder
        self._running: ExitStack | None = None

    def start(self) -> None:
        if self._running is None:
            self._running = ExitStack()
            port = int(self.host.partition(":")[2] or 0)
            self.host = self._running.enter_context(docker_registry(self._folder, port=port))

    def stop(self) -> None:
        if self._running is not None:
            self._running.close()
            self._running = None

    def push(self, tag: str, image: Image) -> None:
        """As any client does: config and layers, then the manifest under its tag."""
        store = image.store()
        repository, _, name = tag.rpartition(":")
        for descriptor in (image.manifest.config, *image.manifest.layers):
            digest = descriptor.checked_digest
            place = self._ask("POST", f"/v2/{repository}/blobs/uploads/").headers["Location"]
            target = f"{place}{'&' if '?' in place else '?'}digest={digest}"
            self._ask("PUT", target, store.read(digest, max_bytes=1 << 30), "application/octet-stream")
        self._ask("PUT", f"/v2/{repository}/manifests/{name}", image.manifest_bytes, image.manifest.media_type)

    def _ask(self, method: str, url: str, body: bytes = b"", kind: str = "") -> HTTPResponse:
        request = Request(url if "://" in url else f"http://{self.host}{url}", data=body, method=method)
        request.add_header("Content-Type", kind)
        with build_opener(ProxyHandler({})).open(request, timeout=30) as answer:
            assert isinstance(answer, HTTPResponse)
            return answer


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """A project on the four bases, evaluated once, and the registry that it pulled from."""

    project: Project
    registry: Registry
    images: dict[str, Image]
    moved: Image
    env: dict[str, str]
    first: Outcome


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Iterator[Pulled]:
    try:
        release = str(find_go(HostProcess()).version)
    except OutOfReachError as error:
        pytest.skip(error.message)
    folder = tmp_path_factory.mktemp("pulled")
    maker = msgspec.structs.replace(
        make_world(shared_cache, retries=3), now=datetime.datetime.now(datetime.UTC), cache=folder / "made"
    )
    registry = Registry(folder / "registry")
    registry.start()
    images = {
        "library/alpine:3.18": alpine_image(maker),
        "library/python:3.13-slim": python_image(maker, *SLIM),
        "library/python:3.13": python_image(maker, *SLIM, *FULL),
        "library/python:3.13-alpine": python_image(maker, "dash"),
    }
    for tag, image in images.items():
        registry.push(tag, image)
    settings = folder / "settings.toml"
    settings.write_text(f'[registry."docker.io"]\nmirrors = ["{registry.host}"]\n')
    # Whatever is asked of Docker Hub itself fails at once, on a machine with a network too.
    env = {"BASEWRIGHT_SETTINGS": str(settings), "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    project = Project(folder / "project", shared_cache)
    project.serve(
        "".join(candidate(name, base=f'"{reference}"') for name, reference in PYTHONS.items()) + GO_CANDIDATE,
        files={"go/go.mod": f"module example.test/small\n\ngo {release}\n", "go/main.go": GO_SOURCE},
    )
    try:
        yield Pulled(
            project=project,
            registry=registry,
            images=images,
            moved=python_image(maker, *SLIM, revision="2"),
            env=env,
            first=project.evaluate(env=env),
        )
    finally:
        registry.stop()


def test_all_four_options_are_pulled_built_run_and_measured(pulled: Pulled) -> None:
    seen = pulled.first
    assert seen.code == 0, seen.err
    for name in OPTIONS:
        found = seen.document.candidate(name)
        assert (found.status, found.reason) == ("evaluated", ""), name
        assert found.image is not None and found.notes == ()
        for driver, measured in found.measurements.items():
            assert not measured.not_measured, (name, driver)
        for driver in MEASURED:
            assert found.measurements[driver].basis == ("measured",), (name, driver)
    lock = (pulled.project.folder / "basewright.lock").read_text()
    assert all(str(image.digest) in lock for image in pulled.images.values())
    record = next(path for path in seen.document.wrote if path.endswith(".md"))
    text = (pulled.project.folder / record).read_text()
    assert "Not measured" not in text and all(f"### {name}\n" in text for name in OPTIONS)


def test_what_is_downloaded_is_said_before(pulled: Pulled) -> None:
    said = [line for line in pulled.first.err.splitlines() if "python:3.13-slim (" in line]
    assert len(said) == 1 and said[0].startswith("to download: ") and "MB" in said[0]


def test_an_unchanged_run_is_quick_and_says_the_same(pulled: Pulled) -> None:
    again = pulled.project.evaluate(env=pulled.env)
    assert (again.code, again.out) == (0, pulled.first.out)
    assert again.seconds < 5


def test_a_tag_that_moved_is_said_and_the_lock_is_built_on(pulled: Pulled, tmp_path: Path) -> None:
    project, registry = pulled.project, pulled.registry
    old, new = str(pulled.images[SLIM_TAG].digest), str(pulled.moved.digest)
    registry.push(SLIM_TAG, pulled.moved)
    try:
        again = project.evaluate(env=pulled.env)
        assert again.code == 0
        (note,) = again.document.candidate("python-slim").notes
        assert "has moved" in note and old in note and new in note and "--update-lock" in note
        assert not again.document.candidate("python-full").notes
        text = project.run("evaluate", env=pulled.env).out
        assert old in unfolded(text) and new in unfolded(text)
        record = next(path for path in again.document.wrote if path.endswith(".md"))
        written = (project.folder / record).read_text()
        assert old in written and new in written
        images = {each.name: each.image for each in again.document.candidates}
        assert images == {each.name: each.image for each in pulled.first.document.candidates}

        registry.stop()  # what was seen stays said
        assert project.evaluate(env=pulled.env).out == again.out
        registry.start()

        copy = copied(project, tmp_path)
        fresh = copy.evaluate("--fresh", *ONE, env=pulled.env).document.candidate("python-slim")
        assert (fresh.image, fresh.notes) == (images["python-slim"], (note,))
        newer = copy.evaluate("--update-lock", *ONE, env=pulled.env).document.candidate("python-slim")
        assert newer.notes == () and newer.image not in (None, images["python-slim"])
        lock = (copy.folder / "basewright.lock").read_text()
        assert new in lock and old not in lock
        assert all(str(image.digest) in lock for tag, image in pulled.images.items() if tag != SLIM_TAG)
    finally:
        registry.start()
        registry.push(SLIM_TAG, pulled.images[SLIM_TAG])
        back = project.evaluate(env=pulled.env)
    assert back.out == pulled.first.out  # the tag is back, and so is what was said


def test_without_a_registry_the_locked_images_are_enough_and_without_them_what_is_published(
    pulled: Pulled, tmp_path: Path
) -> None:
    project, registry = copied(pulled.project, tmp_path), pulled.registry
    before = pulled.first.document.candidate("python-slim").image
    assert before is not None
    registry.stop()
    try:
        unchanged = project.evaluate(env=pulled.env)
        assert (unchanged.code, unchanged.document.candidates) == (0, pulled.first.document.candidates)
        assert unchanged.seconds < 5
        kept = project.evaluate("--fresh", *ONE, env=pulled.env).document.candidate("python-slim")
        assert kept.image == before and kept.measurements["image_size"].basis == ("measured",)
        updated = project.evaluate("--update-lock", *ONE, env=pulled.env)
        assert updated.document.candidate("python-slim").image == before
        assert "python:3.13-slim stays as it was locked" in updated.err
        built = project.run("build", "python-slim", "-o", str(tmp_path / "built"), env=pulled.env)
        assert (built.code, built.out.strip()) == (0, before.digest)

        emptied = {**pulled.env, "BASEWRIGHT_CACHE": str(tmp_path / "empty")}
        bare = project.evaluate("--fresh", "--no-run", *(f"--only={name}" for name in PYTHONS), env=emptied)
        assert bare.code == 3
        for lacking in bare.document.candidates:
            assert lacking.status == "incomplete" and lacking.image is None
            assert "could not be asked" in lacking.reason
            assert "published" in lacking.measurements["image_size"].basis
        away = project.run("build", "python-slim", "-o", str(tmp_path / "away"), env=emptied)
        assert away.code == 3 and "could not be asked" in away.err and not (tmp_path / "away").exists()
    finally:
        registry.start()


def test_a_dockerfile_names_what_was_pulled(pulled: Pulled) -> None:
    rendered = pulled.project.run("dockerfile", "python-slim", env=pulled.env)
    assert rendered.code == 0, rendered.err
    assert f"python:3.13-slim@{pulled.images[SLIM_TAG].digest}" in rendered.out


def copied(project: Project, folder: Path) -> Project:
    """The project with its lock and evidence, elsewhere."""
    copy = Project(folder / "project", project.cache)
    shutil.copytree(project.folder, copy.folder, dirs_exist_ok=True)
    return copy


def unfolded(text: str) -> str:
    """What a terminal's width cut into lines, in one."""
    return "".join(line.strip() for line in text.splitlines())
