"""The host's own package index settings: pip's are handed to uv, which does not read them; uv's own come first.

Credentials go to the server that they are for, and into no record, lock, log or error.
"""

import base64
import configparser
import netrc
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from basewright._url import redact

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s`'\"<>)\]]+")
_UV_INDEX_KEYS = ("index", "index-url", "default-index", "extra-index-url", "find-links", "no-index")
NO_INDEX = "UV_NO_INDEX"
"""uv has an option for it and no variable of this name: whoever runs uv has to say it."""
_UV_INDEX_VARIABLES = (
    "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", NO_INDEX,
)  # fmt: skip
# What would send uv to another folder, project or interpreter than the one that is asked about.
_DROPPED = (
    "UV_WORKING_DIR", "UV_PROJECT", "UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_FROZEN", "UV_LOCKED", "UV_TORCH_BACKEND",
    "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME",
)  # fmt: skip


def uv_environment(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment to run uv with for a project in `folder`: this one, pip's settings put in where uv has none."""
    result = {name: value for name, value in environment.items() if name not in _DROPPED}
    result |= {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    # The certificates that this machine trusts, as every other door of ours does; uv's older name for it comes second.
    result.setdefault("UV_SYSTEM_CERTS", result.get("UV_NATIVE_TLS", "true"))
    result.setdefault("UV_NATIVE_TLS", result["UV_SYSTEM_CERTS"])
    pip = _pip_settings(environment)
    for option, variable in (("cert", "SSL_CERT_FILE"), ("client-cert", "SSL_CLIENT_CERT")):
        if pip.get(option) and Path(pip[option]).is_file():
            result.setdefault(variable, pip[option])
    if pip.get("trusted-host"):
        result.setdefault("UV_INSECURE_HOST", " ".join(pip["trusted-host"].split()))
    if any(environment.get(name) for name in _UV_INDEX_VARIABLES) or _uv_names_an_index(environment, folder):
        return result
    if pip.get("index-url"):
        result["UV_DEFAULT_INDEX"] = pip["index-url"].strip()
    if pip.get("extra-index-url"):
        result["UV_INDEX"] = " ".join(pip["extra-index-url"].split())
    links = [each for each in pip.get("find-links", "").split() if "://" in each or Path(each).is_dir()]
    if links:
        result["UV_FIND_LINKS"] = ",".join(links)
    if pip.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        result[NO_INDEX] = "1"
    return result


def _pip_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Options of pip by their long name, in its order: global, user and site files, then PIP_* variables."""
    settings: dict[str, str] = {}
    for path in _pip_files(environment):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                settings.update({key.replace("_", "-"): value for key, value in parser.items(section)})
    for name, value in environment.items():
        if name.startswith("PIP_") and value:
            settings[name[4:].lower().replace("_", "-")] = value
    return settings


def _pip_files(environment: Mapping[str, str]) -> Iterator[Path]:
    named = environment.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    home = Path(environment.get("HOME") or Path.home())
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    for directory in reversed((environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")):
        yield Path(directory) / "pip/pip.conf"
    yield Path("/etc/pip.conf")
    yield home / ".pip/pip.conf"
    yield config / "pip/pip.conf"
    yield Path(environment.get("VIRTUAL_ENV") or sys.prefix) / "pip.conf"
    if named:
        yield Path(named)


def _uv_tables(environment: Mapping[str, str], folder: Path) -> Iterator[dict[str, object]]:
    """uv's settings that apply in `folder`: the project's, the user's, the system's."""
    if environment.get("UV_NO_CONFIG"):
        return
    if environment.get("UV_CONFIG_FILE"):
        yield from _toml(Path(environment["UV_CONFIG_FILE"]))
        return
    for each in (folder, *folder.parents):
        tables = [*_toml(each / "uv.toml"), *_tool_uv(each / "pyproject.toml")]
        if tables:
            yield tables[0]
            break
    home = Path(environment.get("HOME") or Path.home())
    yield from _toml(Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "uv/uv.toml")
    for directory in (environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"):
        yield from _toml(Path(directory) / "uv/uv.toml")
    yield from _toml(Path("/etc/uv/uv.toml"))


def _toml(path: Path) -> Iterator[dict[str, object]]:
    with suppress(OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        yield tomllib.loads(path.read_text("utf-8"))


def _tool_uv(path: Path) -> Iterator[dict[str, object]]:
    for table in _toml(path):
        tool = table.get("tool")
        uv = tool.get("uv") if isinstance(tool, dict) else None
        if isinstance(uv, dict):
            yield uv


def _with_pip_table(table: dict[str, object]) -> Iterator[dict[str, object]]:
    yield table
    pip = table.get("pip")
    if isinstance(pip, dict):
        yield pip


def _uv_names_an_index(environment: Mapping[str, str], folder: Path) -> bool:
    return any(
        key in each
        for table in _uv_tables(environment, folder)
        for each in _with_pip_table(table)
        for key in _UV_INDEX_KEYS
    )


class Credentials:
    """Who to be to which server, from index URLs, uv's variables and netrc. Shows nothing when printed."""

    def __init__(self, environment: Mapping[str, str], folder: Path, urls: Iterable[str] = ()) -> None:
        """`environment` is that of `uv_environment`; `urls` are further indexes, such as a requirements file's."""
        self._environment = environment
        self._by_server: dict[str, tuple[str, str]] = {}
        for name, url in self._indexes(folder, urls):
            self._add(name, url)

    def headers(self, url: str) -> dict[str, str]:
        """The Authorization header that a request for `url` needs; empty where nothing is known for its server."""
        own = _user_of(url) or self._by_server.get(_server(url)) or self._netrc(url)
        if own is None:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(f"{own[0]}:{own[1]}".encode()).decode("ascii")}

    def redact(self, text: str) -> str:
        """`text` without users, passwords and queries of URLs, and without any password that is known here."""
        text = _URL.sub(lambda match: redact(match[0]), text)
        for user, password in self._by_server.values():
            for secret in (password, user if not password else ""):
                if len(secret) > 3:
                    text = text.replace(secret, "***")
        return text

    def _indexes(self, folder: Path, urls: Iterable[str]) -> Iterator[tuple[str, str]]:
        for variable in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"):
            for word in re.split(r"[\s,]+", self._environment.get(variable, "")):
                name, equals, url = word.partition("=")
                named = bool(equals) and "://" not in name
                yield (name, url) if named else ("", word)
        for table in _uv_tables(self._environment, folder):
            for each in _with_pip_table(table):
                yield from _index_urls(each)
        for url in urls:
            yield "", re.sub(r"\$\{([A-Z0-9_]+)\}", lambda match: self._environment.get(match[1], match[0]), url)

    def _add(self, name: str, url: str) -> None:
        if "://" not in url:
            return
        own = _user_of(url)
        key = re.sub(r"[^A-Z0-9]", "_", name.upper())
        user, password = (self._environment.get(f"UV_INDEX_{key}_{what}", "") for what in ("USERNAME", "PASSWORD"))
        if name and (user or password):
            own = (user or (own[0] if own else ""), password or (own[1] if own else ""))
        if own is not None:
            self._by_server.setdefault(_server(url), own)

    def _netrc(self, url: str) -> tuple[str, str] | None:
        host = urlsplit(url).hostname or ""
        home = Path(self._environment.get("HOME") or Path.home())
        named = self._environment.get("NETRC")
        for path in [Path(named)] if named else [home / ".netrc", home / "_netrc"]:
            with suppress(OSError, netrc.NetrcParseError, UnicodeDecodeError):
                found = netrc.netrc(str(path)).authenticators(host)
                if found is not None:
                    return found[0] or "", found[2] or ""
        return None


def _index_urls(table: dict[str, object]) -> Iterator[tuple[str, str]]:
    for key in ("index-url", "default-index"):
        value = table.get(key)
        if isinstance(value, str):
            yield "", value
    for key in ("extra-index-url", "find-links", "index"):
        value = table.get(key)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str):
                yield "", each
            elif isinstance(each, dict) and isinstance(each.get("url"), str):
                yield str(each.get("name") or ""), each["url"]


def _server(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def _user_of(url: str) -> tuple[str, str] | None:
    parts = urlsplit(url)
    if parts.username is None and parts.password is None:
        return None
    return unquote(parts.username or ""), unquote(parts.password or "")
