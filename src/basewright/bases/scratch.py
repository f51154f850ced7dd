"""The empty base: a user that is not root, its home, /tmp, and the few files that every program looks for."""

from basewright.bases.base import NONROOT
from basewright.oci.tree import Tree, directory, file

PASSWD = (
    "root:x:0:0:root:/root:/sbin/nologin\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
    f"nonroot:x:{NONROOT}:{NONROOT}:nonroot:/home/nonroot:/sbin/nologin\n"
)
GROUP = f"root:x:0:\nnobody:x:65534:\nnonroot:x:{NONROOT}:\n"
HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
NSSWITCH = "passwd: files\ngroup: files\nhosts: files dns\n"


def scratch_tree() -> Tree:
    """What stands where no distribution put anything."""
    tree = Tree()
    for name, text in (
        ("etc/passwd", PASSWD),
        ("etc/group", GROUP),
        ("etc/hosts", HOSTS),
        ("etc/nsswitch.conf", NSSWITCH),
    ):
        tree.add(file(name, text.encode()))
    tree.add(directory("home/nonroot", mode=0o700, uid=NONROOT, gid=NONROOT))
    tree.add(directory("root", mode=0o700))
    tree.add(directory("tmp", mode=0o1777))
    return tree
