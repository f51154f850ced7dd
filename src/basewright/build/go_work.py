"""A Go application as work: built in the caches of this run, built again from an edited copy."""

from collections.abc import Sequence
from pathlib import Path

from basewright.apps.app import AppLayers
from basewright.apps.go import GoApplication
from basewright.oci.tree import Tree


class GoWork:
    """`AppWork` for Go. `builds` is the build cache: a new one makes the first build a cold one; None: the kept one."""

    def __init__(self, application: GoApplication, *, builds: Path | None) -> None:
        self._application = application
        self._builds = builds
        self._folder: Path | None = None

    @property
    def download_seconds(self) -> float:
        return self._application.download_seconds

    def build(self) -> AppLayers:
        return self._application.layers(self._application.compile(builds=self._builds))

    def copy(self, folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._application.copy_to(folder)
        self._folder = folder

    def edit_application(self, text: str) -> None:
        self._application.edit_application(self._copy, text)

    def edit_dependency(self, text: str) -> bool:
        return self._application.edit_dependency(self._copy, text) is not None

    def rebuild_application(self) -> Tree:
        compiled = self._application.compile(self._copy, builds=self._builds)
        return self._application.layers(compiled).application

    def rebuild_dependency(self) -> Sequence[Tree]:
        """The binary is all there is: it holds its dependencies."""
        return (self.rebuild_application(),)

    @property
    def _copy(self) -> Path:
        assert self._folder is not None, "copied before it is edited"
        return self._folder
