"""A user's project on disk, and the installed command run in it as a user runs it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from tests.doubles.small_service import SOURCE

COMMAND = (sys.executable, "-m", "basewright")
PYTHON_BASE = '{ debian = "trixie", packages = ["python3.13-minimal", "libpython3.13-stdlib"] }'
HEAD = """
bytecode = "none"
[service]
name = "small"
port = 8000
command = ["python3", "server.py"]
start-timeout = "3 s"
[bench]
rounds = 1
duration = "0.2 s"
memory = "256 MiB"
processes = 64
"""
SERVER = r"""
import os, sys
os.environ["MODE"] = " ".join(sys.argv[1:])
if "crash" in sys.argv:
    sys.exit("no database at " + os.environ.get("API_TOKEN", "home"))
if "elsewhere" in sys.argv:
    os.environ["PORT"] = "8001"
if "home" in sys.argv:
    open(os.path.expanduser("~/state.db"), "w").close()
if "deaf" in sys.argv:
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "fork" in sys.argv:
    for _ in range(200):
        if os.fork() == 0:
            import time
            time.sleep(600)
"""


class Also(msgspec.Struct, frozen=True):
    """A further measure."""

    value: float | str | None


class Measured(msgspec.Struct, frozen=True):
    """One measurement of the document, or why there is none."""

    value: float | None = None
    unit: str = ""
    basis: tuple[str, ...] = ()
    also: dict[str, Also] = {}
    not_measured: str = ""


class Image(msgspec.Struct, frozen=True):
    """The image that was built."""

    digest: str


class Judged(msgspec.Struct, frozen=True):
    """One candidate of the document."""

    name: str
    status: str
    reason: str
    measurements: dict[str, Measured]
    could_still_win: bool = False
    image: Image | None = None
    notes: tuple[str, ...] = ()
    hint: str = ""
    output: tuple[str, ...] = ()


class Ranked(msgspec.Struct, frozen=True):
    """One place of the ranking."""

    name: str
    score: float


class Decided(msgspec.Struct, frozen=True):
    """The decision of the document."""

    winner: str | None
    ranking: tuple[Ranked, ...]
    acceptability: dict[str, tuple[float, ...]]
    tie: tuple[str, ...]


class Document(msgspec.Struct, frozen=True):
    """The part of `evaluate --format json` that tests read."""

    schema: str
    service: str
    as_of: str
    runner: str
    seed: int
    candidates: tuple[Judged, ...]
    decision: Decided
    wrote: tuple[str, ...]

    def candidate(self, name: str) -> Judged:
        return next(each for each in self.candidates if each.name == name)


class Outcome:
    """What one call of the command came to."""

    def __init__(self, code: int, out: str, err: str, seconds: float) -> None:
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    @property
    def document(self) -> Document:
        return msgspec.json.decode(self.out, type=Document)


class Project:
    """A folder that is a git repository of its own, with a strategy and sources."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.cache = folder, cache
        (folder / ".git").mkdir(parents=True)

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode() if isinstance(text, str) else text)

    def serve(self, candidates: str, *, head: str = HEAD, files: Mapping[str, str | bytes] = {}) -> None:
        """The small service, with `candidates` as its strategy."""
        self.write({"server.py": SERVER + SOURCE, "basewright.toml": head + candidates, **files})

    def environment(self, env: Mapping[str, str] = {}) -> dict[str, str]:
        return {**os.environ, "BASEWRIGHT_CACHE": str(self.cache), "NO_COLOR": "1", **env}

    def evaluate(self, *words: str, env: Mapping[str, str] = {}, before: Sequence[str] = ()) -> Outcome:
        """`basewright evaluate --format json`; `before` is a command that runs it."""
        return self.run("evaluate", "--format", "json", *words, env=env, before=before)

    def run(self, *words: str, env: Mapping[str, str] = {}, before: Sequence[str] = ()) -> Outcome:
        started = time.monotonic()
        done = subprocess.run(
            [*before, *COMMAND, *words],
            cwd=self.folder,
            env=self.environment(env),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr, time.monotonic() - started)

    def evaluate_until(self, said: str, number: signal.Signals, *, env: Mapping[str, str] = {}) -> Outcome:
        """Evaluates until its progress says `said`, then sends the signal `number`."""
        child = subprocess.Popen(
            [*COMMAND, "evaluate", "--format", "json", "--fresh", "--verbose"],
            cwd=self.folder,
            env=self.environment(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None and child.stderr is not None
        lines = []
        with child:
            for line in child.stderr:
                lines.append(line)
                if said in line:
                    break
            time.sleep(0.1)
            child.send_signal(number)
            started = time.monotonic()
            out, rest = child.communicate(timeout=60)
        return Outcome(child.returncode, out, "".join(lines) + rest, time.monotonic() - started)

    def files(self) -> set[str]:
        """What lies in the folder, beside the repository's own."""
        return {
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if path.is_file() and ".git" not in path.relative_to(self.folder).parts
        }


def candidate(name: str, *, base: str = PYTHON_BASE, words: Sequence[str] = (), more: str = "") -> str:
    """A table of the strategy: the small service, run with `words`."""
    command = msgspec.json.encode(["python3", "server.py", *words]).decode()
    return f'[[candidate]]\nname = "{name}"\napp = {{ python = "." }}\nbase = {base}\ncommand = {command}\n{more}\n'


def left_behind(token: str, cache: Path, *, patience_seconds: float = 5.0) -> list[str]:
    """Processes with `token` among their words, mounts of the cache, and control groups whose maker is gone."""
    until = time.monotonic() + patience_seconds
    while found := [*_processes(token), *_mounts(cache), *_groups()]:
        if time.monotonic() > until:
            return found
        time.sleep(0.1)
    return []


def _processes(token: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if token.encode() in words:
            found.append(words.replace(b"\0", b" ").decode("utf-8", "replace"))
    return found


def _mounts(cache: Path) -> list[str]:
    return [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(cache) in line]


def _groups() -> list[str]:
    groups = [path for path in Path("/sys/fs/cgroup").rglob("basewright-*") if path.is_dir()]
    return [str(path) for path in groups if not Path("/proc", path.name.split("-")[1]).exists()]
