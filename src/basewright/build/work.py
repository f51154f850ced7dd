"""An application that is ready to be built: what the workshop and the build trials ask of every kind."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from basewright.apps.app import AppLayers
from basewright.oci.tree import Tree


class AppWork(Protocol):
    """An application that is ready to be built, and built again from an edited copy of its sources."""

    @property
    def download_seconds(self) -> float: ...

    def build(self) -> AppLayers:
        """All of it, in the caches of this run."""
        ...

    def copy(self, folder: Path) -> None:
        """Copies its sources to `folder`, for edits that the sources never see."""
        ...

    def edit_application(self, text: str) -> None:
        """Really changes the copy; `text` makes one edit unlike another."""
        ...

    def edit_dependency(self, text: str) -> bool:
        """Really changes something that the copy depends on; False where it depends on nothing."""
        ...

    def rebuild_application(self) -> Tree: ...

    def rebuild_dependency(self) -> Sequence[Tree]: ...
