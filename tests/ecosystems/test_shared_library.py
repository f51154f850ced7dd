"""Shared libraries that neither the tree nor its base has."""

from tests.doubles.elf_file import make_elf

from basewright.ecosystems.shared_library import missing_libraries
from basewright.oci.tree import Tree, file, symlink

SITE = "opt/venv/lib/python3.13/site-packages"


def tree_of(**files: bytes) -> Tree:
    tree = Tree()
    for path, data in files.items():
        tree.add(file(path, data))
    return tree


def base() -> Tree:
    tree = Tree()
    tree.add(symlink("lib", "usr/lib"))
    tree.add(symlink("usr/lib/x86_64-linux-gnu/libc.so.6", "libc-2.41.so"))
    tree.add(file("usr/lib/x86_64-linux-gnu/libc-2.41.so", b""))
    tree.add(file("opt/vendor/libvendor.so.1", b""))
    tree.add(file("etc/ld.so.conf.d/vendor.conf", b"# ours\n/opt/vendor\n"))
    return tree


def test_named_with_the_file_that_needs_it() -> None:
    tree = tree_of(**{f"{SITE}/lxml/etree.so": make_elf(needed=["libxml2.so.2", "libc.so.6", "libvendor.so.1"])})
    assert missing_libraries(tree, base(), machine="x86_64") == (("libxml2.so.2", f"{SITE}/lxml/etree.so"),)


def test_libraries_that_a_wheel_brings_along() -> None:
    tree = tree_of(
        **{
            f"{SITE}/pkg/a.so": make_elf(needed=["libpq-1f2e.so.5", "libinner.so"], runpath="$ORIGIN/../pkg.libs"),
            f"{SITE}/pkg.libs/libpq-1f2e.so.5": make_elf(soname="libpq-1f2e.so.5"),
            f"{SITE}/pkg/renamed.so": make_elf(soname="libinner.so"),
        }
    )
    assert missing_libraries(tree, base(), machine="x86_64") == ()


def test_runpath_into_the_base() -> None:
    bare = Tree()
    bare.add(file("opt/own/libown.so", b""))
    tree = tree_of(**{f"{SITE}/a.so": make_elf(needed=["libown.so"], runpath="/opt/own")})
    assert missing_libraries(tree, bare, machine="x86_64") == ()
    assert missing_libraries(tree, Tree(), machine="x86_64") == (("libown.so", f"{SITE}/a.so"),)


def test_files_for_other_machines_and_damaged_ones_do_not_count() -> None:
    tree = tree_of(
        **{
            f"{SITE}/other.so": make_elf(machine="aarch64", needed=["libgone.so"]),
            f"{SITE}/damaged.so": make_elf(needed=["libgone.so"])[:90],
        }
    )
    assert missing_libraries(tree, base(), machine="x86_64") == ()
