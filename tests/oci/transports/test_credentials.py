"""The user's logins: docker's and podman's files, helpers on PATH; nothing secret in an error."""

import base64
import json
import stat
import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest

from basewright._process import HostProcess
from basewright.errors import BasewrightError, ExitCode
from basewright.oci.transports.credentials import DockerKeychain
from basewright.oci.transports.registries import Credentials

SECRET = "pässwörd-nobody-sees"
LOGIN = Credentials(username="me", password=SECRET)
HUB = "https://index.docker.io/v1/"


def encoded(text: str = f"me:{SECRET}") -> str:
    return base64.b64encode(text.encode()).decode()


class Home:
    """A user's folder with files of logins, and a folder of programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"HOME": str(folder), "PATH": f"{folder}/bin:/usr/bin:/bin"}

    def write(self, name: str, content: object) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    def docker(self, **config: object) -> Path:
        return self.write(".docker/config.json", config)

    def helper(self, name: str, script: str) -> None:
        """A program of the shell, its argument $1 and the server's name in $server; `asked` notes them."""
        note = f'read -r server; echo "$1 $server" >> {self.folder}/asked\n'
        path = self.write(f"bin/docker-credential-{name}", f"#!/bin/sh\n{note}{script}\n".encode())
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def asked(self) -> list[str]:
        path = self.folder / "asked"
        return path.read_text().splitlines() if path.exists() else []

    def keychain(self, **environ: str) -> DockerKeychain:
        return DockerKeychain(HostProcess(), {**self.environ, **environ}, helper_seconds=2)

    def login(self, registry: str, **environ: str) -> Credentials | None:
        found = self.keychain(**environ).credentials(registry)
        assert SECRET not in f"{found} {found!r}"
        return found

    def fault(self, registry: str, **environ: str) -> BasewrightError:
        with pytest.raises(BasewrightError) as caught:
            self.keychain(**environ).credentials(registry)
        told = f"{caught.value} {caught.value.message} {caught.value.hint}"
        told += "".join(traceback.format_exception(caught.value))
        for secret in (SECRET, encoded(), "me:", "leaked"):
            assert secret not in told
        return caught.value


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def answering(username: str = "me", secret: str = SECRET) -> str:
    answer = json.dumps({"ServerURL": "x", "Username": username, "Secret": secret})
    return f"cat <<'END'\n{answer}\nEND"


# Files


def test_nobody_logged_in(home: Home) -> None:
    assert home.login("docker.io") is None
    home.docker()
    home.write(".config/containers/auth.json", {"auths": None})
    assert home.login("docker.io") is None


@pytest.mark.parametrize(
    "entry",
    [
        {"auth": encoded()},
        {"username": "me", "password": SECRET},
        {"auth": encoded(), "username": "other", "password": "other", "email": None},
        {"auth": encoded(f"me:{SECRET}\0\0")},
    ],
)
def test_how_a_login_is_written(home: Home, entry: Mapping[str, object]) -> None:
    home.docker(auths={"ghcr.io": entry, "other.example": {"auth": "damaged"}}, HttpHeaders={"a": "b"})
    assert home.login("ghcr.io") == LOGIN
    assert home.login("quay.io") is None


def test_an_identity_token(home: Home) -> None:
    home.docker(auths={"a.example": {"auth": encoded("me:"), "identitytoken": SECRET}})
    assert home.login("a.example") == Credentials(identity_token=SECRET)


def test_a_password_with_colons_and_one_that_is_not_utf_8(home: Home) -> None:
    home.docker(auths={"a.example": {"auth": encoded("me:a:b")}, "b.example": {"auth": "bWU6/w=="}})
    assert home.login("a.example") == Credentials(username="me", password="a:b")
    found = home.login("b.example")
    assert found is not None
    assert found.password.encode("utf-8", "surrogateescape") == b"\xff"


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        (HUB, "docker.io"),
        ("docker.io", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("https://registry-1.docker.io", "docker.io"),
        ("https://ghcr.io", "ghcr.io"),
        ("https://ghcr.io/v2/", "ghcr.io"),
        ("http://127.0.0.1:5000/v1/", "127.0.0.1:5000"),
        ("GHCR.io", "ghcr.io"),
    ],
)
def test_how_a_registry_is_written(home: Home, key: str, registry: str) -> None:
    home.docker(auths={key: {"auth": encoded()}})
    assert home.login(registry) == LOGIN


def test_a_key_is_of_one_registry_only(home: Home) -> None:
    keys = ("https://index.docker.io/v1/access-token", "ghcr.io.evil.example", "ghcr.io:5000", "evil.ghcr.io", "io")
    home.docker(auths={key: {"auth": encoded()} for key in keys})
    assert home.login("docker.io") is None
    assert home.login("ghcr.io") is None


def test_docker_s_own_key_comes_before_others_of_docker_hub(home: Home) -> None:
    for keys in ((HUB, "docker.io"), ("docker.io", HUB)):
        home.docker(auths={key: {"auth": encoded() if key == HUB else encoded("other:x")} for key in keys})
        assert home.login("docker.io") == LOGIN


def test_podman_s_logins_for_a_part_of_a_registry(home: Home) -> None:
    home.write(
        ".config/containers/auth.json",
        {
            "auths": {
                "quay.io/team": {"auth": encoded()},
                "quay.io/team/app": {"auth": encoded("app:x")},
                "quay.io": {"auth": encoded("all:x")},
            }
        },
    )
    for asked, user in (
        ("quay.io/team/app", "app"),
        ("quay.io/team/app/part", "app"),
        ("quay.io/team/other", "me"),
        ("quay.io/teams", "all"),
        ("quay.io", "all"),
    ):
        found = home.login(asked)
        assert found is not None
        assert found.username == user, asked


def test_the_first_file_that_knows_counts(home: Home) -> None:
    def auths(user: str, *registries: str) -> dict[str, object]:
        return {"auths": {each: {"auth": encoded(f"{user}:x")} for each in registries}}

    home.write("docker/config.json", auths("docker", "a.io"))
    home.write("named.json", auths("named", "a.io", "b.io"))
    home.write("run/containers/auth.json", auths("run", "a.io", "b.io", "c.io"))
    home.write("config/containers/auth.json", auths("config", "a.io", "b.io", "c.io", "d.io"))
    home.docker(**auths("unused", "a.io", "b.io", "c.io", "d.io"))
    keychain = home.keychain(
        DOCKER_CONFIG=f"{home.folder}/docker",
        REGISTRY_AUTH_FILE=f"{home.folder}/named.json",
        XDG_RUNTIME_DIR=f"{home.folder}/run",
        XDG_CONFIG_HOME=f"{home.folder}/config",
    )
    found = [keychain.credentials(each) for each in ("a.io", "b.io", "c.io", "d.io")]
    assert [each and each.username for each in found] == ["docker", "named", "run", "config"]


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b'{"auths": []}',
        b"\xff\xfe",
        b'{"auths": {"a": {}}, "credsStore": 1}',
        b"[" * 5000,
        b" " * (2 << 20),
    ],
)
def test_a_damaged_file_is_named_when_a_login_is_wanted(home: Home, content: bytes) -> None:
    path = home.write(".docker/config.json", content)
    keychain = home.keychain()  # which asks nobody yet
    error = home.fault("ghcr.io")
    assert error.exit_code is ExitCode.FIX_INPUT
    assert str(path) in error.message
    assert error.hint
    path.write_text("\n")  # mended meanwhile
    assert keychain.credentials("ghcr.io") is None


@pytest.mark.parametrize(
    "entry",
    [
        {"auth": f"not base64 {SECRET}"},
        {"auth": encoded("no colon")},
        {"auth": 1},
        {"auth": "bWU6"[:3]},
        [SECRET],
        {"username": SECRET, "password": 5},
    ],
)
def test_a_damaged_login_is_named(home: Home, entry: object) -> None:
    path = home.docker(auths={"ghcr.io": entry, "quay.io": {"auth": encoded()}})
    error = home.fault("ghcr.io")
    assert error.exit_code is ExitCode.FIX_INPUT
    assert "ghcr.io" in error.message
    assert str(path) in error.message
    assert home.login("quay.io") == LOGIN


def test_what_is_no_file(home: Home) -> None:
    (home.folder / ".docker/config.json").mkdir(parents=True)
    assert "no regular file" in home.fault("ghcr.io").message


# Helpers


def test_a_helper_for_all_registries(home: Home) -> None:
    home.helper("vault", answering())
    home.docker(auths={HUB: {}, "ghcr.io": {}}, credsStore="vault")
    assert home.login("ghcr.io") == LOGIN
    assert home.login("docker.io") == LOGIN
    assert home.asked() == ["get ghcr.io", f"get {HUB}"]


def test_a_helper_for_one_registry_comes_first(home: Home) -> None:
    home.helper("vault", answering())
    home.helper("one", answering(username="one"))
    home.docker(credHelpers={"ghcr.io": "one", "": "vault"}, credsStore="vault")
    found = home.login("ghcr.io")
    assert found is not None
    assert found.username == "one"
    assert home.login("quay.io") == LOGIN


def test_a_helper_s_identity_token(home: Home) -> None:
    home.helper("vault", answering(username="<token>"))
    home.docker(credsStore="vault")
    assert home.login("ghcr.io") == Credentials(identity_token=SECRET)


@pytest.mark.parametrize("where", ["", ">&2"])
def test_a_helper_that_knows_no_login(home: Home, where: str) -> None:
    home.helper("vault", f"echo 'credentials not found in native keychain' {where}; exit 1")
    home.docker(credsStore="vault", auths={"quay.io": {"auth": encoded()}})
    assert home.login("ghcr.io") is None
    assert home.login("quay.io") == LOGIN
    assert home.login("docker.io") is None
    assert home.asked()[2:] == [f"get {HUB}", "get docker.io"]  # docker's word for it, then podman's


@pytest.mark.parametrize(
    "script",
    [
        f"echo '{SECRET} leaked'; echo '{SECRET} leaked' >&2; exit 1",
        f"echo '{SECRET} leaked'",
        f"""echo '{{"Username": 1, "Secret": "{SECRET}"}}'""",
        "printf '\\377'",
        "kill -9 $$",
    ],
)
def test_a_helper_that_fails(home: Home, script: str) -> None:
    home.helper("vault", script)
    path = home.docker(credsStore="vault")
    error = home.fault("ghcr.io")
    assert error.exit_code is ExitCode.COULD_NOT_TELL
    assert "docker-credential-vault" in error.message
    assert "ghcr.io" in error.message
    assert str(path) in error.hint


def test_a_helper_that_hangs_is_ended(home: Home) -> None:
    home.helper("vault", "sleep 60")
    home.docker(credsStore="vault")
    assert "did not end within 2 s" in home.fault("ghcr.io").message


def test_a_helper_that_is_not_there(home: Home) -> None:
    path = home.docker(credsStore="desktop.exe")
    error = home.fault("ghcr.io")
    assert error.exit_code is ExitCode.COULD_NOT_TELL
    assert "docker-credential-desktop.exe is not on this machine" in error.message
    assert str(path) in error.hint


@pytest.mark.parametrize("name", ["../evil", "/bin/evil", "x/../../evil", "-x", "a b", "a\nb", ".", "a\0b"])
def test_a_helper_s_name_is_no_path(home: Home, name: str) -> None:
    home.helper("x", answering())
    home.write("evil", b'#!/bin/sh\ntouch "$HOME/ran"\n').chmod(0o755)
    home.docker(credsStore=name)
    error = home.fault("ghcr.io")
    assert error.exit_code is ExitCode.FIX_INPUT
    assert "\n" not in error.message
    assert not (home.folder / "ran").exists()


def test_no_helper_is_asked_for_what_a_file_before_it_knows(home: Home) -> None:
    home.docker(auths={"ghcr.io": {"auth": encoded()}})
    home.write(".config/containers/auth.json", {"credsStore": "gone"})
    assert home.login("ghcr.io") == LOGIN
