"""Whose bytes they are: by what the image says itself, and unexplained where it says nothing."""

import msgspec
import pytest

from basewright.evidence.inventory import size_facts
from basewright.evidence.ownership import Ownership, find_owners
from basewright.facts import Owner
from basewright.oci.manifest import RunConfig
from basewright.oci.tree import Entry, Tree, file, symlink

GO_HEAD = b"\x7fELF".ljust(3960, b"\0") + b"\x04\0\0\0S\0\0\0\x04\0\0\0Go\0\0" + b"b" * 83
STATUS = "Package: {0}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n"


def root(files: dict[str, bytes | str], *, links: dict[str, str] | None = None) -> Tree:
    tree = Tree()
    for path, target in (links or {}).items():
        tree.add(symlink(path, target))
    for path, data in files.items():
        tree.add(file(path, data.encode() if isinstance(data, str) else data, mode=0o755))
    return tree


def owners(tree: Tree, config: RunConfig = RunConfig()) -> dict[str, str]:
    """Owner of every regular file."""
    found = find_owners(tree, config)
    return {each.path: found.by_path.get(each.path, Owner.UNEXPLAINED).value for each in tree if each.is_file}


def test_dpkg_s_lists_name_the_files_of_installed_packages() -> None:
    tree = root(
        {
            "var/lib/dpkg/status": STATUS.format("bash")
            + STATUS.format("python3.13-minimal")
            + "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n",
            "var/lib/dpkg/info/bash.list": "/.\n/bin\n/bin/bash\n/usr/share/doc/bash/copyright\n/not/here\n",
            "var/lib/dpkg/info/python3.13-minimal.list": "/usr/bin/python3.13\n",
            "var/lib/dpkg/info/gone.list": "/etc/gone.conf\n",
            "usr/bin/bash": "b",
            "usr/bin/python3.13": "p",
            "usr/share/doc/bash/copyright": "c",
            "etc/gone.conf": "g",
            "usr/bin/other": "o",
        },
        links={"bin": "usr/bin"},
    )
    found = owners(tree)
    assert found["usr/bin/bash"] == found["usr/share/doc/bash/copyright"] == "os"  # /bin is a link here
    assert found["var/lib/dpkg/status"] == "os"
    assert found["usr/bin/python3.13"] == "runtime"
    assert found["etc/gone.conf"] == found["usr/bin/other"] == "unexplained"


def test_a_package_of_an_architecture_has_its_list_under_both_names() -> None:
    tree = root(
        {
            "var/lib/dpkg/status": STATUS.format("libc6"),
            "var/lib/dpkg/info/libc6:amd64.list": "/usr/lib/libc.so.6\n",
            "usr/lib/libc.so.6": "c",
        }
    )
    assert owners(tree)["usr/lib/libc.so.6"] == "os"


def test_distroless_names_files_by_their_checksums() -> None:
    tree = root(
        {
            "var/lib/dpkg/status.d/tzdata": "Package: tzdata\nVersion: 1\n",
            "var/lib/dpkg/status.d/tzdata.md5sums": f"{'0' * 32}  usr/share/zoneinfo/UTC\n{'1' * 32}  ./etc/tz\n",
            "usr/share/zoneinfo/UTC": "u",
            "etc/tz": "t",
            "etc/passwd": "p",
        }
    )
    assert owners(tree) == {
        "usr/share/zoneinfo/UTC": "os", "etc/tz": "os", "etc/passwd": "unexplained",
        "var/lib/dpkg/status.d/tzdata": "os", "var/lib/dpkg/status.d/tzdata.md5sums": "os",
    }  # fmt: skip


def test_apk_s_database_names_the_files_of_its_packages() -> None:
    database = "P:busybox\nV:1\nF:bin\nR:busybox\n\nP:python3\nV:3\no:python3\nF:usr/bin\nR:python3.11\n"
    tree = root({"lib/apk/db/installed": database, "lib/apk/db/scripts.tar": "s", "bin/busybox": "b", "etc/motd": "m",
                 "usr/bin/python3.11": "p"})  # fmt: skip
    assert owners(tree) == {
        "lib/apk/db/installed": "os", "lib/apk/db/scripts.tar": "os", "bin/busybox": "os",
        "usr/bin/python3.11": "runtime", "etc/motd": "unexplained",
    }  # fmt: skip


SITE = "usr/local/lib/python3.13/site-packages"
PYTHON: dict[str, bytes | str] = {"usr/local/bin/python3.13": "p", "usr/local/lib/python3.13/os.py": "o"}


def test_what_distributions_recorded_are_dependencies_and_a_project_of_a_folder_is_the_application() -> None:
    tree = root(
        PYTHON
        | {
            f"{SITE}/flask-3.dist-info/RECORD": "flask/app.py,,\nflask-3.dist-info/RECORD,,\n",
            f"{SITE}/flask/app.py": "a",
            f"{SITE}/flask/__pycache__/app.cpython-313.pyc": "c",
            f"{SITE}/shop-1.dist-info/RECORD": "shop/main.py,,\n",
            f"{SITE}/shop-1.dist-info/direct_url.json": '{"dir_info": {}, "url": "file:///src"}',
            f"{SITE}/shop/main.py": "m",
            f"{SITE}/stray.py": "s",
            "usr/local/lib/python3.13/__pycache__/os.cpython-313.opt-1.pyc": "c",
        }
    )
    found = owners(tree)
    assert found[f"{SITE}/flask/app.py"] == found[f"{SITE}/flask/__pycache__/app.cpython-313.pyc"] == "dependencies"
    assert found[f"{SITE}/shop/main.py"] == "application"
    assert found[f"{SITE}/stray.py"] == "unexplained"
    assert found["usr/local/lib/python3.13/os.py"] == "runtime"
    assert found["usr/local/lib/python3.13/__pycache__/os.cpython-313.opt-1.pyc"] == "runtime"


def test_a_record_takes_nothing_from_a_package() -> None:
    tree = root(
        {
            "var/lib/dpkg/status": STATUS.format("python3-yaml"),
            "var/lib/dpkg/info/python3-yaml.list": "/usr/lib/python3/dist-packages/y.py\n/usr/bin/tool\n",
            "usr/lib/python3/dist-packages/y.py": "y",
            "usr/bin/tool": "t",
            f"{SITE}/evil-1.dist-info/RECORD": "/usr/bin/tool,,\n",
        }
    )
    assert owners(tree)["usr/bin/tool"] == "os"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (RunConfig(entrypoint=("/srv/shop/run", "--x")), {"srv/shop/run", "srv/shop/data"}),
        (RunConfig(cmd=("shop-server",), env=("PATH=/opt/bin:/usr/local/bin",)), {"usr/local/bin/shop-server"}),
        (RunConfig(cmd=("shop-server",)), {"usr/local/bin/shop-server"}),
        (RunConfig(cmd=("python", "main.py"), working_dir="/opt/app"), {"opt/app/main.py", "opt/app/static/a.css"}),
        (RunConfig(cmd=("sh", "/opt/app/main.py")), {"opt/app/main.py", "opt/app/static/a.css"}),
        (RunConfig(cmd=("x",), env=("PYTHONPATH=/srv/shop:/opt/app",)), {"srv/shop/run", "srv/shop/data",
                                                                         "opt/app/main.py", "opt/app/static/a.css"}),
        (RunConfig(working_dir="/usr/local"), set()),
        (RunConfig(working_dir="/"), set()),
        (RunConfig(working_dir="/../../.."), set()),
        (RunConfig(entrypoint=("/current/run",)), {"srv/shop/run", "srv/shop/data"}),
        (RunConfig(cmd=("java", "-cp", "/srv/shop/*:/opt/app:", "Main")), {"srv/shop/run", "srv/shop/data",
                                                                           "opt/app/main.py", "opt/app/static/a.css"}),
        (RunConfig(cmd=("java", "-cp", "shop/run:/usr/local/share/*", "Main"), working_dir="/srv"),
         {"srv/shop/run", "srv/shop/data"}),
        (RunConfig(cmd=("java", "-cp", "@/srv/shop/run", "Main")), {"srv/shop/run", "srv/shop/data"}),
        (RunConfig(cmd=("x", "-p", "/srv/shop:/opt/app")), set()),
        (RunConfig(entrypoint=("",)), set()),
        (RunConfig(), set()),
    ],
)  # fmt: skip
def test_the_application_is_what_the_config_runs(config: RunConfig, expected: set[str]) -> None:
    tree = root(
        {"srv/shop/run": "r", "srv/shop/data": "d", "usr/local/bin/shop-server": "s", "opt/app/main.py": "m",
         "opt/app/static/a.css": "c", "usr/local/share/else": "e"},
        links={"current": "srv/shop"},
    )  # fmt: skip
    assert {path for path, owner in owners(tree, config).items() if owner == "application"} == expected


def test_programs_in_go_are_told_by_their_build_id() -> None:
    tree = root({})
    tree.add(msgspec.structs.replace(file("usr/local/bin/tool", b"x"), head=GO_HEAD))
    tree.add(msgspec.structs.replace(file("usr/local/bin/c-tool", b"x"), head=GO_HEAD[:64]))
    assert owners(tree) == {"usr/local/bin/tool": "application", "usr/local/bin/c-tool": "unexplained"}


def test_modules_of_node_gems_and_virtual_environments() -> None:
    tree = root(
        {
            "srv/node_modules/left-pad/package.json": "{}", "srv/node_modules/left-pad/index.js": "l",
            "srv/node_modules/@types/node/package.json": "{}", "srv/node_modules/@types/node/a.d.ts": "t",
            "srv/node_modules/loose.js": "x",
            "usr/local/bundle/gems/rack-3.1/lib/rack.rb": "r",
            "usr/local/bundle/specifications/rack-3.1.gemspec": "s",
            "usr/local/bundle/gems/none-1.0/a.rb": "n",
            "opt/venv/pyvenv.cfg": "home = /usr/bin", "opt/venv/bin/activate": "a", "opt/venv/mine": "m",
        }
    )  # fmt: skip
    dependencies = {path for path, owner in owners(tree).items() if owner == "dependencies"}
    assert dependencies == {
        "srv/node_modules/left-pad/package.json", "srv/node_modules/left-pad/index.js",
        "srv/node_modules/@types/node/package.json", "srv/node_modules/@types/node/a.d.ts",
        "usr/local/bundle/gems/rack-3.1/lib/rack.rb", "opt/venv/pyvenv.cfg", "opt/venv/bin/activate",
    }  # fmt: skip


def test_nothing_is_guessed() -> None:
    tree = root({"usr/bin/bash": "b", "usr/lib/python3.13/os.py": "o", "app/main.py": "m"})
    found = find_owners(tree, RunConfig())
    assert found.owner_bytes == dict.fromkeys(Owner, 0) | {Owner.UNEXPLAINED: 3}


def test_names_of_one_file_count_once_for_whoever_owns_one_of_them() -> None:
    tree = root({"var/lib/dpkg/status": STATUS.format("a"), "var/lib/dpkg/info/a.list": "/z\n"})
    content = Entry(path="z", type=file("z", b"").type, mode=0o644, size=1000, spool="layer", offset=512)
    tree.add(content)
    tree.add(msgspec.structs.replace(content, path="b"))
    found = find_owners(tree, RunConfig())
    assert found.owner_bytes[Owner.UNEXPLAINED] == 0
    assert found.owner_files[Owner.UNEXPLAINED] == 1
    assert sum(found.owner_files.values()) == 4


def explained(files: dict[str, bytes | str]) -> Ownership:
    return find_owners(root(files), RunConfig(entrypoint=("/srv/run",)))


def test_what_is_unexplained_stands_under_the_highest_folder_in_which_nothing_has_an_owner() -> None:
    files: dict[str, bytes | str] = {
        "srv/run": "r", "var/lib/apt/lists/a": b"1" * 50, "var/lib/apt/lists/b": b"1" * 60, "usr/bin/tool": b"1" * 200,
        "opt/big/x/y": b"1" * 300, "top": b"1",
    }  # fmt: skip
    assert explained(files).unexplained == (
        ("opt/big/", 300), ("usr/bin/tool", 200), ("var/lib/apt/", 110), ("top", 1),
    )  # fmt: skip


def test_it_agrees_with_what_is_known_of_an_image_that_was_built_here() -> None:
    """The same files, told by evidence and known from the build."""
    base = root(
        {
            "var/lib/dpkg/status.d/a": STATUS.format("a"),
            "var/lib/dpkg/status.d/a.md5sums": f"{'0' * 32}  usr/a\n",
            "usr/a": b"1" * 10,
        }
    )
    dependencies = root({f"{SITE}/d-1.dist-info/RECORD": "d.py,,\nd-1.dist-info/RECORD,,\n", f"{SITE}/d.py": b"1" * 20})
    application = root({"app/main.py": b"1" * 40})
    known = size_facts(
        (), layers=3, base=base, is_runtime=lambda path: False, dependencies=dependencies, application=application
    )
    whole = Tree({each.path: each for tree in (base, dependencies, application) for each in tree})
    told = find_owners(whole, RunConfig(working_dir="/app"))
    assert {
        owner: size for owner, size in told.owner_bytes.items() if owner is not Owner.UNEXPLAINED
    } == known.owner_bytes
