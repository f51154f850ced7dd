"""The CA bundle and the hash links of /etc/ssl/certs, as update-ca-certificates and `openssl rehash` make them.

The subject hash is OpenSSL's X509_NAME_hash: SHA-1 of the name's canonical encoding, its first four bytes in reverse
(crypto/x509/x_name.c). Only the few lines of DER that lead to the name are read here.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

from basewright.errors import HostileInputError
from basewright.oci.tree import Tree, directory, file, symlink

BUNDLE = "etc/ssl/certs/ca-certificates.crt"
CONFIGURATION = "etc/ca-certificates.conf"
OPENSSL_DIRECTORY = "usr/lib/ssl"
"""Where Debian's libssl looks, which has it from the package openssl: without the links nothing is trusted."""
SOURCE_DIRECTORY = "usr/share/ca-certificates"
_LIBCRYPTO = re.compile(r"usr/lib/(?:[^/]+/)?libcrypto\.so\.\d+")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(?P<body>.+?)-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _SET, _UTF8 = 0x30, 0x31, 0x0C
# The string types whose values OpenSSL brings into one form before it compares names, with their encodings.
_STRINGS = {0x0C: "utf-8", 0x13: "latin-1", 0x14: "latin-1", 0x16: "latin-1", 0x1A: "latin-1", 0x1C: "utf-32-be",
            0x1E: "utf-16-be"}  # fmt: skip
_SPACES = re.compile(rb"[ \t\n\v\f\r]+")


def install_certificates(tree: Tree, *, hash_links: bool = True) -> int:
    """Adds the bundle, its configuration and the links to a tree that has Debian's certificates. Returns their count.

    Raises HostileInputError where a certificate cannot be read.
    """
    found = sorted(
        entry.path for entry in tree if entry.path.startswith(SOURCE_DIRECTORY + "/") and entry.path.endswith(".crt")
    )
    if not found:
        return 0
    bundle = bytearray()
    names: dict[str, int] = {}
    tree.add(directory("etc/ssl/certs"))
    for path in found:
        entry = tree.find(path)
        data = entry.data if entry is not None and entry.data is not None else b""
        bundle += data if data.endswith(b"\n") else data + b"\n"
        link = re.sub(r"[()]", "=", path.rpartition("/")[2].removesuffix(".crt").replace(" ", "_"))
        link = link.replace(",", "_") + ".pem"
        tree.add(symlink(f"etc/ssl/certs/{link}", f"/{path}"))
        if hash_links:
            digest = subject_hash(data, name=path)
            number = names.get(digest, 0)
            names[digest] = number + 1
            tree.add(symlink(f"etc/ssl/certs/{digest}.{number}", link))
    tree.add(file(BUNDLE, bytes(bundle)))
    listed = "".join(path.removeprefix(SOURCE_DIRECTORY + "/") + "\n" for path in found)
    tree.add(file(CONFIGURATION, listed.encode("utf-8", "surrogateescape")))
    _link_openssl(tree)
    return len(found)


def _link_openssl(tree: Tree) -> None:
    if any(_LIBCRYPTO.fullmatch(entry.path) for entry in tree):
        for name, target in (("cert.pem", f"/{BUNDLE}"), ("certs", f"/{BUNDLE.rpartition('/')[0]}")):
            if f"{OPENSSL_DIRECTORY}/{name}" not in tree:
                tree.add(symlink(f"{OPENSSL_DIRECTORY}/{name}", target))


def subject_hash(pem: bytes, *, name: str) -> str:
    """The eight hexadecimal digits by which OpenSSL finds a CA certificate. Raises HostileInputError."""
    match = _PEM.search(pem.decode("ascii", "replace"))
    try:
        if match is None:
            raise ValueError("no certificate in it")
        subject = _subject(base64.b64decode("".join(match["body"].split()), validate=True))
        canonical = b"".join(_canonical_set(content) for _, content in _elements(subject))
    except (ValueError, IndexError, binascii.Error) as error:
        raise HostileInputError(f"the certificate {name} cannot be read: {error}") from None
    digest = hashlib.sha1(canonical, usedforsecurity=False).digest()
    return digest[:4][::-1].hex()


def _subject(der: bytes) -> bytes:
    """The content of a certificate's subject: tbsCertificate's sixth field, or fifth where it has no version."""
    fields = list(_elements(_content(_content(der))))
    return fields[5 if fields[0][0] == 0xA0 else 4][1]


def _content(der: bytes) -> bytes:
    tag, content = next(_elements(der))
    if tag != _SEQUENCE:
        raise ValueError("not a certificate")
    return content


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """The tag and content of each element in a run of DER."""
    at = 0
    while at < len(der):
        tag, length = der[at], der[at + 1]
        at += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(der[at : at + count], "big")
            at += count
        if at + length > len(der):
            raise ValueError("it is cut off")
        yield tag, der[at : at + length]
        at += length


def _canonical_set(content: bytes) -> bytes:
    """One relative distinguished name: its attributes with their strings in one form, in DER's order of a SET."""
    attributes = []
    for _, attribute in _elements(content):
        (oid_tag, oid), (tag, value) = _elements(attribute)
        if tag in _STRINGS:
            text = value.decode(_STRINGS[tag], "strict").encode()
            tag, value = _UTF8, _SPACES.sub(b" ", text).strip(b" ").lower()
        attributes.append(_element(_SEQUENCE, _element(oid_tag, oid) + _element(tag, value)))
    return _element(_SET, b"".join(sorted(attributes)))


def _element(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content
