"""Alpine's installed database."""

from basewright.ecosystems.apk import ApkPackage, parse_apk_installed, read_apk_installed
from basewright.oci.tree import Tree, file, symlink

DATABASE = b"""C:Q1zwvKMnYs1b6ZdPTBJ0Z7D5P3jyA=
P:alpine-baselayout
V:3.4.3-r1
A:x86_64
T:base dir structure: and init scripts
o:alpine-baselayout
F:dev
F:etc
R:motd
a:0:0:600
Z:Q1SLkS9hBidUbPwwrw+XR0Whv3ww8=
F:
R:top
F:usr/share/udhcpc
M:0:0:1777
R:default.script
a:0:0:755

P:musl
V:1.2.4-r3
F:lib
R:ld-musl-x86_64.so.1
R:caf\xe9

C:no name
V:1
"""


def test_packages_with_their_files() -> None:
    first, musl = parse_apk_installed(DATABASE)
    assert first == ApkPackage(
        name="alpine-baselayout",
        version="3.4.3-r1",
        architecture="x86_64",
        origin="alpine-baselayout",
        files=("etc/motd", "top", "usr/share/udhcpc/default.script"),
    )
    assert musl.files == ("lib/ld-musl-x86_64.so.1", "lib/caf\udce9")


def test_the_database_is_found_where_lib_is_a_link_too() -> None:
    tree = Tree()
    tree.add(file("usr/lib/apk/db/installed", DATABASE))
    tree.add(symlink("lib", "usr/lib"))
    assert [each.name for each in read_apk_installed(tree)] == ["alpine-baselayout", "musl"]
    assert read_apk_installed(Tree()) == ()


def test_what_is_no_database_has_no_packages() -> None:
    assert list(parse_apk_installed(b"\x00\xff\n\nP\nR:x\n\n::\n")) == []
