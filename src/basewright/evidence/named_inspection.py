"""An image inspected by the name that a user gives it: read where it has to be, known from an earlier look where it can
be."""

from typing import TYPE_CHECKING

from basewright.evidence.found_image import FoundImage, find_named_image
from basewright.evidence.kept_inspections import KeptInspections

if TYPE_CHECKING:
    from basewright.evidence.inspected import Inspection
    from basewright.world import World


def inspect_named_image(
    text: str, world: "World", *, platform: str | None, contents: bool, hashed: bool = False
) -> "Inspection":
    """With `contents` the inspection has its tree, whose files have their SHA-256 with `hashed`. Raises InputError,
    HostileInputError, OutOfReachError."""
    kept = KeptInspections(world.cache / "inspections")
    with find_named_image(text, world, platform=platform) as image:
        inspection = None if contents else kept.load(image)
        if inspection is None:
            inspection = _inspect(image, world, hashed=hashed)
            kept.save(inspection, image)
        return inspection


def _inspect(image: FoundImage, world: "World", *, hashed: bool) -> "Inspection":
    """The full way, whose modules take as long to import as all of the rest."""
    from basewright.evidence.inspection import inspect_reading
    from basewright.evidence.named_image import read_found_image

    return inspect_reading(read_found_image(image, world, hashed=hashed), wanted=image.wanted)
