"""ELF files: what they say of themselves, and that damaged ones do no harm."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.doubles.elf_file import make_elf

from basewright.ecosystems.elf import Relro, is_elf, parse_elf


def test_library() -> None:
    elf = parse_elf(
        make_elf(needed=["libz.so.1", "libc.so.6"], soname="libown.so.2", runpath="$ORIGIN/../lib:/opt/lib", relro=True)
    )
    assert elf is not None
    assert (elf.machine, elf.bits, elf.soname, elf.executable) == ("x86_64", 64, "libown.so.2", False)
    assert elf.needed == ("libz.so.1", "libc.so.6")
    assert elf.runpath == ("$ORIGIN/../lib", "/opt/lib")
    assert elf.relro is Relro.PARTIAL and elf.nx and not elf.static


def test_hardened_program() -> None:
    elf = parse_elf(
        make_elf(
            needed=["libc.so.6"],
            interpreter="/lib64/ld-linux-x86-64.so.2",
            flags_1=0x08000001,
            relro=True,
            symbols=["__stack_chk_fail"],
        )
    )
    assert elf is not None
    assert elf.interpreter == "/lib64/ld-linux-x86-64.so.2"
    assert (elf.executable, elf.pie, elf.nx, elf.relro, elf.canary) == (True, True, True, Relro.FULL, True)


def test_static_program_with_executable_stack() -> None:
    elf = parse_elf(make_elf(machine="aarch64", executable=True, executable_stack=True))
    assert elf is not None
    assert (elf.machine, elf.static, elf.pie, elf.nx, elf.relro) == ("aarch64", True, False, False, Relro.NONE)
    assert elf.canary is None


def test_what_is_no_elf() -> None:
    assert parse_elf(b"#!/bin/sh\n") is None
    assert not is_elf(b"") and parse_elf(b"") is None
    assert parse_elf(b"\x7fELF" + bytes(60)) is None


@pytest.mark.skipif(sys.platform != "linux", reason="needs an ELF file of this machine")
def test_the_interpreter_that_runs_this() -> None:
    elf = parse_elf(Path(sys.executable).resolve().read_bytes())
    assert elf is not None and elf.executable and (elf.static or any("libc" in each for each in elf.needed))


@given(st.data())
def test_damage_is_no_crash(data: st.DataObject) -> None:
    whole = bytearray(make_elf(needed=["libc.so.6"], soname="a.so", interpreter="/lib/ld.so", relro=True))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    parse_elf(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
