"""passwd and group of an assembled root: Debian's own where base-passwd is there, the few that every image needs, and
what packages ask for in sysusers.d(5). There is no shadow: nobody logs in."""

import re
import shlex
from collections.abc import Iterator

from basewright.bases.base import NONROOT
from basewright.bases.scratch import GROUP, PASSWD
from basewright.oci.tree import Tree, directory, file

MASTER = "usr/share/base-passwd/{}.master"
SYSTEM_IDS = range(999, 99, -1)
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}", re.IGNORECASE)


def install_accounts(tree: Tree) -> None:
    """Adds /etc/passwd and /etc/group with the user `nonroot` (65532) and its home."""
    passwd = _lines(_text(tree, MASTER.format("passwd")) or PASSWD)
    group = _lines(_text(tree, MASTER.format("group")) or GROUP)
    passwd.setdefault("nonroot", f"nonroot:x:{NONROOT}:{NONROOT}:nonroot:/home/nonroot:/sbin/nologin")
    group.setdefault("nonroot", f"nonroot:x:{NONROOT}:")
    if "usr/bin/bash" not in tree and "root" in passwd:
        shell = "/bin/sh" if tree.resolve("bin/sh") is not None else "/sbin/nologin"
        passwd["root"] = passwd["root"].rpartition(":")[0] + f":{shell}"
    for words in _sysusers(tree):
        _add_system_account(words, passwd, group)
    for path, lines in (("etc/passwd", passwd), ("etc/group", group)):
        if path not in tree:
            tree.add(file(path, "".join(f"{line}\n" for line in lines.values()).encode()))
    tree.add(directory("home/nonroot", mode=0o700, uid=NONROOT, gid=NONROOT))


def _lines(text: str) -> dict[str, str]:
    return {line.partition(":")[0]: line for line in text.splitlines() if ":" in line}


def _text(tree: Tree, path: str) -> str:
    entry = tree.find(path)
    return (entry.data or b"").decode("utf-8", "replace") if entry is not None else ""


def _sysusers(tree: Tree) -> Iterator[list[str]]:
    """The words of the lines of every sysusers.d file; a line that cannot be read is left out."""
    for entry in list(tree):
        if entry.path.startswith("usr/lib/sysusers.d/") and entry.path.endswith(".conf"):
            for line in _text(tree, entry.path).splitlines():
                try:
                    words = shlex.split(line, comments=True)
                except ValueError:
                    continue
                if len(words) >= 2 and _NAME.fullmatch(words[1]):
                    yield words


def _add_system_account(words: list[str], passwd: dict[str, str], group: dict[str, str]) -> None:
    """One line: `u name id "gecos" home shell`, `g name id` or `m name group`."""
    kind, name, identifier, gecos, home, shell = (*words, *("-",) * 6)[:6]
    if kind == "m":
        if identifier in group and name not in group[identifier].rpartition(":")[2].split(","):
            members = [each for each in group[identifier].rpartition(":")[2].split(",") if each]
            group[identifier] = group[identifier].rpartition(":")[0] + ":" + ",".join([*members, name])
        return
    if kind.rstrip("!") not in ("u", "g"):
        return
    wanted = identifier.partition(":")[0]
    number = int(wanted) if wanted.isdigit() else _free_id(passwd, group)
    group.setdefault(name, f"{name}:x:{number}:")
    if kind.startswith("u") and name not in passwd:
        gid = identifier.partition(":")[2] or group[name].split(":")[2]
        if not gid.isdigit():
            gid = group.get(gid, f"::{number}").split(":")[2]
        fields = (name, "x", str(number), gid, _or(gecos, ""), _or(home, "/"), _or(shell, "/usr/sbin/nologin"))
        passwd[name] = ":".join(each.replace(":", "") for each in fields)


def _or(word: str, default: str) -> str:
    return default if word in ("-", "") else word


def _free_id(passwd: dict[str, str], group: dict[str, str]) -> int:
    taken = {line.split(":")[2] for line in (*passwd.values(), *group.values())}
    return next(number for number in SYSTEM_IDS if str(number) not in taken)
