"""Resolving a Python app's requirements against a real index on loopback."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.doubles.package_index import PackageIndex, make_sdist, make_wheel, serve_index
from tests.doubles.python_host import isolate

from basewright._process import HostProcess
from basewright.apps.python_dependency_file import find_dependency_file
from basewright.apps.python_resolve import is_current, resolve_python
from basewright.errors import InputError, OutOfReachError
from basewright.lock import LockedPython
from basewright.strategy import Platform, PythonApp

TARGETS = ((Platform.LINUX_AMD64, "3.13.5"),)
FILES = (
    make_wheel("web", "1.0", requires=["tool>=1", 'winonly; sys_platform == "win32"', 'extra-part; extra == "more"']),
    make_wheel("web", "2.0", requires=["tool>=1", 'winonly; sys_platform == "win32"', 'extra-part; extra == "more"']),
    make_wheel("tool", "1.5"),
    make_wheel("winonly", "1.0", tag="py3-none-win_amd64"),
    make_wheel("extra-part", "3.0"),
    make_wheel("old-python", "1.0"),
    make_sdist("sdist-only", "4.0"),
    make_sdist("unbuildable", "5.0", static=False),
    make_wheel("native", "1.0", tag="cp313-cp313-manylinux_2_28_x86_64"),
    make_wheel("native", "1.0", tag="cp313-cp313-manylinux_2_28_aarch64"),
)


@pytest.fixture(scope="module")
def index() -> Iterator[PackageIndex]:
    with serve_index(FILES) as serving:
        yield serving


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: PackageIndex) -> Path:
    return isolate(monkeypatch, tmp_path, index.url)


def resolve(
    home: Path, name: str | None = None, targets: tuple[tuple[Platform, str | None], ...] = TARGETS
) -> LockedPython:
    return resolve_python(
        home,
        PythonApp(python="app", requirements=name),
        targets=targets,
        process=HostProcess(),
        cache=home / "cache",
        progress=lambda text: None,
    )


def versions(locked: LockedPython) -> dict[str, str]:
    return {each.name: each.version for each in locked.requirements}


def test_requirements_in_every_notation(home: Path, index: PackageIndex) -> None:
    tool = index.sha256("tool-1.5-py3-none-any.whl")
    (home / "app/requirements.txt").write_text(
        "# what the service needs\n"
        "-r more.txt  # and the rest\n"
        "-c limits.txt\n"
        "tool==1.5 \\\n"
        f"    --hash=sha256:{tool} \\\n"
        f"    --hash=sha256:{'0' * 64}\n"
        'old_python ; python_version < "3.10"\n'
    )
    (home / "app/more.txt").write_text("Web[more]\n")
    (home / "app/limits.txt").write_text("web<2\n")
    locked = resolve(home)
    assert versions(locked) == {"extra-part": "3.0", "tool": "1.5", "web": "1.0", "winonly": "1.0"}
    by_name = {each.name: each for each in locked.requirements}
    assert by_name["winonly"].marker == "sys_platform == 'win32'"
    assert by_name["tool"].files[0].sha256 == tool and not by_name["tool"].files[0].first_seen
    assert by_name["web"].files[0].first_seen
    assert locked.source == "requirements.txt" and locked.requires_python == ">=3.13"


def test_lock_has_no_url(home: Path, index: PackageIndex) -> None:
    (home / "app/requirements.txt").write_text("web\n")
    assert b"http" not in msgspec.json.encode(resolve(home))


def test_all_files_of_the_index_are_locked(home: Path) -> None:
    (home / "app/requirements.txt").write_text("native\n")
    assert [each.name for each in resolve(home).requirements[0].files] == [
        "native-1.0-cp313-cp313-manylinux_2_28_aarch64.whl",
        "native-1.0-cp313-cp313-manylinux_2_28_x86_64.whl",
    ]


@pytest.mark.parametrize(("name", "version"), [("sdist-only", "4.0"), ("unbuildable", "5.0")])
def test_source_archive_is_no_failure(home: Path, name: str, version: str) -> None:
    (home / "app/requirements.txt").write_text(f"tool\n{name}\n")
    locked = resolve(home)
    assert versions(locked) == {"tool": "1.5", name: version}
    files = {each.name: each.files for each in locked.requirements}[name]
    assert [each.name for each in files] == [f"{name.replace('-', '_')}-{version}.tar.gz"]


def test_the_first_file_counts_and_groups_do_not(home: Path) -> None:
    (home / "app/pyproject.toml").write_text(
        '[project]\nname = "service"\nversion = "1"\nrequires-python = ">=3.12"\ndependencies = ["tool"]\n'
        '[dependency-groups]\ndev = ["extra-part"]\n'
    )
    assert versions(resolve(home)) == {"tool": "1.5"}
    (home / "app/requirements.txt").write_text("web==1.0\n")
    assert versions(resolve(home))["web"] == "1.0"
    (home / "app/other.txt").write_text("extra-part\n")
    assert versions(resolve(home, "other.txt")) == {"extra-part": "3.0"}


def test_pylock_is_taken_as_it_is(home: Path, index: PackageIndex) -> None:
    (home / "app/pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "hand"\ndefault-groups = ["web"]\n'
        '[[packages]]\nname = "tool"\nversion = "1.5"\n'
        f'wheels = [{{ url = "{index.url.replace("simple", "files")}/tool-1.5-py3-none-any.whl", '
        f'hashes = {{ sha256 = "{index.sha256("tool-1.5-py3-none-any.whl")}" }} }}]\n'
        '[[packages]]\nname = "web"\nversion = "1.0"\nmarker = "\'web\' in dependency_groups"\n'
        '[[packages]]\nname = "extra-part"\nversion = "3.0"\nmarker = "\'dev\' in dependency_groups"\n'
    )
    locked = resolve(home)
    assert locked.requirements[1].files[0].first_seen is False
    assert [(each.name, each.marker) for each in locked.requirements] == [
        ("extra-part", "python_version < '0'"),
        ("tool", ""),
        ("web", "python_version >= '0'"),
    ]


def test_uv_lock_of_a_project_for_another_python(home: Path, index: PackageIndex) -> None:
    """No Python of this machine has to suit the project."""
    project = '[project]\nname = "service"\nversion = "1"\nrequires-python = ">=3.39"\ndependencies = ["tool"]\n'
    (home / "app/pyproject.toml").write_text(project)
    (home / "app/uv.lock").write_text(
        'version = 1\nrevision = 3\nrequires-python = ">=3.39"\n'
        '[[package]]\nname = "service"\nversion = "1"\nsource = { virtual = "." }\ndependencies = [{ name = "tool" }]\n'
        '[package.metadata]\nrequires-dist = [{ name = "tool" }]\n'
        f'[[package]]\nname = "tool"\nversion = "1.5"\nsource = {{ registry = "{index.url}" }}\n'
        f'wheels = [{{ url = "{index.url.replace("simple", "files")}/tool-1.5-py3-none-any.whl", '
        f'hash = "sha256:{index.sha256("tool-1.5-py3-none-any.whl")}" }}]\n'
    )
    locked = resolve(home)
    assert versions(locked) == {"tool": "1.5"}
    assert locked.requires_python == ">=3.39" and not locked.requirements[0].files[0].first_seen
    (home / "app/pyproject.toml").write_text(project.replace('["tool"]', '["tool", "web"]'))
    with pytest.raises(InputError, match=r"older than pyproject.toml: it does not know the requirement web") as error:
        resolve(home)
    assert error.value.hint == "uv lock"


def test_the_oldest_target_decides(home: Path) -> None:
    (home / "app/requirements.txt").write_text('tool\nold-python ; python_version < "3.12"\n')
    two = ((Platform.LINUX_AMD64, "3.13.5"), (Platform.LINUX_AMD64, "3.11.2"))
    assert versions(resolve(home, targets=two)) == {"old-python": "1.0", "tool": "1.5"}
    assert versions(resolve(home)) == {"tool": "1.5"}


def test_what_makes_a_lock_stale(home: Path) -> None:
    app = PythonApp(python="app")
    (home / "app/requirements.txt").write_text("-r more.txt\n")
    (home / "app/more.txt").write_text("tool\n")
    locked = resolve(home)
    assert is_current(home, app, locked, targets=TARGETS)
    assert not is_current(home, app, locked, targets=((Platform.LINUX_AMD64, "3.11.2"),))
    (home / "app/more.txt").write_text("tool\nweb\n")
    assert not is_current(home, app, locked, targets=TARGETS)


def test_app_without_dependencies(home: Path) -> None:
    (home / "app/pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n")
    assert find_dependency_file(home, PythonApp(python="app")) is None
    locked = resolve(home)
    assert locked.requirements == () and is_current(home, PythonApp(python="app"), locked, targets=TARGETS)


def test_folder_of_the_repository_is_a_requirement(home: Path) -> None:
    (home / "app/requirements.txt").write_text("-e .\n../library\n")
    for path, name, needs in (("app", "service", "web"), ("library", "library", "tool")):
        (home / path).mkdir(exist_ok=True)
        (home / path / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\nversion = "1"\ndependencies = ["{needs}"]\n'
            '[build-system]\nrequires = ["tool"]\nbuild-backend = "tool"\n'
        )
    locked = resolve(home)
    assert locked.local_projects == ("library",)
    assert versions(locked) == {"tool": "1.5", "web": "2.0", "winonly": "1.0"}
    assert [each.name for each in locked.build_requirements] == ["tool"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing-has-this-name\n", "requirements.txt: .*nothing-has-this-name was not found"),
        ("tool>=9\n", "requirements.txt: Because only tool==1.5 is available"),
        ("tool>==9\n", "requirements.txt: "),
        ("-r gone.txt\n", "gone.txt does not exist"),
        ("-r ../../outside.txt\n", "outside.txt lies outside of the repository"),
        (f"tool==1.5 --hash=sha256:{'0' * 64}\n", "no file of tool 1.5 on the index has a hash that is given for it"),
        ("../../library\n", "requirements.txt: "),
    ],
)
def test_what_must_be_mended(home: Path, text: str, message: str) -> None:
    (home / "app/requirements.txt").write_text(text)
    with pytest.raises(InputError, match=message) as error:
        resolve(home)
    assert "basewright-" not in error.value.message


def test_requirement_by_url(home: Path, index: PackageIndex) -> None:
    url = f"{index.url.replace('simple', 'files')}/tool-1.5-py3-none-any.whl"
    (home / "app/requirements.txt").write_text(f"tool @ {url}\n")
    with pytest.raises(InputError, match="the requirement tool is given by URL"):
        resolve(home)


def test_index_out_of_reach(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://someone:hunter2secret@127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    (home / "app/requirements.txt").write_text("tool\n")
    with pytest.raises(OutOfReachError, match="the package index is out of reach") as error:
        resolve(home)
    assert "hunter2secret" not in error.value.message + error.value.hint


def test_private_index(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serve_index(FILES, credentials=("reader", "hunter2secret")) as private:
        (home / "app/requirements.txt").write_text("tool\n")
        monkeypatch.setenv("UV_DEFAULT_INDEX", private.url)
        with pytest.raises(OutOfReachError, match="asks for credentials"):
            resolve(home)
        netrc = tmp_path / "home/.netrc"
        netrc.write_text("machine 127.0.0.1 login reader password hunter2secret\n")
        netrc.chmod(0o600)
        locked = resolve(home)
        assert versions(locked) == {"tool": "1.5"}
        assert b"hunter2" not in msgspec.json.encode(locked)


def test_pip_settings_are_handed_on(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serve_index(FILES, credentials=("reader", "hunter2secret")) as private:
        monkeypatch.delenv("UV_DEFAULT_INDEX")
        monkeypatch.delenv("PIP_CONFIG_FILE")
        config = tmp_path / "home/.config/pip/pip.conf"
        config.parent.mkdir(parents=True)
        config.write_text(f"[global]\nindex-url = {private.url.replace('//', '//reader:hunter2secret@')}\n")
        (home / "app/requirements.txt").write_text("tool\n")
        locked = resolve(home)
        assert versions(locked) == {"tool": "1.5"} and "/simple/tool/" in private.requests
        assert b"hunter2" not in msgspec.json.encode(locked)


@pytest.mark.parametrize("offline", [True, False])
def test_folder_of_wheels(
    home: Path, index: PackageIndex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, offline: bool
) -> None:
    name, data = make_wheel("tool", "1.5")
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / name).write_bytes(data)
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_NO_INDEX" if offline else "PIP_INDEX_URL", "1" if offline else index.url)
    (home / "app/requirements.txt").write_text("tool\n")
    locked = resolve(home)
    assert [each.name for each in locked.requirements[0].files] == [name]
    assert str(tmp_path).encode() not in msgspec.json.encode(locked)
