"""Which wheel fits which target, and where a marker holds."""

import pytest

from basewright.ecosystems.pypi import (
    best_wheel,
    marker_environment,
    marker_holds,
    parse_pylock,
    platform_tags,
    version_within,
    wheel_tags,
)
from basewright.errors import InputError, OutOfReachError
from basewright.facts import RuntimeFacts
from basewright.strategy import Platform

AMD64, ARM64 = Platform.LINUX_AMD64, Platform.LINUX_ARM64
TRIXIE = RuntimeFacts(libc="glibc", libc_version="2.41", python_version="3.13.5")
ALPINE = RuntimeFacts(libc="musl", libc_version="1.2.5", python_version="3.13.5")


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("pkg-1.0-py3-none-any.whl", "amd64 arm64 musl"),
        ("pkg-1.0-py2.py3-none-any.whl", "amd64 arm64 musl"),
        ("pkg-1.0-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "amd64"),
        ("pkg-1.0-cp313-cp313-manylinux2014_aarch64.whl", "arm64"),
        ("pkg-1.0-cp313-cp313-manylinux1_x86_64.whl", "amd64"),
        ("pkg-1.0-cp313-cp313-manylinux_2_41_x86_64.whl", "amd64"),
        ("pkg-1.0-cp313-cp313-manylinux_2_42_x86_64.whl", ""),
        ("pkg-1.0-cp38-abi3-manylinux_2_28_x86_64.whl", "amd64"),
        ("pkg-1.0-cp314-abi3-manylinux_2_28_x86_64.whl", ""),
        ("pkg-1.0-cp38-abi3-musllinux_1_1_x86_64.whl", "musl"),
        ("pkg-1.0-cp313-cp313-musllinux_1_3_x86_64.whl", ""),
        ("pkg-1.0-cp313-cp313t-manylinux_2_28_x86_64.whl", ""),
        ("pkg-1.0-cp312-cp312-manylinux_2_28_x86_64.whl", ""),
        ("pkg-1.0-py3-none-manylinux_2_17_x86_64.whl", "amd64"),
        ("pkg-1.0-cp313-cp313-win_amd64.whl", ""),
        ("pkg-1.0.tar.gz", ""),
        ("not a file of any kind", ""),
    ],
)
def test_which_targets_a_wheel_fits(name: str, fits: str) -> None:
    targets = {"amd64": (AMD64, TRIXIE), "arm64": (ARM64, TRIXIE), "musl": (AMD64, ALPINE)}
    found = [each for each, target in targets.items() if best_wheel([name], wheel_tags(*target))]
    assert found == fits.split()


def test_the_best_of_several() -> None:
    names = [
        "pkg-1.0-py3-none-any.whl",
        "pkg-1.0-cp313-cp313-manylinux_2_17_x86_64.whl",
        "pkg-1.0-cp39-abi3-manylinux_2_34_x86_64.whl",
        "pkg-1.0-cp313-cp313-manylinux_2_34_x86_64.whl",
        "pkg-1.0-1-cp313-cp313-manylinux_2_34_x86_64.whl",
    ]
    tags = wheel_tags(AMD64, TRIXIE)
    assert best_wheel(names, tags) == "pkg-1.0-1-cp313-cp313-manylinux_2_34_x86_64.whl"
    assert best_wheel(reversed(names), tags) == "pkg-1.0-1-cp313-cp313-manylinux_2_34_x86_64.whl"
    assert best_wheel(names[:3], tags) == "pkg-1.0-cp313-cp313-manylinux_2_17_x86_64.whl"


def test_platform_tags_are_the_targets_own() -> None:
    tags = platform_tags(ARM64, "glibc", "2.18")
    assert tags == ("manylinux_2_18_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64", "linux_aarch64")
    assert platform_tags(AMD64, "musl", "1.1.24") == ("musllinux_1_1_x86_64", "musllinux_1_0_x86_64", "linux_x86_64")


@pytest.mark.parametrize(
    "runtime",
    [RuntimeFacts(), RuntimeFacts(python_version="3.13"), RuntimeFacts(python_version="3.13", libc="glibc")],
)
def test_an_unknown_base_is_no_answer(runtime: RuntimeFacts) -> None:
    with pytest.raises(OutOfReachError, match="not known"):
        wheel_tags(AMD64, runtime)


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("", True),
        ("python_version >= '3.13'", True),
        ("python_full_version < '3.13.5'", False),
        ("sys_platform == 'win32'", False),
        ("platform_machine == 'aarch64' and os_name == 'posix'", True),
        ("platform_python_implementation != 'PyPy' and extra == 'x'", False),
    ],
)
def test_markers_are_those_of_the_target(marker: str, holds: bool) -> None:
    assert marker_holds(marker, marker_environment(ARM64, "3.13.5")) is holds


def test_bad_marker() -> None:
    with pytest.raises(InputError, match="is not an environment marker"):
        marker_holds("python_version !!", marker_environment(AMD64, "3.13"))


def test_version_within() -> None:
    assert version_within("3.13.5", ">=3.11,<4") and not version_within("3.10.1", ">=3.11")
    assert version_within("3.13.5", "") and version_within("3.13.5", "what is this")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"\xff", "is not a pylock.toml"),
        (b"a = [", "is not a pylock.toml"),
        (b'lock-version = "2.0"', "has lock-version 2.0"),
        (b'lock-version = "1.0"\n[[packages]]\nname = 3', r"packages\[0\].name"),
    ],
)
def test_damaged_pylock(text: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_pylock(text, "pylock.toml")
