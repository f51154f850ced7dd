"""`basewright evaluate` through the installed command: what a user sees, gets and finds on disk."""

import json
import shutil
import threading
import uuid
from pathlib import Path

import pytest
from tests.doubles.project import HEAD, PYTHON_BASE, Outcome, Project, candidate, left_behind
from tests.doubles.registry import running_registry
from tests.doubles.small_service import GO_SOURCE

from basewright._process import HostProcess
from basewright.apps.go_command import find_go
from basewright.errors import OutOfReachError

UNREACHABLE = '"127.0.0.1:1/team/python:3.13"'
SECRET = "hunter2-and-more"
DRIVERS = {
    "image_size", "security_posture", "build_performance", "runtime_performance", "package_availability",
    "update_frequency", "resource_efficiency",
}  # fmt: skip


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> tuple[Project, Outcome]:
    """A service on an assembled base, and on one whose registry is out of reach: evaluated once."""
    project = Project(tmp_path_factory.mktemp("kept") / "project", shared_cache)
    project.serve(candidate("assembled") + candidate("published", base=UNREACHABLE))
    return project, project.evaluate()


def test_a_decision_stands_beside_a_registry_out_of_reach(kept: tuple[Project, Outcome]) -> None:
    _, seen = kept
    assert seen.code == 0, seen.err
    document = seen.document
    assert document.decision.winner == "assembled" and document.decision.tie == ()
    assert [each.name for each in document.decision.ranking] == ["assembled"]
    assembled, published = document.candidates
    assert assembled.status == "evaluated" and not assembled.reason
    assert set(assembled.measurements) == DRIVERS and not any(m.not_measured for m in assembled.measurements.values())
    assert published.status == "incomplete" and "127.0.0.1:1" in published.reason and published.could_still_win
    assert published.measurements["runtime_performance"].not_measured


def test_the_document_has_the_documented_keys(kept: tuple[Project, Outcome]) -> None:
    document = json.loads(kept[1].out)
    assert set(document) == {
        "schema", "service", "evaluated_at", "as_of", "runner", "machine", "seed", "lock", "candidates", "decision",
        "wrote",
    }  # fmt: skip
    for each in document["candidates"]:
        assert {"name", "platform", "status", "reason", "could_still_win", "requirements", "image"} <= set(each)
        for measured in each["measurements"].values():
            assert set(measured) == {"not_measured"} or set(measured) == {
                "measure", "value", "unit", "better", "interval", "basis", "samples", "score", "also"
            }  # fmt: skip
            for also in measured.get("also", {}).values():
                assert set(also) == {"value", "unit", "interval", "basis"}


def test_what_it_says_that_it_wrote_is_there(kept: tuple[Project, Outcome]) -> None:
    project, seen = kept
    wrote = seen.document.wrote
    assert all((project.folder / path).is_file() for path in wrote)
    assert {"basewright.lock", ".basewright/evidence/assembled.json"} <= set(wrote)
    assert any(path.startswith("docs/adr/") and path.endswith(".md") for path in wrote)


def test_an_unchanged_run_is_quick_and_says_the_same(kept: tuple[Project, Outcome]) -> None:
    project, first = kept
    before = {name: (project.folder / name).read_bytes() for name in project.files()}
    again = project.evaluate()
    assert (again.code, again.out) == (first.code, first.out)
    assert again.seconds < 5
    assert {name: (project.folder / name).read_bytes() for name in project.files()} == before


def test_the_table_is_data_and_nothing_else_is_said(kept: tuple[Project, Outcome]) -> None:
    project, _ = kept
    table = project.run("evaluate")
    assert table.code == 0 and not table.err
    assert "assembled wins" in table.out and "published" in table.out and "\x1b" not in table.out


def test_strict_wants_everything_measured(kept: tuple[Project, Outcome]) -> None:
    project, first = kept
    strict = project.evaluate("--strict")
    assert strict.code == 3 and strict.out == first.out


def test_another_day_and_another_seed_measure_nothing_again(kept: tuple[Project, Outcome]) -> None:
    project, _ = kept
    later = project.evaluate("--as-of", "2035-01-01", "--seed", "7")
    assert later.code == 0 and later.seconds < 5
    assert later.document.as_of == "2035-01-01" and later.document.seed == 7
    project.evaluate()  # the record as it was


def test_a_part_of_the_candidates_records_nothing(project: Project) -> None:
    project.serve(candidate("one") + candidate("other", base=UNREACHABLE))
    seen = project.evaluate("--only", "one")
    assert seen.code == 0 and [each.name for each in seen.document.candidates] == ["one"]
    assert not (project.folder / "docs").exists()


def test_without_running_nothing_is_decided(project: Project) -> None:
    project.serve(candidate("one"))
    seen = project.evaluate("--no-run")
    (one,) = seen.document.candidates
    assert seen.code == 3 and one.status == "incomplete" and one.image is not None
    assert "--no-run" in one.measurements["runtime_performance"].not_measured
    assert one.measurements["image_size"].value
    assert not (project.folder / "docs").exists()


def test_services_that_misbehave_are_told_apart(project: Project) -> None:
    token = uuid.uuid4().hex
    modes = ("crash", "elsewhere", "hungry", "fork", "home", "deaf children", "chatty")
    head = HEAD.replace('"3 s"', '"2 s"')
    project.serve("".join(candidate(mode.split()[0], words=(*mode.split(), token)) for mode in modes), head=head)
    seen = project.evaluate("--env-file", "secret.env", env=_secret(project))
    assert seen.code == 0, seen.err
    reasons = {each.name: (each.status, each.reason) for each in seen.document.candidates}
    assert reasons["crash"] == ("failed", "the service exited with status 1")
    assert seen.document.candidate("crash").output == ("no database at ***",)
    assert reasons["elsewhere"][0] == "failed" and "8001" in reasons["elsewhere"][1]
    assert reasons["hungry"][0] == "failed" and "256 MiB of memory" in reasons["hungry"][1]
    assert reasons["fork"][0] == "failed"
    for name in ("home", "deaf", "chatty"):
        assert reasons[name] == ("evaluated", "")
    checks = seen.document.candidate("home").measurements["security_posture"].also
    assert any("/home/nonroot/state.db" in str(check.value) for check in checks.values())
    assert len(seen.document.candidate("fork").output) <= 20
    assert left_behind(token, project.cache) == []


def _secret(project: Project) -> dict[str, str]:
    project.write({"secret.env": f"API_TOKEN={SECRET}\n"})
    return {}


def test_bad_answers_under_load_fail_a_candidate(project: Project) -> None:
    project.serve(candidate("one"), head=HEAD.replace("port = 8000", 'port = 8000\nload = ["/missing"]'))
    seen = project.evaluate()
    (one,) = seen.document.candidates
    assert seen.code == 2 and one.status == "failed"
    assert "404" in one.reason and one.measurements["runtime_performance"].not_measured == one.reason
    assert seen.document.decision.winner is None


def test_a_broken_requirement_disqualifies(project: Project) -> None:
    project.serve(candidate("one") + '[drivers.image_size]\nrequire = "<= 1 MB"\n')
    seen = project.evaluate()
    assert seen.code == 1 and seen.document.candidates[0].status == "disqualified"
    assert "1 MB" in seen.document.candidates[0].reason
    assert seen.document.decision.winner is None and not (project.folder / "docs").exists()


def test_secrets_are_written_nowhere(project: Project, scratch: Path) -> None:
    project.serve(candidate("one", words=("crash",)) + candidate("two"))
    _secret(project)
    words: set[str] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words.add(path.read_bytes().decode("utf-8", "replace"))
                except OSError:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        seen = project.evaluate("--env-file", "secret.env", "--verbose")
    finally:
        stop.set()
        watcher.join()
    assert seen.code == 0 and SECRET not in seen.out + seen.err
    assert "secret.env lies in the app folder" in seen.err and "stays out of the images" in seen.err
    assert not any(SECRET in each for each in words)
    for folder in (project.folder, project.cache, scratch):
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and path.name != "secret.env":
                assert SECRET.encode() not in path.read_bytes(), path


def test_an_image_that_it_built_is_a_base(project: Project, tmp_path: Path) -> None:
    project.serve(candidate("built"))
    layout = tmp_path / "built"
    built = project.run("build", "built", "-o", str(layout))
    assert built.code == 0, built.err
    with running_registry() as registry:
        for path in (layout / "blobs" / "sha256").iterdir():
            registry.blobs[f"sha256:{path.name}"] = path.read_bytes()
        digest = built.out.strip()
        registry.put_manifest("team/python", "3.13", registry.blobs[digest])
        shutil.move(layout, project.folder / "bases")
        project.serve(
            candidate("folder", base='{ archive = "bases" }')
            + candidate("registry", base=f'"{registry.host}/team/python:3.13"')
        )
        seen = project.evaluate()
        assert seen.code == 0, seen.err
        assert {each.name: (each.status, each.reason) for each in seen.document.candidates} == {
            "folder": ("evaluated", ""),
            "registry": ("evaluated", ""),
        }
        sizes = {each.measurements["image_size"].value for each in seen.document.candidates}
        assert len(sizes) == 1
        lock = (project.folder / "basewright.lock").read_text()
        assert digest in lock
    gone = project.evaluate("--fresh", "--no-run")  # pinned and kept: the registry is not needed any more
    assert gone.document.candidate("registry").image is not None


def test_a_registry_is_out_of_reach_or_lacks_the_image(project: Project) -> None:
    with running_registry() as registry:
        host = registry.host
    project.serve(candidate("one") + candidate("published", base=f'"{host}/team/python:3.13"'))
    first = project.evaluate("--no-run")
    assert first.document.candidate("published").status == "incomplete"
    assert project.evaluate("--no-run").out == first.out
    with running_registry() as registry:
        project.serve(candidate("one") + candidate("published", base=f'"{registry.host}/team/python:3.13"'))
        missing = project.evaluate("--no-run")
    assert missing.code == 2 and "team/python:3.13 does not exist" in missing.err


def test_a_service_with_requirements_needs_a_strategy_only(project: Project) -> None:
    source = "from flask import Flask\napp = Flask(__name__)\n\n@app.get('/')\ndef root():\n    return {'ok': True}\n"
    head = HEAD.replace('["python3", "server.py"]', '["waitress-serve", "--port=8000", "app:app"]')
    table = '[[candidate]]\nname = "flask"\napp = { python = "." }\nbase = ' + PYTHON_BASE
    project.write({"app.py": source, "requirements.txt": "flask\nwaitress\n", "basewright.toml": head + table})
    seen = project.evaluate()
    assert seen.code == 0, seen.out
    (flask,) = seen.document.candidates
    assert flask.status == "evaluated" and flask.measurements["package_availability"].value == 100


def test_a_go_service_on_nothing(project: Project) -> None:
    try:
        release = str(find_go(HostProcess()).version)
    except OutOfReachError as error:
        pytest.skip(error.message)
    head = HEAD.replace('command = ["python3", "server.py"]\n', "")
    table = '[[candidate]]\nname = "static"\napp = { go = ".", package = "./cmd/server" }\nbase = "scratch"\n'
    project.write(
        {
            "go.mod": f"module example.test/small\n\ngo {release}\n",
            "cmd/server/main.go": GO_SOURCE,
            "cmd/tool/main.go": "package main\n\nfunc main() {}\n",
            "basewright.toml": head + table,
        }
    )
    seen = project.evaluate()
    assert seen.code == 0, seen.out
    (static,) = seen.document.candidates
    assert static.status == "evaluated" and (static.measurements["image_size"].value or 0) < 5
    assert static.measurements["package_availability"].value == 100

    project.write({"basewright.toml": head + table.replace(', package = "./cmd/server"', "")})
    several = project.evaluate()
    assert several.code == 2
    assert "./cmd/server" in several.document.candidates[0].reason


def test_a_cold_cache_is_told_what_comes(project: Project, tmp_path: Path) -> None:
    project.serve(candidate("one"))
    cold = project.evaluate("--no-run", env={"BASEWRIGHT_CACHE": str(tmp_path / "cold")})
    said = [line for line in cold.err.splitlines() if line.startswith("to download: ")]
    assert any("Debian packages" in line and "MB" in line and " s at " in line for line in said)
    warm = project.evaluate("--no-run", "--fresh", env={"BASEWRIGHT_CACHE": str(tmp_path / "cold")})
    assert "to download" not in warm.err
    shutil.rmtree(tmp_path / "cold")
