"""Images that stand in for Docker Hub's in tests, under the same names: assembled here from the Debian archive.

Same layout (an interpreter at /usr/local/bin, PYTHON_VERSION, musl beside apk's database), not the same bytes. No
Python for musl is to be had without compiling one, so `python:3.13-alpine` has Debian's: it is pulled, built on, run
and measured like any other, and its libc is glibc.
"""

from collections.abc import Mapping

from basewright.bases.debian.distribution import assemble_debian, find_mirrors, resolve_debian
from basewright.oci.blob import BlobStore
from basewright.oci.image import Image, assemble_image
from basewright.oci.layer import write_layer
from basewright.oci.manifest import RunConfig
from basewright.oci.tree import Tree, directory, file, symlink
from basewright.strategy import DebianBase, Platform
from basewright.world import World

PYTHON = ("python3.13-minimal", "libpython3.13-stdlib", "ca-certificates", "tzdata")
SLIM = ("base-files", "dash", "coreutils", "sed", "grep")
FULL = ("perl-base", "findutils", "tar", "gzip", "diffutils", "bsdutils", "mawk")
PLATFORM = Platform.LINUX_AMD64
_PATH = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_ALPINE_RELEASE = b'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.18.12\nPRETTY_NAME="Alpine Linux v3.18"\n'
_APK = b"""C:Q1000000000000000000000000000=
P:musl
V:1.2.4-r3
A:x86_64
S:407278
I:667648
T:the musl c library (libc) implementation
F:lib
R:ld-musl-x86_64.so.1

C:Q1000000000000000000000000001=
P:busybox
V:1.36.1-r7
A:x86_64
S:509600
I:962560
T:Size optimized toolbox of many common UNIX utilities
F:bin
R:busybox
"""


def python_image(world: World, *packages: str, revision: str = "1") -> Image:
    """Debian trixie with an interpreter where docker-library has it. Another `revision` is another image."""
    tree = _debian(world, *PYTHON, *packages)
    for name in ("python", "python3", "python3.13"):
        tree.add(symlink(f"usr/local/bin/{name}", "/usr/bin/python3.13"))
    tree.add(file("etc/revision", revision.encode()))
    return _image(world, tree, {"PYTHON_VERSION": "3.13.5"}, command=("python3",))


def alpine_image(world: World) -> Image:
    """musl and busybox as Alpine has them, with its os-release and apk's database."""
    debian = _debian(world, "musl", "busybox-static")
    tree = Tree()
    for path in ("bin", "etc", "lib/apk/db", "lib", "root", "sbin", "tmp", "usr/bin", "usr/sbin", "var"):
        tree.add(directory(path, mode=0o1777 if path == "tmp" else 0o755))
    for name, target in (("libc.so", "lib/ld-musl-x86_64.so.1"), ("busybox", "bin/busybox")):
        found = next(each for each in debian if each.path.rpartition("/")[2] == name and each.data is not None)
        assert found.data is not None
        tree.add(file(target, found.data, mode=0o755))
    for applet in ("sh", "ls", "cat", "wget"):
        tree.add(symlink(f"bin/{applet}", "/bin/busybox"))
    tree.add(file("etc/os-release", _ALPINE_RELEASE))
    tree.add(file("etc/alpine-release", b"3.18.12\n"))
    tree.add(file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"))
    tree.add(file("etc/group", b"root:x:0:root\n"))
    tree.add(file("lib/apk/db/installed", _APK))
    return _image(world, tree, {}, command=("/bin/sh",))


def _debian(world: World, *packages: str) -> Tree:
    base = DebianBase(debian="trixie", packages=packages)
    locked = resolve_debian(base, PLATFORM, http=world.http, cache=world.cache, now=world.now, progress=world.progress)
    return assemble_debian(
        locked,
        PLATFORM,
        mirrors=find_mirrors(base),
        http=world.http,
        cache=world.cache,
        progress=world.progress,
    ).tree


def _image(world: World, tree: Tree, env: Mapping[str, str], *, command: tuple[str, ...]) -> Image:
    store = BlobStore(world.cache / "store")
    variables = (_PATH, *(f"{name}={value}" for name, value in env.items()))
    return assemble_image(
        store,
        (write_layer(store, tree, created_by="a look-alike"),),
        RunConfig(env=variables, cmd=command),
        architecture=PLATFORM.architecture,
        created=world.created,
    )
