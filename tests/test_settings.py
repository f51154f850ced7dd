"""The settings file: what it says, what it leaves to the host, and in which words its faults are told."""

import datetime
import io
import os
import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from basewright._process import HostProcess
from basewright.cli.main import main
from basewright.cli.options import world_of
from basewright.cli.talk import Talk
from basewright.errors import ExitCode, HostileInputError, InputError
from basewright.oci.layer import read_layer
from basewright.oci.layer_limits import LayerLimits
from basewright.oci.transports.registries import Credentials, Mirror, RegistrySettings
from basewright.settings import (
    CacheTable,
    LimitsTable,
    MirrorTable,
    RegistryTable,
    Settings,
    SettingsFile,
    read_settings,
    settings_path,
)
from tests.doubles.image import archive, member, packed

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "settings.md"


def settings(folder: Path, text: str | bytes | None = None, **environ: str) -> Settings:
    """As a user with this file and nothing else has them."""
    if text is not None:
        path = folder / ".config/basewright/settings.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_settings({"HOME": str(folder), **environ}, process=HostProcess(), etc=folder / "etc")


def fault(folder: Path, text: str | bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        settings(folder, text)
    assert str(folder / ".config/basewright/settings.toml") in caught.value.message
    return caught.value


def test_without_a_file_everything_is_as_documented(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert found.limits == LayerLimits(
        uncompressed_bytes=100 << 30, ratio=200, ratio_floor_bytes=256 << 20, entries=2_000_000
    )
    assert found.cache_bytes == 8 << 30
    assert found.registries.settings_for("docker.io") == RegistrySettings()
    assert found.registries.keychain.credentials("docker.io") is None
    assert settings(tmp_path, "").limits == found.limits


def test_what_a_file_says(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        """
        [registry."docker.io"]
        mirrors = ["127.0.0.1:5000", "mirror.example/prefix", { location = "old.example", plain-http = true }]
        [registry."registry.example:8443"]
        plain-http = true
        ca-file = "ca.pem"
        [limits]
        layer-bytes = "2 GiB"
        ratio = 50
        ratio-from = "1 MB"
        entries = 1000
        [cache]
        max-bytes = "3 GB"
        """,
    )
    assert found.registries.settings_for("docker.io").mirrors == (
        Mirror(location="127.0.0.1:5000"),
        Mirror(location="mirror.example/prefix"),
        Mirror(location="old.example", plain_http=True),
    )
    assert found.registries.settings_for("registry.example:8443") == RegistrySettings(
        plain_http=True, ca_files=(str(tmp_path / ".config/basewright/ca.pem"),)
    )
    assert found.registries.settings_for("ghcr.io") == RegistrySettings()
    below_home = settings(tmp_path, "[registry.'a.io']\nca-file = '~/ca.pem'").registries
    assert below_home.settings_for("a.io").ca_files == (str(tmp_path / "ca.pem"),)
    assert found.limits == LayerLimits(uncompressed_bytes=2 << 30, ratio=50, ratio_floor_bytes=10**6, entries=1000)
    assert found.cache_bytes == 3 * 10**9


def test_where_the_file_is(tmp_path: Path) -> None:
    assert settings_path({"HOME": "/h"}) == Path("/h/.config/basewright/settings.toml")
    assert settings_path({"HOME": "/h", "XDG_CONFIG_HOME": "/c"}) == Path("/c/basewright/settings.toml")
    assert settings_path({"HOME": "/h", "BASEWRIGHT_SETTINGS": "/s.toml"}) == Path("/s.toml")
    named = tmp_path / "named.toml"
    named.write_text("[limits]\nratio = 7")
    assert settings(tmp_path, "[limits]\nratio = 8", BASEWRIGHT_SETTINGS=str(named)).limits.ratio == 7


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.toml", tmp_path):
        with pytest.raises(InputError, match=re.escape(str(path))):
            settings(tmp_path, BASEWRIGHT_SETTINGS=str(path))
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InputError, match="no regular file"):
        settings(tmp_path, BASEWRIGHT_SETTINGS=str(tmp_path / "fifo"))


def test_a_user_without_a_home(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = settings(tmp_path / "file")
    assert found.registries.settings_for("docker.io") == RegistrySettings()
    assert found.registries.keychain.credentials("docker.io") is None


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("[limits]\nratoi = 5", "limits: ", "there is no key `ratoi`"),
        ("[limit]\nratio = 5", "", "there is no key `limit`"),
        ("[limits]\nratio = '5'", "limits.ratio: ", 'expected a whole number from 1, not "5"'),
        ("[limits]\nratio = 0", "limits.ratio: ", "expected a whole number from 1, not 0"),
        ("[limits]\nlayer-bytes = 5", "limits.layer-bytes: ", "expected text, not 5"),
        ("[limits]\nlayer-bytes = '5 apples'", "limits.layer-bytes: ", "expected bytes such as `512 MiB`"),
        ("[limits]\nratio-from = '-1 MB'", "limits.ratio-from: ", "expected a number with its unit"),
        ("[cache]\nmax-bytes = ''", "cache.max-bytes: ", "expected a number with its unit"),
        ("registry = 5", "registry: ", "expected a table, not 5"),
        ("[registry]\n'docker.io' = 5", 'registry."docker.io": ', "expected a table, not 5"),
        ("[registry.'https://a.io']", 'registry."https://a.io": ', "expected the host of a registry"),
        ("[registry.docker.io]", 'registry."docker": ', "expected the host of a registry"),
        ("[registry.'a.io/team']", 'registry."a.io/team": ', "expected the host of a registry"),
        ("[registry.'a.io']\ninsecure = true", 'registry."a.io": ', "there is no key `insecure`"),
        ("[registry.'a.io']\nplain-http = 'yes'", 'registry."a.io".plain-http: ', "expected true or false"),
        ("[registry.'a.io']\nca-file = ''", 'registry."a.io".ca-file: ', "expected a file of PEM"),
        ("[registry.'a.io']\nmirrors = 'b.io'", 'registry."a.io".mirrors: ', "expected a list"),
        ("[registry.'a.io']\nmirrors = ['b.io', 5]", 'registry."a.io".mirrors[1]: ', "expected host[:port][/prefix]"),
        ("[registry.'a.io']\nmirrors = ['http://b.io']", 'registry."a.io".mirrors[0]: ', "without a scheme"),
        (
            "[registry.'a.io']\nmirrors = [{ plain-http = true }]",
            'registry."a.io".mirrors[0]: ',
            "`location` is missing",
        ),
        ("[registry.'a.io']\nmirrors = [{ location = 'b.io', x = 1 }]", 'registry."a.io".mirrors[0]: ', "key `x`"),
        ("[limits", "", "not TOML"),
        (b"# \xff", "", "line 1 is not UTF-8"),
    ],
)
def test_faults(tmp_path: Path, text: str | bytes, where: str, what: str) -> None:
    error = fault(tmp_path, text)
    assert f"settings.toml: {where}" in error.message
    assert what in error.message
    assert error.exit_code is ExitCode.FIX_INPUT


def test_a_password_in_a_mirror_is_not_shown(tmp_path: Path) -> None:
    error = fault(tmp_path, "[registry.'a.io']\nmirrors = ['me:secret@b.io']")
    assert "secret" not in f"{error.message} {error.hint}"
    assert "b.io" in error.message


# The host's own configuration


HOST = """
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "host.example"
[[registry]]
location = "plain.example"
insecure = true
"""


def test_the_host_s_own_configuration_counts_where_the_file_is_silent(tmp_path: Path) -> None:
    conf = tmp_path / "etc/containers/registries.conf"
    certificate = tmp_path / "etc/docker/certs.d/docker.io/ca.crt"
    for path, text in ((conf, HOST), (certificate, "PEM")):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    ours = '[registry."docker.io"]\nmirrors = ["ours.example"]\n[registry."plain.example"]\nplain-http = false\n'
    found = settings(tmp_path).registries
    assert found.settings_for("docker.io") == RegistrySettings(
        mirrors=(Mirror(location="host.example"),), ca_files=(str(certificate),)
    )
    assert found.settings_for("plain.example").plain_http
    found = settings(tmp_path, ours).registries
    assert found.settings_for("docker.io") == RegistrySettings(
        mirrors=(Mirror(location="ours.example"),), ca_files=(str(certificate),)
    )
    assert not found.settings_for("plain.example").plain_http


def test_a_damaged_registries_conf_stops_only_who_asks_a_registry(tmp_path: Path) -> None:
    conf = tmp_path / "etc/containers/registries.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text("[[registry]")
    found = settings(tmp_path)
    with pytest.raises(InputError, match=re.escape(str(conf))):
        found.registries.settings_for("docker.io")


def test_logins_are_docker_s(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text('{"auths": {"a.io": {"username": "me", "password": "x-secret"}}}')
    found = settings(tmp_path)
    login = found.registries.keychain.credentials("a.io")
    assert login == Credentials(username="me", password="x-secret")
    assert "secret" not in f"{found!r} {login!r} {msgspec.structs.asdict(found)}"


# As a run has them

STRATEGY = """
[service]
name = "a"
port = 8000
health = "/"
[[candidate]]
name = "a"
app = { go = "." }
base = "scratch"
"""


def test_a_run_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.toml"
    path.write_text("[limits]\nratio = 3\nratio-from = '1 MiB'\n[cache]\nmax-bytes = '1 MiB'\n")
    monkeypatch.setenv("BASEWRIGHT_SETTINGS", str(path))
    world = world_of(Talk(quiet=True, verbose=False))
    assert world.settings.cache_bytes == 1 << 20
    assert world.now.tzinfo is datetime.UTC
    bomb = packed(archive(member("zeros", bytes(4 << 20))), "gzip")
    with pytest.raises(HostileInputError, match="more than 3 times") as caught:
        read_layer(io.BytesIO(bomb), name="layer", compressed_bytes=len(bomb), limits=world.settings.limits)
    assert "limits.ratio" in caught.value.hint


def test_each_limit_is_named_by_its_setting() -> None:
    data = packed(archive(*(member(f"f{number}", os.urandom(1000)) for number in range(9))), "gzip")
    for limits, name in (
        (LayerLimits(uncompressed_bytes=1000), "limits.layer-bytes"),
        (LayerLimits(entries=5), "limits.entries"),
        (LayerLimits(ratio=1, ratio_floor_bytes=0), "limits.ratio"),
    ):
        with pytest.raises(HostileInputError) as caught:
            read_layer(io.BytesIO(data), name="layer", compressed_bytes=len(data), limits=limits)
        assert name in f"{caught.value.message} {caught.value.hint}"


def test_a_fault_ends_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.toml"
    path.write_text("[limits]\nratio = -1\n")
    monkeypatch.setenv("BASEWRIGHT_SETTINGS", str(path))
    (tmp_path / "basewright.toml").write_text(STRATEGY)
    assert main(["build", "a", "-C", str(tmp_path), "-o", str(tmp_path / "out")]) == ExitCode.FIX_INPUT
    assert f"error: {path}: limits.ratio: expected a whole number from 1, not -1" in capsys.readouterr().err


# The document


def test_every_key_is_documented_with_its_default() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    rows = set(re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE))
    tables = (RegistryTable, MirrorTable, LimitsTable, CacheTable)
    assert rows == {name for table in tables for name in table.__struct_encode_fields__}
    for table in (*tables, SettingsFile):
        for name in table.__struct_encode_fields__:
            assert re.search(rf"(?<![\w-]){name}(?![\w-])", example), name
    assert {"registry", "limits", "cache"} == set(tomllib.loads(example))


def test_the_document_s_example_is_one_and_states_the_defaults(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    found = settings(tmp_path, example)
    assert found.limits == LayerLimits()
    assert found.cache_bytes == settings(tmp_path, "").cache_bytes
    assert found.registries.settings_for("docker.io").mirrors
