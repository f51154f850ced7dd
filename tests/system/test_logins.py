"""Logins as skopeo, podman and a helper of Debian's leave them are found here."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.doubles.registry import running_registry
from tests.doubles.registry_state import PASSWORD, USER, Registry

from basewright._process import HostProcess
from basewright.oci.transports.credentials import DockerKeychain
from basewright.oci.transports.registries import Credentials

LOGIN = Credentials(username=USER, password=PASSWORD)


def run(*words: object, env: Mapping[str, str], stdin: str = "") -> str:
    program = shutil.which(str(words[0]))
    if program is None:
        pytest.skip(f"{words[0]} is not installed")
    done = subprocess.run(
        [program, *map(str, words[1:])], env=env, input=stdin, capture_output=True, check=False, timeout=60, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as registry:
        registry.login = "basic"
        yield registry


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A user whose folders are empty."""
    run_directory = tmp_path / "run"
    run_directory.mkdir(mode=0o700)
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(run_directory)}


@pytest.mark.parametrize("tool", ["skopeo", "podman"])
def test_a_login_of_others(registry: Registry, env: dict[str, str], tool: str) -> None:
    words = ("login", "--tls-verify=false", "-u", USER, "--password-stdin", registry.host)
    run(tool, *words, env=env, stdin=PASSWORD)
    keychain = DockerKeychain(HostProcess(), env)
    assert keychain.credentials(registry.host) == LOGIN
    assert keychain.credentials("docker.io") is None
    run(tool, "logout", registry.host, env=env)
    assert keychain.credentials(registry.host) is None


def test_a_login_of_podman_s_for_a_part_of_a_registry(registry: Registry, env: dict[str, str]) -> None:
    run(
        *("podman", "login", "--tls-verify=false", "-u", USER, "--password-stdin", f"{registry.host}/team/app"),
        env=env,
        stdin=PASSWORD,
    )
    keychain = DockerKeychain(HostProcess(), env)
    assert keychain.credentials(f"{registry.host}/team/app") == LOGIN
    assert keychain.credentials(f"{registry.host}/other") is None


def test_a_password_that_debian_s_helper_keeps(env: dict[str, str]) -> None:
    helper, server = "docker-credential-pass", "https://index.docker.io/v1/"
    if any(shutil.which(each) is None for each in (helper, "pass", "gpg")):
        pytest.skip("docker-credential-pass, pass and gpg are not installed")
    home = Path(env["HOME"])
    (home / ".gnupg").mkdir(mode=0o700)
    gpg = ("gpg", "--batch", "--passphrase", "", "--quick-generate-key", "test@example.com", "default", "default")
    run(*gpg, env=env)
    run("pass", "init", "test@example.com", env=env)
    answer = f'{{"ServerURL": "{server}", "Username": "{USER}", "Secret": "{PASSWORD}"}}'
    run(helper, "store", env=env, stdin=answer)
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").write_text(f'{{"auths": {{"{server}": {{}}}}, "credsStore": "pass"}}')
    keychain = DockerKeychain(HostProcess(), env)
    try:
        assert keychain.credentials("docker.io") == LOGIN
        assert keychain.credentials("ghcr.io") is None
    finally:
        run("gpgconf", "--kill", "all", env=env)
