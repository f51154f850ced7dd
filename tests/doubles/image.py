"""Images made by hand, with anything in them that a reader could meet: right ones, and ones that lie."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import deflate
import msgspec
import zstandard

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


def member(name: str, data: bytes = b"", *, kind: bytes = tarfile.REGTYPE, link: str = "", **fields: int) -> bytes:
    """One member of an archive as Python's tarfile writes it (GNU format): header, content, padding."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data)
    info.mode, info.mtime = fields.get("mode", 0o755 if kind == tarfile.DIRTYPE else 0o644), 0
    info.uid, info.gid = fields.get("uid", 0), fields.get("gid", 0)
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + data + bytes(-len(data) % 512)


def pax(records: Mapping[str, bytes], *, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """An extended header of these records."""
    body = b""
    for key, value in records.items():
        size = len(key) + len(value) + 3
        length = next(each for each in range(size, size + 20) if each == size + len(str(each)))
        body += b"%d %s=%s\n" % (length, key.encode(), value)
    return member("pax", body, kind=kind)


def archive(*members: bytes) -> bytes:
    """Members and the end of the archive."""
    return b"".join(members) + bytes(1024)


class MadeImage(msgspec.Struct, kw_only=True):
    """Blobs by digest and the name of the manifest. Change what you like: `seal` makes the names fit again."""

    layers: list[bytes]
    config: dict[str, object]
    manifest: dict[str, object]
    annotations: dict[str, str] = {}
    platform: dict[str, str] | None = None

    @property
    def config_bytes(self) -> bytes:
        return as_json(self.config)

    @property
    def manifest_bytes(self) -> bytes:
        return as_json(self.manifest)

    @property
    def blobs(self) -> dict[str, bytes]:
        blobs = {sha256(layer): layer for layer in self.layers}
        return blobs | {sha256(self.config_bytes): self.config_bytes, sha256(self.manifest_bytes): self.manifest_bytes}

    def seal(self) -> "MadeImage":
        """Names the config in the manifest as it is now."""
        config = self.config_bytes
        self.manifest["config"] = {"mediaType": OCI_CONFIG, "digest": sha256(config), "size": len(config)}
        return self

    def descriptor(self) -> dict[str, object]:
        data = self.manifest_bytes
        named: dict[str, object] = {"mediaType": OCI_MANIFEST, "digest": sha256(data), "size": len(data)}
        named |= {"annotations": self.annotations} if self.annotations else {}
        return named | ({"platform": self.platform} if self.platform else {})


def packed(tar: bytes, packing: str) -> bytes:
    match packing:
        case "gzip":
            return bytes(deflate.gzip_compress(tar, 6))  # zlib's bytes differ between versions, and Python's header
        case "zstd":
            return zstandard.ZstdCompressor().compress(tar)
        case _:
            return tar


def make_image(*tars: bytes, packing: str = "gzip", architecture: str = "amd64") -> MadeImage:
    """An image of uncompressed layers, packed with gzip, zstd or not at all ("tar")."""
    layers = [packed(tar, packing) for tar in tars]
    config: dict[str, object] = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": ["A=b"], "User": "7"},
        "rootfs": {"type": "layers", "diff_ids": [sha256(tar) for tar in tars]},
    }
    described = [{"mediaType": LAYER, "digest": sha256(layer), "size": len(layer)} for layer in layers]
    manifest: dict[str, object] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": {}, "layers": described}
    platform = {"os": "linux", "architecture": architecture}
    return MadeImage(layers=layers, config=config, manifest=manifest, platform=platform).seal()


def render_index(descriptors: Iterable[Mapping[str, object]]) -> bytes:
    return as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [dict(each) for each in descriptors]})


def lay_out(folder: Path, *images: MadeImage, index: bytes | None = None, extra: Mapping[str, bytes] = {}) -> Path:
    """An OCI layout of `images`; `extra` are blobs by their digest, true or not."""
    blobs = dict(extra)
    for image in images:
        blobs = image.blobs | blobs
    for digest, data in blobs.items():
        algorithm, _, name = digest.partition(":")
        (folder / "blobs" / algorithm).mkdir(parents=True, exist_ok=True)
        (folder / "blobs" / algorithm / name).write_bytes(data)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "oci-layout").write_bytes(b'{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_bytes(render_index(each.descriptor() for each in images) if index is None else index)
    return folder


def pack_folder(folder: Path, path: Path) -> Path:
    """A folder as an uncompressed archive, as `tar -C FOLDER -cf PATH .` makes it."""
    with tarfile.open(path, "w") as packed:
        for each in sorted(folder.rglob("*")):
            packed.add(each, arcname="./" + str(each.relative_to(folder)), recursive=False)
    return path


def listing(data: bytes) -> dict[str, tarfile.TarInfo]:
    """What Python's tarfile finds in an archive, by name."""
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        return {each.name: each for each in opened.getmembers()}
