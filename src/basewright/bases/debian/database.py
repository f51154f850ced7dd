"""The package metadata that an image keeps: status.d as distroless writes it, so that scanners know what is installed,
or a whole dpkg database where dpkg itself is among the packages."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

from basewright.bases.debian.scripts import Alternative
from basewright.bases.debian.unpack import UnpackedDeb, merged_path
from basewright.ecosystems.dpkg import STATUS, STATUS_DIRECTORY, parse_paragraph
from basewright.oci.tree import Tree, directory, file

DATABASE = "var/lib/dpkg"
INFO = f"{DATABASE}/info"
_SCRIPTS = ("preinst", "postinst", "prerm", "postrm", "config")
_INTEREST = re.compile(r"interest(?P<mode>-await|-noawait)?\s+(?P<name>\S+)")


def write_status_directory(tree: Tree, debs: Mapping[str, UnpackedDeb]) -> None:
    """One file a package with its control paragraph, and one with the checksums of its files that are here."""
    for name in sorted(debs):
        tree.add(file(f"{STATUS_DIRECTORY}/{name}", _installed(debs[name], conffiles=False)))
        lines = (line for line in debs[name].text("md5sums").splitlines() if _is_there(tree, line[32:].strip()))
        checksums = "".join(f"{line}\n" for line in lines)
        tree.add(file(f"{STATUS_DIRECTORY}/{name}.md5sums", checksums.encode("utf-8", "replace")))


def _is_there(tree: Tree, path: str) -> bool:
    return bool(path) and merged_path(path.lstrip("/")) in tree


def write_database(tree: Tree, debs: Mapping[str, UnpackedDeb], alternatives: Iterable[Alternative]) -> None:
    """/var/lib/dpkg as dpkg leaves it after configuring every package."""
    paragraphs = []
    for name in sorted(debs):
        paragraphs.append(_installed(debs[name], conffiles=True))
        _write_info(tree, debs[name])
    tree.add(file(STATUS, b"\n".join(paragraphs)))
    tree.add(file(f"{INFO}/format", b"1\n"))
    for empty in ("available", "diversions", "statoverride"):
        tree.add(file(f"{DATABASE}/{empty}", b""))
    for folder in ("updates", "parts", "alternatives", "triggers"):
        tree.add(directory(f"{DATABASE}/{folder}"))
    _write_triggers(tree, debs)
    for each in alternatives:
        tree.add(file(f"{DATABASE}/alternatives/{each.name}", _alternative(each)))


def _installed(deb: UnpackedDeb, *, conffiles: bool) -> bytes:
    """The control paragraph with its status behind the name, as dpkg writes it."""
    lines = deb.text("control").strip("\n").splitlines()
    first = next((index for index, line in enumerate(lines) if line.startswith("Package:")), 0)
    lines.insert(first + 1, "Status: install ok installed")
    if conffiles:
        sums = _conffile_sums(deb)
        if sums:
            lines += ["Conffiles:", *(f" {path} {checksum}" for path, checksum in sums)]
    return "".join(f"{line}\n" for line in lines if line.strip()).encode("utf-8", "replace")


def _conffile_sums(deb: UnpackedDeb) -> Sequence[tuple[str, str]]:
    contents = {entry.path: entry.data or b"" for entry in deb.entries if entry.is_file}
    paths = [line for line in deb.text("conffiles").splitlines() if line.startswith("/")]
    return [
        (path, hashlib.md5(contents[path.lstrip("/")], usedforsecurity=False).hexdigest())
        for path in paths
        if path.lstrip("/") in contents
    ]


def _info_name(deb: UnpackedDeb) -> str:
    fields = parse_paragraph(deb.text("control"))
    return f"{deb.name}:{fields.get('Architecture')}" if fields.get("Multi-Arch") == "same" else deb.name


def _write_info(tree: Tree, deb: UnpackedDeb) -> None:
    stem = f"{INFO}/{_info_name(deb)}"
    tree.add(file(f"{stem}.list", "".join(f"{path}\n" for path in deb.listed).encode("utf-8", "surrogateescape")))
    for name, data in sorted(deb.control.items()):
        if name != "control":
            tree.add(file(f"{stem}.{name}", data, mode=0o755 if name in _SCRIPTS else 0o644))


def _write_triggers(tree: Tree, debs: Mapping[str, UnpackedDeb]) -> None:
    """Who waits for which trigger: files in `File`, names in files of their own (deb-triggers(5))."""
    waiting: dict[str, list[str]] = {"File": [], "Lock": [], "Unincorp": []}
    for name in sorted(debs):
        for match in _INTEREST.finditer(debs[name].text("triggers")):
            package = _info_name(debs[name]) + ("/noawait" if match["mode"] == "-noawait" else "")
            if match["name"].startswith("/"):
                waiting["File"].append(f"{match['name']} {package}")
            elif re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9+._-]*", match["name"]):
                waiting.setdefault(match["name"], []).append(package)
    for trigger, lines in sorted(waiting.items()):
        tree.add(file(f"{DATABASE}/triggers/{trigger}", "".join(f"{line}\n" for line in lines).encode()))


def _alternative(alternative: Alternative) -> bytes:
    """update-alternatives' own file: mode, link, slaves, and what may be chosen (its source's `alternative_save`)."""
    slaves = sorted((name, link, path) for link, (name, path) in alternative.slaves.items())
    lines = ["auto", alternative.link]
    for name, link, _ in slaves:
        lines += [name, link]
    lines.append("")
    for path in sorted(alternative.choices):
        lines += [path, str(alternative.choices[path])]
        lines += [target if path == alternative.path else "" for _, _, target in slaves]
    return ("\n".join(lines) + "\n\n").encode()
