"""What the maintainer scripts of packages would have done and a service needs, done here: no script is ever run.

Without these a service starts, and fails later without a word: certificates, accounts, hosts, name service, time zone,
/tmp, `python3`, and the links of update-alternatives, which are read from the scripts' text.
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

from basewright.bases.debian.accounts import install_accounts
from basewright.bases.debian.certificates import install_certificates
from basewright.bases.debian.mirrors import DEFAULT_MIRROR, DEFAULT_SECURITY_MIRROR
from basewright.bases.debian.unpack import UnpackedDeb, merged_path
from basewright.bases.scratch import HOSTS, NSSWITCH
from basewright.oci.tree import Tree, directory, file, symlink

_INSTALL = re.compile(
    r"update-alternatives\s+(?:--(?:quiet|force|verbose)\s+)*--install\s+(\S+)\s+(\S+)\s+(\S+)\s+(\d+)"
    r"((?:\s+--slave\s+\S+\s+\S+\s+\S+)*)"
)
_SLAVE = re.compile(r"--slave\s+(\S+)\s+(\S+)\s+(\S+)")
_LITERAL = re.compile(r"[A-Za-z0-9/._+@:~-]+")
_PYTHON = re.compile(r"usr/bin/python3\.(\d+)")
_DEFAULT_LIBRARIES = re.compile(r"/?(?:usr/)?(?:local/)?lib(?:32|64|x32)?(?:/[a-z0-9_]+-linux-gnu[a-z0-9_]*)?/?")
_DIRECTORIES = (
    ("dev", 0o755), ("etc", 0o755), ("home", 0o755), ("proc", 0o755), ("root", 0o700), ("run", 0o755), ("sys", 0o755),
    ("tmp", 0o1777), ("var/tmp", 0o1777), ("var/lib", 0o755), ("var/log", 0o755),
)  # fmt: skip


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """One group of update-alternatives that is set: `choices` are path → priority, `slaves` link → (name, path)."""

    name: str
    link: str
    choices: dict[str, int]
    path: str
    slaves: dict[str, tuple[str, str]]


def merge_usr(tree: Tree, architecture: str) -> None:
    """The links of a merged /usr at the root."""
    names = ["bin", "sbin", "lib"]
    names += [each for each in ("lib32", "lib64", "libo32", "libx32") if f"usr/{each}" in tree]
    if architecture == "amd64" and "lib64" not in names:
        names.append("lib64")
    for name in names:
        if f"usr/{name}" not in tree:
            tree.add(directory(f"usr/{name}"))
        tree.add(symlink(name, f"usr/{name}"))


def configure(tree: Tree, debs: Mapping[str, UnpackedDeb], *, suite: str) -> tuple[Alternative, ...]:
    """Completes a tree of unpacked packages. Returns the alternatives that were set."""
    for path, mode in _DIRECTORIES:
        tree.add(directory(path, mode=mode))
    if "base-files" in debs:
        _configure_base_files(tree)
    install_accounts(tree)
    _add_missing(tree, "etc/hosts", HOSTS.encode())
    _add_missing(tree, "etc/nsswitch.conf", _data(tree, "usr/share/libc-bin/nsswitch.conf") or NSSWITCH.encode())
    install_certificates(tree)
    _configure_time_zone(tree)
    _configure_shells(tree)
    alternatives = tuple(_alternatives(tree, debs))
    for each in alternatives:
        _link_alternative(tree, each)
    _link_python(tree)
    if "apt" in debs:
        _configure_apt(tree, suite)
    return alternatives


def _configure_base_files(tree: Tree) -> None:
    for source, target in (
        ("dot.profile", "root/.profile"),
        ("dot.bashrc", "root/.bashrc"),
        ("profile", "etc/profile"),
    ):
        data = _data(tree, f"usr/share/base-files/{source}")
        if data and tree.resolve("bin/sh") is not None:  # of use to a shell only
            _add_missing(tree, target, data)
    for path, target in (
        ("var/run", "/run"),
        ("var/lock", "/run/lock"),
        ("etc/dpkg/origins/default", "debian"),
    ):
        if path not in tree:
            tree.add(symlink(path, target))
    tree.add(directory("run/lock", mode=0o1777))
    for path in ("mnt", "srv", "opt", "usr/local/bin", "usr/local/lib", "usr/local/share"):
        if path not in tree:
            tree.add(directory(path))


def _configure_time_zone(tree: Tree) -> None:
    zone = "usr/share/zoneinfo/Etc/UTC"
    if tree.resolve(zone) is not None and "etc/localtime" not in tree:
        tree.add(symlink("etc/localtime", f"/{zone}"))
        _add_missing(tree, "etc/timezone", b"Etc/UTC\n")


def _configure_shells(tree: Tree) -> None:
    """What update-shells(8) does: the shells that packages name, after Debian's own list."""
    known = _data(tree, "usr/share/debianutils/shells")
    if not known:
        return
    lines = known.decode("utf-8", "replace").splitlines()
    for entry in list(tree):
        if entry.path.startswith("usr/share/debianutils/shells.d/"):
            for line in _data(tree, entry.path).decode("utf-8", "replace").splitlines():
                merged = "/" + merged_path(line.lstrip("/"))
                lines += [each for each in (line, merged) if each not in lines]
    _add_missing(tree, "etc/shells", "".join(f"{line}\n" for line in lines).encode())


def _alternatives(tree: Tree, debs: Mapping[str, UnpackedDeb]) -> Iterator[Alternative]:
    """Groups whose link is free, each with the choice of the highest priority."""
    found: dict[str, list[tuple[int, str, str, dict[str, tuple[str, str]]]]] = {}
    for name in sorted(debs):
        text = debs[name].text("postinst").replace("\\\n", " ")
        for link, group, path, priority, slaves in _INSTALL.findall(text):
            words = (link, group, path)
            if all(_LITERAL.fullmatch(each) for each in words) and tree.resolve(path) is not None:
                followers = {
                    each[0]: (each[1], each[2])
                    for each in _SLAVE.findall(slaves)
                    if all(_LITERAL.fullmatch(word) for word in each) and tree.resolve(each[2]) is not None
                }
                found.setdefault(group, []).append((int(priority), path, link, followers))
    for group in sorted(found):
        choices = found[group]
        best = max(choices, key=lambda choice: choice[0])
        if merged_path(best[2].lstrip("/")) not in tree and "/" not in group:
            paths = {path: priority for priority, path, _, _ in choices}
            yield Alternative(name=group, link=best[2], choices=paths, path=best[1], slaves=best[3])


def _link_alternative(tree: Tree, alternative: Alternative) -> None:
    links = {alternative.link: (alternative.name, alternative.path), **alternative.slaves}
    for link, (name, path) in links.items():
        place = merged_path(link.lstrip("/"))
        if place not in tree and "/" not in name:
            tree.add(symlink(place, f"/etc/alternatives/{name}"))
            tree.add(symlink(f"etc/alternatives/{name}", path))


def _link_python(tree: Tree) -> None:
    """`python3` and `python`, where there is an interpreter: the newest."""
    found = [int(match[1]) for entry in tree if (match := _PYTHON.fullmatch(entry.path)) and not entry.is_directory]
    if not found:
        return
    if "usr/bin/python3" not in tree:
        tree.add(symlink("usr/bin/python3", f"python3.{max(found)}"))
    if "usr/bin/python" not in tree:
        tree.add(symlink("usr/bin/python", "python3"))


def _configure_apt(tree: Tree, suite: str) -> None:
    """Debian's own archive as the source, whatever mirror this image was made from."""
    keyring = next((e.path for e in tree if e.path.startswith("usr/share/keyrings/debian-archive-keyring.")), None)
    signed_by = f"Signed-By: /{keyring}\n" if keyring else ""
    parts = [(DEFAULT_MIRROR, f"{suite} {suite}-updates"), (DEFAULT_SECURITY_MIRROR, f"{suite}-security")]
    if suite in ("sid", "unstable"):
        parts = [(DEFAULT_MIRROR, suite)]
    text = "\n".join(
        f"Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: main\n{signed_by}" for uri, suites in parts
    )
    _add_missing(tree, "etc/apt/sources.list.d/debian.sources", text.encode())
    for path in ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
        if path not in tree:
            tree.add(directory(path))


def library_notes(tree: Tree) -> tuple[str, ...]:
    """What would need ldconfig's cache: folders of libraries outside of the loader's own."""
    configured = (entry for entry in tree if entry.path.startswith("etc/ld.so.conf.d/"))
    lines = [
        line.strip() for entry in configured for line in _data(tree, entry.path).decode("utf-8", "replace").splitlines()
    ]
    folders = [line for line in lines if line.startswith("/") and not _DEFAULT_LIBRARIES.fullmatch(line)]
    return tuple(
        f"the libraries in {folder} are found only with LD_LIBRARY_PATH={folder}: there is no ldconfig cache"
        for folder in dict.fromkeys(folders)
        if any(entry.path.startswith(folder.strip("/") + "/") and ".so" in entry.path for entry in tree)
    )


def _add_missing(tree: Tree, path: str, data: bytes) -> None:
    if path not in tree:
        tree.add(file(path, data))


def _data(tree: Tree, path: str) -> bytes:
    entry = tree.find(path)
    return (entry.data or b"") if entry is not None else b""
