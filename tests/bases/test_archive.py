"""Bases that are files."""

import platform
import tarfile
from pathlib import Path

import pytest
from tests.doubles.world import make_world

from basewright.bases.archive import provide_archive
from basewright.candidate import host_platform
from basewright.errors import InputError
from basewright.oci.blob import BlobStore
from basewright.strategy import ArchiveBase, Platform

LIBC = next(Path("/lib").glob(f"{platform.machine()}-linux-gnu/libc.so.6"), None)


@pytest.mark.skipif(LIBC is None, reason="no Debian C library on this machine")
def test_a_root_filesystem_of_another_machine_is_refused(tmp_path: Path) -> None:
    assert LIBC is not None
    with tarfile.open(tmp_path / "root.tar", "w") as archive:
        archive.add(LIBC.resolve(), "lib/libc.so.6")
    here = host_platform()
    assert here is not None
    (other,) = set(Platform) - {here}

    def provide(wanted: Platform) -> str | None:
        store, base = BlobStore(tmp_path / "store"), ArchiveBase(archive="root.tar")
        return provide_archive(
            base,
            tmp_path,
            wanted,
            world=make_world(tmp_path),
            store=store,
            spool_directory=tmp_path / "spool",
        ).runtime.libc

    assert provide(here) == "glibc"
    with pytest.raises(InputError, match=f"root.tar holds programs for {platform.machine()}, not for {other}"):
        provide(other)
