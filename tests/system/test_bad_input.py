"""What bad input and bad luck get: one clear error or one "not measured, because", the right exit code, nothing left
half-written or running, and a next run that recovers."""

import shutil
import signal
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.doubles.project import HEAD, Outcome, Project, candidate, left_behind

from basewright._http import PooledHttp
from basewright.bases.debian.distribution import find_mirrors
from basewright.errors import OutOfReachError

ONE = candidate("one")
NOWHERE = "http://127.0.0.1:9"
NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE) | {
    "no_proxy": "",
    "NO_PROXY": "",
}


def errors(seen: Outcome) -> list[str]:
    return [line for line in seen.err.splitlines() if line.startswith("error: ")]


FAULTS: dict[str, tuple[str, dict[str, str], str]] = {
    "unknown-key": (
        HEAD + ONE + "[drivers.image_size]\nwieght = 2\n",
        {},
        "drivers.image_size: there is no key `wieght`",
    ),
    "unknown-driver": (HEAD + ONE + "[drivers.vulnerability_surface]\n", {}, "there is no such driver"),
    "no-folder": (
        HEAD + candidate("first") + ONE.replace('python = "."', 'python = "gone"'),
        {},
        'candidate[1].app (candidate "one"): the app folder gone does not exist',
    ),
    "no-archive": (
        HEAD + candidate("one", base='{ archive = "gone.tar" }'),
        {},
        'candidate[0].base (candidate "one"): the archive gone.tar does not exist',
    ),
    "no-archive-at-all": (HEAD + candidate("one", base='{ archive = "text.tar" }'), {"text.tar": "no"}, "text.tar"),
    "records-outside": (HEAD + ONE + '[decision]\ndirectory = "../.."\n', {}, "decision.directory leads out"),
    "conflicting-lock": (HEAD + ONE, {"basewright.lock": "<<<<<<< ours\n"}, "marks of a merge conflict"),
    "no-package": (HEAD + ONE.replace("3.13-stdlib", "3.13-stdlibs"), {}, "no package libpython3.13-stdlibs in trixie"),
    "no-suite": (HEAD + ONE.replace('"trixie"', '"trixy"'), {}, "no suite 'trixy'"),
    "conflict": (
        HEAD + candidate("one", base='{ debian = "trixie", packages = ["exim4-daemon-light", "postfix"] }'),
        {},
        "cannot be installed together",
    ),
    "no-requirement": (HEAD + ONE, {"requirements.txt": "no-such-project-of-basewright==1\n"}, "was not found"),
    "no-solution": (HEAD + ONE, {"requirements.txt": "flask==3.0.0\nwerkzeug<2\n"}, "you require werkzeug<2"),
    "wrong-hash": (HEAD + ONE, {"requirements.txt": f"six==1.17.0 --hash=sha256:{'0' * 64}\n"}, "six 1.17.0"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_must_be_fixed_is_one_error_before_anything_is_built(fault: str, project: Project) -> None:
    strategy, files, said = FAULTS[fault]
    project.serve("", files={"basewright.toml": strategy, **files})
    before = project.files()
    seen = project.evaluate()
    assert seen.code == 2 and not seen.out
    (error,) = errors(seen)
    assert said in error
    assert "Traceback" not in seen.err
    assert project.files() == before


def test_a_requirement_without_a_wheel_fails_its_candidates_only(project: Project) -> None:
    project.serve(ONE, files={"requirements.txt": "docopt==0.6.2\n"})
    seen = project.evaluate()
    (one,) = seen.document.candidates
    assert seen.code == 2 and one.status == "failed" and "docopt 0.6.2" in one.reason
    assert one.measurements["package_availability"].value == 0
    assert one.measurements["update_frequency"].value


def test_a_missing_health_path_and_a_taken_port_are_told(project: Project) -> None:
    head = HEAD.replace("port = 8000", 'port = 8000\nhealth = "/missing"').replace('"3 s"', '"1 s"')
    project.serve(ONE, head=head)
    seen = project.evaluate()
    assert seen.code == 2
    assert "it answered 404 at /missing" in seen.document.candidates[0].reason

    taken = "import socket\nfirst = socket.create_server(('', 8000))\nsocket.create_server(('', 8000))\n"
    project.serve(ONE, files={"server.py": taken})
    seen = project.evaluate()
    (one,) = seen.document.candidates
    assert seen.code == 2 and one.reason == "the service exited with status 1"
    assert "Address already in use" in one.output[-1]


def test_without_a_network_nothing_is_decided_and_the_next_run_recovers(project: Project, tmp_path: Path) -> None:
    project.serve(ONE)
    cold = {"BASEWRIGHT_CACHE": str(tmp_path / "cold")}
    seen = project.evaluate("--no-run", env=cold | NO_NETWORK)
    (one,) = seen.document.candidates
    assert seen.code == 3 and one.status == "incomplete" and "out of reach" in one.reason
    assert seen.document.decision.winner is None and not errors(seen)
    again = project.evaluate()
    assert again.code == 0 and again.document.decision.winner == "one"


def test_what_is_locked_and_kept_needs_no_network(project: Project) -> None:
    project.serve(ONE)
    assert project.evaluate("--no-run").code == 3
    seen = project.evaluate("--fresh", env=NO_NETWORK)
    assert seen.code == 0 and seen.document.decision.winner == "one"


class Tampering(BaseHTTPRequestHandler):
    """A mirror that passes everything on, but for `changed` files, whose last byte is another one."""

    changed = ""

    def log_message(self, format: str, *args: object) -> None: ...

    def do_GET(self) -> None:
        mirrors = find_mirrors()
        mirror = mirrors.security[0] if self.path.startswith("/debian-security/") else mirrors.main[0]
        path = self.path.split("/", 2)[2]
        try:
            data = bytearray(mirror.read(PooledHttp(), path, max_bytes=1 << 28))
        except OutOfReachError:
            self.send_error(404)
            return
        if self.changed and self.changed in path:
            data[-len(data) // 2] ^= 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def tampering(changed: str) -> Iterator[str]:
    handler = type("Mirror", (Tampering,), {"changed": changed})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("changed", "said"), [("trixie/InRelease", "signature"), ("tzdata_", "wrong contents")])
def test_a_mirror_that_lies_is_refused(changed: str, said: str, project: Project, tmp_path: Path) -> None:
    cold = {"BASEWRIGHT_CACHE": str(tmp_path / "cold")}
    small = '{ debian = "trixie", packages = ["tzdata"], mirror = "%s/debian", security-mirror = "%s/debian-security" }'
    with tampering(changed) as url:
        project.serve(candidate("one", base=small.replace("%s", url)))
        before = project.files()
        seen = project.evaluate("--no-run", env=cold)
        assert seen.code == 2 and said in errors(seen)[0], seen.err
        assert project.files() == before
        assert not list((tmp_path / "cold").rglob("*partial*"))
    with tampering("") as url:
        project.serve(candidate("one", base=small.replace("%s", url)))
        assert not errors(project.evaluate("--no-run", env=cold))
    shutil.rmtree(tmp_path / "cold")


def test_a_full_disk_is_said_and_leaves_nothing_half_written(project: Project, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f'mount -t tmpfs -o size=40m tmpfs {disk} && "$@"; code=$?; ls -AR {disk} >&2; exit $code'
    before = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh")
    if (
        shutil.which("unshare") is None
        or subprocess.run([*before, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no disk of a chosen size can be made here")
    project.serve(ONE)
    seen = project.evaluate(before=before, env={"BASEWRIGHT_CACHE": str(disk)})
    (one,) = seen.document.candidates
    assert seen.code == 3 and one.status == "incomplete" and "no space left" in one.reason
    assert not errors(seen) and "partial" not in seen.err
    assert project.evaluate().code == 0


@pytest.mark.parametrize("size", ["ro,size=1m", "size=48k"])
def test_a_place_that_cannot_be_written_is_said_before_anything_is_measured(
    size: str, project: Project, tmp_path: Path
) -> None:
    """A strategy's folder that is read-only, or full."""
    place = tmp_path / "place"
    place.mkdir()
    project.serve(ONE)
    mount = (
        f"mount -t tmpfs -o size=1m tmpfs {place} && cp -r {project.folder}/. {place} && "
        f'mount -o remount,{size} {place} && cd {place} && "$@"'
    )
    before = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh")
    if (
        shutil.which("unshare") is None
        or subprocess.run([*before, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no folder of that kind can be made here")
    seen = project.evaluate("--verbose", before=before)
    assert seen.code == (2 if "ro" in size else 3) and not seen.out
    assert len(errors(seen)) == 1 and ("cannot be written" if "ro" in size else "no space left") in seen.err
    assert "assembling" not in seen.err and "starting" not in seen.err


@pytest.mark.parametrize("said", ["assembling", "starting one", "measuring one"])
def test_ctrl_c_ends_at_once_and_leaves_nothing(said: str, project: Project, scratch: Path) -> None:
    token = uuid.uuid4().hex
    project.serve(candidate("one", words=("children", token)))
    seen = project.evaluate_until(said, signal.SIGINT)
    assert (seen.code, seen.out) == (130, "") and errors(seen) == ["error: interrupted"]
    assert seen.seconds < 5
    assert left_behind(token, project.cache) == []
    assert not list(scratch.glob("basewright-*"))
    assert not {name for name in project.files() if name.startswith(("docs", ".basewright")) or "partial" in name}


def test_kill_leaves_no_process_and_the_next_run_recovers(project: Project, scratch: Path) -> None:
    token = uuid.uuid4().hex
    project.serve(candidate("one", words=("children", token)))
    for said in ("starting one", "measuring one"):
        killed = project.evaluate_until(said, signal.SIGKILL)
        assert killed.code == -signal.SIGKILL
        assert left_behind(token, project.cache) == []
    assert not any("partial" in name for name in project.files())
    seen = project.evaluate()
    assert seen.code == 0 and seen.document.decision.winner == "one"


def test_a_polite_end_tidies_up(project: Project, scratch: Path) -> None:
    token = uuid.uuid4().hex
    project.serve(candidate("one", words=("children", token)))
    seen = project.evaluate_until("measuring one", signal.SIGTERM)
    assert seen.code == 130
    assert left_behind(token, project.cache) == [] and not list(scratch.glob("basewright-*"))


def test_words_that_are_no_options(project: Project) -> None:
    project.serve(ONE)
    for words in (("--as-of", "tomorrow"), ("--seed", "-1"), ("--only", "nobody"), ("--env-file", "gone"), ("--loud",)):
        seen = project.evaluate(*words)
        assert seen.code == 2 and not seen.out and words[-1].lstrip("-") in seen.err.lower()
