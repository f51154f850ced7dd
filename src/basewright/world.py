"""What a run is handed: the doors to the outside, the clock, and where to tell what is going on."""

import datetime
from pathlib import Path

import msgspec

from basewright._http import PooledHttp
from basewright._process import HostProcess
from basewright.oci.transports.catalog import Doors
from basewright.oci.tree import DEFAULT_EPOCH
from basewright.progress import Progress
from basewright.settings import Settings


class World(msgspec.Struct, frozen=True, kw_only=True):
    """Made in `cli/`, recorded in the evidence. `epoch` is SOURCE_DATE_EPOCH, None where it is not set."""

    process: HostProcess
    http: PooledHttp
    settings: Settings
    cache: Path
    now: datetime.datetime
    epoch: int | None
    progress: Progress
    notice: Progress

    @property
    def file_epoch(self) -> int:
        """The one date of every file in a layer."""
        return DEFAULT_EPOCH if self.epoch is None else self.epoch

    @property
    def created(self) -> str:
        """The same date as RFC 3339, for configs."""
        return datetime.datetime.fromtimestamp(self.file_epoch, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def doors(self) -> Doors:
        """What it takes to reach images wherever they are."""
        return Doors(
            http=self.http,
            process=self.process,
            registries=self.settings.registries,
            created=self.created,
            limits=self.settings.limits,
        )
