"""The table of shipped datasets."""

import datetime
from collections.abc import Mapping

from basewright.feeds.snapshot import Header, read_dataset

DATASETS = ("distro-info", "fargate", "image-cadence", "lifecycle", "official-images", "release-dates")


def feed_dates() -> Mapping[str, datetime.date]:
    """Dataset → the date that its facts are of; part of the evidence, since a newer snapshot may answer otherwise."""
    return {name: read_dataset(name, Header).as_of for name in DATASETS}
