"""One candidate, built: its app over its base, what that took, and how it is built again after an edit."""

import os
import time
from collections.abc import Callable

import msgspec

from basewright.apps.app import AppLayers
from basewright.bases.base import BaseImage, UnreachableBase
from basewright.build.assemble import Assembled
from basewright.build.work import AppWork
from basewright.build.workshop import Workshop
from basewright.candidate import Option
from basewright.facts import RuntimeFacts
from basewright.oci.layer import write_layer
from basewright.oci.tree import Tree


class ColdBuild(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from sources to written layers with empty caches, downloads left out."""

    seconds: float
    cpu_seconds: float
    download_seconds: float


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that was built. `assembled.image` is None where its base is out of reach."""

    option: Option
    base: BaseImage | UnreachableBase
    runtime: RuntimeFacts
    app: AppLayers
    assembled: Assembled
    work: AppWork
    cold: ColdBuild
    missing_packages: tuple[str, ...]
    has_dependencies: bool


class Rebuilder:
    """Rebuilds of one product after edits, as far as the written layer."""

    def __init__(self, product: Product, workshop: Workshop) -> None:
        self._work = product.work
        self._workshop = workshop
        self._folder = workshop.scratch / "edits" / product.option.name
        self._name = product.option.name
        self._count = 0
        self.pushed_bytes: int | None = None
        self.has_dependencies = product.has_dependencies
        product.work.copy(self._folder)

    def edit_application(self) -> None:
        self._work.edit_application(self._next())

    def edit_dependency(self) -> None:
        self._work.edit_dependency(self._next())

    def rebuild_application(self) -> None:
        self.pushed_bytes = self._write(self._work.rebuild_application())

    def rebuild_dependency(self) -> None:
        for tree in self._work.rebuild_dependency():
            self._write(tree)

    def _next(self) -> str:
        self._count += 1
        return f"edit {self._count} of {self._name}"

    def _write(self, tree: Tree) -> int:
        layer = write_layer(
            self._workshop.scratch_store, tree, created_by="basewright", epoch=self._workshop.world.file_epoch
        )
        return layer.descriptor.size


def measure_cold(build: Callable[[], AppLayers], download_seconds: float) -> tuple[AppLayers, ColdBuild]:
    """Builds, and says what it took."""
    cpu, begin = _cpu_seconds(), time.perf_counter()
    layers = build()
    return layers, ColdBuild(
        seconds=time.perf_counter() - begin, cpu_seconds=_cpu_seconds() - cpu, download_seconds=download_seconds
    )


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
