"""Candidate to image: the base's layers, what it lacks, the dependencies, the application, a config, a manifest."""

from collections.abc import Callable, Mapping

import msgspec

from basewright.apps.app import DEFAULT_PATH, AppLayers
from basewright.bases.base import NONROOT, BaseImage, UnreachableBase
from basewright.candidate import Option
from basewright.facts import Basis, SizePart
from basewright.oci.blob import BlobStore
from basewright.oci.image import Image, Layer, assemble_image
from basewright.oci.manifest import RunConfig
from basewright.oci.reference import parse_reference
from basewright.oci.tree import Entry, Tree, file
from basewright.strategy import PublishedBase, Strategy

_BASE_NAME = "org.opencontainers.image.base.name"
_BASE_DIGEST = "org.opencontainers.image.base.digest"
_SEARCH_PATHS = ("PATH", "PYTHONPATH")
NONROOT_USER = f"{NONROOT}:{NONROOT}"


class Assembled(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate's image, or (`image` None) only the layers over a base whose bytes are out of reach.

    `base_tree` is the base with what was added to it for the candidate; `trees` are all, the lowest first.
    """

    image: Image | None
    parts: tuple[SizePart, ...]
    layers: tuple[Layer, ...]
    base_tree: Tree
    dependencies: Tree
    application: Tree
    run_config: RunConfig
    application_key: str
    """The digests of the layers that the application made: what is built alike has the same."""

    @property
    def trees(self) -> tuple[Tree, ...]:
        return (self.base_tree, self.dependencies, self.application)


def assemble(
    option: Option,
    strategy: Strategy,
    base: BaseImage | UnreachableBase,
    additions: Tree,
    app: AppLayers,
    *,
    store: BlobStore,
    write: Callable[[Tree, str], Layer],
    created: str,
) -> Assembled:
    """Writes layers (by `write`), config and manifest into `store`. `additions` go over the base in a layer of their
    own."""
    base_tree = base.tree if isinstance(base, BaseImage) else Tree()
    user = base.run_config.user if isinstance(base, BaseImage) else ""
    additions = _over(additions, Tree())  # shared by candidates, and written once for each
    if not user and isinstance(base, BaseImage):
        for entry in _accounts(base_tree):
            additions.add(entry)
    written: list[tuple[str, Layer]] = []
    for name, tree, words in (
        ("runtime packages", additions, "basewright: runtime packages and accounts"),
        ("dependencies", app.dependencies, "basewright: dependencies"),
        ("application", app.application, "basewright: application"),
    ):
        if len(tree):
            written.append((name, write(tree, words)))
    layers = (*base.layers, *(layer for _, layer in written)) if isinstance(base, BaseImage) else ()
    config = RunConfig(
        user=user or NONROOT_USER,
        env=_env(base.run_config.env if isinstance(base, BaseImage) else None, app.env, strategy.service.env),
        entrypoint=app.entrypoint or None,
        cmd=app.command or None,
        working_dir=app.working_directory,
        exposed_ports={f"{strategy.service.port}/tcp": {}},
        stop_signal=base.run_config.stop_signal if isinstance(base, BaseImage) else "",
    )
    image = None
    if isinstance(base, BaseImage):
        image = assemble_image(
            store,
            layers,
            config,
            architecture=option.platform.architecture,
            created=created,
            annotations=_annotations(option, base),
        )
    return Assembled(
        image=image,
        parts=(
            *_base_part(base),
            *(
                SizePart(name=name, compressed_bytes=layer.descriptor.size, basis=Basis.MEASURED)
                for name, layer in written
            ),
        ),
        layers=layers or tuple(layer for _, layer in written),
        base_tree=_over(base_tree, additions),
        dependencies=app.dependencies,
        application=app.application,
        run_config=config,
        application_key=" ".join(layer.digest for name, layer in written if name != "runtime packages"),
    )


def _base_part(base: BaseImage | UnreachableBase) -> tuple[SizePart, ...]:
    if isinstance(base, UnreachableBase):
        return (base.size,) if base.size is not None else ()
    compressed = sum(layer.descriptor.size for layer in base.layers)
    return (SizePart(name="base", compressed_bytes=compressed, basis=Basis.MEASURED, source=base.name),)


def _annotations(option: Option, base: BaseImage) -> dict[str, str]:
    """The base where it is an image that others can ask for, too:
    https://github.com/opencontainers/image-spec/blob/main/annotations.md"""
    if not isinstance(option.candidate.base, PublishedBase):
        return {}
    annotations = {_BASE_NAME: str(parse_reference(option.candidate.base.reference))}
    return annotations | ({_BASE_DIGEST: base.digest} if base.digest else {})


def _env(base: tuple[str, ...] | None, app: Mapping[str, str], service: Mapping[str, str]) -> tuple[str, ...]:
    """The base's variables, the app's over them, the strategy's over both. Search paths are joined, the app's before
    the base's and the strategy's before the app's."""
    merged = dict(each.split("=", 1) for each in base or () if "=" in each)
    for variables in (app, service):
        for name, value in variables.items():
            merged[name] = _joined(value, merged.get(name, "")) if name in _SEARCH_PATHS else value
    merged.setdefault("PATH", DEFAULT_PATH)
    return tuple(f"{name}={value}" for name, value in merged.items())


def _joined(first: str, second: str) -> str:
    return ":".join(dict.fromkeys(each for each in f"{first}:{second}".split(":") if each))


def _accounts(tree: Tree) -> list[Entry]:
    """passwd and group with the user that the image runs as, where the base names users and lacks this one."""
    entries = []
    for path, line in (
        ("etc/passwd", f"nonroot:x:{NONROOT}:{NONROOT}:nonroot:/tmp:/sbin/nologin\n"),
        ("etc/group", f"nonroot:x:{NONROOT}:\n"),
    ):
        found = tree.find(path)
        data = (found.data if found is not None else None) or b""
        if found is not None and f":{NONROOT}:".encode() not in data:
            text = data if data.endswith(b"\n") or not data else data + b"\n"
            entries.append(file(path, text + line.encode(), mode=found.mode))
    return entries


def _over(base: Tree, additions: Tree) -> Tree:
    merged = Tree()
    for tree in (base, additions):
        for entry in tree:
            merged.add(entry)
    return merged
