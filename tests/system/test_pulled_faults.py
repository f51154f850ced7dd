"""What faults of a registry come to for `build` and `evaluate`: which exit code and status, one error, nothing left."""

from collections.abc import Iterator

import pytest
from tests.doubles.elf_file import make_elf
from tests.doubles.image import archive, make_image, member, sha256
from tests.doubles.project import Outcome, Project, candidate
from tests.doubles.registry import running_registry
from tests.doubles.registry_state import Fault, Registry

IMAGE = make_image(archive(member("etc/os-release", b"ID=debian\nVERSION_ID=13\n")))
LAYER = f"/blobs/{sha256(IMAGE.layers[0])}"


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as found:
        found.put("team/python", "3.13", IMAGE)
        yield found


def errors(outcome: Outcome) -> list[str]:
    return [line for line in outcome.err.splitlines() if line.startswith("error: ")]


def serve(project: Project, registry: Registry, tag: str = "3.13") -> None:
    project.serve(candidate("one", base=f'"{registry.host}/team/python:{tag}"'))


def refused(project: Project, said: str) -> None:
    """By both commands, at once: one error, nothing written."""
    before = project.files()
    for words in (("build", "one", "-o", str(project.folder.parent / "out")), ("evaluate", "--no-run")):
        seen = project.run(*words)
        assert seen.code == 2 and not seen.out, seen.err
        assert len(errors(seen)) == 1 and said in seen.err, seen.err
    assert project.files() == before and not (project.folder.parent / "out").exists()


def test_an_image_that_is_not_there(registry: Registry, project: Project) -> None:
    serve(project, registry, "9")
    refused(project, "team/python:9 does not exist")


def test_a_missing_blob_where_the_registry_answers(registry: Registry, project: Project) -> None:
    del registry.blobs[sha256(IMAGE.layers[0])]
    serve(project, registry)
    refused(project, "does not exist")


def test_an_image_for_another_platform_only(registry: Registry, project: Project) -> None:
    registry.put("team/python", "arm", make_image(archive(member("a", b"x")), architecture="arm64"))
    serve(project, registry, "arm")
    refused(project, "linux/arm64")


def test_programs_of_another_machine(registry: Registry, project: Project) -> None:
    program = member("bin/sh", make_elf(machine="aarch64", executable=True), mode=0o755)
    registry.put("team/python", "lies", make_image(archive(program)))
    serve(project, registry, "lies")
    refused(project, "holds programs for aarch64, not for linux/amd64: /bin/sh")


def test_wrong_bytes(registry: Registry, project: Project) -> None:
    registry.faults.append(Fault(path=LAYER, times=100, wrong=True))
    serve(project, registry)
    refused(project, "digest")


@pytest.mark.parametrize(
    "fault",
    [
        Fault(path="/manifests/", times=1000, status=429, headers={"Retry-After": "0"}),
        Fault(path="/manifests/", times=1000, status=503),
        Fault(path=LAYER, times=1000, cut_after=10),
        Fault(path="/manifests/", times=1000, status=403, body=b'{"errors": [{"code": "DENIED", "message": "no"}]}'),
    ],
)
def test_what_cannot_be_asked_stops_no_evaluation(fault: Fault, registry: Registry, project: Project) -> None:
    registry.faults.append(fault)
    serve(project, registry)
    built = project.run("build", "one", "-o", str(project.folder.parent / "out"))
    assert built.code == 3 and len(errors(built)) == 1 and "could not be asked" in built.err, built.err
    seen = project.evaluate("--no-run")
    (one,) = seen.document.candidates
    assert seen.code == 3 and not errors(seen)
    assert one.status == "incomplete" and "could not be asked" in one.reason


def test_a_login_that_is_wanted_is_told_with_what_mends_it(registry: Registry, project: Project) -> None:
    registry.login = "basic"
    serve(project, registry)
    env = {"DOCKER_CONFIG": str(project.folder / "nobody"), "HOME": str(project.folder / "nobody")}
    seen = project.evaluate("--no-run", env=env)
    (one,) = seen.document.candidates
    assert seen.code == 3 and one.status == "incomplete" and "docker login" in one.hint
    assert "docker login" in project.run("evaluate", "--no-run", env=env).out
