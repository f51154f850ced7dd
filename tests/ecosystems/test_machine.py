"""Executables against the architecture that an image states."""

from tests.doubles.elf_file import make_elf

from basewright.ecosystems.elf import parse_machine
from basewright.ecosystems.machine import foreign_programs
from basewright.oci.tree import Tree, file


def root(**programs: str) -> Tree:
    tree = Tree()
    for name, machine in programs.items():
        tree.add(file(f"usr/bin/{name}", make_elf(machine=machine, executable=True), mode=0o755))
    return tree


def test_programs_of_another_machine_are_named() -> None:
    tree = root(ls="x86_64", sh="aarch64")
    assert [(each.path, each.machine) for each in foreign_programs(tree, "amd64")] == [("usr/bin/sh", "aarch64")]
    assert [(each.path, each.machine) for each in foreign_programs(tree, "arm64")] == [("usr/bin/ls", "x86_64")]


def test_what_is_no_program_says_nothing() -> None:
    tree = Tree()
    tree.add(file("usr/lib/libother.so", make_elf(machine="aarch64"), mode=0o644))
    tree.add(file("usr/local/go/src/debug/elf/testdata/program", make_elf(machine="aarch64"), mode=0o755))
    tree.add(file("usr/bin/script", b"#!/bin/sh\n", mode=0o755))
    assert not list(foreign_programs(tree, "amd64"))
    assert not list(foreign_programs(root(ls="aarch64"), "mips64le"))


def test_programs_of_32_bits_are_at_home_beside_native_ones_only() -> None:
    i386 = make_elf(machine="x86_64", executable=True)
    i386 = i386[:18] + b"\x03\x00" + i386[20:]
    tree = root(ls="x86_64")
    tree.add(file("usr/bin/old", i386, mode=0o755))
    assert not list(foreign_programs(tree, "amd64"))
    tree.remove("usr/bin/ls")
    assert [each.machine for each in foreign_programs(tree, "amd64")] == ["i386"]


def test_a_head_is_enough() -> None:
    head = make_elf(machine="aarch64", executable=True)[:64]
    assert parse_machine(head) == "aarch64"
    big = head[:5] + b"\x02" + head[6:16] + b"\x00\x02\x00\x16" + head[20:]
    assert parse_machine(big) == "s390x"
    assert parse_machine(head[:19]) is None and parse_machine(b"\x7fELF" + bytes(60)) is None
    relocatable = head[:16] + b"\x01\x00" + head[18:]
    assert parse_machine(relocatable) is None
