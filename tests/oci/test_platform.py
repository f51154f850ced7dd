"""Platforms, by containerd's rules."""

import platform as host

import pytest

from basewright.errors import InputError
from basewright.oci.manifest import ImagePlatform
from basewright.oci.platform import distance, host_platform, is_unknown, nearest, normalize, parse_platform


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("linux/arm64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v9", "linux/arm64/v9"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/armv5l", "linux/arm/v5"),
        ("linux/i386", "linux/386"),
        ("Linux/AMD64", "linux/amd64"),
        ("macos/arm64", "darwin/arm64"),
        ("arm64", "linux/arm64"),
        ("s390x", "linux/s390x"),
        ("windows/amd64", "windows/amd64"),
    ],
)
def test_a_platform_has_one_name(text: str, whole: str) -> None:
    assert str(parse_platform(text)) == whole


@pytest.mark.parametrize(
    "text", ["", "/", "linux/", "/amd64", "linux/amd64/v1/x", "linux/a b", "linux/amd64\n", "linux"]
)
def test_what_is_no_platform(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_platform(text)
    assert "amd64" in caught.value.hint


@pytest.mark.parametrize(
    ("machine", "whole"),
    [("x86_64", "linux/amd64"), ("AMD64", "linux/amd64"), ("aarch64", "linux/arm64"), ("armv7l", "linux/arm/v7")],
)
def test_the_host_is_linux_on_its_processor(machine: str, whole: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "machine", lambda: machine)
    assert str(host_platform()) == whole


@pytest.mark.parametrize(
    ("wanted", "fitting"),
    [
        ("linux/amd64", ["linux/amd64", "linux/amd64/v1"]),
        ("linux/amd64/v3", ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64/v1", "linux/amd64"]),
        ("linux/arm64", ["linux/arm64", "linux/arm64/v8"]),
        ("linux/arm64/v9", ["linux/arm64/v9", "linux/arm64/v8.5", "linux/arm64/v8", "linux/arm64"]),
        ("linux/arm/v7", ["linux/arm/v7", "linux/arm", "linux/arm/v6", "linux/arm/v5"]),
        ("linux/arm/v6", ["linux/arm/v6", "linux/arm/v5"]),
        ("linux/ppc64le", ["linux/ppc64le"]),
        ("windows/amd64", ["windows/amd64"]),
    ],
)
def test_a_newer_processor_runs_what_is_for_an_older_one(wanted: str, fitting: list[str]) -> None:
    everything = [
        *("linux/amd64", "linux/amd64/v1", "linux/amd64/v2", "linux/amd64/v3", "linux/amd64/v4", "linux/386"),
        *("linux/arm64", "linux/arm64/v8", "linux/arm64/v8.5", "linux/arm64/v9"),
        *("linux/arm", "linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/ppc64le", "windows/amd64"),
    ]

    def raw(text: str) -> ImagePlatform:
        system, architecture, variant = (*text.split("/"), "")[:3]
        return ImagePlatform(os=system, architecture=architecture, variant=variant)

    away = {each: distance(parse_platform(wanted), raw(each)) for each in everything}
    assert {each for each, far in away.items() if far is not None} == set(fitting)
    assert nearest(parse_platform(wanted), [(raw(each), each) for each in reversed(everything)]) in fitting[:2]


def test_variants_without_an_order_fit_themselves_only() -> None:
    odd = ImagePlatform(os="linux", architecture="riscv64", variant="rva23")
    assert distance(odd, odd) == 0
    assert distance(odd, ImagePlatform(os="linux", architecture="riscv64")) is None


def test_what_is_nothing_to_run() -> None:
    assert is_unknown(ImagePlatform(os="unknown", architecture="unknown"))
    assert not is_unknown(normalize(ImagePlatform(os="linux", architecture="arm64")))
