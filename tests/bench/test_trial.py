"""Real services, measured against each other."""

from pathlib import Path

from tests.doubles.python_root import INTERPRETER
from tests.doubles.small_service import SOURCE

from basewright._process import HostProcess
from basewright.bench.observe import ServiceUnderTest
from basewright.bench.trial import run_trials
from basewright.facts import Failure, FailureKind, RunFacts
from basewright.runner.sandbox import Sandbox
from basewright.strategy import Bench, Service


def candidate(
    name: str, root: Path, *, bytecode: bool | None = None, user: str = "65532:65532", **env: str
) -> ServiceUnderTest:
    return ServiceUnderTest(
        name=name, root=root, argv=(INTERPRETER, "-I", "-c", SOURCE), env=env, user=user, bytecode=bytecode
    )


def run(
    sandbox: Sandbox,
    services: list[ServiceUnderTest],
    *,
    load: tuple[str, ...] = ("/",),
    health: str = "/healthz",
    rounds: int = 1,
) -> dict[str, RunFacts | Failure]:
    said: list[str] = []

    def progress(text: str) -> None:
        said.append(text)

    results = run_trials(
        services,
        Bench(concurrency=2, rate=50.0, duration="200 ms", rounds=rounds),
        Service(name="service", port=8000, health=health, load=load, start_timeout="3 s"),
        runner=sandbox,
        process=HostProcess(),
        seed=5,
        progress=progress,
    )
    assert said
    return results


def test_two_services_are_compared(sandbox: Sandbox, python_root: Path) -> None:
    services = [
        candidate("plain", python_root, bytecode=True),
        candidate("late", python_root, bytecode=True, DELAY="0.3"),
    ]
    results = run(sandbox, services, rounds=2)
    plain, late = results["plain"], results["late"]
    assert isinstance(plain, RunFacts) and isinstance(late, RunFacts)
    assert len(plain.samples) == len(late.samples) == 2
    assert plain.read_only_root
    assert plain.writable_paths == ()
    assert plain.user == "65532:65532"
    assert plain.runner.startswith("sandbox (")
    assert "PSS" in plain.counters
    assert all(value > 1 for value in late.ratios["start_seconds"])
    assert len(plain.ratios["cpu_seconds_per_1000"]) == 2
    for facts in (plain, late):
        assert facts.round_medians.keys() == facts.ratios.keys()
        throughputs = {sample.requests_per_second is None for sample in facts.samples}
        assert len(throughputs) == 1  # in all rounds, or, where the generator was the bottleneck in one, in none
    for sample in (*plain.samples, *late.samples):
        assert sample.good > 10
        assert sample.bad == 0
        assert 0 < sample.cpu_seconds_per_1000 < 20
        assert sample.p50_ms is not None and sample.p99_ms is not None
        assert 0 < sample.p50_ms <= sample.p99_ms
        assert sample.idle_bytes is not None
        assert (1 << 20) < sample.idle_bytes <= sample.peak_bytes < (200 << 20)
        assert sample.idle_cpu_share is not None
        assert 0 <= sample.idle_cpu_share < 0.5


def test_starts_with_and_without_bytecode_are_not_compared(sandbox: Sandbox, python_root: Path) -> None:
    services = [candidate("with", python_root, bytecode=True), candidate("without", python_root, bytecode=False)]
    for facts in run(sandbox, services).values():
        assert isinstance(facts, RunFacts)
        assert "start_seconds" not in facts.ratios
        assert facts.samples[0].start_seconds > 0
        assert "cpu_seconds_per_1000" in facts.ratios


def test_a_service_that_needs_a_writable_root_is_measured_on_one(sandbox: Sandbox, python_root: Path) -> None:
    results = run(sandbox, [candidate("state", python_root, user="0", MODE="state"), candidate("plain", python_root)])
    state = results["state"]
    assert isinstance(state, RunFacts)
    assert not state.read_only_root
    assert state.writable_paths == ("/srv/state",)
    # The same, where it starts and only answers badly.
    facts = run(sandbox, [candidate("writer", python_root, user="0")], load=("/write",))["writer"]
    assert isinstance(facts, RunFacts)
    assert not facts.read_only_root
    assert facts.writable_paths == ("/srv/state",)


def test_failures_are_told_and_harm_no_other(sandbox: Sandbox, python_root: Path) -> None:
    results = run(
        sandbox,
        [
            candidate("plain", python_root),
            candidate("leaves", python_root, MODE="leave"),
            candidate("elsewhere", python_root, PORT="9999"),
            ServiceUnderTest(name="absent", root=python_root, argv=("/bin/absent",), env={}, user="65532"),
        ],
    )
    assert isinstance(results["plain"], RunFacts)
    leaves, elsewhere, absent = results["leaves"], results["elsewhere"], results["absent"]
    assert isinstance(leaves, Failure) and isinstance(elsewhere, Failure) and isinstance(absent, Failure)
    assert leaves.kind is FailureKind.FAILED
    assert leaves.reason == "the service exited with status 4"
    assert leaves.output[-1] == "line 29"
    assert elsewhere.reason.endswith("nothing listens on port 8000; it listens on 9999")
    assert absent.reason == "the service could not be started: the program /bin/absent is not in the image"


def test_a_secret_that_a_service_prints_is_masked(sandbox: Sandbox, python_root: Path) -> None:
    loud = ServiceUnderTest(
        name="loud",
        root=python_root,
        argv=(INTERPRETER, "-I", "-c", "import os, sys; print(dict(os.environ)); sys.exit('no ' + os.environ['KEY'])"),
        env={"KEY": "hunter2-hunter2"},
        secrets=("hunter2-hunter2",),
    )
    (failure,) = run(sandbox, [loud]).values()
    assert isinstance(failure, Failure)
    assert "no ***" in failure.output
    assert "hunter2" not in repr(failure)


def test_bad_answers_are_a_failure(sandbox: Sandbox, python_root: Path) -> None:
    (failure,) = run(sandbox, [candidate("bad", python_root)], load=("/", "/often-bad")).values()
    assert isinstance(failure, Failure)
    assert "requests under load got no good answer (GET /often-bad answered 500)" in failure.reason
    (failure,) = run(sandbox, [candidate("exits", python_root)], load=("/exit",)).values()
    assert isinstance(failure, Failure)
    assert failure.reason == "the service exited with status 3"
    assert failure.output[-1] == "last words"


def test_a_missing_health_path_is_one_clear_reason(sandbox: Sandbox, python_root: Path) -> None:
    (failure,) = run(sandbox, [candidate("bad", python_root)], health="/missing").values()
    assert isinstance(failure, Failure)
    assert failure.reason == "the service was not healthy within 3 s: it answered 404 at /missing"
