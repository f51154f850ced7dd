"""Strategies: what is read from them, what is assumed, and how each fault is told."""

import datetime
import os
from pathlib import Path

import pytest

from basewright.errors import InputError
from basewright.strategy import (
    ArchiveBase,
    Bench,
    Bytecode,
    DebianBase,
    DriverName,
    GoApp,
    Platform,
    PublishedBase,
    PythonApp,
    Requirement,
    ScratchBase,
    Strategy,
)
from basewright.strategy_file import parse_strategy, read_strategy

LEAST = """
[service]
name = "calendar-api"
port = 8000

[[candidate]]
name = "go-alpine"
app = { go = "go" }
base = "alpine:3.18"
"""
FULL = """
bytecode = "none"

[service]
name = "calendar-api"
command = ["uvicorn", "calendar_api:app", "--port", "8000"]
port = 8000
health = "/healthz"
load = ["/events?limit=20"]
start-timeout = "1.5 min"
env = { LOG_LEVEL = "info", EMPTY = "" }

[[candidate]]
name = "go-alpine"
app = { go = "go", package = "./cmd/server" }
toolchain = "golang:1.24-alpine"
base = "scratch"
runtime-packages = ["ca-certificates", "tzdata"]
arguments = ["-port", "8000", ""]

[[candidate]]
name = "debian"
app = { python = "python", requirements = "requirements.txt" }
base = { debian = "trixie", packages = ["python3.13-minimal", "libstdc++6"], exclude = ["openssl"] }
bytecode = "compiled"

[[candidate]]
name = "archive"
app = { python = "python" }
base = { archive = "../base.tar" }
command = ["python", "-m", "other"]

[drivers.image_size]
weight = 3
require = "<=  150 MB"
value = { one = 1, zero = 100, scale = "log" }

[drivers.package_availability]
require = ">= 100 %"

[decision]
supersedes = "ADR-007"
previous-date = 2025-06-06

[target]
platforms = ["linux/arm64", "linux/amd64"]
region = "eu-central-1"

[bench]
concurrency = 4
rate = 50
duration = "500 ms"
rounds = 7
memory = "1.5 GiB"
processes = 64
"""


def parse(text: str) -> Strategy:
    return parse_strategy(text.encode(), Path("/repository/basewright.toml"))


def test_the_least_that_a_strategy_says() -> None:
    asked = parse(LEAST)
    assert (asked.directory, asked.path) == (Path("/repository"), Path("/repository/basewright.toml"))
    assert (asked.service.health, asked.service.load_paths, asked.service.start_timeout_seconds) == ("/", ("/",), 30)
    assert (asked.target.platforms, asked.target.region) == ((), "us-east-1")
    assert {asked.weight(driver) for driver in DriverName} == {1.0}
    assert (asked.requirements, asked.bytecode, asked.decision.supersedes) == ((), Bytecode.COMPILED, None)
    assert (asked.bench.rounds, asked.bench.memory_bytes, asked.bench) == (6, 2 << 30, Bench())
    assert asked.candidates[0].app == GoApp(go="go")
    assert asked.candidates[0].base == PublishedBase(reference="alpine:3.18")


def test_everything_that_a_strategy_says() -> None:
    asked = parse(FULL)
    go, debian, archive = asked.candidates
    assert go.app == GoApp(go="go", package="./cmd/server")
    assert (go.base, go.toolchain, go.arguments) == (ScratchBase(), "golang:1.24-alpine", ("-port", "8000", ""))
    assert go.runtime_packages == ("ca-certificates", "tzdata")
    assert debian.app == PythonApp(python="python", requirements="requirements.txt")
    assert debian.base == DebianBase(
        debian="trixie", packages=("python3.13-minimal", "libstdc++6"), exclude=("openssl",)
    )
    assert (debian.bytecode, archive.bytecode, asked.bytecode) == (Bytecode.COMPILED, None, Bytecode.NONE)
    assert (archive.base, archive.command) == (ArchiveBase(archive="../base.tar"), ("python", "-m", "other"))
    assert asked.service.env == {"LOG_LEVEL": "info", "EMPTY": ""}
    assert asked.service.start_timeout_seconds == 90
    assert (asked.weight(DriverName.IMAGE_SIZE), asked.weight(DriverName.UPDATE_FREQUENCY)) == (3, 1)
    assert asked.requirements == (
        Requirement(driver=DriverName.IMAGE_SIZE, text="<= 150 MB", operator="<=", limit="150 MB"),
        Requirement(driver=DriverName.PACKAGE_AVAILABILITY, text=">= 100 %", operator=">=", limit="100 %"),
    )
    assert asked.decision.previous_date == datetime.date(2025, 6, 6)
    assert asked.target.platforms == (Platform.LINUX_ARM64, Platform.LINUX_AMD64)
    assert (asked.bench.duration_seconds, asked.bench.memory_bytes) == (0.5, 3 << 29)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    assert parse("\ufeff" + LEAST.replace("\n", "\r\n")) == parse(LEAST)


def test_it_is_found_in_its_folder_and_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "basewright.toml").write_text(LEAST)
    (tmp_path / "other.toml").write_text(LEAST)
    assert read_strategy(tmp_path).path == tmp_path / "basewright.toml"
    assert read_strategy(tmp_path / "other.toml").file_name == "other.toml"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"basewright\.toml does not exist") as caught:
        read_strategy(tmp_path)
    assert "README" in caught.value.hint
    os.mkfifo(tmp_path / "basewright.toml")
    with pytest.raises(InputError, match="is no regular file"):
        read_strategy(tmp_path)
    (tmp_path / "large.toml").write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(InputError, match="is larger than 1,048,576 bytes"):
        read_strategy(tmp_path / "large.toml")
