"""A service in the sandbox: when it is healthy, what it used, how it ended, and that nothing of it is left."""

import json
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tests.doubles.python_root import INTERPRETER
from tests.doubles.small_service import SOURCE

from basewright._process import HostProcess
from basewright.runner.runner import BesideAnswer, Counters, Ending, Health, Healthy, Limits, RunningService
from basewright.runner.sandbox import Sandbox


def start(
    sandbox: Sandbox,
    root: Path,
    *,
    port: int = 8000,
    path: str = "/healthz",
    timeout_seconds: float = 20,
    user: str = "65532:65532",
    writable_root: bool = False,
    memory_bytes: int = 1 << 30,
    source: str = SOURCE,
    **env: str,
) -> RunningService:
    return sandbox.start_service(
        root,
        [INTERPRETER, "-I", "-c", source],
        process=HostProcess(),
        env=env,
        health=Health(port=port, path=path, timeout_seconds=timeout_seconds),
        user=user,
        writable_root=writable_root,
        limits=Limits(memory_bytes=memory_bytes),
    )


def processes_with(text: str) -> list[int]:
    """Ids of processes whose command line or environment holds `text`."""
    found = []
    for path in Path("/proc").iterdir():
        for name in ("cmdline", "environ"):
            with suppress(OSError):
                if path.name.isdigit() and text.encode() in (path / name).read_bytes():
                    found.append(int(path.name))
    return found


def test_the_start_is_timed_to_a_few_milliseconds(sandbox: Sandbox, python_root: Path) -> None:
    late = []
    for _ in range(3):
        with start(sandbox, python_root, DELAY="0.2") as service:
            healthy = service.wait_until_healthy()
            assert isinstance(healthy, Healthy)
            assert healthy.start_seconds > 0.2
            now = service.counters()
            assert isinstance(now, Counters)
            ending = service.stop()
        listening = float(ending.output[0].split()[-1])
        # When it was executed is known from its first answer: that must follow the moment at which it began to listen.
        late.append(healthy.start_seconds - (listening - (now.at - healthy.start_seconds)))
        assert now.at - listening < 2
    assert min(late) >= 0


def test_both_addresses_of_the_loopback_are_asked(sandbox: Sandbox, python_root: Path) -> None:
    with start(sandbox, python_root, MODE="six") as service:
        healthy = service.wait_until_healthy()
    assert isinstance(healthy, Healthy)
    assert healthy.address == "::1"


def test_counters_cover_the_whole_tree(sandbox: Sandbox, python_root: Path) -> None:
    for each in (sandbox, Sandbox(use_cgroup=False)):
        with start(each, python_root, MODE="children") as service:
            assert isinstance(service.wait_until_healthy(), Healthy)
            time.sleep(0.3)
            counters = service.counters()
            assert isinstance(counters, Counters)
            assert counters.processes == 3
            assert counters.memory_bytes > 40 << 20
            assert 0.01 < counters.cpu_seconds < 5
            assert service.counters_from in ("cgroup v1", "cgroup v2", "proc")
            assert service.stop().reason == "was stopped"


def test_another_port_is_told(sandbox: Sandbox, python_root: Path) -> None:
    with start(sandbox, python_root, PORT="8080", timeout_seconds=1) as service:
        ending = service.wait_until_healthy()
    assert isinstance(ending, Ending)
    assert ending.reason == "was not healthy within 1 s: nothing listens on port 8000; it listens on 8080"
    assert not ending.answered


def test_a_missing_health_path_is_told(sandbox: Sandbox, python_root: Path) -> None:
    with start(sandbox, python_root, path="/missing", timeout_seconds=1) as service:
        ending = service.wait_until_healthy()
    assert isinstance(ending, Ending)
    assert ending.reason == "was not healthy within 1 s: it answered 404 at /missing"
    assert ending.answered


def test_one_that_exits_leaves_its_last_lines(sandbox: Sandbox, python_root: Path) -> None:
    with start(sandbox, python_root, MODE="leave") as service:
        ending = service.wait_until_healthy()
    assert isinstance(ending, Ending)
    assert ending.reason == "exited with status 4"
    assert ending.output == tuple(f"line {number}" for number in range(10, 30))


@pytest.mark.parametrize("use_cgroup", [True, False])
def test_one_that_needs_too_much_memory_is_killed_and_told(
    python_root: Path, sandbox: Sandbox, use_cgroup: bool
) -> None:
    with start(
        Sandbox(use_cgroup=use_cgroup), python_root, MODE="chatty hungry", DELAY="5", memory_bytes=100 << 20
    ) as service:
        ending = service.wait_until_healthy()
    assert isinstance(ending, Ending)
    assert ending.reason == "was killed: it needed more than 100 MiB of memory"
    assert ending.output[-1].startswith("line")  # it was cut off while it wrote


def test_much_output_neither_blocks_nor_is_kept(sandbox: Sandbox, python_root: Path) -> None:
    with start(sandbox, python_root, MODE="chatty") as service:
        assert isinstance(service.wait_until_healthy(), Healthy)
        ending = service.stop()
    assert ending.output[-2] == "line 99999"
    assert len(ending.output) == 20


def test_a_read_only_root_refuses_and_a_writable_one_tells_what_was_written(
    sandbox: Sandbox, python_root: Path
) -> None:
    with start(sandbox, python_root, MODE="state", user="0") as service:
        ending = service.wait_until_healthy()
    assert isinstance(ending, Ending)
    assert "Read-only file system" in ending.output[-1]
    with start(sandbox, python_root, MODE="state", user="0", writable_root=True) as service:
        assert isinstance(service.wait_until_healthy(), Healthy)
        ending = service.stop()
    assert ending.written == ("/srv/state",)
    assert not list((python_root / "srv").iterdir())


def test_ours_run_in_its_network_and_never_in_its_mounts(sandbox: Sandbox, python_root: Path, tmp_path: Path) -> None:
    script = tmp_path / "look.py"
    script.write_text(
        "import json, os, sys\n"
        "order = sys.stdin.readline()\n"
        "sys.stdout.write('mark here\\n'); sys.stdout.flush(); sys.stdin.readline()\n"
        "names = {n: os.readlink(f'/proc/self/ns/{n}') for n in ('mnt', 'net', 'pid')}\n"
        "print(json.dumps([names, os.getppid(), order.strip()]))\n"
    )
    with start(sandbox, python_root) as service:
        assert isinstance(service.wait_until_healthy(), Healthy)
        answer = service.run_beside(script, "an order", timeout_seconds=20)
        assert isinstance(answer, BesideAnswer)
        names, supervisor, order = json.loads(answer.output)
        assert (
            names["mnt"]
            == str(Path(f"/proc/{supervisor}/ns/mnt").readlink())
            == str(Path("/proc/self/ns/mnt").readlink())
        )
    assert names["net"] != str(Path("/proc/self/ns/net").readlink())
    assert order == "an order"
    assert answer.marks["here"].processes == 1


def test_nothing_planted_in_an_image_is_imported_by_us(sandbox: Sandbox, python_root: Path, tmp_path: Path) -> None:
    """The image's own standard library is booby-trapped: whoever imports `encodings.idna` from it ends at once."""
    planted = next(python_root.rglob("encodings/idna.py"))
    kept = planted.read_bytes()
    planted.write_text("raise SystemExit('planted')\n")
    script = tmp_path / "resolve.py"
    script.write_text("import socket, sys; sys.stdin.readline(); print('b\\u00fccher'.encode('idna').decode())\n")
    try:
        with start(sandbox, python_root) as service:
            assert isinstance(service.wait_until_healthy(), Healthy)
            answer = service.run_beside(script, "", timeout_seconds=20)
        assert isinstance(answer, BesideAnswer)
        assert answer.output == "xn--bcher-kva\n"
        completed = sandbox.run_program(
            python_root,
            [INTERPRETER, "-I", "-c", "import encodings.idna"],
            process=HostProcess(),
            env={},
            timeout_seconds=20,
        )
        assert completed.stderr == b"planted\n"  # the trap works, where the image itself steps into it
    finally:
        planted.write_bytes(kept)


def test_a_secret_is_on_no_command_line_and_in_no_environment_but_the_services(
    sandbox: Sandbox, python_root: Path
) -> None:
    with start(sandbox, python_root, TOKEN="s3cr3t-" + "value") as service:
        assert isinstance(service.wait_until_healthy(), Healthy)
        holders = processes_with("s3cr3t-" + "value")
    assert len(holders) == 1
    assert not processes_with("s3cr3t-" + "value")


def test_leaving_takes_everything_along(sandbox: Sandbox, python_root: Path) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    with start(sandbox, python_root, MODE="children", TOKEN="left-behind") as service:
        assert isinstance(service.wait_until_healthy(), Healthy)
        assert len(processes_with("left-behind")) == 3
    assert not processes_with("left-behind")
    assert Path("/proc/self/mountinfo").read_text() == before


def test_a_service_that_ends_under_load_is_told(sandbox: Sandbox, python_root: Path, tmp_path: Path) -> None:
    script = tmp_path / "ask.py"
    script.write_text(
        "import sys, time, urllib.request\n"
        "sys.stdin.readline()\n"
        "try:\n    urllib.request.urlopen('http://127.0.0.1:8000/exit')\nexcept OSError:\n    pass\n"
        "time.sleep(30)\n"
    )
    with start(sandbox, python_root) as service:
        assert isinstance(service.wait_until_healthy(), Healthy)
        answer = service.run_beside(script, "", timeout_seconds=20)
    assert isinstance(answer, Ending)
    assert answer.reason == "exited with status 3"
    assert answer.output[-1] == "last words"


def test_a_program_of_ours_that_hangs_is_ended(sandbox: Sandbox, python_root: Path, tmp_path: Path) -> None:
    script = tmp_path / "hang.py"
    script.write_text("import time; time.sleep(60)\n")
    with start(sandbox, python_root) as service:
        assert isinstance(service.wait_until_healthy(), Healthy)
        answer = service.run_beside(script, "", timeout_seconds=0.5)
        assert isinstance(answer, BesideAnswer)
        assert answer.timed_out
        assert isinstance(service.counters(), Counters)
