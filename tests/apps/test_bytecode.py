"""Bytecode: the same bytes in any company, counted, kept, and taken by the interpreter."""

import importlib.util
import random
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest

from basewright._process import Completed, HostProcess
from basewright.apps.bytecode import CachedBytecode, compile_with, host_interpreter, host_runner, pyc_path
from basewright.errors import HostileInputError, OutOfReachError

VERSION = ".".join(str(each) for each in sys.version_info[:3])
RUN = host_runner(HostProcess())


def standard_library(count: int) -> dict[str, bytes]:
    folder = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(folder.glob("[a-h]*.py")) + sorted(folder.glob("email/*.py"))
    return {f"usr/lib/python3/{path.relative_to(folder)}": path.read_bytes() for path in files[:count]}


def compiled(sources: dict[str, bytes]) -> dict[str, bytes]:
    return compile_with(RUN, sys.executable, sources, python_version=VERSION)


def test_order_and_company_make_no_difference() -> None:
    sources = standard_library(60)
    whole = compiled(sources)
    assert len(whole) == len(sources)
    names = list(sources)
    random.Random(7).shuffle(names)
    part = compiled({name: sources[name] for name in names[:20]})
    assert all(whole[path] == data for path, data in part.items())
    alone = compiled({names[0]: sources[names[0]]})
    assert alone == {path: whole[path] for path in alone}


def test_what_the_interpreter_knows_already_makes_no_difference() -> None:
    """Such as another C library's names in `posix`, or a patched `encodings`."""
    sources = standard_library(25) | {"x.py": b"star, name = '*', 'unheard_of_elsewhere'\n"}

    def knowing(argv: Sequence[str], stdin: bytes) -> Completed:
        prelude = "import sys; known = [sys.intern(x) for x in ('*', '#', 'unheard_of_elsewhere', 'parser', 'action')]"
        return RUN((*argv[:-1], f"{prelude}\n{argv[-1]}"), stdin)

    assert compile_with(knowing, sys.executable, sources, python_version=VERSION) == compiled(sources)


def test_unchecked_hash_for_the_final_path() -> None:
    ((path, data),) = compiled({"app/pkg/mod.py": b"def f(): raise KeyError\n"}).items()
    assert path == f"app/pkg/__pycache__/mod.cpython-{sys.version_info[0]}{sys.version_info[1]}.pyc"
    assert data[:4] == importlib.util.MAGIC_NUMBER and data[4:8] == b"\x01\0\0\0"
    assert data[8:16] == importlib.util.source_hash(b"def f(): raise KeyError\n")
    assert b"/app/pkg/mod.py" in data


def test_the_interpreter_takes_it(tmp_path: Path) -> None:
    source = b"# -*- coding: latin-1 -*-\nSAID = 'caf\xe9'\nSET = {'a', 'b', 'c'} & {'b'}\n"
    ((path, data),) = compiled({"mod.py": source}).items()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / path).write_bytes(data)
    (tmp_path / "mod.py").write_text("raise SystemExit('the source was read')")
    done = subprocess.run(
        [sys.executable, "-c", "import mod; print(ascii(mod.SAID), mod.SET)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "'caf\\xe9' {'b'}\n", done.stderr


def test_what_is_not_valid_is_left_out() -> None:
    sources = {"a.py": b"def (:\n", "b.py": b"x = 1\n", "c.py": b"\xff\n", "d.py": b"\0", "e.py": b""}
    assert sorted(compiled(sources)) == sorted(pyc_path(each, VERSION) for each in ("b.py", "e.py"))


def test_asked_once_only(tmp_path: Path) -> None:
    asked: list[int] = []

    def run(argv: Sequence[str], stdin: bytes) -> Completed:
        asked.append(len(stdin))
        return RUN(argv, stdin)

    compiler = CachedBytecode(run, sys.executable, python_version=VERSION, interpreter_key="one", cache=tmp_path)
    sources = {"a.py": b"x = 1\n", "b.py": b"def (:\n"}
    first = compiler(sources)
    assert compiler(sources) == first and len(asked) == 1
    compiler({**sources, "c.py": b"y = 2\n"})
    assert len(asked) == 2 and asked[1] < asked[0]
    other = CachedBytecode(run, sys.executable, python_version=VERSION, interpreter_key="two", cache=tmp_path)
    assert other(sources) == first and len(asked) == 3


def test_interpreter_that_cannot_run() -> None:
    def run(argv: Sequence[str], stdin: bytes) -> Completed:
        return Completed(argv, 127, b"", b"exec format error\n")

    with pytest.raises(OutOfReachError, match=r"could not compile bytecode .exit status 127.: exec format error"):
        compile_with(run, "/usr/bin/python3", {"a.py": b""}, python_version=VERSION)


@pytest.mark.parametrize("cut", [12, 20])
def test_answers_are_counted(cut: int) -> None:
    def run(argv: Sequence[str], stdin: bytes) -> Completed:
        done = RUN(argv, stdin)
        return Completed(argv, 0, done.stdout[:10] if cut == 12 else done.stdout[:-cut], b"")

    with pytest.raises(HostileInputError, match=r"answers came back|cut off"):
        compile_with(run, sys.executable, {"a.py": b"x = 1\n", "b.py": b"y = 2\n"}, python_version=VERSION)


def test_host_interpreter() -> None:
    found = host_interpreter(VERSION, process=HostProcess())
    assert found is not None
    said = subprocess.run(
        [found, "-c", "import sys; print(sys.version_info[:3])"], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == str(sys.version_info[:3])
    assert host_interpreter("3.99.1", process=HostProcess()) is None
