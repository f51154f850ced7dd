"""registries.conf and certs.d as podman, skopeo and docker have them."""

from pathlib import Path

import pytest

from basewright.errors import InputError
from basewright.oci.transports.host_registries import HostRegistries, is_location
from basewright.oci.transports.registries import Mirror, RegistrySettings


class Host:
    """An /etc and a home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = folder / "home/.config/containers"
        self.system = folder / "etc/containers"

    def registries(self, **environ: str) -> HostRegistries:
        return HostRegistries({"HOME": str(self.folder / "home"), **environ}, etc=self.folder / "etc")

    def settings(self, registry: str = "docker.io", **environ: str) -> RegistrySettings:
        return self.registries(**environ).settings_for(registry)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


CONF = """
unqualified-search-registries = ["docker.io"]
short-name-mode = "enforcing"
[aliases]
python = "docker.io/library/python"
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "mirror.example/hub"
[[registry.mirror]]
location = "127.0.0.1:5000"
insecure = true
[[registry.mirror]]
location = "digests.example"
pull-from-mirror = "digest-only"
[[registry]]
location = "registry.local:5000"
insecure = true
[[registry]]
prefix = "old.example"
location = "new.example/old"
[[registry]]
location = "evil.example"
blocked = true
[[registry]]
prefix = "*.wild.example"
location = "wild.example"
[[registry]]
location = "part.example/team"
blocked = true
[[registry]]
location = "digest.example"
mirror-by-digest-only = true
[[registry.mirror]]
location = "mirror.example"
"""


def test_a_host_that_settled_nothing(host: Host) -> None:
    assert host.settings() == RegistrySettings()


def test_what_is_read_of_registries_conf(host: Host) -> None:
    write(host.system / "registries.conf", CONF)
    assert host.settings().mirrors == (
        Mirror(location="mirror.example/hub"),
        Mirror(location="127.0.0.1:5000", plain_http=True),
    )
    assert host.settings("registry.local:5000") == RegistrySettings(plain_http=True)
    assert host.settings("old.example").mirrors == (Mirror(location="new.example/old"),)
    for plain in ("ghcr.io", "a.wild.example", "part.example", "digest.example"):
        assert host.settings(plain) == RegistrySettings(), plain
    with pytest.raises(InputError, match=r"evil\.example is blocked") as caught:
        host.settings("evil.example")
    assert str(host.system / "registries.conf") in caught.value.hint


def test_the_user_s_file_stands_for_the_system_s_and_drop_ins_come_on_top(host: Host) -> None:
    def registry(location: str, mirror: str) -> str:
        return f'[[registry]]\nlocation = "{location}"\n[[registry.mirror]]\nlocation = "{mirror}"\n'

    def mirror(name: str) -> str:
        return "".join(each.location for each in host.settings(name).mirrors)

    write(host.system / "registries.conf", registry("a.io", "system.io") + registry("b.io", "system.io"))
    assert mirror("b.io") == "system.io"
    write(host.user / "registries.conf", registry("a.io", "user.io"))
    assert (mirror("a.io"), mirror("b.io")) == ("user.io", "")
    write(host.system / "registries.conf.d/2.conf", registry("a.io", "second.io"))
    write(host.system / "registries.conf.d/1.conf", registry("a.io", "first.io"))
    write(host.system / "registries.conf.d/9.conf.bak", registry("a.io", "unused.io"))
    assert mirror("a.io") == "second.io"
    write(host.user / "registries.conf.d/0.conf", registry("a.io", "mine.io"))
    assert mirror("a.io") == "mine.io"
    named = write(host.folder / "named.conf", registry("c.io", "named.io"))
    found = host.settings("c.io", CONTAINERS_REGISTRIES_CONF=str(named))
    assert found.mirrors == (Mirror(location="named.io"),)


@pytest.mark.parametrize(
    "text",
    [
        "[[registry]",
        "[registry]\nlocation = 'a.io'",
        "[[registry]]\nlocation = 5",
        "[[registry]]\nlocation = 'docker.io'\n[[registry.mirror]]\nlocation = 'https://x.io'",
        "[[registry]]\nprefix = 'docker.io'\nlocation = 'no host/x'",
        "\udcff",
    ],
)
def test_a_damaged_file_is_named(host: Host, text: str) -> None:
    path = host.system / "registries.conf"
    write(path, "")
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    registries = host.registries()  # nobody is asked yet
    with pytest.raises(InputError) as caught:
        registries.settings_for("docker.io")
    assert str(path) in caught.value.message


def test_version_1_settles_nothing(host: Host) -> None:
    write(host.system / "registries.conf", "[registries.search]\nregistries = ['docker.io']\n")
    assert host.settings() == RegistrySettings()


def test_certificates_are_the_first_folder_s_that_has_some(host: Host) -> None:
    registry = "registry.local:5000"
    docker = write(host.folder / "etc/docker/certs.d" / registry / "ca.crt", "PEM")
    write(docker.with_name("client.cert"), "PEM")
    assert host.settings(registry).ca_files == (str(docker),)
    system = [write(host.system / "certs.d" / registry / name, "PEM") for name in ("a.crt", "b.crt")]
    assert host.settings(registry).ca_files == tuple(map(str, system))
    user = write(host.user / "certs.d" / registry / "mine.crt", "PEM")
    assert host.settings(registry).ca_files == (str(user),)
    for other in ("registry.local", "..", ".", "../certs.d/registry.local:5000"):
        assert host.settings(other).ca_files == ()


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("docker.io", True),
        ("localhost", True),
        ("localhost:5000/a/b", True),
        ("[::1]:5000", True),
        ("mirror.example/prefix", True),
        ("mirror", False),
        ("https://mirror.example", False),
        ("user:password@mirror.example", False),
        ("mirror.example/", False),
        ("mirror.example/UPPER", False),
        ("mirror.example/a:tag", False),
        ("mirror.example?x", False),
        ("", False),
    ],
)
def test_locations(text: str, good: bool) -> None:
    assert is_location(text) is good
