"""Makes the shipped snapshot, `src/basewright/feeds/data/*.json`, from a folder of source data.

    python3 tools/snapshot.py SOURCE [TARGET]

Standard library only; the same source gives the same bytes. `fargate.json` and `NOTICE` are kept by hand: their
sources are prose. What no function reads is left out.
"""

import argparse
import datetime
import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Record = dict[str, Any]

LIFECYCLE_PRODUCTS = (
    "almalinux", "alpine-linux", "amazon-linux", "debian", "go", "python", "rhel", "rocky-linux", "ubuntu",
)  # fmt: skip
RELEASE_PRODUCTS = ("go", "python")
TAG_ALIASES = {
    "alpine": {"3": "latest"},
    "golang": {"1": "latest", "alpine": "1-alpine"},
    "python": {"alpine": "3-alpine", "latest": "3", "slim": "3-slim"},
}
"""Tags that a library file gives on one line, read in docker-library/official-images at 00214788d015 (alpine),
005af6d97459 (golang) and 01732a42e52e (python); the source has the history of the second only."""
PLATFORMS = {"linux/amd64": "linux/amd64", "linux/arm64": "linux/arm64", "linux/arm64/v8": "linux/arm64"}
DATE = re.compile(r"\d{4}-\d\d-\d\d")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path, help="folder with lifecycle.json, image-cadence.json and the others")
    default = Path(__file__).parent.parent / "src" / "basewright" / "feeds" / "data"
    parser.add_argument("target", type=Path, nargs="?", default=default)
    options = parser.parse_args(arguments)
    options.target.mkdir(parents=True, exist_ok=True)
    for name, make in DATASETS.items():
        text = render(make(read(options.source / name)))
        (options.target / name).write_text(text, encoding="utf-8", newline="\n")
        sys.stderr.write(f"{name}: {len(text.encode()):,} bytes\n")
    return 0


def read(path: Path) -> Record:
    with path.open(encoding="utf-8") as file:
        document: Record = json.load(file)
    return document


def render(document: Record) -> str:
    """JSON with sorted keys; a value without objects in it, or an object of plain values, is one line."""
    return _render(document, 0) + "\n"


def _render(value: object, depth: int) -> str:
    pad = " " * (depth + 1)
    if isinstance(value, dict) and any(isinstance(each, dict | list) for each in value.values()):
        rows = (f"{pad}{json.dumps(key)}: {_render(value[key], depth + 1)}" for key in sorted(value))
        return "{\n" + ",\n".join(rows) + "\n" + pad[1:] + "}"
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        rows = (pad + _render(each, depth + 1) for each in value)
        return "[\n" + ",\n".join(rows) + "\n" + pad[1:] + "]"
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def header(document: Record, name: str, keep: Callable[[Record], bool] = lambda source: True) -> Record:
    """Schema, date and the sources that were used of a source document."""
    sources = []
    for source in document["source"]:
        if keep(source):
            version = source.get("commit") or source.get("version") or ""
            row = {"name": source["repo"].removeprefix("github.com/"), "version": version}
            sources.append(row | {"licence": source.get("licence", ""), "used_for": source.get("used_for", "")})
    return {"schema": f"basewright/{name}/1", "as_of": document["as_of"], "source": sources}


def day(timestamp: str) -> str:
    if not DATE.match(timestamp):
        raise SystemExit(f"{timestamp!r} is no date")
    return timestamp[:10]


def lifecycle(document: Record) -> Record:
    """`eol` is a date, or null where the source says that no end is announced. That a cycle has ended at a date
    that nobody gives cannot be said here, so such a product is refused rather than bent."""
    products = {}
    for product in LIFECYCLE_PRODUCTS:
        cycles = []
        for cycle in document["products"][product]["cycles"]:
            if cycle["eol"] is True:
                raise SystemExit(f"{product} {cycle['cycle']} has ended, and the source gives no date")
            row = {"cycle": cycle["cycle"], "released": cycle["released"], "eol": cycle["eol"] or None}
            if isinstance(cycle.get("extended_support_end"), str):
                row["extended"] = cycle["extended_support_end"]
            cycles.append(row)
        products[product] = cycles
    return header(document, "lifecycle", lambda source: "endoflife.date" in source["repo"]) | {"products": products}


def release_dates(document: Record) -> Record:
    products = {
        product: {
            cycle: [[release["version"], release["date"]] for release in releases]
            for cycle, releases in document["products"][product].items()
        }
        for product in RELEASE_PRODUCTS
    }
    return header(document, "release-dates") | {"products": products}


def distro_info(document: Record) -> Record:
    columns = {"series": "series", "version": "version", "release": "release", "eol": "eol", "eol_lts": "extended"}
    series = {
        distribution: [{new: row[old] for old, new in columns.items() if old in row} for row in rows]
        for distribution, rows in document["series"].items()
    }
    for row in series["ubuntu"]:
        row["version"] = row["version"].removesuffix(" LTS")
    return header(document, "distro-info", lambda source: "distro-info" in source["repo"]) | {"series": series}


def image_cadence(document: Record) -> Record:
    """`changes` are [day, fullest alias], of two on one day the later; `base` other days on which a base changed."""
    images: dict[str, Record] = {}
    for image, tags in document["images"].items():
        images[image] = {}
        for tag, entry in tags.items():
            changes = dict(zip(map(day, entry["change_dates"]), entry["change_tags"], strict=True))
            images[image][tag] = {
                "changes": [list(change) for change in changes.items()],
                "base": sorted(set(map(day, entry["combined_change_dates"])) - set(changes)),
                "removed": day(entry["removed_on"]) if entry["removed_on"] else None,
            }
    return header(document, "image-cadence") | {"since": document["since"], "aliases": TAG_ALIASES, "images": images}


def official_images(document: Record) -> Record:
    images = {}
    for name, entry in document["images"].items():
        local, derived = entry.get("local"), entry.get("derived_packages")
        images[name] = {"registry": _registry(entry["remote"])}
        if local:
            images[name]["contents"] = _contents(local)
        elif derived:
            images[name]["contents"] = _derived_contents(derived)
        images[name]["runtime"] = _runtime(name, entry)
    return header(document, "official-images") | {"images": images}


def _registry(remote: Record) -> Record:
    manifests = {}
    for manifest in remote["manifests"]:
        platform = PLATFORMS.get(manifest["platform"])
        if platform:
            layers = [[layer["digest"], layer["compressed_bytes"]] for layer in manifest["layers"]]
            if sum(size for _, size in layers) != manifest["compressed_bytes"]:
                raise SystemExit(f"{manifest['manifest_digest']}: the layers do not add up")
            manifests[platform] = {
                "digest": manifest["manifest_digest"],
                "image_id": manifest["image_id"],
                "layers": layers,
                "published": day(manifest["built"]),
                "version": next(iter(manifest.get("version", {}).values()), None),
            }
    platforms = sorted({PLATFORMS[platform] for platform in remote["platforms"] if platform in PLATFORMS})
    return {"index_digest": remote["index_digest"], "platforms": platforms, "manifests": manifests}


def _contents(local: Record) -> Record:
    return {
        "basis": "published",
        "cmd": local.get("cmd", []),
        "entrypoint": local.get("entrypoint", []),
        "env": local["env"],
        "image_id": local["image_id"],
        "packages": _packages(local["packages"]),
        "platform": local["platform"],
        "published": day(local["created"]),
        "uncompressed_bytes": round(local["uncompressed_mb"] * 1_000_000),
        "version": _leading_version(local["full_ref"].partition(":")[2]),
    }


def _leading_version(tag: str) -> str | None:
    match = re.match(r"\d+(\.\d+)+(?=-|$)", tag)
    return match[0] if match else None


def _derived_contents(derived: Record) -> Record:
    """Packages that the archive's solver gives: not read from an image, so the basis is modelled."""
    return {
        "basis": "modelled",
        "packages": _packages(derived["packages"]),
        "platform": "linux/amd64",
        "published": _archive_day(derived["archive"]["trixie"]),
    }


def _archive_day(text: str) -> str:
    return datetime.datetime.strptime(text, "%a, %d %b %Y %H:%M:%S UTC").date().isoformat()


def _packages(rows: Iterable[list[str]]) -> list[list[str]]:
    return sorted([row[0], row[1]] for row in rows)


def _runtime(name: str, entry: Record) -> Record:
    """What an application must know of the image, from its packages, its environment and its own name."""
    contents = entry.get("local") or entry.get("derived_packages") or {"packages": []}
    versions = {row[0]: row[1] for row in contents["packages"]}
    env = contents.get("env", {})
    registry = next(iter(entry["remote"]["manifests"]), {}).get("version", {})
    repository, _, tag = name.partition(":")
    found: Record = {}
    if "musl" in versions or "alpine" in name:
        found["distribution"] = "alpine"
        release = versions.get("alpine-release") or contents.get("full_ref", "").removeprefix("alpine:")
        found["distribution_version"] = release.partition("-r")[0] or None
        found["libc"], found["libc_version"] = "musl", versions["musl"].partition("-r")[0]
    elif re.search(r"trixie|bookworm", tag):
        base_files = versions.get("base-files", "")
        found["distribution"] = "debian"
        found["distribution_version"] = base_files.partition(".")[0] or {"bookworm": "12"}[tag.partition("-")[0]]
        found["libc"], found["libc_version"] = "glibc", versions.get("libc6", "").partition("-")[0] or None
    if repository == "python":
        # docker-library/python installs under /usr/local, first on PATH: the Dockerfile template of every variant
        found["interpreter"] = "/usr/local/bin/python3"
        found["python_version"] = env.get("PYTHON_VERSION") or registry.get("PYTHON_VERSION")
    if repository == "golang":
        found["go_version"] = env.get("GOLANG_VERSION") or registry.get("GOLANG_VERSION")
    return {key: value for key, value in found.items() if value}


DATASETS: dict[str, Callable[[Record], Record]] = {
    "distro-info.json": distro_info,
    "image-cadence.json": image_cadence,
    "lifecycle.json": lifecycle,
    "official-images.json": official_images,
    "release-dates.json": release_dates,
}

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
