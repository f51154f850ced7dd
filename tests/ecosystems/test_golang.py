"""Go's version order, and build information read from binaries of every shape."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.doubles.go_binary import elf, inline_info

from basewright.ecosystems.golang import GoVersion, parse_go_binary

MODULES = (
    "path\texample.com/shop/cmd/server\n"
    "mod\texample.com/shop\t(devel)\t\n"
    "dep\tgithub.com/google/uuid\tv1.6.0\th1:NIvaJDMOsjHA8n1jAhLSgzrAzy1Hgr+hNrb57e+94F0=\n"
    "dep\texample.com/old\tv1.0.0\n"
    "=>\texample.com/new\tv1.2.3\th1:abc=\n"
    "build\t-trimpath=true\n"
    'build\t-ldflags="-s -w \\"x\\""\n'
    "build\tCGO_ENABLED=0\n"
    "build\tGOARCH=arm64\n"
    "build\tGOOS=linux\n"
)


def test_versions_are_ordered_as_go_orders_them() -> None:
    words = [
        "1.9",
        "1.20rc1",
        "1.20",
        "1.20.14",
        "1.21",
        "1.21rc2",
        "1.21.0",
        "1.24.2",
        "1.24.13",
        "1.25beta1",
        "1.25rc1",
    ]
    assert [str(version) for version in sorted(map(GoVersion, reversed(words)))] == words


def test_a_version_is_read_from_what_go_prints() -> None:
    assert str(GoVersion("go1.24.13 X:nocoverageredesign")) == "1.24.13"
    assert str(GoVersion("go1.22.1-custom")) == "1.22.1"
    assert GoVersion("1.20") == GoVersion("go1.20.0")
    assert GoVersion("1.24").line == "1.24" and not GoVersion("1.24").is_release
    assert GoVersion("1.24rc1").is_prerelease and GoVersion("1.20").is_release


@pytest.mark.parametrize("text", ["", "go", "1.24.x", "devel go1.25", "1.24.1.2", "v1.24", "1.24rc", "9" * 40])
def test_other_words_are_no_version(text: str) -> None:
    with pytest.raises(ValueError, match="not a version of Go"):
        GoVersion(text)


def test_a_binary_says_what_it_was_built_from() -> None:
    binary = parse_go_binary(elf(inline_info("go1.24.13", MODULES)))
    assert binary is not None
    assert (binary.go_version, binary.architecture, binary.interpreter) == ("go1.24.13", "arm64", None)
    assert binary.package == "example.com/shop/cmd/server"
    assert binary.main is not None and binary.main.path == "example.com/shop"
    assert [(module.path, module.version, module.replaced) for module in binary.modules] == [
        ("github.com/google/uuid", "v1.6.0", ""),
        ("example.com/new", "v1.2.3", "example.com/old"),
    ]
    assert binary.settings["-ldflags"] == '-s -w "x"'
    assert binary.settings["GOARCH"] == "arm64"


def test_a_binary_without_section_names_is_still_read() -> None:
    binary = parse_go_binary(elf(inline_info("go1.24.13", MODULES), section=False, machine=62))
    assert binary is not None and binary.architecture == "amd64"


def test_the_loader_of_a_dynamic_binary_is_named() -> None:
    binary = parse_go_binary(elf(inline_info("go1.24.13", MODULES), interpreter=b"/lib/ld-musl-x86_64.so.1\0"))
    assert binary is not None and binary.interpreter == "/lib/ld-musl-x86_64.so.1"


def test_a_binary_of_before_1_18_points_to_its_strings() -> None:
    version, base = b"go1.17.13", 0x401000
    listed = b"\x30" * 16 + MODULES.encode() + b"\x31" * 16
    strings = 32
    headers = struct.pack("<QQQQ", base + strings + 32, len(version), base + strings + 32 + len(version), len(listed))
    info = b"\xff Go buildinf:" + bytes((8, 0)) + struct.pack("<QQ", base + strings, base + strings + 16)
    binary = parse_go_binary(elf(info + headers + version + listed))
    assert binary is not None and binary.go_version == "go1.17.13" and len(binary.modules) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"#!/bin/sh\n",
        b"\x7fELF" + bytes(200),
        elf(b"no information at all"),
        elf(inline_info("go1.24.13", MODULES))[:0x1010],
        elf(b"\xff Go buildinf:" + bytes((8, 2)) + bytes(16) + b"\xff" * 9),
        elf(b"\xff Go buildinf:" + bytes((8, 0)) + b"\xff" * 16),
    ],
)
def test_what_is_no_go_binary_is_none(data: bytes) -> None:
    assert parse_go_binary(data) is None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_binary_never_raises(data: st.DataObject) -> None:
    whole = bytearray(elf(inline_info("go1.24.13", MODULES), interpreter=b"/lib/ld.so\0"))
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.sampled_from((*range(180), *range(0x1000, len(whole)))))
        whole[place] = data.draw(st.integers(0, 255))
    parse_go_binary(bytes(whole))


def test_a_32_bit_big_endian_header_is_understood() -> None:
    info = inline_info("go1.24.13", MODULES)
    header = b"\x7fELF\x01\x02\x01" + bytes(9)
    header += struct.pack(">HHIIIIIHHHHHH", 2, 8, 1, 0, 52, 0, 0, 52, 32, 1, 40, 0, 0)
    segment = struct.pack(">IIIIIIII", 1, 0x1000, 0x1000, 0, len(info), len(info), 6, 4096)
    binary = parse_go_binary((header + segment).ljust(0x1000, b"\0") + info)
    assert binary is not None and binary.go_version == "go1.24.13" and binary.architecture == "8"
