"""What is measured: groups of commands that do the same work, basewright's first, and the goals they are held to."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import loopback_registry
from measure import Attempt, Command, Measured

FLOOR = "inflate and two SHA-256 passes (`floor.py`)"
SYFT = "`syft scan oci-dir:LAYOUT`"
OURS = Path(sys.executable).with_name("basewright")
MEGABYTE = 1_000_000
FEW = 2
"""Rounds of what takes long and is far from any goal."""
Argv = Sequence[str | Path]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A promise about a group: `measure` gives its figure, or None where it was not measured."""

    text: str
    measure: Callable[[Mapping[str, Measured]], float | None]
    limit: float
    unit: str
    at_least: bool = False

    def is_met(self, figure: float) -> bool:
        return figure >= self.limit if self.at_least else figure <= self.limit


@dataclass(frozen=True, kw_only=True)
class Group:
    """Rows that are compared with the first."""

    key: str
    title: str
    note: str
    commands: tuple[Command, ...]
    goals: tuple[Goal, ...] = ()
    pulls: str = ""
    """The input that has to be in the registry."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where the programs, the inputs and the running registry are."""

    work: Path
    programs: Mapping[str, str | None]
    registry: str

    def peer(self, name: str, label: str, *words: str | Path, rounds: int | None = None) -> Command:
        """A peer with these words."""
        return self.command(name, label, lambda attempt: words, rounds=rounds)

    def command(
        self, name: str, label: str, words: Callable[[Attempt], Argv], *, needs: str = "", rounds: int | None = None
    ) -> Command:
        """A peer whose words depend on the attempt, and that may need another program beside it."""
        missing = [each for each in (name, needs) if each and self.programs[each] is None]
        if missing:
            return Command(label=label, missing="not installed" if missing == [name] else f"needs {missing[0]}")
        program = self.programs[name] or ""
        return Command(label=label, argv=lambda attempt: (program, *words(attempt)), rounds=rounds)

    def input(self, name: str) -> Path:
        return self.work / "inputs" / name

    def image(self, name: str) -> str:
        return f"oci:{self.input(name)}:latest"

    def fresh_registry(self, attempt: Attempt) -> str:
        """An empty one for this attempt alone: nobody may mount or skip what another pushed."""
        program = self.programs["docker-registry"] or ""
        return attempt.stack.enter_context(loopback_registry.running(program, attempt.scratch / "registry"))


def ours(label: str, *words: str | Path, second: bool = False, rounds: int | None = None) -> Command:
    """basewright with an empty cache, or (`second`) with what the same command left there before."""
    return ours_with(label, lambda attempt: words, second=second, rounds=rounds)


def ours_with(
    label: str, words: Callable[[Attempt], Argv], *, second: bool = False, missing: str = "", rounds: int | None = None
) -> Command:
    def argv(attempt: Attempt) -> Argv:
        full = (OURS, *words(attempt))
        if second:
            subprocess.run(full, env=attempt.env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return full

    return Command(label=label, argv=argv, missing=missing, rounds=rounds)


def floor(bench: Bench, name: str, rounds: int | None = None) -> Command:
    words = (sys.executable, Path(__file__).with_name("floor.py"), bench.input(name))
    return Command(label=FLOOR, argv=lambda attempt: words, rounds=rounds)


def wall(label: str) -> Callable[[Mapping[str, Measured]], float | None]:
    """A row's median wall seconds."""
    return lambda rows: rows[label].median(lambda sample: sample.wall_seconds)


def peak(label: str) -> Callable[[Mapping[str, Measured]], float | None]:
    """A row's highest peak in MB."""

    def figure(rows: Mapping[str, Measured]) -> float | None:
        samples = rows[label].samples.values()
        return max(sample.peak_bytes for sample in samples) / MEGABYTE if samples else None

    return figure


def times(slower: str, faster: str) -> Callable[[Mapping[str, Measured]], float | None]:
    """How many times the first row's wall seconds are the second's."""
    return lambda rows: rows[slower].times_slower_than(rows[faster])


def inspect_cold(bench: Bench) -> Group:
    label = "`basewright inspect oci:LAYOUT`, empty cache"
    layout, image = bench.input("calendar"), bench.image("calendar")
    few = "dpkg-db-cataloger,python-installed-package-cataloger"
    packed, plain = bench.input("packed.tar"), bench.input("plain.tar")
    return Group(
        key="inspect-cold",
        title="Reading an image, nothing known of it (46 MB, Debian and Python)",
        note="syft looks for packages only, dive for files only and checks no digest; umoci writes the files to disk. "
        "basewright looks for both, and checks both digests of every layer.",
        commands=(
            ours(label, "inspect", image),
            floor(bench, "calendar"),
            bench.peer("syft", SYFT, "scan", f"oci-dir:{layout}", "-o", "json", "-q"),
            bench.peer(
                "syft",
                "the same, Debian's and Python's packages only",
                *("scan", f"oci-dir:{layout}", "-o", "json", "-q", "--override-default-catalogers", few),
                rounds=FEW,
            ),
            bench.peer("dive", "`dive --ci`, docker-archive of gzip layers", "--ci", f"docker-archive://{packed}"),
            bench.peer("dive", "`dive --ci`, docker-archive, nothing to inflate", "--ci", f"docker-archive://{plain}"),
            bench.command(
                "umoci",
                "`umoci unpack`",
                lambda attempt: ("unpack", "--image", f"{layout}:latest", attempt.scratch / "bundle"),
                rounds=FEW,
            ),
        ),
        goals=(
            Goal(text="at least 8 times syft's speed", measure=times(SYFT, label), limit=8, unit="x", at_least=True),
            Goal(text="within twice the floor", measure=times(label, FLOOR), limit=2, unit="x"),
            Goal(text="peak memory at most 120 MB", measure=peak(label), limit=120, unit="MB"),
        ),
    )


def inspect_second(bench: Bench) -> Group:
    label = "`basewright inspect oci:LAYOUT`, again"
    return Group(
        key="inspect-second",
        title="Reading it again",
        note="The peers keep nothing of an image: their figures are those above.",
        commands=(ours(label, "inspect", bench.image("calendar"), second=True),),
        goals=(Goal(text="at most 0.15 s with start-up", measure=wall(label), limit=0.15, unit="s"),),
    )


def pull(bench: Bench, name: str = "calendar", *, large: bool = False) -> Group:
    label = "`basewright copy docker://… oci:…`"
    there = f"{bench.registry}/{name}:latest"
    skopeo, crane = "`skopeo copy docker://… oci:…`", "`crane pull --format oci`"
    memory = (Goal(text="peak memory at most 300 MB", measure=peak(label), limit=300, unit="MB"),) if large else ()
    return Group(
        key=f"pull-{name}" if large else "pull",
        title="Pulling 3.9 GB, a registry on loopback to a layout" if large else "Pulling it, the same way",
        note="",
        pulls=name,
        commands=(
            ours_with(
                label,
                lambda attempt: ("copy", f"docker://{there}", f"oci:{attempt.scratch / 'layout'}:latest"),
                missing=_needs_registry(bench),
                rounds=FEW if large else None,
            ),
            bench.command(
                "skopeo",
                skopeo,
                lambda attempt: (
                    *("copy", "--quiet", "--src-tls-verify=false"),
                    *(f"docker://{there}", f"oci:{attempt.scratch / 'layout'}:latest"),
                ),
                needs="docker-registry",
                rounds=FEW if large else None,
            ),
            bench.command(
                "crane",
                crane,
                lambda attempt: ("pull", "--insecure", "--format", "oci", there, attempt.scratch / "layout"),
                needs="docker-registry",
                rounds=FEW if large else None,
            ),
        ),
        goals=(*_at_least_as_fast(label, skopeo, crane), *memory),
    )


def push(bench: Bench) -> Group:
    label = "`basewright copy oci:… docker://…`"
    layout = bench.input("calendar")
    skopeo, crane = "`skopeo copy oci:… docker://…`", "`crane push`"
    return Group(
        key="push",
        title="Pushing it, a layout to an empty registry on loopback",
        note="Each attempt has a registry of its own.",
        commands=(
            ours_with(
                label,
                lambda attempt: ("copy", f"oci:{layout}:latest", f"docker://{bench.fresh_registry(attempt)}/it:latest"),
                missing=_needs_registry(bench),
            ),
            bench.command(
                "skopeo",
                skopeo,
                lambda attempt: (
                    *("copy", "--quiet", "--dest-tls-verify=false"),
                    *(f"oci:{layout}:latest", f"docker://{bench.fresh_registry(attempt)}/it:latest"),
                ),
                needs="docker-registry",
            ),
            bench.command(
                "crane",
                crane,
                lambda attempt: ("push", "--insecure", layout, f"{bench.fresh_registry(attempt)}/it:latest"),
                needs="docker-registry",
            ),
        ),
        goals=_at_least_as_fast(label, skopeo, crane),
    )


def _needs_registry(bench: Bench) -> str:
    return "" if bench.programs["docker-registry"] else "needs docker-registry"


def _at_least_as_fast(label: str, *peers: str) -> tuple[Goal, ...]:
    return tuple(
        Goal(
            text=f"at least as fast as {peer.strip('`').partition(' ')[0]}",
            measure=times(peer, label),
            limit=1,
            unit="x",
            at_least=True,
        )
        for peer in peers
    )


def diff(bench: Bench) -> Group:
    first, second = bench.input("calendar"), bench.input("calendar-edited")
    images = (bench.image("calendar"), bench.image("calendar-edited"))
    script = 'for each in "$2" "$3"; do "$1" unpack --image "$each:latest" "$4/${each##*/}" || exit; done; '
    script += 'diff --recursive --brief --no-dereference "$4/${2##*/}/rootfs" "$4/${3##*/}/rootfs"; test $? -le 1'
    return Group(
        key="diff",
        title="Comparing it with a build of one more line of source",
        note="The peer compares files only, and writes both images to disk.",
        commands=(
            replace(ours("`basewright diff A B`, empty cache", "diff", *images), accepts=(0, 1)),
            replace(ours("the same, again", "diff", *images, second=True), accepts=(0, 1)),
            Command(
                label="`umoci unpack` twice and `diff --recursive`",
                argv=lambda attempt: (
                    *("/bin/sh", "-c", script, "sh"),
                    *(bench.programs["umoci"] or "", first, second, attempt.scratch),
                ),
                missing="" if bench.programs["umoci"] else "not installed",
                rounds=FEW,
            ),
        ),
    )


def start(bench: Bench) -> Group:
    label = "`basewright --help`"
    return Group(
        key="start",
        title="Starting",
        note="",
        commands=(
            ours(label, "--help"),
            Command(label="`python -c pass`", argv=lambda attempt: (sys.executable, "-c", "pass")),
            *(bench.peer(name, f"`{name} --help`", "--help") for name in ("syft", "skopeo", "crane", "dive", "umoci")),
        ),
        goals=(Goal(text="at most 0.1 s", measure=wall(label), limit=0.1, unit="s"),),
    )


def large(bench: Bench, name: str, title: str) -> Group:
    cold, second = f"`basewright inspect` of {title}, empty cache", "the same, again"
    layout = bench.input(name)
    return Group(
        key=f"inspect-{name}",
        title=f"Reading {title}",
        note="",
        commands=(
            ours(cold, "inspect", bench.image(name), rounds=FEW),
            ours(second, "inspect", bench.image(name), second=True, rounds=1),
            floor(bench, name, rounds=FEW),
            bench.peer("syft", SYFT, "scan", f"oci-dir:{layout}", "-o", "json", "-q", rounds=1),
        ),
        goals=(
            Goal(text="peak memory at most 300 MB", measure=peak(cold), limit=300, unit="MB"),
            Goal(text="peak memory at most 300 MB, again", measure=peak(second), limit=300, unit="MB"),
        ),
    )


def groups(bench: Bench, *, with_large: bool) -> tuple[Group, ...]:
    """All of them, in the table's order."""
    some = (inspect_cold(bench), inspect_second(bench), pull(bench), push(bench), diff(bench), start(bench))
    if not with_large:
        return some
    return (
        *some,
        large(bench, "large", "5 GB in 320 files"),
        large(bench, "many", "500,000 files"),
        pull(bench, "large", large=True),
    )


def base_environment(work: Path) -> dict[str, str]:
    """What every measured program sees: no settings of the user's, no requests for updates, Python's bytecode kept."""
    path = os.environ.get("PATH", os.defpath)
    cache = str(work / "bytecode")
    return {"PATH": path, "LANG": "C.UTF-8", "SYFT_CHECK_FOR_APP_UPDATE": "false", "PYTHONPYCACHEPREFIX": cache}
