"""Bytecode as a build input: unchecked-hash .pyc files (PEP 552), compiled by an interpreter that is run for it.

The interpreter is the image's own, inside the sandbox, or one of the same version on this machine.
"""

import hashlib
import os
import re
import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache as cached
from importlib.resources import files
from pathlib import Path

from basewright._disk import write_atomically
from basewright._process import Completed, Process
from basewright.errors import HostileInputError, OutOfReachError

Run = Callable[[Sequence[str], bytes], Completed]
"""Runs a program with bytes on standard input, to the end."""

MAX_OUTPUT_BYTES = 1 << 30
_MARK = b"BWPYC1"
_HEADER = struct.Struct(">IBI")
_FLAGS = ("-S", "-s", "-B", "-W", "ignore", "-c")
_PROBE = "import sys; print('%d.%d.%d' % sys.version_info[:3], sys.implementation.name, sys.version_info[3])"


def pyc_path(path: str, python_version: str) -> str:
    """Where the interpreter looks for the bytecode of `path`: `a/b.py` → `a/__pycache__/b.cpython-313.pyc`."""
    folder, slash, name = path.rpartition("/")
    minor = "".join(python_version.split(".")[:2])
    return f"{folder}{slash}__pycache__/{name.removesuffix('.py')}.cpython-{minor}.pyc"


def compile_with(run: Run, interpreter: str, sources: Mapping[str, bytes], *, python_version: str) -> dict[str, bytes]:
    """Path of a `.py` file in the image → source, to path of the `.pyc` → bytes.

    A source that is not valid for that interpreter is left out; every other one is answered, or HostileInputError is
    raised. What cannot run raises OutOfReachError. The bytes depend on the source, its path and the interpreter only.
    """
    if not sources:
        return {}
    paths = sorted(sources)
    request = b"".join(_frame(path, sources[path]) for path in paths)
    done = run((interpreter, *_FLAGS, _script()), request)
    if done.returncode != 0 or not done.stdout.startswith(_MARK):
        lines = done.last_lines(1)
        raise OutOfReachError(
            f"the interpreter {interpreter} could not compile bytecode (exit status {done.returncode})"
            + (f": {lines[0]}" if lines else ""),
            hint='bytecode = "none" builds without',
        )
    answers = dict(_answers(done.stdout))
    if sorted(answers) != list(range(len(paths))):
        raise HostileInputError(f"{len(paths)} sources were compiled, but {len(answers)} answers came back")
    crashed = [paths[index] for index, (status, _) in answers.items() if status > 1]
    if crashed:
        raise OutOfReachError(f"the interpreter {interpreter} died of compiling {crashed[0]}")
    return {pyc_path(paths[index], python_version): pyc for index, (status, pyc) in answers.items() if status == 0}


@cached
def _script() -> str:
    return files("basewright.apps").joinpath("bytecode_script.py").read_text("utf-8")


def _frame(path: str, source: bytes) -> bytes:
    final = ("/" + path.lstrip("/")).encode("utf-8", "surrogateescape")
    return struct.pack(">II", len(final), len(source)) + final + source


def _answers(output: bytes) -> Iterator[tuple[int, tuple[int, bytes]]]:
    at = len(_MARK) + 4
    while at < len(output):
        if at + _HEADER.size > len(output):
            raise HostileInputError("the answer of the bytecode compiler is cut off")
        index, status, size = _HEADER.unpack_from(output, at)
        at += _HEADER.size
        if at + size > len(output):
            raise HostileInputError("the answer of the bytecode compiler is cut off")
        yield index, (status, output[at : at + size])
        at += size


class CachedBytecode:
    """A `BytecodeCompiler` that asks its interpreter only for what it has not compiled before.

    `interpreter_key` names everything that the bytes depend on beside the source and its path, such as the version
    and the digest of the package or image that the interpreter is from.
    """

    def __init__(
        self, run: Run, interpreter: str, *, python_version: str, interpreter_key: str, cache: Path | None
    ) -> None:
        self._run = run
        self._interpreter = interpreter
        self._version = python_version
        self._folder = None
        if cache is not None:
            key = f"{interpreter_key} {_script()}"
            self._folder = cache / "bytecode" / hashlib.sha256(key.encode()).hexdigest()[:32]

    def __call__(self, sources: Mapping[str, bytes]) -> dict[str, bytes]:
        known: dict[str, bytes] = {}
        unknown: dict[str, bytes] = {}
        places = {path: self._place(path, source) for path, source in sources.items()}
        for path, source in sources.items():
            kept = self._read(places[path])
            if kept is None:
                unknown[path] = source
            elif kept:
                known[pyc_path(path, self._version)] = kept
        fresh = compile_with(self._run, self._interpreter, unknown, python_version=self._version)
        for path in unknown:
            place = places[path]
            if place is not None:
                # An empty file: the source is not valid for this interpreter.
                write_atomically(place, fresh.get(pyc_path(path, self._version), b""))
        return known | fresh

    def _place(self, path: str, source: bytes) -> Path | None:
        if self._folder is None:
            return None
        key = hashlib.sha256(path.encode("utf-8", "surrogateescape") + b"\0" + source).hexdigest()
        return self._folder / key[:2] / key

    @staticmethod
    def _read(place: Path | None) -> bytes | None:
        try:
            return None if place is None else place.read_bytes()
        except OSError:
            return None


def host_runner(process: Process, *, timeout_seconds: float = 600) -> Run:
    """Runs an interpreter of this machine, with nothing of this process's environment."""

    def run(argv: Sequence[str], stdin: bytes) -> Completed:
        return process.run(
            argv,
            timeout_seconds=timeout_seconds,
            env={"PYTHONHASHSEED": "0"},
            stdin=stdin,
            max_bytes=MAX_OUTPUT_BYTES,
            cwd=Path("/"),
        )

    return run


def host_interpreter(python_version: str, *, process: Process) -> str | None:
    """An interpreter on this machine whose bytecode is that of `python_version`; None where there is none.

    Given `3.13.5`, only that release will do: a point release may compile differently. Given `3.13`, any will.
    """
    for path in _host_interpreters(python_version):
        try:
            done = process.run((path, "-I", "-S", "-c", _PROBE), timeout_seconds=20, cwd=Path("/"))
        except OutOfReachError:
            continue
        words = done.stdout.decode("ascii", "replace").split()
        if done.returncode != 0 or len(words) != 3 or words[1:] != ["cpython", "final"]:
            continue
        if words[0] == python_version or words[0].rpartition(".")[0] == python_version:
            return path
    return None


def _host_interpreters(python_version: str) -> Iterator[str]:
    """Where interpreters are found: our own, PATH, what uv and pyenv installed."""
    minor = ".".join(python_version.split(".")[:2])
    seen: set[str] = set()
    home = Path.home()
    folders = [Path(each) for each in os.environ.get("PATH", "").split(os.pathsep) if each.startswith("/")]
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    managed = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv/python")
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv") / "versions"
    folders += _folders(managed, f"cpython-{minor}*/bin") + _folders(pyenv, f"{minor}*/bin")
    folders += [Path("/usr/bin"), Path("/usr/local/bin")]
    for path in (Path(sys.executable), *(folder / f"python{minor}" for folder in folders)):
        resolved = os.path.realpath(path)
        if os.access(path, os.X_OK) and resolved not in seen and not re.search(r"/shims/", str(path)):
            seen.add(resolved)
            yield str(path)


def _folders(above: Path, pattern: str) -> list[Path]:
    """What matches, the newest name last; nothing where this user may not look."""
    try:
        return sorted(above.glob(pattern))
    except OSError:
        return []
