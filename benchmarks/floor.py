"""The least that reading an image can cost: each layer of an OCI layout inflated with ISA-L, and two SHA-256 passes.

`floor.py LAYOUT`; the layout holds one image of gzip layers. One thread, nothing kept.
"""

import hashlib
import json
import sys
from pathlib import Path

from isal import isal_zlib

CHUNK_BYTES = 1 << 16  # more in or out is slower: it no longer fits the processor's caches


def read(layer: Path) -> tuple[str, str, int]:
    """Both digests and the uncompressed bytes."""
    compressed, uncompressed, size = hashlib.sha256(), hashlib.sha256(), 0
    with layer.open("rb") as file:
        member = isal_zlib.decompressobj(wbits=31)
        while data := file.read(CHUNK_BYTES):
            compressed.update(data)
            while data:
                if member.eof:
                    member = isal_zlib.decompressobj(wbits=31)
                chunk = member.decompress(data, 4 * CHUNK_BYTES)
                uncompressed.update(chunk)
                size += len(chunk)
                data = member.unused_data if member.eof else member.unconsumed_tail
    return compressed.hexdigest(), uncompressed.hexdigest(), size


def main(layout: Path) -> None:
    blobs = layout / "blobs" / "sha256"
    (described,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    manifest = json.loads((blobs / described["digest"].removeprefix("sha256:")).read_bytes())
    for layer in manifest["layers"]:
        name = layer["digest"].removeprefix("sha256:")
        digest, diff_id, size = read(blobs / name)
        if digest != name:
            raise SystemExit(f"{name} has another digest")
        sys.stdout.write(f"{digest} {diff_id} {size}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
