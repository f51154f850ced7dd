"""Root filesystems on disk."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from basewright.errors import HostileInputError, OutOfReachError
from basewright.oci.tree import Entry, FileType, Tree, directory, file, symlink
from basewright.runner.root import RootStore, read_spooled


def _tree(*entries: Entry) -> Tree:
    tree = Tree()
    for entry in entries:
        tree.add(entry)
    return tree


def test_what_is_written(tmp_path: Path) -> None:
    tree = _tree(
        file("bin/tool", b"tool", mode=0o4755),
        symlink("bin/sh", "/etc/shadow"),
        Entry(path="bin/again", type=FileType.HARDLINK, mode=0o755, link="bin/tool"),
        Entry(path="dev/sda", type=FileType.BLOCK_DEVICE, mode=0o660),
        Entry(path="run/pipe", type=FileType.FIFO, mode=0o640),
        directory("var/closed", mode=0o500),
        file("home/app/own", b"", mode=0o600, uid=65532, gid=65532),
    )
    with RootStore(tmp_path / "roots") as store:
        root = store.materialise([tree], key="k", directories=("/app", "bin"))
        tool = (root / "bin/tool").stat()
        assert (root / "bin/tool").read_bytes() == b"tool"
        assert stat.S_IMODE(tool.st_mode) == 0o755
        assert str((root / "bin/sh").readlink()) == "/etc/shadow"
        assert (root / "bin/again").read_bytes() == b"tool"
        assert not (root / "dev/sda").exists()
        assert stat.S_ISFIFO((root / "run/pipe").stat().st_mode)
        for name in ("proc", "sys", "dev", "tmp", "app", "var/closed"):
            assert (root / name).is_dir()
        assert stat.S_IMODE((root / "tmp").stat().st_mode) == 0o1777
        assert (root / "etc/hosts").is_file()
        if os.geteuid() == 0:
            assert (root / "home/app/own").stat().st_uid == 65532
        assert store.materialise([tree], key="k", directories=("/app", "bin")) == root
        assert store.materialise([tree], key="other") != root


def test_trees_are_stacked_and_links_stay_inside(tmp_path: Path) -> None:
    lower = _tree(symlink("lib", "usr/lib"), directory("usr/lib"), symlink("out", "/../../.."), file("old", b"lower"))
    upper = _tree(file("old", b"upper"))
    upper.add(file("lib/new", b"new"))
    upper.add(file("out/escaped", b"inside"))
    with RootStore(tmp_path / "roots") as store:
        root = store.materialise([lower, [entry for entry in upper if entry.is_file]], key="k")
        assert (root / "old").read_bytes() == b"upper"
        assert (root / "usr/lib/new").read_bytes() == b"new"
        assert (root / "escaped").read_bytes() == b"inside"


def test_files_of_foreign_layers_keep_their_times(tmp_path: Path) -> None:
    (tmp_path / "layer.tar").write_bytes(b"x" * 8)
    foreign = [
        Entry(path=f"f{mtime}", type=FileType.FILE, mode=0o644, size=1, spool="layer.tar", offset=at, mtime=mtime)
        for at, mtime in enumerate((1_600_000_000, -5, 1 << 61))
    ]
    with RootStore(tmp_path / "roots") as store:
        root = store.materialise([_tree(*foreign, file("ours", b"x"))], key="k", read=read_spooled(tmp_path))
        times = {each.name: int(each.stat().st_mtime) for each in root.iterdir() if each.is_file()}
    assert times == {"f1600000000": 1_600_000_000, "f-5": 0, f"f{1 << 61}": 1 << 33, "ours": 1_704_067_200}


def test_lazy_contents_are_read_from_the_spool_and_checked(tmp_path: Path) -> None:
    (tmp_path / "layer.tar").write_bytes(b"....content....")
    entry = Entry(path="a", type=FileType.FILE, mode=0o644, size=7, spool="layer.tar", offset=4)
    twin = Entry(path="b", type=FileType.FILE, mode=0o644, size=7, spool="layer.tar", offset=4)
    short = Entry(path="c", type=FileType.FILE, mode=0o644, size=70, spool="layer.tar", offset=4)
    with RootStore(tmp_path / "roots") as store:
        root = store.materialise([_tree(entry, twin)], key="k", read=read_spooled(tmp_path))
        assert (root / "a").read_bytes() == b"content"
        assert (root / "a").stat().st_ino == (root / "b").stat().st_ino
        with pytest.raises(HostileInputError, match="cut short"):
            store.materialise([_tree(short)], key="short", read=read_spooled(tmp_path))
        with pytest.raises(HostileInputError, match="c should have 70 bytes and has 0"):
            store.materialise([_tree(short)], key="none")
    assert sorted(path.name[0] for path in (tmp_path / "roots").iterdir()) == [root.parent.name[0]]


def test_two_at_once_write_one(tmp_path: Path) -> None:
    tree = _tree(*(file(f"d{number % 7}/{number}", b"x" * number) for number in range(300)))

    def write(_: int) -> Path:
        with RootStore(tmp_path / "roots") as store:
            return store.materialise([tree], key="k")

    with ThreadPoolExecutor(4) as pool:
        roots = set(pool.map(write, range(8)))
    assert len(roots) == 1
    assert len(list((tmp_path / "roots").iterdir())) == 1
    assert len(list(roots.pop().rglob("*"))) >= 300


def test_old_roots_go_unless_they_are_in_use(tmp_path: Path) -> None:
    with RootStore(tmp_path / "roots") as other:
        used = other.materialise([_tree(file("f", b"u" * 600))], key="used")
        with RootStore(tmp_path / "roots", max_bytes=1000) as store:
            old = store.materialise([_tree(file("f", b"o" * 600), directory("d", mode=0o000))], key="old")
            os.utime(old.parent, (1, 1))
            store.close()
            store.materialise([_tree(file("f", b"n"))], key="new")
        assert used.is_dir()
        assert not old.exists()


def test_a_run_that_was_killed_is_swept(tmp_path: Path) -> None:
    partial = tmp_path / "roots" / ".new-0000"
    (partial / "root" / "deep").mkdir(parents=True)
    with RootStore(tmp_path / "roots") as store:
        store.materialise([_tree(file("f", b""))], key="k")
    assert not partial.exists()


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    """In a child, since a limit of the size of files cannot be lifted again."""
    code = f"""if True:
        import resource, signal
        from pathlib import Path
        from basewright.errors import BasewrightError
        from basewright.oci.tree import Tree, file
        from basewright.runner.root import RootStore
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        tree = Tree(); tree.add(file("f", b"x" * 5000))
        try:
            RootStore(Path({str(tmp_path / "roots")!r})).materialise([tree], key="k")
        except BasewrightError as error:
            print(error.message)
    """
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "cannot be written" in told
    assert not list((tmp_path / "roots").iterdir())


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "roots").write_text("a file")
    with pytest.raises((OutOfReachError, Exception), match="cannot be written"):
        RootStore(tmp_path / "roots").materialise([_tree()], key="k")
