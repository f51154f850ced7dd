"""Makes the images that are measured, each an OCI layout folder that is kept between runs.

`inputs.py KIND FOLDER`, in a process of its own, so that the harness stays small.
"""

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from isal import isal_zlib

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "calendar-api"
EPOCH = 1_704_067_200
BLOCK_BYTES = 4 << 20
"""Content is made and compressed in blocks of this size, a few of them, over and over: gzip members may be joined."""
LARGE_LAYERS, LARGE_FILES, LARGE_BLOCKS = 5, 64, 4
MANY_FILES = 500_000
MANY_CHANGED = 5_000


class LayerWriter:
    """One gzip layer, written as it comes: digests, sizes and members of bounded size."""

    def __init__(self, blobs: Path) -> None:
        self._blobs = blobs
        self._file: BinaryIO = (blobs / "partial").open("wb")
        self._compressed, self._uncompressed = hashlib.sha256(), hashlib.sha256()
        self.size = 0

    def add(self, data: bytes, member: bytes = b"") -> None:
        """`member` is `data` as a gzip member, where it was made before."""
        member = member or gzip_member(data)
        self._compressed.update(member)
        self._uncompressed.update(data)
        self._file.write(member)
        self.size += len(member)

    def close(self) -> tuple[dict[str, object], str]:
        """The layer's descriptor and diff id."""
        self.add(bytes(1024))
        self._file.close()
        digest = self._compressed.hexdigest()
        (self._blobs / "partial").rename(self._blobs / digest)
        media_type = "application/vnd.oci.image.layer.v1.tar+gzip"
        described = {"mediaType": media_type, "digest": f"sha256:{digest}", "size": self.size}
        return described, f"sha256:{self._uncompressed.hexdigest()}"


def gzip_member(data: bytes) -> bytes:
    """`data` compressed, quickly."""
    packer = isal_zlib.compressobj(level=1, wbits=31)
    return packer.compress(data) + packer.flush()


def header(path: str, size: int) -> bytes:
    """A ustar header of one regular file."""
    info = tarfile.TarInfo(path)
    info.size, info.mode, info.mtime = size, 0o644, EPOCH
    return info.tobuf(tarfile.USTAR_FORMAT)


def blocks(seed: int) -> Iterator[bytes]:
    """Blocks that compress to about a half, as programs do: random bytes and words by turns."""
    source = random.Random(seed)
    words = [source.randbytes(6).hex().encode() + b" " for _ in range(4096)]
    for _ in range(8):
        half = b"".join(source.choices(words, k=BLOCK_BYTES // 26 + 1))[: BLOCK_BYTES // 2]
        yield source.randbytes(BLOCK_BYTES - len(half)) + half


def large(blobs: Path) -> list[tuple[dict[str, object], str]]:
    """5 GB in a few layers of 16 MB files."""
    made = [(block, gzip_member(block)) for block in blocks(1)]
    layers = []
    for number in range(LARGE_LAYERS):
        layer = LayerWriter(blobs)
        for each in range(LARGE_FILES):
            layer.add(header(f"data/{number}/{each}.bin", LARGE_BLOCKS * BLOCK_BYTES))
            for part in range(LARGE_BLOCKS):
                layer.add(*made[(number + each + part) % len(made)])
        layers.append(layer.close())
    return layers


def many(blobs: Path) -> list[tuple[dict[str, object], str]]:
    """500,000 small files in one layer, and a hundredth of them changed in another."""
    source = random.Random(2)
    text = b"".join(source.choices([b"value ", b"name ", b"import ", b"return ", b"0123 "], k=2000))
    layers = []
    for changed in (False, True):
        layer = LayerWriter(blobs)
        held: list[bytes] = []
        for number in range(0, MANY_FILES, MANY_FILES // MANY_CHANGED if changed else 1):
            content = b"%d %d " % (number, changed) + text[: source.randrange(900)]
            path = f"usr/lib/python3/site-packages/package_{number // 500}/module_{number % 500 // 20}/file_{number}.py"
            held += (header(path, len(content)), content, bytes(-len(content) % 512))
            if len(held) > 12_000:
                layer.add(b"".join(held))
                held.clear()
        layer.add(b"".join(held))
        layers.append(layer.close())
    return layers


def lay_out(folder: Path, layers: list[tuple[dict[str, object], str]]) -> None:
    """Config, manifest and index around the layers."""

    def keep(value: object, media_type: str) -> dict[str, object]:
        data = json.dumps(value).encode()
        name = hashlib.sha256(data).hexdigest()
        (folder / "blobs" / "sha256" / name).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(data)}

    described = [layer for layer, _ in layers]
    diff_ids = [diff_id for _, diff_id in layers]
    config = {
        "architecture": "arm64" if os.uname().machine == "aarch64" else "amd64",
        "os": "linux",
        "config": {"Cmd": ["/bin/true"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created_by": "benchmarks/inputs.py"} for _ in diff_ids],
    }
    kind = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}.manifest.v1+json",
        "config": keep(config, f"{kind}.config.v1+json"),
        "layers": described,
    }
    top = keep(manifest, f"{kind}.manifest.v1+json") | {"annotations": {"org.opencontainers.image.ref.name": "latest"}}
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [top]}))


def calendar(folder: Path, *, edited: bool) -> None:
    """Debian, Python and the example service: 46 MB. `edited`: with another line in the application."""
    project = folder.with_name(folder.name + ".project")
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(EXAMPLE, project)
    if edited:
        with (project / "python" / "calendar_api" / "__init__.py").open("a") as source:
            source.write("\n# edited\n")
    program = Path(sys.executable).with_name("basewright")
    subprocess.run((program, "build", "debian-minimal", "-C", project, "-o", folder), check=True)
    # umoci knows no tag with a colon in it.
    index = json.loads((folder / "index.json").read_bytes())
    index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    (folder / "index.json").write_text(json.dumps(index))
    shutil.rmtree(project)


def docker_archive(layout: Path, file: Path, *, packed: bool) -> None:
    """The image of a layout as `docker save` writes it, its layers packed (as crane does) or not (as docker did)."""
    blobs = layout / "blobs" / "sha256"

    def blob(described: dict[str, str]) -> Path:
        return blobs / described["digest"].removeprefix("sha256:")

    manifest = json.loads(blob(json.loads((layout / "index.json").read_bytes())["manifests"][0]).read_bytes())
    config, layers = blob(manifest["config"]), [blob(each) for each in manifest["layers"]]
    suffix = "tar.gz" if packed else "tar"
    names = [f"{each.name}.{suffix}" for each in layers]
    saved = [{"Config": f"{config.name}.json", "RepoTags": ["calendar-api:latest"], "Layers": names}]
    partial = file.with_name("partial")
    with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as archive:

        def add(name: str, data: bytes) -> None:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            archive.addfile(info, io.BytesIO(data))

        add("manifest.json", json.dumps(saved).encode())
        add(f"{config.name}.json", config.read_bytes())
        for name, layer in zip(names, layers, strict=True):
            data = layer.read_bytes()
            add(name, data if packed else gzip.decompress(data))
    partial.rename(file)


def main(kind: str, folder: Path) -> None:
    if kind.startswith("archive"):
        docker_archive(folder.with_name("calendar"), folder, packed=kind == "archive-packed")
        return
    if kind.startswith("calendar"):
        calendar(folder, edited=kind == "calendar-edited")
        return
    (folder / "blobs" / "sha256").mkdir(parents=True)
    lay_out(folder, {"large": large, "many": many}[kind](folder / "blobs" / "sha256"))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
