"""pip's and uv's settings, and who is told which password."""

import base64
import os
from pathlib import Path

import pytest

from basewright.apps.python_index import Credentials, uv_environment


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "home/work/project"
    folder.mkdir(parents=True)
    return folder


def environment(project: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(project.parents[1]), "PIP_CONFIG_FILE": os.devnull, "PATH": "/usr/bin", **more}


def authorization(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_pip_is_handed_on_where_uv_has_nothing(project: Path) -> None:
    host = environment(
        project,
        PIP_INDEX_URL="https://index.example/simple",
        PIP_EXTRA_INDEX_URL="https://a.example/s https://b.example/s",
        PIP_FIND_LINKS=f"{project} /no/such/folder",
    )
    result = uv_environment(host, project)
    assert result["UV_DEFAULT_INDEX"] == "https://index.example/simple"
    assert result["UV_INDEX"] == "https://a.example/s https://b.example/s"
    assert result["UV_FIND_LINKS"] == str(project)
    assert result["UV_PYTHON_DOWNLOADS"] == "never"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("uv.toml", 'index-url = "https://uv.example/simple"\n'),
        ("uv.toml", '[pip]\nextra-index-url = ["https://uv.example/simple"]\n'),
        ("pyproject.toml", '[[tool.uv.index]]\nurl = "https://uv.example/simple"\n'),
        ("../../.config/uv/uv.toml", '[[index]]\nurl = "https://uv.example/simple"\n'),
    ],
)
def test_uv_settings_come_first(project: Path, file: str, text: str) -> None:
    path = project / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    result = uv_environment(environment(project, PIP_INDEX_URL="https://index.example/simple"), project)
    assert "UV_DEFAULT_INDEX" not in result


def test_uv_variable_comes_first(project: Path) -> None:
    host = environment(project, UV_INDEX_URL="https://uv.example/simple", PIP_INDEX_URL="https://index.example/simple")
    assert "UV_DEFAULT_INDEX" not in uv_environment(host, project)


def test_pip_configuration_file(project: Path) -> None:
    config = project.parents[1] / ".config/pip/pip.conf"
    config.parent.mkdir(parents=True)
    config.write_text(
        "[global]\nindex_url = https://global.example/simple\n[install]\nextra-index-url =\n  https://a.example\n  https://b.example\n"
    )
    host = environment(project)
    del host["PIP_CONFIG_FILE"]
    result = uv_environment(host, project)
    assert result["UV_DEFAULT_INDEX"] == "https://global.example/simple"
    assert result["UV_INDEX"] == "https://a.example https://b.example"


def test_what_would_lead_uv_astray_is_dropped(project: Path) -> None:
    result = uv_environment(environment(project, UV_PYTHON="3.9", VIRTUAL_ENV="/venv", UV_WORKING_DIR="/"), project)
    assert not {"UV_PYTHON", "VIRTUAL_ENV", "UV_WORKING_DIR"} & set(result)


def test_who_gets_a_password(project: Path) -> None:
    (project / "uv.toml").write_text('[[index]]\nname = "in-house"\nurl = "https://house.example/simple"\n')
    (project.parents[1] / ".netrc").write_text("machine netrc.example login n password netrc-pw\n")
    host = environment(
        project,
        UV_INDEX="https://user:p%40ss@url.example/simple",
        UV_INDEX_IN_HOUSE_USERNAME="robot",
        UV_INDEX_IN_HOUSE_PASSWORD="house-pw",
        TOKEN="secret-token",
    )
    known = Credentials(host, project, urls=["https://ci:${TOKEN}@file.example/simple"])
    assert known.headers("https://url.example/files/a.whl") == authorization("user", "p@ss")
    assert known.headers("https://house.example/a.whl") == authorization("robot", "house-pw")
    assert known.headers("https://file.example/a.whl") == authorization("ci", "secret-token")
    assert known.headers("https://netrc.example/a.whl") == authorization("n", "netrc-pw")
    assert known.headers("https://own:pw@other.example/a.whl") == authorization("own", "pw")
    for url in ("https://files.example/a.whl", "http://url.example/a.whl", "https://url.example:8443/a.whl"):
        assert known.headers(url) == {}


def test_nothing_secret_is_shown(project: Path) -> None:
    known = Credentials(environment(project, UV_INDEX="https://user:hunter2@url.example/simple"), project)
    said = known.redact("failed: https://user:hunter2@url.example/a?token=abc (tried hunter2)")
    assert said == "failed: https://url.example/a (tried ***)"
    assert "hunter2" not in repr(known)
