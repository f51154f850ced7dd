"""Which Debian package has a shared library, told from its name: Debian Policy 8.1's rule, and exceptions."""

import re
from collections.abc import Iterator

from basewright.bases.debian.index import Universe

_EXCEPTIONS = {
    "libc": "libc6", "libm": "libc6", "libdl": "libc6", "librt": "libc6", "libpthread": "libc6", "libutil": "libc6",
    "libresolv": "libc6", "libnsl": "libnsl2", "ld-linux-x86-64": "libc6", "ld-linux-aarch64": "libc6",
    "libmvec": "libc6", "libanl": "libc6", "libz": "zlib1g", "libcrypto": "libssl3t64", "libjpeg": "libjpeg62-turbo",
    "libgthread-2.0": "libglib2.0-0t64", "libgobject-2.0": "libglib2.0-0t64", "libgio-2.0": "libglib2.0-0t64",
    "libgmodule-2.0": "libglib2.0-0t64", "libBLAS": "libblas3", "libgssapi_krb5": "libgssapi-krb5-2",
    "libk5crypto": "libk5crypto3", "liblber": "libldap2", "libxcb-shm": "libxcb-shm0", "libEGL": "libegl1",
}  # fmt: skip
"""Libraries whose package the rule does not give, by name without `.so`."""
_SONAME = re.compile(r"(?P<name>[A-Za-z0-9_+.-]+?)(?:\.so(?:\.(?P<version>[0-9A-Za-z_.]+))?)")


def package_of_library(universe: Universe, soname: str) -> str | None:
    """The package of the suite that has `soname` by its name (`libpq.so.5` → `libpq5`); None where none is found."""
    return next((each for each in _names(soname) if each in universe), None)


def _names(soname: str) -> Iterator[str]:
    match = _SONAME.fullmatch(soname.rpartition("/")[2])
    if match is None:
        return
    if match["name"] in _EXCEPTIONS:
        exception = _EXCEPTIONS[match["name"]]
        yield from (exception, exception.removesuffix("t64"))
    name, version = match["name"].lower().replace("_", "-"), (match["version"] or "").lower()
    joint = "-" if name[-1:].isdigit() else ""
    stems = [f"{name}{joint}{version}", f"{name}-{version}", f"{name}{version}"] if version else []
    if "-" in name:  # libglib-2.0.so.0 → libglib2.0-0
        head, _, tail = name.rpartition("-")
        stems += [f"{head}{tail}{'-' if version else ''}{version}"]
    if "." in version:  # libbz2.so.1.0 → libbz2-1.0, but libfoo.so.1.2.3 may be libfoo1
        stems += [f"{name}{joint}{version.partition('.')[0]}"]
    for stem in (*stems, name):
        yield from (f"{stem}t64", stem)
