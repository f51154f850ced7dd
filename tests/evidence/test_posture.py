"""Posture from an image's bytes: what a check finds, and what it must not find."""

from basewright.evidence.inventory import size_facts
from basewright.evidence.posture import posture_facts
from basewright.facts import NotMeasured, Owner, PostureCheck
from basewright.oci.tree import Entry, FileType, Tree, directory, file, symlink

NO_RUN = NotMeasured(reason="not run")


def tree(*entries: Entry) -> Tree:
    made = Tree()
    for entry in entries:
        made.add(entry)
    return made


def checks(made: Tree, user: str = "65532:65532") -> dict[str, PostureCheck]:
    return {each.id: each for each in posture_facts(made, user=user, run=NO_RUN).checks}


def failed(made: Tree, user: str = "65532:65532") -> dict[str, tuple[str, ...]]:
    return {name: check.found for name, check in checks(made, user).items() if check.passed is False}


def test_a_static_binary_on_nothing_fails_no_check() -> None:
    assert failed(tree(file("app/service", b"x", mode=0o755), directory("tmp", mode=0o1777))) == {}


def test_what_needs_a_run_is_not_known_without_one() -> None:
    check = checks(tree())["read-only-root"]
    assert (check.passed, check.reason) == (None, "not run")


def test_tools_are_found_behind_links_and_under_versions() -> None:
    found = failed(
        tree(
            file("usr/bin/dash", b"x", mode=0o755),
            symlink("bin", "usr/bin"),
            symlink("usr/bin/sh", "dash"),
            file("usr/bin/x86_64-linux-gnu-gcc-14", b"x", mode=0o755),
            file("usr/bin/pip3.13", b"x", mode=0o755),
        )
    )
    assert found == {
        "shell": ("/usr/bin/dash", "/usr/bin/sh"),
        "package-manager": ("/usr/bin/pip3.13",),
        "compiler": ("/usr/bin/x86_64-linux-gnu-gcc-14",),
    }


def test_names_that_only_look_alike_are_no_tools() -> None:
    assert (
        failed(
            tree(
                file("binaries/sh", b"x", mode=0o755),  # no folder of programs
                file("usr/bin/sh", b"x", mode=0o644),  # not for execution
                symlink("usr/bin/bash", "nowhere"),
                file("usr/bin/shred", b"x", mode=0o755),
            )
        )
        == {}
    )


def test_modes_and_capabilities() -> None:
    found = failed(
        tree(
            file("usr/bin/su", b"x", mode=0o4755),
            Entry(path="usr/bin/ping", type=FileType.FILE, mode=0o755, capabilities=b"\1"),
            directory("var/spool", mode=0o777),
            symlink("etc/link", "target"),
        )
    )
    assert found == {
        "setuid": ("/usr/bin/su",),
        "file-capabilities": ("/usr/bin/ping",),
        "world-writable": ("/var/spool",),
    }


def test_the_user_is_looked_up_in_the_image() -> None:
    made = tree(file("etc/passwd", b"web:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n"))
    assert [each for each in ("", "0", "root", "web", "app", "1000:1000") if "root-user" in failed(made, each)] == [
        "", "0", "root", "web",
    ]  # fmt: skip


def test_every_byte_of_the_final_tree_has_one_owner() -> None:
    base = tree(file("usr/bin/python3", b"12345"), file("etc/config", b"123"), file("app/old", b"1234567"))
    facts = size_facts(
        (),
        layers=3,
        base=base,
        is_runtime=lambda path: path == "usr/bin/python3",
        dependencies=tree(file("opt/venv/a.py", b"12")),
        application=tree(file("app/old", b"1")),
    )
    assert facts.owner_bytes == {
        Owner.SYSTEM: 3, Owner.RUNTIME: 5, Owner.DEPENDENCIES: 2, Owner.APPLICATION: 1,
    }  # fmt: skip
    assert (facts.uncompressed_bytes, facts.files, facts.wasted_bytes) == (11, 4, 7)
