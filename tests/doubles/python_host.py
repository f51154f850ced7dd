"""A host with a home, caches and an index of its own, and none of this machine's uv and pip settings."""

import os
from pathlib import Path

import pytest


def isolate(monkeypatch: pytest.MonkeyPatch, folder: Path, index_url: str) -> Path:
    """Points this process's environment into `folder`; returns a repository with an empty app folder."""
    for name in os.environ:
        if name.startswith(("UV_", "PIP_")) or name == "NETRC":
            monkeypatch.delenv(name)
    home = folder / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_CACHE_DIR", str(folder / "uv-cache"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", index_url)
    repository = folder / "repository"
    (repository / "app").mkdir(parents=True)
    (repository / ".git").mkdir()
    return repository
